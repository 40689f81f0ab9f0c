from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli import bench_solver
from eclips_app.cli.bench_real import SETS, regional
from eclips_app.cli.bench_shapes import face_tilts, sphere_diameter_nm


def test_every_set_has_a_detector_with_its_azimuths() -> None:
    for each in SETS:
        detector = each.detector()
        assert tuple(s.azimuth_deg for s in detector.quadrants) == each.azimuths_deg
        assert detector.is_typical
    assert [s.name for s in SETS[-1].detector().quadrants] == ["D5", "D8", "D1", "D4"]


def test_tilts_of_a_pyramid() -> None:
    rows, columns = np.indices((120, 120)) - 59.5
    u, v = rows * np.cos(0.3) - columns * np.sin(0.3), rows * np.sin(0.3) + columns * np.cos(0.3)
    depth = np.minimum(np.maximum(np.abs(u), np.abs(v)) - 40.0, 0.0) * np.tan(np.deg2rad(22.0))
    np.testing.assert_allclose(face_tilts(depth * 65.0, 65.0), 22.0, atol=0.05)
    assert np.isnan(face_tilts(np.zeros((40, 40)), 1.0)).all()


def test_diameter_of_a_sphere() -> None:
    rows, columns = np.indices((60, 60)) - 20.0
    height = 5.0 * np.sqrt(90.0**2 - rows**2 - columns**2)
    assert abs(sphere_diameter_nm(height, 5.0) - 900.0) < 1e-3


def test_regional_chi2_is_a_mean_that_leaves_holes() -> None:
    chi2 = np.full((40, 40), 3.0)
    chi2[:10] = np.nan
    smooth = regional(chi2)
    assert np.isnan(smooth[:10]).all()
    np.testing.assert_allclose(smooth[10:], 3.0)


def test_absent_images_are_told_in_a_sentence(eclips: Callable[..., Any], tmp_path: Path) -> None:
    outcome = eclips("bench", "real", "--shared", tmp_path)
    assert outcome.status != 0
    assert "there are no measured images" in outcome.err


def test_quick_real_benchmark_writes_pictures(eclips: Callable[..., Any], shared_data: Path, tmp_path: Path) -> None:
    argv = ("bench", "real", "--quick", "--case", "zeiss_qbsd_sphere", "--shared", shared_data, "--json")
    measured, tilts, spheres = eclips(*argv, "--pictures", tmp_path / "pictures").json["tables"]
    assert [row["method"] for row in measured["rows"]][:2] == ["linear", "standard"]
    assert all(row["chi2_median"] > 0 for row in measured["rows"])
    assert tilts["rows"] == []
    assert all(row["outline_um"] == 289.0 and row["fitted_um"] > 0 for row in spheres["rows"])
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"zeiss_qbsd_sphere-linear-height.png", "zeiss_qbsd_sphere-standard-log-chi2.png"} <= names


def test_solver_benchmark_gives_linear_cold_and_warm() -> None:
    rows = bench_solver.measure("standard", bench_solver.images(64))
    assert [(row["method"], row["start"]) for row in rows] == [
        ("linear", "–"),
        ("standard", "cold"),
        ("standard", "warm"),
    ]
    assert set(bench_solver.COLUMNS) == set(rows[1])
    assert rows[1]["outer_steps"] >= 1
    assert rows[0]["outer_steps"] is None
