"""DSM, the distilled simulator: a small convolutional network from the slopes of a surface to the images of one detector.

It knows the easy part exactly. The *reflectance* ``R_k(p, q)``, what segment k gets of a surface of slopes p, q that only its
own tangent plane hides, is taken from the tables of the physics; the network gives the part of it that other places of the
surface take away::

    I_k = R_k(p, q) * (1 - g * N_k(slopes about the place)),   0 <= g N_k <= 1

g goes from 0 to 1 as the steepest slope that the network sees passes that of the lowest ray which the detector takes. A ray
that climbs less steeply than every slope around is free: there g = 0, and the answer is exact. Physics that the tables do not
hold can also add to the signal; a network for it has ``I_k = R_k exp(-N_k)`` and no such bound.

The convolutions have no padding of their own. Beyond the border the surface goes on level, which hides nothing there, as in
the exact model. So an image may have any size, and one computed in tiles has no seams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad

from eclips_app.engine.forward.model import ForwardModel, slopes
from eclips_app.engine.forward.quadrature import signal
from eclips_app.engine.optics.watch import check
from eclips_app.engine.surrogates.relief import reach_px, relief_filter
from eclips_app.engine.training.layers import Convolution

_TILE = 256  #: edge of the tiles in samples, even
_RELIEF = 4  #: standard deviation of the filter that makes local relief of slopes, in samples
_FIRST = 0.1  #: of the usual size of the last weights before training
_RAMP = 0.1  #: slopes over which the network comes in


@dataclass(frozen=True)
class Layout:
    """Size of a network.

    Attributes
    ----------
    segments : int
        Of the detector.
    channels : int
        Of the layers between.
    dilations : tuple
        Of the 3 x 3 convolutions, one layer each, on every second sample.
    lowest : float
        Slope of the lowest ray that the detector takes; below it the answer is exact. Negative: there is no such bound.
    """

    segments: int
    channels: int = 40
    dilations: tuple[int, ...] = (1, 1, 2, 2, 1, 1)
    lowest: float = -1.0

    @property
    def reach(self) -> int:
        """How far a sample sees in every direction, in samples; even."""
        return 2 * sum(self.dilations) + reach_px(_RELIEF)


class DSM(nn.Module):
    """The network: slopes [n, 2, row + 2 reach, col + 2 reach] (right, up) to factors of the reflectance [n, k, row, col].

    A fixed filter first makes local relief of the slopes (`relief`); then all is seen at half the resolution, four samples a
    place.
    """

    relief: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        width = layout.channels
        self.register_buffer("relief", relief_filter(_RELIEF), persistent=False)
        sizes = [12, *[width] * len(layout.dilations)]
        self.layers = nn.ModuleList(
            Convolution(before, width, dilation=dilation)
            for before, dilation in zip(sizes, layout.dilations, strict=False)
        )
        self.head = nn.Conv2d(width, 4 * layout.segments, 1)
        with torch.no_grad():  # at first nothing is hidden
            self.head.weight.mul_(_FIRST)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, around: Tensor) -> Tensor:
        """Give the factors; rows and columns are even."""
        margin = reach_px(_RELIEF)
        local = conv2d(around, self.relief) / _RELIEF
        seen = torch.cat([around[..., margin:-margin, margin:-margin], local], 1)
        found = nn.functional.pixel_unshuffle(seen, 2)
        for number, layer in enumerate(self.layers):
            changed = torch.relu(layer(found))
            margin = self.layout.dilations[number]
            found = changed + found[..., margin:-margin, margin:-margin] if number else changed
        answers = nn.functional.pixel_shuffle(self.head(found), 2)
        if self.layout.lowest < 0:
            return torch.exp(-answers)
        found = 1.0 - self._gate(around) * answers
        return found if self.training else found.clamp(0.0, 1.0)  # beyond the limits nothing would be learnt

    def _gate(self, around: Tensor) -> Tensor:
        """Give 0 where no slope in reach is as steep as the lowest ray, 1 where one is clearly steeper."""
        return ((_steepest(around, self.layout.reach) - self.layout.lowest) / _RAMP).clamp(0.0, 1.0)

    def is_free(self, around: Tensor) -> bool:
        """Whether the answer is 1 everywhere without asking the network."""
        if self.layout.lowest < 0:
            return False
        return bool((around * around).sum(1).amax() <= self.layout.lowest**2)


def _steepest(around: Tensor, reach: int) -> Tensor:
    """Give the largest slope within `reach` of each sample [n, 1, row, col]."""
    steep = torch.sqrt((around * around).sum(1, keepdim=True) + 1e-12)
    edge = 2 * reach + 1
    return max_pool2d(max_pool2d(steep, (edge, 1), 1), (1, edge), 1)


def reflectance(model: ForwardModel, tangents: Tensor) -> Tensor:
    """Give the signal [k, row, col] of slopes [2, row, col] that only their own tangent planes hide: a level field of them."""
    level = tangents.new_zeros(tangents.shape[1:])
    return model.placed(signal(level, tangents, model.expansion.weights(tangents), model.sectors))


def factors(network: DSM, tangents: Tensor, report: Callable[[float], None] | None = None) -> Tensor:
    """Give what the network makes of slopes [2, row, col]: factors of the reflectance [k, row, col].

    In tiles, so that memory does not grow with the network; tiles in which nothing can be hidden cost nothing.
    """
    reach, (rows, columns) = network.layout.reach, tangents.shape[1:]
    around = pad(tangents, (reach, reach + columns % 2, reach, reach + rows % 2))
    strips = []
    for top in range(0, rows, _TILE):
        height = min(_TILE, rows + rows % 2 - top)
        strip = []
        for left in range(0, columns, _TILE):
            width = min(_TILE, columns + columns % 2 - left)
            tile = around[None, :, top : top + height + 2 * reach, left : left + width + 2 * reach]
            check()
            strip.append(_tile(network, tile, (height, width)))
            if report is not None:
                report((top * columns + min(left + _TILE, columns) * min(_TILE, rows - top)) / (rows * columns))
        strips.append(torch.cat(strip, -1))
    return torch.cat(strips, -2)[:, :rows, :columns]


def _tile(network: DSM, tile: Tensor, shape: tuple[int, int]) -> Tensor:
    if network.is_free(tile):
        return tile.new_ones((network.layout.segments, *shape))
    found: Tensor = network(tile)[0]
    return found


def samples(
    network: DSM, model: ForwardModel, height_nm: Tensor, report: Callable[[float], None] | None = None
) -> Tensor:
    """Give the signal [k, row, col] at each height sample for unit brightness; differentiable in the heights."""
    tangents = slopes(model.local(height_nm))
    given = tangents.to(network.head.weight.dtype)
    return reflectance(model, tangents) * factors(network, given, report).to(tangents)
