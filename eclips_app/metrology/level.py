"""Levelling: taking a plane out of a height map. The raw heights are never changed; the plane taken out is given too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.profile import Floats, Point, interpolate


@dataclass(frozen=True)
class Plane:
    """A plane over the pixels (col, row) of the uncropped image, rows counted downwards."""

    level_nm: float  #: height at pixel (0, 0)
    per_column_nm: float  #: rise from one column to the next
    per_row_nm: float  #: rise from one row to the next

    def at(self, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> Floats:
        """Height in nm at points in pixels."""
        height: Floats = self.level_nm + self.per_column_nm * columns + self.per_row_nm * rows
        return height

    def tilt_deg(self, pixel_size_nm: float) -> float:
        """Tilt from the horizontal in degrees."""
        return math.degrees(math.atan(math.hypot(self.per_column_nm, self.per_row_nm) / pixel_size_nm))

    def direction_deg(self) -> float:
        """Azimuth of the steepest rise in degrees: 0 is image right, 90 image up."""
        return math.degrees(math.atan2(-self.per_row_nm, self.per_column_nm))


@dataclass(frozen=True)
class Levelled:
    """A levelled copy of a height map [row, col] in nm, and what was taken out of it."""

    height: NDArray[np.floating]
    removed: Plane


def level_plane(
    height: NDArray[np.floating],
    *,
    mask: NDArray[np.bool_] | None = None,
    origin_px: tuple[float, float] = (0, 0),
) -> Levelled:
    """Take out the plane of least squares.

    Parameters
    ----------
    height : array [row, col]
        Height in nm; NaN where nothing was measured.
    mask : bool array [row, col], optional
        True where the height counts for the fit; the plane is taken out everywhere.
    origin_px : (row, col)
        Pixel of the uncropped image that is ``height[0, 0]``.

    Raises
    ------
    EclipsError
        If the heights that count do not define a plane.
    """
    used = np.isfinite(height) if mask is None else np.isfinite(height) & mask
    weight = used.astype(np.float64)
    number = weight.sum()
    if number < 3:
        raise EclipsError("fewer than three measured heights are left to level", hint="Select a larger area.")
    z = np.where(used, height, 0.0).astype(np.float64)
    # Coordinates from the middle of the data keep the normal equations well conditioned.
    c = np.arange(height.shape[1]) - weight.sum(axis=0) @ np.arange(height.shape[1]) / number
    r = np.arange(height.shape[0]) - weight.sum(axis=1) @ np.arange(height.shape[0]) / number
    mean = z.sum() / number
    in_column, in_row = weight.sum(axis=0), weight.sum(axis=1)
    cc, rr, cr = in_column @ (c * c), in_row @ (r * r), r @ weight @ c
    if cc * rr - cr * cr <= 1e-9 * max(cc, rr) ** 2 / number:
        raise EclipsError("the heights to level lie on one line", hint="Select an area with a width.")
    zc, zr = (z.sum(axis=0) - mean * in_column) @ c, (z.sum(axis=1) - mean * in_row) @ r
    slope_c, slope_r = np.linalg.solve([[cc, cr], [cr, rr]], [zc, zr])
    # c[0] and r[0] are the array's first pixel seen from the middle of the data.
    first = mean + slope_c * c[0] + slope_r * r[0]
    return _remove(height, _plane(float(first), float(slope_c), float(slope_r), origin_px), origin_px)


def level_three_points(
    height: NDArray[np.floating],
    points_px: Sequence[Point],
    *,
    radius_px: float = 0.0,
    origin_px: tuple[float, float] = (0, 0),
) -> Levelled:
    """Take out the plane through three points, which then have height zero.

    Parameters
    ----------
    height : array [row, col]
        Height in nm; NaN where nothing was measured.
    points_px : three of (col, row)
        Pixels of the uncropped image.
    radius_px : float
        The height at a point is the mean within this radius; 0: the height at the point alone.
    origin_px : (row, col)
        Pixel of the uncropped image that is ``height[0, 0]``.

    Raises
    ------
    EclipsError
        If there are not three points, they lie on one line, or one has no height.
    """
    if len(points_px) != 3:
        raise EclipsError(f"{len(points_px)} points given where levelling needs three", hint="Set three points.")
    local = np.array([(x - origin_px[1], y - origin_px[0]) for x, y in points_px], dtype=float)
    sides = local[1:] - local[0]
    area, size = abs(np.linalg.det(sides)), np.abs(sides).max()
    if not area > 1e-6 * size * size:
        raise EclipsError("the three points lie on one line", hint="Move one of them aside.")
    z = np.array([_height_near(height, x, y, radius_px) for x, y in local])
    if np.isnan(z).any():
        number = int(np.flatnonzero(np.isnan(z))[0]) + 1
        raise EclipsError(f"point {number} lies where nothing was measured", hint="Move it onto the surface.")
    slope_c, slope_r = np.linalg.solve(sides, z[1:] - z[0])
    first = z[0] - slope_c * local[0, 0] - slope_r * local[0, 1]
    return _remove(height, _plane(float(first), float(slope_c), float(slope_r), origin_px), origin_px)


def _height_near(height: NDArray[np.floating], x: float, y: float, radius: float) -> float:
    reach = np.arange(-math.floor(radius), math.floor(radius) + 1)
    dx, dy = (grid.ravel() for grid in np.meshgrid(reach, reach))
    near = dx * dx + dy * dy <= radius * radius
    values = interpolate(height, x + dx[near], y + dy[near])
    # A pixel counts with the one opposite alone: at a border or hole, tilt would shift the mean of the rest.
    found = values[~np.isnan(values) & ~np.isnan(values[::-1])]
    return float(found.mean()) if found.size else math.nan


def _plane(first: float, slope_c: float, slope_r: float, origin: tuple[float, float]) -> Plane:
    return Plane(first - slope_c * origin[1] - slope_r * origin[0], slope_c, slope_r)


def _remove(height: NDArray[np.floating], plane: Plane, origin: tuple[float, float]) -> Levelled:
    columns = np.arange(height.shape[1]) + origin[1]
    rows = np.arange(height.shape[0])[:, None] + origin[0]
    kind = height.dtype if np.issubdtype(height.dtype, np.floating) else np.float64
    return Levelled((height - plane.at(columns, rows)).astype(kind), plane)
