"""The bench of methods: what it lists, and that the U-Net is worth its name on the small version."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.cli import bench_methods, bench_methods_cost
from eclips_app.cli.bench_known import fresh_recipes
from eclips_app.core.context import SilentContext
from eclips_app.core.schema import check
from eclips_app.core.steps import STEPS


@pytest.fixture(scope="module")
def tables():
    return list(bench_methods.tables(None, SilentContext(), quick=True))


def rows(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_every_way_has_parameters_that_are_allowed():
    assert bench_methods.ways()[0].name == "linear"
    for way in bench_methods.ways():
        check(STEPS[way.step].params(**way.given))
    for step, given in bench_methods_cost.WAYS.values():
        check(STEPS[step].params(**given))


def test_all_ways_are_measured_on_the_same_case(tables):
    found = rows(tables[0])
    assert [row["method"] for row in found] == [way.name for way in bench_methods.ways()]
    assert {row["dose"] for row in found} == {1e3}
    assert all(row["rms_error_nm"] > 0 and row["cpu_s"] > 0 and row["chi2"] > 0 for row in found)
    assert found[0]["over_linear"] == found[0]["normal_over_linear"] == 1.0


def test_the_network_halves_the_error_of_normals_at_a_low_dose(tables):
    found = {row["method"]: row for row in rows(tables[0])}
    assert found["U-Net"]["normal_over_linear"] < 0.5
    assert found["U-Net"]["over_linear"] < 1.0


def test_the_summary_is_the_geometric_mean(tables):
    found = [row for row in rows(tables[1]) if row["cases"] == "all"]
    single = {row["method"]: row for row in rows(tables[0])}
    for row in found:
        assert row["count"] == 1
        assert row["over_linear"] == pytest.approx(single[row["method"]]["over_linear"])


def test_times_are_those_of_processes_of_their_own(tables):
    found = rows(tables[-1])
    assert [row["method"] for row in found] == list(bench_methods_cost.WAYS)
    assert found[0]["over_linear_cpu"] == 1.0
    assert all(row["cpu_s"] > 0 for row in found)


def test_doses_change_the_noise_and_not_the_surface():
    first = fresh_recipes(1, 32)[0]
    low, high = (replace(first, dose=dose).made() for dose in (1e3, 1e5))
    np.testing.assert_array_equal(low.height, high.height)
    # Both have the surface in common; what is left of the noisier one is noise: a flat has 1 / sqrt(dose) of it.
    difference = low.segments.astype(float) - high.segments.astype(float)
    assert 0.5 < float(np.std(difference)) / (float(high.segments.mean()) * 1e3**-0.5) < 1.5
