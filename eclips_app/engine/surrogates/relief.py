"""Local relief from slopes alone, by a fixed filter: what is left of the heights when their smooth part is taken away.

With G_s a Gaussian of standard deviation s, ``h - G_s * h = k * grad h`` and ``k(r) = r exp(-r^2 / 2 s^2) / (2 pi r^2)``: the
field of a point charge within a Gaussian cloud of the opposite charge. So slopes give heights without an integration over the
whole field, and what is outside the Vision Field cannot enter.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d

_CUT = 3  #: standard deviations after which the filter ends: 1 % of the cloud is beyond


def reach_px(sigma_px: int) -> int:
    """Give how far the filter of a standard deviation reaches."""
    return _CUT * sigma_px


def relief_filter(sigma_px: int) -> Tensor:
    """Give the filter [1, 2, n, n] for slopes (right, up), as `torch.nn.functional.conv2d` takes it."""
    reach = reach_px(sigma_px)
    line = torch.arange(-reach, reach + 1, dtype=torch.float64)
    down, right = torch.meshgrid(line, line, indexing="ij")
    square = right**2 + down**2
    square[reach, reach] = 1.0  # the middle pulls to no side
    strength = torch.exp(-square / (2.0 * sigma_px**2)) / (2.0 * math.pi * square)
    return torch.stack([-right * strength, down * strength])[None].float()


def relief(slopes: Tensor, kernel: Tensor) -> Tensor:
    """Give the local relief [n, 1, row, col] in pixels of slopes [n, 2, row, col]; beyond the border all is level."""
    return conv2d(slopes, kernel.to(slopes), padding=kernel.shape[-1] // 2)
