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
_FACET_END = 1e-5  #: in widths of the weights
_FACETS_AT_MOST = 1 << 17


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


@dataclass(frozen=True, eq=False)
class FacetFit:
    """The plane that makes the prevalent facets horizontal when it is taken out, and how it follows the heights."""

    plane: Plane
    used: NDArray[np.bool_]
    facets: _Facets
    response: Floats  #: [x or y, x or y, facet]: change of the plane's slope by that of a facet's slope

    def moved(self, change: NDArray[np.floating]) -> Plane:
        """Give by what the plane changes where the heights change by a little [row, col]: linear in it.

        It is the derivative of the fixed point at weights of fixed width.
        """
        x, y = np.einsum("ijn,jn->i", self.response, self.facets.slopes(change))
        size_x, size_y = self.facets.pixel_size_nm
        return plane_through_mean(change, self.used, float(x) * size_x, float(y) * size_y)


def fit_facets(
    height: NDArray[np.floating], used: NDArray[np.bool_], pixel_size_nm: tuple[float, float] = (1.0, 1.0)
) -> FacetFit:
    """Find the plane that makes the prevalent facets horizontal when it is taken out.

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
    FacetFit
        Its plane runs through the mean of the heights used. Facets are the slopes of four neighbouring pixels; the plane's
        slope is the mean of theirs with weights ``exp(-(v - v0)^2 / s^2)``, where v0 is the slope so far and s^2 a twentieth of
        the mean square of ``v - v0``; repeated until it stays (Gwyddion user guide, "Levelling", "Facet level"). High edges
        make that mean large and draw other facets in: s^2 is at most four times the median as well. Of large maps every n-th
        facet is looked at.

    Raises
    ------
    EclipsError
        If no four neighbouring pixels are used.
    """
    facets = _Facets.of(used, pixel_size_nm)
    slopes = facets.slopes(height)
    middle = np.zeros((2, 1))
    weights, spread = _weights(slopes, middle)
    for _ in range(_FACET_ROUNDS):
        mean = (slopes @ weights)[:, None]
        moved = float(np.hypot(*(mean - middle)[:, 0]))
        middle = mean
        weights, spread = _weights(slopes, middle)
        if moved <= _FACET_END * math.sqrt(spread):
            break
    x, y = float(middle[0, 0]) * pixel_size_nm[0], float(middle[1, 0]) * pixel_size_nm[1]
    plane = plane_through_mean(height, used, x, y)
    return FacetFit(plane, used, facets, _response(slopes - middle, weights, spread))


@dataclass(frozen=True, eq=False)
class _Facets:
    """Four neighbouring pixels each, all of which are used."""

    row: NDArray[np.intp]  #: of the first of the four
    column: NDArray[np.intp]
    pixel_size_nm: tuple[float, float]

    @classmethod
    def of(cls, used: NDArray[np.bool_], pixel_size_nm: tuple[float, float]) -> _Facets:
        cells = used[:-1, :-1] & used[1:, :-1] & used[:-1, 1:] & used[1:, 1:]
        if not cells.any():
            raise EclipsError("no four neighbouring heights are left to level", hint="Select a larger area.")
        every = max(1, int(cells.sum()) // _FACETS_AT_MOST)
        row, column = np.nonzero(cells)
        return cls(row[::every], column[::every], pixel_size_nm)

    def slopes(self, height: NDArray[np.floating]) -> Floats:
        """Give the slopes [x or y, facet]."""
        h, r, c = height, self.row, self.column
        first, right, below, last = h[r, c], h[r, c + 1], h[r + 1, c], h[r + 1, c + 1]
        rise_x, rise_y = (right + last - first - below) / 2, (below + last - first - right) / 2
        found: Floats = np.stack([rise_x / self.pixel_size_nm[0], rise_y / self.pixel_size_nm[1]]).astype(np.float64)
        return found


def _weights(slopes: Floats, middle: Floats) -> tuple[Floats, float]:
    """Give the weights of facets, with the sum 1, and their width squared."""
    squares = ((slopes - middle) ** 2).sum(axis=0)
    spread = min(_FACET_PART * float(squares.mean()), _FACET_MEDIANS * float(np.median(squares)))
    # Where more than half of the facets have this very slope the width is nothing, and they alone count.
    weights = np.exp((squares.min() - squares) / max(spread, 1e-24))
    return weights / weights.sum(), spread


def _response(away: Floats, weights: Floats, spread: float) -> Floats:
    """Give the derivative of the mean slope, a fixed point, by the slope of each facet."""
    pull = 2 / max(spread, 1e-24) * weights * away  # where facets further out come to weigh less
    inner = np.einsum("in,jn->ij", pull, away)
    direct = weights * np.eye(2)[:, :, None] - pull[:, None] * away[None]
    found: Floats = np.einsum("ij,jkn->ikn", np.linalg.pinv(np.eye(2) - inner), direct)
    return found


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
