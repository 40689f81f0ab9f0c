"""DSM: it learns what is hidden, knows the easy part exactly, and refuses detectors that it has not learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate
from eclips_app.engine.forward.model import forward_model, slopes
from eclips_app.engine.simulate import simulate_step
from eclips_app.engine.surfaces import grating, rough
from eclips_app.engine.surrogates import limits
from eclips_app.engine.surrogates.distil import Distillation, Lesson, layout_for
from eclips_app.engine.surrogates.dsm import DSM, Layout, factors, reflectance, samples
from eclips_app.engine.surrogates.dsm_file import Distilled, read_dsm, write_dsm
from eclips_app.engine.surrogates.imitate import Imitated, Subject, imitate
from eclips_app.engine.training.loop import Plan, Trained, train
from eclips_app.engine.training.specimens import Recipe

FOUR = Detector(
    outer_radius_mm=16.0, quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS"))
)
LAMBERT = Emission()
QUIET = SilentContext()


def lesson(**changes: object) -> Lesson:
    """Lines in all directions: the simplest that hides anything."""
    lines = grating((96, 96), 1.0, 1, slope_angle_deg=60.0, pitch_nm=24.0, step_height_nm=10.0, azimuth_deg=20.0)
    return Lesson(FOUR, LAMBERT, Recipe(32, maps=[lines], map_share=1.0), channels=12, **changes)  # type: ignore[arg-type]


def rendered(file: Path, height: torch.Tensor, azimuths: int = 32) -> Imitated:
    model = forward_model(FOUR, 1.0, azimuths=azimuths, dtype=height.dtype)
    return imitate(Subject("dsm", str(file), FOUR, LAMBERT), model, height)


def taught(steps: int) -> tuple[Distillation, Trained]:
    task = Distillation(lesson())
    made = train(
        task, Plan(steps=steps, batch=4, rate=3e-2, judge_every=steps, hard_share=0.0), QUIET, torch.device("cpu")
    )
    task.net.load_state_dict(made.state)
    task.net.eval()
    return task, made


@pytest.fixture(scope="module")
def tiny() -> tuple[Distillation, Trained]:
    return taught(60)


@pytest.fixture
def file(tiny: tuple[Distillation, Trained], tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    assert isinstance(tiny[0].net, DSM)
    write_dsm(path, Distilled(tiny[0].net, FOUR, LAMBERT, 2.0))
    return path


def test_seconds_of_training_beat_the_model_that_hides_nothing(tiny: tuple[Distillation, Trained]) -> None:
    last = tiny[1].history[-1]
    assert last["plain"] > 0.002  # there is something to learn
    assert last["error"] < 0.75 * last["plain"]
    assert last["p99"] < 0.8 * last["plain_p99"]


def test_training_again_gives_the_same_bits() -> None:
    first, second = (taught(3)[1].state for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_plane_and_all_that_is_gentler_than_the_lowest_ray_are_exact() -> None:
    torch.manual_seed(1)
    model = forward_model(FOUR, 1.0, azimuths=32, dtype=torch.float32)
    network = DSM(layout_for(4, float(model.sectors.bounds[0]), 8)).eval()
    network.head.bias.data += 0.3  # it would take away, if it were asked
    height = 0.2 * rough((70, 81), 1.0, 3, rms_slope=0.5)
    tangents = slopes(torch.from_numpy(height).float())
    assert float(tangents.square().sum(0).max().sqrt()) < network.layout.lowest
    found = reflectance(model, tangents) * factors(network, tangents)
    np.testing.assert_allclose(found, model.samples(height), rtol=2e-5, atol=1e-6)


def test_the_reflectance_is_that_of_planes() -> None:
    model = forward_model(FOUR, 1.0, azimuths=32, dtype=torch.float32)
    y, x = np.mgrid[0:24, 0:24].astype(float)
    for p, q in ((0.0, 0.0), (0.9, -0.4), (-2.5, 1.0)):  # the last is turned away from some rays
        height = p * x - q * y
        found = reflectance(model, slopes(torch.from_numpy(height).float()))
        np.testing.assert_allclose(found[:, 12, 12], model.samples(height)[:, 12, 12], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 3), (31, 64), (300, 270)])
def test_any_size_without_seams(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = DSM(Layout(4, 8, (1, 2, 1), 0.0)).eval().requires_grad_(False)
    steep = torch.randn(2, *shape)
    in_tiles = factors(network, steep)
    assert in_tiles.shape == (4, *shape)
    assert float(in_tiles.min()) >= 0.0
    assert float(in_tiles.max()) <= 1.0
    monkeypatch.setattr("eclips_app.engine.surrogates.dsm._TILE", 1000)
    torch.testing.assert_close(in_tiles, factors(network, steep), rtol=1e-5, atol=1e-6)


def test_nothing_beyond_its_reach_changes_it() -> None:
    torch.manual_seed(0)
    network = DSM(Layout(4, 8, (1, 2, 1), 0.0)).eval().requires_grad_(False)
    steep = torch.randn(2, 64, 64)
    changed = steep.clone()
    reach = network.layout.reach
    changed[:, :, 10] += 5.0
    same = factors(network, steep)[..., 10 + reach + 2 :]  # two samples are one place of the network
    torch.testing.assert_close(same, factors(network, changed)[..., 10 + reach + 2 :])
    assert not torch.allclose(factors(network, steep)[..., :10], factors(network, changed)[..., :10])


def test_the_file_gives_the_network_back(file: Path, tiny: tuple[Distillation, Trained]) -> None:
    back = read_dsm(file)
    assert back.detector == FOUR
    assert back.steepest == 2.0
    steep = torch.randn(2, 20, 20)
    torch.testing.assert_close(factors(back.network, steep), factors(tiny[0].net, steep))  # type: ignore[arg-type]


def test_a_simulation_by_the_file_is_nearer_to_the_exact_one(file: Path) -> None:
    height = grating((96, 96), 10.0, 1, slope_angle_deg=60.0, pitch_nm=240.0, step_height_nm=100.0, azimuth_deg=70.0)
    made = {
        name: simulate_step({"height": height}, Simulate(FOUR, 10.0, model=name, weights=path), QUIET)
        for name, path in (("bsesm", ""), ("dsm", str(file)))
    }
    exact, ours = (made[name].arrays["segments"] for name in ("bsesm", "dsm"))
    model = forward_model(FOUR, 10.0, dtype=torch.float32)
    plain = reflectance(model, slopes(torch.from_numpy(height / 10.0).float())).numpy() / model.flat
    assert np.abs(ours - exact).mean() < 0.8 * np.abs(plain - exact).mean()
    assert made["dsm"].arrays["outside"].shape == (96, 96)
    assert made["dsm"].info["outside_share"] == pytest.approx(made["dsm"].arrays["outside"].mean())
    assert "outside" not in made["bsesm"].arrays


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(FOUR, distance_mm=7.5), "distance_mm is 8.0 there, not 7.5"),
        (replace(FOUR, quadrants=FOUR.quadrants[:3]), "quadrants is different there"),
    ],
)
def test_another_detector_is_refused_in_a_sentence(file: Path, other: Detector, words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        simulate_step({"height": np.zeros((16, 16))}, Simulate(other, 1.0, model="dsm", weights=str(file)), QUIET)


def test_gains_and_probe_do_not_matter_but_the_emission_does(file: Path) -> None:
    louder = replace(FOUR, name="mine", quadrants=tuple(replace(s, gain=2.0, offset=5.0) for s in FOUR.quadrants))
    sharp = replace(louder, beam=Beam(10.0, 3.0))
    params = Simulate(sharp, 1.0, model="dsm", weights=str(file), emission=Emission("lambert", "Au"))  # of any material
    images = simulate_step({"height": np.zeros((16, 16))}, params, QUIET).arrays["segments"]
    np.testing.assert_allclose(images, 7.0, rtol=1e-3)
    with pytest.raises(EclipsError, match="distilled for lambert emission, not for tabulated emission of Cu"):
        simulate_step({"height": np.zeros((16, 16))}, replace(params, emission=Emission("tabulated", "Cu")), QUIET)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(EclipsError, match="not a sound safetensors file"):
        read_dsm(path)


def test_steep_places_and_far_walls_are_out_of_range(file: Path) -> None:
    height = np.zeros((120, 200))
    height[:, 120:] = 30.0  # a wall steeper than all that was learnt, which hides what lies far from it
    model = forward_model(FOUR, 1.0, azimuths=32, dtype=torch.float32)
    outside = rendered(file, torch.from_numpy(height).float()).outside
    assert outside[80, 119]
    reach, lowest = read_dsm(file).network.layout.reach, float(model.sectors.bounds[0])
    assert outside[:, 120 : 120 + reach].all()  # the wall is in sight
    assert not outside[:, 124 + reach :].any()
    hidden_from = 30.0 / lowest  # the lowest ray passes over the wall from here on
    assert hidden_from > reach
    assert outside[80, int(120 - hidden_from) + 2 : 120 - reach].all()
    assert not outside[80, : int(120 - 1.4 * hidden_from) - 8].any()


def test_a_gentle_surface_is_in_range_everywhere() -> None:
    height = rough((128, 128), 1.0, 2, rms_slope=0.2)
    assert not limits.may_be_hidden_from_afar(height, 28, 0.5).any()


def test_gradients_of_the_heights_are_those_of_differences(file: Path) -> None:
    network, model = read_dsm(file).network.double(), forward_model(FOUR, 1.0, azimuths=16)
    height = torch.from_numpy(grating((40, 40), 1.0, 1, slope_angle_deg=55.0, pitch_nm=20.0, step_height_nm=8.0))

    def total(h: torch.Tensor) -> torch.Tensor:
        return (samples(network, model, h) ** 2).sum()

    given = height.clone().requires_grad_()
    total(given).backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    direction = torch.randn(40, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    step = 1e-6
    along = float(total(height + step * direction) - total(height - step * direction)) / (2 * step)
    assert float((given.grad * direction).sum()) == pytest.approx(along, rel=1e-4)


def test_monte_carlo_can_teach() -> None:
    task = Distillation(lesson(teacher="mc", rays=200))
    assert task.layout.lowest < 0  # it may add to the signal, too
    sample = task.sample(0)
    exact = Distillation(lesson()).sample(0)
    ratio = sample["images"].mean() / sample["reflectance"].mean()
    assert ratio == pytest.approx(exact["images"].mean() / exact["reflectance"].mean(), abs=0.02)


def test_scores_against_monte_carlo_do_not_count_its_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact model has next to no error, though every pixel of the images is off by a tenth."""
    monkeypatch.setattr("eclips_app.engine.surrogates.distil._JUDGED", 4)
    task = Distillation(lesson(teacher="mc", rays=200))
    task.net.eval()
    found = task.scores(task.net)
    assert 0.05 < float(task._held_out["noise"].mean()) < 0.5
    assert found["bsesm"] < 0.02
    assert found["plain"] > 0.03
    assert found["error"] == pytest.approx(found["plain"], rel=0.2)  # it has not learnt anything yet
