"""A plain U-Net (Ronneberger et al. 2015) as the Vision Field Transformer's rival in `eclips bench surrogates`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.engine.surrogates.horizon_net import HorizonNet


class UNet(HorizonNet):
    """Two levels down and up again; as many parameters as a `Vft` of usual size with 30 features."""

    def __init__(self, azimuths: int = 16, features: int = 30) -> None:
        super().__init__(azimuths)
        c = features
        self.down = nn.ModuleList([_pair(2, c), _pair(c, 2 * c), _pair(2 * c, 4 * c)])
        self.up = nn.ModuleList([_pair(6 * c, 2 * c), _pair(3 * c, c)])
        self.occluder = nn.Conv2d(c, azimuths, 3, padding=1)

    def forward(self, slopes: Tensor) -> Tensor:
        """Give the horizons."""
        rows, columns = slopes.shape[-2:]
        x, kept = F.pad(slopes, (0, -columns % 4, 0, -rows % 4)), []
        for level, pair in enumerate(self.down):
            x = pair(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for pair, beside in zip(self.up, kept[-2::-1], strict=True):
            x = pair(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), beside], 1))
        return self.horizon(slopes, self.occluder(x)[..., :rows, :columns])


def _pair(given: int, made: int) -> nn.Sequential:
    """Two convolutions, each normalised: without that, 200 steps brought the held-out error nowhere."""
    return nn.Sequential(
        nn.Conv2d(given, made, 3, padding=1), nn.GroupNorm(2, made), nn.GELU(),
        nn.Conv2d(made, made, 3, padding=1), nn.GroupNorm(2, made), nn.GELU(),
    )  # fmt: skip
