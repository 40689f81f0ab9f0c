"""Self-affine random surfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.engine.surfaces.grid import Check, Heights, Shape, bands, no_check, values


def rough(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give a Gaussian random surface whose power spectral density falls as ``frequency ** -(2 H + 2)``.

    `given`: `hurst` (H), `rms_slope`, `cutoff_nm` (c: the density is damped by ``exp(-(c frequency)^2)``), `longest_nm` (below
    the frequency of this wavelength the density stays level).
    """
    use = values("rough", shape, pixel_size_nm, given)
    cutoff, lowest = use["cutoff_nm"] / pixel_size_nm, pixel_size_nm / use["longest_nm"]
    exponent = -(1.0 + use["hurst"])

    def amplitude(frequency: Heights) -> Heights:
        return np.asarray(np.maximum(frequency, lowest) ** exponent * np.exp(-((cutoff * frequency) ** 2) / 2))

    # A crop of a periodic surface is not periodic.
    height = _filtered_noise((2 * shape[0], 2 * shape[1]), seed, amplitude, check)[: shape[0], : shape[1]]
    down, right = np.gradient(height)
    slope = np.sqrt((down**2 + right**2).mean())
    if not slope > 1e-12:
        raise EclipsError(
            "the cut-off length leaves no roughness in this field", where="cutoff_nm", hint="Give a shorter one."
        )
    return np.asarray((height - height.mean()) * pixel_size_nm * use["rms_slope"] / slope)


def _filtered_noise(shape: Shape, seed: int, amplitude: Callable[[Heights], Heights], check: Check) -> Heights:
    """Give the upper half of white noise whose waves are weighted by a function of their frequency (1 / pixel)."""
    rows, columns = shape
    rng = np.random.default_rng(seed)
    waves = np.empty((rows, columns // 2 + 1), dtype=np.complex128)
    for band in bands(rows, columns):
        waves[band] = np.fft.rfft(rng.standard_normal((band.stop - band.start, columns)))
        check()
    down, right = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    for band in bands(waves.shape[1], rows):
        frequency = np.hypot(down, right[:, band])
        if band.start == 0:
            frequency[0, 0] = np.inf  # no mean
        waves[:, band] = np.fft.ifft(np.fft.fft(waves[:, band], axis=0) * amplitude(frequency), axis=0)
        check()
    height = np.empty((rows // 2, columns))
    for band in bands(rows // 2, columns):
        height[band] = np.fft.irfft(waves[band], n=columns)
        check()
    return height


def polish(shape: Shape, pixel_size_nm: float, seed: int, rms_slope: float, check: Check) -> Heights:
    """Give the gentle roughness of a polished face: no features below some 12 pixels."""
    return rough(shape, pixel_size_nm, seed + 1, check) * (rms_slope / 0.3)
