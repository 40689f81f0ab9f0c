"""Where an object lies in the image, as an outline with points to drag; points are (col, row) of the uncropped image."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from eclips_app.core.calibration import Facets, Flat, Indent, Observation, Sphere

Point = tuple[float, float]
Area = tuple[int, int, int, int]  #: first row, first column, end row, end column
LEAST_PX = 4  #: of an area's side
_LEAST_RADIUS_PX = 5.0
ShapeT = TypeVar("ShapeT", Sphere, Indent)


def handles(observation: Observation) -> dict[str, Point]:
    """Give the points that can be dragged, by name."""
    sphere, indent = observation.sphere, observation.indent
    if sphere is not None and sphere.center_px is not None:
        row, col = sphere.center_px
        rim = {"rim": (col + sphere.radius_px, row)} if sphere.radius_px is not None else {}
        return {"center": (col, row), **rim}
    if indent is not None and indent.center_px is not None:
        row, col = indent.center_px
        found = corners(indent)
        return {"center": (col, row), **({"corner": found[0]} if found else {})}
    points: dict[str, Point] = {}
    for i, (top, left, bottom, right) in enumerate(areas(observation)):
        points[f"{i}:tl"], points[f"{i}:br"] = (left - 0.5, top - 0.5), (right - 0.5, bottom - 0.5)
        points[f"{i}:center"] = ((left + right - 1) / 2, (top + bottom - 1) / 2)
    return points


def moved(observation: Observation, name: str, point: Point, shape: tuple[int, int]) -> Observation:
    """Give the observation with one point dragged elsewhere; `shape` [rows, columns] keeps areas inside the image."""
    if observation.sphere is not None:
        return replace(observation, sphere=_moved_round(observation.sphere, name, point))
    if observation.indent is not None:
        indent = _moved_round(observation.indent, name, point)
        if name == "corner":
            indent = replace(indent, rotation_deg=_rotation(indent, point))
        return replace(observation, indent=indent)
    number, _, place = name.partition(":")
    changed = list(areas(observation))
    changed[int(number)] = _moved_area(changed[int(number)], place, point, shape)
    return with_areas(observation, tuple(changed))


def drawn(observation: Observation, start: Point, end: Point, shape: tuple[int, int]) -> Observation:
    """Give the observation with the object drawn by hand, from its middle outwards or from corner to corner of an area."""
    center, radius = (start[1], start[0]), max(math.dist(start, end), _LEAST_RADIUS_PX)
    if observation.sphere is not None:
        return replace(observation, sphere=replace(observation.sphere, center_px=center, radius_px=radius))
    if observation.indent is not None:
        indent = replace(observation.indent, center_px=center, radius_px=radius)
        return replace(observation, indent=replace(indent, rotation_deg=_rotation(indent, end)))
    (top, bottom), (left, right) = sorted((start[1], end[1])), sorted((start[0], end[0]))
    area = inside((round(top), round(left), round(bottom), round(right)), shape)
    if observation.flat is not None:
        return with_areas(observation, (area,))
    return with_areas(observation, (*areas(observation), area))


def areas(observation: Observation) -> tuple[Area, ...]:
    """Give the areas of a flat or of facets."""
    if observation.flat is not None and any(observation.flat.area):
        return (observation.flat.area,)
    return observation.facets.areas if observation.facets is not None else ()


def with_areas(observation: Observation, changed: tuple[Area, ...]) -> Observation:
    """Give the observation with other areas; the azimuths of facets are found anew if there is another number of them."""
    if observation.flat is not None:
        return replace(observation, flat=Flat(changed[0] if changed else (0, 0, 0, 0)))
    facets = observation.facets or Facets()
    azimuths = facets.azimuths_deg if len(changed) == len(facets.areas) else ()
    return replace(observation, facets=replace(facets, areas=changed, azimuths_deg=azimuths))


def corners(indent: Indent) -> list[Point]:
    """Give the four corners of an imprint, the first between faces 0 and 1; none while it is not found."""
    if indent.center_px is None or indent.radius_px is None or indent.rotation_deg is None:
        return []
    (row, col), radius = indent.center_px, indent.radius_px
    turns = [math.radians(indent.rotation_deg + 45.0 + 90.0 * k) for k in range(4)]
    return [(col + radius * math.cos(turn), row - radius * math.sin(turn)) for turn in turns]


def inside(area: Area, shape: tuple[int, int]) -> Area:
    """Keep an area within the image and not smaller than some pixels."""
    (top, bottom), (left, right) = (
        _span(first, end, size) for first, end, size in ((area[0], area[2], shape[0]), (area[1], area[3], shape[1]))
    )
    return top, left, bottom, right


def _moved_round(object_: ShapeT, name: str, point: Point) -> ShapeT:
    if name == "center":
        return replace(object_, center_px=(point[1], point[0]))
    assert object_.center_px is not None  # there is no other handle without one
    row, col = object_.center_px
    return replace(object_, radius_px=max(math.dist((col, row), point), _LEAST_RADIUS_PX))


def _rotation(indent: Indent, corner: Point) -> float:
    """Give the azimuth of face 0 for a corner at a point: the one nearest to before, so that the faces keep their numbers."""
    assert indent.center_px is not None  # a corner is only dragged about a centre
    row, col = indent.center_px
    azimuth = math.degrees(math.atan2(row - corner[1], corner[0] - col)) - 45.0
    before = indent.rotation_deg or 0.0
    return azimuth + 90.0 * round((before - azimuth) / 90.0)


def _moved_area(area: Area, place: str, point: Point, shape: tuple[int, int]) -> Area:
    top, left, bottom, right = area
    col, row = round(point[0] + 0.5), round(point[1] + 0.5)
    if place == "tl":
        return inside((min(row, bottom - LEAST_PX), min(col, right - LEAST_PX), bottom, right), shape)
    if place == "br":
        return inside((top, left, max(row, top + LEAST_PX), max(col, left + LEAST_PX)), shape)
    rows, columns = bottom - top, right - left
    top = min(max(round(point[1] - (rows - 1) / 2), 0), shape[0] - rows)
    left = min(max(round(point[0] - (columns - 1) / 2), 0), shape[1] - columns)
    return top, left, top + rows, left + columns


def _span(first: int, end: int, size: int) -> tuple[int, int]:
    least = min(LEAST_PX, size)
    first = min(max(first, 0), size - least)
    return first, min(max(end, first + least), size)
