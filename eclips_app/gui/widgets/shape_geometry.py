"""Geometry of drawn shapes in pixels (col, row), rows counted downwards: outlines, bands, handles, and what moves them.

A shape is a kind and its points (see `core.shapes`); every function that changes one gives new points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.shapes import SHAPES
from eclips_app.gui.widgets import line_geometry as geometry
from eclips_app.gui.widgets.line_geometry import Point

Points = tuple[Point, ...]

WITH_WIDTH = ("line", "polyline", "circle")  #: kinds whose profile is averaged over a width of their own
WITH_PROFILE = ("line", "polyline", "circle", "rectangle")
OPEN_ENDED = ("polyline", "polygon")  #: kinds with as many corners as one likes
TITLES = {"line": "Line", "polyline": "Polyline", "circle": "Circle", "rectangle": "Rectangle", "polygon": "Area"}
_AROUND = 96  #: corners that a circle is drawn with
_SHORTEST_PX = 1.0  #: shapes stay this large at least


def outline(kind: str, points: Sequence[Point]) -> list[Point]:
    """Give the corners of what is drawn, in order; the last is the first again where the shape is closed."""
    if kind == "circle":
        (x, y), radius = points[0], math.dist(points[0], points[1])
        first = math.radians(geometry.angle_deg(points[0], points[1]))
        turns = [first + 2 * math.pi * i / _AROUND for i in range(_AROUND + 1)]
        return [(x + radius * math.cos(turn), y - radius * math.sin(turn)) for turn in turns]
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    return [*points, points[0]] if kind == "polygon" else list(points)


def bands(kind: str, points: Sequence[Point], width_px: float) -> list[list[Point]]:
    """Give the outlines of what a profile averages over; of a circle's ring the outer and the inner one."""
    if kind == "rectangle":
        return [outline(kind, points)]
    if kind not in WITH_WIDTH or width_px <= 1:
        return []
    if kind == "circle":
        radius = math.dist(*points)
        reach = [radius + width_px / 2, max(radius - width_px / 2, 0.0)]
        toward = geometry.angle_deg(points[0], points[1])
        return [outline(kind, (points[0], geometry.polar(points[0], length, toward))) for length in reach]
    pairs = itertools.pairwise(points)
    return [geometry.strip_corners(start, end, width_px) for start, end in pairs]


def length_px(kind: str, points: Sequence[Point]) -> float:
    """Give the length of the profile; of an area its circumference."""
    if kind == "rectangle":
        return max(abs(points[1][0] - points[0][0]), abs(points[1][1] - points[0][1]))
    if kind == "circle":
        return 2 * math.pi * math.dist(*points)
    corners = outline(kind, points)
    return sum(math.dist(one, other) for one, other in itertools.pairwise(corners))


def dense(kind: str, points: Sequence[Point], step_px: float = 0.5) -> NDArray[np.float64]:
    """Give points [n, 2] along the outline, so close that they can be laid over a surface."""
    corners = np.array(outline(kind, points))
    parts = []
    for start, end in itertools.pairwise(corners):
        steps = max(1, round(math.dist(start, end) / step_px))
        parts.append(start + (end - start) * (np.arange(steps) / steps)[:, None])
    return np.concatenate([*parts, corners[-1:]])


def distance_to(kind: str, points: Sequence[Point], point: Point) -> float:
    """Give the distance of a point from the outline."""
    corners = outline(kind, points)
    return min(geometry.distance_to_line(point, a, b) for a, b in itertools.pairwise(corners))


def width_from(kind: str, points: Sequence[Point], point: Point) -> float:
    """Give the distance across the profile of a point from it: half the width whose edge goes through the point."""
    if kind == "circle":
        return abs(math.dist(points[0], point) - math.dist(*points))
    return geometry.distance_across(point, points[0], points[1])


def width_handle(kind: str, points: Sequence[Point], away_px: float) -> Point:
    """Give the place `away_px` beside the profile where its width is taken hold of."""
    if kind == "circle":
        turn = geometry.angle_deg(points[0], points[1]) + 180.0
        return geometry.polar(points[0], math.dist(*points) + away_px, turn)
    (x0, y0), (x1, y1) = points[:2]
    length = math.dist(points[0], points[1]) or 1.0
    return (x0 + x1) / 2 + (y0 - y1) / length * away_px, (y0 + y1) / 2 + (x1 - x0) / length * away_px


def handles(kind: str, points: Sequence[Point]) -> list[Point]:
    """Give where a shape is reshaped: its points, of a rectangle all four corners."""
    return outline(kind, points)[:4] if kind == "rectangle" else list(points)


def with_handle(kind: str, points: Points, index: int, point: Point, *, snap: bool) -> Points:
    """Put a handle elsewhere.

    With `snap`, a line's segment keeps to steps of 15° about its other end, a rectangle is a square, and a circle has a radius
    of whole pixels and starts at a step of 15°. A circle's centre takes the whole circle along.
    """
    if kind == "rectangle":
        # A corner's opposite stays: corners 0 and 2 are the points, 1 and 3 take a side of each.
        fixed = handles(kind, points)[(index + 2) % 4]
        moved = square(fixed, point) if snap else point
        return _rectangle(fixed, moved, index)
    if kind == "circle":
        if index == 0:
            return moved_by(points, point[0] - points[0][0], point[1] - points[0][1])
        return points[0], round_step(points[0], point) if snap else point
    if snap:
        fixed = points[index - 1] if index else points[1]
        point = geometry.snapped(fixed, point)
    return (*points[:index], point, *points[index + 1 :])


def snapped_next(kind: str, fixed: Point, point: Point) -> Point:
    """Give the point that ends a new side from `fixed` while snapping."""
    if kind == "rectangle":
        return square(fixed, point)
    return round_step(fixed, point) if kind == "circle" else geometry.snapped(fixed, point)


def square(fixed: Point, point: Point) -> Point:
    """Give the corner of a square opposite `fixed`, its side the longer one."""
    dx, dy = point[0] - fixed[0], point[1] - fixed[1]
    side = max(abs(dx), abs(dy))
    return fixed[0] + math.copysign(side, dx), fixed[1] + math.copysign(side, dy)


def round_step(center: Point, point: Point) -> Point:
    """Give the point of a circle with a radius of whole pixels that lies at a step of 15°."""
    angle = round(geometry.angle_deg(center, point) / geometry.SNAP_DEG) * geometry.SNAP_DEG
    return geometry.polar(center, max(1.0, round(math.dist(center, point))), angle)


def moved_by(points: Points, dx: float, dy: float) -> Points:
    """Move all points."""
    return tuple((x + dx, y + dy) for x, y in points)


def turned(kind: str, points: Points, by_deg: float) -> Points:
    """Turn a shape about its middle, a circle's start about its centre; a rectangle stays along the axes."""
    if kind == "rectangle":
        return points
    pivot = middle(kind, points)
    return tuple(
        point if point == pivot
        else geometry.polar(pivot, math.dist(pivot, point), geometry.angle_deg(pivot, point) + by_deg)
        for point in points
    )  # fmt: skip


def stretched(kind: str, points: Points, by_px: float) -> Points:
    """Make a shape longer by `by_px` about its middle; of a circle the radius grows."""
    pivot = middle(kind, points)
    length = math.dist(points[0], points[1]) if kind in ("line", "circle") else max(_extent(points))
    factor = max(length + by_px, _SHORTEST_PX) / max(length, 1e-9)
    return tuple((pivot[0] + factor * (x - pivot[0]), pivot[1] + factor * (y - pivot[1])) for x, y in points)


def middle(kind: str, points: Sequence[Point]) -> Point:
    """Give the centre of a circle, the middle of the extent of anything else."""
    if kind == "circle":
        return points[0]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def is_possible(kind: str, points: Sequence[Point]) -> bool:
    """Whether the points make a shape that is not too small to be seen."""
    if len(points) < SHAPES[kind][0]:
        return False
    if kind == "rectangle":
        return min(_extent(points)) >= _SHORTEST_PX
    return max(_extent(points)) >= _SHORTEST_PX


def with_corner(kind: str, points: Points, point: Point) -> Points:
    """Put a new corner into the side that is nearest to a point."""
    corners = outline(kind, points)
    sides = list(itertools.pairwise(corners))
    nearest = min(range(len(sides)), key=lambda i: geometry.distance_to_line(point, *sides[i]))
    return (*points[: nearest + 1], point, *points[nearest + 1 :])


def without_corner(kind: str, points: Points, index: int) -> Points:
    """Take a corner out, unless too few would be left."""
    left = (*points[:index], *points[index + 1 :])
    return left if is_possible(kind, left) else points


def facts(kind: str, points: Sequence[Point]) -> list[tuple[str, float, str]]:
    """Give what is said of a shape: word, figure, and its unit, "px", "px²" or "°"."""
    if kind == "circle":
        return [("radius", math.dist(*points), "px"), ("around", length_px(kind, points), "px")]
    if kind == "rectangle":
        width, height = _extent(points)
        return [("", width, "px"), ("×", height, "px")]
    if kind == "polygon":
        return [("area", _area(points), "px²")]
    found = [("", length_px(kind, points), "px")]
    return [*found, ("", geometry.angle_deg(points[0], points[-1]), "°")] if kind == "line" else found


def _rectangle(fixed: Point, moved: Point, index: int) -> Points:
    """Give the two points of a rectangle from a corner that moves and its opposite, each staying what it was."""
    if index == 0:
        return moved, fixed
    if index == 2:
        return fixed, moved
    # Corner 1 is (second's col, first's row), corner 3 (first's col, second's row).
    return ((fixed[0], moved[1]), (moved[0], fixed[1])) if index == 1 else ((moved[0], fixed[1]), (fixed[0], moved[1]))


def _extent(points: Sequence[Point]) -> tuple[float, float]:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return max(xs) - min(xs), max(ys) - min(ys)


def _area(points: Sequence[Point]) -> float:
    """Give the area of a polygon (the shoelace formula)."""
    pairs = zip(points, [*points[1:], points[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2
