"""Random draws of the heights about the solution: how far noise and an open prior let them wander.

With the Gauss-Newton matrix ``H = J'WJ + P``, ``H^-1 (J' W^(1/2) e + P^(1/2) f)`` with standard normal e and f has the covariance
``H^-1``. The same draws give the number of heights that the data determine: ``trace(J H^-1 J' W) = E[e' W^(1/2) J x]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eclips_app.engine.refine.curvature import second_differences, second_differences_adjoint
from eclips_app.engine.refine.solver import GaussNewton

_TOLERANCE = 0.05  #: 0.1 gives standard deviations that are a tenth too small

Solve = Callable[[Tensor], Tensor]  #: from a right-hand side to a change of the heights at the corners, both in samples


@dataclass(frozen=True)
class Draws:
    """Deviations of the heights at the corners in samples [draw, row, col], and heights that the data determine, per pixel."""

    heights: Tensor
    fitted_per_pixel: float


def solve_with(solver: GaussNewton, check: Callable[[], None], tolerance: float = _TOLERANCE) -> Solve:
    """Give the inverse of the solver's Gauss-Newton matrix at its place."""
    spectrum = solver.preconditioner()

    def solve(right: Tensor) -> Tensor:
        return solver.solved(right, spectrum, tolerance, lambda part: check())[0]

    return solve


def draws(solver: GaussNewton, solve: Solve, count: int, seed: int, report: Callable[[float, str], None]) -> Draws:
    """Draw `count` times; `report` may raise to stop."""
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that a device does not change the draws
    found, determined = [], 0.0
    for number in range(count):
        report(number / count, f"draw {number + 1} of {count}")
        noise = normal(solver.signal, generator) * solver.weight.sqrt()
        data = solver.coupled(noise / solver.weight.clamp(min=1e-30))
        open_to = normal(second_differences(solver.at.height_nm), generator) * solver.at.stiffness.sqrt()
        found.append(solve(data + second_differences_adjoint(open_to)))
        determined += float((data * found[-1]).double().sum())
    return Draws(torch.stack(found), determined / (count * solver.signal[0].numel()))


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Draw standard normal numbers of the same shape."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
