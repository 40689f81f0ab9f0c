"""Heights from slopes by least squares, as a function that Torch differentiates: what `engine.integrate` does without a mask."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from eclips_app.engine.integrate import increments, solve_poisson
from eclips_app.engine.optics.watch import check


def edges(slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Give the rise to the next column [row, col - 1] and to the next row [row - 1, col] that slopes [2, row, col] ask for."""
    return increments(slopes[0]), -increments(slopes[1].T).T


def integrated(slopes: Tensor) -> Tensor:
    """Give the height [row, col] in pixels, of mean 0, that fits slopes (right, up) [2, row, col] best."""
    right, down = edges(slopes)
    sources = pad(right, (1, 0)) - pad(right, (0, 1)) + pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1))
    height: Tensor = _Poisson.apply(sources)  # type: ignore[no-untyped-call]
    return height


def curl(height: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Give by how much the rises of a height in pixels miss those that slopes ask for, over each edge (see `edges`).

    Slopes that are those of a surface have no curl, and miss nothing.
    """
    right, down = edges(slopes)
    return height[:, 1:] - height[:, :-1] - right, height[1:] - height[:-1] - down


def finer(fields: Tensor, times: int) -> Tensor:
    """Interpolate fields [n, row, col] on so many samples along the edge of a pixel, by cubic convolution."""
    if times == 1:
        return fields
    found: Tensor = interpolate(fields[None], scale_factor=times, mode="bicubic", align_corners=False)[0]
    return found


class _Poisson(torch.autograd.Function):
    """``L h = sources`` with free borders; the matrix is symmetric, so that it is its own derivative."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor) -> Tensor:
        return solve_poisson(sources.contiguous().clone(), check)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return solve_poisson(gradients[0].contiguous().clone(), check)
