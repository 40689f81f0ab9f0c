"""`eclips train dsm` and `eclips simulate --model dsm|vft`: files, warnings, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eclips_app.core.detector import Beam
from tests.cli.conftest import DETECTOR, Outcome

Eclips = Callable[..., Outcome]
_SMALL = ("--steps", "1", "--batch", "1", "--size", "32", "--device", "cpu")


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "det.json"
    path.write_text(json.dumps(DETECTOR.to_json()), encoding="utf-8")
    return path


@pytest.fixture
def surface(tmp_path: Path) -> Path:
    """A slope that is gentle on the left and a wall on the right."""
    height = np.tile(np.r_[0.1 * np.arange(40.0), np.full(64, 200.0)], (48, 1))
    path = tmp_path / "surface.tif"
    tifffile.imwrite(path, height.astype(np.float32))
    return path


def simulate(eclips: Eclips, surface: Path, detector: Path, output: Path, *more: object) -> Outcome:
    return eclips("simulate", surface, "--pixel-size", "1nm", "--detector", detector, "-o", output, *more)


@pytest.fixture
def weights(eclips: Eclips, detector: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    assert eclips("train", "dsm", "--detector", detector, "-o", path, *_SMALL).status == 0
    return path


def test_a_distilled_network_renders_and_warns(
    eclips: Eclips, surface: Path, detector: Path, weights: Path, tmp_path: Path
) -> None:
    card = weights.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith(f"# DSM for {DETECTOR.name}")
    done = simulate(eclips, surface, detector, tmp_path / "a.tif", "--model", "dsm", "--weights", weights, "--json")
    assert done.status == 0
    assert 0.0 < done.json["outside_share"] < 1.0
    images = tifffile.imread(tmp_path / "a.tif")
    simulate(eclips, surface, detector, tmp_path / "b.tif")
    exact = tifffile.imread(tmp_path / "b.tif")
    np.testing.assert_allclose(
        images[:, :, -5:], exact[:, :, -5:], rtol=1e-4
    )  # far from the wall, on top, nothing is hidden
    told = simulate(eclips, surface, detector, tmp_path / "c.tif", "--model", "dsm", "--weights", weights)
    assert "warning: " in told.out
    assert "% of the surface is unlike all that the network has learnt from" in told.out


def test_a_network_for_any_detector_renders(eclips: Eclips, surface: Path, detector: Path, tmp_path: Path) -> None:
    weights = tmp_path / "any.safetensors"
    assert eclips("train", "vft", "-o", weights, *_SMALL).status == 0
    done = simulate(eclips, surface, detector, tmp_path / "a.tif", "--model", "vft", "--weights", weights, "--json")
    assert done.status == 0
    assert done.json["model"] == "vft"
    assert done.json["shape"] == [len(DETECTOR.quadrants), 48, 104]


def test_another_detector_is_refused_in_a_sentence(
    eclips: Eclips, surface: Path, weights: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(replace(DETECTOR, distance_mm=11.0).to_json()), encoding="utf-8")
    outcome = simulate(eclips, surface, other, tmp_path / "a.tif", "--model", "dsm", "--weights", weights)
    assert outcome.status == 1
    assert "distilled for another detector" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "a.tif").exists()


def test_weights_without_a_network_and_networks_without_a_detector_are_refused(
    eclips: Eclips, surface: Path, detector: Path, tmp_path: Path
) -> None:
    outcome = simulate(eclips, surface, detector, tmp_path / "a.tif", "--weights", "a.safetensors")
    assert outcome.status == 1
    assert "--weights belong to a network" in outcome.err
    outcome = eclips("train", "dsm", "-o", tmp_path / "a.safetensors", *_SMALL)
    assert "one detector" in outcome.err
    outcome = eclips("train", "vft", "--detector", detector, "-o", tmp_path / "a.safetensors", *_SMALL)
    assert "no detector enters a vft" in outcome.err


def test_a_file_of_the_other_network_is_refused(
    eclips: Eclips, surface: Path, detector: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = simulate(eclips, surface, detector, tmp_path / "a.tif", "--model", "vft", "--weights", weights)
    assert outcome.status == 1
    assert "weights of this program's Vision Field Transformer" in outcome.err


def test_monte_carlo_teaches_with_a_table_and_is_judged_without_its_noise(
    eclips: Eclips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclips_app.engine.surrogates.distil._JUDGED", 3)
    monkeypatch.setattr("eclips_app.engine.surrogates.distil.steepest_learnt", lambda _: 2.0)
    file, path = tmp_path / "det.json", tmp_path / "mine.safetensors"
    file.write_text(json.dumps(replace(DETECTOR, beam=Beam(15.0, 2.0)).to_json()), encoding="utf-8")
    given = ("--detector", file, "--teacher", "mc", "--rays", "32", "--emission", "tabulated", "--material", "Si")
    outcome = eclips("train", "dsm", *given, "-o", path, *_SMALL)
    assert outcome.status == 0
    assert "noise taken out" in outcome.out
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "Monte Carlo, 32 electrons a sample" in card
    assert "Emission: tabulated" in card
    assert "| step | seconds | loss | error | plain | bsesm |" in card
