"""Self-affine random surfaces."""

from __future__ import annotations

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.engine.surfaces.grid import Check, Heights, Shape, no_check, values


def rough(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give a Gaussian random surface whose power spectral density falls as ``frequency ** -(2 H + 2)``.

    `given`: `hurst` (H), `rms_slope`, `cutoff_nm` (c: the density is damped by ``exp(-(c frequency)^2)``), `longest_nm` (below
    the frequency of this wavelength the density stays level).
    """
    use = values("rough", shape, pixel_size_nm, given)
    cutoff, lowest = use["cutoff_nm"] / pixel_size_nm, pixel_size_nm / use["longest_nm"]
    rows, columns = 2 * shape[0], 2 * shape[1]  # a crop of a periodic surface is not periodic
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    frequency[0, 0] = np.inf
    amplitude = np.maximum(frequency, lowest) ** -(1.0 + use["hurst"]) * np.exp(-((cutoff * frequency) ** 2) / 2)
    check()
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((rows, columns)))
    check()
    height = np.fft.irfft2(noise * amplitude, s=(rows, columns))[: shape[0], : shape[1]]
    check()
    down, right = np.gradient(height)
    slope = np.sqrt((down**2 + right**2).mean())
    if not slope > 1e-12:
        raise EclipsError(
            "the cut-off length leaves no roughness in this field", where="cutoff_nm", hint="Give a shorter one."
        )
    return np.asarray((height - height.mean()) * pixel_size_nm * use["rms_slope"] / slope)


def polish(shape: Shape, pixel_size_nm: float, seed: int, rms_slope: float) -> Heights:
    """Give the gentle roughness of a polished face: no features below some 12 pixels."""
    return rough(shape, pixel_size_nm, seed + 1) * (rms_slope / 0.3)
