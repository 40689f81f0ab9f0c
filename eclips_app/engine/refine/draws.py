"""Random draws of the heights about the solution: how far noise and an open prior let them wander.

With the Gauss-Newton matrix ``H = J'WJ + P``, ``H^-1 (J' W^(1/2) e + P^(1/2) f)`` with standard normal e and f has the covariance
``H^-1``. The same draws give the number of heights that the data determine: ``trace(J H^-1 J' W) = E[e' W^(1/2) J x]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from eclips_app.engine.refine.curvature import second_differences, second_differences_adjoint
from eclips_app.engine.refine.solver import GaussNewton

_TOLERANCE = 0.1


@dataclass(frozen=True)
class Draws:
    """Deviations of the heights in nm [draw, row, col], and heights that the data determine, per pixel."""

    heights: Tensor
    fitted_per_pixel: float


def draws(solver: GaussNewton, count: int, seed: int, report: Callable[[float, str], None]) -> Draws:
    """Draw `count` times; `report` may raise to stop."""
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that a device does not change the draws
    spacing, like = solver.model.spacing_nm, solver.height_nm
    spectrum, found, determined = solver.preconditioner(), [], 0.0
    for number in range(count):
        noise = _normal(solver.data.signal, generator) * solver.weight.sqrt()
        open_to = _normal(second_differences(like), generator) * solver.stiffness.sqrt()
        data = solver.about.adjoint(solver.fitted.graded(noise / solver.weight.clamp(min=1e-30))) * spacing
        right = data + second_differences_adjoint(open_to)
        change, _ = solver.solved(right, spectrum, _TOLERANCE, partial(_reported, report, number, count))
        found.append(change * spacing)
        determined += float((data * change).double().sum())
    pixels = solver.data.signal[0].numel()
    return Draws(torch.stack(found), determined / (count * pixels))


def _reported(report: Callable[[float, str], None], number: int, count: int, part: float) -> None:
    report((number + part) / count, f"draw {number + 1} of {count}")


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
