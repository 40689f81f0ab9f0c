"""The step: linear reconstruction as the start, Gauss-Newton from coarse to fine, and what a result needs beside the heights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from eclips_app.core.context import Context, Part
from eclips_app.core.errors import Cancelled
from eclips_app.core.steps import Arrays, ClosedLoop, StepResult, automatic
from eclips_app.engine import linear
from eclips_app.engine.device import one_thread
from eclips_app.engine.forward import cells
from eclips_app.engine.learned.predict import start_heights
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.refine.levels import Level, plan, refined
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.result import course_of, step_result
from eclips_app.engine.refine.solver import GaussNewton
from eclips_app.engine.refine.spread import Spread, extrapolate, on_pixels, settle_channels, spread_of
from eclips_app.engine.refine.tiles import is_tiled, solve_tiled
from eclips_app.engine.refine.window import window_of

_LINEAR_SHARE, _SOLVER_SHARE = 0.05, 0.6  #: of the progress
_PREVIEW_PX = 512


def reconstruct_step(inputs: Arrays, params: ClosedLoop, context: Context) -> StepResult:
    """Reconstruct the height from segment images; see `core.steps.ClosedLoop` for inputs and results.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, no pixel can be solved, or the emission has no table.
    """
    with one_thread():
        with watched(context.check):
            start = linear.reconstruct_step(inputs, params, Part(context, 0.0, _LINEAR_SHARE))
            measured = Measured(inputs, params, start)
            if params.starter == "unet" and "start" not in inputs:
                start.arrays["height"] = start_heights(measured)
            if is_tiled(measured):
                return step_result(measured, *solve_tiled(measured, Part(context, _LINEAR_SHARE, 1.0 - _LINEAR_SHARE)))
        return _Run(measured, context).result()


class _Run:
    """One reconstruction at once; `solver` is that of the last level once it has begun."""

    def __init__(self, measured: Measured, context: Context) -> None:
        self.measured, self.context = measured, context
        self.solver: GaussNewton | None = None
        self.spread: Spread | None = None
        self.chi2: list[float] = []
        self.levels = plan(measured.params, measured.shape, warm="start" in measured.inputs)

    def result(self) -> StepResult:
        """Solve, and give what was found; what there is by then if it is stopped after the first step of the last level."""
        try:
            with watched(self.context.check):
                self._solve()
        except Cancelled:
            if self.solver is None or not self.solver.progress.inner:
                raise
        assert self.solver is not None
        course = course_of(self.solver, self.chi2, stopped=self.spread is None)
        return step_result(self.measured, window_of(self.solver), self.spread, course)

    def _solve(self) -> None:
        """Iterate; heights and chi-square after each outer step are shown."""
        measured = self.measured
        field = measured.whole()
        corners = cells.corners_of(torch.from_numpy(measured.heights()).to(measured.device))
        solver = refined(field, corners, self.levels, measured.channels, self._report)
        settle_channels(field, solver, self.context, partial(self._settling, solver))
        self._show(solver)
        base = on_pixels(field, solver)
        moved = cells.heights(extrapolate(field, solver, base, self.context.check)).cpu().numpy()
        part = Part(self.context, _LINEAR_SHARE + _SOLVER_SHARE, 1.0 - _LINEAR_SHARE - _SOLVER_SHARE)
        count, left = automatic(measured.params).draws, solver.left.cpu().numpy()
        spread = spread_of(field, base, left, measured.stated, count, part)
        self.spread = replace(spread, deviations=spread.deviations.with_map("model", "samples", moved))

    def _settling(self, solver: GaussNewton, number: int, part: float) -> None:
        """Show the steps that the heights take after gains and offsets."""
        if part == 0.0:
            self._show(solver)
        text = f"gains and offsets: step {number + 1}, chi-square {solver.chi2:.2f}"
        self.context.progress(_LINEAR_SHARE + _SOLVER_SHARE, text)

    def _report(self, level: Level, number: int, part: float, solver: GaussNewton | None) -> None:
        """Tell how far it is; a new outer step has something to show."""
        if solver is None:
            self.context.check()
            return
        if level is self.levels[-1]:
            self.solver = solver
        if part == 0.0:
            self._show(solver)
        before = sum(each.share for each in self.levels[: self.levels.index(level)])
        done = before + level.share * min((number + part) / level.rules.outer, 1.0)
        total = sum(each.share for each in self.levels)
        name = f"{level.name}, " if len(self.levels) > 1 else ""
        text = f"{name}step {number + 1}, chi-square {solver.chi2:.2f}"
        self.context.progress(_LINEAR_SHARE + _SOLVER_SHARE * done / total, text)

    def _show(self, solver: GaussNewton) -> None:
        self.chi2.append(solver.chi2)
        step = max(1, max(solver.at.height_nm.shape) // _PREVIEW_PX)
        small = solver.at.height_nm[::step, ::step].cpu().numpy()
        self.context.preview("height", small, pixel_size_nm=solver.model.spacing_nm * step)
        self.context.preview("chi2", np.stack([np.arange(len(self.chi2)), self.chi2], axis=1))
