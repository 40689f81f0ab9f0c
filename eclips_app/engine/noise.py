"""Noise of the signals, measured on the images themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine.dct import nothing
from eclips_app.engine.integrators.least_squares import increments

_SD_PER_MAD = 1.4826  #: standard deviation of a Gaussian over its median absolute deviation
_LOOP_POWER = 340 / 288  #: variance of the loop sum of fourth-order increments for var(p) + var(q) = 1
_BAND = 32


def noise_scale(p: Tensor, q: Tensor, variance: Tensor, mask: Tensor, check: Callable[[], None] = nothing) -> float:
    """Give s such that the slopes' noise has the variance ``s^2 variance``, from the curl of the slopes.

    A surface has no curl, so the sum of increments around a 2 x 2 pixel loop holds noise alone, but for a remainder of
    the interpolation at edges that are sharper than a pixel; its median absolute deviation hardly feels them.

    Parameters
    ----------
    p, q : Tensor [row, col]
        Slopes, y up.
    variance : Tensor [row, col]
        ``var(p) + var(q)`` for s = 1.
    mask : Tensor [row, col] of bool
        True where the slopes are data.
    check : callable
        Called several times a second; may raise to stop.
    """
    rows = p.shape[0]
    step = max(1, rows * p.shape[1] // (1 << 21))
    found: list[NDArray[np.float32]] = []
    for a in range(0, rows - 3, _BAND * step):
        check()
        band = slice(a, min(rows, a + _BAND))
        found.append(_normalised_loops(p[band], q[band], variance[band], mask[band]))
    loops = np.concatenate(found) if found else np.empty(0, np.float32)
    if loops.size == 0:
        return 0.0
    return float(_SD_PER_MAD * np.median(np.abs(loops)))


def _normalised_loops(p: Tensor, q: Tensor, variance: Tensor, mask: Tensor) -> NDArray[np.float32]:
    across = increments(p)
    down = -increments(q.T).T
    loop = across[:-1] + down[:, 1:] - across[1:] - down[:, :-1]
    inside = (slice(1, -1), slice(1, -1))
    mean = (variance[:-1, :-1] + variance[1:, :-1] + variance[:-1, 1:] + variance[1:, 1:])[inside] / 4
    good = mask[:-1, :-1] & mask[1:, :-1] & mask[:-1, 1:] & mask[1:, 1:]
    good = good[inside] & (mean > 0)
    values: NDArray[np.float32] = (loop[inside][good] / (_LOOP_POWER * mean[good]).sqrt()).cpu().numpy()
    return values
