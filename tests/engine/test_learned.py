"""The U-Net from images to normals: what it is shown, what it says untrained, tiles, files, and the step."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import ClosedLoop, Learned, Reconstruct, Simulate, run_step
from eclips_app.core.training import Train
from eclips_app.engine.learned import predict
from eclips_app.engine.learned.features import CHANNELS, planes, seen, to_slopes, to_stereographic, turned
from eclips_app.engine.learned.network import NormalsNet, Widths
from eclips_app.engine.learned.scenes import detected, random_detector, scene
from eclips_app.engine.learned.task import NormalsTask, sample_of
from eclips_app.engine.learned.weights import FORMAT, read_unet, shipped
from eclips_app.engine.surfaces import KINDS
from eclips_app.engine.training.specimens import Recipe
from eclips_app.engine.training.weights import write_weights

SMALL = Widths((8, 12, 16))
GENTLE = 18  #: a scene without shadows


def ring(count, first_deg=0.0):
    segments = tuple(
        Segment(f"{k}", first_deg + 360.0 * k / count, 360.0 / count - 4.0, 1.0, 0.0) for k in range(count)
    )
    return Detector(quadrants=segments, beam=Beam(10.0, 1.0))


def everywhere(signals):
    return np.ones(signals.shape, bool)


@pytest.fixture
def net():
    torch.manual_seed(3)
    return NormalsNet(SMALL).eval()


@pytest.fixture
def shaken(net):
    """A network that changes what it is shown."""
    with torch.no_grad():
        net.head.weight.normal_(0.0, 0.05)
    return net


@pytest.fixture
def weights(net, tmp_path):
    path = tmp_path / "unet.safetensors"
    write_weights(path, net.state_dict(), {"format": FORMAT, "widths": json.dumps(asdict(SMALL))})
    return path


@pytest.mark.parametrize("count", [3, 4, 7])
def test_planes_of_a_facet_are_its_normal_whatever_the_segments(count):
    detector = ring(count, 17.0)
    shown = seen(detector, 1.0, 0.01)
    slopes = torch.tensor([0.3, -0.2])[:, None, None].expand(2, 8, 8)
    normal = torch.stack([-slopes[0], -slopes[1], torch.ones(8, 8)]) / (1 + 0.13) ** 0.5
    signals = torch.einsum("kc,crs->krs", torch.from_numpy(shown.vectors).float(), normal)
    found = planes(signals, everywhere(signals), shown, 1.0)
    assert found.shape == (CHANNELS, 8, 8)
    torch.testing.assert_close(found[:2], to_stereographic(slopes), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[2], torch.zeros(8, 8), atol=1e-5, rtol=0)


def test_slopes_and_stereographic_coordinates_are_inverse():
    slopes = 4.0 * torch.randn(2, 30, 30)
    torch.testing.assert_close(to_slopes(to_stereographic(slopes)), slopes, atol=1e-3, rtol=1e-3)
    assert to_slopes(torch.full((2, 1, 1), 5.0)).isfinite().all()


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_image_of_a_turned_detector_has_turned_planes(quarters):
    detector = ring(3)
    moved = replace(
        detector, quadrants=tuple(replace(q, azimuth_deg=q.azimuth_deg + 90 * quarters) for q in detector.quadrants)
    )
    signals = 0.5 + torch.rand(3, 20, 24)
    turn = torch.rot90(signals, quarters, (1, 2))
    given = planes(signals, everywhere(signals), seen(detector, 1.0, 0.01), 1.0)
    expected = planes(turn, everywhere(turn), seen(moved, 1.0, 0.01), 1.0)
    torch.testing.assert_close(turned(given, quarters), expected, atol=1e-5, rtol=0)


def test_a_segment_that_is_not_usable_counts_as_the_others_predict_it():
    shown = seen(ring(4), 1.0, 0.01)
    signals = 0.5 + torch.rand(4, 8, 8)
    usable = everywhere(signals)
    usable[1] = False
    spoiled = signals.clone()
    spoiled[1] = 100.0
    torch.testing.assert_close(planes(signals, usable, shown, 1.0), planes(spoiled, usable, shown, 1.0))


def test_untrained_it_mixes_the_linear_solutions(net):
    given = torch.randn(1, CHANNELS, 21, 30) * 0.1
    alike = given.clone()
    alike[:, 3:12] = given[:, :3].repeat(1, 3, 1, 1)  # whatever the blur
    found = net.estimate(alike, net(alike))
    torch.testing.assert_close(found.stereographic, given[:, :2])
    torch.testing.assert_close(found.log_rho, given[:, 2])
    mixed = net.estimate(given, net(given)).stereographic
    assert (mixed - given[:, :2]).abs().mean() < 0.3 * (
        given[:, 3:5] - given[:, :2]
    ).abs().mean()  # the sharp one leads


def test_tiles_leave_no_trace(shaken, monkeypatch):
    signals = 0.5 + torch.rand(4, 150, 203)
    given = predict.Shown(signals, everywhere(signals), seen(ring(4), 1.0, 0.01), 1.0)
    with torch.no_grad():
        whole = shaken.estimate(given.planes()[None])
    monkeypatch.setattr(predict, "TILE_PX", 64)
    tiled = predict.estimated(shaken, given)
    torch.testing.assert_close(tiled.stereographic, whole.stereographic, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(tiled.log_error, whole.log_error, atol=2e-5, rtol=1e-4)


def test_weights_are_read_as_written_and_nothing_else_is(net, weights, tmp_path):
    found = read_unet(weights)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=0)
    wrong = tmp_path / "other.safetensors"
    write_weights(wrong, net.state_dict(), {"format": "eclips-dsm/1"})
    with pytest.raises(EclipsError, match="no U-Net"):
        read_unet(wrong)
    write_weights(wrong, net.state_dict(), {"format": FORMAT, "widths": '{"levels": [4096, 4096, 4096]}'})
    with pytest.raises(EclipsError, match="do not describe"):
        read_unet(wrong)
    write_weights(wrong, net.state_dict(), {"format": FORMAT, "widths": '{"levels": [8, 12, 15]}'})
    with pytest.raises(EclipsError, match="do not fit"):
        read_unet(wrong)


def test_scenes_are_fixed_by_seed_and_index_and_detectors_can_be_solved():
    recipe = Recipe(32, 5)
    first, again, other = scene(recipe, 0), scene(recipe, 0), scene(recipe, 1)
    np.testing.assert_array_equal(first.signals, again.signals)
    assert first.signals.shape[1:] == (32, 32)
    assert not np.array_equal(first.slopes, other.slopes)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert np.linalg.cond(seen(random_detector(rng), 1.0, 0.1).vectors) < 30


def test_slopes_of_a_scene_are_those_of_its_images():
    """Without noise and on gentle ground the linear solution is the truth, probe aside."""
    made = scene(Recipe(32, 5), GENTLE)
    assert np.abs(made.slopes).max() < 0.4
    assert np.abs(made.slopes).mean() > 0.02
    assert made.column.emission.model == "lambert"
    sample = sample_of(made, np.random.default_rng(1), 1, dose=1e9)
    found = to_slopes(torch.from_numpy(sample["planes"][:2])).numpy()
    error = np.abs(found - sample["slopes"])
    assert np.median(error) < 0.02  # gains err by up to a percent
    assert np.corrcoef(found.ravel(), sample["slopes"].ravel())[0, 1] > 0.95


def test_noise_is_that_of_the_dose():
    made = scene(Recipe(32, 5), 0)
    flat = replace(made, signals=np.ones_like(made.signals))
    signals, noise = detected(flat, np.random.default_rng(2), dose=400.0)
    spread = signals.std(axis=(1, 2)).mean()
    assert 0.05 * 0.9 < spread < 0.06 * 1.1  # 1 / sqrt(400), and up to 3 % of read-out
    assert noise == pytest.approx(spread, rel=0.3)


def test_training_lowers_the_loss(monkeypatch):
    monkeypatch.setattr("eclips_app.engine.learned.task._JUDGED", 1)
    torch.manual_seed(0)
    task = NormalsTask(Recipe(32, 1), Recipe(32, 2))
    noisy = sample_of(scene(Recipe(32, 1), 3), np.random.default_rng(0), dose=100.0)
    batch = {n: torch.from_numpy(v)[None] for n, v in noisy.items()}
    optimiser = torch.optim.Adam(task.net.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = task.losses(task.net, batch).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.92 * losses[0]
    with torch.no_grad():
        scores = task.scores(task.net)
    assert set(scores) == {"error", "linear", "foretold"}


def test_the_command_trains_it(tmp_path, monkeypatch):
    monkeypatch.setattr("eclips_app.engine.learned.task._JUDGED", 1)
    path = tmp_path / "own.safetensors"
    run_step("train", {}, Train("unet", str(path), steps=1, batch=1, size_px=32), SilentContext())
    assert read_unet(path).widths == Widths()
    assert "U-Net" in path.with_suffix(".md").read_text(encoding="utf-8")


def case(dose=2e4):
    height = KINDS["sphere"]((96, 96), 1.0, 4) / 2
    params = Simulate(ring(4), 2.0, dose, 20000.0 / dose, subpixels=2, azimuths=32)
    segments = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    return segments, height.reshape(48, 2, 48, 2).mean(axis=(1, 3))


def learned(weights, **given):
    return Learned(ring(4), 2.0, scan_parallax=False, device="cpu", network=str(weights), **given)


def test_the_step_gives_what_every_reconstruction_gives(weights):
    segments, _ = case()
    result = run_step("reconstruct-learned", {"segments": segments}, learned(weights), SilentContext())
    plain = run_step(
        "reconstruct-linear", {"segments": segments}, Reconstruct(ring(4), 2.0, scan_parallax=False), SilentContext()
    )
    assert set(plain.arrays) < set(result.arrays)
    assert all(each.shape[-2:] == (48, 48) for each in result.arrays.values())
    # Untrained, it is nearly the linear reconstruction.
    change = result.arrays["height"] - plain.arrays["height"]
    assert np.std(change) < 0.1 * np.std(plain.arrays["height"])
    assert (result.arrays["height_std"] > 0).all()
    assert np.nanmean(result.arrays["normal_error"]) == pytest.approx(np.rad2deg(np.exp(-3.0)), rel=0.01)
    assert result.info["chi2"] > 0
    assert result.info["method"] == "learned"


def test_chi_square_of_the_truth_is_one(weights):
    from eclips_app.engine.learned.judged import judged
    from eclips_app.engine.refine.measured import Measured

    segments, height = case(dose=2e3)
    params = learned(weights, azimuths=32)
    start = run_step("reconstruct-linear", {"segments": segments}, params, SilentContext())
    measured, flat = Measured({"segments": segments}, params, start), torch.zeros(2, 48, 48)
    _, chi2 = judged(measured, torch.from_numpy(height).float(), flat)
    _, wrong = judged(measured, torch.from_numpy(0.7 * height).float(), flat)
    assert chi2 == pytest.approx(1.0, abs=0.15)  # heights between pixels are guessed
    assert wrong > 1.5 * chi2


def test_windows_of_a_large_image_are_judged_as_the_whole(weights, monkeypatch):
    segments, _ = case(dose=2e3)
    whole = run_step("reconstruct-learned", {"segments": segments}, learned(weights), SilentContext())
    monkeypatch.setattr("eclips_app.engine.learned.judged._STEP_PX", 32)
    parts = run_step("reconstruct-learned", {"segments": segments}, learned(weights), SilentContext())
    assert parts.info["chi2"] == pytest.approx(whole.info["chi2"], rel=1e-3)
    np.testing.assert_allclose(parts.arrays["residual"], whole.arrays["residual"], atol=0.02 * segments.mean())


def test_emission_that_is_known_is_taken_out(weights):
    emission = Emission("parametric", coefficients=(0.45, 0.65, 0.06, 0.38, 0.6, 0.8))
    height = KINDS["vickers"]((96, 96), 1.0, 4) / 2
    params = Simulate(ring(4), 2.0, 1e6, 0.02, subpixels=2, azimuths=32, emission=emission)
    segments = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    truth = height.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    errors = []
    for told in (Emission(), emission):
        found = run_step(
            "reconstruct-learned", {"segments": segments}, learned(weights, emission=told), SilentContext()
        ).arrays["height"]
        errors.append(np.std(found - truth))
    assert errors[1] < 0.6 * errors[0]


class Watched(SilentContext):
    """Notes previews, and stops after so many rounds."""

    def __init__(self, rounds=None):
        self.shown, self.rounds = [], rounds

    def preview(self, name, array, **info):
        self.shown.append((name, array))

    def check(self):
        chi2 = [array for name, array in self.shown if name == "chi2"]
        if self.rounds is not None and chi2 and len(chi2[-1]) > self.rounds:
            raise Cancelled


def test_the_loop_refines_what_the_step_gives(weights):
    segments, _ = case()
    context = Watched()
    found = run_step("reconstruct-learned", {"segments": segments}, learned(weights, rounds=12), context)
    steps = found.info["chi2_steps"]
    assert min(steps) < 0.9 * steps[0]
    assert found.info["rounds_taken"] <= 12
    assert len(found.info["chi2_steps"]) == found.info["rounds_taken"] + 1
    assert not found.info["stopped"]
    assert {"height", "chi2", "residual"} <= {name for name, _ in context.shown}


def test_a_loop_that_is_stopped_keeps_its_best(weights):
    segments, _ = case()
    found = run_step("reconstruct-learned", {"segments": segments}, learned(weights, rounds=500), Watched(3))
    assert found.info["stopped"]
    assert "Stopped" in found.info["stopping"]
    assert np.isfinite(found.arrays["height"]).all()


def test_the_closed_loop_starts_from_the_network():
    """The shipped network's start is closer than the linear one, and the fit ends at the same surface."""
    segments, height = case()
    results = []
    for starter in ("linear", "unet"):
        params = ClosedLoop(ring(4), 2.0, scan_parallax=False, device="cpu", draws=2, starter=starter)
        results.append(run_step("reconstruct-closed-loop", {"segments": segments}, params, SilentContext()))
    linear, unet = (np.std(each.arrays["height"] - height) for each in results)
    assert unet == pytest.approx(linear, rel=0.3)
    assert results[1].info["cost"][0] < 1.5 * results[0].info["cost"][0]


@pytest.mark.parametrize("count", [3, 4, 6])
def test_the_shipped_network_is_better_than_the_linear_solution(count):
    """On a surface of its own, at 1000 electrons: it halves the error of the normals, as its card says of unseen scenes."""
    height = KINDS["spiral"]((192, 192), 1.0, 7) / 2
    params = Simulate(ring(count, 20.0), 2.0, 1e3, 20.0, subpixels=2, azimuths=32)
    segments = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    mean = height.reshape(96, 2, 96, 2).mean(axis=(1, 3))
    down, right = np.gradient(mean, 2.0)
    truth = np.stack([-right, down, np.ones_like(right)]) / np.sqrt(1 + right**2 + down**2)
    errors = []
    for step, kind in (("reconstruct-linear", Reconstruct), ("reconstruct-learned", Learned)):
        given = kind(ring(count, 20.0), 2.0, scan_parallax=False, device="cpu")
        found = run_step(step, {"segments": segments}, given, SilentContext()).arrays["normals"]
        errors.append(np.rad2deg(np.arccos(np.clip((found * truth).sum(0), -1, 1))).mean())
    assert errors[1] < 0.6 * errors[0]


def test_the_shipped_file_is_small_and_has_its_card():
    path = shipped()
    assert path.stat().st_size < 5_000_000
    assert "U-Net for normals" in path.with_suffix(".md").read_text(encoding="utf-8")
    assert sum(p.numel() for p in read_unet().parameters()) > 100_000
