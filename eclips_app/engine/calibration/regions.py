"""Which pixels of a completed observation the fit uses, and to which area of known shape each belongs.

Dust, neighbours, charging and scratches are found as what deviates from a smooth model of the object's own signals: a polynomial
in the ball's normal, or in the place on a plane face. The polynomial has no physics; it follows whatever the emission does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.calibration import Indent, Observation, Sphere
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.find_indent import Square
from eclips_app.engine.calibration.view import Area, in_all

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
Check = Callable[[], None]
Terms = Callable[[NDArray[np.int64], NDArray[np.int64]], Float]

_ROUNDS = 5  #: of the fit of the smooth model to what it has left over
_OUTLIER = 7.0  #: robust standard deviations, of single pixels: noise differs over an object
_BROAD_OUTLIER = 5.0  #: the same, of averages
_MODEL_ERROR = 0.015  #: of the range of a segment's model on the object: what no polynomial is right to
_GREY = 0.02  #: of a segment's signal: what single pixels may be off, for the noise of few grey values has no median
_BROAD_GREY = 0.004  #: the same, of averages
_BROAD_PX = 2.0  #: over which residuals are averaged to see what noise hides
_GROWN_PX = 2  #: masked around an outlier
_FITTED = 20_000  #: pixels that are enough to fit the model
_EDGE_PX = 2.0  #: least distance from the edges of an object
_EDGE = 0.03  #: the same, as part of the outline's radius
_RIDGE = 0.07  #: distance from the edges and ridges of an indent, as part of its half diagonal
_FACET = 0.1  #: distance from the edges of a facet, as part of its shorter edge
_MIDDLE = 0.15  #: distance from the middle of an indent, as part of its half diagonal


def labels(
    observation: Observation, signals: NDArray[np.float32], usable: Mask, check: Check = lambda: None
) -> NDArray[np.int16]:
    """Give for each pixel of the crop the number of its area, or -1 where it is not used.

    Parameters
    ----------
    observation : Observation
        Complete, as `find.complete` gives it.
    signals, usable : arrays [k, row, col]
        From `engine.prepare.Signals`, of the crop's size.
    check : callable
        Called now and then; what it raises ends the work (`Context.check`).

    Returns
    -------
    array of int16 [row, col]
        Spheres, flats, heights and dark frames: 0. Indents: number of the face. Facets: number of the area.
    """
    good = in_all(usable)
    origin = observation.crop[:2]
    if observation.sphere is not None:
        return _sphere(observation.sphere, origin, observation.pixel_size_nm, signals, good, check)
    if observation.indent is not None:
        return _indent(observation.indent, origin, signals, good, check)
    if observation.flat is not None:
        return _areas((observation.flat.area,), origin, 0.0, _quadratic, signals, good, check)
    if observation.facets is not None:
        return _areas(observation.facets.areas, origin, _FACET, _plane, signals, good, check)
    return np.where(good, 0, -1).astype(np.int16)


def ball_radius_px(sphere: Sphere, pixel_size_nm: float) -> float:
    """Give the radius of the ball in px: as stated, or that of its outline, taken for the equator."""
    if sphere.radius_nm is not None:
        return sphere.radius_nm / pixel_size_nm
    return _known(sphere.radius_px)


def _known(value: float | None) -> float:
    if value is None:
        raise EclipsError("the observation is not complete", hint="Find the object first.")
    return value


def _sphere(
    sphere: Sphere,
    origin: tuple[int, ...],
    pixel_size_nm: float,
    signals: NDArray[np.float32],
    good: Mask,
    check: Check,
) -> NDArray[np.int16]:
    ball, outline = ball_radius_px(sphere, pixel_size_nm), _known(sphere.radius_px)
    row, column = (_known(x) - o for x, o in zip(sphere.center_px or (None, None), origin, strict=True))
    rows, columns = np.ogrid[: good.shape[0], : good.shape[1]]
    distance = np.hypot(rows - row, columns - column)
    steepest = ball * np.sin(np.deg2rad(sphere.max_tilt_deg))
    where = (distance <= steepest) & (distance < outline - max(_EDGE_PX, _EDGE * outline)) & good

    def terms(r: NDArray[np.int64], c: NDArray[np.int64]) -> Float:
        x, y = (c - column) / ball, (row - r) / ball
        z = np.sqrt(np.maximum(1 - x**2 - y**2, 0.0))
        powers = [x**i * y**j for i in range(6) for j in range(6 - i)]
        return np.stack([*powers, z, x * z, y * z], axis=1)

    return np.where(even(signals, where, terms, check), 0, -1).astype(np.int16)


def _indent(
    indent: Indent, origin: tuple[int, ...], signals: NDArray[np.float32], good: Mask, check: Check
) -> NDArray[np.int16]:
    row, column = (_known(x) - o for x, o in zip(indent.center_px or (None, None), origin, strict=True))
    radius = _known(indent.radius_px)
    square = Square(row, column, radius, float(np.deg2rad(_known(indent.rotation_deg))))
    rows, columns = np.meshgrid(*(np.arange(n) for n in good.shape), indexing="ij")
    face, _, edge, ridge = square.faces(rows, columns)
    margin = max(_EDGE_PX, _RIDGE * radius)
    middle = np.hypot(rows - row, columns - column) < max(_EDGE_PX, _MIDDLE * radius)
    found = np.full(good.shape, -1, np.int16)
    for number in indent.faces:
        where = (face == number) & (edge > margin) & (ridge > margin) & ~middle & good
        found[even(signals, where, _plane, check)] = number
    return found


def _areas(
    areas: tuple[Area, ...],
    origin: tuple[int, ...],
    inset: float,
    terms: Terms,
    signals: NDArray[np.float32],
    good: Mask,
    check: Check,
) -> NDArray[np.int16]:
    """Give the numbers of rectangles, without outliers, drawn in by `inset` of their shorter edge, but a pixel at least."""
    found = np.full(good.shape, -1, np.int16)
    for number, (top, left, bottom, right) in enumerate(areas):
        by = max(1, round(inset * min(bottom - top, right - left))) if inset else 0
        rows = slice(max(0, top + by - origin[0]), max(0, bottom - by - origin[0]))
        columns = slice(max(0, left + by - origin[1]), max(0, right - by - origin[1]))
        where = np.zeros(good.shape, bool)
        where[rows, columns] = good[rows, columns]
        found[even(signals, where, terms, check)] = number
    return found


def even(signals: NDArray[np.float32], where: Mask, terms: Terms, check: Check) -> Mask:
    """Give the pixels of `where` [row, col] that a smooth model describes in all segments.

    The model is fitted to each segment by least squares over `terms`, a function of rows and columns [n] that gives [n, terms];
    what it is off by more than noise and its own error is left out with its surroundings, and the fit repeated.
    """
    rows, columns = np.nonzero(where)
    if len(rows) == 0:
        return where.copy()
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    values = signals[:, rows, columns].T.astype(float)
    design = terms(rows, columns)
    at = rows - box[0].start, columns - box[1].start
    inside = where[box]
    weight = np.maximum(scipy.ndimage.gaussian_filter(inside.astype(np.float32), _BROAD_PX, mode="constant"), 1e-3)
    good = np.ones(len(rows), bool)
    for _ in range(_ROUNDS):
        if np.count_nonzero(good) < 3 * design.shape[1]:
            return np.zeros_like(where)
        chosen = np.flatnonzero(good)
        chosen = chosen[:: max(1, len(chosen) // _FITTED)]
        model = design @ _coefficients(design[chosen], values[chosen])
        bad = np.zeros(inside.shape, bool)
        scales = np.ptp(model[good], axis=0), np.abs(np.median(model[good], axis=0))
        for left, height, level in zip((values - model).T, *scales, strict=True):
            check()
            least = [max(_MODEL_ERROR * float(height), grey * float(level)) for grey in (_GREY, _BROAD_GREY)]
            bad[at] |= _odd(left, inside, at, weight, good, least)
        grown = scipy.ndimage.binary_dilation(bad, iterations=_GROWN_PX)[at]
        if np.array_equal(~grown, good):
            break
        good = ~grown
    kept = np.zeros_like(where)
    kept[rows[good], columns[good]] = True
    return kept


def _coefficients(design: Float, values: Float) -> Float:
    """Give the least-squares coefficients [terms, k] by the normal equations, which take a tenth of the time of others."""
    size = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
    scaled = design / size
    normal = scaled.T @ scaled + 1e-12 * np.eye(len(size))
    found: Float = np.linalg.solve(normal, scaled.T @ values) / size[:, None]
    return found


def _odd(
    left: Float, inside: Mask, at: tuple[NDArray[np.int64], NDArray[np.int64]], weight: NDArray[np.float32], good: Mask,
    least: list[float],
) -> Mask:  # fmt: skip
    """Give which residuals [n] of a segment are more than noise and the model's error (`least`), each or averaged nearby."""
    plane = np.zeros(inside.shape, np.float32)
    plane[at] = left
    broad = (scipy.ndimage.gaussian_filter(plane, _BROAD_PX, mode="constant") / weight)[at]
    found = np.zeros(len(left), bool)
    for each, limit, error in zip((left, broad), (_OUTLIER, _BROAD_OUTLIER), least, strict=True):
        middle = np.median(each[good])
        noise = 1.4826 * float(np.median(np.abs(each[good] - middle)))
        found |= np.abs(each - middle) > max(limit * noise, error)
    return found


def _plane(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Float:
    x, y = columns - columns.mean(), rows - rows.mean()
    return np.stack([np.ones_like(x), x, y], axis=1) if len(x) else np.zeros((0, 3))


def _quadratic(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Float:
    plane = _plane(rows, columns)
    x, y = plane[:, 1], plane[:, 2]
    return np.stack([*plane.T, x**2, x * y, y**2], axis=1)
