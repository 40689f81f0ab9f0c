"""One level of a registration: image and map on pixels of one size, what a pose makes of them, and its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.metrology.placement import drift_weights
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Floats, Frames, Model, Pose, free_drift

_LIKELY_DRIFT = 0.02  #: standard deviation of the drift at a knot, as part of the field's edge


@dataclass(frozen=True)
class Options:
    """What is fitted."""

    model: Model = "similarity"
    knots: int = 8  #: of the drift
    background: int = 3  #: order of the polynomials; 1: a plane
    height_scale: bool = True
    steps: int = 25


class Problem:
    """One level: image and map on pixels of one size."""

    def __init__(self, image: Grid, placed: Grid, frames: Frames, options: Options) -> None:
        self.image, self.map, self.frames, self.options = image, placed, frames, options
        self._spline = ndimage.spline_filter(image.heights, order=3)
        self._rise = _slopes(image)
        self._there = image.known.astype(np.float32)
        self._x, self._y = (each[placed.known] for each in placed.places())
        self._template = placed.heights[placed.known]
        self._map_rise = np.stack([each[placed.known] for each in _slopes(placed)])
        self._background = _polynomials(placed, options.background)
        self._drift = self._drift_basis()

    def parameters(self) -> int:
        """Give the number of pose parameters."""
        drift = 2 * (self.options.knots - 2)
        return {"shift": 2, "similarity": 4, "affine": 6, "drift": 6 + drift}[self.options.model]

    def precision(self) -> Floats:
        """Give one over the variance that each pose parameter is likely to have: 0 but for the drift.

        It decides where the overlap tells nothing of the drift: at rows that lie beside the image, or are flat.
        """
        found = np.zeros(self.parameters())
        found[6:] = 1.0 / (_LIKELY_DRIFT * max(self.map.size_nm)) ** 2
        return found

    def drift_of(self, pose: Pose) -> Floats:
        """Give the drift of a pose in the pose parameters' places; 0 for all others."""
        found = np.zeros(self.parameters())
        if self.options.model == "drift" and len(pose.drift_nm) == self.options.knots:
            found[6:] = (free_drift(self.options.knots).T @ pose.drift_nm).ravel()
        return found

    def stepped(self, pose: Pose, step: Floats) -> Pose:
        """Change a pose by a step of its parameters."""
        model = self.options.model
        shift, matrix, drift = pose.shift_nm + step[:2], pose.matrix, pose.drift_nm
        if model == "similarity":
            # A turn and a scale after the pose, so that a stretch it has already is kept.
            matrix = (np.eye(2) + np.array([[step[2], -step[3]], [step[3], step[2]]])) @ matrix
        elif model in ("affine", "drift"):
            matrix = matrix + step[2:6].reshape(2, 2)
        if model == "drift":
            knots = self.options.knots
            before = drift if len(drift) == knots else np.zeros((knots, 2))
            drift = before + free_drift(knots) @ step[6:].reshape(-1, 2)
        return Pose(shift, matrix, drift)

    def evaluate(self, pose: Pose) -> tuple[NDArray[np.bool_], Floats]:
        """Give which of the map's pixels overlap, and the image's heights there."""
        at = self.image.index(*pose.moved(self._x, self._y, self.frames))
        # Linear interpolation is only asked whether all neighbours are known; outside there is nothing.
        inside = ndimage.map_coordinates(self._there, at, order=1, mode="constant", cval=0.0) > 0.999
        return inside, ndimage.map_coordinates(self._spline, at[:, inside], order=3, prefilter=False, mode="nearest")

    def derivatives(self, pose: Pose, inside: NDArray[np.bool_], height_scale: float, part: float = 0.5) -> Floats:
        """Give the derivatives of the image's heights on the overlap by the pose: [pixel, parameter].

        From the mean of both maps' slopes: steps reach further (Malis, ICRA (2004) 1843), and noise of one enters by half.
        `part` is that of the map's slopes.
        """
        x, y = self._x[inside], self._y[inside]
        at = self.image.index(*pose.moved(x, y, self.frames))
        rise = np.stack([ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in self._rise])
        own = height_scale * np.linalg.solve(pose.matrix.T, self._map_rise[:, inside])
        rise = (1 - part) * rise + part * own
        return self._derivatives(pose, x, y, inside, rise[0], rise[1])

    def _derivatives(
        self, pose: Pose, x: Floats, y: Floats, inside: NDArray[np.bool_], rise_x: Floats, rise_y: Floats
    ) -> Floats:
        columns = [rise_x, rise_y]
        model = self.options.model
        u, v = pose.drifted(x, y, self.frames)
        if model == "similarity":
            (a, b), (c, d) = pose.matrix
            u, v = a * u + b * v, c * u + d * v
            columns += [rise_x * u + rise_y * v, rise_y * u - rise_x * v]
        elif model in ("affine", "drift"):
            columns += [rise_x * u, rise_x * v, rise_y * u, rise_y * v]
        if model == "drift":
            back = np.stack([rise_x, rise_y], axis=1) @ pose.matrix  # by a displacement before the stretch
            basis = self._drift[inside]
            columns += [basis[:, k] * back[:, axis] for k in range(basis.shape[1]) for axis in (0, 1)]
        return np.stack(columns, axis=1)

    def _drift_basis(self) -> Floats:
        if self.options.model != "drift":
            return np.zeros((len(self._x), 0))
        knots, rows = self.options.knots, self.frames.map_shape[0]
        by_row = drift_weights(knots, self.frames.map_rows(self._y), rows) @ free_drift(knots)
        return np.asarray(by_row, np.float64)

    def linear_part(self, inside: NDArray[np.bool_]) -> Floats:
        """Give minus the derivatives of the residual by height scale and background: [pixel, parameter]."""
        parts = [self._background[inside]]
        if self.options.height_scale:
            parts.insert(0, self._template[inside, None])
        return np.concatenate(parts, axis=1)

    def template(self, inside: NDArray[np.bool_]) -> Floats:
        """Give the map's heights on the overlap."""
        return self._template[inside]

    def spread(self, inside: NDArray[np.bool_], values: Floats) -> Floats:
        """Put values of the overlap back onto the map's grid; NaN elsewhere."""
        found = np.full(self.map.known.shape, np.nan)
        places = np.flatnonzero(self.map.known)[inside]
        found.reshape(-1)[places] = values
        return found


def _slopes(grid: Grid) -> tuple[Floats, Floats]:
    """Give the slopes along x and along y (up)."""
    down, right = np.gradient(grid.heights, grid.pixel_nm)
    return np.asarray(right, np.float64), np.asarray(-down, np.float64)


def _polynomials(grid: Grid, order: int) -> Floats:
    """Give Legendre polynomials up to a total order on the known pixels of a grid, [pixel, term]."""
    rows, columns = grid.known.shape
    x = np.polynomial.legendre.legvander(np.linspace(-1, 1, columns), order)
    y = np.polynomial.legendre.legvander(np.linspace(-1, 1, rows), order)
    row, column = np.nonzero(grid.known)
    terms = [y[row, j] * x[column, i] for j in range(order + 1) for i in range(order + 1 - j)]
    return np.stack(terms, axis=1)
