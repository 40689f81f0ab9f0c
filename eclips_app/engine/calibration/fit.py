"""Solving a calibration: optimum, outliers, the model's error, and the covariance of what is free.

The optimiser is SciPy's trust-region least squares with bounds, with the problem's own derivatives. What chi-square is above its
expectation by is taken as an error of the model, a constant part of the signal, independent from patch to patch (`patches`): a
fit that is as good as noise allows has none, and a poor one says so in every standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, least_squares

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.covariance import Disagreement, caution, covariance_of, disagreement, inverse
from eclips_app.engine.calibration.problem import Problem

Float = NDArray[np.float64]

_FIRST_ERROR = 0.02  #: of the model, before anything is known: no patch rules all others
_ROUNDS = 4
_ROUGHLY, _CLOSELY = 1e-3, 1e-7  #: change of the sum of squares at which a fit is done
_SMALL_ERROR = 0.01
_SETTLED = 0.03  #: change of the model's error that is none
_FAR = 5.0  #: deviations beyond which a patch is dirt
_MOST_DROPPED = 0.3
_CHANCE = 2.0  #: deviations of chi-square above its expectation that are chance
_LARGEST_ERROR = 1.0


@dataclass(frozen=True)
class Fit:
    """A solved calibration.

    Attributes
    ----------
    x : array [n]
        Values of `Problem.names`.
    covariance : array [n, n]
        Of them; infinite on the diagonal where nothing holds a value.
    chi2, freedom : float
        With noise alone as the deviation; degrees of freedom.
    disagreement : Disagreement
    """

    x: Float
    covariance: Float
    chi2: float
    freedom: float
    disagreement: Disagreement


def fit(problem: Problem, context: Context) -> Fit:
    """Solve a problem.

    Raises
    ------
    EclipsError
        If there is no value to fit, or fewer values than unknowns.
    """
    _check_enough(problem)
    problem.learn_parallax(problem.start)
    x = _solved(problem, problem.start, context, _ROUGHLY, _FIRST_ERROR)
    problem.learn_parallax(x)
    for number in range(_ROUNDS):
        context.progress(0.4 + 0.35 * number / _ROUNDS, "fitting the detector")
        problem.black_levels = problem.state(x).offsets
        fresh = _outliers(problem, x)
        before, found = problem.model_error, _model_error(problem, x)
        if number == 0 and found < _SMALL_ERROR:
            found = 0.0  # perhaps noise explains all, once it alone has weight
        x = _solved(problem, x, context, _ROUGHLY, found)
        problem.model_error = max(found, _model_error(problem, x)) if found == 0.0 else found
        if not fresh and abs(problem.model_error - before) <= _SETTLED * max(before, 1e-4):
            break
    problem.learn_parallax(x)
    x = _solved(problem, x, context, _CLOSELY, problem.model_error)
    chi2, freedom = _chi2(problem, x, 0.0), _freedom(problem, x)
    problem.caution = caution(problem, x)
    if problem.caution > 1.0:
        x = _solved(problem, x, context, _CLOSELY, problem.model_error)
    apart = disagreement(problem, x)
    return Fit(x, covariance_of(problem, x, apart.factor), chi2, freedom, apart)


def _solved(problem: Problem, start: Float, context: Context, closeness: float, error: float) -> Float:
    problem.model_error = error
    moving = ~problem.certified

    def whole(values: Float) -> Float:
        x = start.copy()
        x[moving] = values
        return x

    def residuals(values: Float) -> Float:
        context.check()
        return problem.residuals(whole(values))

    lower, upper = problem.lower[moving], problem.upper[moving]
    found = least_squares(
        residuals, np.clip(start[moving], lower + 1e-12, upper - 1e-12),
        lambda values: problem.jacobian(whole(values))[:, moving], bounds=(lower, upper), x_scale="jac", xtol=1e-7,
        ftol=closeness, gtol=None, max_nfev=60,
    )  # fmt: skip
    return whole(np.asarray(found.x))


def _check_enough(problem: Problem) -> None:
    held = int(np.isfinite(problem.known_std).sum())
    if problem.values + held < problem.start.size:
        raise EclipsError(
            f"{problem.values} mean grey values stand against {problem.start.size} unknowns",
            hint="Fix parameters, or add observations.",
        )


def _outliers(problem: Problem, x: Float) -> bool:
    """Leave out patches that lie far off; tells whether there are new ones."""
    fresh = False
    for number, (each, values) in enumerate(zip(problem.seen, problem.modelled(x), strict=True)):
        used = np.isfinite(each.patches.variance[:, 0])
        off = np.abs((values - each.patches.grey) / problem.deviation(number))
        scale = max(1.0, 1.4826 * float(np.median(off[used])))
        far = used & (off.max(axis=1) > _FAR * scale)
        if far.any() and (~used | far).sum() <= _MOST_DROPPED * far.size:
            problem.drop(number, far)
            fresh = True
    return fresh


def _chi2(problem: Problem, x: Float, error: float) -> float:
    """Give chi-square of the patches with an error of the model."""
    total = 0.0
    for number, (each, values) in enumerate(zip(problem.seen, problem.modelled(x), strict=True)):
        total += float((((values - each.patches.grey) / problem.deviation(number, error)) ** 2).sum())
    return total


def _model_error(problem: Problem, x: Float) -> float:
    """Give the relative error of the model with which chi-square is what it should be; 0 where noise explains all."""
    freedom = _freedom(problem, x)
    if _chi2(problem, x, 0.0) <= freedom + _CHANCE * (2.0 * freedom) ** 0.5:
        return 0.0

    def excess(error: float) -> float:
        return _chi2(problem, x, error) / freedom - 1.0

    return float(brentq(excess, 0.0, _LARGEST_ERROR, xtol=1e-6)) if excess(_LARGEST_ERROR) < 0 else _LARGEST_ERROR


def _freedom(problem: Problem, x: Float) -> float:
    """Give the number of values in use less the unknowns that they, and not earlier knowledge, determine."""
    used = sum(int(np.isfinite(each.patches.variance).sum()) for each in problem.seen)
    jacobian = problem.jacobian(x)[:, ~problem.certified]
    images = jacobian[: problem.values]
    fitted = float(np.einsum("ni,ij,nj->", images, inverse(jacobian)[0], images, optimize=True))
    return max(used - fitted, 1.0)
