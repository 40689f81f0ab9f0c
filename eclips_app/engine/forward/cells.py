"""Heights at the corners of cells, as unknowns of a reconstruction, and what the loops are given of each cell.

A cell between four corners has their mean height and the slopes of differences across it. Such slopes reach over one cell; the
central differences of heights in the middle of cells reach over two, which doubles the width of every edge.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_ROUNDS = 3

Combine = Callable[[Tensor, Tensor], Tensor]


def heights(corners: Tensor) -> Tensor:
    """Give the mean heights of cells [row, col] from heights at their corners [row + 1, col + 1]."""
    return _along(_along(corners, 0, _mean), 1, _mean)


def slopes(corners: Tensor) -> Tensor:
    """Give the slopes (right, up) of cells [2, row, col] from heights in cells at their corners [row + 1, col + 1]."""
    right = _along(_along(corners, 0, _mean), 1, _rise)
    down = _along(_along(corners, 1, _mean), 0, _rise)
    return torch.stack([right, -down])


def heights_adjoint(cells: Tensor) -> Tensor:
    """Give the adjoint of `heights`: from [row, col] to corners."""
    return _back(_back(cells, 1, 1.0), 0, 1.0) * 0.25


def slopes_adjoint(cells: Tensor) -> Tensor:
    """Give the adjoint of `slopes`: from [2, row, col] to corners."""
    right = _back(_back(cells[0], 1, -1.0), 0, 1.0)
    down = _back(_back(cells[1], 0, -1.0), 1, 1.0)
    return 0.5 * (right - down)


def corners_of(height: Tensor) -> Tensor:
    """Give heights at the corners whose means are heights in the middle of cells, nearly; straight on beyond the border.

    Averages of neighbours, whose blur is taken out by feeding what they miss back into them.
    """
    found = _averaged(height)
    for _ in range(_ROUNDS):
        found = found + _averaged(height - heights(found))
    return found


def _averaged(height: Tensor) -> Tensor:
    wide = height
    for axis in (0, 1):
        count = wide.shape[axis]
        before = 2 * wide.narrow(axis, 0, 1) - wide.narrow(axis, 1, 1)
        after = 2 * wide.narrow(axis, count - 1, 1) - wide.narrow(axis, count - 2, 1)
        wide = torch.cat([before, wide, after], axis)
    return heights(wide)


def _mean(low: Tensor, high: Tensor) -> Tensor:
    return 0.5 * (low + high)


def _rise(low: Tensor, high: Tensor) -> Tensor:
    return high - low


def _along(values: Tensor, axis: int, combine: Combine) -> Tensor:
    count = values.shape[axis] - 1
    return combine(values.narrow(axis, 0, count), values.narrow(axis, 1, count))


def _back(values: Tensor, axis: int, sign: float) -> Tensor:
    """Add values to the ends of their cell, with a sign to the lower one."""
    shape = list(values.shape)
    shape[axis] += 1
    found = values.new_zeros(shape)
    count = values.shape[axis]
    found.narrow(axis, 0, count).add_(values, alpha=sign)
    found.narrow(axis, 1, count).add_(values)
    return found
