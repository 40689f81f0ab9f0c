"""Heights from slopes by every method: known surfaces, masks, noise, what their standard deviations say, and the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.paths import resource
from eclips_app.core.schema import dump, load, rule_of
from eclips_app.core.steps import Reconstruct, run_step
from eclips_app.core.training import Train
from eclips_app.engine.dct import RINGS, rings
from eclips_app.engine.forward.model import slopes
from eclips_app.engine.integrators import METHODS, integrate_by, least_squares, pinn, pinn_net, pinn_task, wiener
from eclips_app.engine.integrators.noisy import noisy, seen_by_pixels
from eclips_app.engine.integrators.poisson import solve_poisson
from eclips_app.engine.training.loop import stacked
from eclips_app.engine.training.specimens import Recipe
from eclips_app.engine.training.weights import write_weights
from eclips_app.engine.uncertainty import height_std

ROWS, COLUMNS = 72, 90
ALL = list(METHODS)


def solve(method: str, p: np.ndarray, q: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    good = None if mask is None else torch.from_numpy(mask)
    return integrate_by(method, torch.from_numpy(p), torch.from_numpy(q), good)[0].numpy()


def axes() -> tuple[np.ndarray, np.ndarray]:
    """Give x (right) and y (up) of each pixel about the middle."""
    row, column = np.mgrid[:ROWS, :COLUMNS].astype(float)
    return column - 0.5 * (COLUMNS - 1), 0.5 * (ROWS - 1) - row


def rms_without_plane(error: np.ndarray) -> float:
    row, column = np.indices(error.shape)
    design = np.stack([row.ravel(), column.ravel(), np.ones(error.size)], 1)
    return float(np.std(error.ravel() - design @ np.linalg.lstsq(design, error.ravel(), rcond=None)[0]))


def terrace() -> tuple[np.ndarray, np.ndarray]:
    """Give a step of 6 px with faces of 45 deg, as pixels see it, and its slopes [2, row, col]."""
    x = (np.arange(4 * COLUMNS) + 0.5) / 4.0
    fine = np.tile(4.0 * np.clip(x - 40.0, 0.0, 6.0), (4 * ROWS, 1))
    return seen_by_pixels(fine, 4)


def test_the_choices_of_the_step_are_the_methods() -> None:
    assert rule_of(Reconstruct, "integrator").choices == tuple(METHODS)
    assert load(Reconstruct, {k: v for k, v in dump(Reconstruct()).items() if k != "integrator"}) == Reconstruct()


@pytest.mark.parametrize("method", ALL)
def test_plane_is_exact_and_y_points_up(method: str) -> None:
    x, y = axes()
    height = solve(method, np.full(x.shape, 0.25), np.full(x.shape, -0.5))
    np.testing.assert_allclose(height, 0.25 * x - 0.5 * y, atol=1e-6)


@pytest.mark.parametrize("method", ALL)
def test_parabola(method: str) -> None:
    x, y = axes()
    truth = 0.004 * x**2 - 0.003 * y**2 + 0.002 * x * y
    height = solve(method, 0.008 * x + 0.002 * y, -0.006 * y + 0.002 * x)
    error = height - truth
    assert np.std(error) < 2e-3 * np.ptp(truth)
    assert abs(height.mean()) < 1e-6


@pytest.mark.parametrize("method", ALL)
def test_step(method: str) -> None:
    truth, (p, q) = terrace()
    height = solve(method, p, q)
    step = height[:, 60:80].mean() - height[:, 10:30].mean()
    assert step == pytest.approx(6.0, abs=0.03)  # the last of a face's pixels is mixed
    assert np.std(height - truth) < 0.05


@pytest.mark.parametrize("method", ALL)
def test_masked_pixels_do_not_count(method: str) -> None:
    x, y = axes()
    truth, mask = 0.3 * x + 0.1 * y + 0.002 * x**2, np.ones((ROWS, COLUMNS), bool)
    mask[20:40, 30:55] = mask[60:, :10] = False
    p, q = 0.3 + 0.004 * x, np.full(x.shape, 0.1)
    found = [solve(method, np.where(mask, p, wrong), np.where(mask, q, -wrong), mask) for wrong in (0.0, 7.0)]
    np.testing.assert_allclose(found[0][mask], found[1][mask], atol=1e-5)
    assert np.std((found[0] - truth)[mask]) < 0.01
    inner = found[0][20:40, 30:55]
    around = found[0][19:41, 29:56]
    assert inner.max() <= around.max()  # a membrane has no extremes of its own
    assert inner.min() >= around.min()


@pytest.mark.parametrize("method", ALL)
def test_equal_bits_again(method: str) -> None:
    p, q = (np.random.default_rng(seed).normal(0, 0.05, (50, 61)).astype(np.float32) for seed in (1, 2))
    assert np.array_equal(solve(method, p, q), solve(method, p, q))


@pytest.mark.parametrize("method", ALL)
def test_can_be_stopped(method: str) -> None:
    def stop(_: float = 0.0) -> None:
        raise Cancelled

    p = torch.zeros((40, 40)).normal_(generator=torch.Generator().manual_seed(0))
    with pytest.raises(Cancelled):
        integrate_by(method, p, p.T.contiguous(), None, stop)


@pytest.mark.parametrize("degrees", [1.0, 3.0])
@pytest.mark.parametrize("tilt", [0.0, 0.1])
def test_wiener_is_never_worse_than_least_squares_on_a_noisy_flat(degrees: float, tilt: float) -> None:
    x, y = axes()
    wave = 0.05 * np.sin(x / 14.0) * np.cos(y / 11.0)
    p = tilt + 0.05 / 14.0 * np.cos(x / 14.0) * np.cos(y / 11.0)
    q = -tilt - 0.05 / 11.0 * np.sin(x / 14.0) * np.sin(y / 11.0)
    for seed in range(4):
        read = noisy(np.stack([p, q]), degrees, np.random.default_rng(seed))
        plain, calm = (rms_without_plane(solve(m, *read) - wave) for m in ("least-squares", "wiener"))
        assert calm < plain


def test_wiener_leaves_slopes_without_noise_alone() -> None:
    _, (p, q) = terrace()
    np.testing.assert_allclose(solve("wiener", p, q), solve("least-squares", p, q), atol=1e-3)


def test_std_of_wiener_is_its_error() -> None:
    """Of a Gaussian surface, which its rings describe, among as much noise."""
    rng = np.random.default_rng(5)
    shape, errors, stated = (64, 80), [], []
    for _ in range(40):
        modes = rng.standard_normal(shape) / (1.0 + np.hypot(*np.indices(shape))) ** 1.5
        modes[0, 0] = 0.0
        fine = torch.from_numpy(modes)
        height = solve_poisson(fine.clone())
        p, q = slopes(height).numpy() / float(height.std()) * 0.1
        truth = height.numpy() / float(height.std()) * 0.1
        noise = 0.05 * rng.standard_normal((2, *shape))
        found, how = integrate_by("wiener", torch.from_numpy(p + noise[0]), torch.from_numpy(q + noise[1]))
        errors.append(found.numpy() - (truth - truth.mean()))
        stated.append(height_std(shape, 0.05, error_share=how.error_share))
        assert len(how.error_share) == RINGS
    scatter, said = np.sqrt(np.mean(np.square(errors))), np.sqrt(np.mean(np.square(stated)))
    assert said == pytest.approx(scatter, rel=0.25)
    assert said < np.sqrt(np.mean(height_std(shape, 0.05) ** 2))


def test_rings_cover_all_modes_in_order() -> None:
    found = rings((30, 50), slice(0, 30))
    assert found.max() == RINGS - 1
    assert (np.diff(found, axis=0) >= 0).all()
    assert np.array_equal(found[10:12], rings((30, 50), slice(10, 12)))


def test_bilateral_keeps_a_cliff_that_least_squares_smears() -> None:
    x, y = axes()
    truth = np.where(x > 0, 0.4 * y, 0.0)  # a cliff along the middle column, as high as it is far from the middle row
    q = np.where(x > 0, 0.4, 0.0)
    error = {m: np.std(solve(m, np.zeros(x.shape), q) - truth) for m in ("least-squares", "bilateral")}
    assert error["bilateral"] < 0.2 * error["least-squares"]


def test_noise_turns_normals_by_its_angle() -> None:
    tangents = np.stack([np.full((200, 200), 0.8), np.full((200, 200), -0.4)])
    read = noisy(tangents, 2.0, np.random.default_rng(0))
    a, b = (np.stack([-p, -q, np.ones_like(p)]) / np.sqrt(1 + p**2 + q**2) for p, q in (tangents, read))
    angle = np.rad2deg(np.arccos(np.clip((a * b).sum(0), -1, 1)))
    assert np.sqrt(np.mean(angle**2) / 2) == pytest.approx(2.0, rel=0.02)
    assert np.array_equal(noisy(tangents, 0.0, np.random.default_rng(0)), tangents)


# The network


def slopes_with_noise(shape: tuple[int, int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0.0, 0.03, (2, *shape)).astype(np.float32)
    p[:, shape[1] // 2 :][:, :3] += 1.0
    return torch.from_numpy(p), torch.from_numpy(q)


def lively_net() -> pinn_net.PinnNet:
    """Give a network whose last layer says something."""
    torch.manual_seed(1)
    net = pinn_net.PinnNet(8)
    torch.nn.init.normal_(net.last.weight, 0.0, 0.05)
    return net.requires_grad_(False)


def test_untrained_it_is_least_squares() -> None:
    p, q = slopes_with_noise((60, 75))
    found, how = pinn.integrate(p, q, net=pinn_net.PinnNet(8).requires_grad_(False))
    torch.testing.assert_close(found, least_squares.integrate(p, q)[0])
    assert how.converged


@pytest.mark.parametrize("shape", [(8, 9), (41, 300)])
def test_any_size(shape: tuple[int, int]) -> None:
    p, q = slopes_with_noise(shape)
    height, _ = integrate_by("pinn", p, q)
    assert height.shape == shape
    assert torch.isfinite(height).all()


def test_tiles_leave_no_seams() -> None:
    p, q = slopes_with_noise((260, 290))
    seen, net = pinn_net.given(p, q, least_squares.integrate(p, q)[0]), lively_net()
    whole, tiled = (pinn.corrections_of(net, seen, tile_px=tile) for tile in (304, 48))
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(tiled, whole, atol=1e-6, rtol=1e-4)


def test_a_surface_turned_over_gives_its_heights_turned_over() -> None:
    p, q = slopes_with_noise((64, 64))
    torch.testing.assert_close(integrate_by("pinn", -p, -q)[0], -integrate_by("pinn", p, q)[0], atol=1e-5, rtol=1e-4)


def test_refinement_undoes_what_the_slopes_refute() -> None:
    p, q = slopes_with_noise((64, 64))
    plain = least_squares.integrate(p, q)[0]
    seen = pinn_net.given(p, q, plain)
    wrong = torch.zeros((2, 64, 64))
    wrong[0, 20:44, 20:44] = -3.0 * seen.noise  # a facet made flatter by three standard deviations of each pixel
    spoilt = plain + least_squares.surface(wrong)
    found, steps = pinn.refined(seen, plain, wrong)
    assert steps > 3
    assert (found - plain).std() < 0.8 * (spoilt - plain).std()
    kept, none = pinn.refined(seen, plain, torch.zeros_like(wrong))
    assert none <= 1
    torch.testing.assert_close(kept, plain, atol=1e-4, rtol=0)


def test_losses_are_one_for_the_better_of_what_it_starts_from_and_none_for_the_truth() -> None:
    recipe = Recipe(96, 5)
    net = pinn_net.PinnNet(8)
    task = pinn_task.PinnTask(net, recipe, recipe)
    batch = stacked([task.sample(i) for i in range(4)], torch.device("cpu"))
    least = task.losses(net, batch)
    assert (least >= 1.0 - 1e-4).all()
    assert (least < 1.0 + 1e-4).any()
    true = {**batch, "plain": torch.zeros_like(batch["plain"])}
    assert pinn_task._errors(true["plain"], batch).abs().max() < 1e-7
    with torch.no_grad():
        assert task.scores(net)["to_least_squares"] == pytest.approx(1.0)


def test_two_steps_of_training_write_weights_that_load(tmp_path: Path) -> None:
    output = tmp_path / "pinn.safetensors"
    params = Train("pinn", str(output), steps=2, batch=2, size_px=32, device="cpu")
    info = run_step("train", {}, params, SilentContext()).info
    assert info["steps"] == 2
    net = pinn.read_pinn(output)
    assert net.wiener.abs() < 0.2
    assert "PINN integrator" in output.with_suffix(".md").read_text()
    p, q = slopes_with_noise((40, 40))
    assert torch.isfinite(pinn.integrate(p, q, net=net)[0]).all()


def test_trains_on_measured_maps_split_by_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = {f"map/{i}": np.cumsum(rng.normal(0, 1.0, (80, 70)), axis=1) for i in range(2)}
    output = tmp_path / "own.safetensors"
    params = Train("pinn", str(output), steps=1, batch=2, size_px=32, map_pixels_nm=(2.0, 3.0), device="cpu")
    run_step("train", maps, params, SilentContext())
    assert "1 measured maps" in output.with_suffix(".md").read_text()  # the other one judges


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    for metadata, word in (
        ({"model": "vft", "format": "1"}, "not weights"),
        ({"model": "pinn", "format": "1", "width": "7"}, "how large"),
        ({"model": "pinn", "format": "1", "width": "8"}, "do not fit"),
    ):
        write_weights(file, {"x": torch.zeros(1)}, metadata)
        with pytest.raises(EclipsError, match=word):
            pinn.read_pinn(file)


def test_shipped_weights_beat_least_squares_on_noisy_terraces() -> None:
    assert resource("models/pinn.safetensors").stat().st_size < 2_000_000
    truth, slopes = terrace()
    found = {}
    for method in ("least-squares", "pinn"):
        read = [noisy(slopes, 2.0, np.random.default_rng(seed)).astype(np.float32) for seed in range(4)]
        found[method] = np.mean([rms_without_plane(solve(method, *each) - truth) for each in read])
    assert found["pinn"] < found["least-squares"]


def test_noise_is_measured_by_the_curl() -> None:
    p, q = (torch.from_numpy(np.random.default_rng(s).normal(0, 0.02, (120, 120))) for s in (1, 2))
    assert wiener.slope_std(p, q, None) == pytest.approx(0.02, rel=0.05)
