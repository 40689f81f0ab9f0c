"""Dense refinement: Gauss-Newton of height differences from coarse to fine [Lucas & Kanade, IJCAI (1981) 674], robustly weighted.

The differences ``I(W(v)) - g T(v) - B(v) b`` of image I and map T are made small over the pose W, a scale g of the heights, and
a background B of low order, which takes up offset, slopes and bows of both maps. Weights are Tukey's, so that what is on one
map alone (dirt, flanks widened by a tip) does not pull.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.metrology.placement import drift_weights
from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.grids import Grid, correlation_length
from eclips_app.metrology.registration.pose import Floats, Frames, Model, Pose, free_drift

_FEWEST_PIXELS = 200
_SMALL_GAIN = 0.003  #: in variances: steps of a twentieth of a standard deviation
_LIKELY_DRIFT = 0.02  #: standard deviation of the drift at a knot, as part of the field's edge
_TURN_BACK = 6  #: halvings of a step that makes it worse


@dataclass(frozen=True)
class Options:
    """What is fitted."""

    model: Model = "similarity"
    knots: int = 8  #: of the drift
    background: int = 3  #: order of the polynomials; 1: a plane
    height_scale: bool = True
    steps: int = 25


@dataclass(frozen=True)
class Noise:
    """What the differences of two maps are like."""

    sigma_nm: float  #: standard deviation that the weights are for
    length_px: float  #: over which they go together

    @property
    def power(self) -> float:
        """Variance times the pixels that count as one: what a sum of squares has to fall by to mean something."""
        return self.sigma_nm**2 * self.length_px**2


@dataclass(frozen=True, eq=False)
class Fit:
    """A refined pose with what its covariance follows from."""

    pose: Pose
    height_scale: float
    cost: float  #: Tukey's loss of the differences, and of the drift against what is likely; as a sum of squares in nm²
    noise: Noise
    residual: Floats  #: [row, col] of the map's grid in nm; NaN outside the overlap
    jacobian: Floats  #: [pixel of the overlap, parameter]: pose parameters first, then height scale and background
    weights: Floats  #: [pixel of the overlap]
    geometry: int  #: number of pose parameters
    converged: bool

    @property
    def overlap(self) -> NDArray[np.bool_]:
        """True [row, col] on the map's grid where both maps are known."""
        return np.isfinite(self.residual)


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

    def derivatives(self, pose: Pose, inside: NDArray[np.bool_], height_scale: float) -> Floats:
        """Give the derivatives of the image's heights on the overlap by the pose: [pixel, parameter].

        From the mean of both maps' slopes: steps reach further (Malis, ICRA (2004) 1843), and noise of one enters by half.
        """
        x, y = self._x[inside], self._y[inside]
        at = self.image.index(*pose.moved(x, y, self.frames))
        rise = np.stack([ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in self._rise])
        rise = (rise + height_scale * np.linalg.solve(pose.matrix.T, self._map_rise[:, inside])) / 2
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


def refine(problem: Problem, pose: Pose, tolerance_px: float, context: Context) -> Fit:
    """Improve a pose until no pixel of the overlap moves by more than `tolerance_px`.

    The scale of the weights is kept while the pose is improved, so that there is one cost that falls, and is then taken
    anew, once.

    Raises
    ------
    EclipsError
        If the maps do not overlap, or what they show does not determine the pose.
    """
    state = _state(problem, pose, "plain")
    if not problem.options.steps:
        return _state(problem, pose, "robust")
    settled = _settled(problem, state, 10 * tolerance_px, context)
    state = _settled(problem, _state(problem, settled.pose, "robust"), tolerance_px, context)
    return replace(_state(problem, state.pose, "robust"), converged=state.converged)


def _settled(problem: Problem, state: Fit, tolerance_px: float, context: Context) -> Fit:
    """Take Gauss-Newton steps until they are small, or far smaller than what the differences leave uncertain."""
    most_nm, small_nm = 0.1 * min(problem.map.size_nm), tolerance_px * problem.map.pixel_nm
    uncertain = state.noise.power
    for _ in range(problem.options.steps):
        context.check()
        step, moved_nm, gain = _newton(problem, state)
        part = min(1.0, most_nm / max(moved_nm, 1e-300))
        following = None
        for _ in range(_TURN_BACK):
            following = _attempt(problem, problem.stepped(state.pose, part * step), state.noise)
            if following is not None and following.cost <= state.cost:
                break
            part, following = part / 2, None
        if moved_nm < small_nm or gain < _SMALL_GAIN * uncertain:
            return replace(following or state, converged=True)
        if (
            following is None
        ):  # pixels at the border come and go: the cost is not smooth below some hundredths of a pixel
            return replace(state, converged=moved_nm < 0.05 * problem.map.pixel_nm or gain < 0.1 * uncertain)
        state = following
    return state


def _newton(problem: Problem, state: Fit) -> tuple[Floats, float, float]:
    """Give the Gauss-Newton step of the pose, the largest movement it makes in nm, and by what the squares would fall."""
    weighted = state.jacobian * state.weights[:, None]
    count = state.geometry
    precision = problem.precision() * state.noise.power
    normal = weighted.T @ state.jacobian
    normal[:count, :count] += np.diag(precision)
    descent = -weighted.T @ state.residual[state.overlap]
    descent[:count] -= precision * problem.drift_of(state.pose)
    whole = solved(normal, descent)
    step, grid = whole[: state.geometry], problem.map
    half_x, half_y = grid.size_nm[0] / 2, grid.size_nm[1] / 2
    # Drift differs from row to row, and bends between the corners.
    y = np.repeat(np.linspace(-half_y, half_y, 2 * problem.options.knots + 1), 2)
    x = np.tile([-half_x, half_x], len(y) // 2)
    before = np.stack(state.pose.moved(x, y, problem.frames))
    after = np.stack(problem.stepped(state.pose, step).moved(x, y, problem.frames))
    return step, float(np.hypot(*(after - before)).max()), float(whole @ descent)


def solved(normal: Floats, right: Floats) -> Floats:
    """Solve normal equations for one right side [p] or several [p, n], after scaling them to a diagonal of ones.

    Raises
    ------
    EclipsError
        If they are singular: the heights do not change along some parameter.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    balanced = normal * scale[:, None] * scale
    sides = right.reshape(len(scale), -1) * scale[:, None]
    try:
        found: Floats = np.linalg.solve(balanced + 1e-12 * np.eye(len(balanced)), sides) * scale[:, None]
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
    if not np.isfinite(found).all():
        raise EclipsError(
            "the heights do not determine the place of the map", hint="Choose a simpler model, or a map with relief."
        )
    return found.reshape(right.shape)


def _attempt(problem: Problem, pose: Pose, noise: Noise) -> Fit | None:
    try:
        return _state(problem, pose, noise)
    except EclipsError:
        return None


def _state(problem: Problem, pose: Pose, scale: Noise | Literal["plain", "robust"]) -> Fit:
    """Evaluate a pose: height scale and background follow from it by a robust linear fit.

    `scale` of the weights is given, or "plain" (the rms of all differences, with which what is still far off pulls) or
    "robust" (the median's, but no less than a third of the rms: most of a map with few features is flat, and what it is placed
    by would count as outlying).
    """
    inside, heights = problem.evaluate(pose)
    if len(heights) < _FEWEST_PIXELS:
        raise EclipsError(
            f"the maps overlap on {len(heights)} pixels only", hint="Place the map by hand, or check the pixel sizes."
        )
    linear, template = problem.linear_part(inside), problem.template(inside)
    target = heights if problem.options.height_scale else heights - template
    coefficients, weights, sigma = _robust_linear(linear, target, scale)
    residual = target - linear @ coefficients
    spread = problem.spread(inside, residual)
    noise = scale if isinstance(scale, Noise) else Noise(sigma, correlation_length(spread))
    factor = float(coefficients[0]) if problem.options.height_scale else 1.0
    derivatives = problem.derivatives(pose, inside, factor)
    jacobian = np.concatenate([derivatives, -linear], axis=1)
    return Fit(
        pose,
        factor,
        _cost(problem, pose, residual, noise),
        noise,
        spread,
        jacobian,
        weights,
        derivatives.shape[1],
        False,
    )


def _cost(problem: Problem, pose: Pose, residual: Floats, noise: Noise) -> float:
    """Give the loss per pixel of the overlap, so that it does not fall by overlapping less."""
    unlikely = float(problem.precision() @ problem.drift_of(pose) ** 2) * noise.power
    return grids.tukey_cost(residual, noise.sigma_nm) + unlikely / len(residual)


def _robust_linear(design: Floats, target: Floats, scale: Noise | str) -> tuple[Floats, Floats, float]:
    weights: Floats = np.ones_like(target)
    sigma = 0.0
    coefficients: Floats = np.zeros(design.shape[1])
    for _ in range(5):
        weighted = design * weights[:, None]
        normal = weighted.T @ design
        normal += 1e-12 * np.trace(normal) * np.eye(len(normal))
        coefficients = np.asarray(np.linalg.solve(normal, weighted.T @ target), np.float64)
        residual = target - design @ coefficients
        if isinstance(scale, Noise):
            sigma = scale.sigma_nm
        else:
            rms = float(np.sqrt(np.mean(residual**2)))
            sigma = rms if scale == "plain" else max(grids.robust_sigma(residual), rms / 3)
        weights = grids.tukey_weights(residual, sigma)
    return coefficients, weights, sigma


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


def pixel_levels(finest_nm: float, fields_nm: tuple[float, ...], fewest_px: int = 40) -> list[float]:
    """Give pixel sizes from coarse to the finest, each half of the one before, that leave `fewest_px` along every field."""
    count = max(0, math.floor(math.log2(min(fields_nm) / finest_nm / fewest_px))) if min(fields_nm) > 0 else 0
    return [finest_nm * 2.0**level for level in range(min(count, 4), -1, -1)]
