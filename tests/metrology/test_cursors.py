"""Cursor readings on profiles of known shape, and standard deviations against repeated noisy measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.cursors import between, fit_slope, step_height
from eclips_app.metrology.profile import Profile


def profile_of(height, step_nm=2.0, std=None):
    height = np.asarray(height, dtype=float)
    n = len(height)
    nothing = np.full(n, np.nan)
    return Profile(step_nm * np.arange(n), height, nothing, std, np.ones(n, int), np.arange(n) * 1.0, nothing)


def test_reading_of_a_45_degree_ramp():
    reading = between(profile_of(2.0 * np.arange(50)), 13.0, 57.0)
    assert (reading.dx_nm.value, reading.dz_nm.value, reading.angle_deg.value) == pytest.approx((44, 44, 45))
    assert reading.dz_nm.std is None
    back = between(profile_of(2.0 * np.arange(50)), 57.0, 13.0)
    assert (back.dx_nm.value, back.dz_nm.value, back.angle_deg.value) == pytest.approx((-44, -44, 45))


def test_independent_errors_of_both_cursors_add_in_squares():
    reading = between(profile_of(np.zeros(50), std=np.linspace(0, 4.9, 50)), 60.0, 80.0)
    assert reading.dz_nm.std == pytest.approx(math.hypot(3.0, 4.0))
    assert reading.angle_deg.std == pytest.approx(math.degrees(5.0 / 20.0))


def test_no_reading_outside_or_on_a_hole():
    height = np.zeros(50)
    height[20:25] = np.nan
    for first, second in ((-1.0, 10.0), (0.0, 98.1), (0.0, 44.0)):
        assert math.isnan(between(profile_of(height), first, second).dz_nm.value)
    assert math.isnan(between(profile_of(height), 8.0, 8.0).angle_deg.value)


@pytest.mark.parametrize("degrees", [-60.0, 0.0, 22.0])
def test_slope_of_a_straight_flank(degrees):
    x = 2.0 * np.arange(50)
    slope = fit_slope(profile_of(7 + math.tan(math.radians(degrees)) * x), (80.0, 20.0))
    assert slope.angle_deg.value == pytest.approx(degrees, abs=1e-9)
    assert slope.angle_deg.std == pytest.approx(0, abs=1e-9)
    assert slope.points == 31
    assert slope.level_nm == pytest.approx(7 + math.tan(math.radians(degrees)) * 50)


def test_step_between_sloping_terraces():
    x = 2.0 * np.arange(100)
    height = 0.05 * x + np.where(x > 100, 13.0, 0.0)
    height[10] = np.nan
    step = step_height(profile_of(height), (0, 90), (110, 190))
    assert step.height_nm.value == pytest.approx(13.0)
    assert step.angle_deg.value == pytest.approx(math.degrees(math.atan(0.05)))
    assert step_height(profile_of(height), (110, 190), (0, 90)).height_nm.value == pytest.approx(-13.0)


def correlated_noise(rng, n, r):
    noise = np.empty(n)
    noise[0] = rng.normal()
    for i in range(1, n):
        noise[i] = r * noise[i - 1] + math.sqrt(1 - r * r) * rng.normal()
    return noise


@pytest.mark.parametrize("r", [0.0, 0.6])
def test_stated_standard_deviations_are_those_of_repeated_measurements(r):
    rng = np.random.default_rng(3)
    x = 2.0 * np.arange(240)
    angles, steps = [], []
    for _ in range(300):
        profile = profile_of(0.2 * x + np.where(x > 240, 5.0, 0.0) + correlated_noise(rng, len(x), r))
        angles.append(fit_slope(profile, (0, 230)).angle_deg)
        steps.append(step_height(profile, (0, 230), (250, 478)).height_nm)
    for readings, truth in ((angles, math.degrees(math.atan(0.2))), (steps, 5.0)):
        values = np.array([q.value for q in readings])
        stated = np.sqrt(np.mean([q.std**2 for q in readings]))
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / math.sqrt(300))
        assert stated == pytest.approx(values.std(), rel=0.2)


def test_too_short_a_stretch_is_refused():
    with pytest.raises(EclipsError, match="fewer than three"):
        fit_slope(profile_of(np.zeros(50)), (10.0, 12.5))
    with pytest.raises(EclipsError, match="fewer than three"):
        step_height(profile_of(np.zeros(50)), (0.0, 40.0), (90.0, 400.0 - 309.0))
