"""Vision Field: how far away a surface can still block the way to the detector.

A point x sees the detector in azimuth f down to the elevation ``90 deg - theta_max``, theta_max being the largest polar angle
of the valid solid angle. With ``D(s) = h(x + s) - h(x)`` and ``m = cot(theta_max)``, the lowest accepted ray is blocked from the
distance s if ``D(s) > m s``; every other accepted ray is blocked less. Two radii follow.

**Rigorous.** ``D <= relief`` everywhere, so nothing beyond ``relief * tan(theta_max)`` blocks an accepted electron.

**Statistical.** The smallest radius beyond which the chance that the lowest ray is blocked from outside r, given that
nothing blocks it inside r, stays below `delta_out`; the tangent plane counts as inside.

For a Gaussian surface (plane removed) D is Gaussian with the variance ``S(s) = <D(s)^2>``, the structure function. Its
derivative along the ray has the variance ``L = S''(0) / 2`` (the mean square slope) and the covariance ``S'(s) / 2`` with D. A
ray that is clear at r and blocked beyond crosses the line ``m s`` upward at some s > r. The mean number of such crossings
per length is, after Rice (Bell Syst. Tech. J. 24 (1945) 46; for curved levels Cramer and Leadbetter, Stationary and Related
Stochastic Processes (1967), 13.2)::

    nu(s) = phi(m s / sqrt(S)) / sqrt(S) * E[max(0, X)],     X ~ Normal(m (s S' / (2 S) - 1),  L - S'^2 / (4 S))

X being ``D' - m`` where ``D = m s``. With ``N(r) = Int_r^inf nu ds`` and Q the upper tail of the normal law there are two bounds
of the chance; the smaller one is taken:

* ``N(r) / (1 - Q(m / sqrt(L)) - Int_0^r nu ds)``: crossings beyond r, by the chance of being clear inside r, which fails only
  where the surface rises above the ray at once or crosses it inside r.
* ``Q(m r / sqrt(S(r))) + N(r)``: the chance of being blocked beyond r, whatever is inside. It is a bound because the D(s)
  along a ray correlate positively where the autocorrelation falls with distance, and positively correlated Gaussian
  variables are associated (Pitt, Ann. Probab. 10 (1982) 496): a ray that is clear inside r is rather clear outside, too.

A mean slope g of the surface along f lowers m to ``m - g``. The chances of the azimuths are averaged. The statistical radius
rests on heights that are Gaussian with the statistics of the map; on gratings, indents and the like, and where the map
shows few of its longest waves, only the rigorous one is safe. So the chance at the statistical radius is also counted on
the map itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from eclips_app.core.context import Context
from eclips_app.core.detector import Bias, Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import EstimateVisionField, StepResult
from eclips_app.engine.acceptance import acceptance
from eclips_app.engine.forward.surface_statistics import SurfaceStatistics, surface_statistics
from eclips_app.engine.optics.watch import watched

Float = NDArray[np.float64]

_LINES = 96  #: rows and columns along which the chance is counted
_FINEST = 1e-9  #: least variance, as a part of the mean square slope


@dataclass(frozen=True)
class VisionField:
    """Radii in nm, what they rest on, and the chance of being blocked from beyond each radius.

    Attributes
    ----------
    rigorous_nm, statistical_nm : float
        See the module; the statistical radius is never above the rigorous one.
    relief_nm, rms_slope, correlation_length_nm : float
        Of the surface.
    lowest_elevation_deg : float
        Lowest take-off angle that the detector accepts.
    delta_out : float
        The chance that was chosen.
    measured_chance : float or None
        What `chance` at the statistical radius is on the map itself; None where only statistics are known.
    radius_nm, chance : array [r]
        Bound of the chance that the lowest accepted ray is blocked from beyond `radius_nm`, given that nothing blocks it inside.
    """

    rigorous_nm: float
    statistical_nm: float
    relief_nm: float
    rms_slope: float
    correlation_length_nm: float
    lowest_elevation_deg: float
    delta_out: float
    measured_chance: float | None
    radius_nm: Float
    chance: Float


def vision_field_step(inputs: Mapping[str, NDArray[Any]], params: EstimateVisionField, context: Context) -> StepResult:
    """Compute the Vision Field; gives ``radius_nm`` and ``chance`` [r], and the numbers of `VisionField` as ``info``."""
    with watched(context.check):
        found = vision_field(inputs["height"], params.pixel_size_nm, params.detector, params.delta_out, context.check)
    numbers = {name: value for name, value in vars(found).items() if name not in ("radius_nm", "chance")}
    return StepResult({"radius_nm": found.radius_nm, "chance": found.chance}, numbers)


def vision_field(
    height: NDArray[Any],
    pixel_size_nm: float,
    detector: Detector,
    delta_out: float = 0.01,
    check: Callable[[], None] = lambda: None,
) -> VisionField:
    """Compute the Vision Field of a height map.

    Parameters
    ----------
    height : array [row, col]
        Heights in nm.
    pixel_size_nm : float
        Edge of a pixel.
    detector : Detector
        Gives the lowest accepted take-off angle.
    delta_out : float
        Accepted chance of being blocked from outside, 0 to 1.
    check : callable
        Called now and then; may raise to stop.

    Raises
    ------
    EclipsError
        Heights with gaps, or a detector that accepts electrons along the surface.
    """
    statistics, slope = surface_statistics(height, pixel_size_nm, check), lowest_slope(detector)
    found = vision_field_of(statistics, slope, delta_out)
    measured = measured_chance(np.asarray(height) / pixel_size_nm, slope, found.statistical_nm / pixel_size_nm, check)
    return replace(found, measured_chance=measured)


def lowest_slope(detector: Detector) -> float:
    """Give ``cot(theta_max)``, the slope of the lowest accepted ray."""
    _, farthest = acceptance(detector).limits()
    if farthest > np.deg2rad(89.9):
        raise EclipsError(
            "the detector accepts electrons that leave along the surface, which anything far away can block",
            hint="Lower the bias."
            if detector.bias not in (None, Bias())
            else "Give the detector a smaller outer radius.",
        )
    return float(1.0 / np.tan(farthest))


def vision_field_of(statistics: SurfaceStatistics, slope: float, delta_out: float = 0.01) -> VisionField:
    """Compute the Vision Field from statistics and the slope of the lowest accepted ray."""
    rigorous = statistics.relief_nm / slope
    radius, chance = chance_beyond(statistics, slope)
    too_much = np.flatnonzero(chance > delta_out)
    after = int(too_much[-1]) + 1 if too_much.size else 0
    statistical = float(radius[after]) if after < radius.size else rigorous
    return VisionField(
        rigorous, min(statistical, rigorous), statistics.relief_nm, statistics.rms_slope, statistics.correlation_length_nm,
        float(np.rad2deg(np.arctan(slope))), delta_out, None, radius, chance,
    )  # fmt: skip


def measured_chance(
    height: NDArray[Any], slope: float, radius: float, check: Callable[[], None] = lambda: None
) -> float:
    """Count how often the lowest ray is blocked from beyond a radius where nothing inside blocks it.

    Heights and radius are in units of the pixel, which is the smallest radius there is. Rays go both ways along some rows
    and columns; beyond the border nothing blocks them.
    """
    far = clear = 0
    reach = int(np.ceil(np.ptp(height) / slope))
    for field in (height, height.T):
        some = field[:: max(1, len(field) // _LINES)]
        for lines in (some, some[:, ::-1]):
            is_clear, is_far = np.ones(lines.shape, dtype=bool), np.zeros(lines.shape, dtype=bool)
            for step in range(1, min(reach, lines.shape[1] - 1) + 1):
                blocked = lines[:, step:] - lines[:, :-step] > slope * step
                if step <= max(radius, 1.0):
                    is_clear[:, :-step] &= ~blocked
                else:
                    is_far[:, :-step] |= blocked
                check()
            clear += int(is_clear.sum())
            far += int((is_clear & is_far).sum())
    return far / clear if clear else 0.0


def chance_beyond(statistics: SurfaceStatistics, slope: float) -> tuple[Float, Float]:
    """Give radii in nm up to the rigorous one, and the bound of the chance of being blocked from beyond each."""
    known, step = statistics.lag_nm, statistics.lag_nm[1]
    radius = np.arange(int(np.ceil(statistics.relief_nm / slope / step)) + 1) * step
    chances = []
    for structure, mean, square in zip(
        statistics.structure_nm2, statistics.mean_slope, statistics.mean_square_slope, strict=True
    ):
        chances.append(_chance(radius, np.interp(radius, known, structure), slope - mean, square))
    return radius, np.mean(chances, axis=0)


def _chance(radius: Float, structure: Float, slope: float, square: float) -> Float:
    """Bound for one azimuth; see the module."""
    if square <= 0.0:
        return np.full_like(radius, float(slope < 0))
    rate = _crossings(radius, structure, slope, square)
    passed = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(radius))])
    beyond = passed[-1] - passed
    clear = 1.0 - ndtr(-slope / np.sqrt(square)) - passed
    above = ndtr(-slope * np.where(radius > 0, radius / np.sqrt(np.maximum(structure, 1e-300)), 1.0 / np.sqrt(square)))
    bound = np.minimum(above + beyond, np.where(clear > 0, beyond / np.maximum(clear, 1e-12), 1.0))
    return np.asarray(np.minimum(bound, 1.0))


def _crossings(radius: Float, structure: Float, slope: float, square: float) -> Float:
    """Rice's rate of upward crossings of the line ``slope * s`` in 1/nm, at each distance."""
    growth = np.gradient(structure, radius) / 2
    variance = np.maximum(structure, _FINEST * square * radius**2 + 1e-300)
    deviation = np.sqrt(np.maximum(square - growth**2 / variance, _FINEST * square))
    drift = slope * (radius * growth / variance - 1.0)
    reduced = drift / deviation
    mean_rise = deviation * _density(reduced) + drift * ndtr(reduced)
    rate = _density(slope * radius / np.sqrt(variance)) / np.sqrt(variance) * mean_rise
    rate[0] = rate[1] if rate.size > 1 else 0.0  # the limit for short distances
    return np.asarray(rate)


def _density(x: Float) -> Float:
    return np.asarray(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
