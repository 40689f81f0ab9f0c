"""Whether the brightness that a fit gave each pixel follows the slope of the surface, which a material does not.

A material factor `rho` that is free for each pixel takes up whatever part of an error is common to all segments. A wrong
distance, wrong radii or a wrong emission law change the signal with the tilt; wrong gains, offsets or a detector off the axis
change it with the direction of the slope. Means over blocks, from which most of the noise is gone, are tested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

#: Pixels along the edge of a block.
BLOCK_PX = 8
_LEAST_BLOCKS = 40
_ALIKE = 4.0  #: neighbouring blocks that count as one, since surfaces are alike over some distance
_SIGMAS = 5.0
_SHARE = 0.25  #: of the variance of the brightness that must follow the slope
_LEAST = 0.008  #: change of the brightness that goes with it; less says nothing against stated tolerances
_LEAST_SLOPE = 0.05  #: change of slope over the field; some 3 degrees
_MOST = (5, 95)  #: percentiles of the blocks between which changes are taken, so that a few at edges decide nothing


@dataclass(frozen=True)
class Trend:
    """How the logarithm of the brightness follows the slope, over blocks.

    Attributes
    ----------
    tested : bool
        Whether there are slopes enough to tell.
    is_flat : bool
        Whether there are not, though the model explains enough of the field.
    with_tilt, with_direction : bool
        Whether it follows the tilt, or the direction of the slope.
    tilt_change, direction_change : float
        Relative change of the brightness over 90 % of the field that goes with either.
    direction_deg : float
        Azimuth in degrees (0 right, 90 up) of the faces that are too bright.
    known_flat, known_steep : float
        Median chi-square with the brightness known of the flattest and the steepest quarter; NaN without.
    """

    tested: bool = False
    is_flat: bool = False
    with_tilt: bool = False
    with_direction: bool = False
    tilt_change: float = 0.0
    direction_change: float = 0.0
    direction_deg: float = 0.0
    known_flat: float = np.nan
    known_steep: float = np.nan
    coefficients: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def known_grows(self) -> bool:
        """Whether the chi-square with the brightness known is high on steep parts only."""
        return bool(self.known_steep > 2.0 and self.known_steep > 2.0 * self.known_flat)

    def predicted(self, slopes: Float) -> Float:
        """Give the part of log rho that goes with the slopes (right, up) [2, ...], as far as it was found to be there."""
        tilt, right, up = _features(slopes)
        a, b, c = self.coefficients
        return np.asarray(self.with_tilt * a * tilt + self.with_direction * (b * right + c * up))


def trend(rho: Float, slopes: Float, good: NDArray[np.bool_], known: Float | None = None) -> Trend:
    """Test whether the brightness follows the slope.

    Parameters
    ----------
    rho : array [row, col]
        Brightness factor.
    slopes : array [2, row, col]
        Right and up.
    good : bool array [row, col]
        Where the model explains the images; nothing else is tested.
    known : array [row, col], optional
        Chi-square with the brightness of the material.
    """
    good = good & np.isfinite(rho) & (rho > 0)
    log = np.log(np.where(good, rho, 1.0))
    planes = [log, *_features(slopes), *([np.nan_to_num(known)] if known is not None else [])]
    means = _block_means(np.stack(planes), good)
    if means.shape[1] < _LEAST_BLOCKS:
        return Trend()
    flat, steep = _by_quarter(means[1], means[4]) if known is not None else (np.nan, np.nan)
    features = means[1:4] - means[1:4].mean(axis=1, keepdims=True)
    if max(_span(part) for part in features[1:]) < _LEAST_SLOPE:
        return Trend(is_flat=True, known_flat=flat, known_steep=steep)
    return _fitted(means[0] - means[0].mean(), features, flat, steep)


def _fitted(log: Float, features: Float, flat: float, steep: float) -> Trend:
    a, b, c = (float(v) for v in np.linalg.lstsq(features.T, log, rcond=None)[0])
    tilt, direction = a * features[0], b * features[1] + c * features[2]
    rest = log - tilt - direction
    # Where all faces look one way, tilt and direction are alike: large parts may cancel, and nothing follows the slope.
    is_there = _is_there(tilt + direction, rest)
    return Trend(
        True, False, is_there and _is_there(tilt, rest), is_there and _is_there(direction, rest), _span(tilt), _span(direction),
        float(np.degrees(np.arctan2(-c, -b))), flat, steep, (a, b, c),
    )  # fmt: skip


def _is_there(part: Float, rest: Float) -> bool:
    """Whether a fitted part is too large to be chance, and large enough to matter."""
    share = float(part.var() / max(part.var() + rest.var(), 1e-30))
    independent = len(part) / _ALIKE
    return bool(share > _SHARE and share * independent > _SIGMAS**2 and _span(part) > _LEAST)


def _span(values: Float) -> float:
    return float(np.ptp(np.percentile(values, _MOST)))


def _features(slopes: Float) -> tuple[Float, Float, Float]:
    right, up = slopes
    return 0.5 * np.log1p(right**2 + up**2), right, up


def _by_quarter(tilt: Float, known: Float) -> tuple[float, float]:
    low, high = np.percentile(tilt, (25, 75))
    return float(np.median(known[tilt <= low])), float(np.median(known[tilt >= high]))


def _block_means(planes: Float, good: NDArray[np.bool_]) -> Float:
    """Give the means [plane, block] over the good pixels of blocks that have three quarters of them."""
    rows, columns = (n // BLOCK_PX * BLOCK_PX for n in good.shape)

    def summed(plane: NDArray[np.generic]) -> Float:
        blocks = plane[:rows, :columns].reshape(rows // BLOCK_PX, BLOCK_PX, columns // BLOCK_PX, BLOCK_PX)
        return np.asarray(blocks.sum(axis=(1, 3), dtype=np.float64)).ravel()

    count = summed(good)
    kept = count >= 0.75 * BLOCK_PX**2
    return np.stack([summed(np.where(good, plane, 0.0))[kept] / count[kept] for plane in planes])
