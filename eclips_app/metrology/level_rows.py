"""Levelling line by line, and levelling that knows steps from tilts. Lines are the rows of the arrays here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.level import Plane
from eclips_app.metrology.level_surfaces import fit_facets
from eclips_app.metrology.profile import Floats

Bools = NDArray[np.bool_]

_FEWEST = 4  #: heights of a line that are enough for its offset
_ROUNDS = 4
_SETTLED = 0.05  #: a round that changes less than this part of the noise is the last
_SMALLEST_PART = 2e-3  #: of the map, for an area to count as a terrace
_OUTLIER = 4.0  #: spreads
_MAD = 1.4826  #: standard deviation of normal errors in median absolute deviations


def row_offsets(height: NDArray[np.floating], used: Bools, estimate: str) -> Floats:
    """Give what each row lies above the others, in nm [row].

    Parameters
    ----------
    height, used : arrays [row, col]
        Height in nm, and where it counts.
    estimate : "median", "mean" or "difference"
        Median or mean of the row; or the sum of the medians of the differences to the row before, which a step across the rows
        does not mislead as long as it takes less than half of a row at a time.

    Returns
    -------
    array [row]
        With the mean 0. Rows with too few heights take the value between their neighbours.

    Raises
    ------
    EclipsError
        If no row holds enough heights.
    """
    known = np.where(used, height, np.nan).astype(np.float64)
    if estimate == "difference":
        return _by_differences(known)
    take = np.nanmedian if estimate == "median" else np.nanmean
    enough = used.sum(axis=1) >= _FEWEST
    _need(bool(enough.any()))
    offsets = np.full(len(known), np.nan)
    offsets[enough] = take(known[enough], axis=1)
    return _centred(_bridged(offsets))


def row_polynomials(values: NDArray[np.floating], used: Bools, degree: int) -> Floats:
    """Give the polynomial [row, col] fitted to each row; linear in `values`.

    Rows with too few heights take the coefficients between their neighbours. The mean of all coefficients of degree 0 stays in
    the map, so that its level is kept.
    """
    basis = legendre.legvander(np.linspace(-1, 1, values.shape[1]), degree)
    enough = used.sum(axis=1) >= max(_FEWEST, 2 * (degree + 1))
    _need(bool(enough.any()))
    coefficients = np.full((len(values), degree + 1), np.nan)
    whole = used.all(axis=1)  # these go together, which is much quicker
    coefficients[whole] = np.linalg.lstsq(basis, values[whole].T.astype(np.float64), rcond=None)[0].T
    for row in np.flatnonzero(enough & ~whole):
        at = used[row]
        coefficients[row] = np.linalg.lstsq(basis[at], values[row, at].astype(np.float64), rcond=None)[0]
    bridged = np.stack([_bridged(column) for column in coefficients.T])
    bridged[0] -= bridged[0].mean()
    found: Floats = (basis @ bridged).T
    return found


@dataclass(frozen=True, eq=False)
class Terraces:
    """What a map with steps is made of: one plane, an offset for each row, a height for each terrace."""

    plane: Plane
    offsets: Floats  #: [row] in nm
    labels: NDArray[np.int32]  #: [row, col], 0: no terrace, or an outlier
    levels: Floats  #: of terrace 1, 2, …, in nm
    align_rows: bool

    def removed(self, values: NDArray[np.floating]) -> Floats:
        """Give what levelling takes out of a map with these terraces [row, col]: linear in `values`.

        The largest terrace gets the height 0.
        """
        plane, offsets, levels = _joint(np.asarray(values, np.float64), self.labels, self.align_rows)
        rows, columns = values.shape
        ground = levels[np.argmax(np.bincount(self.labels.ravel())[1:])]
        across = plane.at(np.arange(columns, dtype=float), np.arange(rows, dtype=float)[:, None])
        found: Floats = across + offsets[:, None] + ground
        return found


def fit_terraces(
    height: NDArray[np.floating], used: Bools, *, align_rows: bool = True, smoothing_px: float = 1.5, edge: float = 4.0
) -> Terraces:
    """Find plane, row offsets and terraces of a map with steps.

    Terraces are the areas whose smoothed slope differs little from the most frequent one. With them known, plane, heights of
    the terraces and offsets of the rows follow from one problem of least squares; both are repeated in turn. A step along a
    whole row cannot be told from an offset of that row, and a tilt across the rows not from offsets that grow: with
    `align_rows` tilt goes first, then offsets without a trend.

    Parameters
    ----------
    height, used : arrays [row, col]
        Height in nm, and where it counts.
    align_rows : bool
        Whether each row has an offset of its own; else there is the plane alone.
    smoothing_px : float
        Standard deviation of the Gaussian that slopes are smoothed with.
    edge : float
        Slopes that differ from the usual one by more than this many of its spreads are edges.

    Raises
    ------
    EclipsError
        If no terrace is found.
    """
    h = np.asarray(height, np.float64)
    offsets = row_offsets(h, used, "difference") if align_rows else np.zeros(len(h))
    plane = fit_facets(h - offsets[:, None], used).plane
    columns, rows = np.arange(h.shape[1], dtype=float), np.arange(h.shape[0], dtype=float)[:, None]
    taken = plane.at(columns, rows) + offsets[:, None]
    for _ in range(_ROUNDS):
        labels = _terraces(h - taken, used, smoothing_px, edge)
        plane, offsets, levels = _joint(h, labels, align_rows)
        rest = h - plane.at(columns, rows) - offsets[:, None] - np.append(0.0, levels)[labels]
        spread = _MAD * float(np.median(np.abs(rest[labels > 0])))
        keep = (labels > 0) & (np.abs(rest) <= max(_OUTLIER * spread, 1e-12))
        plane, offsets, levels = _joint(h, np.where(keep, labels, np.int32(0)), align_rows)
        before, taken = taken, plane.at(columns, rows) + offsets[:, None]
        if np.ptp(taken - before) <= _SETTLED * spread:
            break
    return Terraces(plane, offsets, np.where(keep, labels, np.int32(0)), levels, align_rows)


def _terraces(flat: Floats, used: Bools, smoothing_px: float, edge: float) -> NDArray[np.int32]:
    """Give the connected areas of usual slope a number each; those that are too small to count are 0."""
    weight = ndimage.gaussian_filter(used.astype(np.float64), smoothing_px) if smoothing_px else used.astype(np.float64)
    filled = np.where(used, flat, 0.0)
    smooth = (ndimage.gaussian_filter(filled, smoothing_px) if smoothing_px else filled) / np.maximum(weight, 1e-9)
    slopes = np.stack(np.gradient(smooth))
    away = slopes - np.median(slopes[:, used], axis=1)[:, None, None]
    size = np.hypot(*away)
    # The median of a Rayleigh distribution lies at 1.177 of its spread in one direction.
    calm = used & (size <= edge * float(np.median(size[used])) / 1.177 + 1e-12)
    inner = ndimage.binary_erosion(calm, iterations=1, border_value=1)
    labels, count = ndimage.label(inner)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = sizes >= max(_FEWEST, _SMALLEST_PART * flat.size)
    large[0] = False
    if not large.any():
        raise EclipsError("no terrace was found", hint="Smooth more, or level by a plane or by facets.")
    numbers = np.zeros(count + 1, np.int32)
    numbers[large] = np.arange(1, int(large.sum()) + 1)
    found: NDArray[np.int32] = numbers[labels]
    return found


def _joint(h: Floats, labels: NDArray[np.int32], align_rows: bool) -> tuple[Plane, Floats, Floats]:
    """Give plane, row offsets and heights of the terraces by least squares over the labelled pixels.

    The offsets are taken out of the normal equations first, for their part of the matrix is diagonal. They have neither mean
    nor trend: those belong to the terraces and to the plane.
    """
    rows, columns = h.shape
    terraces = int(labels.max())
    row, column = np.nonzero(labels)
    number, z = labels[row, column] - 1, h[row, column]
    x, y = column - (columns - 1) / 2, row - (rows - 1) / 2
    size = 2 + terraces
    count = np.bincount(number, minlength=terraces).astype(np.float64)
    normal, right = np.zeros((size, size)), np.zeros(size)
    normal[:2, :2] = [[x @ x, x @ y], [x @ y, y @ y]]
    for place, values in ((0, x), (1, y)):
        normal[place, 2:] = normal[2:, place] = np.bincount(number, values, minlength=terraces)
    normal[2:, 2:] = np.diag(count)
    right[:2], right[2:] = (x @ z, y @ z), np.bincount(number, z, minlength=terraces)
    offsets = np.zeros(rows)
    solution: NDArray[np.floating]
    if not align_rows:
        solution = np.linalg.lstsq(normal, right, rcond=None)[0]
    else:
        solution, offsets = _with_offsets(normal, right, (x, number, z, row), (rows, terraces))
    per_column, per_row = float(solution[0]), float(solution[1])
    middle = per_column * (columns - 1) / 2 + per_row * (rows - 1) / 2  # where the plane of the fit is zero
    levels = solution[2:].astype(np.float64)
    return Plane(-middle, per_column, per_row), offsets, levels


def _with_offsets(
    normal: Floats, right: Floats, points: tuple[NDArray[Any], ...], shape: tuple[int, int]
) -> tuple[NDArray[np.floating], Floats]:
    x, number, z, row = points
    rows, terraces = shape
    in_row = np.bincount(row, minlength=rows).astype(np.float64)
    cross = np.zeros((2 + terraces, rows))
    cross[0] = np.bincount(row, x, minlength=rows)
    y_of_row = np.arange(rows) - (rows - 1) / 2
    cross[1] = in_row * y_of_row
    cross[2:] = np.bincount(number * rows + row, minlength=terraces * rows).reshape(terraces, rows)
    sums = np.bincount(row, z, minlength=rows)
    inverse = np.divide(1.0, in_row, out=np.zeros(rows), where=in_row > 0)
    reduced, left = normal - cross * inverse @ cross.T, right - cross * inverse @ sums
    # The smallest solution settles what offsets, tilt across the rows and heights of terraces share.
    solution = np.linalg.lstsq(reduced, left, rcond=1e-9)[0]
    offsets = _bridged(np.where(in_row > 0, inverse * (sums - cross.T @ solution), np.nan))
    slope = float(offsets @ y_of_row / (y_of_row @ y_of_row))
    level = float(offsets.mean())
    solution[1] += slope
    solution[2:] += level
    return solution, offsets - slope * y_of_row - level


def _by_differences(known: Floats) -> Floats:
    differences = np.diff(known, axis=0)
    enough = np.isfinite(differences).sum(axis=1) >= _FEWEST
    _need(bool(enough.any()))
    rises = np.zeros(len(differences))
    rises[enough] = np.nanmedian(differences[enough], axis=1)
    return _centred(np.append(0.0, np.cumsum(rises)))


def _bridged(values: Floats) -> Floats:
    """Fill what is missing by what lies between the neighbours."""
    known = np.isfinite(values)
    places = np.arange(len(values))
    found: Floats = np.interp(places, places[known], values[known])
    return found


def _centred(values: Floats) -> Floats:
    found: Floats = values - values.mean()
    return found


def _need(enough: bool) -> None:
    if not enough:
        raise EclipsError("no line holds enough heights to level", hint="Select a larger area.")
