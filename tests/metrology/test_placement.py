"""Where a height map lies on an image: both ways, with stretch, shear, drift and slope."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.metrology.map_pixels import on_pixels, straightened
from eclips_app.metrology.placement import Placement, decomposed, drift_at
from eclips_app.metrology.profile import sample_map
from eclips_app.model.items import HeightMap

FULL = Placement(
    (40, 60), (3.0, 5.0), 2.0, (70.0, 55.0), 25.0, (1.1, 0.9, 0.05),
    ((0.0, 4.0), (9.0, -5.0), (-6.0, 3.0), (2.0, -2.0), (-5.0, 1.0)),
)  # fmt: skip


def test_the_ways_there_and_back_are_each_others_inverse():
    rng = np.random.default_rng(1)
    columns, rows = rng.uniform(0, 59, 500), rng.uniform(0, 39, 500)
    back = FULL.to_map(*FULL.to_image(columns, rows))
    np.testing.assert_allclose(back, (columns, rows), atol=2e-3)


def test_points_lie_where_the_definition_says():
    # 3 px right and 2 px up of the map's centre: (9, 10) nm; stretched (1.1 * 9 + 0.05 * 10, 0.9 * 10) = (10.4, 9).
    still = Placement((41, 61), (3.0, 5.0), 2.0, (70.0, 55.0), 90.0, (1.1, 0.9, 0.05))
    column, row = still.to_image(np.array(33.0), np.array(18.0))
    assert (column, row) == pytest.approx((70.0 - 9.0 / 2, 55.0 - 10.4 / 2))


def test_drift_moves_rows_by_their_knots():
    knots = ((0.0, 0.0), (4.0, 2.0), (-3.0, 0.0), (1.0, 1.0), (0.0, 5.0))
    x, y = drift_at(knots, np.array([0.0, 10.0, 20.0, 30.0, 40.0, 99.0]), 41)
    np.testing.assert_allclose(x, [0, 4, -3, 1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(y, [0, 2, 0, 1, 5, 5], atol=1e-12)
    np.testing.assert_allclose(drift_at(((1.0, 2.0),), np.arange(4.0), 4), [[1] * 4, [2] * 4])


@given(st.floats(-179, 179), st.floats(0.5, 2), st.floats(0.5, 2), st.floats(-0.4, 0.4))
@settings(max_examples=50, deadline=None)
def test_a_linear_map_is_told_in_one_way(rotation, along, up, shear):
    found = decomposed(Placement((4, 4), (1.0, 1.0), 1.0, (0.0, 0.0), rotation, (along, up, shear)).matrix)
    assert found[0] == pytest.approx(rotation, abs=1e-9)
    assert found[1] == pytest.approx((along, up, shear), abs=1e-9)


def test_corners_are_those_of_the_pixels():
    plain = Placement((10, 20), (4.0, 4.0), 2.0, (50.0, 40.0))
    assert plain.corners() == ((30.0, 30.0), (70.0, 30.0), (70.0, 50.0), (30.0, 50.0))


def test_a_profile_and_the_pixels_follow_stretch_drift_and_slope():
    """A plane of the image, sampled where the map's pixels lie, is read back as that plane."""
    columns, rows = np.meshgrid(np.arange(60.0), np.arange(40.0))
    at = FULL.to_image(columns, rows)
    wanted = 0.3 * at[0] - 0.2 * at[1]
    slope = (0.01, -0.02)
    tilted = wanted - slope[0] * 2.0 * (at[0] - 70.0) - slope[1] * 2.0 * (55.0 - at[1]) - 7.0
    placed = HeightMap(
        "m", "map", tilted, (3.0, 5.0), center_px=(70.0, 55.0), rotation_deg=25.0, stretch=(1.1, 0.9, 0.05),
        drift_nm=FULL.drift_nm, z_offset_nm=7.0, z_slope=slope,
    )  # fmt: skip
    line = sample_map(placed, (50.0, 40.0), (90.0, 70.0), pixel_size_nm=2.0)
    known = np.isfinite(line.height_nm)
    assert known.sum() > 30
    np.testing.assert_allclose(line.height_nm[known], (0.3 * line.x_px - 0.2 * line.y_px)[known], atol=0.15)
    grid = on_pixels(placed, (110, 140), 2.0)
    there = np.isfinite(grid)
    assert there.sum() > 2000
    truth = 0.3 * np.arange(140.0) - 0.2 * np.arange(110.0)[:, None]
    assert np.abs(grid - truth)[there].max() < 0.3  # at the bends of the drift, between rows of 5 nm


def test_straightening_undoes_the_drift_alone():
    knots = ((0.0, 0.0), (6.0, 0.0), (0.0, 0.0), (-6.0, 0.0), (0.0, 0.0))
    columns, rows = np.meshgrid(np.arange(80.0), np.arange(41.0))
    moved = (columns - 39.5) * 2.0 + drift_at(knots, rows, 41)[0]  # where each pixel truly lies
    shown = straightened(moved, (2.0, 3.0), knots)
    inside = np.isfinite(shown)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(shown[inside], ((columns - 39.5) * 2.0)[inside], atol=1e-6)
    assert straightened(moved, (2.0, 3.0), ()) is moved
