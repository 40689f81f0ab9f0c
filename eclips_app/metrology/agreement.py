"""How well a reconstruction and another height map of the same place agree, in numbers with standard deviations and in words.

Differences are reconstruction minus map. Neighbouring pixels do not err independently: all standard errors are for the number of
independent points, the pixels over the sum of the autocorrelation of what is averaged (Bartlett, 1935; Clifford, Richardson &
Hemon, Biometrics 45 (1989) 123).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity, format_length
from eclips_app.metrology.agreement_spectrum import Resolution, resolution
from eclips_app.metrology.registration.grids import Grid, autocorrelation, filled, high_passed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FEWEST = 100  #: pixels of the overlap
_NORMAL_95 = 1.959964  #: of a normal distribution, 95 % within
_TILT_BINS = 8
_CUTOFF = 0.15  #: what is longer than this part of the field is not used for the scale of heights
_SURE = 2.0  #: standard deviations from which a deviation is told
_SLIGHT_PERCENT = 0.5  #: of the scale of heights; less changes no angle by more than 0.15 degrees


@dataclass(frozen=True)
class TiltBin:
    """Differences where the mean tilt of both maps lies between two angles."""

    from_deg: float
    to_deg: float
    pixels: int
    height_nm: Quantity  #: mean difference of heights
    tilt_deg: Quantity  #: mean difference of tilts


@dataclass(frozen=True)
class Agreement:
    """Statistics of the differences over the overlap.

    Limits of agreement hold 95 % of normal differences [Bland & Altman, Lancet 327 (1986) 307]. The offset and slope between two
    maps are part of their placement, so that `bias` tells what an offset by the bulk of the heights leaves in the mean.
    """

    pixels: int
    independent: float  #: number of independent differences
    bias: Quantity
    std: Quantity
    rms: Quantity
    lower: Quantity  #: limit of agreement
    upper: Quantity
    correlation: float  #: of heights
    height_scale: Quantity  #: heights of the reconstruction over those of the map, without what is slow
    chi2: Quantity | None  #: mean of squared differences over their variance; None: the variance is not known
    tilts: tuple[TiltBin, ...]
    resolution: Resolution | None

    def to_json(self) -> dict[str, Any]:
        """Give all as JSON values, quantities as every command prints them."""
        found: dict[str, Any] = _plain(asdict(self), self)
        return found

    def sentences(self) -> tuple[str, ...]:
        """Say what the numbers mean."""
        return (_bias_sentence(self), _scale_sentence(self), *_chi2_sentence(self), *_resolution_sentence(self))


def agreement(height: Floats, other: Floats, pixel_nm: float, variance: Floats | None = None) -> Agreement:
    """Compare two maps on the same pixels.

    Parameters
    ----------
    height, other : array [row, col]
        Reconstruction and map in nm, NaN where not known.
    pixel_nm : float
        Pixel size.
    variance : array [row, col], optional
        Variance of the difference in nm².

    Raises
    ------
    EclipsError
        If too few pixels are known to both.
    """
    known = np.isfinite(height) & np.isfinite(other)
    if known.sum() < _FEWEST:
        raise EclipsError(
            f"the map and the reconstruction share {known.sum()} pixels, too few to compare",
            hint="Place the map onto the reconstruction.",
        )
    difference = height - other
    values = difference[known]
    count = independent(Grid(np.where(known, difference, 0.0), known, pixel_nm))
    bias, std = float(values.mean()), float(values.std(ddof=1))
    of_bias, of_std = std / math.sqrt(count), std / math.sqrt(2 * max(count - 1, 1))
    of_limit = math.hypot(of_bias, _NORMAL_95 * of_std)
    limits = [Quantity(bias + sign * _NORMAL_95 * std, "nm", of_limit) for sign in (-1, 1)]
    rms = float(np.sqrt(np.mean(values**2)))
    return Agreement(
        int(known.sum()), count, Quantity(bias, "nm", of_bias), Quantity(std, "nm", of_std),
        Quantity(rms, "nm", of_std if rms > 0 else 0.0), limits[0], limits[1], _correlation(height[known], other[known]),
        height_scale(height, other, known, pixel_nm), _chi2(difference, variance, known, count),
        tilt_bins(height, other, known, pixel_nm), resolution(height, other, known, pixel_nm),
    )  # fmt: skip


def independent(grid: Grid) -> float:
    """Give the number of independent values of a field, at least 2."""
    radius = max(1, min(grid.known.shape) // 2)
    area = max(float(autocorrelation(grid, radius).sum()), 1.0)
    return max(float(grid.known.sum()) / area, 2.0)


def height_scale(height: Floats, other: Floats, known: Bools, pixel_nm: float) -> Quantity:
    """Give the scale of heights, from both maps without their slow parts.

    Noise of either map pulls a least-squares slope down, of one or of the other; the truth lies between both. Their geometric
    mean is given, the standard deviation holds a third of their distance (uniform between them) and that of the fit.
    """
    cutoff = _CUTOFF * min(known.shape) * pixel_nm
    a, b = (
        high_passed(Grid(filled(np.nan_to_num(each), known), known, pixel_nm), cutoff).heights[known]
        for each in (height, other)
    )
    aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
    if ab <= 0 or aa <= 0 or bb <= 0:
        return Quantity(math.nan, "", math.nan)
    scale, alike = math.sqrt(aa / bb), ab / math.sqrt(aa * bb)
    rest = np.zeros(known.shape)
    rest[known] = a / math.sqrt(aa) - b / math.sqrt(bb)
    count = independent(Grid(rest, known, pixel_nm))
    between = (1 / alike - alike) / math.sqrt(12)
    return Quantity(scale, "", scale * math.hypot(between, math.sqrt(max(1 - alike**2, 0.0) / count)))


def tilt_bins(height: Floats, other: Floats, known: Bools, pixel_nm: float) -> tuple[TiltBin, ...]:
    """Give the differences by the mean tilt of both maps (either tilt alone would be biased by its own noise)."""
    slopes = [_tilt_deg(each, pixel_nm) for each in (height, other)]
    there = known & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    if there.sum() < _FEWEST:
        return ()
    mean = (slopes[0] + slopes[1]) / 2
    top = float(np.percentile(mean[there], 99.5))
    edges = np.linspace(0.0, top or 1.0, _TILT_BINS + 1)
    area = [
        float(there.sum()) / independent(Grid(np.where(there, each, 0.0), there, pixel_nm))
        for each in (height - other, slopes[0] - slopes[1])
    ]
    found = []
    for low, high in itertools.pairwise(edges):
        inside = there & (mean >= low) & (mean < high)
        if inside.sum() < _FEWEST // 4:
            continue
        heights, tilts = (each[inside] for each in (height - other, slopes[0] - slopes[1]))
        found.append(
            TiltBin(
                float(low), float(high), int(inside.sum()), _mean(heights, "nm", area[0]), _mean(tilts, "deg", area[1])
            )
        )
    return tuple(found)


def _mean(values: Floats, unit: str, area_px: float) -> Quantity:
    count = max(len(values) / area_px, 1.0)
    return Quantity(float(values.mean()), unit, float(values.std()) / math.sqrt(count))


def _tilt_deg(height: Floats, pixel_nm: float) -> Floats:
    down, right = np.gradient(height, pixel_nm)
    tilt: Floats = np.degrees(np.arctan(np.hypot(down, right)))
    return tilt


def _chi2(difference: Floats, variance: Floats | None, known: Bools, count: float) -> Quantity | None:
    if variance is None:
        return None
    used = known & np.isfinite(variance) & (variance > 0)
    if used.sum() < _FEWEST:
        return None
    return Quantity(float(np.mean(difference[used] ** 2 / variance[used])), "", math.sqrt(2 / count))


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / power if power > 0 else 0.0


def _bias_sentence(found: Agreement) -> str:
    lower, upper = (format_length(each.value, 3) for each in (found.lower, found.upper))
    limits = f"95 % of the differences lie between {lower} and {upper}"
    bias, std = found.bias.value, found.bias.std or 0.0
    if abs(bias) > _SURE * std:
        side = "above" if bias > 0 else "below"
        return f"Biased: the reconstruction is {format_length(abs(bias), 3)} {side} the map; {limits}."
    return f"No bias beyond its uncertainty of {format_length(std, 2)}; {limits}."


def _scale_sentence(found: Agreement) -> str:
    scale, std = found.height_scale.value, found.height_scale.std or 0.0
    if not math.isfinite(scale):
        return "The heights do not go together: their scale cannot be compared."
    off, sigma = 100 * (scale - 1), 100 * std
    if abs(off) <= _SURE * sigma:
        return f"The scale of heights, and with it of angles, agrees within {sigma:.2g} % (one standard deviation)."
    if abs(off) < _SLIGHT_PERCENT:
        return f"The scale of heights, and with it of angles, agrees to {abs(off):.2g} %."
    return (
        f"The scale of heights, and with it of angles, is wrong in one of them: the reconstruction is {abs(off):.1f} % "
        f"{'steeper' if off > 0 else 'flatter'} (standard deviation {sigma:.2g} %)."
    )


def _chi2_sentence(found: Agreement) -> tuple[str, ...]:
    if found.chi2 is None:
        return ()
    factor = math.sqrt(max(found.chi2.value, 0.0))
    if found.chi2.value <= 1 + _SURE * (found.chi2.std or 0.0):
        return (f"The differences agree with the stated standard deviations (they are {factor:.2g} times as large).",)
    return (
        f"The differences are {factor:.2g} times as large as the stated standard deviations: what is not stated, or the map's "
        "own errors, are larger.",
    )


def _resolution_sentence(found: Agreement) -> tuple[str, ...]:
    return () if found.resolution is None else (found.resolution.sentence(),)


def _plain(values: Any, source: Any) -> Any:
    """Replace quantities, which `asdict` has taken apart, by their JSON form."""
    if isinstance(source, Quantity):
        return source.to_json()
    if isinstance(source, tuple):
        return [_plain(value, item) for value, item in zip(values, source, strict=True)]
    if isinstance(values, dict):
        return {name: _plain(value, getattr(source, name)) for name, value in values.items()}
    return values
