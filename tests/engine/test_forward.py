"""Exact visibility, its derivatives, and the pixels made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from torch.autograd import forward_ad

from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.engine.acceptance import GEOMETRY, coverage, geometry_vector, vectors
from eclips_app.engine.forward import cells, image, torch_horizon
from eclips_app.engine.forward.image import PixelResponse, probe_sigma
from eclips_app.engine.forward.linearised import Linearised
from eclips_app.engine.forward.model import Parallax, detector_tables, forward_model, slopes
from eclips_app.engine.forward.quadrature import signal
from eclips_app.engine.forward.scene import Plan, Scene
from eclips_app.engine.forward.tables import sectors
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.surfaces import rough, steps

FOUR = Detector(
    distance_mm=6.0,
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
    beam=Beam(10.0, 0.0),
)
LAMBERT = Emission()
LOBES = Emission("parametric", coefficients=(0.8, 0.6, 0.1, 0.5, 0.3, 0.2))
AZIMUTHS = 32

Function = Callable[[torch.Tensor], torch.Tensor]


def deep(size: int = 40) -> torch.Tensor:
    """Root-mean-square slope 0.9: a third of all sectors is cut off somewhere."""
    return torch.from_numpy(rough((size, size), 1.0, 3) * 3.0)


def along(
    function: Callable[..., torch.Tensor], at: tuple[torch.Tensor, ...], moved: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Give the derivative along a direction, in forward mode."""
    with forward_ad.dual_level():
        made = function(*(forward_ad.make_dual(a, m) for a, m in zip(at, moved, strict=True)))
        found: torch.Tensor = forward_ad.unpack_dual(made).tangent
        return found


def agree(function: Function, at: torch.Tensor, seed: int = 0, eps: float = 1e-6) -> tuple[float, float]:
    """Give the relative errors of backward and forward derivatives along random directions, by central differences.

    Where a derivative jumps between the two points there is none: one-sided differences tell such directions, which are few.
    """
    rng = np.random.default_rng(seed)
    gradient = torch.autograd.grad(function(at.requires_grad_()), at)[0].detach()
    at = at.detach()
    backward, forward = [], []
    for _ in range(12):
        direction = torch.from_numpy(rng.standard_normal(at.shape))
        # A few places only: with every height moving at once, some horizon always changes hands.
        direction *= torch.from_numpy(rng.random(at.shape) < 6 / at.numel()) if at.numel() > 50 else 1.0
        if not direction.any():
            continue
        with torch.no_grad():
            ahead, here, behind = (float(function(at + s * eps * direction)) for s in (1, 0, -1))
        expected = float((gradient * direction).sum())
        if abs((ahead - here) - (here - behind)) > 2e-3 * abs(ahead - behind):
            continue
        measured = (ahead - behind) / (2 * eps)
        backward.append(abs(expected - measured) / abs(measured))
        forward.append(abs(float(along(function, (at,), (direction,))) - expected) / abs(expected))
    assert len(backward) >= 6
    return float(np.median(backward)), float(np.max(forward))


@pytest.mark.parametrize("emission", [LAMBERT, LOBES])
def test_derivatives_by_the_heights(emission: Emission) -> None:
    model = forward_model(FOUR, 1.0, emission=emission, azimuths=AZIMUTHS)
    weights = torch.from_numpy(np.random.default_rng(1).standard_normal((4, 40, 40)))
    backward, forward = agree(lambda h: (model.images(h) * weights).sum(), deep())
    assert backward < 1e-6
    assert forward < 1e-11


def test_derivatives_by_the_normals() -> None:
    model = forward_model(FOUR, 1.0, azimuths=AZIMUTHS)
    height, weights = deep(), torch.from_numpy(np.random.default_rng(2).standard_normal((4, 40, 40)))
    tilted = slopes(height) + 0.1
    backward, forward = agree(lambda s: (model.images(height, normal_slopes=s) * weights).sum(), tilted)
    assert backward < 1e-6
    assert forward < 1e-11


def test_derivatives_by_material_and_gain() -> None:
    model = forward_model(FOUR, 1.0, azimuths=AZIMUTHS)
    height, weights = deep(), torch.from_numpy(np.random.default_rng(3).standard_normal((4, 40, 40)))
    rho = torch.from_numpy(np.random.default_rng(4).uniform(0.5, 1.5, (40, 40)))
    assert max(agree(lambda r: (model.images(height, r) * weights).sum(), rho)) < 1e-7
    gains = torch.tensor([1.0, 0.9, 1.1, 1.05], dtype=torch.float64)
    assert max(agree(lambda g: (model.images(height) * g[:, None, None] * weights).sum(), gains)) < 1e-7


def test_derivatives_by_the_detector_s_geometry() -> None:
    detector = dataclasses.replace(FOUR, center_mm=(0.3, -0.2), tilt_deg=(2.0, -1.0))
    height, at = deep(24), torch.from_numpy(geometry_vector(detector))
    tangents = slopes(height)
    expansion, fine = detector_tables(detector, LAMBERT, 16)
    weights = expansion.weights(tangents)
    graded = torch.from_numpy(np.random.default_rng(5).standard_normal((4, 24, 24)))
    theta, phi = np.linspace(0, np.pi / 2, 91), np.linspace(0, 2 * np.pi, 97)

    def of_geometry(geometry: torch.Tensor) -> torch.Tensor:
        tables = sectors(coverage(detector, geometry, 90, 96), theta, phi, expansion, 16)
        return (signal(height, tangents, weights, tables) * graded).sum()

    assert of_geometry(at).item() == pytest.approx(
        (signal(height, tangents, weights, fine) * graded).sum().item(), abs=0.01
    )
    gradient = torch.autograd.grad(of_geometry(at.requires_grad_()), at)[0]
    at = at.detach()
    for component, name in enumerate(GEOMETRY):
        step = torch.zeros(len(GEOMETRY), dtype=torch.float64)
        step[component] = 1e-7
        with torch.no_grad():
            measured = float(of_geometry(at + step) - of_geometry(at - step)) / 2e-7
        assert gradient[component].item() == pytest.approx(measured, rel=1e-6, abs=1e-7), name
    direction = torch.from_numpy(np.random.default_rng(9).standard_normal(len(GEOMETRY)))
    assert float(along(of_geometry, (at,), (direction,))) == pytest.approx(float(gradient @ direction), rel=1e-10)


@pytest.mark.parametrize("emission", [LAMBERT, LOBES])
def test_plain_torch_gives_the_same_as_the_compiled_loops(emission: Emission) -> None:
    expansion, tables = detector_tables(FOUR, emission, AZIMUTHS)
    height = deep()
    tangents = slopes(height)
    weights = expansion.weights(tangents)
    inputs = [x.clone().requires_grad_() for x in (height, tangents, weights, tables.taken)]
    graded = torch.from_numpy(np.random.default_rng(6).standard_normal((4, 40, 40)))
    made = signal(*inputs[:3], dataclasses.replace(tables, taken=inputs[3]))
    expected = torch.autograd.grad((made * graded).sum(), inputs)

    scene, plan = Scene(height, tangents, weights), Plan(tables.taken, *tables.plan)
    out = torch.einsum("kj,jrc->krc", tables.total, weights)
    winner = torch.empty((AZIMUTHS, 40, 40), dtype=torch.int16)
    torch_horizon.signal(scene, plan, winner, out)
    torch.testing.assert_close(out, made.detach(), rtol=0, atol=1e-14)
    assert (winner > 0).double().mean() > 0.05
    assert (winner < 0).double().mean() > 0.05

    found = [torch.zeros_like(x) for x in inputs]
    found[2] = torch.einsum("kj,krc->jrc", tables.total, graded).contiguous()
    torch_horizon.adjoint(scene, plan, winner, graded, *found[:3])
    torch_horizon.table_gradient(scene, plan, winner, graded, found[3])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)

    change = Scene(*(torch.from_numpy(np.random.default_rng(7).standard_normal(x.shape)) for x in inputs[:3]))
    moved = torch.from_numpy(np.random.default_rng(8).standard_normal(tables.taken.shape))
    lost = torch.einsum("kj,jrc->krc", tables.total, change.weights)
    torch_horizon.tangent(scene, plan, winner, change, moved, lost)
    forward = along(
        lambda h, s, w, t: signal(h, s, w, dataclasses.replace(tables, taken=t)),
        (height, tangents, weights, tables.taken), (*change, moved),
    )  # fmt: skip
    torch.testing.assert_close(lost, forward, rtol=1e-10, atol=1e-12)


def test_pruning_changes_nothing() -> None:
    # A grid far smaller than a stretch, and one of several stretches and tiles, against plain Torch, which prunes by nothing
    # but the highest point.
    height = torch.from_numpy(steps((150, 300), 1.0, 2) + rough((150, 300), 1.0, 5))
    expansion, tables = detector_tables(dataclasses.replace(FOUR, distance_mm=3.0), LAMBERT, 16)
    tangents = slopes(height)
    weights = expansion.weights(tangents)
    out = torch.einsum("kj,jrc->krc", tables.total, weights)
    scene, plan = Scene(height, tangents, weights), Plan(tables.taken, *tables.plan)
    torch_horizon.signal(scene, plan, torch.empty((16, 150, 300), dtype=torch.int16), out)
    torch.testing.assert_close(signal(height, tangents, weights, tables), out, rtol=0, atol=1e-14)


def test_single_precision_is_good_to_a_millionth() -> None:
    model = forward_model(FOUR, 1.0, azimuths=AZIMUTHS)
    single = model.to(torch.device("cpu"), torch.float32)
    exact = model.images(deep())
    assert (single.images(deep().float()).double() - exact).abs().max() < 2e-5 * exact.max()


def test_batches_are_single_images_side_by_side() -> None:
    expansion, tables = detector_tables(FOUR, LAMBERT, 16)
    heights = torch.stack([deep(24), 0.5 * deep(24)])
    tangents = torch.stack([slopes(h) for h in heights])
    weights = torch.stack([expansion.weights(s) for s in tangents])
    both = signal(heights, tangents, weights, tables)
    torch.testing.assert_close(both[1], signal(heights[1], tangents[1], weights[1], tables))


def test_a_wall_takes_the_sky_below_its_top() -> None:
    # Lambert emission from a flat, all round detector from the axis to 60 degrees: what a wall that rises to a take-off angle e
    # leaves of its half space is sin^2 of the polar angle 90 - e in place of 60 degrees.
    ring = Detector(
        distance_mm=1.0, inner_radius_mm=0.0, outer_radius_mm=np.tan(np.deg2rad(60.0)),
        quadrants=tuple(Segment(n, 120.0 * i, 120.0, 1.0, 0.0) for i, n in enumerate("ABC")),
    )  # fmt: skip
    height = np.zeros((5, 4001))
    height[:, 2001:] = 20.0
    model = forward_model(ring, 1.0, azimuths=360)
    seen = model.samples(height).sum(dim=0)[2, 1981].item()  # 20 pixels before the wall's top
    azimuth = (np.arange(360) + 0.5) * np.pi / 180
    across = np.cos(azimuth)
    limit = np.where(across > 0, np.arctan2(20.0 / np.maximum(across, 1e-9), 20.0), np.pi / 2)
    # Rays that leave the five rows pass the wall's end: only those that reach column 2001 within 2 rows are blocked.
    reaches = (across > 0) & (np.abs(np.tan(azimuth)) * 20.0 <= 2.0)
    open_to = np.minimum(np.where(reaches, limit, np.pi / 2), np.deg2rad(60.0))
    assert seen == pytest.approx((np.sin(open_to) ** 2).mean(), rel=2e-3)


def test_parallax_is_what_a_moved_detector_sees() -> None:
    off = 0.02
    moved = dataclasses.replace(FOUR, center_mm=(-off, 0.0))
    height = rough((24, 24), 1.0, 1)
    placed = forward_model(FOUR, 1.0, azimuths=16, parallax=Parallax((off, 0.0)))
    expected = forward_model(moved, 1.0, azimuths=16)
    change = expected.samples(height) - forward_model(FOUR, 1.0, azimuths=16).samples(height)
    error = placed.samples(height) - expected.samples(height)
    assert error.abs().max() < 0.03 * change.abs().max()


def test_a_pivot_does_not_matter_to_lambert_emission_but_to_others() -> None:
    height = np.zeros((12, 12))

    def images(emission: Emission, pivot_mm: float | None) -> torch.Tensor:
        found = forward_model(FOUR, 1.0, emission=emission, azimuths=16, parallax=Parallax((0.05, 0.02), pivot_mm))
        return found.samples(height)[:, 6, 6]

    still = images(LAMBERT, None)
    assert (images(LAMBERT, 8.0) - still).abs().max() < 3e-4 * still.max()
    lobes = images(LOBES, None)
    assert (images(LOBES, 8.0) - lobes).abs().max() > 1e-3 * lobes.max()


def test_pixels_are_means_and_the_probe_is_a_gaussian() -> None:
    point = torch.zeros((1, 60, 60), dtype=torch.float64)
    point[0, 30, 30] = 1.0
    spread = PixelResponse(probe_sigma=probe_sigma(8.0, 1.0))(point)[0]
    half = spread[30, 30:].numpy() / spread[30, 30].item()
    assert np.interp(-0.5, -half, np.arange(half.size)) == pytest.approx(4.0, abs=0.03)
    assert spread.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert PixelResponse(3)(point)[0, 10, 10].item() == pytest.approx(1 / 9)


def test_where_electrons_leave_spreads_the_signal() -> None:
    kernel = torch.zeros((5, 5), dtype=torch.float64)
    kernel[2, 4] = 1.0  # two samples to the right
    picture = torch.rand((2, 9, 11), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    moved = PixelResponse(exit_kernel=kernel)(picture)
    torch.testing.assert_close(moved[:, :, 2:], picture[:, :, :-2])
    torch.testing.assert_close(moved[:, :, 0], picture[:, :, 0])  # the border goes on


def test_delocalisation_needs_the_beam_energy() -> None:
    with pytest.raises(EclipsError, match="beam energy"):
        forward_model(dataclasses.replace(FOUR, beam=None), 1.0, delocalised=True)


def test_a_flat_has_the_signal_one() -> None:
    for emission in (LAMBERT, LOBES):
        model = forward_model(FOUR, 2.0, emission=emission, azimuths=16)
        assert model.images(torch.zeros((8, 8), dtype=torch.float64)).mean().item() == pytest.approx(1.0, rel=1e-12)
    assert forward_model(FOUR, 2.0).flat == pytest.approx(vectors(FOUR)[:, 2].mean(), rel=1e-4)


@pytest.mark.parametrize("emission", [LAMBERT, LOBES, Emission("tabulated", "Cu")])
def test_functions_of_the_normal_bend_as_they_change(emission: Emission) -> None:
    expansion, _ = detector_tables(dataclasses.replace(FOUR, beam=Beam(10.0, 2.0)), emission, 8)
    slopes_there = 3.0 * torch.from_numpy(
        np.random.default_rng(1).standard_normal((2, 30, 40))
    )  # beyond the steepest, too
    bends = expansion.bends(slopes_there)
    for one, bend in zip(torch.eye(2, dtype=torch.float64), bends, strict=True):
        direction = one[:, None, None].expand_as(slopes_there).contiguous()
        torch.testing.assert_close(bend, along(expansion.weights, (slopes_there,), (direction,)), rtol=1e-9, atol=1e-11)


def test_cells_of_a_plane_have_its_slopes_and_heights() -> None:
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (7, 9)), indexing="ij")
    corners = 0.3 * columns - 0.2 * (6 - rows)  # falls upward
    right, up = cells.slopes(corners)
    torch.testing.assert_close(right, torch.full((6, 8), 0.3, dtype=torch.float64))
    torch.testing.assert_close(up, torch.full((6, 8), -0.2, dtype=torch.float64))
    torch.testing.assert_close(cells.corners_of(cells.heights(corners)), corners)


def test_corners_keep_the_heights_that_they_are_made_from() -> None:
    step = torch.zeros((12, 16), dtype=torch.float64)
    step[:, 8:] = 5.0
    missed = cells.heights(cells.corners_of(step)) - step
    assert float(missed.abs().max()) < 5.0 / 6  # a cliff between two columns
    assert float(missed[:, :3].abs().max()) < 0.01


@pytest.mark.parametrize("emission", [LAMBERT, LOBES])
def test_linearised_images_change_as_the_model_does(emission: Emission) -> None:
    model = forward_model(
        dataclasses.replace(FOUR, beam=Beam(10.0, 2.0)), 2.0, emission=emission, azimuths=16, subpixels=2,
        parallax=Parallax((0.03, -0.02)),
    )  # fmt: skip
    corners = deep(25).contiguous()

    def images(at: torch.Tensor) -> torch.Tensor:
        return model.images(cells.heights(at), normal_slopes=cells.slopes(at / model.spacing_nm))

    about = Linearised(model, corners)
    torch.testing.assert_close(about.images, images(corners))
    change = torch.from_numpy(np.random.default_rng(1).standard_normal((25, 25)))
    graded = torch.from_numpy(np.random.default_rng(2).standard_normal((4, 12, 12)))
    moved = about.tangent(change)
    torch.testing.assert_close(moved, along(images, (corners,), (change,)), rtol=1e-9, atol=1e-12)
    assert float((moved * graded).sum()) == pytest.approx(float((about.adjoint(graded) * change).sum()), rel=1e-10)


def test_a_wide_exit_kernel_spreads_in_bands_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    picture, kernel = rng.normal(size=(2, 40, 27)), rng.random((31, 31))
    expected = np.stack([convolve(one, kernel, mode="nearest") for one in picture])
    monkeypatch.setattr(image, "_VALUES", 300)
    spread = PixelResponse(exit_kernel=torch.from_numpy(kernel))
    np.testing.assert_allclose(spread(torch.from_numpy(picture)).numpy(), expected, atol=1e-10)
    weights = torch.from_numpy(rng.normal(size=picture.shape))
    there = (spread(torch.from_numpy(picture)) * weights).sum()
    assert (spread.adjoint(weights) * torch.from_numpy(picture)).sum().item() == pytest.approx(there.item())

    def stop() -> None:
        raise Cancelled

    with watched(stop), pytest.raises(Cancelled):
        spread(torch.from_numpy(picture))


@pytest.mark.parametrize("material", ["C", "Cu", "Au"])
def test_walls_of_a_tabulated_material_stay_between_dark_and_a_gentler_face(material: str) -> None:
    model = forward_model(
        dataclasses.replace(FOUR, beam=Beam(15.0, 0.0)), 1.0, emission=Emission("tabulated", material)
    )
    faces = {
        slope: model.samples(np.tile(np.arange(9.0) * -slope, (9, 1)))[:, 4, 4] / model.flat
        for slope in (1.5, 8.0, 60.0)
    }
    for slope in (8.0, 60.0):
        assert (faces[slope] > -0.02).all()
        assert (faces[slope] < faces[1.5] + 0.3).all()


def test_given_coefficients_need_no_table() -> None:
    slow = dataclasses.replace(FOUR, beam=Beam(1.0, 0.0))  # tables begin at 2 keV
    flat = torch.zeros((8, 8), dtype=torch.float64)
    assert forward_model(slow, 2.0, emission=LOBES, azimuths=16).images(flat).mean().item() == pytest.approx(1.0)
    with pytest.raises(EclipsError, match="2 to 30 keV"):
        forward_model(slow, 2.0, emission=Emission("tabulated", "Cu"), azimuths=16)
