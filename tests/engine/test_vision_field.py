"""The Vision Field against what a plain march over random surfaces measures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import EstimateVisionField, Visibility, run_step
from eclips_app.engine.forward.surface_statistics import gaussian_statistics, surface_statistics
from eclips_app.engine.forward.vision_field import (
    chance_beyond,
    measured_chance,
    vision_field,
    vision_field_of,
)
from eclips_app.engine.surfaces import grating, rough, steps

SEGMENTS = tuple(Segment(n, a, 90.0, 1.0, 0.0) for n, a in zip("ENWS", (0, 90, 180, 270), strict=True))
PIXEL_NM = 3.0
DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def detector(theta_max_deg: float) -> Detector:
    return Detector(
        distance_mm=5.0,
        inner_radius_mm=1.0,
        outer_radius_mm=5.0 * np.tan(np.deg2rad(theta_max_deg)),
        quadrants=SEGMENTS,
    )


def measured(height_px: np.ndarray, slope: float, reach: int) -> np.ndarray:
    """Chance [r] of a ray of this slope to be blocked beyond r pixels (up to `reach`), given that it is clear up to r."""
    rows, columns = (slice(reach, size - reach) for size in height_px.shape)
    base = height_px[rows, columns]
    clear, far = np.zeros(reach + 1), np.zeros(reach + 1)
    for down, right in DIRECTIONS:
        first, last = np.full(base.shape, np.inf), np.zeros(base.shape)
        for step in range(1, reach + 1):
            there = height_px[
                rows.start + down * step : rows.stop + down * step,
                columns.start + right * step : columns.stop + right * step,
            ]
            blocked = there - base > slope * step
            first[blocked & np.isinf(first)] = step
            last[blocked] = step
        for radius in range(reach + 1):
            is_clear = first > radius
            clear[radius] += is_clear.sum()
            far[radius] += (is_clear & (last > radius)).sum()
    return far / clear


@pytest.mark.parametrize(
    ("theta_max_deg", "rms_slope", "hurst", "longest_px"),
    [(60.0, 0.6, 0.8, 64.0), (70.0, 0.5, 0.5, 100.0), (50.0, 1.0, 0.9, 60.0), (70.0, 0.3, 0.8, 48.0)],
)
def test_the_statistical_radius_holds_and_is_not_wasteful(
    theta_max_deg: float, rms_slope: float, hurst: float, longest_px: float
) -> None:
    """It is never below the radius that is needed, and at most 1.4 times that (and half a pixel)."""
    slope = 1 / np.tan(np.deg2rad(theta_max_deg))
    chances, statistics = [], []
    for seed in (7, 8):
        height = rough(
            (360, 360), PIXEL_NM, seed, rms_slope=rms_slope, hurst=hurst, cutoff_nm=6 * PIXEL_NM,
            longest_nm=longest_px * PIXEL_NM,
        )  # fmt: skip
        chances.append(measured(height / PIXEL_NM, slope, int(np.ceil(np.ptp(height) / PIXEL_NM / slope))))
        statistics.append(surface_statistics(height, PIXEL_NM))
    shortest = min(map(len, chances))
    chance = np.mean([each[:shortest] for each in chances], axis=0)
    bounds = [np.interp(np.arange(shortest) * PIXEL_NM, *chance_beyond(each, slope)) for each in statistics]
    likely = chance[1:] > 0.003
    ratio = np.mean(bounds, axis=0)[1:][likely] / chance[1:][likely]
    assert (ratio > 1.0).all()  # a bound of the chance, at every radius
    assert (ratio < 3.5).all()
    for delta_out in (0.1, 0.03, 0.01, 0.003):
        radius = np.mean([vision_field_of(each, slope, delta_out).statistical_nm for each in statistics]) / PIXEL_NM
        # Inside one pixel there is nothing but the tangent plane.
        assert chance[max(1, int(np.ceil(radius)))] <= delta_out
        needed = np.flatnonzero(chance > delta_out)
        assert radius <= 1.4 * (needed[-1] + 1 if needed.size else 0) + 0.5
    assert vision_field_of(statistics[0], slope, 0.01).statistical_nm < 0.7 * statistics[0].relief_nm / slope


def test_nothing_beyond_the_rigorous_radius_blocks_and_something_just_inside_may() -> None:
    height = np.zeros((40, 200))
    height[:, 150:] = 20.0 * PIXEL_NM
    field = vision_field(height, PIXEL_NM, detector(60.0))
    assert field.rigorous_nm == pytest.approx(20 * PIXEL_NM * np.tan(np.deg2rad(60.0)), rel=0.02)  # 34.6 pixels
    assert field.lowest_elevation_deg == pytest.approx(30.0, abs=0.3)  # the edge of a cell of the table
    lit = run_step(
        "visibility", {"height": height}, Visibility(detector(60.0), PIXEL_NM, 20, 114), SilentContext()
    ).info
    dark = run_step(
        "visibility", {"height": height}, Visibility(detector(60.0), PIXEL_NM, 20, 117), SilentContext()
    ).info
    assert lit["segments"][0]["visible_share"] == pytest.approx(1.0, abs=1e-6)
    assert dark["segments"][0]["visible_share"] < 1.0 - 1e-5


def test_the_chance_on_the_map_tells_where_the_statistics_mislead() -> None:
    slope = 1 / np.tan(np.deg2rad(60.0))
    height = rough((300, 300), 1.0, 5, rms_slope=0.8, longest_nm=60.0)
    reach = int(np.ceil(np.ptp(height) / slope))
    for radius in (1, 4, 9):
        assert measured_chance(height, slope, radius) == pytest.approx(measured(height, slope, reach)[radius], rel=0.2)
    assert measured_chance(height, slope, reach) == 0.0
    honest = vision_field(height, 1.0, detector(60.0), 0.02)
    assert honest.measured_chance is not None
    assert 0.005 < honest.measured_chance <= 0.02
    terraces = vision_field(steps((300, 300), 1.0, 3, azimuth_deg=0.0), 1.0, detector(70.0), 0.02)  # far from Gaussian
    assert terraces.measured_chance is not None
    assert terraces.measured_chance > 0.02


def test_statistics_are_those_of_the_surface() -> None:
    height = rough((512, 512), PIXEL_NM, 3, hurst=1.0, longest_nm=60 * PIXEL_NM, rms_slope=0.4)
    found = surface_statistics(height, PIXEL_NM)
    assert found.relief_nm == np.ptp(height)
    assert found.rms_slope == pytest.approx(0.4, rel=0.03)
    lag = 12
    direct = np.mean((height[:, lag:] - height[:, :-lag]) ** 2)
    assert np.interp(lag * PIXEL_NM, found.lag_nm, found.structure_nm2[0]) == pytest.approx(direct, rel=0.02)
    lines = surface_statistics(grating((256, 256), PIXEL_NM, pitch_nm=96.0, azimuth_deg=90.0), PIXEL_NM)
    assert lines.mean_square_slope[0] < 1e-6 * lines.mean_square_slope[4]  # along the lines nothing changes
    at_pitch = np.interp(96.0, lines.lag_nm, lines.structure_nm2[4])
    assert at_pitch < 1e-3 * np.interp(48.0, lines.lag_nm, lines.structure_nm2[4])


def test_measured_and_given_statistics_agree() -> None:
    """White noise smoothed by a Gaussian has the autocorrelation exp(-(s / (2 width))^2)."""
    width = 6.0
    noise = np.random.default_rng(5).standard_normal((700, 700))
    height = gaussian_filter(noise, width, mode="wrap")
    height *= 8.0 / height.std()
    found = surface_statistics(height, 1.0)
    given = gaussian_statistics(8.0, 2 * width, float(np.ptp(height)))
    assert found.correlation_length_nm == pytest.approx(2 * width, rel=0.06)
    assert found.rms_slope == pytest.approx(given.rms_slope, rel=0.03)
    slope = 1 / np.tan(np.deg2rad(65.0))
    ours, theirs = (vision_field_of(each, slope, 0.01).statistical_nm for each in (found, given))
    assert ours == pytest.approx(theirs, rel=0.05)


def test_the_chance_falls_with_the_radius_and_lower_rays_see_farther() -> None:
    statistics = gaussian_statistics(10.0, 20.0, 90.0)
    radii = []
    for theta in (50.0, 60.0, 70.0):
        radius, chance = chance_beyond(statistics, 1 / np.tan(np.deg2rad(theta)))
        assert chance[-1] < 1e-4
        assert (np.diff(chance) <= 1e-12).all()
        assert radius[-1] >= 90.0 * np.tan(np.deg2rad(theta))
        radii.append(vision_field_of(statistics, 1 / np.tan(np.deg2rad(theta)), 0.01).statistical_nm)
    assert radii[0] < radii[1] < radii[2]


def test_a_flat_needs_no_field_and_a_slope_steeper_than_the_lowest_ray_needs_all() -> None:
    flat = vision_field(np.zeros((32, 32)), 1.0, detector(60.0))
    assert (flat.rigorous_nm, flat.statistical_nm, flat.rms_slope) == (0.0, 0.0, 0.0)
    steep = vision_field(np.broadcast_to(np.arange(64.0) * 2, (64, 64)), 1.0, detector(60.0))
    assert steep.statistical_nm == steep.rigorous_nm > 0


def test_the_step_gives_numbers_and_curve_and_tells_what_is_wrong() -> None:
    height = rough((64, 64), 2.0, 1, rms_slope=0.6, longest_nm=60.0)
    result = run_step(
        "vision-field", {"height": height}, EstimateVisionField(detector(60.0), 2.0, 0.05), SilentContext()
    )
    assert 0 < result.info["statistical_nm"] < result.info["rigorous_nm"]
    assert result.info["delta_out"] == 0.05
    assert result.arrays["radius_nm"].shape == result.arrays["chance"].shape
    for bad, words in ((np.full((32, 32), np.nan), "gaps"), (np.zeros((3, 32)), "16 x 16")):
        with pytest.raises(EclipsError, match=words):
            vision_field(bad, 1.0, detector(60.0))
    with pytest.raises(EclipsError, match="along the surface"):
        vision_field(height, 1.0, detector(89.99))
