"""The benchmark of measurements: steps of the reference cases, and what it says where something is missing."""

from __future__ import annotations

import numpy as np
import pytest

from eclips_app.cli import bench_metrology_cases, bench_metrology_libraries
from eclips_app.cli.bench_metrology import difference_percent
from eclips_app.core.context import SilentContext
from eclips_app.core.steps import ClosedLoop


@pytest.mark.parametrize(("name", "height", "angle"), [("steps46", -22.0, 47.0), ("spiral45", -25.0, 45.2)])
def test_recipes_of_the_cases_measure_the_step_that_is_there(shared_data, name, height, angle):
    truth = np.load(shared_data / "cases" / name / "truth.npz")["height"]
    maps = np.stack([0.01 * truth / 2.0]).astype(np.float32)
    info = {"deviation_parts": [["geometry", "distance_mm"]]}
    rows = bench_metrology_cases.rows_of(
        name, {"height": truth, "deviations": maps}, info, ClosedLoop(pixel_size_nm=2.0), truth
    )
    (_, figure, _, ours, sigma, true, off, sigmas), (_, second, _, its_angle, *_) = rows
    assert (figure, second) == ("step height", "step angle")
    assert (ours, off, sigmas) == (true, 0, 0)
    assert ours == pytest.approx(height, abs=0.05)
    assert its_angle == pytest.approx(angle, abs=0.1)
    assert sigma == pytest.approx(0.01 * abs(height), rel=0.01)


def test_what_is_missing_is_told(tmp_path, monkeypatch):
    assert "The AFM files are not there" in bench_metrology_libraries.tables(tmp_path)[0].notes[0]
    monkeypatch.setattr(bench_metrology_libraries.importlib.util, "find_spec", lambda name: None)
    notes = bench_metrology_libraries.tables(tmp_path)[0].notes
    assert notes[0].startswith("surfalize is not installed")
    cases = bench_metrology_cases.table(tmp_path, SilentContext())
    assert cases.rows == ()
    assert "steps46, spiral45" in cases.notes[0]


def test_differences_in_percent():
    assert difference_percent(11.0, 10.0) == pytest.approx(10)
    assert difference_percent(11.0, 0.0) is None
    assert difference_percent(None, 10.0) is None
