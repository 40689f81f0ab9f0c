"""Filters after ISO 16610: Gaussian, robust Gaussian and spline, along profiles and over areas.

All give the low-pass (waviness) of heights for a cutoff: the wavelength of which half the amplitude passes. What is missing
has weight zero, and so has what lies beyond the ends (ISO 16610-28).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.forms import without_form

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ALPHA = math.sqrt(
    math.log(2) / math.pi
)  #: ISO 16610-21, 4.2: the Gaussian of the cutoff l is exp(-pi (x / (ALPHA l))^2)
GAMMA = 0.7309134280946760  #: as ALPHA, of the regression filter of second degree (ISO 16610-31)
_TRUNCATED = 5.0  #: standard deviations of the Gaussian
_TUKEY = 4.4478  #: median absolute residuals beyond which a height counts nothing (ISO 16610-31): 3 sigma
_LEAST_CHANGE = 1e-3  #: of the scale of the residuals, at which robust weights have settled
_MOST_ROUNDS = 20


def low_pass(kind: str, height: Floats, used: Bools, cutoff_nm: float, steps_nm: tuple[float, ...]) -> Floats:
    """Give the waviness of heights [point] or [row, col]; NaN where they are not used.

    Parameters
    ----------
    kind : "gaussian", "robust" or "spline"
    height : array
        In nm; may be NaN where it is not used.
    used : bool array
    cutoff_nm : float
        Wavelength of which half the amplitude passes.
    steps_nm : tuple
        Distance of neighbours along each axis.

    Raises
    ------
    EclipsError
        If the cutoff is below twice the step.
    """
    if not cutoff_nm >= 2 * max(steps_nm):
        raise EclipsError(
            f"a filter of {cutoff_nm:.4g} nm is below twice the step of {max(steps_nm):.4g} nm",
            hint="Give a longer wavelength, or 0 for no filter.",
        )
    # A plane passes unchanged; taken out first, its rise is not mistaken for a bend at the ends.
    flat = without_form(height, used, "plane")
    plane = np.where(used, height - flat, 0.0)
    z, weight = np.where(used, flat, 0.0), used.astype(np.float64)
    cutoffs = tuple(cutoff_nm / step for step in steps_nm)
    if kind == "robust":
        found = _robust(z, weight, cutoffs)
    elif kind == "spline":
        found = _spline(z, weight, cutoffs)
    else:
        found = _regression(z, weight, cutoffs, 1) if z.ndim == 1 else _mean(z, weight, cutoffs)
    return np.where(used, found + plane, np.nan)


def _mean(z: Floats, weight: Floats, cutoffs: tuple[float, ...]) -> Floats:
    """Filter by the Gaussian mean of what there is (ISO 16610-61; -28: the filter keeps its area at the ends)."""
    sigmas = [ALPHA * cutoff / math.sqrt(2 * math.pi) for cutoff in cutoffs]
    far = {"sigma": sigmas, "mode": "constant", "truncate": _TRUNCATED}
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = gaussian_filter(z * weight, **far) / gaussian_filter(weight, **far)
    return found


def _regression(z: Floats, weight: Floats, cutoffs: tuple[float, ...], degree: int) -> Floats:
    """Filter by local polynomials under Gaussian weights (ISO 16610-31, 4.1); at the ends, moments up to `degree` stay.

    With the first degree this is the Gaussian filter of ISO 16610-21 away from the ends. Along profiles only.
    """
    constant = GAMMA if degree == 2 else ALPHA
    sigma = constant * cutoffs[0] / math.sqrt(2 * math.pi)
    reach = min(math.ceil(_TRUNCATED * sigma), len(z) - 1)
    x = np.arange(-reach, reach + 1) / sigma
    kernel = np.exp(-0.5 * x * x)
    # Point j has the distance j - i from i; a convolution runs the other way, so odd moments change their sign.
    moments = [fftconvolve(weight, kernel * (-x) ** k, "same") for k in range(2 * degree + 1)]
    sums = [fftconvolve(weight * z, kernel * (-x) ** k, "same") for k in range(degree + 1)]
    matrix = np.stack([np.stack([moments[i + j] for j in range(degree + 1)], -1) for i in range(degree + 1)], -2)
    # Where little but one side is left the fit may not be defined: a small ridge lets it fall back to the mean there.
    matrix[..., range(1, degree + 1), range(1, degree + 1)] += 1e-9 * moments[0][:, None]
    known = moments[0] > 1e-9 * kernel.sum()
    found = np.full(len(z), np.nan)
    found[known] = np.linalg.solve(matrix[known], np.stack(sums, -1)[known][..., None])[:, 0, 0]
    return found


def _robust(z: Floats, weight: Floats, cutoffs: tuple[float, ...]) -> Floats:
    """Filter with weights by Tukey's biweight of the residuals (ISO 16610-31, second degree; -71, of degree zero)."""

    def smooth(weights: Floats) -> Floats:
        return _regression(z, weights, cutoffs, 2) if z.ndim == 1 else _mean(z, weights, cutoffs)

    used = weight > 0
    found, scale = smooth(weight), math.inf
    for _ in range(_MOST_ROUNDS):
        residual = np.where(used & np.isfinite(found), z - found, 0.0)
        limit = _TUKEY * float(np.median(np.abs(residual[used])))
        if limit <= 0 or abs(scale - limit) <= _LEAST_CHANGE * limit:
            break
        scale = limit
        inner = np.clip(1 - (residual / limit) ** 2, 0, None)
        found = smooth(weight * inner * inner)
    return found


def _spline(z: Floats, weight: Floats, cutoffs: tuple[float, ...]) -> Floats:
    """Filter by the natural cubic smoothing spline (ISO 16610-22; over areas one axis after the other, ISO 16610-62).

    Raises
    ------
    EclipsError
        If heights are missing.
    """
    if not np.all(weight > 0):
        raise EclipsError("the spline filter needs heights without holes", hint="Choose the Gaussian filter.")
    for axis, cutoff in enumerate(cutoffs):
        stiff = (2 * math.sin(math.pi / cutoff)) ** -4  # alpha^4 of ISO 16610-22, for the step's unit of length
        moved = np.moveaxis(z, axis, 0)
        flat = solveh_banded(_stiffness(len(moved), stiff), moved.reshape(len(moved), -1))
        z = np.moveaxis(flat.reshape(moved.shape), 0, axis)
    return z


def _stiffness(size: int, stiff: float) -> Floats:
    """Give I + stiff Q as upper bands [3, size]; Q is the second difference squared, with natural ends."""
    if size < 4:
        raise EclipsError("too few heights for the spline filter", hint="Choose the Gaussian filter.")
    middle, next_to, over = np.full(size, 6.0), np.full(size, -4.0), np.ones(size)
    middle[[0, -1]], middle[[1, -2]] = 1.0, 5.0
    next_to[[1, -1]] = -2.0
    if size == 4:
        middle[1:3] = 5.0
    bands = stiff * np.stack([over, next_to, middle])
    bands[2] += 1.0
    return bands
