"""Which pixels lie inside a shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.metrology.areas import inside


def test_a_rectangle_holds_its_edges_and_moves_with_the_origin():
    found = inside(Shape("rectangle", ((12, 7), (15, 9))), (20, 20), (5, 10))
    expected = np.zeros((20, 20), bool)
    expected[2:5, 2:6] = True
    np.testing.assert_array_equal(found, expected)


def test_a_circle_has_its_area():
    found = inside(Shape("circle", ((50.3, 49.8), (90.3, 49.8))), (100, 101))
    assert found.sum() == pytest.approx(math.pi * 40**2, rel=2e-3)
    assert found[50, 50]
    assert not found[5, 5]


def test_a_line_is_the_band_of_its_width():
    found = inside(Shape("line", ((10, 20.5), (29, 20.5)), 4.0), (40, 40))
    assert found.sum() == 20 * 4


@given(st.lists(st.tuples(st.floats(0.01, 29.99), st.floats(0.01, 29.99)), min_size=3, max_size=8, unique=True))
def test_polygons_as_scikit_image_fills_them(points):
    ours = inside(Shape("polygon", tuple(points)), (30, 30))
    theirs = polygon2mask((30, 30), np.array(points)[:, ::-1])
    r, c = np.nonzero(ours != theirs)
    ends = np.array([*points, points[0]])
    for row, column in zip(r, c, strict=True):  # pixels on the outline may belong to either side
        p, a, b = np.array([column, row]), ends[:-1], ends[1:]
        along = b - a
        t = np.clip(((p - a) * along).sum(1) / np.maximum((along**2).sum(1), 1e-300), 0, 1)
        assert np.hypot(*(a + t[:, None] * along - p).T).min() < 1e-6


def test_a_polyline_has_no_area():
    with pytest.raises(EclipsError, match="no area"):
        inside(Shape("polyline", ((0, 0), (5, 5), (9, 0))), (10, 10))
