"""Planes fitted around every pixel, as for the orientations in Gwyddion's facet analysis: squares of 2 r + 1 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Floats = NDArray[np.floating]

_LEAST = 0.5  #: part of the square that must be measured


@dataclass(frozen=True, eq=False)
class LocalPlanes:
    """Slopes of the plane of least squares about each pixel, y up; NaN where too little was measured."""

    p: Floats
    q: Floats
    rms_nm: Floats  #: of the heights about the plane


def local_planes(height: Floats, pixel_size_nm: tuple[float, float], radius_px: int) -> LocalPlanes:
    """Fit a plane to the square around each pixel.

    Parameters
    ----------
    height : array [row, col]
        In nm; NaN where nothing was measured. At the border the square is cut.
    pixel_size_nm : (x, y)
    radius_px : int
        Pixels from the middle of the square to its edge.
    """
    known = np.isfinite(height)
    weight = known.astype(float)
    # Heights about their mean: the moments below lose no digits.
    z = np.where(known, height - height[known].mean() if known.any() else 0.0, 0.0)
    reach = np.arange(-radius_px, radius_px + 1, dtype=float)

    def moment(field: Floats, right: int, down: int) -> Floats:
        along = correlate1d(field, reach**right, axis=1, mode="constant")
        return np.asarray(correlate1d(along, reach**down, axis=0, mode="constant"))

    n, z0 = moment(weight, 0, 0), moment(z, 0, 0)
    enough = n >= _LEAST * len(reach) ** 2
    n = np.where(enough, n, 1.0)
    c, r = moment(weight, 1, 0) / n, moment(weight, 0, 1) / n
    cc, rr, cr = (moment(weight, *powers) / n for powers in ((2, 0), (0, 2), (1, 1)))
    cc, rr, cr = cc - c * c, rr - r * r, cr - c * r
    mean = z0 / n
    zc, zr = moment(z, 1, 0) / n - mean * c, moment(z, 0, 1) / n - mean * r
    determinant = cc * rr - cr * cr
    enough &= determinant > 1e-6
    determinant = np.where(enough, determinant, 1.0)
    per_column, per_row = (rr * zc - cr * zr) / determinant, (cc * zr - cr * zc) / determinant
    left = moment(z * z, 0, 0) / n - mean**2 - per_column * zc - per_row * zr
    there = enough & known
    x, y = pixel_size_nm
    p, q, rms = per_column / x, -per_row / y, np.sqrt(np.maximum(left, 0.0))
    return LocalPlanes(*(np.where(there, field, np.nan) for field in (p, q, rms)))
