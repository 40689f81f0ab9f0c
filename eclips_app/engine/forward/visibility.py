"""What one point of a surface sees: valid, exposed and visible angle.

*Valid*: directions in which an electron lands on a segment if nothing is in the way (the microscope alone). *Exposed*:
directions that the surface leaves open, ``t < t_max(f)`` in each azimuth f (the surface alone). *Visible*: both.

Numbers are given as solid angles and as parts of the electrons emitted after Lambert's law about the local normal n:
``(1/pi) Int T n.w dw`` over the directions in question, which is 1 for all directions above the tangent plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult, Visibility
from eclips_app.engine.acceptance import Acceptance, acceptance
from eclips_app.engine.optics import flight
from eclips_app.engine.optics.watch import watched

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Sky:
    """The sky of one point.

    Attributes
    ----------
    azimuth : array [f]
        Azimuths in radians, from +x toward +y.
    open_to : array [f]
        Polar angle in radians up to which the sky is open, at most pi/2 (``t_max``, tangent plane included).
    tangent : array [f]
        The same for the tangent plane alone.
    distance : array [f]
        Distance of what limits the sky, in units of the pixel; 0 for the tangent plane.
    normal : array [3]
        Local normal.
    """

    azimuth: Float
    open_to: Float
    tangent: Float
    distance: Float
    normal: Float


def visibility_step(inputs: Mapping[str, NDArray[Any]], params: Visibility, context: Context) -> StepResult:
    """Tell what one pixel sees; arrays as in `Visibility`.

    ``info``: ``row``, ``column``, ``height_nm``, the normal's ``tilt_deg`` and ``azimuth_deg``; ``exposed_sr``, ``exposed_share``
    (of the upper half space) and ``exposed_emission`` (of all emitted electrons); ``segments``, each with ``name``, ``valid_sr``,
    ``visible_sr``, ``visible_share`` (of valid), ``valid_emission`` (part of all emitted electrons that the segment would catch
    if only the tangent plane were in the way), ``visible_emission`` and ``visible_emission_share`` (of it). Shares of nothing
    are None.

    Raises
    ------
    EclipsError
        The pixel lies outside, or the height map has gaps.
    """
    height = np.asarray(inputs["height"], dtype=np.float64)
    _check(height, params)
    sky = look_up(height / params.pixel_size_nm, params.row, params.column, params.azimuths)
    context.check()
    effort = flight.DRAFT if params.draft else flight.FULL
    with watched(context.check):
        valid = acceptance(params.detector, params.polar_cells, params.azimuths, effort=effort)
    everything = Acceptance(valid.theta, valid.phi, np.ones((1, *valid.T.shape[1:])))
    arrays = {
        "valid": valid.T.astype(np.float32),
        "visible": (valid.T * _open_part(valid.theta, sky.open_to)).astype(np.float32),
        "theta_deg": np.rad2deg(valid.theta),
        "azimuth_deg": np.rad2deg(sky.azimuth),
        "horizon_deg": np.rad2deg(sky.open_to),
        "occluder_nm": sky.distance * params.pixel_size_nm,
    }
    names = [segment.name for segment in params.detector.quadrants]
    (exposed,) = _numbers(everything, sky, ["all"])
    nx, ny, nz = sky.normal
    info = {
        "row": params.row, "column": params.column, "height_nm": float(height[params.row, params.column]),
        "tilt_deg": float(np.rad2deg(np.arccos(nz))), "azimuth_deg": float(np.rad2deg(np.arctan2(ny, nx)) % 360.0),
        "exposed_sr": exposed["visible_sr"], "exposed_share": exposed["visible_share"],
        "exposed_emission": exposed["visible_emission"], "segments": _numbers(valid, sky, names),
    }  # fmt: skip
    return StepResult(arrays, info)


def look_up(height: Float, row: int, column: int, azimuths: int) -> Sky:
    """Find the sky of a pixel; heights in units of the pixel size.

    As in the renderer, the surface is taken along each azimuth where it crosses the grid's lines, between pixels it is
    linear, and beyond the border nothing stands in the way.
    """
    azimuth = np.asarray((np.arange(azimuths) + 0.5) * (2 * np.pi / azimuths), dtype=np.float64)
    right, down = np.cos(azimuth), -np.sin(azimuth)
    dx, dy = _slopes(height, row, column)
    tangent = dx * right - dy * down
    along_columns = np.abs(right) >= np.abs(down)
    slope, distance = np.empty(azimuths), np.empty(azimuths)
    for chosen, field, place, (major, minor) in (
        (along_columns, height, (row, column), (right, down)),
        (~along_columns, height.T, (column, row), (down, right)),
    ):
        slope[chosen], distance[chosen] = _steepest(field, place, major[chosen], minor[chosen])
    blocked = slope > tangent + 1e-9 * (1.0 + np.abs(tangent))  # a plane does not block itself by rounding
    highest = np.where(blocked, slope, tangent)
    normal: Float = np.array([-dx, -dy, 1.0]) / np.sqrt(dx**2 + dy**2 + 1.0)
    return Sky(
        azimuth,
        np.minimum(np.pi / 2 - np.arctan(highest), np.pi / 2),
        np.minimum(np.pi / 2 - np.arctan(tangent), np.pi / 2),
        np.where(blocked, distance, 0.0),
        normal,
    )


def _check(height: Float, params: Visibility) -> None:
    if height.ndim != 2 or min(height.shape) < 2:
        raise EclipsError(f"a height map of shape {height.shape} has no sky", hint="Give two rows and columns or more.")
    rows, columns = height.shape
    if params.row >= rows or params.column >= columns:
        raise EclipsError(f"row {params.row}, column {params.column} lies outside the {rows} x {columns} heights")
    if not np.isfinite(height).all():
        raise EclipsError("the height map has gaps", hint="Fill them first: an unknown height casts an unknown shadow.")


def _slopes(height: Float, row: int, column: int) -> tuple[float, float]:
    """Slopes to the right and upward, by the differences that the renderer takes (`numpy.gradient`)."""
    up, down = max(row - 1, 0), min(row + 1, height.shape[0] - 1)
    left, right = max(column - 1, 0), min(column + 1, height.shape[1] - 1)
    along_x = (height[row, right] - height[row, left]) / (right - left)
    along_y = (height[up, column] - height[down, column]) / (down - up)
    return float(along_x), float(along_y)


def _steepest(field: Float, place: tuple[int, int], major: Float, minor: Float) -> tuple[Float, Float]:
    """Give the largest slope to any point of the surface, and its distance, for azimuths nearer to the columns' direction.

    `major` and `minor` [f] are the components of the direction along columns and rows of `field`.
    """
    row, column = place
    rows, columns = field.shape
    step = np.arange(1, max(column, columns - 1 - column) + 1)
    line = column + np.sign(major).astype(int)[:, None] * step
    crossing = row + (minor / np.abs(major))[:, None] * step
    inside = (line >= 0) & (line < columns) & (crossing >= 0) & (crossing <= rows - 1)
    low = np.clip(crossing.astype(int), 0, rows - 2)
    line = np.clip(line, 0, columns - 1)
    part = crossing - low
    there = field[low, line] * (1.0 - part) + field[low + 1, line] * part
    length = step / np.abs(major)[:, None]
    slope = np.where(inside, (there - field[row, column]) / length, -np.inf)
    best = slope.argmax(axis=1)[:, None]
    return np.take_along_axis(slope, best, 1)[:, 0], np.take_along_axis(length, best, 1)[:, 0]


def _open_part(theta: Float, open_to: Float) -> Float:
    """Part of each polar cell above the horizon, [j, f]."""
    return np.asarray(np.clip((open_to - theta[:-1, None]) / np.diff(theta)[:, None], 0.0, 1.0))


def _numbers(table: Acceptance, sky: Sky, names: list[str]) -> list[dict[str, Any]]:
    """Solid angles and emission of each segment; see `visibility_step`."""
    solid = table.cumulate(-np.cos(table.theta)) * np.diff(table.phi)[:, None]
    moments = np.moveaxis(table.moments(sky.azimuth.size), 2, 0) @ sky.normal  # [k, f, j + 1]
    whole = np.full_like(sky.open_to, np.pi / 2)
    valid, visible = _at(solid, table.theta, whole), _at(solid, table.theta, sky.open_to)
    unshadowed, caught = _at(moments, table.theta, sky.tangent), _at(moments, table.theta, sky.open_to)
    return [
        {
            "name": name, "valid_sr": float(valid[k]), "visible_sr": float(visible[k]),
            "visible_share": _share(visible[k], valid[k]), "valid_emission": float(unshadowed[k]),
            "visible_emission": float(caught[k]), "visible_emission_share": _share(caught[k], unshadowed[k]),
        }
        for k, name in enumerate(names)
    ]  # fmt: skip


def _at(cumulated: Float, theta: Float, limit: Float) -> Float:
    """Take tables [k, f, j + 1] at a polar angle for each azimuth, linear within cells, and sum over azimuths: [k]."""
    place = np.clip(limit / theta[1], 0.0, theta.size - 1.0)
    cell = np.minimum(place.astype(int), theta.size - 2)
    azimuth = np.arange(limit.size)
    low, high = cumulated[:, azimuth, cell], cumulated[:, azimuth, cell + 1]
    return np.asarray((low + (place - cell) * (high - low)).sum(axis=1))


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
