"""Profiles along shapes: where they run, what they average, on which map."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.metrology import path, profile
from eclips_app.metrology.deviations import Deviations
from eclips_app.model.items import HeightMap

R, C = np.mgrid[:60, :80].astype(float)


def sampled(shape, height=C, **given_):
    return path.sample_shape(height, shape, **{"pixel_size_nm": 2.0, **given_})


@given(
    st.tuples(*[st.floats(5, 50)] * 4).filter(lambda p: math.dist(p[:2], p[2:]) > 1),
    st.floats(0.5, 6),
    st.sampled_from([None, 0.7, 2.0]),
)
def test_a_line_is_what_profile_sample_gives(points, width, step):
    start, end = points[:2], points[2:]
    height = np.sin(C / 7) + np.cos(R / 5)
    given_ = {"pixel_size_nm": 2.0, "step_px": step, "origin_px": (3, 4), "std": 0.1 + height**2}
    straight = profile.sample(height, start, end, width_px=width, **given_)
    along = path.sample_shape(height, Shape("line", (start, end), width), **given_)
    for name in ("distance_nm", "height_nm", "std_nm", "spread_nm", "x_px", "y_px"):
        np.testing.assert_allclose(getattr(along, name), getattr(straight, name), atol=1e-9)


def test_a_polyline_turns_at_its_corners():
    found = sampled(Shape("polyline", ((10, 10), (30, 10), (30, 25))), height=C + 100 * R)
    assert found.distance_nm[-1] == pytest.approx(2 * 35)
    at = np.interp([0, 40, 70], found.distance_nm, found.height_nm)
    np.testing.assert_allclose(at, [10 + 1000, 30 + 1000, 30 + 2500], atol=1e-9)
    assert path.length_px(Shape("polyline", ((10, 10), (30, 10), (30, 25)))) == pytest.approx(35)


def test_corners_drawn_twice_do_no_harm():
    twice = sampled(Shape("polyline", ((10, 10), (10, 10), (30, 10), (30, 10))))
    once = sampled(Shape("line", ((10, 10), (30, 10))))
    np.testing.assert_allclose(twice.height_nm, once.height_nm)


def test_a_circle_runs_counter_clockwise_from_its_point_and_closes():
    shape = Shape("circle", ((40, 30), (50, 30)))
    found = sampled(shape)
    step = found.distance_nm[1]
    assert found.distance_nm[-1] + step == pytest.approx(2 * math.pi * 10 * 2)
    quarter = round(len(found) / 4)
    assert found.x_px[0] == pytest.approx(50)
    assert (found.x_px[quarter], found.y_px[quarter]) == pytest.approx((40, 20), abs=0.3)  # up is where rows are fewer
    np.testing.assert_allclose(np.hypot(found.x_px - 40, found.y_px - 30), 10, atol=1e-9)


def test_across_a_circle_radii_are_averaged():
    distance = np.hypot(C - 40, R - 30) ** 2
    found = sampled(Shape("circle", ((40, 30), (52, 30)), 5.0), height=distance)
    across = 12 + np.arange(-2, 3)
    np.testing.assert_allclose(found.height_nm.mean(), (across**2).mean(), rtol=3e-3)  # linear between pixels


def test_a_rectangle_averages_over_its_shorter_side():
    height = C + R**2
    wide = sampled(Shape("rectangle", ((10, 20), (50, 30))), height=height)
    line = sampled(Shape("line", ((10, 25), (50, 25)), 10.0), height=height)
    np.testing.assert_allclose(wide.height_nm, line.height_nm)
    tall = sampled(Shape("rectangle", ((10, 10), (20, 50))), height=R)
    np.testing.assert_allclose(tall.height_nm, np.linspace(10, 50, len(tall)))


def test_a_fixed_step_is_kept():
    found = sampled(Shape("polyline", ((10, 10), (30, 10), (30, 25))), step_px=4)
    np.testing.assert_allclose(np.diff(found.distance_nm), 8.0)
    assert 8 * (len(found) - 1) <= 70


def test_pixels_that_are_not_square():
    found = path.sample_shape(R, Shape("line", ((10, 10), (10, 30))), pixel_size_nm=(2.0, 6.0))
    assert found.distance_nm[-1] == pytest.approx(20 * 6)
    np.testing.assert_allclose(found.height_nm, 10 + found.distance_nm / 6)
    around = path.sample_shape(R, Shape("circle", ((40, 30), (55, 30))), pixel_size_nm=(2.0, 6.0))
    away = np.hypot(2 * (around.x_px - 40), 6 * (around.y_px - 30))
    np.testing.assert_allclose(away, 30, atol=1e-9)  # round in nm


def test_deviations_are_sampled_along():
    maps = np.stack([np.full(R.shape, 0.5), C / 100]).astype(np.float32)
    deviations = Deviations(maps, (("noise", "draw 1"), ("geometry", "distance_mm")), 2.0, np.zeros(2))
    found = sampled(Shape("circle", ((40, 30), (50, 30))), deviations=deviations)
    np.testing.assert_allclose(found.deviations_nm[1], 2 * found.x_px / 100, rtol=1e-3)
    np.testing.assert_allclose(found.std_nm, np.hypot(1.0, found.x_px / 50), rtol=1e-3)


def test_shapes_on_a_placed_map():
    placed = HeightMap("m", "AFM", C.copy(), (1.0, 1.0), center_px=(30.0, 20.0), rotation_deg=90.0, z_offset_nm=7.0)
    shape = Shape("line", ((30, 25), (30, 15)))  # upwards in the image, which is to the map's right
    found = path.sample_map_shape(placed, shape, pixel_size_nm=2.0)
    np.testing.assert_allclose(found.height_nm, 39.5 - 10 + found.distance_nm + 7, atol=1e-9)
    sloped = path.sample_map_shape(replace(placed, z_slope=(0.0, 0.1)), shape, pixel_size_nm=2.0)
    np.testing.assert_allclose(sloped.height_nm - found.height_nm, 0.1 * (found.distance_nm - 10), atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape("polygon", ((1, 1), (5, 5), (9, 1))), "polygon"),
        (Shape("line", ((1, 1), (1, 1))), "no length"),
        (Shape("circle", ((40, 30), (41, 30)), 9.0), "circle"),
        (Shape("rectangle", ((3, 3), (3, 3))), "no length"),
        (Shape("circle", ((0, 0), (0, 5e-324))), "no length"),
        (Shape("circle", ((0, 0), (0, 4.6e-197))), "no length"),
    ],
)
def test_refusals(shape, words):
    with pytest.raises(EclipsError, match=words):
        sampled(shape)
