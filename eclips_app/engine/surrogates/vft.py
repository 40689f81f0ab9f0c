"""Vision Field Transformer: from the slopes about a pixel to the horizon that it sees in each azimuth.

The horizon is the larger of the tangent plane, which is known, and the slope to an occluder. Of occluders nearby the slopes
themselves tell, by fixed filters (`chords`); the network finds what is farther, and what the filters lose. Each token is a
square of pixels; attention in windows, every second time shifted by half a window, carries what tokens know of their
surroundings over the Vision Field (windows: Liu et al. 2021, "Swin Transformer"). No detector enters. Time and memory grow
with the number of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.engine.surrogates.chords import RANGES, REACH_PX, Chords
from eclips_app.engine.surrogates.horizon_net import HorizonNet
from eclips_app.engine.surrogates.relief import reach_px, relief, relief_filter
from eclips_app.engine.training.labels import directions

_COARSE = 4  #: standard deviation of the relief filter in tokens
_FINE = 4.0  #: usual relief in pixels


@dataclass(frozen=True)
class VftSize:
    """Size of the network.

    Attributes
    ----------
    width, depth, heads : int
        Features of a token, blocks of attention (an even number), heads of each.
    window : int
        Tokens along the edge of a window.
    patch : int
        Pixels along the edge of a token.
    detail : int
        Features of each pixel in the branch of full resolution.
    azimuths : int
        Sectors, with the middles that the renderer takes.
    """

    width: int = 96
    depth: int = 4
    heads: int = 4
    window: int = 8
    patch: int = 4
    detail: int = 32
    azimuths: int = 16

    @property
    def frame_px(self) -> int:
        """Edge of a window in pixels: images are filled up to whole windows."""
        return self.window * self.patch

    @property
    def halo_px(self) -> int:
        """How far what a window gives depends on its surroundings, in whole windows: half a window for each block, filters."""
        tokens = self.depth * self.window // 2 + reach_px(_COARSE)
        pixels = tokens * self.patch + REACH_PX + self.patch
        return -(-pixels // self.frame_px) * self.frame_px


class Vft(HorizonNet):
    """The network."""

    coarse: Tensor

    def __init__(self, size: VftSize | None = None) -> None:
        size = size or VftSize()
        super().__init__(size.azimuths)
        self.size = size
        self.chords = Chords(directions(size.azimuths))
        self.register_buffer("coarse", relief_filter(_COARSE), persistent=False)
        self.stem = nn.Conv2d(4, size.width, 2 * size.patch - 1, size.patch, size.patch // 2 + 1)
        self.height = nn.Linear(1, size.width)
        self.blocks = nn.ModuleList(_Block(size, shifted=bool(number % 2)) for number in range(size.depth))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, size.detail * size.patch**2)
        self.local = nn.Conv2d(4 + RANGES * size.azimuths, size.detail, 3, padding=1)
        self.joined = nn.Conv2d(size.detail, size.detail, 3, padding=1)
        self.correction = nn.Conv2d(size.detail, size.azimuths, 3, padding=1)
        with torch.no_grad():  # the chords alone are better than what random weights make of them
            self.correction.weight.zero_()
            nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(self, slopes: Tensor) -> Tensor:
        """Give the horizons; outside the image the surface is level and nothing stands in the way."""
        rows, columns = slopes.shape[-2:]
        edge = self.size.frame_px
        framed = F.pad(slopes, (0, -columns % edge, 0, -rows % edge))
        inside = F.pad(torch.ones_like(slopes[:, :1]), (0, -columns % edge, 0, -rows % edge))
        found: Tensor = self.framed(framed, inside)[..., :rows, :columns]
        return found

    def framed(self, slopes: Tensor, inside: Tensor) -> Tensor:
        """Give the horizons of whole windows; `inside` [n, 1, row, col] is 1 in the image and 0 beside it."""
        local, chords = self.chords.with_relief(slopes)
        given = torch.cat([slopes, inside, local / _FINE], 1)
        above = chords - self.tangents(slopes)[:, None]
        seen = F.softsign(above).flatten(1, 2).to(given.dtype)
        pixels = F.gelu(self.local(torch.cat([given, seen], 1)))
        pixels = F.gelu(self.joined(pixels) + self._surroundings(given))
        return self.horizon(slopes, chords.amax(1) + self.correction(pixels))

    def _surroundings(self, given: Tensor) -> Tensor:
        """Give what the tokens know, for each pixel."""
        patch = self.size.patch
        relief_of_tokens = relief(F.avg_pool2d(given[:, :2], patch), self.coarse) / _COARSE
        x = self.stem(given).movedim(1, -1) + self.height(relief_of_tokens.movedim(1, -1))
        for block in self.blocks:
            x = block(x)
        return F.pixel_shuffle(self.head(self.norm(x)).movedim(-1, 1), patch)


class _Block(nn.Module):
    """Attention within windows, then two layers for each token. Tokens beyond the border are zeros."""

    pairs: Tensor

    def __init__(self, size: VftSize, *, shifted: bool) -> None:
        super().__init__()
        self.window, self.heads, self.shift = size.window, size.heads, size.window // 2 if shifted else 0
        self.norm1, self.norm2 = nn.LayerNorm(size.width), nn.LayerNorm(size.width)
        self.qkv, self.out = nn.Linear(size.width, 3 * size.width), nn.Linear(size.width, size.width)
        self.wide, self.narrow = nn.Linear(size.width, 2 * size.width), nn.Linear(2 * size.width, size.width)
        self.bias = nn.Parameter(torch.zeros((2 * size.window - 1) ** 2, size.heads))  # by the distance of two tokens
        self.register_buffer("pairs", _pairs(size.window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Give tokens [n, row, col, feature] of the same shape."""
        x = x + self._attention(self.norm1(x))
        deep: Tensor = self.narrow(F.gelu(self.wide(self.norm2(x))))
        return x + deep

    def _attention(self, x: Tensor) -> Tensor:
        edge, s = self.window, self.shift
        wide = F.pad(x, (0, 0, s, s, s, s))
        n, rows, columns, width = wide.shape
        split = n, rows // edge, edge, columns // edge, edge, width
        tokens = wide.view(split).transpose(2, 3).reshape(-1, edge * edge, width)
        heads = self.qkv(tokens).view(len(tokens), edge * edge, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        bias = self.bias[self.pairs].permute(2, 0, 1)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype)).transpose(1, 2)
        given = self.out(seen.reshape(tokens.shape))
        back = given.view(n, rows // edge, columns // edge, edge, edge, width).transpose(2, 3).reshape(wide.shape)
        found: Tensor = back[:, s : rows - s, s : columns - s]
        return found


def _pairs(window: int) -> Tensor:
    """Give the row of the table of biases for each pair of tokens of a window, [window^2, window^2]."""
    place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    apart = place[:, :, None] - place[:, None, :] + window - 1
    return apart[0] * (2 * window - 1) + apart[1]
