"""Signal of a height field with exact shadows: the horizon of each pixel in each azimuth, looked up in cumulated tables.

For a height field and straight flight the directions in which a point is seen are, in each azimuth, those with a polar angle
below ``t_max = 90 deg - atan(m)``, m being the largest of the slope of the tangent plane and the slopes to all other points
in that azimuth. Heights between pixels are interpolated linearly along the grid line that is crossed. Beyond the image's
border nothing stands in the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.engine.acceptance import acceptance
from eclips_app.engine.compiled import compiled

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_CELLS = 768  #: azimuth cells of the table, at least; a multiple of the number of azimuths is used
_ROWS = 32  #: rows rendered between two checks for cancellation


def render(
    height: Float, detector: Detector, azimuths: int = 64, report: Callable[[float], None] | None = None
) -> NDArray[np.float64]:
    """Give the signal of each segment for unit brightness (Lambert emission), [k, row, col].

    Parameters
    ----------
    height : array [row, col]
        Heights in units of the pixel size.
    detector : Detector
        Geometry; gains and offsets are not applied.
    azimuths : int
        Directions in which the horizon is computed.
    report : callable, optional
        Called with the part done after some rows; may raise to stop.
    """
    cells = azimuths * math.ceil(_CELLS / azimuths)
    table = acceptance(detector, azimuth_cells=cells)
    nearest, farthest = table.limits()
    moments = table.moments(azimuths)
    middles = (np.arange(azimuths) + 0.5) * (2 * np.pi / azimuths)
    seen = np.array([_range(sector.any(axis=(0, 2))) for sector in moments])
    down, right = np.gradient(height)
    slopes, directions = np.stack([right, -down]), np.stack([np.cos(middles), np.sin(middles)])
    # Slopes below the first bound block nothing that is caught; above the second one nothing is caught.
    bounds = np.array([1.0 / np.tan(farthest), 1.0 / max(np.tan(nearest), 1e-6)])
    signal = np.zeros((len(detector.quadrants), *height.shape))
    rows = height.shape[0]
    for first in range(0, rows, _ROWS):
        end = min(first + _ROWS, rows)
        _render_rows(height, slopes, directions, moments, seen, bounds, np.array([first, end]), signal)
        if report is not None:
            report(end / rows)
    return signal


def _range(caught: NDArray[np.bool_]) -> tuple[int, int]:
    """Give the first segment that catches anything in a sector and the one after the last; (0, 0) if there is none."""
    found = np.flatnonzero(caught)
    return (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)


@compiled(parallel=True)
def _render_rows(
    height: Float, slopes: Float, azimuths: Float, moments: Float, seen: Int, bounds: Float, rows: Int, out: Float
) -> None:
    p, q = slopes
    cosine, sine = azimuths
    columns = height.shape[1]
    highest = height.max()
    scale = (moments.shape[1] - 1) / (0.5 * math.pi)
    for row in numba.prange(rows[0], rows[1]):
        for col in range(columns):
            norm = 1.0 / math.sqrt(1.0 + p[row, col] ** 2 + q[row, col] ** 2)
            nx, ny = -p[row, col] * norm, -q[row, col] * norm
            for a in range(cosine.size):
                tangent = p[row, col] * cosine[a] + q[row, col] * sine[a]
                slope = max(tangent, bounds[0])
                if slope < bounds[1]:
                    slope = _horizon(height, row, col, cosine[a], -sine[a], slope, highest)
                place = (0.5 * math.pi - math.atan(slope)) * scale
                cell = min(int(place), moments.shape[1] - 2)
                part = place - cell
                rest = 1.0 - part
                for k in range(seen[a, 0], seen[a, 1]):
                    x = rest * moments[a, cell, k, 0] + part * moments[a, cell + 1, k, 0]
                    y = rest * moments[a, cell, k, 1] + part * moments[a, cell + 1, k, 1]
                    z = rest * moments[a, cell, k, 2] + part * moments[a, cell + 1, k, 2]
                    out[k, row, col] += nx * x + ny * y + norm * z


@compiled()
def _horizon(height: Float, row: int, col: int, right: float, down: float, slope: float, highest: float) -> float:
    """Largest slope from a pixel to the surface in one azimuth, not below `slope`; steps go from grid line to grid line."""
    rows, columns = height.shape
    along_columns = abs(right) >= abs(down)
    major, minor = (right, down) if along_columns else (down, right)
    tilt = minor / abs(major)
    length = math.sqrt(1.0 + tilt * tilt)
    sign = 1 if major > 0 else -1
    at_major, at_minor = (col, row) if along_columns else (row, col)
    most_major, most_minor = (columns - 1, rows - 1) if along_columns else (rows - 1, columns - 1)
    base = height[row, col]
    best = slope * length
    count = most_major - at_major if sign > 0 else at_major
    for step in range(1, count + 1):
        if best * step >= highest - base:  # nothing is high enough to rise above the horizon from here on
            break
        place = at_minor + tilt * step
        if place < 0.0 or place > most_minor:
            break
        low = min(int(place), most_minor - 1)
        part = place - low
        line = at_major + sign * step
        if along_columns:
            there = height[low, line] + part * (height[low + 1, line] - height[low, line])
        else:
            there = height[line, low] + part * (height[line, low + 1] - height[line, low])
        rise = (there - base) / step
        if rise > best:
            best = rise
    return best / length
