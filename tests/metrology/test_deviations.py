"""Readings with deviations, against the covariance that the deviations were made of and against repeated measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.cursors import between, fit_slope, step_height
from eclips_app.metrology.deviations import Deviations, name_in_words
from eclips_app.metrology.profile import sample

ROWS, COLUMNS, PIXEL = 24, 40, 2.0
LINE = {"start_px": (4.0, 6.0), "end_px": (35.0, 17.0), "pixel_size_nm": PIXEL, "width_px": 5.0}


def surface() -> np.ndarray:
    rng = np.random.default_rng(1)
    return (0.7 * PIXEL * np.arange(COLUMNS) + np.cumsum(rng.normal(0, 0.4, (ROWS, COLUMNS)), axis=1)).astype(
        np.float64
    )


def known(maps: np.ndarray, *parts: tuple[str, str], lengths: float = 0.0, missing: tuple[str, ...] = ()) -> Deviations:
    scale = np.array([lengths if part == "pixel size" else 0.0 for part, _ in parts])
    return Deviations(maps, parts, PIXEL, scale, missing)


def factor_maps(seed: int, count: int, size: float) -> np.ndarray:
    """Smooth and rough maps at once, in pixels."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(size=(count, ROWS, COLUMNS)), axis=2)
    return size * (walk + rng.normal(size=walk.shape))


def test_a_profile_averages_the_maps_as_it_averages_the_height() -> None:
    maps = factor_maps(2, 3, 0.02)
    height = surface()
    height[10:12, 18:20] = np.nan
    mask = np.ones(height.shape, bool)
    mask[7, 8] = False
    parts = [("noise", f"draw {i}") for i in range(3)]
    profile = sample(height, **LINE, mask=mask, deviations=known(maps, *parts))
    assert profile.deviations_nm is not None
    for each, along in zip(maps, profile.deviations_nm, strict=True):
        each = np.where(np.isnan(height), np.nan, each)
        expected = sample(each * PIXEL, **LINE, mask=mask).height_nm
        np.testing.assert_allclose(along, np.nan_to_num(expected), atol=1e-6)
    assert profile.std_nm is not None
    np.testing.assert_array_equal(np.isnan(profile.std_nm), profile.count == 0)


def test_averaging_over_a_width_lowers_independent_noise_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (400, ROWS, COLUMNS)) / 20  # 400 draws, each by the root of their number
    parts = [("noise", f"draw {i}") for i in range(400)]
    line = LINE | {"start_px": (4.0, 12.0), "end_px": (35.0, 12.0)}
    one = sample(surface(), **(line | {"width_px": 1.0}), deviations=known(noise, *parts)).std_nm
    nine = sample(surface(), **(line | {"width_px": 9.0}), deviations=known(noise, *parts)).std_nm
    assert np.mean(one) == pytest.approx(0.02, rel=0.1)
    assert np.mean(one) / np.mean(nine) == pytest.approx(3.0, rel=0.1)
    common = known(np.full((1, ROWS, COLUMNS), 0.01), ("geometry", "distance_mm"))
    assert np.allclose(sample(surface(), **line, deviations=common).std_nm, 0.02)


def test_budget_and_standard_deviation_of_a_functional_are_exact() -> None:
    """The covariance is built from its factor; a'Ca must come out to rounding, and each part's own share."""
    noise, geometry, gains = factor_maps(4, 5, 0.01), factor_maps(5, 2, 0.03), factor_maps(6, 1, 0.02)
    parts = [*(("noise", f"draw {i}") for i in range(5)), ("geometry", "distance_mm"), ("geometry", "tilt_x_deg"),
             ("gains", "gain:E")]  # fmt: skip
    deviations = known(np.concatenate([noise, geometry, gains]), *parts, missing=("pixel size",))
    profile = sample(surface(), **LINE, deviations=deviations)
    reading = between(profile, 11.0, 47.0)
    assert profile.footprint is not None
    weights = profile.footprint.transposed(reading.dz_from.gradient, (ROWS, COLUMNS)).ravel()
    factor = PIXEL * np.concatenate([noise, geometry, gains]).reshape(8, -1)
    assert weights @ surface().ravel() == pytest.approx(reading.dz_nm.value, rel=1e-5)
    variance = weights @ (factor.T @ (factor @ weights))
    assert reading.dz_nm.std == pytest.approx(math.sqrt(variance), rel=1e-5)
    budget = deviations.budget(reading.dz_from.effects)
    assert [share.part for share in budget.shares] == ["noise", "gains", "geometry"]
    for share, rows in zip(budget.shares, (slice(0, 5), slice(7, 8), slice(5, 7)), strict=True):
        assert share.percent == pytest.approx(100 * np.sum((factor[rows] @ weights) ** 2) / variance, rel=1e-4)
    assert sum(share.percent for share in budget.shares) == pytest.approx(100)
    assert budget.std == reading.dz_nm.std
    larger = ["distance", "tilt about x"][int(np.argmax(np.abs(factor[5:7] @ weights)))]
    assert budget.shares[2].largest == larger
    assert budget.not_stated_text == "not stated: pixel size"


def test_stated_deviations_are_those_of_repeated_measurements() -> None:
    """Surfaces are drawn from the covariance; what the readings scatter by is what one of them states."""
    rng = np.random.default_rng(7)
    maps = factor_maps(8, 12, 0.01)
    parts = [("noise", f"draw {i}") for i in range(12)]
    truth, stated, found = surface(), [], []
    profile = sample(truth, **LINE, deviations=known(maps, *parts))
    stretches = (2.0, 28.0), (36.0, 62.0)
    stated = [between(profile, 5.0, 55.0).angle_deg.std, fit_slope(profile, (3.0, 60.0)).angle_deg.std,
              step_height(profile, *stretches).height_nm.std, step_height(profile, *stretches).angle_deg.std]  # fmt: skip
    for _ in range(600):
        noisy = sample(truth + PIXEL * np.tensordot(rng.normal(size=12), maps, 1), **LINE)
        step = step_height(noisy, *stretches)
        found.append([between(noisy, 5.0, 55.0).angle_deg.value, fit_slope(noisy, (3.0, 60.0)).angle_deg.value,
                      step.height_nm.value, step.angle_deg.value])  # fmt: skip
    assert stated == pytest.approx(np.std(found, axis=0), rel=0.1)  # 600 repetitions: 3 %


def test_a_wrong_pixel_size_changes_lengths_and_heights_but_no_angle() -> None:
    height = surface()
    relative = known(0.03 * height[None] / PIXEL, ("pixel size", "pixel size"), lengths=0.03)
    profile = sample(height, **LINE, deviations=relative)
    reading = between(profile, 10.0, 50.0)
    assert reading.dx_nm.std == pytest.approx(0.03 * 40)
    assert reading.dz_nm.std == pytest.approx(0.03 * abs(reading.dz_nm.value), rel=1e-6)
    assert reading.angle_deg.std == pytest.approx(0, abs=1e-5)
    assert fit_slope(profile, (5.0, 60.0)).angle_deg.std == pytest.approx(0, abs=1e-5)


def test_deviations_of_a_run_and_of_one_without_them() -> None:
    arrays = {"deviations": np.zeros((2, 3, 3), np.float16)}
    params = {"pixel_size_nm": 4.0, "tolerances": {"pixel_size_percent": 2.0}}
    info = {"deviation_parts": [["noise", "draw 1"], ["pixel size", "pixel size"]], "not_stated": ["emission"]}
    found = Deviations.of_run(arrays, info, params)
    assert found is not None
    assert found.lengths == pytest.approx([0.0, 0.02])
    assert found.not_stated == ("emission",)
    assert found.budget(np.zeros(2)).text == ""
    assert Deviations.of_run({}, info, params) is None
    assert Deviations.of_run(arrays, info, {"pixel_size_nm": 4.0}).lengths.tolist() == [0.0, 0.0]
    with pytest.raises(EclipsError, match="1 parts are named"):
        Deviations.of_run(arrays, {"deviation_parts": [["noise", "draw 1"]]}, params)
    with pytest.raises(EclipsError, match="the height map"):
        sample(surface(), **LINE, deviations=found)


def test_names_in_words() -> None:
    assert [name_in_words(name) for name in ("distance_mm", "gain:E", "offset:N", "emission")] == [
        "distance", "gain of E", "offset of N", "emission",
    ]  # fmt: skip


def test_single_draws_are_not_named() -> None:
    parts = [("model", "draw 1"), ("model", "draw 2"), ("model", "samples"), ("noise", "draw 1"), ("noise", "draw 2")]
    shares = known(np.zeros((5, ROWS, COLUMNS)), *parts).budget(np.array([2.0, 2.0, 1.0, 3.0, 1.0])).shares
    assert [(share.part, share.largest) for share in shares] == [("noise", ""), ("model", "")]
