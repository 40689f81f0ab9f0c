"""The sky of one pixel against closed forms and against the renderer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate, StepResult, Visibility, run_step
from eclips_app.engine.surfaces import rough

SEGMENTS = tuple(Segment(n, a, 90.0, 1.0, 0.0) for n, a in zip("ENWS", (0, 90, 180, 270), strict=True))
DETECTOR = Detector(distance_mm=5.0, inner_radius_mm=2.0, outer_radius_mm=9.0, quadrants=SEGMENTS)
PIXEL_NM = 2.0


def seen(height: np.ndarray, row: int, column: int, **more: Any) -> StepResult:
    params = Visibility(DETECTOR, PIXEL_NM, row, column, **more)
    return run_step("visibility", {"height": height}, params, SilentContext())


def wall(height_px: float, at: int) -> np.ndarray:
    """A cliff along a column of a wide field: flat, then `height_px` high from column `at`."""
    surface = np.zeros((801, 81))
    surface[:, at:] = height_px * PIXEL_NM
    return surface


def test_on_a_flat_all_that_is_valid_is_visible() -> None:
    result = seen(np.full((20, 30), 7.0), 9, 12)
    near, far = np.cos(np.arctan([2 / 5, 9 / 5]))
    assert result.info["exposed_sr"] == pytest.approx(2 * np.pi)
    assert result.info["exposed_emission"] == pytest.approx(1.0)
    assert (result.info["tilt_deg"], result.info["height_nm"]) == (0.0, 7.0)
    for segment in result.info["segments"]:
        assert segment["valid_sr"] == pytest.approx((near - far) * np.pi / 2, rel=2e-3)
        assert segment["visible_sr"] == pytest.approx(segment["valid_sr"])
        assert segment["visible_emission"] == pytest.approx((near**2 - far**2) / 4, rel=2e-3)
        assert segment["visible_emission_share"] == pytest.approx(1.0)
    np.testing.assert_array_equal(result.arrays["horizon_deg"], 90.0)
    np.testing.assert_array_equal(result.arrays["occluder_nm"], 0.0)
    np.testing.assert_array_equal(result.arrays["visible"], result.arrays["valid"])
    assert result.arrays["valid"].shape == (4, 60, 180)
    assert result.arrays["theta_deg"].shape == (61,)


@pytest.mark.parametrize("tilt", [20.0, 50.0])
def test_a_facet_sees_the_sky_above_its_tangent_plane(tilt: float) -> None:
    slope = np.tan(np.deg2rad(tilt))
    columns = np.arange(61) * PIXEL_NM
    result = seen(np.broadcast_to(-slope * columns, (61, 61)), 30, 30)
    assert result.info["tilt_deg"] == pytest.approx(tilt)
    assert result.info["azimuth_deg"] == pytest.approx(0.0)  # falls to the right: looks to the right
    assert result.info["exposed_emission"] == pytest.approx((1 + np.cos(np.deg2rad(tilt))) / 2, rel=1e-3)
    assert result.info["exposed_sr"] == pytest.approx(2 * np.pi - np.deg2rad(2 * tilt), rel=1e-3)  # less a lune
    assert result.arrays["occluder_nm"].max() == 0.0
    east, _, west, _ = result.info["segments"]
    assert east["visible_sr"] == pytest.approx(east["valid_sr"])
    assert (west["visible_share"] < 1.0 - 1e-9) == (tilt > 90 - np.rad2deg(np.arctan(9 / 5)))


def test_a_wall_hides_its_side() -> None:
    result = seen(wall(12.0, 60), 400, 40)  # 20 pixels to the wall's foot, 12 high: nearly endless along the columns
    elevation = np.arctan2(12.0, 20.0)
    assert result.info["exposed_emission"] == pytest.approx((1 + np.cos(elevation)) / 2, rel=2e-3)
    azimuth = np.deg2rad(result.arrays["azimuth_deg"])
    toward = np.cos(azimuth) > 0.72  # where the march goes from column to column and meets the edge itself
    expected = 90 - np.rad2deg(np.arctan(12 / 20 * np.cos(azimuth[toward])))
    np.testing.assert_allclose(result.arrays["horizon_deg"][toward], expected, atol=1e-9)
    np.testing.assert_allclose(result.arrays["occluder_nm"][toward], 20 * PIXEL_NM / np.cos(azimuth[toward]))
    east, north, west, south = result.info["segments"]
    assert west["visible_share"] == pytest.approx(1.0, abs=1e-9)
    assert east["visible_share"] < 0.98
    assert north["visible_sr"] == pytest.approx(south["visible_sr"])


def test_rows_and_columns_are_treated_alike() -> None:
    height = rough((40, 56), 1.0, 4, rms_slope=1.0) * PIXEL_NM
    turned = np.rot90(height)  # what was at the right is up now
    first, second = seen(height, 11, 37), seen(turned, 55 - 37, 11)
    np.testing.assert_allclose(np.roll(first.arrays["horizon_deg"], 45), second.arrays["horizon_deg"], atol=1e-9)


def test_numbers_are_those_that_the_renderer_sums() -> None:
    height = rough((48, 64), 1.0, 2, rms_slope=0.9) * PIXEL_NM
    image = run_step("simulate", {"height": height}, Simulate(DETECTOR, PIXEL_NM, azimuths=128), SilentContext()).arrays
    flat = np.mean([s["visible_emission"] for s in seen(np.zeros((9, 9)), 4, 4).info["segments"]])
    for row, column in ((20, 30), (0, 0), (47, 20), (33, 63)):
        info = seen(height, row, column, azimuths=128, polar_cells=180).info
        ours = np.array([segment["visible_emission"] for segment in info["segments"]]) / flat
        np.testing.assert_allclose(ours, image["segments"][:, row, column], rtol=3e-3, atol=1e-4)
        assert all(s["visible_emission"] <= s["valid_emission"] * (1 + 1e-12) for s in info["segments"])


def test_a_deep_hole_sees_nothing_and_says_so() -> None:
    height = np.zeros((21, 21))
    height[10, 10] = -1000.0
    result = seen(height, 10, 10)
    assert result.info["exposed_share"] < 1e-4
    assert [s["visible_share"] for s in result.info["segments"]] == [0.0] * 4
    assert result.arrays["visible"].max() == 0.0


@pytest.mark.parametrize(
    ("height", "place", "words"),
    [
        (np.zeros((10, 10)), (10, 0), "outside"),
        (np.zeros((10, 10)), (0, 10), "outside"),
        (np.zeros(10), (0, 0), "rows and columns"),
        (np.where(np.eye(10) > 0, np.nan, 0.0), (3, 4), "gaps"),
    ],
)
def test_what_cannot_be_looked_up_is_told(height: np.ndarray, place: tuple[int, int], words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        seen(height, *place)
