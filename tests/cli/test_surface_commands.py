"""`eclips surface` and `eclips vision-field`, and that what one writes the others read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eclips_app.core.context import SilentContext
from eclips_app.core.steps import Specimen, run_step
from tests.cli.conftest import Case, Outcome

Eclips = Callable[..., Outcome]


def test_surface_writes_heights_in_nm_with_the_parameters_given(eclips: Eclips, tmp_path: Path) -> None:
    path = tmp_path / "grating.tif"
    argv = ["--pixel-size", "2nm", "--size", "128x64", "--pitch", "0.064um", "--slope-angle", "40deg", "--azimuth=90°"]
    outcome = eclips("surface", "grating", *argv, "--line-share", "0.4", "-o", path, "--json")
    assert outcome.status == 0
    params = Specimen("grating", 64, 128, 2.0, pitch_nm=64.0, slope_angle_deg=40.0, azimuth_deg=90.0, line_share=0.4)
    expected = run_step("specimen", {}, params, SilentContext()).arrays["height"]
    np.testing.assert_array_equal(tifffile.imread(path), expected.astype(np.float32))
    found = outcome.json
    assert found["parameters"]["pitch_nm"] == 64.0
    assert found["parameters"]["step_height_nm"] == 24.0  # twelve pixels: the default
    assert found["height_range_nm"] == pytest.approx(np.ptp(expected))


def test_surface_takes_lengths_as_size_and_says_what_it_made(eclips: Eclips, tmp_path: Path) -> None:
    path = tmp_path / "pits.tif"
    outcome = eclips("surface", "pits", "--pixel-size", "5nm", "--size", "0.5umx400nm", "--count", "3", "-o", path)
    assert tifffile.imread(path).shape == (80, 100)
    assert "number 3" in outcome.out
    assert "slope of the faces 45°" in outcome.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["sphere", "--hurst", "0.5"], "has no --hurst"),
        (["spiral", "--slope-angle", "2"], "pitch"),
        (["sphere", "--slope-angle", "90"], "slope_angle_deg"),
        (["sphere", "--size", "8"], "rows"),
        (["sphere", "--size", "8xyz"], "no size"),
        (["sphere", "--size", "20x20x20"], "more than"),
    ],
)
def test_surface_tells_what_it_cannot_make(eclips: Eclips, tmp_path: Path, argv: list[str], words: str) -> None:
    outcome = eclips("surface", *argv, "--pixel-size", "1nm", "-o", tmp_path / "out.tif")
    assert outcome.status == 1
    assert words in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [["moon"], ["sphere", "--radius", "5"], ["sphere", "--slope-angle", "steep"]])
def test_surface_usage(eclips: Eclips, tmp_path: Path, argv: list[str]) -> None:
    assert eclips("surface", *argv, "--pixel-size", "1nm", "-o", tmp_path / "out.tif").status == 2


def test_a_made_surface_is_simulated_and_has_a_vision_field(eclips: Eclips, case: Case) -> None:
    height, images = case.folder / "rough.tif", case.folder / "images.tif"
    argv = ["--pixel-size", "3nm", "--size", "96", "--rms-slope", "0.9", "--longest", "90nm", "--seed", "4"]
    assert eclips("surface", "rough", *argv, "-o", height).status == 0
    # The file says its pixel size.
    assert eclips("simulate", height, "--detector", case.detector, "-o", images).status == 0
    assert tifffile.imread(images).shape == (4, 96, 96)
    found = eclips("vision-field", height, "--detector", case.detector, "--delta-out", "0.02", "--json").json
    assert found["pixel_size_nm"] == pytest.approx(3.0)
    assert found["lowest_elevation_deg"] == pytest.approx(np.rad2deg(np.arctan(8 / 9)), abs=0.3)
    assert found["rigorous_nm"] == pytest.approx(np.ptp(tifffile.imread(height)) * 9 / 8, rel=0.02)
    assert 0 < found["statistical_nm"] < found["rigorous_nm"]
    words = eclips("vision-field", height, "--detector", case.detector).out
    assert "rigorous radius" in words
    assert "px" in words


def test_vision_field_tells_a_chance_out_of_range(eclips: Eclips, case: Case) -> None:
    height = case.folder / "sphere.tif"
    eclips("surface", "sphere", "--pixel-size", "1nm", "--size", "32", "-o", height)
    outcome = eclips("vision-field", height, "--detector", case.detector, "--delta-out", "2")
    assert outcome.status == 1
    assert "delta_out" in outcome.err
