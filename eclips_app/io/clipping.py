"""Finding the grey values at which an image is clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The darkest or brightest value is a spike if it is this many times more frequent than the values next to it, ...
_SPIKE = 4.0
#: ... and is this share of the image, or of a few pixels.
_LEAST_SHARE, _LEAST_PIXELS = 2e-5, 8
_NEIGHBOURS = 8


def clip_levels(image: NDArray[Any]) -> tuple[float | None, float | None]:
    """Find the grey values at or beyond which pixels [row, col] carry no signal.

    The signal is clipped where the darkest (brightest) value stands out of the histogram beside it, or where a spread-out
    image reaches the end of its integer type. Pixels of electron counting that hold a true zero are no spike.

    Returns
    -------
    low, high : float or None
        Values at or below `low` and at or above `high` count as clipped; None where nothing is clipped.
    """
    # 8192 x 8192 pixels need not be sorted to see a spike; every n-th pixel shows it as well.
    step = max(1, int(np.sqrt(image.size / 2**22)))
    sample = image[::step, ::step]
    if sample.dtype in (np.uint8, np.uint16):
        counts = np.bincount(sample.ravel())
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(sample, return_counts=True)
    if values.size < 3:
        return None, None
    low = float(values[0]) if _is_spike(counts) else None
    high = float(values[-1]) if _is_spike(counts[::-1]) or _at_limit(image, values[-1]) else None
    return low, high


def common_levels(levels: list[tuple[float | None, float | None]]) -> tuple[float | None, float | None]:
    """Join the levels of all segments to those of the set, on the safe side: highest low, lowest high."""
    lows = [low for low, _ in levels if low is not None]
    highs = [high for _, high in levels if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return (low, high) if low is None or high is None or low < high else (min(lows), max(highs))


def clipped_fraction(image: NDArray[Any], low: float | None, high: float | None) -> float:
    """Give the share of pixels at or beyond the levels."""
    clipped = 0
    if low is not None:
        clipped += int(np.count_nonzero(image <= low))
    if high is not None:
        clipped += int(np.count_nonzero(image >= high))
    return clipped / image.size


def _is_spike(counts: NDArray[np.int64]) -> bool:
    """Tell whether the first value of a histogram is far more frequent than the ones after it."""
    here, beside = float(counts[0]), float(np.mean(counts[1 : 1 + _NEIGHBOURS]))
    return here >= max(_LEAST_PIXELS, _LEAST_SHARE * float(counts.sum())) and here > _SPIKE * max(beside, 1.0)


def _at_limit(image: NDArray[Any], brightest: Any) -> bool:
    return image.dtype.kind in "ui" and int(brightest) == int(np.iinfo(image.dtype).max)
