"""Profiles over surfaces whose height at every point is known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.profile import sample, sample_map
from eclips_app.model.items import HeightMap

ROWS, COLUMNS = np.mgrid[0:40, 0:60].astype(float)
coordinate = st.floats(0, 39)


def plane(columns, rows):
    return 5 + 2 * columns - 0.5 * rows


def parabola(columns, rows):
    return 0.03 * columns**2 - 0.02 * rows**2 + 0.01 * columns * rows + columns


@given(coordinate, coordinate, coordinate, coordinate, st.floats(0.3, 3))
def test_a_plane_is_sampled_exactly_along_any_line(x0, y0, x1, y1, step):
    length = math.dist((x0, y0), (x1, y1))
    if length < 0.1:
        return
    profile = sample(plane(COLUMNS, ROWS), (x0, y0), (x1, y1), pixel_size_nm=3.0, step_px=step)
    np.testing.assert_allclose(profile.height_nm, plane(profile.x_px, profile.y_px), atol=1e-9)
    np.testing.assert_allclose(np.diff(profile.distance_nm), 3 * step)
    np.testing.assert_allclose(profile.distance_nm, 3 * np.hypot(profile.x_px - x0, profile.y_px - y0), atol=1e-9)
    assert length - step - 1e-6 < profile.distance_nm[-1] / 3 <= length + 1e-6


def test_points_stand_one_pixel_apart_and_include_both_ends_of_a_whole_line():
    profile = sample(plane(COLUMNS, ROWS), (3, 7), (13, 7), pixel_size_nm=2.0)
    np.testing.assert_array_equal(profile.distance_nm, 2.0 * np.arange(11))
    np.testing.assert_array_equal(profile.height_nm, plane(np.arange(3, 14), 7))
    assert (profile.count == 1).all()
    assert np.isnan(profile.spread_nm).all()
    assert profile.std_nm is None


def test_the_origin_of_a_crop_moves_nothing():
    surface = parabola(COLUMNS, ROWS)
    whole = sample(surface, (12.3, 9.1), (40.2, 25.7), pixel_size_nm=1.0, width_px=4)
    crop = sample(surface[5:35, 8:50], (12.3, 9.1), (40.2, 25.7), pixel_size_nm=1.0, width_px=4, origin_px=(5, 8))
    np.testing.assert_allclose(crop.height_nm, whole.height_nm, atol=1e-12)
    np.testing.assert_array_equal(crop.x_px, whole.x_px)


@pytest.mark.parametrize("end", [(40.0, 12.0), (40.3, 30.9)])
def test_cubic_is_exact_on_a_parabola_and_bilinear_is_not(end):
    surface = parabola(COLUMNS, ROWS)
    line = {"start_px": (4.2, 12.0), "end_px": end, "pixel_size_nm": 1.0, "step_px": 0.37}
    cubic = sample(surface, **line, method="cubic")
    truth = parabola(cubic.x_px, cubic.y_px)
    np.testing.assert_allclose(cubic.height_nm, truth, atol=1e-9)
    # Bilinear interpolation of a parabola is off by at most h²/8 times its second derivative in each direction.
    error = np.abs(sample(surface, **line).height_nm - truth).max()
    assert 1e-3 < error <= 0.06 / 8 + 0.04 / 8 + 1e-12


def test_cubic_falls_back_to_bilinear_at_the_border():
    profile = sample(plane(COLUMNS, ROWS), (0, 0.5), (59, 0.5), pixel_size_nm=1.0, step_px=0.5, method="cubic")
    np.testing.assert_allclose(profile.height_nm, plane(profile.x_px, 0.5), atol=1e-9)


@pytest.mark.parametrize(("start", "end"), [((5, 20), (50, 20)), ((8.0, 8.0), (40.0, 24.0))])
def test_a_width_is_the_mean_of_parallel_lines(start, end):
    surface = np.random.default_rng(1).normal(size=ROWS.shape)
    length = math.dist(start, end)
    across = -(end[1] - start[1]) / length, (end[0] - start[0]) / length
    lines = [
        sample(
            surface,
            (start[0] + k * across[0], start[1] + k * across[1]),
            (end[0] + k * across[0], end[1] + k * across[1]),
            pixel_size_nm=1.0,
        ).height_nm
        for k in (-2, -1, 0, 1, 2)
    ]
    band = sample(surface, start, end, pixel_size_nm=1.0, width_px=5)
    np.testing.assert_allclose(band.height_nm, np.mean(lines, axis=0), atol=1e-9)
    np.testing.assert_allclose(band.spread_nm, np.std(lines, axis=0, ddof=1), atol=1e-9)
    assert (band.count == 5).all()


def test_strips_are_never_wider_than_a_pixel_and_fill_the_width():
    profile = sample(ROWS**2, (5, 20), (50, 20), pixel_size_nm=1.0, width_px=2.5, method="cubic")
    offsets = np.array([-2.5 / 3, 0, 2.5 / 3])
    np.testing.assert_allclose(profile.height_nm, np.mean((20 + offsets) ** 2), atol=1e-9)


def test_a_step_edge_is_one_pixel_wide():
    surface = np.where(COLUMNS >= 30, 12.5, 2.5)
    profile = sample(surface, (20, 10), (40, 10), pixel_size_nm=4.0, step_px=0.5)
    np.testing.assert_array_equal(profile.height_nm[profile.x_px <= 29], 2.5)
    np.testing.assert_array_equal(profile.height_nm[profile.x_px >= 30], 12.5)
    assert profile.height_nm[profile.x_px == 29.5] == [7.5]


def test_beyond_the_border_there_is_no_height():
    profile = sample(plane(COLUMNS, ROWS), (-3, 39), (62, 39), pixel_size_nm=1.0)
    np.testing.assert_array_equal(np.isnan(profile.height_nm), (profile.x_px < 0) | (profile.x_px > 59))
    np.testing.assert_array_equal(profile.count == 0, np.isnan(profile.height_nm))


def test_a_hole_removes_only_what_rests_on_it():
    surface = plane(COLUMNS, ROWS)
    mask = np.ones(surface.shape, dtype=bool)
    mask[10, 20] = False
    holed = np.where(mask, surface, np.nan)
    for kwargs in ({"height": holed}, {"height": surface, "mask": mask}):
        line = sample(**kwargs, start_px=(15, 10), end_px=(25, 10), pixel_size_nm=1.0, step_px=0.5)
        # Exactly on the neighbours the hole has no weight.
        np.testing.assert_array_equal(np.isnan(line.height_nm), np.abs(line.x_px - 20) < 1)
        band = sample(**kwargs, start_px=(15, 10), end_px=(25, 10), pixel_size_nm=1.0, width_px=3)
        assert band.count.tolist() == [3] * 5 + [2] + [3] * 5
        np.testing.assert_allclose(band.height_nm, plane(band.x_px, 10), atol=1e-9)


def test_the_standard_deviation_is_not_lowered_by_averaging():
    std = 0.1 + 0.01 * ROWS
    mask = ROWS != 12
    profile = sample(COLUMNS, (5, 10), (50, 10), pixel_size_nm=1.0, width_px=5, mask=mask, std=std)
    np.testing.assert_allclose(profile.std_nm, 0.1 + 0.01 * np.mean([8, 9, 10, 11]))


@pytest.mark.parametrize(
    "change",
    [
        {"end_px": (3, 4)},
        {"step_px": 0.0},
        {"width_px": -1.0},
        {"width_px": math.nan},
        {"pixel_size_nm": math.nan},
        {"end_px": (math.inf, 4)},
        {"std": np.ones((3, 3))},
        {"mask": np.ones((3, 3), dtype=bool)},
        {"height": np.ones(7)},
    ],
)
def test_what_makes_no_sense_is_refused(change):
    given = {"height": COLUMNS, "start_px": (3, 4), "end_px": (30, 4), "pixel_size_nm": 1.0}
    with pytest.raises(EclipsError):
        sample(**{**given, **change})


# Placed maps: a map of the plane z = 0.2 x + 0.1 y (x right, y up in nm from the map's centre), 2 nm x 4 nm pixels.


def placed(**place):
    rows, columns = np.mgrid[0:51, 0:101].astype(float)
    height = 0.2 * 2.0 * (columns - 50) + 0.1 * 4.0 * (25 - rows)
    return HeightMap("m", "map", height, (2.0, 4.0), **place)


def test_a_map_is_read_at_its_place():
    profile = sample_map(placed(center_px=(30, 20), z_offset_nm=7), (25, 20), (35, 20), pixel_size_nm=10.0)
    np.testing.assert_allclose(profile.height_nm, 7 + 0.2 * 10 * (profile.x_px - 30), atol=1e-9)
    np.testing.assert_allclose(np.diff(profile.distance_nm), 2.0)
    upwards = sample_map(placed(center_px=(30, 20)), (30, 25), (30, 15), pixel_size_nm=10.0)
    np.testing.assert_allclose(upwards.height_nm, 0.1 * 10 * (20 - upwards.y_px), atol=1e-9)


@given(st.floats(-180, 180), st.floats(0, 360))
def test_a_turned_map_turns_its_plane_counter_clockwise(rotation, direction):
    # Along the direction d (azimuth) from the centre the unturned plane has the slope g . d; turned, g turns along.
    azimuth = math.radians(direction)
    end = 30 + 8 * math.cos(azimuth), 20 - 8 * math.sin(azimuth)
    profile = sample_map(placed(center_px=(30, 20), rotation_deg=rotation), (30, 20), end, pixel_size_nm=10.0)
    steepest = math.atan2(0.1, 0.2) + math.radians(rotation)
    slope = math.hypot(0.1, 0.2) * math.cos(azimuth - steepest)
    np.testing.assert_allclose(profile.height_nm, slope * profile.distance_nm, atol=1e-9)


def test_outside_the_map_there_is_no_height():
    profile = sample_map(placed(center_px=(30, 20)), (0, 20), (60, 20), pixel_size_nm=10.0, step_px=1.0)
    np.testing.assert_array_equal(np.isnan(profile.height_nm), np.abs(profile.x_px - 30) > 10)


def test_a_fine_map_is_averaged_over_the_whole_width():
    fine = replace(placed(center_px=(30, 20)), height=np.tile([0.0, 1.0], (51, 51))[:, :101])
    profile = sample_map(fine, (30, 18), (30, 22), pixel_size_nm=40.0, width_px=1.0)
    # 20 map pixels fit into the width of one image pixel, half of them at 1 nm.
    np.testing.assert_allclose(profile.height_nm, 0.5, atol=0.06)
    assert (profile.count == 20).all()


def test_both_ends_of_a_line_are_points() -> None:
    plane = np.arange(50.0)[None, :].repeat(40, axis=0)
    profile = sample(plane, (1.3, 2.0), (40.9, 30.7), pixel_size_nm=3.0)
    assert profile.distance_nm[-1] == 3.0 * math.dist(
        (1.3, 2.0), (40.9, 30.7)
    )  # to the last bit: a cursor stands there
    assert profile.height_nm[[0, -1]] == pytest.approx([1.3, 40.9])
    steps = np.diff(profile.distance_nm)
    assert steps == pytest.approx(steps[0])
    assert steps[0] <= 3.0
