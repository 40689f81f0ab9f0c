"""What networks that give horizons share: azimuths, and the tangent plane below which no horizon can lie."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.engine.surrogates.chords import Chords
from eclips_app.engine.training.labels import directions

_SHARPNESS = 32.0  #: of the smooth maximum of occluder and tangent plane, per unit of slope


class HorizonNet(nn.Module):
    """Slopes (right, up) [n, 2, row, col] in, slopes of horizons [n, a, row, col] out; any number of pixels.

    Attributes
    ----------
    along : tensor [2, a]
        Cosine and sine of the azimuths: the middles of the renderer's sectors.
    """

    along: Tensor

    def __init__(self, azimuths: int) -> None:
        super().__init__()
        self.register_buffer("along", torch.from_numpy(directions(azimuths)).float(), persistent=False)

    @property
    def azimuths(self) -> int:
        """Number of azimuths."""
        return self.along.shape[1]

    def tangents(self, slopes: Tensor) -> Tensor:
        """Give the slope of the tangent plane along each azimuth, in full precision also where products are rounded."""
        right, up = self.along.to(slopes)[:, :, None, None]
        along_each: Tensor = slopes[:, :1] * right + slopes[:, 1:] * up
        return along_each

    def horizon(self, slopes: Tensor, occluder: Tensor) -> Tensor:
        """Give the larger of the tangent plane and the slope to an occluder [n, a, row, col], with a rounded corner."""
        tangent = self.tangents(slopes)
        return tangent + F.softplus(occluder - tangent, _SHARPNESS)


class TangentOnly(HorizonNet):
    """No network: the horizon of a surface that hides nothing from itself but by its own inclination."""

    def forward(self, slopes: Tensor) -> Tensor:
        """Give the tangent plane."""
        return self.tangents(slopes)


class ChordsOnly(HorizonNet):
    """No network: the horizon by the steepest chords near each pixel, which fixed filters give; what a `Vft` corrects."""

    def __init__(self, azimuths: int) -> None:
        super().__init__(azimuths)
        self.chords = Chords(directions(azimuths))

    def forward(self, slopes: Tensor) -> Tensor:
        """Give the larger of the tangent plane and the steepest chord."""
        return self.horizon(slopes, self.chords(slopes).amax(1))
