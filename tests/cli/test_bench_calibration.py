"""Random detectors are calibrated, and what is counted is counted."""

from __future__ import annotations

import numpy as np
import pytest

from eclips_app.cli import bench_calibration
from eclips_app.cli.bench_known import annulus
from eclips_app.core.context import SilentContext
from eclips_app.core.emission import Emission
from eclips_app.core.tolerance import GEOMETRY


def test_detectors_are_drawn_within_the_data_sheet() -> None:
    sheet, rng = annulus(4), np.random.default_rng(0)
    truths = [bench_calibration.truth_of(sheet, bench_calibration.drawn(sheet, rng)) for _ in range(60)]
    for name in ("distance_mm", "center_y_mm", "tilt_x_deg", "azimuth_deg"):
        spread = np.std([truth[name] for truth in truths])
        assert spread == pytest.approx(bench_calibration.sheet_std(name), rel=0.35)
    assert all(np.mean([truth[f"gain:{n}"] for n in "1234"]) == pytest.approx(1.0) for truth in truths)


def test_a_detector_is_calibrated_and_counted() -> None:
    table = bench_calibration.coverage_table("emission known", Emission(), SilentContext(), 1, 1).to_json()
    rows = {row["parameter"]: row for row in table["rows"]}
    assert rows["all"]["intervals"] == len(GEOMETRY) + 8
    assert rows["all"]["covered_percent"] > 80
    assert rows["distance_mm"]["error_rms"] < 0.08
    assert rows["distance_mm"]["std_over_sheet"] < 0.2


def test_the_radius_of_a_cap() -> None:
    rows, columns = np.indices((64, 64)) * 2.0 - 63.0
    height = np.maximum(np.sqrt(np.maximum(80.0**2 - rows**2 - columns**2, 0.0)) - 40.0, 0.0)
    assert bench_calibration.radius_nm(height) == pytest.approx(80.0, rel=1e-6)
