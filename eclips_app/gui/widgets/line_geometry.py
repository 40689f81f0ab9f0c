"""Geometry of profile lines and placed maps in pixels (col, row), rows counted downwards; angles counter-clockwise as seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eclips_app.metrology.placement import Placement
from eclips_app.model.items import HeightMap

Point = tuple[float, float]

SNAP_DEG = 15.0


@dataclass(frozen=True)
class Bounds:
    """First and last pixel centres of an image."""

    left: float
    top: float
    right: float
    bottom: float

    def clamp(self, point: Point) -> Point:
        """Give the nearest point inside."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.top), self.bottom)


def angle_deg(start: Point, end: Point) -> float:
    """Give the direction from start to end: 0 is image right, 90 image up."""
    return math.degrees(math.atan2(start[1] - end[1], end[0] - start[0]))


def polar(start: Point, length: float, angle: float) -> Point:
    """Give the point at a length and direction (deg) from `start`."""
    turn = math.radians(angle)
    return start[0] + length * math.cos(turn), start[1] - length * math.sin(turn)


def snapped(fixed: Point, moving: Point) -> Point:
    """Turn the moving end to the nearest multiple of 15° about the fixed one; the length is kept."""
    angle = round(angle_deg(fixed, moving) / SNAP_DEG) * SNAP_DEG
    return polar(fixed, math.dist(fixed, moving), angle)


def shifted(start: Point, end: Point, dx: float, dy: float) -> tuple[Point, Point]:
    """Move a line."""
    return (start[0] + dx, start[1] + dy), (end[0] + dx, end[1] + dy)


def turned(start: Point, end: Point, by_deg: float) -> tuple[Point, Point]:
    """Turn a line about its middle."""
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    half, angle = math.dist(start, end) / 2, angle_deg(start, end) + by_deg
    return polar(middle, -half, angle), polar(middle, half, angle)


def stretched(start: Point, end: Point, by_px: float) -> tuple[Point, Point]:
    """Change a line's length, its middle fixed; it stays 1 px long at least."""
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    half, angle = max(math.dist(start, end) + by_px, 1.0) / 2, angle_deg(start, end)
    return polar(middle, -half, angle), polar(middle, half, angle)


def distance_to_line(point: Point, start: Point, end: Point) -> float:
    """Give the distance of a point from a stretch."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    square = dx * dx + dy * dy
    t = ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / square if square else 0.0
    t = min(max(t, 0.0), 1.0)
    return math.dist(point, (start[0] + t * dx, start[1] + t * dy))


def distance_across(point: Point, start: Point, end: Point) -> float:
    """Give the distance of a point from the endless line through two points."""
    length = math.dist(start, end)
    cross = (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
    return abs(cross) / length if length else math.dist(point, start)


def strip_corners(start: Point, end: Point, width: float) -> list[Point]:
    """Give the corners of the strip that a line of some width averages over."""
    length = math.dist(start, end) or 1.0
    nx, ny = (start[1] - end[1]) / length * width / 2, (end[0] - start[0]) / length * width / 2
    return [
        (start[0] + nx, start[1] + ny),
        (end[0] + nx, end[1] + ny),
        (end[0] - nx, end[1] - ny),
        (start[0] - nx, start[1] - ny),
    ]


def map_corners(placed: HeightMap, pixel_size_nm: float) -> list[Point]:
    """Give the outer corners of a placed map in image pixels: top left, top right, bottom right, bottom left."""
    return list(Placement.of(placed, pixel_size_nm).corners())
