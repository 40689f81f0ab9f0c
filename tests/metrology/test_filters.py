"""ISO 16610 filters: transmission, ends, holes and outliers; and the form taken out before."""

from __future__ import annotations

import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.filters import low_pass
from eclips_app.metrology.forms import without_form

X = np.arange(2000) * 2.0
EVERY = np.ones(2000, dtype=bool)


def transmitted(kind, wave, cutoff=100.0):
    wanted = np.sin(2 * np.pi * X / wave)
    found = low_pass(kind, wanted, EVERY, cutoff, (2.0,))
    inner = slice(300, -300)
    return (found[inner] @ wanted[inner]) / (wanted[inner] @ wanted[inner])


@pytest.mark.parametrize("kind", ["gaussian", "spline"])
def test_half_the_amplitude_passes_at_the_cutoff(kind):
    assert transmitted(kind, 100.0) == pytest.approx(0.5, abs=1e-3)
    assert transmitted(kind, 25.0) < 0.03
    assert transmitted(kind, 1000.0) > 0.98


def test_transmission_of_the_gaussian_filter_is_that_of_the_standard():
    for wave in (60.0, 80.0, 150.0, 300.0):
        expected = np.exp(-np.log(2) * (100.0 / wave) ** 2)
        assert transmitted("gaussian", wave) == pytest.approx(expected, abs=1e-3)


def test_the_regression_filter_of_second_degree_passes_half_at_its_cutoff():
    # Without outliers robust weights are near 1 for heights far below the limit: add noise that sets the limit.
    z = np.sin(2 * np.pi * X / 100.0)
    z[:300] += 1000 * (-1.0) ** np.arange(300)
    z[-800:] += 1000 * (-1.0) ** np.arange(800)
    found = low_pass("robust", z, EVERY, 100.0, (2.0,))
    inner = slice(500, 1000)
    wanted = np.sin(2 * np.pi * X / 100.0)[inner]
    assert (found[inner] @ wanted) / (wanted @ wanted) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", ["gaussian", "robust", "spline"])
def test_a_tilted_line_passes_to_its_ends(kind):
    np.testing.assert_allclose(low_pass(kind, 3 + 0.2 * X, EVERY, 150.0, (2.0,)), 3 + 0.2 * X, atol=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "robust", "spline"])
def test_a_tilted_plane_passes_to_its_borders(kind):
    r, c = np.mgrid[:40, :50].astype(float)
    found = low_pass(kind, 2 * c - r, np.ones((40, 50), bool), 12.0, (1.0, 1.0))
    np.testing.assert_allclose(found, 2 * c - r, atol=1e-6)


def test_ends_follow_a_bend_better_than_a_mean_would():
    wave = np.cos(2 * np.pi * X / 2000.0)
    found = low_pass("gaussian", wave, EVERY, 200.0, (2.0,))
    assert np.abs(found - wave).max() < 0.02


def test_over_areas_half_the_amplitude_passes_in_every_direction():
    r, c = np.mgrid[:300, :300].astype(float)
    for along in (c, r, (r + c) / np.sqrt(2)):
        wave = np.sin(2 * np.pi * along / 20.0)
        inner = np.s_[60:-60, 60:-60]
        found = low_pass("gaussian", wave, np.ones(r.shape, bool), 20.0, (1.0, 1.0))[inner]
        assert (found * wave[inner]).sum() / (wave[inner] ** 2).sum() == pytest.approx(0.5, abs=2e-3)


def test_holes_have_no_weight():
    z = np.sin(2 * np.pi * X / 400.0)
    holed = z.copy()
    holed[500:520] = np.nan
    found = low_pass("gaussian", holed, np.isfinite(holed), 50.0, (2.0,))
    whole = low_pass("gaussian", z, EVERY, 50.0, (2.0,))
    assert np.isnan(found[505])
    known = np.isfinite(found)
    np.testing.assert_allclose(found[known], whole[known], atol=0.02)
    with pytest.raises(EclipsError, match="spline"):
        low_pass("spline", holed, np.isfinite(holed), 50.0, (2.0,))


def test_the_robust_filter_runs_beside_deep_scratches():
    rng = np.random.default_rng(0)
    z = np.sin(2 * np.pi * X / 1000.0) + rng.normal(0, 0.05, X.size)
    scratched = z.copy()
    for start in (300, 900, 1500):
        scratched[start : start + 15] -= 30
    robust = low_pass("robust", scratched, EVERY, 150.0, (2.0,))
    plain = low_pass("gaussian", scratched, EVERY, 150.0, (2.0,))
    true = np.sin(2 * np.pi * X / 1000.0)
    assert np.abs(robust - true).max() < 0.2
    assert np.abs(plain - true).max() > 5


def test_the_robust_areal_filter_does_so_too():
    c = np.mgrid[:80, :80][1].astype(float)
    true = np.sin(2 * np.pi * c / 80.0)
    z = true + np.random.default_rng(0).normal(0, 0.05, c.shape)
    z[38:42, 30:50] -= 40
    found = low_pass("robust", z, np.ones(c.shape, bool), 15.0, (1.0, 1.0))
    assert np.abs(found - true)[10:-10, 10:-10].max() < 0.3


def test_a_cutoff_below_the_steps_is_refused():
    with pytest.raises(EclipsError, match="twice the step"):
        low_pass("gaussian", X, EVERY, 3.0, (2.0,))


def test_a_polynomial_is_taken_out_wholly():
    r, c = np.mgrid[:50, :60].astype(float)
    form = 3 + 0.1 * c - 0.2 * r + 0.01 * c * r - 0.003 * c**2 + 1e-5 * r**3
    used = (r + c) % 7 > 0
    rest = without_form(form, used, "polynomial", 3)
    np.testing.assert_allclose(rest, 0, atol=1e-8)
    assert np.abs(without_form(form, used, "plane")).max() > 1


def test_a_form_that_the_heights_do_not_define_is_refused():
    z = np.zeros((20, 20))
    used = np.zeros((20, 20), bool)
    used[5] = True
    with pytest.raises(EclipsError, match="form"):
        without_form(z, used, "plane")
