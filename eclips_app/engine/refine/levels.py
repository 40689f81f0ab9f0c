"""From coarse to fine: the same fit on binned images first, then with the pixels as they are, then with samples within them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from eclips_app.core.steps import ClosedLoop, automatic
from eclips_app.engine.refine.channels import Channels
from eclips_app.engine.refine.curvature import Curvature
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.solver import GaussNewton, Rules

_FIRST_SMOOTHING = 10.0
_SMALLEST = 32  #: px along an edge of binned images
_ADAPT = 3
#: Solving more closely within a step costs more than it saves: the weights of the next one differ anyway.
_INNER = 12
_TOLERANCE = {"standard": 0.2, "metrology": 0.1}
_COARSE_STEPS = 4


@dataclass(frozen=True)
class Level:
    """One fit on the way."""

    name: str
    binned: bool
    subpixels: int
    rules: Rules
    share: float  #: of the work


Report = Callable[
    [Level, int, float, "GaussNewton | None"], None
]  #: level, outer step, part of it, solver; may raise to stop


def plan(params: ClosedLoop, shape: tuple[int, int], *, warm: bool) -> list[Level]:
    """Give the levels of a fit; heights given to start from need no coarse ones."""
    fine, fall, close = params.subpixels, automatic(params).least_fall, _TOLERANCE[params.quality]
    last = Rules(params.steps, fall, _INNER, close, _ADAPT if params.smoothing is None else 0)
    early = Rules(min(_COARSE_STEPS, params.steps), 10 * fall, _INNER, close, _ADAPT)
    found = []
    if params.coarse_to_fine and not warm:
        if min(shape) >= 2 * _SMALLEST:
            found.append(Level("pixels binned", True, 1, early, 0.3))
        if fine > 1:
            found.append(Level("whole pixels", False, 1, early, 1.0))
    return [*found, Level("fine", False, fine, last, float(fine**2))]


def refined(field: Field, corners_nm: Tensor, levels: list[Level], channels: Channels, report: Report) -> GaussNewton:
    """Fit on all levels; gives the solver of the last.

    Parameters
    ----------
    corners_nm : tensor [row + 1, col + 1]
        Heights to start from, at the corners of pixels.
    """
    for level in levels:
        given = field.params.smoothing if level is levels[-1] else None  # of the samples of the last level
        prior = Curvature(given or _FIRST_SMOOTHING)
        here = field.binned() if level.binned else field
        start = _coarser(corners_nm, here.shape) if level.binned else finer(corners_nm, level.subpixels)
        report(level, 0, 0.0, None)
        solver = GaussNewton(here.model(level.subpixels), here.data, prior, start, level.rules, here.material, channels)
        solver.run(partial(_reported, report, level, solver))
        if level.binned:
            change = finer(solver.at.height_nm - start, 2)
            corners_nm = corners_nm + _extended(change, corners_nm.shape)
        else:
            corners_nm = solver.at.height_nm[:: level.subpixels, :: level.subpixels]
    return solver


def _reported(report: Report, level: Level, solver: GaussNewton, step: int, part: float) -> None:
    report(level, step, part, solver)


def finer(corners: Tensor, times: int) -> Tensor:
    """Interpolate heights at corners on a grid so many times finer, by cubic convolution; the corners keep theirs."""
    if times == 1:
        return corners
    shape = [times * (n - 1) + 1 for n in corners.shape]
    found: Tensor = interpolate(corners[None, None], shape, mode="bicubic", align_corners=True)[0, 0]
    return found


def _coarser(corners: Tensor, shape: tuple[int, int]) -> Tensor:
    return corners[::2, ::2][: shape[0] + 1, : shape[1] + 1].contiguous()


def _extended(corners: Tensor, shape: torch.Size) -> Tensor:
    """Repeat the last row and column where a binned field has left them out."""
    rows, columns = (max(n - m, 0) for n, m in zip(shape, corners.shape, strict=True))
    wide: Tensor = torch.nn.functional.pad(corners[None], (0, columns, 0, rows), mode="replicate")
    return wide[0]
