"""Where a line of sight meets a height map: exact on the bilinear surface, on the data themselves and not on a mesh.

Works on (col, row, z in nm), so that neither the mesh's coarseness nor the exaggeration of z changes what is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Hit:
    """A point of the surface: pixel coordinates of the height map (from the centre of its first pixel) and height in nm."""

    col: float
    row: float
    z_nm: float


def bilinear(height: Floats, cols: Floats, rows: Floats) -> NDArray[np.float64]:
    """Read a height map between its pixels.

    Parameters
    ----------
    height : array [row, col]
        In nm; NaN where nothing is known.
    cols, rows : arrays of one shape
        Positions in pixels.

    Returns
    -------
    array of the same shape
        Height in nm; NaN outside the map and beside unknown pixels.
    """
    cols, rows = np.asarray(cols, np.float64), np.asarray(rows, np.float64)
    n_rows, n_cols = height.shape
    inside = (cols >= 0) & (cols <= n_cols - 1) & (rows >= 0) & (rows <= n_rows - 1)
    c0 = np.clip(np.nan_to_num(cols), 0, max(n_cols - 2, 0)).astype(np.intp)
    r0 = np.clip(np.nan_to_num(rows), 0, max(n_rows - 2, 0)).astype(np.intp)
    c1, r1 = np.minimum(c0 + 1, n_cols - 1), np.minimum(r0 + 1, n_rows - 1)
    u, v = cols - c0, rows - r0
    total = np.zeros(np.broadcast(u, v).shape)
    for r, wr in ((r0, 1 - v), (r1, v)):
        for c, wc in ((c0, 1 - u), (c1, u)):
            weight = wr * wc
            # A neighbour of no weight may be unknown: 0 times NaN must not spoil a point on a known pixel.
            total += np.where(weight == 0, 0.0, weight * height[r, c])
    return np.where(inside, total, np.nan)


def pick(height: Floats, start: NDArray[np.float64], end: NDArray[np.float64]) -> Hit | None:
    """Find the first point where the line from `start` to `end` meets the surface.

    The line crosses the pixel grid in intervals; within one cell the bilinear surface along the line is a quadratic,
    whose first root is the exact answer. Cells with an unknown corner are holes.

    Parameters
    ----------
    height : array [row, col]
        In nm; NaN where nothing is known.
    start, end : array [3]
        (col, row, z in nm) of the two ends, `start` at the eye.

    Returns
    -------
    Hit or None
        None if the line meets nothing.
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    direction = end - start
    span = _inside(height.shape, start, direction)
    if span is None:
        return None
    t = _crossings(height.shape, start, direction, span)
    t0, t1 = t[:-1], t[1:]
    middle = start + 0.5 * (t0 + t1)[:, None] * direction
    c = np.clip(middle[:, 0].astype(np.intp), 0, height.shape[1] - 2)
    r = np.clip(middle[:, 1].astype(np.intp), 0, height.shape[0] - 2)
    roots = _first_roots(_quadratics(height, c, r, start, direction), t0, t1)
    found = np.flatnonzero(np.isfinite(roots))
    if found.size == 0:
        return None
    col, row, z_nm = start + roots[found[0]] * direction
    rows, columns = height.shape  # at the very edge rounding may lead outside
    return Hit(min(max(float(col), 0.0), columns - 1.0), min(max(float(row), 0.0), rows - 1.0), float(z_nm))


def _inside(shape: tuple[int, ...], start: Floats, direction: Floats) -> tuple[float, float] | None:
    """Part of the line above the map, as its parameters from 0 to 1."""
    low, high = 0.0, 1.0
    for axis, last in ((0, shape[1] - 1), (1, shape[0] - 1)):
        if abs(direction[axis]) < 1e-12:
            if not 0 <= start[axis] <= last:
                return None
            continue
        a, b = sorted((-start[axis] / direction[axis], (last - start[axis]) / direction[axis]))
        low, high = max(low, a), min(high, b)
    return (low, high) if low <= high and min(shape) > 1 else None


def _crossings(
    shape: tuple[int, ...], start: Floats, direction: Floats, span: tuple[float, float]
) -> NDArray[np.float64]:
    """Parameters at which the line enters another cell, with both ends of `span`, ascending."""
    parts = [np.array(span)]
    for axis, last in ((0, shape[1] - 1), (1, shape[0] - 1)):
        if abs(direction[axis]) >= 1e-12:
            t = (np.arange(1, last) - start[axis]) / direction[axis]
            parts.append(t[(t > span[0]) & (t < span[1])])
    return np.sort(np.concatenate(parts))


def _quadratics(
    height: Floats, c: NDArray[np.intp], r: NDArray[np.intp], start: Floats, direction: Floats
) -> tuple[NDArray[np.float64], ...]:
    """Coefficients (a, b, k) of a t^2 + b t + k: line minus surface in the cells (c, r)."""
    h00, h10 = height[r, c].astype(np.float64), height[r, c + 1].astype(np.float64)
    h01, h11 = height[r + 1, c].astype(np.float64), height[r + 1, c + 1].astype(np.float64)
    along_col, along_row, twist = h10 - h00, h01 - h00, h11 - h10 - h01 + h00
    u0, v0, (du, dv, dz) = start[0] - c, start[1] - r, direction
    a = -twist * du * dv
    b = dz - along_col * du - along_row * dv - twist * (u0 * dv + v0 * du)
    k = start[2] - h00 - along_col * u0 - along_row * v0 - twist * u0 * v0
    return a, b, k


def _first_roots(
    coefficients: tuple[NDArray[np.float64], ...], t0: NDArray[np.float64], t1: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Smallest root of each quadratic in its interval; NaN where there is none."""
    a, b, k = coefficients
    # Shift to the interval's start: far-away eyes would lose digits in t otherwise.
    b, k = b + 2 * a * t0, k + t0 * (b + a * t0)
    length = t1 - t0
    with np.errstate(divide="ignore", invalid="ignore"):
        half = -0.5 * (b + np.copysign(np.sqrt(b * b - 4 * a * k), b))
        candidates = np.stack([half / a, k / half])
    # A root on the border between two cells must not fall between them by rounding.
    slack = 1e-9 * (1 + np.abs(length))
    candidates[~((candidates >= -slack) & (candidates <= length + slack))] = np.inf
    best = np.where(k == 0, 0.0, candidates.min(axis=0))
    return np.where(np.isfinite(best), t0 + best, np.nan)
