"""Tips: shapes, dilation and erosion against analytic surfaces, what is certain, and blind estimates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from eclips_app.core.errors import EclipsError
from eclips_app.metrology import tip, tip_blind

PIXEL = (2.0, 2.0)


@pytest.fixture(scope="module")
def rough():
    height = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(90, 110)), 2.0)
    return 40.0 * height / np.ptp(height)


def test_a_cone_goes_over_from_its_sphere_without_a_kink():
    shape = tip.cone(40.0, 30.0, (1.0, 1.0), 200.0)
    line = shape.heights[shape.heights.shape[0] // 2, shape.heights.shape[1] // 2 :]
    assert line[10] == pytest.approx(40 - np.sqrt(40**2 - 100))
    np.testing.assert_allclose(np.diff(line)[40:], 1 / np.tan(np.radians(30)))  # the flank of the cone
    assert np.abs(np.diff(line, 2)).max() < 1 / 40 / np.cos(np.radians(60)) ** 3  # curvature of a circle at 60 degrees
    assert tip.cone(40.0, 30.0, (1.0, 1.0), 200.0).radius_nm == pytest.approx(40, rel=0.01)


def test_dilation_is_that_of_mathematical_morphology(rough):
    for shape in (tip.cone(10.0, 20.0, PIXEL, 40.0), tip.parabola(60.0, PIXEL, 40.0)):
        seen = tip.dilated(rough, shape)
        turned = shape.heights[::-1, ::-1]
        expected = ndimage.grey_dilation(rough, structure=-turned, mode="constant", cval=-1e9)
        np.testing.assert_allclose(seen, expected)
        expected = ndimage.grey_erosion(seen, structure=-shape.heights[::-1, ::-1], mode="constant", cval=1e9)
        np.testing.assert_allclose(tip.eroded(seen, shape), expected)


def test_a_step_gets_the_flank_of_the_tip():
    step = np.zeros((41, 121))
    step[:, 60:] = 30.0
    shape = tip.cone(0.0, 40.0, PIXEL, 30.0)
    line = tip.dilated(step, shape)[20]
    distance = 2.0 * np.arange(1, 30)
    np.testing.assert_allclose(line[60 - np.arange(1, 30)], np.maximum(30 - distance / np.tan(np.radians(40)), 0.0))
    np.testing.assert_array_equal(line[60:], 30.0)


def test_erosion_gives_back_the_surface_where_it_is_certain(rough):
    shape = tip.parabola(4.0, PIXEL, 40.0)
    seen = tip.dilated(rough, shape)
    back = tip.eroded(seen, shape)
    assert (back >= rough - 1e-9).all()  # an upper bound everywhere
    sure = tip.certain(seen, shape, 1e-6)
    assert 0.05 < sure.mean() < 0.95
    np.testing.assert_allclose(back[sure], rough[sure])


def test_a_blind_estimate_from_spikes_is_the_tip():
    rng = np.random.default_rng(0)
    surface = np.zeros((120, 120))
    surface[rng.integers(15, 105, 12), rng.integers(15, 105, 12)] = 50.0
    true = tip.cone(10.0, 25.0, PIXEL, 50.0)
    seen = tip.dilated(surface, true)
    found = tip_blind.blind(seen, PIXEL, half_width_px=8)
    m = true.heights.shape[0] // 2
    wanted = true.heights[m - 8 : m + 9, m - 8 : m + 9]
    # An outer bound of the tip, which a spike shows whole.
    assert (found.heights <= wanted + 1e-9).all()
    np.testing.assert_allclose(found.heights, wanted, atol=1e-9)
    noisy = seen + rng.uniform(-0.1, 0.1, seen.shape)
    rough_guess = tip_blind.blind(noisy, PIXEL, half_width_px=8, threshold_nm=0.4)
    assert (rough_guess.heights <= wanted + 1e-9).all()
    assert rough_guess.heights[8, 16] > 0.7 * wanted[8, 16]


def test_a_blunt_surface_bounds_the_tip_from_outside():
    x = np.arange(80) - 40.0
    bumps = 20.0 * np.exp(-(x[None, :] ** 2 + x[:, None] ** 2) / 200)
    true = tip.parabola(20.0, PIXEL, 20.0)
    found = tip_blind.blind(tip.dilated(bumps, true), PIXEL, half_width_px=5)
    m = [n // 2 for n in true.heights.shape]
    assert (found.heights <= true.heights[m[0] - 5 : m[0] + 6, m[1] - 5 : m[1] + 6] + 1e-9).all()
    assert found.radius_nm > true.radius_nm


def test_a_measured_tip_is_resampled_with_its_apex_in_the_middle():
    x = np.arange(-30, 31) * 1.0
    apex_up = -(x[None, :] ** 2 + x[:, None] ** 2) / 100
    found = tip.measured(apex_up[:-4], (1.0, 1.0), PIXEL)
    n = found.heights.shape[1] // 2
    assert found.heights[found.heights.shape[0] // 2, n + 3] == pytest.approx(36 / 100)
    with pytest.raises(EclipsError, match="border"):
        tip.measured(np.arange(12.0).reshape(3, 4), PIXEL, PIXEL)


def test_holes_stay_holes_and_wrong_tips_are_refused(rough):
    torn = rough.copy()
    torn[10:14, 20:25] = np.nan
    seen = tip.dilated(torn, tip.parabola(50.0, PIXEL, 40.0))
    np.testing.assert_array_equal(np.isnan(seen), np.isnan(torn))
    for call in (
        lambda: tip.cone(-1, 20, PIXEL, 5),
        lambda: tip.parabola(0, PIXEL, 5),
        lambda: tip.Tip(np.zeros((4, 4)), PIXEL),
    ):
        with pytest.raises(EclipsError):
            call()
