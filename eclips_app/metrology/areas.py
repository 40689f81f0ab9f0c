"""The pixels inside a shape."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.metrology.profile import Floats

_ROUND = 720  #: corners of a circle


def outline(shape: Shape) -> Floats:
    """Give the corners [corner, 2] (col, row) of the polygon that bounds a shape; a line's or polyline's band is its width.

    Raises
    ------
    EclipsError
        If the shape has no area.
    """
    points = np.asarray(shape.points_px, dtype=float)
    if shape.kind == "polygon":
        return points
    if shape.kind == "rectangle":
        (a, b), (c, d) = points
        return np.array([(a, b), (c, b), (c, d), (a, d)])
    if shape.kind == "circle":
        radius = math.dist(*points)
        turn = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
        round_it: Floats = points[0] + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return round_it
    if shape.kind == "line":
        along = points[1] - points[0]
        length = float(np.hypot(*along))
        if length > 0:
            across = np.array([-along[1], along[0]]) / length * shape.width_px / 2
            return np.array([points[0] - across, points[1] - across, points[1] + across, points[0] + across])
    raise EclipsError(f"a {shape.kind} encloses no area", hint="Draw a rectangle, a circle or a polygon.")


def within(corners: Floats, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Give the pixels [row, col] of an array of `shape` whose centres lie inside a polygon, or on its left or upper edge.

    `corners` [corner, 2] are (col, row); what crosses itself is inside where its outline is crossed an odd number of times.
    """
    found = np.zeros(shape, dtype=bool)
    columns = np.arange(shape[1])
    closed = np.concatenate([corners, corners[:1]])
    first = max(0, math.ceil(corners[:, 1].min() - 1e-9))
    last = min(shape[0] - 1, math.floor(corners[:, 1].max() + 1e-9))
    y0, y1 = closed[:-1, 1], closed[1:, 1]
    x0, x1 = closed[:-1, 0], closed[1:, 0]
    top = corners[:, 1].max()
    for row in range(first, last + 1):
        at = min(row, top - 1e-9)  # pixels on the lowest edge belong to the area, as those on the other three do
        cut = (y0 <= at) != (y1 <= at)
        x = x0[cut] + (at - y0[cut]) / (y1[cut] - y0[cut]) * (x1[cut] - x0[cut])
        for left, right in np.sort(x).reshape(-1, 2):
            found[row] |= (columns >= left - 1e-9) & (columns <= right + 1e-9)
    return found


def inside(shape: Shape, size: tuple[int, int], origin_px: tuple[float, float] = (0, 0)) -> NDArray[np.bool_]:
    """Give the pixels [row, col] of an array of `size` whose centres lie inside a shape or on its edge.

    `origin_px` (row, col) is the pixel of the uncropped image that is the array's first.
    """
    return within(outline(shape) - np.array([origin_px[1], origin_px[0]], dtype=float), size)
