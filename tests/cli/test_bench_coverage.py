from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from eclips_app.cli import bench_coverage
from eclips_app.cli.bench_coverage import Deviations, Interval, counted, factor
from eclips_app.cli.bench_figures import Functional
from eclips_app.cli.bench_known import annulus
from eclips_app.core.steps import StepResult
from eclips_app.core.tolerance import Tolerances


def interval(error: float, case: int = 0, sd: float = 1.0) -> Interval:
    return Interval("standard", bench_coverage.QUANTITIES[0], "steps", 1e4, case, error, sd, 2.0)


def test_counting() -> None:
    chosen = [interval(0.0), interval(1.9), interval(-2.1, 1), interval(2.0, 1)]
    cases, intervals, covered, binomial, by_case, ratio, sd = counted(chosen)
    assert (cases, intervals, covered, sd) == (2, 4, 75.0, 1.0)
    assert binomial == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 4))
    assert by_case == pytest.approx(25.0)  # the cases have 100 and 50 %
    assert ratio == pytest.approx(np.sqrt((1.9**2 + 2.1**2 + 2.0**2) / 4))


def test_rows_are_of_all_of_a_decade_and_of_a_kind() -> None:
    rows = list(bench_coverage._counted([interval(0.0), interval(3.0, 1)]))
    assert [row[2] for row in rows] == ["all", "1e+04 to 1e+05 electrons", "steps"]
    assert all(row[5] == 50.0 for row in rows)


def test_one_case_has_no_spread_between_cases() -> None:
    assert counted([interval(0.0), interval(3.0)])[4] is None


def test_factor_is_students_t_of_the_draws_and_normal_without_any() -> None:
    assert factor([(1.0, 16)], 1.0) == pytest.approx(student.ppf(0.975, 16))
    assert factor([(0.5, 16)], 1.0) == pytest.approx(student.ppf(0.975, 64))
    assert factor([(0.5, 16), (0.5, 4)], 1.0) == pytest.approx(student.ppf(0.975, 4 / (1 / 16 + 1 / 4)))
    assert factor([], 1.0) == pytest.approx(1.959964, rel=1e-6)


def test_interval_of_a_functional_is_that_of_the_maps() -> None:
    maps = np.zeros((3, 4, 4), np.float16)
    maps[:, 1, 1] = 1.5, 2.0, 6.0
    parts = [["noise", "draw 1"], ["noise", "draw 2"], ["geometry", "distance_mm"]]
    deviations = Deviations.of(StepResult({"deviations": maps}, {"deviation_parts": parts}), 2.0)
    pair = Functional(np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([1.0, -1.0]))
    sd, wide = deviations.interval(pair)
    assert sd == pytest.approx(13.0)
    assert wide == pytest.approx(factor([(25.0, 2)], 169.0))


def test_true_detector_is_drawn_within_the_tolerances() -> None:
    rng, told = np.random.default_rng(0), annulus(4)
    assert bench_coverage._drawn(told, Tolerances(), rng) == told
    gains = [
        s.gain for _ in range(200) for s in bench_coverage._drawn(told, Tolerances(gain_percent=0.5), rng).quadrants
    ]
    assert np.std(gains) == pytest.approx(0.005, rel=0.1)
    away = [bench_coverage._drawn(told, Tolerances(distance_mm=0.1), rng).distance_mm for _ in range(200)]
    assert np.std(away) == pytest.approx(0.1, rel=0.15)


def test_quick_benchmark_runs_through_the_command(eclips: Callable[..., Any]) -> None:
    tables = eclips("bench", "coverage", "--quick", "--cases", "2", "--json").json["tables"]
    assert len(tables) == 3
    rows = [row for table in tables for row in table["rows"]]
    assert {row["interval_of"] for row in rows} >= {"height difference"}
    assert all(0.0 <= row["covered_percent"] <= 100.0 and row["median_sd_nm"] > 0 for row in rows)
