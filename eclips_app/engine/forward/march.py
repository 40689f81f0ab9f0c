"""The horizon of the pixels of a row in one azimuth, by pruned steps from grid line to grid line.

Heights between pixels are interpolated linearly along the grid line that a step ends on. All pixels of a row share the
weight of that interpolation, so a step is one pass over a stretch of the row, which the compiler turns into vector
instructions. A stretch is left as soon as nothing ahead is high enough, which the largest heights of square tiles tell.
Beyond the border nothing stands in the way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled

Array = NDArray[Any]  # float32 or float64
Int = NDArray[Any]
Line = tuple[bool, int, float, float]

TILE = 16  #: edge of the tiles whose largest height prunes the march, px
_COARSE = 8  #: tiles along the edge of a coarse one
_LARGE_BOX = 512  #: px: larger boxes are looked up in coarse tiles
STRETCH = 128  #: pixels of a row that march together
_REACH = (6, 20, 60, 180, 540, 1620, 1 << 20)  #: steps up to which a stretch looks ahead at once


@compiled()
def line_of(right: float, down: float) -> Line:
    """Give whether the steps go along columns, their sign, the drift across per step and the length of a step."""
    along = abs(right) >= abs(down)
    major, minor = (right, down) if along else (down, right)
    drift = minor / abs(major)
    # Grid directions must not drift by rounding: the lines' ends would fall off the image.
    if abs(drift) < 1e-9:
        drift = 0.0
    elif abs(abs(drift) - 1.0) < 1e-9:
        drift = math.copysign(1.0, drift)
    return along, 1 if major > 0 else -1, drift, math.sqrt(1.0 + drift * drift)


@compiled()
def tile_maxima(height: Array) -> tuple[Array, Array]:
    """Give the largest height of each square tile, and of each square of 8 x 8 tiles."""
    tiles = _maxima(height, TILE)
    return tiles, _maxima(tiles, _COARSE)


@compiled()
def _maxima(field: Array, edge: int) -> Array:
    rows, columns = field.shape
    tiles = np.empty(((rows + edge - 1) // edge, (columns + edge - 1) // edge), field.dtype)
    for i in range(tiles.shape[0]):
        for j in range(tiles.shape[1]):
            tiles[i, j] = field[i * edge : (i + 1) * edge, j * edge : (j + 1) * edge].max()
    return tiles


@compiled(fastmath=True)
def _highest(tiles: tuple[Array, Array], row0: int, row1: int, col0: int, col1: int) -> float:
    """Largest height of the tiles that cover a box (ends included), coarse ones for a large box; -1e30 outside the image."""
    large = max(row1 - row0, col1 - col0) > _LARGE_BOX
    field, edge = (tiles[1], TILE * _COARSE) if large else (tiles[0], TILE)
    top = -1e30
    for i in range(max(row0, 0) // edge, min(row1 // edge, field.shape[0] - 1) + 1):
        for j in range(max(col0, 0) // edge, min(col1 // edge, field.shape[1] - 1) + 1):
            top = max(top, field[i, j])
    return top


@compiled(fastmath=True)
def _may_rise(height: Array, row: int, col0: int, col1: int, best: Array, step: float, top: float) -> bool:
    """Whether anything of height `top`, `step` away or farther, could stand above the horizon of any pixel of the stretch."""
    lacking = height.dtype.type(-1e30)
    for col in range(col0, col1):
        i = np.uintp(col)  # an unsigned index does not wrap around: without that check the loop becomes vector code
        lacking = max(lacking, top - height[row, i] - best[i] * step)
    return bool(lacking > 0)


@compiled(fastmath=True)
def _advance(
    height: Array, near: int, far: int, shift: int, shift_far: int, part: float, share: float, step: int, row: int, col0: int,
    col1: int, best: Array, won: Int,
) -> None:  # fmt: skip
    """Take one step for a stretch of a row: raise the horizon where the surface there is above it."""
    for col in range(col0, col1):
        i, a, b = np.uintp(col), np.uintp(col + shift), np.uintp(col + shift_far)
        there = height[near, a] + part * (height[far, b] - height[near, a])
        rise = (there - height[row, i]) * share
        if rise > best[i]:
            best[i] = rise
            won[i] = step


@compiled(fastmath=True)
def march(
    height: Array,
    tiles: tuple[Array, Array],
    row: int,
    col0: int,
    col1: int,
    line: Line,
    best: Array,
    won: Int,
) -> None:
    """Raise `best` (rise per step) of the pixels col0 to col1 of a row to the highest occluder, and note its step."""
    along, sign, drift, _ = line
    rows, columns = height.shape
    count = (columns - 1 - col0 if sign > 0 else col1 - 1) if along else (rows - 1 - row if sign > 0 else row)
    real = height.dtype.type
    first = 1
    for reach in _REACH:
        last = min(reach, count)
        if first > last:
            return
        side0, side1 = (
            math.floor(drift * (first if drift > 0 else last)),
            math.floor(drift * (last if drift > 0 else first)) + 1,
        )
        ahead0, ahead1 = (first, last) if sign > 0 else (-last, -first)
        if along:
            top = _highest(tiles, row + side0, row + side1, col0 + ahead0, col1 - 1 + ahead1)
        else:
            top = _highest(tiles, row + ahead0, row + ahead1, col0 + side0, col1 - 1 + side1)
        for step in range(first, last + 1):
            if (step - first) % 4 == 0 and not _may_rise(height, row, col0, col1, best, real(step), real(top)):
                break
            across = drift * step
            low = math.floor(across)
            part = across - low
            more = 1 if part > 0.0 else 0
            if along:
                if row + low < 0 or row + low + more > rows - 1:
                    return
                near_row, far_row, shift, shift_far = row + low, row + low + more, sign * step, sign * step
            else:
                near_row, far_row, shift, shift_far = row + sign * step, row + sign * step, low, low + more
            begin, end = max(col0, -shift), min(col1, columns - shift_far)
            _advance(
                height,
                near_row,
                far_row,
                shift,
                shift_far,
                real(part),
                real(1.0 / step),
                step,
                row,
                begin,
                end,
                best,
                won,
            )
        first = last + 1


@compiled(fastmath=True)
def occluder(row: int, col: int, step: int, line: Line) -> tuple[int, int, int, int, float]:
    """Give the two samples (row, column, row, column) between which the step ends, and the weight of the second."""
    along, sign, drift, _ = line
    across = drift * step
    low = math.floor(across)
    part = across - low
    more = 1 if part > 0.0 else 0
    if along:
        return row + low, col + sign * step, row + low + more, col + sign * step, part
    return row + sign * step, col + low, row + sign * step, col + low + more, part


@compiled(fastmath=True)
def slope_of(
    height: Array, slopes: Array, row: int, col: int, step: int, right: float, up: float,
    line: Line,
) -> float:  # fmt: skip
    """Give the slope of the horizon again, from who won."""
    if step < 0:
        return float(slopes[0, row, col] * right + slopes[1, row, col] * up)
    i0, j0, i1, j1, part = occluder(row, col, step, line)
    there = height[i0, j0] + part * (height[i1, j1] - height[i0, j0])
    return float((there - height[row, col]) / (step * line[3]))
