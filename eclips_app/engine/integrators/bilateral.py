"""Height from slopes that may jump: one-sided differences, weighted by which side of a pixel goes on smoothly.

Bilateral normal integration (Cao, Santo, Shi, Okura and Matsushita, ECCV 2022), orthographic, written from the paper. Each
pixel relates its slope to its neighbour on either side, ``n_z (h_b - h_a) = n_z slope``; of the two, the weight of one is
``w = sigmoid(k (u^2 - v^2))`` with the differences u, v (times n_z) to the other and to this side, and ``1 - w`` of the other.
Both are solved in turn: weighted least squares by conjugate gradients with the cosine transform as preconditioner.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from eclips_app.engine.integrators import Integration, Report, least_squares, nothing
from eclips_app.engine.integrators.poisson import conjugate_gradients, push

STIFFNESS = 2.0  #: k of the paper, for heights in pixels
_ROUNDS = 60
_FALL = 1e-4  #: relative fall of the energy that ends the rounds
_INNER = 1e-3, 25  #: fall of the residual in a round, and iterations at most
_LEAST = 1e-6  #: weight of an edge that both sides think is a cliff
_HOLDS = (
    "noise of the signals alone as least squares would pass it on; the weights make it somewhat larger near cliffs, and what "
    "they misjudge is not in it; no error of model or geometry"
)


def integrate(p: Tensor, q: Tensor, mask: Tensor | None = None, report: Report = nothing) -> tuple[Tensor, Integration]:
    """Integrate slopes across cliffs; parameters: see `integrate_by`.

    Good for cliffs narrower than a pixel, at whose feet slopes are right but say nothing of the height; elsewhere least
    squares is closer. How high a cliff is that no path leads around cannot be known.
    """
    h, _ = least_squares.integrate(p, q, mask, lambda part: report(0.1 * part))
    upright = torch.rsqrt(1.0 + p * p + q * q)
    inside = least_squares.edges(torch.ones_like(p, dtype=torch.bool) if mask is None else mask)
    slopes = p, -q  # right and down
    before = fall = math.inf
    for number in range(_ROUNDS):
        steady = partial(_tell, report, 0.1 + 0.9 * number / _ROUNDS)
        (across, right), (down, below) = (_weighted(h, upright, slopes[i], inside[i], i) for i in (0, 1))
        energy = _total(across * (_along(h, 0) - right) ** 2) + _total(down * (_along(h, 1) - below) ** 2)
        fall = abs(before - energy) / before if math.isfinite(before) and before > 0 else math.inf
        if fall <= _FALL or energy == 0.0:
            break
        before = energy
        residual = _gather(across * right, down * below) - push(h, across, down)
        conjugate_gradients(h, residual, partial(push, across=across, down=down), steady, *_INNER)
    left = 0.0 if energy == 0.0 else fall
    return h - h.mean(), Integration("bilateral", number + 1, left, _FALL, (), _HOLDS)


def _tell(report: Report, done: float, _: float) -> None:
    """Report the part of the rounds that is done, whatever a round says of itself."""
    report(done)


def _total(values: Tensor) -> float:
    """Sum row by row: the bits do not depend on the number of threads."""
    return float(np.sum(values.sum(dim=1, dtype=torch.float64).cpu().numpy()))


def _weighted(h: Tensor, upright: Tensor, slope: Tensor, inside: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Give weight and wanted difference of each edge to the next column (`axis` 0) or row (1)."""
    step = _along(h, axis) * inside
    here, there = _ends(upright, axis)
    forward, backward = torch.zeros_like(h), torch.zeros_like(h)  # differences to the next and to the one before
    _ends(forward, axis)[0].copy_(here * step)
    _ends(backward, axis)[1].copy_(there * step)
    ahead = torch.sigmoid(STIFFNESS * (backward**2 - forward**2))
    from_here = _ends(ahead, axis)[0] * here**2
    from_there = (1.0 - _ends(ahead, axis)[1]) * there**2
    first, second = _ends(slope, axis)
    wanted = (from_here * first + from_there * second) / (from_here + from_there).clamp(min=1e-30)
    return (from_here + from_there + _LEAST) * inside, wanted


def _ends(field: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Give a field at both ends of each edge."""
    return (field[:, :-1], field[:, 1:]) if axis == 0 else (field[:-1], field[1:])


def _along(h: Tensor, axis: int) -> Tensor:
    first, second = _ends(h, axis)
    return second - first


def _gather(across: Tensor, down: Tensor) -> Tensor:
    """Give ``D' f`` [row, col] of values on edges."""
    out = torch.zeros((across.shape[0], down.shape[1]), dtype=across.dtype, device=across.device)
    out[:, :-1] -= across
    out[:, 1:] += across
    out[:-1] -= down
    out[1:] += down
    return out
