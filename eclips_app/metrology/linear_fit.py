"""Linear least squares whose residuals go together from point to point."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_RANK = 1e-12  #: smallest to largest diagonal element of R, below which the columns are not independent


class LinearFit(NamedTuple):
    """A solved linear fit."""

    coefficients: Floats  #: [coefficient]
    covariance: Floats  #: of the coefficients, from the residuals
    rms: float  #: root mean square of the residuals, in the unit of the heights
    gradient: Floats  #: [coefficient, point], change of the coefficients with each height


def fit(design: Floats, parts: list[Floats]) -> LinearFit:
    """Solve a linear fit.

    `design` is [point, coefficient]; `parts` are the heights of each run of neighbouring points. The covariance of ordinary
    least squares is widened by (1 + r) / (1 - r), r the correlation of neighbouring residuals (first-order autoregressive
    errors; Bayley & Hammersley, J. R. Stat. Soc. Suppl. 8 (1946) 184).
    """
    z = np.concatenate(parts)
    gradient = _inverse(design)
    coefficients = gradient @ z
    residual = z - design @ coefficients
    square = float(residual @ residual)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    lagged = sum(float(run[1:] @ run[:-1]) for run in np.split(residual, ends))
    r = min(max(lagged / square, 0.0), 0.99) if square > 0 else 0.0
    variance = square / max(len(z) - design.shape[1], 1) * (1 + r) / (1 - r)
    return LinearFit(coefficients, variance * (gradient @ gradient.T), math.sqrt(square / len(z)), gradient)


def _inverse(design: Floats) -> Floats:
    """Give the pseudo-inverse of a design, by QR: profiles are fitted at each move of the mouse, and the SVD takes longer."""
    scale = np.abs(design).max(axis=0)  # columns of nm and of 1 in one matrix: scaled, they are solved equally well
    scale[scale == 0] = 1.0
    q, r = np.linalg.qr(design / scale)
    diagonal = np.abs(np.diag(r))
    independent = len(diagonal) == design.shape[1] and diagonal.min() > _RANK * diagonal.max()
    inverse = np.linalg.solve(r, q.T) if independent else np.linalg.pinv(design / scale)
    found: Floats = inverse / scale[:, None]
    return found
