"""Slopes of objects of known shape, as functions of the few numbers that are not known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from eclips_app.core.calibration import Observation
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.patches import Patches

Float = NDArray[np.float64]

OUTLINE = 0.02  #: relative deviation of a radius that is read from an outline: perhaps it is that of a cap
_CAP = 0.1  #: of one that is not
_SHADING = 0.01
_CENTER_PX = 0.01  #: of the radius: how far the centre may lie from where it was found
_AZIMUTH_DEG = 3.0  #: of a facet as found
FOUND_RADIUS = "found_radius_px"  #: of a ball of which a cap is seen
SHADING = "shading_scale"  #: of a radius that is not known: what shading tells of it, emission can feign
#: Unknowns that say how large an object is.
CERTIFIED = "radius_px", SHADING, "face_deg", "facet_deg", "height_scale"
TILTS = "tilt_x_deg", "tilt_y_deg"  #: shared by the observations of a series
_LOW = 0.04  #: of n_z on a sphere: beyond, slopes are those of this height


@dataclass(frozen=True)
class Unknown:
    """A number that is not known of an object.

    Attributes
    ----------
    name : str
        Such as ``tilt_x_deg``.
    start : float
    std : float, optional
        Of what is known of it beforehand; None: nothing.
    step : float
        Over which derivatives are taken.
    """

    name: str
    start: float
    std: float | None
    step: float


@dataclass(frozen=True)
class Shape:
    """Slopes of the cells of an observation.

    Attributes
    ----------
    unknowns : list of Unknown
    slopes : callable
        ``slopes(values, aspect)`` with the unknowns' values and the height of a pixel over its width gives [2, n] (right, up).
    """

    unknowns: list[Unknown]
    slopes: Callable[[Float, float], Float]


def shape_of(
    observation: Observation, at: Patches, heights: NDArray[np.floating] | None = None, *, cap: bool = False
) -> Shape:
    """Give the shape of a completed observation (`find.complete`).

    The outline of a sphere whose radius is not stated is taken as its equator; as that of a `cap`, it says next to nothing.
    """
    if observation.sphere is not None:
        return _sphere(observation, at, cap=cap)
    if observation.indent is not None:
        return _indent(observation, at)
    if observation.facets is not None:
        return _facets(observation, at)
    if observation.heights is not None:
        return _heights(observation, at, heights)
    level, stated = np.array([0.0, 0.0, 1.0]), np.array(observation.tilt_deg)

    def slopes(values: Float, _: float) -> Float:
        return np.repeat(_slope(_turn(level, stated + values))[:, None], len(at.rows), axis=1)

    return Shape(_tilts(observation), slopes)


def _tilts(observation: Observation) -> list[Unknown]:
    """Give by how much the specimen's tilt is other than stated, about x and y."""
    std = max(observation.tilt_std_deg, 1e-4)
    return [Unknown(name, 0.0, std, 1e-4) for name in TILTS]


def _sphere(observation: Observation, at: Patches, *, cap: bool) -> Shape:
    sphere = observation.sphere
    assert sphere is not None
    assert sphere.center_px is not None
    known = sphere.radius_nm is not None
    radius = sphere.radius_nm / observation.pixel_size_nm if sphere.radius_nm is not None else sphere.radius_px
    assert radius is not None
    unknowns = [
        Unknown("center_row_px", sphere.center_px[0], _CENTER_PX * radius, 1e-4 * radius),
        Unknown("center_column_px", sphere.center_px[1], _CENTER_PX * radius, 1e-4 * radius),
    ]
    if cap and not known:
        unknowns.append(Unknown(FOUND_RADIUS, radius, _CAP * radius, 1e-5 * radius))
        unknowns.append(Unknown(SHADING, 1.0, _SHADING, 1e-5))
    else:
        std = 0.01 * sphere.radius_std_percent if known else OUTLINE
        unknowns.append(Unknown("radius_px", radius, std * radius, 1e-5 * radius))

    def slopes(values: Float, aspect: float) -> Float:
        row, column, size = values[0], values[1], np.prod(values[2:])
        x, y = (at.columns - column) / size, -(at.rows - row) * aspect / size
        up = np.sqrt(np.maximum(1 - x**2 - y**2, _LOW))
        return np.stack([-x / up, -y / up])

    return Shape(unknowns, slopes)


def _indent(observation: Observation, at: Patches) -> Shape:
    indent = observation.indent
    assert indent is not None
    assert indent.rotation_deg is not None
    unknowns = [
        Unknown("rotation_deg", indent.rotation_deg, 10.0, 1e-4),
        *_tilts(observation),
        Unknown("face_deg", indent.face_deg, max(indent.face_std_deg, 1e-4), 1e-4),
    ]
    faces, stated = at.area[at.owner], np.array(observation.tilt_deg)

    def slopes(values: Float, _: float) -> Float:
        azimuth = np.deg2rad(values[0] + 90.0 * np.arange(4))
        return _planes(np.full(4, values[3]), azimuth, stated + values[1:3])[:, faces]

    return Shape(unknowns, slopes)


def _facets(observation: Observation, at: Patches) -> Shape:
    facets = observation.facets
    assert facets is not None
    count, stated = len(facets.azimuths_deg), np.array(observation.tilt_deg)
    unknowns = [
        *_tilts(observation),
        Unknown("facet_deg", facets.tilt_deg, max(facets.tilt_std_deg, 1e-4), 1e-4),
        *(Unknown(f"azimuth_{i + 1}_deg", a, _AZIMUTH_DEG, 1e-4) for i, a in enumerate(facets.azimuths_deg)),
    ]
    areas = at.area[at.owner]

    def slopes(values: Float, _: float) -> Float:
        return _planes(np.full(count, values[2]), np.deg2rad(values[3:]), stated + values[:2])[:, areas]

    return Shape(unknowns, slopes)


def _heights(observation: Observation, at: Patches, heights: NDArray[np.floating] | None) -> Shape:
    """Give the slopes of a height map on the pixels of the uncropped image, which may lie off by some pixels."""
    known = observation.heights
    assert known is not None
    if heights is None:
        raise EclipsError("the height map of the same place is missing", where=observation.name, hint="Give it.")
    pixels = np.asarray(heights, float) / observation.pixel_size_nm
    there = np.isfinite(pixels)
    filled = np.where(there, pixels, np.mean(pixels[there])) if there.any() else np.zeros_like(pixels)
    down, right = (_differences(filled, axis) for axis in (0, 1))
    stated = np.array(observation.tilt_deg)
    unknowns = [
        Unknown("shift_row_px", 0.0, known.max_shift_px / 2, 1e-2),
        Unknown("shift_column_px", 0.0, known.max_shift_px / 2, 1e-2),
        *_tilts(observation),
        Unknown("height_scale", 1.0, 0.01 * known.slope_std_percent, 1e-4),
    ]

    def slopes(values: Float, aspect: float) -> Float:
        place = np.stack([at.rows - values[0], at.columns - values[1]])
        p, q = (map_coordinates(each, place, order=1, mode="nearest") for each in (right, -down / aspect))
        normals = np.stack([-values[4] * p, -values[4] * q, np.ones_like(p)])
        return _slope(_turn(normals, stated + values[2:4]))

    return Shape(unknowns, slopes)


def _differences(values: Float, axis: int) -> Float:
    """Give derivatives per sample by differences of fourth order; of less at the border."""
    first = np.gradient(values, axis=axis)
    return np.asarray(first - np.gradient(np.gradient(first, axis=axis), axis=axis) / 6.0)


def _planes(tilts_deg: Float, azimuths: Float, turn_deg: Float) -> Float:
    """Give the slopes [2, face] of planes whose normals lean by tilts toward azimuths (radians), on a turned specimen."""
    tilt = np.deg2rad(tilts_deg)
    normals = np.stack([np.sin(tilt) * np.cos(azimuths), np.sin(tilt) * np.sin(azimuths), np.cos(tilt)])
    return _slope(_turn(normals, turn_deg))


def _turn(normals: Float, turn_deg: Float) -> Float:
    """Turn vectors [3, ...] right-handed about x, then about y."""
    about_x, about_y = np.deg2rad(turn_deg)
    x, y, z = normals
    y, z = y * np.cos(about_x) - z * np.sin(about_x), y * np.sin(about_x) + z * np.cos(about_x)
    return np.stack([x * np.cos(about_y) + z * np.sin(about_y), y, z * np.cos(about_y) - x * np.sin(about_y)])


def _slope(normals: Float) -> Float:
    """Give slopes [2, ...] of normals [3, ...]."""
    return np.asarray(-normals[:2] / np.maximum(normals[2], _LOW))
