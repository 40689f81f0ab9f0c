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

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.grids import correlation_length
from eclips_app.metrology.registration.pose import Floats, Pose
from eclips_app.metrology.registration.problem import Problem

_FEWEST_PIXELS = 200
_SMALL_GAIN = 0.003  #: in variances: steps of a twentieth of a standard deviation
_TURN_BACK = 6  #: halvings of a step that makes it worse


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


def pixel_levels(finest_nm: float, fields_nm: tuple[float, ...], fewest_px: int = 40) -> list[float]:
    """Give pixel sizes from coarse to the finest, each half of the one before, that leave `fewest_px` along every field."""
    count = max(0, math.floor(math.log2(min(fields_nm) / finest_nm / fewest_px))) if min(fields_nm) > 0 else 0
    return [finest_nm * 2.0**level for level in range(min(count, 4), -1, -1)]
