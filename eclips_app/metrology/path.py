"""Profiles along shapes: lines, polylines, circles and rectangles, on the image's own height map or on a placed one.

A rectangle's profile runs along its longer side and is averaged over the other, as a line along its middle as wide as it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.metrology import profile as straight
from eclips_app.metrology.deviations import Deviations, Footprint
from eclips_app.metrology.placement import PlacedMap, Placement
from eclips_app.metrology.profile import MAX_ACROSS, MAX_POINTS, SHORTEST_PX, Floats, Method, Profile


@dataclass(frozen=True, eq=False)
class Path:
    """Where a profile is sampled: distances [along] from its start and points [across, along], all in pixels of the image."""

    along: Floats
    columns: Floats
    rows: Floats


def trace(shape: Shape, *, step_px: float | None = None, finest_px: float = 1.0, aspect: float = 1.0) -> Path:
    """Give the points of the profile along a shape.

    Parameters
    ----------
    shape : Shape
    step_px : float, optional
        Distance of the points; the last lies less than a step before the end. If not given, the ends are points and
        between them are equal steps of at most `finest_px`. Around a circle the step is made to divide it.
    finest_px : float
        Longest distance of samples across the width, and along it where no step is given.
    aspect : float
        Height of a pixel by its width; lengths are in pixels along a row.

    Raises
    ------
    EclipsError
        If the shape has no profile (a polygon) or no length, or a number makes no sense.
    """
    points = np.asarray(shape.points_px, dtype=float) * (1.0, aspect)
    width = shape.width_px
    if shape.kind == "polygon":
        raise EclipsError(
            "a polygon marks an area and has no profile", hint="Draw a line, polyline, circle or rectangle."
        )
    if shape.kind == "rectangle":
        points, width = _middle_line(points)
    ends = _positions(points, shape.kind, step_px, finest_px)
    across = _strips(width, finest_px)
    found = _around(points, ends, across) if shape.kind == "circle" else _along(points, ends, across)
    return replace(found, rows=found.rows / aspect)


def sample_shape(
    height: NDArray[np.floating],
    shape: Shape,
    *,
    pixel_size_nm: float | tuple[float, float],
    step_px: float | None = None,
    origin_px: tuple[float, float] = (0, 0),
    mask: NDArray[np.bool_] | None = None,
    std: NDArray[np.floating] | None = None,
    deviations: Deviations | None = None,
    method: Method = "linear",
) -> Profile:
    """Sample a height map along a shape; parameters and result as in `profile.sample`.

    `pixel_size_nm` may be (x, y); steps and widths are then in pixels along a row.

    Raises
    ------
    EclipsError
        As in `profile.sample`; or if the shape has no profile.
    """
    size = pixel_size_nm if isinstance(pixel_size_nm, tuple) else (pixel_size_nm, pixel_size_nm)
    straight.check_arrays(height, mask, std, min(size))
    if deviations is not None and deviations.maps.shape[1:] != height.shape:
        raise EclipsError(f"the deviations have the shape {deviations.maps.shape[1:]}, the height map {height.shape}")
    path = trace(shape, step_px=step_px, aspect=size[1] / size[0])
    local = path.columns - origin_px[1], path.rows - origin_px[0]
    values = straight.interpolate(height, *local, mask=mask, method=method)
    if deviations is not None:
        found = straight.averaged(path.along * size[0], values, None, path.columns, path.rows)
        return straight.with_deviations(found, deviations, Footprint.bilinear(height.shape, *local, ~np.isnan(values)))
    sigma = None if std is None else np.where(np.isnan(values), np.nan, straight.interpolate(std, *local))
    return straight.averaged(path.along * size[0], values, sigma, path.columns, path.rows)


def sample_map_shape(
    placed: PlacedMap,
    shape: Shape,
    *,
    pixel_size_nm: float,
    step_px: float | None = None,
    method: Method = "linear",
) -> Profile:
    """Sample a placed height map along a shape drawn in the image; parameters and result as in `profile.sample_map`.

    Raises
    ------
    EclipsError
        As in `sample_shape`.
    """
    straight.check_arrays(placed.height, None, None, pixel_size_nm)
    finest = min(1.0, *(size / pixel_size_nm for size in placed.pixel_size_nm))
    path = trace(shape, step_px=step_px, finest_px=finest)
    place = Placement.of(placed, pixel_size_nm)
    values = straight.interpolate(placed.height, *place.to_map(path.columns, path.rows), method=method)
    values += place.height_added(path.columns, path.rows)
    return straight.averaged(path.along * pixel_size_nm, values, None, path.columns, path.rows)


def length_px(shape: Shape) -> float:
    """Length in pixels of the profile along a shape; 0 of a polygon, which has none."""
    points = np.asarray(shape.points_px, dtype=float)
    if shape.kind == "polygon":
        return 0.0
    if shape.kind == "rectangle":
        points, _ = _middle_line(points)
    return _length(points, shape.kind)


def _middle_line(points: Floats) -> tuple[Floats, float]:
    """Give the line along the middle of a rectangle, in the direction of its longer side, and its width."""
    (a, b), (c, d) = points
    if abs(c - a) >= abs(d - b):
        return np.array([(a, (b + d) / 2), (c, (b + d) / 2)]), abs(d - b)
    return np.array([((a + c) / 2, b), ((a + c) / 2, d)]), abs(c - a)


def _length(points: Floats, kind: str) -> float:
    if kind == "circle":
        return 2 * math.pi * math.dist(*points)
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _positions(points: Floats, kind: str, step: float | None, finest: float) -> Floats:
    """Give the distances of the points from the profile's start."""
    length = _length(points, kind)
    if not (math.isfinite(length) and length >= SHORTEST_PX):
        raise EclipsError("the profile line has no length", hint="Draw it between two different points.")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise EclipsError(f"a step of {step:g} px along the profile is not possible", hint="Give a number above 0.")
    if kind == "circle":
        steps = min(max(round(length / step) if step else math.ceil(length / finest - 1e-9), 8), MAX_POINTS)
        return np.linspace(0.0, length, steps, endpoint=False)
    if step is None:
        steps = min(max(math.ceil(length / finest - 1e-9), 1), MAX_POINTS)
        return np.linspace(0.0, length, steps + 1)
    step = max(step, length / MAX_POINTS)
    return np.arange(math.floor(length / step + 1e-9) + 1, dtype=np.float64) * step


def _strips(width: float, finest: float) -> Floats:
    """Give how far each strip across the width is from the middle."""
    if not (math.isfinite(width) and width >= 0):
        raise EclipsError(f"a profile width of {width:g} px is not possible", hint="Give a number of 0 or more.")
    strips = min(max(math.ceil(width / finest - 1e-9), 1), MAX_ACROSS)
    found: Floats = (np.arange(strips, dtype=np.float64) - (strips - 1) / 2)[:, None] * float(width / strips)
    return found


def _along(points: Floats, along: Floats, across: Floats) -> Path:
    """Give the points of a polyline; strips run parallel to each of its parts."""
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    steps, lengths, starts = steps[lengths > 0], lengths[lengths > 0], points[:-1][lengths > 0]
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    part = np.clip(np.searchsorted(ends, along, side="right") - 1, 0, len(lengths) - 1)
    ux, uy = (steps / lengths[:, None])[part].T
    rest = along - ends[part]
    x, y = starts[part, 0] + ux * rest, starts[part, 1] + uy * rest
    return Path(along, x - uy * across, y + ux * across)


def _around(points: Floats, along: Floats, across: Floats) -> Path:
    """Give the points of a circle, counter-clockwise as seen (rows run downwards); strips are circles within it."""
    (x0, y0), (x1, y1) = points
    radius = math.hypot(x1 - x0, y1 - y0)
    if across[-1, 0] >= radius:
        raise EclipsError(
            "the circle is narrower than the width across its line", hint="Draw it larger or narrow the width."
        )
    turn = math.atan2(y0 - y1, x1 - x0) + along / radius
    away = radius + across
    return Path(along, x0 + away * np.cos(turn), y0 - away * np.sin(turn))
