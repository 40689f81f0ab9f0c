"""Height from slopes: least squares of height differences between neighbouring pixels, by cosine transforms.

The height h minimises ``Sum over edges w_e (h_b - h_a - e)^2`` with the increments e of fourth order (cubic Hermite), natural
borders and the mean height zero. With equal weights the normal equations are diagonal in the cosine basis; where pixels
are masked the weights differ and conjugate gradients with that solver as preconditioner take over. For white slope noise
this is the best linear unbiased estimate of the height (Southwell 1980; Queau, Durou and Aujol 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eclips_app.engine.dct import dct2, eigenvalues, idct2

_TOLERANCE = 1e-5
_MOST_ITERATIONS = 200
_BAND = 512  #: rows handled at once


def _nothing(fraction: float = 0.0) -> None:
    """Report of progress that nobody reads."""


@dataclass(frozen=True)
class Integration:
    """What the integrator did."""

    method: str
    iterations: int
    residual: float  #: norm of the preconditioned residual relative to the start

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met."""
        return self.residual <= _TOLERANCE


def integrate(
    p: Tensor, q: Tensor, mask: Tensor | None = None, report: Callable[[float], None] = _nothing
) -> tuple[Tensor, Integration]:
    """Integrate slopes to a height in units of the pixel size.

    Parameters
    ----------
    p, q : Tensor [row, col]
        Slopes ``dh/dx`` (x to the right) and ``dh/dy`` (y **up**, against the rows); finite everywhere.
    mask : Tensor [row, col] of bool, optional
        True where the slopes are data. Elsewhere the height is a membrane between its surroundings, stretched by
        edges of weight `MEMBRANE_WEIGHT` without slope.
    report : callable
        Called with the part done, several times a second; may raise to stop.

    Notes
    -----
    Conjugate gradients stop when the preconditioned residual norm has fallen by 1e5, or after 200 iterations.
    """
    if mask is None or bool(mask.all()):
        right = _bands(lambda a, b: _divergence(p, q, None, a, b), p)
        report(0.2)
        return solve_poisson(right, lambda: report(0.6)), Integration("dct", 0, 0.0)
    right = _bands(lambda a, b: _divergence(p, q, mask, a, b), p)
    return _conjugate_gradients(right, mask, report)


def solve_poisson(right: Tensor, check: Callable[[], None] = _nothing) -> Tensor:
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


def _laplacian(h: Tensor, mask: Tensor) -> Tensor:
    """``D' W D h`` with weight one on edges between two masked-in pixels and zero on the others."""
    out = torch.zeros_like(h)
    flow = (h[:, 1:] - h[:, :-1]).mul_(mask[:, 1:] & mask[:, :-1])
    out[:, :-1] -= flow
    out[:, 1:] += flow
    flow = (h[1:] - h[:-1]).mul_(mask[1:] & mask[:-1])
    out[:-1] -= flow
    out[1:] += flow
    return out


def _dot(a: Tensor, b: Tensor) -> float:
    """Inner product in float64; rows are summed one by one, so that the bits do not depend on the number of threads."""
    rows = (a * b).sum(dim=1, dtype=torch.float64)
    return float(np.sum(rows.cpu().numpy()))


def _conjugate_gradients(right: Tensor, mask: Tensor, report: Callable[[float], None]) -> tuple[Tensor, Integration]:
    """Solve ``D' W D h = right``; the residual is zero on masked pixels, so that h is harmonic (a membrane) there."""
    done = 0.0

    def check() -> None:
        report(done)

    h = torch.zeros_like(right)
    r = right
    z = solve_poisson(r.clone(), check)
    direction = z.clone()
    rz = start = _dot(r, z)
    iteration = 0
    while rz > _TOLERANCE**2 * start and iteration < _MOST_ITERATIONS:
        pushed = _laplacian(direction, mask)
        step = rz / _dot(direction, pushed)
        h.add_(direction, alpha=step)
        r.sub_(pushed, alpha=step)
        del pushed
        z.copy_(r)
        z = solve_poisson(z, check)
        rz, before = _dot(r, z), rz
        direction.mul_(rz / before).add_(z)
        iteration += 1
        done = min(0.95, max(0.0, float(np.log(start / max(rz, 1e-300)) / (-2 * np.log(_TOLERANCE)))))
        report(done)
    relative = float(np.sqrt(max(rz, 0.0) / start)) if start > 0 else 0.0
    return h, Integration("dct-pcg", iteration, relative)
