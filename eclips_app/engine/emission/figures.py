"""Figures of an emission table that others publish: mean cosine, forward against backward, slope gain of a ring of quadrants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from eclips_app.engine.emission.tables import Emitted
from eclips_app.engine.emission.zernike import zernike

Float = NDArray[np.float64]

_RINGS, _TURNS = 400, 720  #: cells of the disc, all of the same area


def mean_cosine(emitted: Emitted, tilt_deg: float) -> float:
    """Give the mean cosine between the electrons' directions and the normal; 2/3 is Lambert's."""
    x, y = _disc()
    density = _density(emitted, tilt_deg, x, y)
    return float(np.average(np.sqrt(1 - x**2 - y**2), weights=density))


def forward_backward(emitted: Emitted, tilt_deg: float, polar_deg: tuple[float, float] = (45.0, 60.0)) -> float:
    """Give the ratio of the electrons within 45 degrees of the forward and of the backward azimuth.

    Both azimuth and polar angle are the surface's: the latter is counted from the normal.
    """
    x, y = _disc()
    density = _density(emitted, tilt_deg, x, y)
    low, high = np.sin(np.deg2rad(polar_deg))
    ring = (x**2 + y**2 > low**2) & (x**2 + y**2 < high**2)
    return float(density[ring & (x > np.abs(y))].sum() / density[ring & (-x > np.abs(y))].sum())


def slope_gain(emitted: Emitted, tilt_deg: float, ring_deg: tuple[float, float] = (21.8, 50.2)) -> float:
    """Give ``(A - C)/(A + C)/tan(tilt)`` for the quadrants downhill (A) and uphill (C) of a ring about the beam.

    Parameters
    ----------
    emitted : Emitted
    tilt_deg : float
        Slope of the surface; above 0.
    ring_deg : (float, float)
        Polar angles about the beam between which the ring is seen.
    """
    alpha = np.deg2rad(tilt_deg)
    x, y = _disc()
    z = np.sqrt(1 - x**2 - y**2)
    density = _density(emitted, tilt_deg, x, y)
    up, downhill = z * np.cos(alpha) - x * np.sin(alpha), x * np.cos(alpha) + z * np.sin(alpha)
    far, near = np.cos(np.deg2rad(ring_deg))[::-1]
    ring = (up > far) & (up < near)
    a, c = density[ring & (downhill > np.abs(y))].sum(), density[ring & (-downhill > np.abs(y))].sum()
    return float((a - c) / (a + c) / np.tan(alpha))


def yield_at(emitted: Emitted, tilt_deg: float) -> float:
    """Give the yield at a tilt between those of the table."""
    return float(np.exp(_over_tilt(emitted, np.log(emitted.yield_), tilt_deg)))


def _disc() -> tuple[Float, Float]:
    rho = np.sqrt((np.arange(_RINGS) + 0.5) / _RINGS)[:, None]
    turn = (np.arange(_TURNS) + 0.5) * (2 * np.pi / _TURNS)
    return rho * np.cos(turn), rho * np.sin(turn)


def _density(emitted: Emitted, tilt_deg: float, x: Float, y: Float) -> Float:
    """Give the density on the disc, without the negative values that few polynomials leave."""
    coefficients = _over_tilt(emitted, emitted.reduced, tilt_deg) * np.sin(np.deg2rad(tilt_deg)) ** emitted.nm[:, 1]
    total = np.zeros_like(x)
    for c, (n, m) in zip(coefficients, emitted.nm, strict=True):
        total += c * zernike(int(n), int(m), x, y)
    return np.maximum(total, 0.0)


def _over_tilt(emitted: Emitted, values: Float, tilt_deg: float) -> Float:
    if len(emitted.tilts_deg) < 3:
        return np.asarray(values[int(np.argmin(np.abs(emitted.tilts_deg - tilt_deg)))])
    return np.asarray(CubicSpline(emitted.tilts_deg, values)(tilt_deg))
