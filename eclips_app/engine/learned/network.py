"""The U-Net from segment images to normals (Ronneberger et al. 2015): it mixes linear solutions of blurred signals, and corrects.

Layers are normalised in each pixel alone, so that what a pixel gets does not depend on the rest of the image, and images may be
computed in tiles. Any detector of three segments or more; see `features`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from eclips_app.engine.learned.features import BLURS_PX, CHANNELS, SOLUTIONS, to_slopes
from eclips_app.engine.optics.watch import check
from eclips_app.engine.training.layers import Convolution

TILE_PX = 512
REACH_PX = 64  #: how far a pixel looks, in whole places of the coarsest level
_OUTPUTS = 4 + len(BLURS_PX)  #: stereographic coordinates, brightness, error; weights of the blurred solutions
_SHARPEST = 3.0  #: logarithm of the first weight of the solution that is not blurred, over the others
_STEP = 0.1  #: of what a unit of the head changes
LEAST_ERROR, LARGEST_ERROR = -9.0, 1.0  #: logarithm of an angle in radians


@dataclass(frozen=True)
class Widths:
    """Features at full resolution and at each halving."""

    levels: tuple[int, ...] = (24, 48, 96, 128)

    @property
    def coarsest_px(self) -> int:
        """Edge of a place of the coarsest level."""
        return 1 << (len(self.levels) - 1)


@dataclass(frozen=True)
class Estimate:
    """What the network says; tensors [n, …, row, col].

    Attributes
    ----------
    stereographic : tensor [n, 2, row, col]
        ``tan(tilt / 2)`` times where the normal leans, of the mean slopes over each pixel.
    log_rho : tensor [n, row, col]
        Logarithm of the material factor in the unit of the brightness given.
    log_error : tensor [n, row, col]
        Logarithm of the angle in radians by which the normal may err.
    """

    stereographic: Tensor
    log_rho: Tensor
    log_error: Tensor

    @property
    def slopes(self) -> Tensor:
        """Slopes (right, up) [n, 2, row, col]."""
        return to_slopes(self.stereographic)


class NormalsNet(nn.Module):
    """Planes [n, CHANNELS, row, col] in (see `features.planes`), what an `Estimate` is made of out."""

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        self.widths = widths or Widths()
        levels = self.widths.levels
        self.stem = Convolution(CHANNELS, levels[0], padding=1)
        self.into = nn.ModuleList(_Block(width) for width in levels)
        self.down = nn.ModuleList(Convolution(4 * a, b, 1) for a, b in pairwise(levels))  # of four pixels each
        self.up = nn.ModuleList(Convolution(b, 4 * a, 1) for a, b in pairwise(levels))
        self.out = nn.ModuleList(_Block(width) for width in levels[:-1])
        self.norm = nn.LayerNorm(levels[0])
        self.head = nn.Conv2d(levels[0], _OUTPUTS, 3, padding=1)
        with torch.no_grad():  # at first it says nearly what the linear solution says
            self.head.weight.zero_()
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
            self.head.bias[4] = _SHARPEST  # type: ignore[index]

    def forward(self, planes: Tensor) -> Tensor:
        """Give the corrections [n, _OUTPUTS, row, col]; see `estimate`."""
        rows, columns = planes.shape[-2:]
        edge = self.widths.coarsest_px
        x = self.stem(F.pad(planes, (0, -columns % edge, 0, -rows % edge), mode="replicate"))
        kept = []
        for block, down in zip(self.into[:-1], self.down, strict=True):
            x = block(x)
            kept.append(x)
            x = down(F.pixel_unshuffle(x, 2))
        x = self.into[-1](x)
        for block, up, beside in zip(self.out[::-1], self.up[::-1], kept[::-1], strict=True):
            x = block(beside + F.pixel_shuffle(up(x), 2))
        found: Tensor = self.head(_level(self.norm, x))[..., :rows, :columns]
        return found

    def estimate(self, planes: Tensor, corrections: Tensor | None = None) -> Estimate:
        """Give the estimate for planes [n, CHANNELS, row, col]; differentiable."""
        made = (self(planes) if corrections is None else corrections).float()
        weights = made[:, 4:].softmax(1)[:, :, None]
        solutions = planes[:, :SOLUTIONS].reshape(len(planes), len(BLURS_PX), 3, *planes.shape[2:])
        chosen = (weights * solutions).sum(1)
        return Estimate(
            chosen[:, :2] + _STEP * made[:, :2], chosen[:, 2] + _STEP * made[:, 2],
            (made[:, 3] - 3.0).clamp(LEAST_ERROR, LARGEST_ERROR),
        )  # fmt: skip


class _Block(nn.Module):
    """Two convolutions beside a way past them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = Convolution(width, width, padding=1), Convolution(width, width, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Give features of the same shape."""
        changed: Tensor = self.second(F.gelu(self.first(_level(self.norm, x))))
        return x + changed


def _level(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Normalise the features of each pixel."""
    found: Tensor = norm(x.movedim(1, -1)).movedim(-1, 1)
    return found


def corrections(net: NormalsNet, planes: Tensor) -> Tensor:
    """Give the corrections [n, row, col] for planes [CHANNELS, row, col] of any size, in tiles that leave no trace."""
    rows, columns = planes.shape[1:]
    strips = []
    for top in range(0, rows, TILE_PX):
        strip = []
        for left in range(0, columns, TILE_PX):
            check()
            strip.append(_tile(net, planes, top, left))
        strips.append(torch.cat(strip, -1))
    return torch.cat(strips, -2)


def _tile(net: NormalsNet, planes: Tensor, top: int, left: int) -> Tensor:
    first_row, first_column = max(top - REACH_PX, 0), max(left - REACH_PX, 0)
    part = planes[None, :, first_row : top + TILE_PX + REACH_PX, first_column : left + TILE_PX + REACH_PX]
    if torch.is_grad_enabled() and max(planes.shape[1:]) > TILE_PX:  # for want of memory computed again on the way back
        made: Tensor = checkpoint(net, part, use_reentrant=False)
    else:
        made = net(part)
    found = made[0, :, top - first_row :, left - first_column :]
    return found[:, :TILE_PX, :TILE_PX]
