"""Height from slopes: least squares of height differences between neighbouring pixels, by cosine transforms.

The height h minimises ``Sum over edges w_e (h_b - h_a - e)^2`` with the increments e of fourth order (cubic Hermite), natural
borders and the mean height zero. With equal weights the normal equations are diagonal in the cosine basis; where pixels
are masked the weights differ and conjugate gradients with that solver as preconditioner take over. For white slope noise
this is the best linear unbiased estimate of the height (Southwell 1980; Queau, Durou and Aujol 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from eclips_app.engine.integrators import Integration, Report, nothing
from eclips_app.engine.integrators.poisson import conjugate_gradients, push, solve_poisson
from eclips_app.engine.optics.watch import check

_BAND = 512  #: rows handled at once


def integrate(p: Tensor, q: Tensor, mask: Tensor | None = None, report: Report = nothing) -> tuple[Tensor, Integration]:
    """Integrate slopes to a height in units of the pixel size; parameters: see `integrate_by`.

    Good for measuring: it is linear, so that its standard deviation is known, and no unbiased method has less noise.

    Notes
    -----
    Conjugate gradients stop when the preconditioned residual norm has fallen by 1e5, or after 200 iterations.
    """
    right = divergence(p, q, mask)
    if mask is None or bool(mask.all()):
        report(0.2)
        return solve_poisson(right, lambda: report(0.6)), Integration("dct", 0, 0.0)
    across, down = edges(mask)
    h = torch.zeros_like(right)
    iterations, residual = conjugate_gradients(h, right, lambda x: push(x, across, down), report)
    return h, Integration("dct-pcg", iterations, residual)


def divergence(p: Tensor, q: Tensor, mask: Tensor | None = None) -> Tensor:
    """Give ``D' W e`` [row, col] of the increments of slopes: the right-hand side of the normal equations."""
    if mask is not None and bool(mask.all()):
        mask = None
    return _bands(lambda a, b: _divergence(p, q, mask, a, b), p)


def edges(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Tell which edges to the next column [row, col - 1] and to the next row [row - 1, col] lie between data."""
    return mask[:, 1:] & mask[:, :-1], mask[1:] & mask[:-1]


def increments(p: Tensor, mask: Tensor | None = None) -> Tensor:
    """Height differences [row, col - 1] to the next column, fourth order where both outer neighbours are data."""
    e = 0.5 * (p[:, 1:] + p[:, :-1])
    if p.shape[1] < 4:
        return e
    bend = (p[:, 1:-2] + p[:, 2:-1] - p[:, :-3] - p[:, 3:]) / 24.0
    if mask is not None:
        bend = bend * (mask[:, :-3] & mask[:, 3:])
    e[:, 1:-1] += bend
    return e


def _divergence(p: Tensor, q: Tensor, mask: Tensor | None, first: int, end: int) -> Tensor:
    """Rows `first` to `end` of ``D' W e``; edges that touch a masked pixel have no increment."""
    halo_first, halo_end = max(0, first - 2), min(p.shape[0], end + 2)
    near = None if mask is None else mask[halo_first:halo_end]
    own = None if mask is None else mask[first:end]
    ex = increments(p[first:end], own)
    ey = -increments(q[halo_first:halo_end].T, None if near is None else near.T).T  # rows run against y
    if own is not None and near is not None:
        ex = ex * (own[:, 1:] & own[:, :-1])
        ey = ey * (near[1:] & near[:-1])
    out = torch.zeros_like(p[first:end])
    out[:, :-1] -= ex
    out[:, 1:] += ex
    offset = first - halo_first
    below = ey[offset : offset + end - first]  # edge from each row to the next; one less at the last row of the image
    out[: below.shape[0]] -= below
    if offset:
        out += ey[offset - 1 : offset - 1 + end - first]
    else:
        out[1:] += ey[: end - first - 1]
    return out


def _bands(make: Callable[[int, int], Tensor], like: Tensor) -> Tensor:
    out = torch.empty_like(like)
    rows = like.shape[0]
    for a in range(0, rows, _BAND):
        out[a : a + _BAND] = make(a, min(rows, a + _BAND))
    return out


def surface(slopes: Tensor) -> Tensor:
    """Integrate slopes (right, up) [2, row, col] to a height [row, col] in pixels of mean zero; it can be differentiated."""
    found: Tensor = _Poisson.apply(divergence(slopes[0], slopes[1]))  # type: ignore[no-untyped-call]
    return found


class _Poisson(torch.autograd.Function):
    """`solve_poisson`, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, right: Tensor) -> Tensor:
        """Solve."""
        return solve_poisson(right.detach().contiguous().clone(), check)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Solve for the gradient."""
        return solve_poisson(gradients[0].detach().contiguous().clone(), check)
