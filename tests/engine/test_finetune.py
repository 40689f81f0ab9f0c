"""Finetune: learns how a material's emission differs, within its limit, and cannot paint topography."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Learned, Simulate, TrainFinetune, run_step
from eclips_app.engine.learned.finetune import Finetune, correction_for, score, train
from eclips_app.engine.learned.finetune_file import check_trained_for, read_finetune
from eclips_app.engine.learned.finetune_solve import reconstruct_corrected
from eclips_app.engine.learned.renderers import Exact, rendered
from eclips_app.engine.refine.brightness import Material
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.solver import Data

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=7.0, beam=Beam(10.0, 0.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
SIZE, DOSE = 48, 20000.0
#: The slope signal is some percent above Lambert's.
OTHER = Emission("parametric", coefficients=(0.6, 0.2, 0.0, 0.3, 0.0, 0.0))


def place() -> tuple[np.ndarray, np.ndarray]:
    along = np.arange(SIZE) - (SIZE - 1) / 2
    return np.meshgrid(along, -along)


def dome() -> np.ndarray:
    """A gentle dome with slopes up to 45 degrees, in nm (pixels of 1 nm)."""
    x, y = place()
    return 12.0 * np.exp(-(x**2 + y**2) / 150.0)


def images(height: np.ndarray, emission: Emission = OTHER) -> np.ndarray:
    params = Simulate(FOUR, 1.0, dose=DOSE, azimuths=32, emission=emission, seed=2)
    return run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    path = tmp_path_factory.mktemp("finetune") / "own.safetensors"
    params = TrainFinetune(
        FOUR, 1.0, scan_parallax=False, device="cpu", subpixels=1, output=str(path), updates=120, grey_per_electron=1.0
    )
    result = run_step("train-finetune", {"segments": images(dome()), "height": dome()}, params, SilentContext())
    assert result.arrays["factor"].shape == (4, SIZE, SIZE)
    return path, result.info


def field(segments: np.ndarray) -> Field:
    one = torch.ones((4, 1, 1))
    data = Data(torch.from_numpy(segments.astype(np.float32)), one, 0.0 * one)
    return Field(data, Material(), 1.0, None, Learned(FOUR, 1.0, subpixels=1, device="cpu"))


def test_another_emission_is_learnt_and_holds_on_pixels_held_out(trained: tuple[Path, dict[str, Any]]) -> None:
    _, info = trained
    assert info["chi2_without"] > 2.0
    assert info["chi2_with"] < 1.0 + 0.4 * (info["chi2_without"] - 1.0)
    assert 0.0 < info["rms"] < info["largest"] <= info["limit"] == 0.1


def test_no_weights_pass_the_limit_or_touch_a_level_field() -> None:
    network = Finetune(0.05)
    torch.manual_seed(4)
    for each in network.parameters():
        torch.nn.init.normal_(each, std=20.0)
    here = field(images(dome()))
    correction = correction_for(network, FOUR, Exact(here.model(1)), here.data.signal)
    with torch.no_grad():
        shown = rendered(here, torch.from_numpy(dome().astype(np.float32)), 1)
        assert float((correction.factors(*shown) - 1.0).abs().max()) <= 0.05 + 1e-6
        level = rendered(here, torch.zeros((SIZE, SIZE)), 1)
        torch.testing.assert_close(correction.factors(*level), torch.ones((4, SIZE, SIZE)), rtol=0, atol=1e-4)


def test_it_cannot_make_a_wrong_surface_right() -> None:
    here = field(images(dome(), Emission()))
    x, y = place()
    wrong = 12.0 * np.exp(-((x - 6.0) ** 2 + (y + 4.0) ** 2) / 150.0)  # the dome stands elsewhere
    shown = rendered(here, torch.from_numpy(wrong.astype(np.float32)), 1)
    correction = correction_for(Finetune(0.1), FOUR, Exact(here.model(1)), here.data.signal)
    found = train(correction, *shown, here, 120, 0)
    assert found.chi2_with > 20.0  # of 1, had it painted the dome where it is
    assert found.chi2_with > 0.3 * found.chi2_without
    right = rendered(here, torch.from_numpy(dome().astype(np.float32)), 1)
    assert score(correction, *right, here).chi2_without == pytest.approx(1.0, abs=0.1)


def test_weights_go_through_their_file(trained: tuple[Path, dict[str, Any]]) -> None:
    path, info = trained
    made = read_finetune(path)
    assert made.scores.chi2_with == pytest.approx(info["chi2_with"])
    assert (made.network.limit, made.emission) == (0.1, Emission())
    check_trained_for(made, replace(FOUR, name="same geometry"), Emission(), path.name)
    for other in (replace(FOUR, distance_mm=7.0), replace(FOUR, beam=Beam(15.0, 0.0))):
        with pytest.raises(EclipsError, match="another microscope"):
            check_trained_for(made, other, Emission(), path.name)
    with pytest.raises(EclipsError, match="another emission"):
        check_trained_for(made, FOUR, OTHER, path.name)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b'"limit":"0.1"', b'"limit":"9.9"', "damaged"),
        (b'"width":"16"', b'"width":"17"', "damaged"),
        (b"eclips-finetune/1", b"eclips-finetune/9", "no Finetune"),
        (b"F32", b"Q32", "not a sound safetensors"),
    ],
)
def test_damaged_files_are_refused_in_a_sentence(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, before: bytes, after: bytes, words: str
) -> None:
    content = trained[0].read_bytes()
    assert before in content
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content.replace(before, after))
    with pytest.raises(EclipsError, match=words):
        read_finetune(path)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "no known surface"), ({"height": np.zeros((4, 4))}, "pixels"),
        ({"height": np.full((SIZE, SIZE), np.nan)}, "gaps"),
    ],
)  # fmt: skip
def test_surfaces_that_do_not_fit_are_refused(tmp_path: Path, inputs: dict[str, Any], words: str) -> None:
    params = TrainFinetune(FOUR, 1.0, device="cpu", output=str(tmp_path / "a.safetensors"))
    with pytest.raises(EclipsError, match=words):
        run_step("train-finetune", {"segments": images(dome()), **inputs}, params, SilentContext())


def test_gauss_newton_with_it_finds_slopes_nearer_the_truth(trained: tuple[Path, dict[str, Any]]) -> None:
    x, y = place()
    ridge = 6.0 * np.exp(-((x + 0.3 * y) ** 2) / 60.0)  # not what it was trained on
    segments = images(ridge)
    params = Learned(FOUR, 1.0, scan_parallax=False, device="cpu", subpixels=1, draws=2, grey_per_electron=1.0)
    network = read_finetune(trained[0]).network
    plain, corrected = (
        reconstruct_corrected({"segments": segments}, params, network, SilentContext(), rounds) for rounds in (0, 2)
    )
    scale = [float(np.polyfit(ridge.ravel(), each.arrays["height"].ravel(), 1)[0]) for each in (plain, corrected)]
    assert abs(scale[1] - 1.0) < 0.5 * abs(scale[0] - 1.0)
    assert corrected.info["chi2"] < plain.info["chi2"]
