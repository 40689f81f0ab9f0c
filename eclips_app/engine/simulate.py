"""Segment images of a known surface: rendering, probe, pixels, electrons and grey values (the signal model of the contract)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate, StepResult
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.horizon import render

_SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))


def simulate_step(inputs: Mapping[str, NDArray[Any]], params: Simulate, context: Context) -> StepResult:
    """Render segment images.

    Parameters
    ----------
    inputs : mapping
        ``height`` [row, col] in nm and optional ``rho`` of the same shape, with `subpixels` samples along each pixel edge.
    params : Simulate
        Detector, pixel size, dose and noise.
    context : Context
        Progress and cancellation.

    Returns
    -------
    StepResult
        ``segments`` [k, row, col]: with a dose uint16 grey values, without one the noise-free signal as float32, in units
        of the mean signal of a flat. Facts: part of the grey values that are saturated.

    Raises
    ------
    EclipsError
        Heights that are not finite or do not fill whole pixels.
    """
    height = _checked(inputs["height"], params.subpixels)
    spacing = params.pixel_size_nm / params.subpixels
    signal = render(
        height / spacing, params.detector, params.azimuths, lambda part: context.progress(0.9 * part, "rendering")
    )
    if "rho" in inputs:
        signal *= inputs["rho"]
    signal = _pixels(_probe(signal, params.detector, spacing), params.subpixels)
    signal /= vectors(params.detector)[:, 2].mean()
    if params.dose is None:
        return StepResult({"segments": _grey(signal, params.detector).astype(np.float32)})
    grey = _detect(signal, params, params.dose)
    context.progress(1.0, "rendered")
    top = float(np.iinfo(np.uint16).max)
    facts = {"saturated": float((grey >= top).mean())}
    return StepResult({"segments": np.clip(np.rint(grey), 0, top).astype(np.uint16)}, facts)


def _checked(height: NDArray[Any], subpixels: int) -> NDArray[np.float64]:
    if height.ndim != 2 or min(height.shape) < 2 * subpixels:
        raise EclipsError(f"a height map of shape {height.shape} cannot be rendered", hint="Give rows and columns.")
    if height.shape[0] % subpixels or height.shape[1] % subpixels:
        raise EclipsError(f"{height.shape} heights do not fill whole pixels of {subpixels} by {subpixels} samples")
    if not np.isfinite(height).all():
        raise EclipsError("the height map has gaps", hint="Fill them first: an unknown height casts an unknown shadow.")
    return np.ascontiguousarray(height, dtype=np.float64)


def _probe(signal: NDArray[np.float64], detector: Detector, spacing_nm: float) -> NDArray[np.float64]:
    """Blur by the Gaussian probe, which spreads the signal and not the surface."""
    width = detector.beam.probe_fwhm_nm * _SIGMA_PER_FWHM / spacing_nm if detector.beam else 0.0
    return np.asarray(gaussian_filter(signal, (0.0, width, width), mode="nearest")) if width > 0 else signal


def _pixels(signal: NDArray[np.float64], subpixels: int) -> NDArray[np.float64]:
    """Average over the area of each pixel."""
    k, rows, columns = signal.shape
    split = signal.reshape(k, rows // subpixels, subpixels, columns // subpixels, subpixels)
    return np.asarray(split.mean(axis=(2, 4)))


def _detect(signal: NDArray[np.float64], params: Simulate, dose: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(params.seed)
    electrons = rng.poisson(np.maximum(signal, 0.0) * dose).astype(np.float64)
    if params.read_noise_electrons > 0:
        electrons += rng.normal(0.0, params.read_noise_electrons, electrons.shape)
    return _grey(electrons * params.grey_per_electron, params.detector)


def _grey(signal: NDArray[np.float64], detector: Detector) -> NDArray[np.float64]:
    """Apply each segment's gain and offset."""
    gain = np.array([segment.gain for segment in detector.quadrants])
    offset = np.array([segment.offset for segment in detector.quadrants])
    return np.asarray(signal * gain[:, None, None] + offset[:, None, None])
