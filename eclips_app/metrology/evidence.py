"""What a run left behind, thinned out, smoothed and sorted, so that verdicts can be found in it.

Chi-square, smoothed by a Gaussian of `SMOOTH_PX` pixels, is 1 on average where nothing but noise is left over. It then averages
some ``4 pi SMOOTH_PX^2 = 201`` pixels of k - 3 degrees of freedom or more, so that noise alone scatters it by
``sqrt(2 / (201 (k - 3)))``: 0.1 with four segments. What lies more than five times that above 1 is no noise (*strained*); above
`NOT_EXPLAINED` the model misses the images by more than the noise does. Where the noise was estimated too high, the median
lies below 1, both limits come down with it, to a half at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from eclips_app.core.deviations import CLIPPED, NO_DATA, OCCLUDED
from eclips_app.metrology.brightness import Trend, trend

Float = NDArray[np.float64]

SMOOTH_PX = 4.0  #: standard deviation of the Gaussian by which chi-square is smoothed
NOT_EXPLAINED = 2.0  #: chi-square above which more than noise is left over, by as much as the noise itself
_SIGMAS = 5.0
_SHARP = 0.25  #: change of slope from pixel to pixel
_EDGE_PX = 2
_REACH_PX = 8  #: as far as a misfit is spread by the smoothing
_MOST_PX = 1 << 20  #: larger maps are judged on every second, third … pixel, which smoothed maps allow
_MOST_STEP = int(SMOOTH_PX)


@dataclass(frozen=True, eq=False)
class Maps:
    """What a run left behind, all of the crop's size; as `core.steps.ClosedLoop` gives it, or `Reconstruct`.

    Attributes
    ----------
    height : array [row, col]
        In nm.
    pixel_size_nm : float
    mask : bool array [row, col], optional
        True where the height rests on data.
    residual : array [k, row, col], optional
        Measured minus re-rendered; NaN where a segment is not used.
    chi2, chi2_known, rho : arrays [row, col], optional
    flags : array [row, col], optional
        Bits of `core.deviations`.
    is_exact : bool
        Whether it is a closed-loop run: its `chi2` is regional already, and its model knows shadows.
    free_brightness : bool
        Whether each pixel had a brightness of its own.
    origin_px : (row, col)
        Pixel of the uncropped image that is ``height[0, 0]``.
    names : tuple of str
        Of the segments.
    """

    height: NDArray[np.floating]
    pixel_size_nm: float
    mask: NDArray[np.bool_] | None = None
    residual: NDArray[np.floating] | None = None
    chi2: NDArray[np.floating] | None = None
    chi2_known: NDArray[np.floating] | None = None
    rho: NDArray[np.floating] | None = None
    flags: NDArray[np.unsignedinteger] | None = None
    is_exact: bool = True
    free_brightness: bool = True
    origin_px: tuple[int, int] = (0, 0)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Evidence:
    """The maps as they are judged: thinned out, with what follows from them."""

    maps: Maps
    step: int  #: pixels of the maps to one of the evidence
    chi2: Float  #: smoothed; NaN where nothing tests the model
    known: Float | None
    rho: Float | None
    slopes: Float  #: right, up [2, row, col]
    missing: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    threshold: float
    limit: float  #: above it, a pixel is not explained
    trend: Trend = field(default_factory=Trend)


def thresholds(chi2: NDArray[np.floating], segments: int) -> tuple[float, float]:
    """Give chi-square above which it is no noise, and above which a pixel is not explained, for a smoothed map."""
    scatter = math.sqrt(2.0 / (4.0 * math.pi * SMOOTH_PX**2 * max(segments - 3, 1)))
    known = chi2[np.isfinite(chi2)]
    level = float(np.clip(np.median(known), 0.5, 1.0)) if known.size else 1.0
    return level * (1.0 + _SIGMAS * scatter), level * NOT_EXPLAINED


def evidence(maps: Maps) -> Evidence:
    """Thin out and smooth the maps of a run, and test its brightness."""
    shape = maps.height.shape
    step = min(_MOST_STEP, max(1, math.ceil(math.sqrt(maps.height.size / _MOST_PX))))
    thin = (slice(None, None, step), slice(None, None, step))
    flags = np.zeros(shape, np.uint8)[thin] if maps.flags is None else maps.flags[thin]
    used = None if maps.residual is None else np.isfinite(maps.residual[(slice(None), *thin)]).all(axis=0)
    missing = (flags & NO_DATA) > 0
    if maps.mask is not None:
        missing = missing | ~maps.mask[thin]
    clipped = (flags & CLIPPED) > 0
    if used is not None:
        clipped |= ~used & ~missing
    chi2 = regional_chi2(maps)[thin].astype(np.float64)
    chi2[missing] = np.nan
    low, high = thresholds(chi2, len(maps.residual) if maps.residual is not None else 4)
    known = None if maps.chi2_known is None else maps.chi2_known[thin].astype(np.float64)
    rho = None if maps.rho is None else maps.rho[thin].astype(np.float64)
    occluded = (flags & OCCLUDED) > 0
    slopes = _slopes(maps)[(slice(None), *thin)]
    followed = Trend()
    if rho is not None:
        strained = maximum_filter(np.nan_to_num(chi2) > low, 2 * (_REACH_PX // step) + 1)
        good = ~(missing | clipped | occluded | strained | _unresolved(maps)[thin])
        followed = trend(rho, slopes, good, known)
    return Evidence(maps, step, chi2, known, rho, slopes, missing, clipped, occluded, low, high, followed)


def regional_chi2(maps: Maps) -> NDArray[np.floating]:
    """Give chi-square [row, col], smoothed if it is not yet; NaN where nothing tests the model."""
    if maps.chi2 is None:
        return np.full(maps.height.shape, np.nan)
    if maps.is_exact:
        return maps.chi2
    tested = np.isfinite(maps.chi2)
    share = gaussian_filter(tested.astype(np.float32), SMOOTH_PX)
    smooth = gaussian_filter(np.where(tested, maps.chi2, 0.0).astype(np.float32), SMOOTH_PX) / np.maximum(share, 1e-6)
    return np.asarray(np.where(tested, smooth, np.nan))


def _unresolved(maps: Maps) -> NDArray[np.bool_]:
    """Tell where the slope changes so fast that a pixel holds several: at edges, whose brightness is a mixture."""
    smooth = gaussian_filter(np.nan_to_num(maps.height).astype(np.float32) / np.float32(maps.pixel_size_nm), 1.0)
    bend = np.zeros(smooth.shape, np.float32)
    bend[1:-1] = np.abs(smooth[2:] - 2 * smooth[1:-1] + smooth[:-2])
    across = np.abs(smooth[:, 2:] - 2 * smooth[:, 1:-1] + smooth[:, :-2])
    np.maximum(bend[:, 1:-1], across, out=bend[:, 1:-1])
    return np.asarray(maximum_filter(bend > _SHARP, 2 * _EDGE_PX + 1))


def _slopes(maps: Maps) -> Float:
    """Give the slopes right and up; heights that are not known count as level."""
    down, right = np.gradient(np.nan_to_num(maps.height).astype(np.float64) / maps.pixel_size_nm)
    return np.stack([right, -down])
