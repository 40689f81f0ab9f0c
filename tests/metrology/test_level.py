"""Levelling gives back exactly the plane that was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.level import Plane, level_plane, level_three_points

ROWS, COLUMNS = np.mgrid[0:30, 0:50].astype(float)
slopes = st.floats(-5, 5)


@given(st.floats(-1e4, 1e4), slopes, slopes, st.integers(0, 2000), st.integers(0, 2000))
def test_a_plane_goes_altogether(level, per_column, per_row, row, column):
    plane = Plane(level, per_column, per_row)
    height = plane.at(COLUMNS + column, ROWS + row)
    for done in (
        level_plane(height, origin_px=(row, column)),
        level_three_points(
            height, [(column, row), (column + 40, row + 3), (column + 7.5, row + 21)], origin_px=(row, column)
        ),
    ):
        np.testing.assert_allclose(done.height, 0, atol=1e-7)
        assert done.removed.level_nm == pytest.approx(level, abs=1e-4)
        assert (done.removed.per_column_nm, done.removed.per_row_nm) == pytest.approx((per_column, per_row), abs=1e-7)


def test_the_raw_height_is_kept_and_comes_back_with_the_plane():
    height = np.random.default_rng(0).normal(size=ROWS.shape) + 3 * COLUMNS
    raw = height.copy()
    done = level_plane(height)
    np.testing.assert_array_equal(height, raw)
    np.testing.assert_allclose(done.height + done.removed.at(COLUMNS, ROWS), raw)


def test_least_squares_plane_is_that_of_a_general_solver():
    rng = np.random.default_rng(2)
    height = rng.normal(size=ROWS.shape)
    height[rng.random(ROWS.shape) < 0.2] = np.nan
    mask = COLUMNS - ROWS < 20
    used = mask & np.isfinite(height)
    design = np.stack([np.ones(used.sum()), COLUMNS[used], ROWS[used]], axis=1)
    expected = np.linalg.lstsq(design, height[used], rcond=None)[0]
    plane = level_plane(height, mask=mask).removed
    assert (plane.level_nm, plane.per_column_nm, plane.per_row_nm) == pytest.approx(tuple(expected), abs=1e-12)


def test_an_object_outside_the_mask_tilts_nothing():
    height = 0.1 * COLUMNS + np.where(COLUMNS > 30, 500.0, 0.0)
    done = level_plane(height, mask=COLUMNS <= 30)
    np.testing.assert_allclose(done.height, np.where(COLUMNS > 30, 500.0, 0.0), atol=1e-9)


def test_tilt_and_direction_of_a_plane():
    up = Plane(0.0, 0.0, -2.0)
    assert up.tilt_deg(2.0) == pytest.approx(45)
    assert up.direction_deg() == pytest.approx(90)


def test_a_radius_averages_noise_at_the_points():
    height = np.random.default_rng(5).normal(size=ROWS.shape)
    points = [(8, 8), (40, 8), (20, 22)]
    one, many = (level_three_points(height, points, radius_px=r).removed for r in (0, 5))
    assert abs(many.at(np.array(20.0), np.array(12.0))) < abs(one.at(np.array(20.0), np.array(12.0)))


def test_float32_stays_float32_and_holes_stay_holes():
    height = COLUMNS.astype(np.float32)
    height[3, 4] = np.nan
    done = level_plane(height)
    assert done.height.dtype == np.float32
    assert np.argwhere(np.isnan(done.height)).tolist() == [[3, 4]]


@pytest.mark.parametrize("points", [[(0, 0), (10, 10), (20, 20)], [(1, 1), (1, 1), (5, 9)], [(0, 0), (10, 3)]])
def test_points_that_span_no_plane_are_refused(points):
    with pytest.raises(EclipsError):
        level_three_points(COLUMNS, points)


def test_a_point_without_height_is_named():
    height = COLUMNS.copy()
    height[9, 10] = np.nan
    with pytest.raises(EclipsError, match="point 2"):
        level_three_points(height, [(0, 0), (10, 9), (3, 20)])


@pytest.mark.parametrize("mask", [np.zeros(ROWS.shape, bool), ROWS == 4, COLUMNS == 7, (ROWS == COLUMNS)])
def test_data_that_define_no_plane_are_refused(mask):
    with pytest.raises(EclipsError):
        level_plane(COLUMNS, mask=mask)


def test_a_point_next_to_a_border_or_hole_is_not_shifted_by_the_tilt():
    plane = Plane(3.0, 0.5, -0.25)
    height = plane.at(COLUMNS, ROWS)
    height[10:12, 30] = np.nan
    found = level_three_points(height, [(1, 1), (31, 11), (20, 28)], radius_px=4).removed
    assert (found.per_column_nm, found.per_row_nm) == pytest.approx((0.5, -0.25), abs=1e-9)
