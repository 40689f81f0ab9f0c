"""How far the heights may be off: all deviations of a solution, found with one sample per pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.context import Context
from eclips_app.core.tolerance import Stated
from eclips_app.engine.forward.linearised import Linearised
from eclips_app.engine.refine.channels import Marginal, marginal
from eclips_app.engine.refine.curvature import Curvature
from eclips_app.engine.refine.deviations import Collector, Deviations
from eclips_app.engine.refine.draws import draws, solve_with
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.judgement import regional, shadowed
from eclips_app.engine.refine.levels import finer
from eclips_app.engine.refine.solver import GaussNewton, Report, Rules

_RULES = Rules(outer=0, inner=60)
_CLOSE = 1e-3
_OF_STEP = 0.7
_OF_COARSE = 0.25  #: of the excess with one sample per pixel: half of its amplitude


@dataclass(frozen=True)
class Spread:
    """Deviations, heights that the data determine per pixel, and where other parts of the surface block the view [row, col]."""

    deviations: Deviations
    fitted_per_pixel: float
    shadowed: NDArray[np.bool_]


def settle_channels(field: Field, solver: GaussNewton, context: Context, report: Report) -> None:
    """Let gains and offsets take a step together with the heights, and the heights settle again, which `report` hears of.

    Fitted in turn with the heights they would go astray: what two opposite segments differ by, a tilt explains as well.
    """
    if not solver.channels.names:
        return
    found = _marginal(on_pixels(field, solver), context)
    times, descent = solver.model.response.subpixels, solver.descent()
    maps = torch.stack([times * finer(each, times) for each in found.maps])
    # The heights are not quite at their optimum; where they would go on to, the channels have to follow.
    right = solver.channels.descent(solver.at.fitted, solver.residual)
    shift = found.shift(solver.channels, right + (maps * descent).double().sum(dim=(1, 2)).cpu().numpy())
    solver.channels.values = solver.channels.values + shift
    change = (torch.from_numpy(shift).to(maps)[:, None, None] * maps).sum(0)
    solver.go_to(solver.at.height_nm + change * solver.model.spacing_nm)
    solver.run(report)


def spread_of(
    field: Field, base: GaussNewton, left: NDArray[np.floating], stated: Stated, count: int, context: Context
) -> Spread:
    """Give the deviations about a solution.

    Parameters
    ----------
    base : GaussNewton
        About the solution, with one sample per pixel (`on_pixels`).
    left : array [row, col]
        Its squared residuals over their variance, summed over the segments.
    stated : Stated
        What is known of the detector.
    count : int
        Random draws.
    context : Context
        `check` and `progress` may raise to stop.
    """
    solve = solve_with(base, context.check)
    collector = Collector(field, base, solve)
    if base.channels.names:
        context.progress(0.0, "gains and offsets")
        collector.add_channels(_marginal(base, context), base.channels.names)
    drawn = draws(base, solve, count, field.params.seed, lambda part, text: context.progress(0.1 + 0.6 * part, text))
    collector.add_noise(drawn)
    context.progress(0.7, "what else the heights depend on")
    collector.add_detector(stated)
    collector.add_emission(stated.emission)
    collector.add_misfit(stated.misfit, field.params.seed + 2)
    collector.add_pixel_size(stated.pixel_size)
    collector.add_discrepancy(_excess(base, left, drawn.fitted_per_pixel), field.params.seed + 1, context.check)
    return Spread(collector.result(), drawn.fitted_per_pixel, shadowed(base).cpu().numpy())


def on_pixels(field: Field, solver: GaussNewton) -> GaussNewton:
    """Give a solver with one sample per pixel about the heights of a solution; the same if it has that already."""
    times = solver.model.response.subpixels
    if times == 1:
        return solver
    corners = solver.at.height_nm[::times, ::times].contiguous()
    prior = Curvature(1.0).adapted(corners / field.pixel_size_nm)
    return GaussNewton(solver.model.resampled(1), field.data, prior, corners, _RULES, field.material, solver.channels)


def _marginal(base: GaussNewton, context: Context) -> Marginal:
    """Let heights and channels follow each other, with one sample per pixel."""
    solve = solve_with(base, context.check, _CLOSE)
    return marginal(base.channels, base.at.fitted, base.coupled, solve)


def extrapolate(field: Field, solver: GaussNewton, base: GaussNewton, check: Callable[[], None]) -> Tensor:
    """Move a solution to where infinitely many samples would have it; gives what counts as its deviation for that.

    That is most of the step, at the corners of pixels, in pixels: on rendered surfaces a part of it was left to go, or too much.

    An edge within a sample is seen as one slope. What the images lack for that falls with the square of the spacing, so that
    with t times more samples along an edge it is 1 / (t^2 - 1) of what they have changed by (Richardson's extrapolation).
    """
    images, times = base.at.about.images, solver.model.response.subpixels
    if times > 1:
        beyond = (solver.at.about.images - images) / (times**2 - 1.0)
    else:
        beyond = (Linearised(solver.model.resampled(2), finer(base.at.height_nm, 2)).images - images) * (4.0 / 3.0)
    change = base.at.fitted.factor * base.material.scaled(beyond)
    moved = solve_with(base, check)(base.coupled(change))
    solver.go_to(solver.at.height_nm - finer(moved * field.pixel_size_nm, times), beyond)
    return _OF_STEP * moved


def _excess(solver: GaussNewton, left: NDArray[np.floating], fitted: float) -> Tensor:
    """Give what regional chi-square is above 1 by, [row, col]; 0 where there is no test.

    Where one sample per pixel leaves much over, the surface bends within its pixels in ways of which more samples know a part:
    on rough surfaces rendered finely, errors of the size that half of that excess makes stayed behind.
    """
    tested = (solver.weight > 0).all(dim=0).cpu().numpy()
    freedom = max(len(solver.signal) - 1.0 - fitted, 0.1)
    coarse = solver.left.cpu().numpy()
    above = [np.nan_to_num(regional(each / freedom, tested), nan=1.0) - 1.0 for each in (left, coarse)]
    found = np.maximum(above[0], _OF_COARSE * above[1])
    return torch.from_numpy(found).to(solver.signal).clamp(min=0.0)
