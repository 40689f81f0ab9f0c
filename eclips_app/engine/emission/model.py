"""Emission models: density ``D(n, w)`` with which electrons leave a surface of normal n in direction w.

A signal is ``S / pi * Int D T E dw``; Lambert emission is ``D = n.w``. Every model gives D as a smooth function that goes on
beyond the tangent plane (where the horizon cuts it off), so that a few functions of the normal expand it (`expansion`).
With x' the component of w in the surface along the beam (downhill) and y' the one across, (x', y') runs over the unit disc, and
Lambert emission fills it evenly. Thus ``D = (n.w) y(alpha) G(x', y')`` with the yield y relative to normal incidence and the
density G on the disc relative to an even one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from eclips_app.core.emission import COEFFICIENTS, Emission
from eclips_app.core.errors import EclipsError
from eclips_app.engine.emission.tables import Emitted, read_table
from eclips_app.engine.emission.zernike import zernike

Float = NDArray[np.float64]

#: Tilt in radians beyond which tables are not followed: the forward lobe of the electrons that lost little is narrower there than
#: polynomials of degree 6 resolve, and so they turn negative toward the detector.
STEEPEST = float(np.deg2rad(77.0))

#: D for tilts alpha and directions (polar angle t, azimuth from the normal's one) in radians, of one shape.
Density = Callable[[Float, Float, Float], Float]


def lambert(alpha: Float, theta: Float, turn: Float) -> Float:
    """Give ``n.w``."""
    return np.asarray(np.sin(alpha) * np.sin(theta) * np.cos(turn) + np.cos(alpha) * np.cos(theta))


def parametric(coefficients: tuple[float, ...]) -> Density:
    """Give the model of few coefficients (`core.emission.COEFFICIENTS`), a polynomial in the directions.

    With s = sin alpha, mu = n.w and u = s x' = mu cos alpha - cos t:
    ``D = mu (1 + yield_2 s^2 + yield_4 s^4) (1 + peak (2 mu^2 - 1) + (forward_1 + forward_3 s^2) u + stretch (u^2 - s^2 / 4))``.
    Each term of the second bracket has the mean zero over the disc, so that the first bracket alone is the yield.
    """
    if len(coefficients) != len(COEFFICIENTS):
        raise EclipsError(
            f"{len(coefficients)} coefficients of emission stand where {len(COEFFICIENTS)} are expected",
            where="coefficients", hint=f"Give {', '.join(COEFFICIENTS)}.",
        )  # fmt: skip
    yield_2, yield_4, peak, forward_1, forward_3, stretch = coefficients

    def density(alpha: Float, theta: Float, turn: Float) -> Float:
        mu, s2 = lambert(alpha, theta, turn), np.sin(alpha) ** 2
        u = mu * np.cos(alpha) - np.cos(theta)
        shape = 1 + peak * (2 * mu**2 - 1) + (forward_1 + forward_3 * s2) * u + stretch * (u**2 - s2 / 4)
        return np.asarray(mu * (1 + yield_2 * s2 + yield_4 * s2**2) * shape)

    return density


def tabulated(emitted: Emitted) -> Density:
    """Give the model of a table; beyond its largest tilt and `STEEPEST` yield and shape stay what they are there."""
    tilts, nm = np.deg2rad(emitted.tilts_deg), emitted.nm
    relative = PchipInterpolator(tilts, emitted.yield_ / emitted.yield_[0])
    shapes = PchipInterpolator(tilts, emitted.reduced)

    def density(alpha: Float, theta: Float, turn: Float) -> Float:
        at = np.minimum(alpha, min(float(tilts[-1]), STEEPEST))
        coefficients = shapes(at) * np.sin(at)[..., None] ** nm[:, 1]
        x = np.cos(alpha) * np.sin(theta) * np.cos(turn) - np.sin(alpha) * np.cos(theta)
        y = np.sin(theta) * np.sin(turn)
        shape = sum(coefficients[..., z] * zernike(int(n), int(m), x, y) for z, (n, m) in enumerate(nm))
        return np.asarray(lambert(alpha, theta, turn) * relative(at) * shape)

    return density


def fit(emitted: Emitted) -> tuple[float, ...]:
    """Give the coefficients of the parametric model that fit a table best.

    Small tilts count most (cos^3), and directions between 10 and 65 degrees of polar angle, where detectors are. The yield
    first, then the shape: each is a linear problem.
    """
    alpha = np.deg2rad(emitted.tilts_deg)
    s2, weight = np.sin(alpha) ** 2, np.cos(alpha) ** 1.5
    grown = emitted.yield_ / emitted.yield_[0]
    yields = np.linalg.lstsq(np.stack([s2, s2**2], 1) * weight[:, None], (grown - 1) * weight, rcond=None)[0]
    angles = np.deg2rad(np.linspace(10.0, 65.0, 23))[:, None], np.linspace(0.0, np.pi, 19)
    tilt, theta, turn = np.broadcast_arrays(alpha[:, None, None], *angles)
    mu, squared = lambert(tilt, theta, turn), s2[:, None, None]
    u = mu * np.cos(tilt) - np.cos(theta)
    terms = np.stack([2 * mu**2 - 1, u, squared * u, u**2 - squared / 4], -1)
    modelled = mu * (1 + yields[0] * squared + yields[1] * squared**2)
    weights = (weight[:, None, None] * np.sqrt(np.sin(theta)) * (mu > 0))[..., None]
    left = (terms * modelled[..., None] * weights).reshape(-1, 4)
    right = ((tabulated(emitted)(tilt, theta, turn) - modelled)[..., None] * weights).ravel()
    return tuple(float(v) for v in (*yields, *np.linalg.lstsq(left, right, rcond=None)[0]))


def density_of(emission: Emission, energy_kev: float | None, threshold_kev: float = 0.0) -> Density:
    """Give the density of a chosen model.

    Raises
    ------
    EclipsError
        If a table is needed and the detector file gives no beam energy, or there is none for the material or energy.
    """
    if emission.model == "lambert":
        return lambert
    if emission.model == "parametric":
        return parametric(coefficients_of(emission, energy_kev, threshold_kev))
    return tabulated(_emitted(emission, energy_kev, threshold_kev))


def coefficients_of(emission: Emission, energy_kev: float | None, threshold_kev: float = 0.0) -> tuple[float, ...]:
    """Give the coefficients of a parametric model: its own, else those that fit the material's table best.

    Raises
    ------
    EclipsError
        As `density_of`.
    """
    return emission.coefficients or fit(_emitted(emission, energy_kev, threshold_kev))


def _emitted(emission: Emission, energy_kev: float | None, threshold_kev: float) -> Emitted:
    """Give the material's table at an energy."""
    if energy_kev is None:
        raise EclipsError(
            f"emission of {emission.material} needs the beam energy, which the detector file does not give",
            where="beam", hint="Add 'beam' with 'energy_kev', or choose Lambert emission.",
        )  # fmt: skip
    return read_table(emission.material).at(energy_kev, threshold_kev)
