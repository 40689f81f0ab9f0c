"""The F-operation: taking a form (mean, plane or polynomial) out of heights."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

Floats = NDArray[np.float64]


def degree_of(form: str, degree: int) -> int:
    """Give the degree of the polynomial that a form ("none", "plane", "polynomial") is; none still takes out the mean."""
    return {"none": 0, "plane": 1}.get(form, degree)


def without_form(height: NDArray[np.floating], used: NDArray[np.bool_], form: str, degree: int = 2) -> Floats:
    """Give heights without the polynomial of least squares of total degree `degree`, fitted to what is `used`.

    Parameters
    ----------
    height : array [row, col] or [point]
        In nm; what is not used may be NaN and stays what it is.
    used : bool array
        Of the same shape.
    form : "none", "plane" or "polynomial"
        None takes out the mean.
    degree : int
        Of the polynomial.

    Raises
    ------
    EclipsError
        If the heights do not define the polynomial.
    """
    basis = _basis(height.shape, degree_of(form, degree))
    design = np.stack([each[used] for each in basis], axis=1)
    if len(design) <= design.shape[1]:
        raise EclipsError("too few heights are measured to take the form out", hint="Choose a larger area.")
    normal = design.T @ design
    if np.linalg.cond(normal) > 1e13:
        raise EclipsError("the measured heights do not define the form", hint="Choose a wider area or a lower degree.")
    found = np.linalg.solve(normal, design.T @ height[used])
    rest = height.astype(np.float64)
    for weight, each in zip(found, basis, strict=True):
        rest -= weight * each
    return rest


def _basis(shape: tuple[int, ...], degree: int) -> list[Floats]:
    """Give the products of Legendre polynomials up to a total degree, over the whole array: well conditioned."""
    along: list[Floats] = [
        legendre.legvander(np.linspace(-1, 1, size) if size > 1 else np.zeros(1), degree).astype(np.float64)
        for size in shape
    ]
    if len(along) == 1:
        return [along[0][:, i] for i in range(degree + 1)]
    rows, columns = along
    return [np.outer(rows[:, i], columns[:, j]) for i in range(degree + 1) for j in range(degree + 1 - i)]
