"""The Vision Field Transformer: relief from slopes, tangent planes, tiles, the physics layer, rendering, weights and range."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.core.training import Train
from eclips_app.engine.forward.measure import DETECTOR
from eclips_app.engine.forward.model import DRAFT, Parallax, forward_model
from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.surrogates.measure import measured_model
from eclips_app.engine.surrogates.physics import signal
from eclips_app.engine.surrogates.relief import relief, relief_filter
from eclips_app.engine.surrogates.render import horizon, render
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.surrogates.vft_weights import FORMAT, Range, out_of_range, read_vft, shipped
from eclips_app.engine.training.labels import horizons, segments
from eclips_app.engine.training.specimens import Recipe, specimen
from eclips_app.engine.training.weights import read_weights, write_weights

TINY = VftSize(width=16, depth=2, heads=2, window=4, patch=4, detail=8, azimuths=16)


def _net(size: VftSize = TINY, seed: int = 0) -> Vft:
    torch.manual_seed(seed)
    net = Vft(size).eval()
    for p in net.parameters():  # as after some training: nothing is zero
        p.data += 0.05 * torch.randn_like(p)
    return net


def _slopes(rows: int, columns: int, seed: int = 3) -> torch.Tensor:
    noise = torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(seed))
    return 0.5 * noise


def test_relief_of_slopes_is_the_height_less_its_smooth_part():
    height = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((96, 96)), 3.0) * 20
    found = relief(slopes_of(torch.from_numpy(height))[None], relief_filter(4).double())[0, 0].numpy()
    wanted = height - ndimage.gaussian_filter(height, 4.0)
    inner = (slice(24, -24), slice(24, -24))
    error = (found - wanted)[inner]
    assert np.sqrt((error**2).mean()) < 0.08 * wanted[inner].std()


def test_horizon_is_never_below_the_tangent_plane():
    net, slopes = _net(), _slopes(40, 52)
    found = net(slopes[None])[0]
    tangent = torch.einsum("da,drc->arc", net.along, slopes)
    assert (found >= tangent - 1e-6).all()
    assert (found > tangent + 1e-3).any()


@pytest.mark.parametrize("shape", [(33, 47), (1, 1), (16, 80)])
def test_any_image_size(shape):
    assert _net()(_slopes(*shape)[None]).shape == (1, 16, *shape)


@pytest.mark.parametrize("size", [TINY, replace(TINY, depth=4, window=2)])
def test_tiles_leave_no_trace(size):
    net, slopes = _net(size), _slopes(40, 150)
    with torch.no_grad():
        whole, tiled = net(slopes[None])[0], horizon(net, slopes, tile_px=64)
    assert torch.allclose(whole, tiled, atol=2e-5)


def test_pixels_depend_on_the_vision_field_alone():
    net, slopes = _net(), _slopes(256, 256)
    other = slopes.clone()
    other[:, :, net.size.halo_px + 16 :] += 1.0
    with torch.no_grad():
        difference = (net(slopes[None]) - net(other[None]))[0].abs().amax((0, 1))
    assert (difference[:16] == 0).all()
    assert difference[net.size.halo_px :].max() > 0.01


def test_gradients_of_tiles_are_those_of_the_whole():
    net, slopes = _net(), _slopes(20, 70)
    found = []
    for tile_px in (32, 1024):
        unknown = slopes.clone().requires_grad_()
        found.append(torch.autograd.grad(horizon(net, unknown, tile_px).sin().sum(), unknown)[0])
    assert torch.allclose(*found, atol=1e-4)


def test_physics_layer_on_exact_horizons_gives_the_exact_images():
    height = specimen(Recipe(64, 5), 2)
    model = measured_model(16)
    slopes = slopes_of(torch.from_numpy(height)).float()
    made = signal(torch.from_numpy(horizons(height, 16)), model.expansion.weights(slopes), model.sectors) / model.flat
    assert np.abs(made.numpy() - segments(model, height)).max() < 2e-4
    unshadowed = signal(torch.full((16, 64, 64), -1.0), model.expansion.weights(slopes), model.sectors)
    assert torch.allclose(unshadowed, torch.einsum("kj,jrc->krc", model.sectors.total, model.expansion.weights(slopes)))


def test_gradient_of_the_physics_layer():
    model = forward_model(DETECTOR, 1.0, azimuths=16, fineness=DRAFT)
    rng = torch.Generator().manual_seed(1)
    m = (0.1 + 2.0 * torch.rand(16, 3, generator=rng, dtype=torch.float64)).requires_grad_()
    slopes = torch.randn(2, 3, generator=rng, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda m, s: signal(m, model.expansion.weights(s), model.sectors), (m, slopes), eps=1e-7, atol=1e-4
    )


@pytest.mark.parametrize("parallax", [None, Parallax((0.1, -0.05))])
def test_rendering_has_the_conventions_of_the_exact_model(parallax):
    """On a gentle surface nothing is hidden, so that any horizon network must give the exact images."""

    class Open(Vft):
        def framed(self, slopes, inside):
            return torch.einsum("da,ndrc->narc", self.along.to(slopes), slopes)

    model = forward_model(
        DETECTOR, 3.0, azimuths=16, subpixels=2, parallax=parallax, dtype=torch.float32, fineness=DRAFT
    )
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(40.0), indexing="ij")
    height = 1.5 * (0.8 * torch.sin(rows / 9) + 0.3 * columns)
    rho = 1.0 + 0.1 * torch.cos(columns)
    made = render(Open(TINY), model, height_nm=height, rho=rho)
    assert made.shape == (4, 24, 20)
    assert torch.allclose(made, model.images(height, rho), atol=2e-5)
    slopes = slopes_of(height / 1.5)
    assert torch.allclose(render(Open(TINY), model, slopes=slopes, rho=rho), made, atol=1e-6)


def test_gradient_of_rendered_images_by_heights():
    model = measured_model(16)
    net, height = _net().double(), torch.from_numpy(specimen(Recipe(32, 5), 1))
    model = model.to(torch.device("cpu"), torch.float64)
    direction = torch.randn(32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def total(h):
        return render(net, model, height_nm=h).square().sum()

    unknown = height.clone().requires_grad_()
    along = float((torch.autograd.grad(total(unknown), unknown)[0] * direction).sum())
    with torch.no_grad():
        difference = float(total(height + 1e-6 * direction) - total(height - 1e-6 * direction)) / 2e-6
    assert along == pytest.approx(difference, rel=1e-3)


def test_wrong_azimuths_and_inputs_are_told():
    model = forward_model(DETECTOR, 1.0, azimuths=8, fineness=DRAFT)
    with pytest.raises(EclipsError, match="16 azimuths"):
        render(_net(), model, slopes=_slopes(8, 8))
    with pytest.raises(EclipsError, match="either heights or slopes"):
        render(_net(), measured_model(16))


def test_surfaces_beyond_the_training_are_flagged_with_a_sentence():
    net, learnt = _net(), Range(1.0, 5.0)
    flat = torch.zeros(2, 60, 70)
    mask, words = out_of_range(net, learnt, flat)
    assert not mask.any()
    assert words == ""
    steep = flat.clone()
    steep[0, 10, 20] = 1.2
    mask, words = out_of_range(net, learnt, steep)
    assert mask.sum() == 1
    assert mask[10, 20]
    assert "steeper than 45°" in words
    cone = torch.from_numpy(-20 * np.exp(-((np.mgrid[:60, :70] - 30.0) ** 2).sum(0) / 800))
    mask, words = out_of_range(net, Range(5.0, 1.0), slopes_of(cone).float())
    assert mask[30, 30]
    assert "above or below" in words


def _written(tmp_path, **change):
    file = tmp_path / "vft.safetensors"
    metadata = {
        "model": "vft", "format": FORMAT, "size": json.dumps(asdict(TINY)), "statistics": '{"slope": 2.0, "relief_px": 9.0}',
    } | change  # fmt: skip
    write_weights(file, _net().state_dict(), metadata)
    return file


def test_weights_come_back_from_a_file(tmp_path):
    net, learnt = read_vft(_written(tmp_path))
    slopes = _slopes(20, 20)[None]
    assert torch.equal(net(slopes), _net()(slopes))
    assert learnt == Range(2.0, 9.0)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "dsm"}, {"format": "1"}, {"size": "nothing"}, {"size": "{}x"}, {"statistics": '{"slope": "steep"}'},
        {"size": json.dumps(asdict(replace(TINY, width=32)))}, {"size": json.dumps(asdict(replace(TINY, heads=3)))},
        {"size": json.dumps(asdict(replace(TINY, window=32, depth=2)))}, {"size": json.dumps({"width": 10**9})},
        {"size": json.dumps(asdict(replace(TINY, width=4096, depth=60)))}, {"size": '{"layers": 3}'},
    ],
)  # fmt: skip
def test_files_that_are_no_such_network_are_refused(tmp_path, change):
    with pytest.raises(EclipsError):
        read_vft(_written(tmp_path, **change))


def test_shipped_weights_are_small_sound_and_know_their_range():
    net, learnt = read_vft()
    assert shipped().stat().st_size < 20e6
    assert shipped().with_suffix(".md").is_file()
    assert 0.3e6 < sum(p.numel() for p in net.parameters()) < 0.6e6
    assert 1.0 < learnt.slope < 4.0
    assert 5.0 < learnt.relief_px < 40.0


def test_training_step_writes_weights_and_card(tmp_path):
    output = tmp_path / "mine.safetensors"
    params = Train("vft", str(output), steps=2, batch=2, size_px=32, seed=3, map_pixels_nm=(2.0, 2.0), device="cpu")
    maps = {f"map/{i}": 0.6 * specimen(Recipe(40, 9), i) for i in range(2)}
    found = run_step("train", maps, params, SilentContext())
    assert found.info["steps"] == 2
    assert found.arrays["loss"].shape == (0, 2)  # the first point comes at the tenth step
    net, learnt = read_vft(output)
    assert net.size == VftSize()
    assert learnt.slope > 0.3
    assert "measured maps" in read_weights(output)[1]["recipe"]
    card = output.with_suffix(".md").read_text(encoding="utf-8")
    assert "Muon for 18 matrices" in card
    assert "| step | seconds | loss | error |" in card
    assert "Measured maps, split by file: 1 to train on, 1 to judge by." in card


def test_training_step_refuses_what_it_cannot_do(tmp_path):
    with pytest.raises(EclipsError, match="safetensors"):
        run_step("train", {}, Train("vft", str(tmp_path / "a.bin"), steps=1), SilentContext())
    with pytest.raises(EclipsError, match="does not exist"):
        run_step("train", {}, Train("vft", str(tmp_path / "no" / "a.safetensors"), steps=1), SilentContext())
    given = Train("vft", str(tmp_path / "a.safetensors"), map_pixels_nm=(2.0,))
    with pytest.raises(EclipsError, match="cannot be split"):
        run_step("train", {"map/0": np.eye(40)}, given, SilentContext())
    with pytest.raises(EclipsError, match="0 height maps have 1 pixel sizes"):
        run_step("train", {}, given, SilentContext())
    holes = {"map/0": np.eye(40), "map/1": np.full((40, 40), np.nan)}
    with pytest.raises(EclipsError, match="holes"):
        run_step("train", holes, replace(given, map_pixels_nm=(2.0, 2.0)), SilentContext())
    small = {"map/0": np.eye(40), "map/1": np.eye(9)}
    with pytest.raises(EclipsError, match="less than 16 pixels"):
        run_step("train", small, replace(given, map_pixels_nm=(2.0, 2.0)), SilentContext())
