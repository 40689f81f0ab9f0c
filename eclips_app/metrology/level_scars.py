"""Scars: strokes along the scan lines, where the tip lost the surface or stuck to it. Lines are the rows of the arrays here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.metrology.profile import Floats

Bools = NDArray[np.bool_]

_MAD = 1.4826  #: standard deviation of normal errors in median absolute deviations
_SOFT = 0.5  #: a stroke reaches as far along its line as it stands out by this part of the threshold
_ALONG = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]])


def find_scars(
    height: NDArray[np.floating], *, width_px: int = 4, length_px: int = 16, threshold: float = 4.0
) -> Bools:
    """Find strokes that stand out from the rows above and below them, upwards or downwards.

    A pixel belongs to one if, within at most `width_px` rows, it lies above both the row before and the row after those (or below
    both) by `threshold` spreads of the difference of neighbouring rows, and pixels that do so by half of it form a run of at
    least `length_px` along the row. The rule is that of Gwyddion (user guide, "Mark scars"), with the spread from the median.

    Parameters
    ----------
    height : array [row, col]
        Height in nm, NaN where nothing was measured.
    width_px, length_px : int
        Largest number of rows and least number of columns of a stroke.
    threshold : float
        In spreads of the difference of two neighbouring rows.

    Returns
    -------
    bool array [row, col]
        True on scars.
    """
    h = np.asarray(height, np.float64)
    differences = np.diff(h, axis=0)
    found = np.zeros(h.shape, bool)
    finite = differences[np.isfinite(differences)]
    if finite.size == 0:
        return found
    spread = _MAD * float(np.median(np.abs(finite - np.median(finite))))
    limit = max(threshold * spread, 1e-9)
    for sign in (1.0, -1.0):
        out = _stands_out(sign * h, width_px)
        found |= _strokes(out > _SOFT * limit, out > limit, length_px)
    return found


def fill_scars(values: NDArray[np.floating], scars: Bools) -> Floats:
    """Replace what is marked by what lies between the next rows above and below, column by column; linear in `values`."""
    filled = np.array(values, np.float64)
    rows = np.arange(len(filled))
    for column in np.flatnonzero(scars.any(axis=0)):
        bad = scars[:, column]
        good = ~bad & np.isfinite(filled[:, column])
        if good.any():
            filled[bad, column] = np.interp(rows[bad], rows[good], filled[good, column])
    return filled


def _stands_out(h: Floats, width_px: int) -> Floats:
    """Give by how much each pixel lies above the rows before and after a stroke that it may belong to; 0 where it does not."""
    best = np.zeros(h.shape)
    rows = len(h)
    for width in range(1, min(width_px, rows - 2) + 1):
        around = np.fmax(h[: rows - width - 1], h[width + 1 :])  # rows before and after a stroke that begins at 1, 2, …
        lowest = np.min(np.stack([h[1 + k : rows - width + k] for k in range(width)]), axis=0)
        excess = np.nan_to_num(lowest - around, nan=0.0)
        for k in range(width):
            part = best[1 + k : rows - width + k]
            np.maximum(part, excess, out=part)
    return best


def _strokes(soft: Bools, hard: Bools, length_px: int) -> Bools:
    """Keep the runs along rows that are long enough and hold a pixel that stands out clearly."""
    labels, count = ndimage.label(soft, structure=_ALONG)
    if count == 0:
        return soft
    lengths = np.bincount(labels.ravel(), minlength=count + 1)
    clear = np.bincount(labels.ravel(), hard.ravel(), minlength=count + 1) > 0
    keep = clear & (lengths >= length_px)
    keep[0] = False
    found: Bools = keep[labels]
    return found
