from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from eclips_app.scene3d.pick import bilinear, pick

_HEIGHT = np.random.default_rng(3).normal(0.0, 4.0, (12, 17))
_inside_col, _inside_row = st.floats(0.0, 16.0), st.floats(0.0, 11.0)


def _reference(col: float, row: float) -> float:
    grid = RegularGridInterpolator((np.arange(12.0), np.arange(17.0)), _HEIGHT)
    return float(grid((row, col)))


@settings(deadline=None)
@given(col=_inside_col, row=_inside_row)
def test_bilinear_is_that_of_scipy(col: float, row: float) -> None:
    assert bilinear(_HEIGHT, np.array(col), np.array(row)) == pytest.approx(_reference(col, row), abs=1e-9)


@settings(deadline=None)
@given(col=_inside_col, row=_inside_row)
def test_looking_straight_down_gives_the_height_there(col: float, row: float) -> None:
    hit = pick(_HEIGHT, np.array([col, row, 1e4]), np.array([col, row, -1e4]))
    assert hit is not None
    assert (hit.col, hit.row) == (pytest.approx(col), pytest.approx(row))
    assert hit.z_nm == pytest.approx(_reference(col, row), abs=1e-8)


@settings(deadline=None)
@given(
    col=st.floats(0.01, 15.99), row=st.floats(0.01, 10.99), azimuth=st.floats(0.0, 6.28), steepness=st.floats(0.05, 5.0)
)
def test_a_slanting_look_meets_the_surface_before_it_goes_below(
    col: float, row: float, azimuth: float, steepness: float
) -> None:
    target = np.array([col, row, _reference(col, row)])
    toward_eye = np.array([np.cos(azimuth), np.sin(azimuth), steepness])
    start, end = target + 40 * toward_eye, target - 0.1 * toward_eye
    hit = pick(_HEIGHT, start, end)
    assert hit is not None
    point = np.array([hit.col, hit.row, hit.z_nm])
    assert hit.z_nm == pytest.approx(_reference(hit.col, hit.row), abs=1e-6)
    along = (point - start) @ (target - start) / ((target - start) @ (target - start))
    assert along <= 1 + 1e-6
    before = start + np.linspace(0, along - 1e-6, 400)[:, None] * (target - start)
    surface = bilinear(_HEIGHT, before[:, 0], before[:, 1])
    above = before[:, 2] - surface
    above = above[np.isfinite(above)]
    # From outside the map the line may first come in below the surface: then it is never above before the hit.
    assert (above >= -1e-6).all() or (above <= 1e-6).all()


def test_holes_and_the_outside_are_not_hit() -> None:
    height = np.zeros((6, 6))
    height[3, 3] = np.nan
    assert pick(height, np.array([2.5, 2.5, 9.0]), np.array([2.5, 2.5, -9.0])) is None
    assert pick(height, np.array([1.5, 1.5, 9.0]), np.array([1.5, 1.5, -9.0])) is not None
    assert pick(height, np.array([7.0, 2.0, 9.0]), np.array([7.0, 2.0, -9.0])) is None
    assert np.isnan(bilinear(height, np.array([5.01, -0.1, 2.5]), np.array([1.0, 1.0, 2.5]))).all()
    assert bilinear(height, np.array([2.0]), np.array([2.0]))[0] == 0.0  # a known pixel beside the hole


def test_a_wall_hides_what_is_behind_it() -> None:
    height = np.zeros((5, 21))
    height[:, 10] = 50.0
    hit = pick(height, np.array([0.0, 2.0, 20.0]), np.array([20.0, 2.0, 0.0]))
    assert hit is not None
    assert hit.col == pytest.approx(9 + 11 / 51)  # 50 u = 11 - u on the flank from col 9
    assert hit.z_nm == pytest.approx(20 - hit.col)
