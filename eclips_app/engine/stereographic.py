"""Coordinates of a facet's orientation in which its signals change evenly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stereographic(slopes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give ``tan(tilt / 2)`` times the direction in which the normal leans, [2, ...], for slopes [2, ...] (right, up)."""
    return np.asarray(-slopes / (1.0 + np.sqrt(1.0 + (slopes**2).sum(axis=0))), np.float64)
