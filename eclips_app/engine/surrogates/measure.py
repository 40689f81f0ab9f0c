"""Errors of a horizon network against the exact model: of horizons, and of the intensities that a usual detector sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine.forward.measure import DETECTOR
from eclips_app.engine.forward.model import ForwardModel, forward_model
from eclips_app.engine.surrogates.horizon_net import HorizonNet
from eclips_app.engine.surrogates.physics import signal

DARK = 0.2  #: part of a flat's signal below which errors are not divided by the signal but by this


@dataclass(frozen=True)
class Errors:
    """Errors at each pixel.

    ``relative`` [k, row, col]: of the intensity, in parts of the exact one, or of `DARK` where that is larger; ``angle_deg``
    [a, row, col]: horizon found minus exact, both not below level.
    """

    relative: Tensor
    angle_deg: Tensor


@lru_cache(maxsize=4)
def measured_model(azimuths: int) -> ForwardModel:
    """Give the exact model of a usual four-quadrant detector that accepts 15 to 60 degrees."""
    return forward_model(DETECTOR, 1.0, azimuths=azimuths, dtype=torch.float32)


def intensity_errors(
    net: HorizonNet, model: ForwardModel, slopes: NDArray[np.float32], exact: NDArray[np.float32]
) -> Errors:
    """Compare the network on slopes [2, row, col] with exact horizons [a, row, col]."""
    device = net.along.device
    given = torch.from_numpy(slopes).to(device)
    return compare(given.cpu(), net(given[None])[0].float().cpu(), torch.from_numpy(exact), model)


def compare(slopes: Tensor, found: Tensor, exact: Tensor, model: ForwardModel) -> Errors:
    """Compare horizons [a, row, col] with exact ones; the physics layer is the same for both."""
    weights = model.expansion.weights(slopes)
    images = [signal(m, weights, model.sectors) / model.flat for m in (found, exact)]
    relative = (images[0] - images[1]).abs() / images[1].clamp(min=DARK)
    angles = [torch.rad2deg(torch.atan(m.clamp(min=0.0))) for m in (found, exact)]
    return Errors(relative, angles[0] - angles[1])
