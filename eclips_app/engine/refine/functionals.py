"""Exact standard deviations of functionals of the heights: the Fisher information about a finished reconstruction, solved."""

from __future__ import annotations

import numpy as np
import torch

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, FunctionalStd, StepResult
from eclips_app.engine import linear
from eclips_app.engine.device import one_thread
from eclips_app.engine.forward import cells
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.refine.curvature import Curvature
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.solver import GaussNewton, Rules

_RULES = Rules(outer=0, inner=80)
_TOLERANCE = 0.01


def functional_step(inputs: Arrays, params: FunctionalStd, context: Context) -> StepResult:
    """Give the standard deviations of functionals about a run's heights; see `core.steps.FunctionalStd`.

    With the matrix H of the normal equations and one sample per pixel the variance of ``a . h`` is ``a' H^-1 a``. Heights count
    from their mean over the field: the mean of each `weights` is taken away.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, or the weights not the heights.
    """
    with one_thread(), watched(context.check):
        context.progress(0.0, "taking up the reconstruction")
        measured = Measured(inputs, params, linear.reconstruct_step(inputs, params, _Quiet(context)))
        weights, height = inputs["weights"], inputs["height"]
        if weights.ndim != 3 or weights.shape[1:] != measured.shape or height.shape != measured.shape:
            raise EclipsError(
                f"weights of {weights.shape} and heights of {height.shape} do not belong to {measured.shape} pixels",
                hint="Give both for the crop of the run.",
            )
        solver = _about(measured, np.array(height, np.float32))  # a copy: a project's arrays are read-only
        spectrum, found = solver.preconditioner(), []
        for number, each in enumerate(weights):
            context.progress(0.2 + 0.8 * number / len(weights), "solving")
            wanted = torch.from_numpy(np.ascontiguousarray(each - each.mean(), np.float32)).to(measured.device)
            right = cells.heights_adjoint(wanted)
            solved, _ = solver.solved(right, spectrum, _TOLERANCE, lambda part: context.check())
            variance = float((right * solved).double().sum())
            found.append(params.pixel_size_nm * max(variance, 0.0) ** 0.5)
    return StepResult({}, {"std_nm": found})


def _about(measured: Measured, height: np.ndarray) -> GaussNewton:
    """Take the model about given heights."""
    field = measured.whole()
    corners = cells.corners_of(torch.from_numpy(height).to(measured.device))
    given = measured.params.smoothing
    prior = Curvature(given) if given else Curvature(1.0).adapted(corners / field.pixel_size_nm)
    return GaussNewton(field.model(1), field.data, prior, corners, _RULES, field.material)


class _Quiet:
    """A context that only hears that it should stop."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def progress(self, fraction: float, text: str = "") -> None:
        self._context.check()

    def check(self) -> None:
        self._context.check()

    def preview(self, name: str, array: object, **info: float) -> None:
        """Show nothing."""
