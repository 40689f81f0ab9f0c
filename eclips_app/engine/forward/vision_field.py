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
shows few of its longest waves, only the rigorous one is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.special import ndtr

from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import EstimateVisionField, StepResult
from eclips_app.engine.acceptance import acceptance

Float = NDArray[np.float64]

_AZIMUTHS = 16
_EDGE_PX = 1024  #: statistics are taken from the middle of larger maps
_SAMPLES = 4  #: distances per pixel
_FINEST = 1e-9  #: least variance, as a part of the mean square slope


@dataclass(frozen=True)
class SurfaceStatistics:
    """What the Vision Field needs to know of a surface.

    Attributes
    ----------
    lag_nm : array [s]
        Distances, evenly spaced from 0.
    structure_nm2 : array [f, s]
        Structure function ``<(h(x + s) - h(x))^2>`` after removing the mean plane, in evenly spaced azimuths; beyond the last
        distance it is taken as constant.
    mean_slope : array [f]
        Slope of the mean plane along each azimuth.
    mean_square_slope : array [f]
        Mean square of the slope along each azimuth, without the mean plane.
    rms_height_nm : float
        Standard deviation of the heights without the mean plane.
    relief_nm : float
        Highest less lowest height.
    """

    lag_nm: Float
    structure_nm2: Float
    mean_slope: Float
    mean_square_slope: Float
    rms_height_nm: float
    relief_nm: float

    @property
    def rms_slope(self) -> float:
        """Root mean square of the gradient without the mean plane."""
        return float(np.sqrt(2.0 * self.mean_square_slope.mean()))

    @property
    def correlation_length_nm(self) -> float:
        """Distance at which the autocorrelation falls to 1/e; the largest distance known if it does not."""
        if self.rms_height_nm <= 0.0:
            return 0.0
        autocorrelation = 1.0 - self.structure_nm2.mean(axis=0) / (2.0 * self.rms_height_nm**2)
        below = np.flatnonzero(autocorrelation <= np.exp(-1.0))
        return float(self.lag_nm[below[0] if below.size else -1])


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
    radius_nm: Float
    chance: Float


def vision_field_step(inputs: Mapping[str, NDArray[Any]], params: EstimateVisionField, context: Context) -> StepResult:
    """Compute the Vision Field; gives ``radius_nm`` and ``chance`` [r], and the numbers of `VisionField` as ``info``."""
    statistics = surface_statistics(inputs["height"], params.pixel_size_nm, context.check)
    found = vision_field_of(statistics, lowest_slope(params.detector), params.delta_out)
    numbers = {name: value for name, value in vars(found).items() if name not in ("radius_nm", "chance")}
    return StepResult({"radius_nm": found.radius_nm, "chance": found.chance}, numbers)


def vision_field(
    height: NDArray[Any], pixel_size_nm: float, detector: Detector, delta_out: float = 0.01
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

    Raises
    ------
    EclipsError
        Heights with gaps, or a detector that accepts electrons along the surface.
    """
    return vision_field_of(surface_statistics(height, pixel_size_nm), lowest_slope(detector), delta_out)


def lowest_slope(detector: Detector) -> float:
    """Give ``cot(theta_max)``, the slope of the lowest accepted ray."""
    _, farthest = acceptance(detector).limits()
    if farthest > np.deg2rad(89.9):
        raise EclipsError(
            "the detector accepts electrons that leave along the surface, which anything far away can block",
            hint="Give the detector a smaller outer radius.",
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
        float(np.rad2deg(np.arctan(slope))), delta_out, radius, chance,
    )  # fmt: skip


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


def surface_statistics(
    height: NDArray[Any], pixel_size_nm: float, check: Callable[[], None] = lambda: None
) -> SurfaceStatistics:
    """Measure the statistics of a height map (nm), for distances up to a half of its smaller edge.

    `check` is called now and then and may raise to stop.
    """
    if height.ndim != 2 or min(height.shape) < 16:
        raise EclipsError(
            f"a height map of shape {height.shape} has no statistics", hint="Give 16 x 16 pixels or more."
        )
    if not np.isfinite(height).all():
        raise EclipsError("the height map has gaps", hint="Fill them first.")
    relief = float(np.ptp(height))
    middle = _middle(np.asarray(height, dtype=np.float64) / pixel_size_nm)
    level, (right, up) = _levelled(middle)
    reach = min(middle.shape) // 2
    structure = _structure_map(level, reach, check)
    azimuth = np.arange(_AZIMUTHS) * (2 * np.pi / _AZIMUTHS)
    cosine, sine = np.cos(azimuth), np.sin(azimuth)
    along_x, along_y = structure[reach, reach + 1], structure[reach + 1, reach]
    both = (structure[reach - 1, reach + 1] - structure[reach + 1, reach + 1]) / 4  # rows go down, y up
    lags = np.arange((reach - 1) * _SAMPLES) / _SAMPLES
    check()
    places = reach - lags * sine[:, None], reach + lags * cosine[:, None]
    profiles = np.maximum(map_coordinates(structure, places, order=3, mode="nearest"), 0.0)
    profiles[:, 0] = 0.0
    return SurfaceStatistics(
        lags * pixel_size_nm,
        profiles * pixel_size_nm**2,
        right * cosine + up * sine,
        along_x * cosine**2 + along_y * sine**2 + 2 * both * cosine * sine,
        float(level.std()) * pixel_size_nm,
        relief,
    )


def gaussian_statistics(rms_height_nm: float, correlation_length_nm: float, relief_nm: float) -> SurfaceStatistics:
    """Give the statistics of an isotropic surface with the autocorrelation ``exp(-(s / correlation length)^2)``."""
    lag = np.linspace(0.0, 5.0, 201) * correlation_length_nm
    structure = 2 * rms_height_nm**2 * -np.expm1(-((lag / correlation_length_nm) ** 2))
    square = 2 * (rms_height_nm / correlation_length_nm) ** 2
    return SurfaceStatistics(lag, structure[None], np.zeros(1), np.full(1, square), rms_height_nm, relief_nm)


def _middle(height: Float) -> Float:
    rows, columns = (max(0, (size - _EDGE_PX) // 2) for size in height.shape)
    return height[rows : height.shape[0] - rows, columns : height.shape[1] - columns]


def _levelled(height: Float) -> tuple[Float, tuple[float, float]]:
    """Remove the mean plane; gives also its slopes to the right and upward."""
    rows, columns = height.shape
    down, right = np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
    along_down = float(down @ height.mean(axis=1) / (down @ down))
    along_right = float(height.mean(axis=0) @ right / (right @ right))
    return height - height.mean() - along_down * down[:, None] - along_right * right, (along_right, -along_down)


def _structure_map(height: Float, reach: int, check: Callable[[], None]) -> Float:
    """Mean of ``(h(x + d) - h(x))^2`` over all pairs in the field, for d up to `reach` rows and columns each way."""
    shape = [fft.next_fast_len(size + reach, real=True) for size in height.shape]
    waves = fft.rfft2(height, s=shape)
    check()
    power = fft.irfft2(waves.real**2 + waves.imag**2, s=shape)
    check()
    lags = np.arange(-reach, reach + 1)
    rows, columns = height.shape
    pairs = (rows - np.abs(lags))[:, None] * (columns - np.abs(lags))
    # Sums of squares over the points that have a partner at +d and at -d: corners of the cumulated sum.
    total = np.zeros((rows + 1, columns + 1))
    np.cumsum(np.cumsum(height**2, axis=0), axis=1, out=total[1:, 1:])
    top, bottom = np.maximum(-lags, 0)[:, None], np.minimum(rows - lags, rows)[:, None]
    left, right = np.maximum(-lags, 0), np.minimum(columns - lags, columns)
    squares = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    sums = squares + squares[::-1, ::-1] - 2 * power[np.ix_(lags, lags)]
    return np.asarray(np.maximum(sums / pairs, 0.0))
