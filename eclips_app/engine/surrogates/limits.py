"""Where a surface is unlike all that a network has learnt from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

_BLOCK = 4  #: edge of the blocks in samples in which far occluders are looked for
_WIDER = 1.25  #: ratio of the radii of a ring in which they are


def too_steep(slopes: NDArray[np.floating], steepest: float, reach: int) -> NDArray[np.bool_]:
    """Tell from where a slope [2, row, col] is in sight that is steeper than all that was learnt from, [row, col]."""
    found = (slopes * slopes).sum(0) > steepest * steepest
    return np.asarray(maximum_filter(found, 2 * reach + 1, mode="nearest") if found.any() else found)


def may_be_hidden_from_afar(height: NDArray[np.floating], reach: float, lowest: float) -> NDArray[np.bool_]:
    """Tell where something beyond the reach of a network may hide a ray of the detector, [row, col].

    On the safe side: rings about blocks of samples are compared with the line of the lowest ray at their inner radius.

    Parameters
    ----------
    height : array [row, col]
        In samples.
    reach : float
        How far the network sees, in samples.
    lowest : float
        Slope of the lowest ray that the detector takes, above zero.
    """
    rows, columns = height.shape
    edges = ((0, -rows % _BLOCK), (0, -columns % _BLOCK))
    blocks = np.pad(height, edges, mode="edge").astype(np.float32)
    blocks = blocks.reshape(blocks.shape[0] // _BLOCK, _BLOCK, blocks.shape[1] // _BLOCK, _BLOCK)
    top, bottom = blocks.max(axis=(1, 3)), blocks.min(axis=(1, 3))
    found = np.zeros(top.shape, dtype=bool)
    relief, inner = float(top.max() - bottom.min()), max(reach, float(_BLOCK))
    while relief > lowest * inner and inner < math.hypot(rows, columns):
        outer = inner * _WIDER
        highest = maximum_filter(top, 2 * math.ceil(outer / _BLOCK) + 1, mode="nearest")
        found |= highest - bottom > lowest * inner
        inner = outer
    return found.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:rows, :columns]
