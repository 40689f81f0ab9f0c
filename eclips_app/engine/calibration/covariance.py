"""How well a calibration knows what it found: noise, what its model misses, certified sizes, observations at odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.emission.misfit import misfits

Float = NDArray[np.float64]

_WAVES, _SEED = 200, 0  #: random functions that the model may be wrong by
_CHANCE = 2.0  #: deviations of chi-square above its expectation that are chance
_TOLD = 0.05  #: of what is known without an observation: less it cannot contradict
_UNKNOWN = 1e-10  #: of the largest singular value: below it nothing is known


@dataclass(frozen=True)
class Disagreement:
    """How far observations contradict each other.

    Attributes
    ----------
    factor : float
        By which all deviations are larger for it; 1: no more than chance.
    observation : int
        The one that does most.
    change : array [n]
        By how much everything would change without it.
    """

    factor: float
    observation: int
    change: Float


def covariance_of(problem: Problem, x: Float, factor: float = 1.0) -> Float:
    """Give the covariance of everything; infinite on the diagonal where nothing holds a value.

    What is certified keeps its deviation v; what is fitted moves with it by ``s = -(J'J)^-1 J' j``, which adds ``s v s'``.

    Parameters
    ----------
    factor : float
        By which deviations are larger because observations contradict each other.
    """
    jacobian = problem.jacobian(x)
    moving, certified = ~problem.certified, np.flatnonzero(problem.certified)
    whole, lost = inverse(jacobian[:, moving])
    images = jacobian[: problem.values]
    variance = np.diag(problem.known_std[certified] ** 2)
    follows = -whole @ images[:, moving].T @ images[:, certified]
    found = np.zeros((x.size, x.size))
    found[np.ix_(moving, moving)] = factor**2 * whole + follows @ variance @ follows.T
    found[np.ix_(moving, certified)] = follows @ variance
    found[np.ix_(certified, moving)] = variance @ follows.T
    found[np.ix_(certified, certified)] = variance
    blind = np.flatnonzero(moving)[lost]
    found[blind, :] = found[:, blind] = 0.0
    found[blind, blind] = np.inf
    return found


def caution(problem: Problem, x: Float) -> float:
    """Give by how much less the images tell than if what the model misses were independent from patch to patch.

    It is alike on facets of alike orientation (`emission.misfit`). Random functions of that kind and size move what is fitted by
    ``(J'J)^-1 J' e``; this is the root mean square, over what is free, of that beside the deviations of independent errors. With
    the images' deviations larger by it, what was known beforehand has the weight that it should have.
    """
    if problem.model_error == 0.0:
        return 1.0
    jacobian, moving = problem.jacobian(x), ~problem.certified
    whole = inverse(jacobian[:, moving])[0]
    gain = whole @ jacobian[: problem.values, moving].T
    moved = gain @ _misfits(problem, x).T
    free = np.flatnonzero(moving) < len(problem.free)
    told = free & (np.diag(whole) > 0)
    ratio = (moved[told] ** 2).mean(axis=1) / np.diag(whole)[told]
    return float(np.sqrt(1.0 + ratio.mean())) if ratio.size else 1.0


def _misfits(problem: Problem, x: Float) -> Float:
    """Give random errors of the model [wave, value], over the values' deviations."""
    azimuths = [segment.azimuth_deg for segment in problem.detector_at(x).quadrants]
    off = []
    for number, each in enumerate(problem.seen):
        m, k = each.patches.grey.shape
        if each.shape is None:
            off.append(np.zeros((_WAVES, m * k)))
            continue
        slopes = torch.from_numpy(np.ascontiguousarray(problem.slopes(number, x)))
        waves = np.moveaxis(misfits(slopes, azimuths, _WAVES, _SEED).numpy(), 1, 2)
        signal = np.maximum(each.patches.grey - problem.black_levels, 0.0) / problem.deviation(number)
        off.append((problem.model_error * waves * signal).reshape(_WAVES, -1))
    return np.concatenate(off, axis=1)


def disagreement(problem: Problem, x: Float) -> Disagreement:
    """Leave out each observation in turn, to first order, and compare the change with its own deviation.

    Without observation i everything changes by ``d = H^-1 g - (H - H_i)^-1 (g - g_i)``, whose covariance is
    ``(H - H_i)^-1 - H^-1``; the gradient g is 0 but for how closely the fit was solved.
    """
    jacobian, residuals = problem.jacobian(x)[:, ~problem.certified], problem.residuals(x)
    ends = np.cumsum([0, *(each.patches.grey.size for each in problem.seen)])
    whole, worst = inverse(jacobian)[0], Disagreement(1.0, 0, np.zeros(x.size))
    for number in range(len(problem.seen) if len(problem.seen) > 1 else 0):
        own = slice(ends[number], ends[number + 1])
        others = np.delete(jacobian, np.r_[own], axis=0)
        without, lost = inverse(others)
        change = whole @ jacobian.T @ residuals - without @ others.T @ np.delete(residuals, np.r_[own])
        shared = ~lost
        spread = (without - whole)[np.ix_(shared, shared)]
        scale = np.sqrt(np.maximum(np.diag(without)[shared], 1e-300))
        values, vectors = np.linalg.eigh(spread / np.outer(scale, scale))
        told = values > _TOLD
        power = (vectors.T @ (change[shared] / scale))[told] ** 2 / values[told]
        factor = float(np.sqrt(power.sum() / max(int(told.sum()), 1)))
        if factor > max(worst.factor, 1.0 + _CHANCE / max(2.0 * told.sum(), 1.0) ** 0.5):
            everything = np.zeros(x.size)
            everything[np.flatnonzero(~problem.certified)[shared]] = change[shared]
            worst = Disagreement(factor, number, everything)
    return worst


def inverse(jacobian: Float) -> tuple[Float, NDArray[np.bool_]]:
    """Give ``(J'J)^-1`` where there is any information, and the columns of which nothing is known."""
    size = np.sqrt((jacobian**2).sum(axis=0))
    blind = size < 1e-300
    scale = np.where(blind, 1.0, size)
    _, sizes, right = np.linalg.svd(jacobian / scale, full_matrices=False)
    known = sizes > _UNKNOWN * sizes[0]
    inverse = (right[known].T / sizes[known] ** 2) @ right[known] / np.outer(scale, scale)
    return inverse, blind | ((right[~known] ** 2).sum(axis=0) > 1e-6)
