"""The covariance of a refined pose, from what is left over and how far it goes together.

With residuals that are correlated between pixels the covariance of least squares is ``H^-1 M H^-1``, ``H = J'WJ`` and M the
variance of the score ``J'Wr``. M is summed over blocks of pixels that are larger than the correlation length, as blocks are
independent of each other (clusters; Liang & Zeger, Biometrika 73 (1986) 13). It holds also what is larger on flanks than on
flats. Of what is wrong alike on the whole map, such as the pixel size of either, it knows nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.metrology.registration.pose import Floats, Frames, Pose
from eclips_app.metrology.registration.refine import Fit, Problem, solved

_FEWEST_BLOCKS = 6  #: along the shorter edge of the map
_LENGTHS = 3.0  #: edge of a block in correlation lengths


@dataclass(frozen=True, eq=False)
class Spread:
    """The covariance of a placement."""

    names: tuple[str, ...]  #: with their units
    values: Floats
    covariance: Floats
    correlation_length_px: float  #: of the differences, in pixels of the finest level
    position_std_nm: float  #: root mean square over the overlap of the standard deviation of where a point lies


def spread_of(problem: Problem, fit: Fit) -> Spread:
    """Give the covariance of the placement that a fit found, in the units of `model.items.HeightMap`."""
    length = fit.noise.length_px
    parameters = _parameters(problem, fit)
    names, values, jacobian = _placement_jacobian(problem, fit)
    return Spread(
        names, values, jacobian @ parameters @ jacobian.T, length, _position_std(problem, fit, parameters)
    )  # fmt: skip


def _parameters(problem: Problem, fit: Fit) -> Floats:
    """Give the covariance of the pose parameters; those of the drift keep what was taken as likely where nothing tells them."""
    residual, count = fit.residual[fit.overlap], fit.geometry
    weighted = fit.jacobian * fit.weights[:, None]
    precision = problem.precision() * fit.noise.power
    normal = weighted.T @ fit.jacobian
    normal[:count, :count] += np.diag(precision)
    blocks = _blocks(fit.overlap, fit.noise.length_px)
    number = int(blocks.max()) + 1
    scores = weighted * residual[:, None]
    sums = np.stack([np.bincount(blocks, scores[:, k], number) for k in range(scores.shape[1])], axis=1)
    used = int((np.bincount(blocks, minlength=number) > 0).sum())
    middle = np.asarray(sums.T @ sums) * (max(used - 1, 1) / max(used - count, 1) * _tukey_widening(fit, residual))
    middle[:count, :count] += np.diag(precision * fit.noise.power)
    return solved(normal, solved(normal, middle).T)[:count, :count]


def _tukey_widening(fit: Fit, residual: Floats) -> float:
    """Correct for weights that follow the residuals: the slope of the score is less than the weight (Huber, 1981, 7.6)."""
    if fit.noise.sigma_nm <= 0:
        return 1.0
    u2 = (residual / (4.685 * fit.noise.sigma_nm)) ** 2
    slope = np.where(u2 < 1.0, (1.0 - u2) * (1.0 - 5.0 * u2), 0.0).mean()
    return float((fit.weights.mean() / slope) ** 2) if slope > 0 else 1.0


def _blocks(overlap: NDArray[np.bool_], length_px: float) -> NDArray[np.intp]:
    """Give numbers to the pixels of the overlap by square blocks."""
    most = max(min(overlap.shape) // _FEWEST_BLOCKS, 1)
    edge = min(max(math.ceil(_LENGTHS * length_px), 6), most)
    rows, columns = np.nonzero(overlap)
    numbers: NDArray[np.intp] = rows // edge * (overlap.shape[1] // edge + 1) + columns // edge
    return numbers


def _placement_jacobian(problem: Problem, fit: Fit) -> tuple[tuple[str, ...], Floats, Floats]:
    """Give names and values of what places the map, and its derivatives by the parameters of the fit."""
    names, values = placement_parameters(fit.pose, problem.frames)
    steps = _small_steps(problem, fit)
    columns = []
    for index, size in enumerate(steps):
        step = np.zeros(fit.geometry)
        step[index] = size
        up = placement_parameters(problem.stepped(fit.pose, step), problem.frames)[1]
        down = placement_parameters(problem.stepped(fit.pose, -step), problem.frames)[1]
        columns.append((up - down) / (2 * size))
    jacobian = np.stack(columns, axis=1)
    return names, values, jacobian


def _small_steps(problem: Problem, fit: Fit) -> Floats:
    """Give steps of the parameters that move points by about a hundredth of a pixel."""
    small = 0.01 * problem.map.pixel_nm
    steps = np.full(fit.geometry, small)
    steps[2:6] = small / (max(problem.map.size_nm) / 2)
    return steps


def placement_parameters(pose: Pose, frames: Frames) -> tuple[tuple[str, ...], Floats]:
    """Give names and values of all numbers that place a map."""
    place = pose.placement(frames)
    values = [*place.center_px, place.rotation_deg, *place.stretch, *(v for knot in place.drift_nm for v in knot)]
    names = ["center_x_px", "center_y_px", "rotation_deg", "stretch_x", "stretch_y", "shear"]
    names += [f"drift_{axis}_{k}_nm" for k in range(len(place.drift_nm)) for axis in "xy"]
    return tuple(names), np.array(values)


def _position_std(problem: Problem, fit: Fit, covariance: Floats) -> float:
    """Give the rms standard deviation of the places of the overlap's pixels."""
    x, y = (each[fit.overlap] for each in problem.map.places())
    some = slice(None, None, max(1, len(x) // 2000))
    x, y = x[some], y[some]
    steps = _small_steps(problem, fit)
    moves = []
    for index, size in enumerate(steps):
        step = np.zeros(fit.geometry)
        step[index] = size
        up = np.stack(problem.stepped(fit.pose, step).moved(x, y, problem.frames))
        down = np.stack(problem.stepped(fit.pose, -step).moved(x, y, problem.frames))
        moves.append((up - down) / (2 * size))
    jacobian = np.stack(moves)  # [parameter, axis, point]
    variance = np.einsum("pan,pq,qan->n", jacobian, covariance, jacobian)
    return float(np.sqrt(max(variance.mean(), 0.0)))
