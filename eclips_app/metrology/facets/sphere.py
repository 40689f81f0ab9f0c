"""Directions on the upper hemisphere and where they lie on Lambert's equal-area disc.

A direction is a unit normal (x right, y up, z to the detector). The disc has radius 1; its middle is +z, its rim the horizontal:
``r = sqrt(2) sin(theta / 2)`` (Snyder, USGS Prof. Paper 1395 (1987) 182). Equal areas of the disc are equal solid angles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.floating]

BINS = 181  #: along the diameter of the disc


def normals_of(p: Floats, q: Floats) -> Floats:
    """Give the unit normals [..., 3] of slopes p = dh/dx and q = dh/dy (y up)."""
    return np.stack([-p, -q, np.ones_like(p)], axis=-1) / np.sqrt(1 + p * p + q * q)[..., None]


def to_disc(normals: Floats) -> Floats:
    """Give the places [..., 2] (x, y) of normals [..., 3] on the disc."""
    return np.asarray(normals[..., :2] / np.sqrt(1 + normals[..., 2:3]))


def from_disc(places: Floats) -> Floats:
    """Give the normals [..., 3] at places [..., 2] of the disc; NaN outside it."""
    square = np.sum(places**2, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        factor = np.where(square <= 1.0, np.sqrt(2 - square), np.nan)
    return np.concatenate([places * factor, 1 - square + 0 * factor], axis=-1)


def histogram(normals: Floats, weights: Floats, smoothing_deg: float) -> Floats:
    """Give how much area faces where.

    Parameters
    ----------
    normals : array [n, 3]
        Unit normals of the upper hemisphere.
    weights : array [n]
        True area of each.
    smoothing_deg : float
        Standard deviation of the Gaussian that the histogram is smoothed with.

    Returns
    -------
    array [BINS, BINS]
        [y, x] over the disc from -1 to 1, y upwards: multiples of a uniform distribution over the hemisphere.
    """
    places = to_disc(normals)
    edges = np.linspace(-1.0, 1.0, BINS + 1)
    counts, _, _ = np.histogram2d(places[:, 1], places[:, 0], bins=(edges, edges), weights=weights)
    bin_area = (2.0 / BINS) ** 2
    # Near the middle one radian is 1 / sqrt(2) of the disc's radius; towards the rim shapes are distorted, areas are not.
    counts = gaussian_filter(counts, np.radians(smoothing_deg) / np.sqrt(2.0) / (2.0 / BINS))
    return np.asarray(counts / max(weights.sum(), 1e-300) * np.pi / bin_area)


def angle_deg(a: Floats, b: Floats) -> Floats:
    """Give the angles in degrees between unit vectors [..., 3]; exact for small ones too."""
    return np.asarray(np.degrees(2 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))))
