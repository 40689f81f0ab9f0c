"""Linear least squares whose residuals go together from point to point."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fit(design: Floats, parts: list[Floats]) -> tuple[Floats, Floats, float]:
    """Solve a linear fit; give coefficients, their covariance and the rms residual (in the unit of the heights).

    `design` is [point, coefficient]; `parts` are the heights of each run of neighbouring points. The covariance of ordinary
    least squares is widened by (1 + r) / (1 - r), r the correlation of neighbouring residuals (first-order autoregressive
    errors; Bayley & Hammersley, J. R. Stat. Soc. Suppl. 8 (1946) 184).
    """
    z = np.concatenate(parts)
    scale = np.abs(design).max(axis=0)  # columns of nm and of 1 in one matrix: scaled, they are solved equally well
    scale[scale == 0] = 1.0
    scaled = design / scale
    coefficients = np.linalg.lstsq(scaled, z, rcond=None)[0]
    residual = z - scaled @ coefficients
    square = float(residual @ residual)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    lagged = sum(float(run[1:] @ run[:-1]) for run in np.split(residual, ends))
    r = min(max(lagged / square, 0.0), 0.99) if square > 0 else 0.0
    variance = square / max(len(z) - design.shape[1], 1) * (1 + r) / (1 - r)
    covariance = variance * np.linalg.pinv(scaled.T @ scaled) / np.outer(scale, scale)
    return coefficients / scale, covariance, math.sqrt(square / len(z))
