"""Feature parameters of areas: significant peaks and pits by watershed segmentation and Wolf pruning (ISO 25178-2:2021, 5).

Wolf pruning takes away, one by one, the hill that stands least above its highest saddle. What is left are the peaks whose
prominence is at least the threshold: the maxima of the heights from which all lower ones are flooded by reconstruction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_position
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from eclips_app.core.units import Quantity

Floats = NDArray[np.float64]
_FIVE = 5
_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class Hills:
    """Significant hills of an area: where their peaks are [n], as rows and columns, and the hill of each pixel (0: none)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    labels: NDArray[np.int32]


def hills(height: Floats, inside: NDArray[np.bool_], threshold: float) -> Hills:
    """Segment an area into its significant hills, without those that touch its border.

    Parameters
    ----------
    height : array [row, col]
        In nm.
    inside : bool array [row, col]
    threshold : float
        Least prominence of a peak in nm.
    """
    floor = float(height[inside].min()) - 2 * threshold
    z = np.where(inside, height, floor)
    flooded = reconstruction(z - threshold, z, "dilation", footprint=_NEIGHBOURS)
    tops, count = label(local_maxima(flooded, connectivity=2) & inside, _NEIGHBOURS)
    labels = watershed(-z, tops, connectivity=_NEIGHBOURS, mask=inside)
    peaks = np.array(maximum_position(z, tops, np.arange(1, count + 1)), dtype=np.intp).reshape(-1, 2)
    border = inside & ~_inner(inside)
    whole = np.setdiff1d(np.arange(1, count + 1), labels[border])
    labels[~np.isin(labels, whole)] = 0
    kept = peaks[whole - 1]
    return Hills(kept[:, 0], kept[:, 1], labels.astype(np.int32))


def features(
    height: Floats, inside: NDArray[np.bool_], axes: Floats, pruning: float
) -> tuple[dict[str, Quantity], Hills, Hills]:
    """Give S5p, S5v, S10z, Spd, Svd, Spc and Svc of heights from their mean plane, and the hills and dales.

    `pruning` is the part of Sz that a peak stands at least above its highest saddle. Means are over fewer than five peaks
    where there are fewer. Curvatures are those of the second differences at the peak.
    """
    z = height - float(height[inside].mean())
    threshold = pruning * float(np.ptp(z[inside]))
    up, down = hills(z, inside, threshold), hills(-z, inside, threshold)
    area = np.count_nonzero(inside) * abs(float(np.linalg.det(axes))) * 1e-6
    high, low = _five(z, up), _five(-z, down)
    values = {
        "S5p": Quantity(high, "nm"),
        "S5v": Quantity(low, "nm"),
        "S10z": Quantity(high + low, "nm"),
        "Spd": Quantity(len(up.rows) / area, "1/µm²"),
        "Svd": Quantity(len(down.rows) / area, "1/µm²"),
        "Spc": Quantity(_curvature(z, inside, up, axes), "1/nm"),
        "Svc": Quantity(-_curvature(-z, inside, down, axes), "1/nm"),
    }
    return values, up, down


def _five(z: Floats, found: Hills) -> float:
    tops = np.sort(z[found.rows, found.columns])[::-1][:_FIVE]
    return float(tops.mean()) if len(tops) else math.nan


def _curvature(z: Floats, inside: NDArray[np.bool_], found: Hills, axes: Floats) -> float:
    inner = _inner(inside)[found.rows, found.columns]
    r, c = found.rows[inner], found.columns[inner]
    if not len(r):
        return math.nan
    dx, dy = float(np.hypot(*axes[:, 0])), float(np.hypot(*axes[:, 1]))
    across = (z[r, c + 1] - 2 * z[r, c] + z[r, c - 1]) / dx**2
    down = (z[r + 1, c] - 2 * z[r, c] + z[r - 1, c]) / dy**2
    return float(np.mean(-0.5 * (across + down)))


def _inner(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give the pixels all of whose eight neighbours are inside."""
    rows, columns = inside.shape
    padded = np.pad(inside, 1)
    found = inside.copy()
    for r in range(3):
        for c in range(3):
            found &= padded[r : r + rows, c : c + columns]
    return found
