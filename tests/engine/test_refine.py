"""Gauss-Newton on the height map: parts, and what it reaches on images made by the same physics on finer samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.engine.forward import cells
from eclips_app.engine.forward.model import ForwardModel, forward_model
from eclips_app.engine.refine.brightness import Brightness, Material
from eclips_app.engine.refine.channels import Channels, marginal
from eclips_app.engine.refine.curvature import Curvature, second_differences, second_differences_adjoint
from eclips_app.engine.refine.solver import Data, GaussNewton, Rules

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0
DOSE = 20000.0


def terraces(size: int, spacing: float) -> np.ndarray:
    """Two steps of 46 degrees, 4 and 5 pixels high, across the columns, turned by 20 degrees; in nm."""
    place = (np.arange(size) + 0.5) * spacing
    across = place[None, :] * np.cos(0.35) + place[:, None] * np.sin(0.35)
    run = [rise / np.tan(np.deg2rad(46.0)) for rise in (8.0, 10.0)]
    return sum(
        rise * np.clip((across - at) / length, 0, 1)
        for rise, at, length in zip((8.0, 10.0), (45.0, 90.0), run, strict=True)
    )


@pytest.fixture(scope="module")
def measured() -> tuple[torch.Tensor, np.ndarray]:
    """Images [k, 48, 48] in electrons, rendered on four times finer samples, and the pixel means of the heights."""
    fine = terraces(192, PIXEL_NM / 4)
    model = forward_model(FOUR, PIXEL_NM, azimuths=64, subpixels=4)
    electrons = np.random.default_rng(3).poisson(DOSE * model.images(torch.from_numpy(fine)).numpy())
    return torch.from_numpy(electrons.astype(np.float32)), fine.reshape(48, 4, 48, 4).mean(axis=(1, 3))


def solver(
    measured: tuple[torch.Tensor, np.ndarray], start: np.ndarray, **more: float
) -> tuple[GaussNewton, ForwardModel]:
    model = forward_model(FOUR, PIXEL_NM, azimuths=32, subpixels=2, dtype=torch.float32)
    twice = cells.corners_of(torch.from_numpy(np.kron(start, np.ones((2, 2))).astype(np.float32)))
    return GaussNewton(model, data(measured[0]), Curvature(15.0, **more), twice), model


def data(signal: torch.Tensor, usable: torch.Tensor | None = None) -> Data:
    """Signals in electrons."""
    return Data(signal, torch.ones((len(signal), 1, 1)), torch.zeros((len(signal), 1, 1)), usable)


def error_nm(height: torch.Tensor, truth: np.ndarray) -> float:
    off = cells.heights(height).numpy().reshape(48, 2, 48, 2).mean(axis=(1, 3)) - truth
    rows, columns = np.indices(truth.shape)
    plane = np.stack([rows.ravel(), columns.ravel(), np.ones(truth.size)], axis=1)
    return float(np.std(off.ravel() - plane @ np.linalg.lstsq(plane, off.ravel(), rcond=None)[0]))


def test_from_a_flat_start_steps_are_found_and_explain_the_images(measured: tuple[torch.Tensor, np.ndarray]) -> None:
    found, _ = solver(measured, np.zeros((48, 48)))
    height = found.run()
    assert error_nm(height, measured[1]) < 0.05  # 0.8 % of a pixel's edge times ...: a fortieth of a pixel
    chi2 = float((found.data.weight(found.at.fitted.model) * found.residual**2).mean()) * 4 / 3
    assert 0.6 < chi2 < 1.05  # below 1: heights were fitted, too
    assert all(b <= a for a, b in zip(found.progress.cost, found.progress.cost[1:], strict=False))
    assert len(found.progress.inner) <= 8


def test_a_pattern_of_materials_makes_no_heights(measured: tuple[torch.Tensor, np.ndarray]) -> None:
    signal, truth = measured
    pattern = torch.ones((48, 48))
    pattern[10:30, 15:40] = 0.6
    plain, _ = solver(measured, truth)
    patterned, _ = solver((signal * pattern, truth), truth)
    difference = plain.run() - patterned.run()
    # Fewer electrons, so a little more noise, but no edge of the pattern: a gain of 0.6 read as slope would be 30 nm high.
    assert float(difference.std()) < 0.03


def test_the_matrix_is_symmetric_and_positive(measured: tuple[torch.Tensor, np.ndarray]) -> None:
    found, _ = solver(measured, measured[1])
    rng = np.random.default_rng(1)
    one, other = (torch.from_numpy(rng.standard_normal((97, 97)).astype(np.float32)) for _ in range(2))
    left, right = (float((a * found.information(b)).sum()) for a, b in ((one, other), (other, one)))
    own = float((one * found.information(one)).sum())
    assert own > 0
    assert abs(left - right) < 1e-4 * own


def test_stopping_keeps_the_best_so_far(measured: tuple[torch.Tensor, np.ndarray]) -> None:
    found, _ = solver(measured, np.zeros((48, 48)))

    def stop(step: int, part: float) -> None:
        if step == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found.run(stop)
    assert error_nm(found.at.height_nm, measured[1]) < error_nm(torch.zeros((97, 97)), measured[1]) / 5


def test_unused_signals_do_not_count(measured: tuple[torch.Tensor, np.ndarray]) -> None:
    signal, truth = measured
    usable = torch.ones_like(signal)
    usable[0, 20:26, 20:26] = 0
    spoiled = signal.clone()
    spoiled[0, 20:26, 20:26] = 1e6
    model = forward_model(FOUR, PIXEL_NM, azimuths=16, subpixels=1, dtype=torch.float32)
    start = cells.corners_of(torch.from_numpy(truth.astype(np.float32)))
    heights = [
        GaussNewton(model, data(seen, usable), Curvature(5.0), start, Rules(outer=2)).run()
        for seen in (torch.where(usable > 0, signal, signal.mean()), torch.where(usable > 0, spoiled, signal.mean()))
    ]
    torch.testing.assert_close(*heights)


def test_brightness_is_taken_out_exactly() -> None:
    generator = torch.Generator().manual_seed(2)
    images, signal, weight = (torch.rand((4, 6, 7), generator=generator, dtype=torch.float64) + 0.5 for _ in range(3))
    found = Brightness(images, signal, weight)
    assert float((weight * images * (signal - found.model)).sum(0).abs().max()) < 1e-12
    assert (
        float(found.changed(images * torch.rand((6, 7), generator=generator, dtype=torch.float64)).abs().max()) < 1e-12
    )
    change, residual = (torch.randn((4, 6, 7), generator=generator, dtype=torch.float64) for _ in range(2))
    assert float((weight * residual * found.changed(change)).sum()) == pytest.approx(
        float((found.graded(residual) * change).sum()), rel=1e-12
    )


def test_brightness_of_labels_and_of_the_whole_field() -> None:
    generator = torch.Generator().manual_seed(5)
    images, signal, weight = (torch.rand((4, 6, 7), generator=generator, dtype=torch.float64) + 0.5 for _ in range(3))
    labels = (torch.arange(42).reshape(6, 7) % 3).long()
    known = torch.rand((6, 7), generator=generator, dtype=torch.float64) + 0.5
    for material in (Material(labels), Material(torch.zeros_like(labels), known)):
        found = Brightness(images, signal, weight, material)
        seen = images if material.factor is None else images * known
        for label in range(int(material.labels.max()) + 1):
            here = (material.labels == label).expand(4, 6, 7)
            expected = (weight * seen * signal)[here].sum() / (weight * seen**2)[here].sum()
            assert float(found.factor[material.labels == label].std()) < 1e-12
            assert float(found.factor[material.labels == label][0]) == pytest.approx(float(expected), rel=1e-12)
        change, residual = (torch.randn((4, 6, 7), generator=generator, dtype=torch.float64) for _ in range(2))
        assert float((weight * residual * found.changed(change)).sum()) == pytest.approx(
            float((found.graded(residual) * change).sum()), rel=1e-12
        )


def test_heights_and_gains_together_are_the_block_inverse() -> None:
    rng = np.random.default_rng(4)
    heights, count = 5, 3
    jacobian, mixed = rng.standard_normal((24, heights)), rng.standard_normal((24, count))
    prior = np.diag([0.0005, 0.001, 0.002])
    joint = np.linalg.inv(
        np.block([[jacobian.T @ jacobian, jacobian.T @ mixed], [mixed.T @ jacobian, mixed.T @ mixed + prior]])
    )

    class Plain(Channels):
        def information(self, fitted: object) -> np.ndarray:
            return mixed.T @ mixed

        def change(self, number: int, model: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(mixed[:, number].copy())

    inverse = torch.from_numpy(np.linalg.inv(jacobian.T @ jacobian))
    channels = Plain(("a", "b", "c"), ((0, True),) * 3, np.linalg.inv(prior), np.zeros(count))

    class Fitted:
        model = torch.zeros(24)

    found = marginal(
        channels, Fitted(),  # type: ignore[arg-type]
        lambda change: (torch.from_numpy(jacobian).T @ change)[:, None], lambda right: inverse @ right,
    )  # fmt: skip
    np.testing.assert_allclose(found.covariance, joint[heights:, heights:], rtol=1e-9)
    maps = found.maps[..., 0].numpy().T
    np.testing.assert_allclose(inverse.numpy() + maps @ found.covariance @ maps.T, joint[:heights, :heights], rtol=1e-9)


def test_curvature_and_its_adjoint() -> None:
    generator = torch.Generator().manual_seed(3)
    height = torch.randn((9, 11), generator=generator, dtype=torch.float64)
    values = torch.randn((3, 9, 11), generator=generator, dtype=torch.float64)
    left = float((second_differences(height) * values).sum())
    assert left == pytest.approx(float((height * second_differences_adjoint(values)).sum()), rel=1e-12)
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    assert Curvature(3.0).cost(0.3 * rows - 0.2 * columns) == pytest.approx(0.0, abs=1e-4)
    unknown = height.clone().requires_grad_()
    prior = Curvature(3.0, 0.5)
    size = ((second_differences(unknown) ** 2).sum(0) + 0.25).sqrt().sum() * 3.0
    expected = torch.autograd.grad(size, unknown)[0]
    stiff = second_differences_adjoint(prior.stiffness(height) * second_differences(height))
    torch.testing.assert_close(stiff, expected)
