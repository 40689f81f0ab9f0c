"""Which of two height maps is sharper: their spectra, and the blur that makes them alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from eclips_app.core.units import Quantity, format_length
from eclips_app.metrology.registration.grids import Grid, filled, levelled

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_COHERENT = 0.5  #: coherence from which both maps show the same
_FEWEST_RINGS = 4
_FWHM = 2.354820045  #: full width at half maximum of a Gaussian over its standard deviation


@dataclass(frozen=True)
class Resolution:
    """How the spectra of two maps differ.

    `blur` is the full width at half maximum of the Gaussian that makes them alike, positive where the *map* must be blurred, and
    negative where the reconstruction must. `cutoff` is the wavelength below which they no longer show the same.
    """

    blur: Quantity
    cutoff: Quantity
    wavelength_nm: tuple[float, ...]
    coherence: tuple[float, ...]  #: squared, 0 to 1, of each ring of wavelengths
    ratio: tuple[float, ...]  #: amplitude of the reconstruction over that of the map, of what they share

    def sentence(self) -> str:
        """Say what the numbers mean."""
        width, std = self.blur.value, self.blur.std or 0.0
        shared = f"both show the same down to wavelengths of {format_length(self.cutoff.value)}"
        if not math.isfinite(width):
            return f"Lateral resolution: {shared}; too little is shared to say which is sharper."
        if abs(width) <= max(2 * std, 1e-9):
            return f"Lateral resolution: equal within {format_length(std)}; {shared}."
        blurred = "map must be blurred" if width > 0 else "reconstruction must be blurred"
        return f"Lateral resolution: the {blurred} by {format_length(abs(width))} (FWHM) to match the other; {shared}."


def resolution(height: Floats, other: Floats, known: Bools, pixel_nm: float) -> Resolution | None:
    """Compare the spectra of two maps [row, col] over the pixels known to both; None where there are too few.

    From radially averaged spectra S: coherence ``|S_rm|² / (S_rr S_mm)`` and transfer ``Re S_rm / S_mm``, of which noise of the
    reconstruction alone is no part. A line through its logarithm over the squared frequency gives the blur.
    """
    taper = np.clip(ndimage.distance_transform_edt(np.pad(known, 1))[1:-1, 1:-1] / (0.1 * min(known.shape)), 0.0, 1.0)
    taper = np.sin(np.pi / 2 * taper) ** 2
    fields = []
    for each in (height, other):
        grid = levelled(Grid(filled(np.nan_to_num(each), known), known, pixel_nm))
        mean = float((grid.heights * taper).sum() / max(taper.sum(), 1e-9))
        fields.append(fft.rfft2((grid.heights - mean) * taper))
    rings, count = _rings(known.shape, pixel_nm)
    own, theirs, cross = (
        np.bincount(rings.ravel(), values.ravel(), count)
        for values in (np.abs(fields[0]) ** 2, np.abs(fields[1]) ** 2, (fields[0] * fields[1].conj()).real)
    )
    frequency = (np.arange(count) + 0.5) / (min(known.shape) * pixel_nm)
    inside = (np.arange(count) >= 2) & (frequency < 0.5 / pixel_nm) & (theirs > 0) & (own > 0)
    if inside.sum() < _FEWEST_RINGS:
        return None
    f = frequency[inside]
    coherence = cross[inside] ** 2 / (own[inside] * theirs[inside])
    ratio = cross[inside] / theirs[inside]
    weight = np.bincount(rings.ravel(), minlength=count)[inside].astype(np.float64)
    cutoff = _cutoff(f, coherence)
    return Resolution(
        _blur(f, coherence, ratio, weight, 1 / cutoff.value), cutoff, tuple(1 / f), tuple(coherence), tuple(ratio)
    )  # fmt: skip


def _rings(shape: tuple[int, ...], pixel_nm: float) -> tuple[NDArray[np.intp], int]:
    """Give the ring of each frequency of a real transform, as wide as the lowest of the shorter edge, and their number."""
    across = np.fft.rfftfreq(shape[1], pixel_nm)
    down = np.fft.fftfreq(shape[0], pixel_nm)
    rings = (np.hypot(across[None, :], down[:, None]) * min(shape) * pixel_nm).astype(np.intp)
    return rings, int(rings.max()) + 1


def _cutoff(frequency: Floats, coherence: Floats) -> Quantity:
    """Give the wavelength at which the smoothed coherence first falls below one half, to a ring."""
    smooth = ndimage.uniform_filter1d(coherence, 3, mode="nearest")
    below = np.flatnonzero(smooth < _COHERENT)
    index = int(below[0]) if below.size else len(frequency) - 1
    wavelength, step = 1 / frequency[index], frequency[1] - frequency[0]
    return Quantity(float(wavelength), "nm", float(wavelength**2 * step))


def _blur(frequency: Floats, coherence: Floats, ratio: Floats, count: Floats, highest: float) -> Quantity:
    used = (frequency <= highest) & (coherence > _COHERENT) & (ratio > 0)
    if used.sum() < _FEWEST_RINGS:
        return Quantity(math.nan, "nm", math.nan)
    # A Gaussian of standard deviation s multiplies amplitudes by exp(-2 pi² s² f²).
    x = -2 * np.pi**2 * frequency[used] ** 2
    y = np.log(ratio[used])
    # Half of the frequencies of a real field repeat the others, and the taper joins neighbours.
    weight = count[used] / 4 * coherence[used] / np.maximum(1 - coherence[used], 1e-3)
    design = np.stack([np.ones_like(x), x], axis=1)
    normal = design.T @ (design * weight[:, None])
    level, square = np.linalg.solve(normal, design.T @ (weight * y))
    rest = y - level - square * x
    spread = max(float((weight * rest**2).sum() / max(used.sum() - 2, 1)), 1.0)
    std = math.sqrt(spread * float(np.linalg.inv(normal)[1, 1]))
    width = math.copysign(_FWHM * math.sqrt(abs(square)), square)
    # From the variance of the square: exact far from zero, bounded next to it.
    of_width = _FWHM * min(std / (2 * math.sqrt(abs(square) + 1e-300)), math.sqrt(std))
    return Quantity(float(width), "nm", float(of_width))
