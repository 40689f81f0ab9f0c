"""The linear model of a pixel: signals ``y_k = b . A_k`` of three or more segments, solved for ``b = S n``.

All usable segments count alike. Weights from the shot noise would be the choice if noise were the largest error, but they lean
on the darkest segments, where shadow and the emission model err most, and raise the height error on steep surfaces. The noise
of the estimate is still that of Poisson signals.

Element-wise Torch on [row, col] planes with explicit sums over segments: the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Share of the mean signal below which the noise is not taken to fall further.
NOISE_FLOOR = 0.02
_WORST_CONDITION = 1e3


@dataclass(frozen=True)
class Solution:
    """Estimate of ``b`` for a block of pixels."""

    b: Tensor  #: [3, row, col]
    slope_variance: Tensor  #: var(p) + var(q) for signal noise of variance equal to the signal
    solved: Tensor  #: bool, False where the usable segments do not determine b


def solve(signals: Tensor, usable: NDArray[np.bool_], vectors: NDArray[np.float64]) -> Solution:
    """Estimate b from signals [k, row, col] by least squares over the usable segments [k, row, col] of each pixel."""
    every = _estimate(signals, vectors)
    odd = ~usable.all(axis=0)
    solved = torch.ones(odd.shape, dtype=torch.bool, device=signals.device)
    if not odd.any():
        return Solution(*every, solved)
    b, variance = every
    chosen = torch.from_numpy(odd).to(signals.device)
    odd_b, odd_variance = b[:, chosen], variance[chosen]
    odd_signals = signals[:, chosen]
    odd_solved = torch.zeros(odd_variance.shape, dtype=torch.bool, device=signals.device)
    codes = np.packbits(usable[:, odd], axis=0)
    for code in np.unique(codes, axis=1).T if codes.shape[0] > 1 else np.unique(codes)[:, None]:
        keep = np.unpackbits(code, count=usable.shape[0]).astype(bool)
        if not determines(vectors[keep]):
            continue
        here = torch.from_numpy((codes == code[:, None]).all(axis=0)).to(signals.device)
        rows = torch.from_numpy(np.flatnonzero(keep)).to(signals.device)
        odd_b[:, here], odd_variance[here] = _estimate(odd_signals[rows][:, here], vectors[keep])
        odd_solved[here] = True
    b[:, chosen], variance[chosen], solved[chosen] = odd_b, odd_variance, odd_solved
    return Solution(b, variance, solved)


def determines(vectors: NDArray[np.float64]) -> bool:
    """Whether these acceptance vectors [k, 3] tell yield and both slopes apart."""
    if vectors.shape[0] < 3:
        return False
    singular = np.linalg.svd(vectors, compute_uv=False)
    return bool(singular[-1] * _WORST_CONDITION > singular[0])


def predict(b: Sequence[Tensor] | Tensor, vector: Sequence[float]) -> Tensor:
    """Signal ``b . A`` of one segment."""
    return b[0] * vector[0] + b[1] * vector[1] + b[2] * vector[2]


def _estimate(signals: Tensor, vectors: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    """B [3, …] and the summed variance of both slopes, which are propagated from Poisson noise of the modelled signals."""
    inverse = np.linalg.pinv(vectors)
    b = torch.stack([_sum(signals, row) for row in inverse.tolist()])
    up = b[2].abs().clamp(min=1e-30)
    p, q = -b[0] / up, -b[1] / up
    floor = NOISE_FLOOR * up
    variance = torch.zeros_like(up)
    for (dx, dy, dz), vector in zip(inverse.T.tolist(), vectors.tolist(), strict=True):
        signal = torch.maximum(predict(b, vector), floor)
        variance += signal * ((dx + p * dz) ** 2 + (dy + q * dz) ** 2)
    return b, variance / (up * up)


def _sum(planes: Tensor, factors: Sequence[float]) -> Tensor:
    total = planes[0] * factors[0]
    for plane, factor in zip(planes[1:], factors[1:], strict=True):
        total.add_(plane, alpha=factor)
    return total


def from_two(
    signals: NDArray[np.float32],
    usable: NDArray[np.bool_],
    vectors: NDArray[np.float64],
    rho: NDArray[np.float32],
    near: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Estimate b [3, n] of pixels with exactly two usable segments, given the length of b nearby.

    Of the two points where the line of solutions meets the sphere of radius `rho`, the one on the side of `near` [3, n] (b of
    the nearest solved pixels) is taken; where the line misses the sphere, the point of closest approach.

    Parameters
    ----------
    signals, usable : arrays [k, n]
        Signals and which two of them count.
    vectors : array [k, 3]
        Acceptance vectors.
    rho : array [n]
        Length of b nearby.
    near : array [3, n]
        b nearby.
    """
    out = np.zeros((3, signals.shape[1]), np.float32)
    for i in range(vectors.shape[0]):
        for j in range(i + 1, vectors.shape[0]):
            here = usable[i] & usable[j]
            if not here.any():
                continue
            pair = vectors[[i, j]]
            base = np.linalg.pinv(pair) @ signals[[i, j]][:, here]
            along = np.cross(pair[0], pair[1])
            along = along / np.linalg.norm(along)
            half = np.sqrt(np.maximum(rho[here] ** 2 - (base**2).sum(axis=0), 0.0))
            half = np.where(along @ near[:, here] >= 0, half, -half)
            out[:, here] = base + along[:, None] * half
    return out
