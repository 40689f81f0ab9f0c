"""Levelling by smooth surfaces: polynomials of least squares, and the plane that makes the prevalent facets horizontal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.level import Plane
from eclips_app.metrology.profile import Floats

#: Width of the weights of facets in mean square slopes, and when to stop, as in Gwyddion (user guide, "Levelling").
_FACET_PART = 1 / 20
_FACET_MEDIANS = 4.0  #: width of the weights in medians of the squared slopes, at most
_FACET_ROUNDS = 100
_FACET_END = 1e-9


@dataclass(frozen=True, eq=False)
class PolynomialFit:
    """Least squares by products of Legendre polynomials in x and y, which stay well conditioned, with fixed weights."""

    along_x: Floats  #: polynomials at the columns [degree, col]
    along_y: Floats  #: [degree, row]
    terms: tuple[tuple[int, int], ...]  #: exponents (x, y)
    used: NDArray[np.bool_]
    inverse: NDArray[np.floating]  #: of the normal equations

    @classmethod
    def make(cls, used: NDArray[np.bool_], terms: Sequence[tuple[int, int]]) -> PolynomialFit:
        """Set the normal equations up; raises `EclipsError` if what is used does not define the polynomial."""
        rows, columns = used.shape
        along_x, along_y = _basis(columns, max(i for i, _ in terms)), _basis(rows, max(j for _, j in terms))
        size = len(terms)
        normal, weights = np.empty((size, size)), used.astype(np.float64)
        for n, (i, j) in enumerate(terms):
            for m, (k, el) in enumerate(terms[: n + 1]):
                # The sums over rows go first: they leave one number for each column.
                value = (along_y[j] * along_y[el]) @ weights @ (along_x[i] * along_x[k])
                normal[n, m] = normal[m, n] = value
        if used.sum() < size or np.linalg.cond(normal) > 1e10:
            raise EclipsError(
                "the heights to level do not define the polynomial", hint="Choose a lower degree or a larger area."
            )
        return cls(along_x, along_y, tuple(terms), used, np.linalg.inv(normal))

    def surface(self, values: NDArray[np.floating]) -> Floats:
        """Give the fitted polynomial [row, col] of a map; linear in it."""
        known = np.where(self.used, values, 0.0).astype(np.float64)
        right = self.along_y @ known @ self.along_x.T
        solution = self.inverse @ np.array([right[j, i] for i, j in self.terms])
        factors = np.zeros((len(self.along_y), len(self.along_x)))
        for (i, j), value in zip(self.terms, solution, strict=True):
            factors[j, i] = value
        found: Floats = self.along_y.T @ factors @ self.along_x
        return found


def polynomial_terms(degree_x: int, degree_y: int, total_degree: int | None = None) -> list[tuple[int, int]]:
    """Give the exponents (x, y) of all terms up to a degree along each axis, and up to a sum of both."""
    limit = degree_x + degree_y if total_degree is None else total_degree
    return [(i, j) for j in range(degree_y + 1) for i in range(degree_x + 1) if i + j <= limit]


def facet_plane(
    height: NDArray[np.floating], used: NDArray[np.bool_], pixel_size_nm: tuple[float, float] = (1.0, 1.0)
) -> Plane:
    """Give the plane that makes the prevalent facets horizontal when it is taken out.

    Parameters
    ----------
    height : array [row, col]
        Height in nm.
    used : bool array [row, col]
        Where the height counts.
    pixel_size_nm : (float, float)
        Along x and y.

    Returns
    -------
    Plane
        Through the mean of the heights used. Facets are the slopes of four neighbouring pixels; the plane's slope is the mean
        of theirs with weights ``exp(-(v - v0)^2 / s^2)``, where v0 is the slope so far and s^2 a twentieth of the mean square of
        ``v - v0``; repeated until it stays (Gwyddion user guide, "Levelling", "Facet level"). High edges make that mean large
        and draw other facets in: s^2 is at most four times the median as well.

    Raises
    ------
    EclipsError
        If no four neighbouring pixels are used.
    """
    cells = used[:-1, :-1] & used[1:, :-1] & used[:-1, 1:] & used[1:, 1:]
    if not cells.any():
        raise EclipsError("no four neighbouring heights are left to level", hint="Select a larger area.")
    h = np.asarray(height, np.float64)
    a, b, c, d = (part[cells] for part in (h[:-1, :-1], h[:-1, 1:], h[1:, :-1], h[1:, 1:]))
    slope_x, slope_y = (b + d - a - c) / (2 * pixel_size_nm[0]), (c + d - a - b) / (2 * pixel_size_nm[1])
    x = y = 0.0
    for _ in range(_FACET_ROUNDS):
        squares = (slope_x - x) ** 2 + (slope_y - y) ** 2
        spread = min(_FACET_PART * float(squares.mean()), _FACET_MEDIANS * float(np.median(squares)))
        if spread <= 1e-24:
            break  # more than half of the facets have this very slope
        weights = np.exp((squares.min() - squares) / spread)  # the smallest keeps at least one weight from vanishing
        new_x, new_y = (float(weights @ slope) / float(weights.sum()) for slope in (slope_x, slope_y))
        moved = math.hypot(new_x - x, new_y - y)
        x, y = new_x, new_y
        if moved < _FACET_END:
            break
    return plane_through_mean(h, used, x * pixel_size_nm[0], y * pixel_size_nm[1])


def plane_through_mean(
    height: NDArray[np.floating], used: NDArray[np.bool_], per_column_nm: float, per_row_nm: float
) -> Plane:
    """Give the plane of a slope that runs through the mean of the heights used."""
    number = used.sum()
    column = float(used.sum(axis=0) @ np.arange(height.shape[1]) / number)
    row = float(used.sum(axis=1) @ np.arange(height.shape[0]) / number)
    mean = float(np.mean(height, where=used))
    return Plane(mean - per_column_nm * column - per_row_nm * row, per_column_nm, per_row_nm)


def _basis(count: int, degree: int) -> Floats:
    found: Floats = legendre.legvander(np.linspace(-1, 1, count), degree).T.astype(np.float64)
    return found
