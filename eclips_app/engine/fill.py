"""Values from the surroundings for pixels that have none: means over blocks that double in size until they hold data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

BLOCK_PX = 8  #: edge of the smallest block


def block_means(planes: Float, mask: NDArray[np.bool_]) -> Float:
    """Mean over the masked-in pixels of each 8 x 8 block, [plane, block row, block column].

    Blocks without any take the mean of the block of twice the size around them, and so on.

    Parameters
    ----------
    planes : array [plane, row, col]
        Values; those outside the mask are ignored.
    mask : array [row, col]
        True where there are values; must hold some.
    """
    count = _block_sums(mask, BLOCK_PX).astype(np.float64)
    sums = np.stack([_block_sums(np.where(mask, plane, np.float32(0)), BLOCK_PX) for plane in planes]).astype(
        np.float64
    )
    return _from_coarser(sums, count).astype(np.float32)


def _from_coarser(sums: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    means = sums / np.maximum(count, 1.0)
    empty = count == 0
    if empty.any() and max(count.shape) > 1:
        coarse = _from_coarser(np.stack([_block_sums(plane, 2) for plane in sums]), _block_sums(count, 2))
        rows, columns = np.nonzero(empty)
        means[:, rows, columns] = coarse[:, rows // 2, columns // 2]
    return means


def _block_sums(plane: NDArray[np.generic], edge: int) -> NDArray[np.float64]:
    rows, columns = (np.arange(0, n, edge) for n in plane.shape)
    inner = np.add.reduceat(plane, rows, axis=0, dtype=np.float32 if plane.dtype.itemsize < 8 else np.float64)
    sums: NDArray[np.float64] = np.add.reduceat(inner, columns, axis=1)
    return sums
