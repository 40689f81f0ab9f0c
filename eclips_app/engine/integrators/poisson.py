"""Equations of the pixel grid: Poisson's by cosine transforms, weighted ones by conjugate gradients preconditioned with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eclips_app.engine.dct import dct2, eigenvalues, idct2
from eclips_app.engine.dct import nothing as unchecked
from eclips_app.engine.integrators import Report

_MOST_ITERATIONS = 200
_BAND = 512  #: rows handled at once


def solve_poisson(right: Tensor, check: Callable[[], None] = unchecked) -> Tensor:
    """Solve ``L h = right`` in place, L the Laplacian of the pixel grid with free borders; the mean of h is zero."""
    coefficients = dct2(right, check)
    rows, columns = (
        torch.from_numpy(eigenvalues(n)).to(right.device, torch.float64) for n in (right.shape[0], right.shape[1])
    )
    for a in range(0, right.shape[0], _BAND):
        scale = rows[a : a + _BAND, None] + columns[None, :]
        if a == 0:
            scale[0, 0] = torch.inf
        coefficients[a : a + _BAND] /= scale.to(right.dtype)
    return idct2(coefficients, check)


def push(h: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Give ``D' W D h`` with the weights of edges to the next column [row, col - 1] and to the next row [row - 1, col]."""
    out = torch.zeros_like(h)
    flow = (h[:, 1:] - h[:, :-1]).mul_(across)
    out[:, :-1] -= flow
    out[:, 1:] += flow
    flow = (h[1:] - h[:-1]).mul_(down)
    out[:-1] -= flow
    out[1:] += flow
    return out


def conjugate_gradients(
    h: Tensor,
    r: Tensor,
    pushed_by: Callable[[Tensor], Tensor],
    report: Report,
    tolerance: float = 1e-5,
    most: int = _MOST_ITERATIONS,
) -> tuple[int, float]:
    """Improve a solution `h` in place, `r` being its residual, until the preconditioned one has fallen by `tolerance`.

    Gives the iterations taken and the norm of the residual relative to the start. Where residual and pushed field are zero,
    as on masked pixels, what is added to h is harmonic (a membrane).
    """
    done = 0.0

    def check() -> None:
        report(done)

    z = solve_poisson(r.clone(), check)
    direction = z.clone()
    rz = start = _dot(r, z)
    iteration = 0
    while rz > tolerance**2 * start and iteration < most:
        pushed = pushed_by(direction)
        step = rz / _dot(direction, pushed)
        h.add_(direction, alpha=step)
        r.sub_(pushed, alpha=step)
        del pushed
        z.copy_(r)
        z = solve_poisson(z, check)
        rz, before = _dot(r, z), rz
        direction.mul_(rz / before).add_(z)
        iteration += 1
        done = min(0.95, max(0.0, float(np.log(start / max(rz, 1e-300)) / (-2 * np.log(tolerance)))))
        report(done)
    return iteration, float(np.sqrt(max(rz, 0.0) / start)) if start > 0 else 0.0


def _dot(a: Tensor, b: Tensor) -> float:
    """Inner product in float64; rows are summed one by one, so that the bits do not depend on the number of threads."""
    rows = (a * b).sum(dim=1, dtype=torch.float64)
    return float(np.sum(rows.cpu().numpy()))
