"""Network of the integrator "pinn": what it is shown, what it gives, and the layer that makes its answer a surface.

The network gives corrections of both slopes. They are integrated by least squares like the slopes themselves, so that what comes
out is a height: the curl of its slopes is zero by construction, and no loss has to ask for it. The borders are natural (Neumann).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.integrators import wiener

FORMAT = "1"  #: of the network
CHANNELS = 11
COARSEST = 8  #: pixels of the coarsest level's samples; tiles start at multiples
REACH_PX = 88  #: no pixel farther away has a say in a correction of slopes
_LEAST_NOISE = 1e-3  #: slope noise (0.06 deg) below which the scale of the features stays


@dataclass(frozen=True)
class Given:
    """Slopes as the network's part needs them.

    Attributes
    ----------
    p, q, mask : Tensor [row, col]
        Slopes (right, up), zero without data, and where the data are.
    plain, calm : Tensor [row, col]
        Heights by least squares and by Wiener, in pixels.
    noise : float
        Standard deviation of the noise of each slope, from the curl.
    """

    p: Tensor
    q: Tensor
    mask: Tensor
    plain: Tensor
    calm: Tensor
    noise: float


class PinnNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) on pixels taken together by two, of residual blocks without norms: tiles leave no seams."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (width, 3 * width // 2, 2 * width)
        self.width = width
        self.stem = nn.Conv2d(4 * CHANNELS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.before = nn.ModuleList(nn.Sequential(_Block(w), _Block(w)) for w in widths)
        self.after = nn.ModuleList(_Block(w) for w in widths[:-1])
        self.last = nn.Conv2d(widths[0], 8, 3, padding=1)
        self.tenth = nn.Parameter(torch.zeros(1))  #: of `wiener`, which is so learnt ten times as fast as weights are
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    @property
    def wiener(self) -> Tensor:
        """Part taken of what Wiener changes [1]."""
        return 10.0 * self.tenth

    def forward(self, features: Tensor) -> Tensor:
        """Give corrections of the slopes [n, 2, row, col] in units of their noise, of `features_of` [n, c, row, col]."""
        rows, columns = features.shape[-2:]
        x = F.pad(features, (0, -columns % COARSEST, 0, -rows % COARSEST))
        x = self.stem(F.pixel_unshuffle(x, 2))
        kept = []
        for level, blocks in enumerate(self.before):
            x = blocks(self.down[level - 1](x) if level else x)
            kept.append(x)
        for level in (1, 0):
            x = kept[level] + F.interpolate(self.up[level](x), scale_factor=2.0, mode="nearest")
            x = self.after[level](x)
        found: Tensor = F.pixel_shuffle(self.last(x), 2)[..., :rows, :columns]
        return found


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Add what two convolutions find."""
        found: Tensor = x + self.second(F.relu(self.first(F.relu(x))))
        return found


def given(p: Tensor, q: Tensor, plain: Tensor, mask: Tensor | None = None) -> Given:
    """Prepare what the network is shown, from slopes and their least squares height."""
    plane = wiener.mean_slopes(p, q, mask)
    calm = wiener.add_plane(plain.clone(), (-plane[0], -plane[1]))
    noise = wiener.slope_std(p, q, mask)
    wiener.shrink(calm, noise, mask)
    here = torch.ones_like(p, dtype=torch.bool) if mask is None else mask
    return Given(p * here, q * here, here, plain, wiener.add_plane(calm, plane), noise)


def features_of(seen: Given, rows: slice = slice(None), columns: slice = slice(None)) -> Tensor:
    """Give what the network is shown of a part of the image, [c, row, col], in units of the noise.

    Differences reach a pixel or two beyond each pixel; at the edges of a part they are those at an edge of the image.
    """
    p, q, mask, plain, calm = (each[rows, columns] for each in (seen.p, seen.q, seen.mask, seen.plain, seen.calm))
    slopes = torch.stack([p, q])
    scale = max(seen.noise, _LEAST_NOISE)
    fine = slopes - F.avg_pool2d(slopes[None], 5, 1, 2, count_include_pad=False)[0]
    signed = [slopes, slopes - slopes_of(plain), slopes - slopes_of(calm), fine, _curl(p, q)[None]]
    here = mask.to(p.dtype)[None]
    level = torch.full_like(here, scale).log10() + 2.0
    return torch.cat([torch.asinh(torch.cat(signed) / scale) * here, level, here]).float()


def turned_over(features: Tensor) -> Tensor:
    """Give the features [c, row, col] of the surface with up and down exchanged."""
    return torch.cat([-features[:-2], features[-2:]])


def _curl(p: Tensor, q: Tensor) -> Tensor:
    """Give ``dp/dy - dq/dx`` [row, col]."""
    return -torch.gradient(p, dim=0)[0] - torch.gradient(q, dim=1)[0]
