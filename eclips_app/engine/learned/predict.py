"""From prepared signals to what the U-Net says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine import solve
from eclips_app.engine.geometry import Geometry, geometry
from eclips_app.engine.learned.features import planes, seen
from eclips_app.engine.learned.network import Estimate, NormalsNet, corrections
from eclips_app.engine.linear_emission import readings_for
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.measured import Measured


@dataclass(frozen=True)
class Shown:
    """What a network is shown of an image.

    Attributes
    ----------
    planes : tensor [channel, row, col]
        See `features.planes`.
    brightness : float
        Unit of the material factor: signal of a flat of it, mean over the segments.
    """

    planes: Tensor
    brightness: float


def shown(measured: Measured, field: Field) -> Shown:
    """Prepare the planes of the whole crop."""
    params, data = measured.params, field.data
    usable = data.usable.cpu().numpy() > 0 if data.usable is not None else np.ones(data.signal.shape, bool)
    place = geometry(params, measured.signals.crop, measured.inputs["segments"].shape[1:])
    found = solve.solve(data.signal, usable, place.vectors)
    brightness = float(found.b[:, found.solved].square().sum(0).sqrt().median())
    noise = (data.scale * brightness + data.floor).mean().sqrt() / brightness
    detector = seen(params.detector, params.pixel_size_nm, float(noise), readings_for(params.detector, params.emission))
    signal = _on_axis(data.signal, found.b, place) if params.scan_parallax else data.signal
    return Shown(planes(signal, usable, detector, brightness), brightness)


def estimated(net: NormalsNet, given: Shown, made: Tensor | None = None) -> Estimate:
    """Give the estimate [1, …] for an image of any size, of `corrections` that were `made` already if there are any."""
    with torch.no_grad():
        found = corrections(net, given.planes) if made is None else made
    return net.estimate(given.planes[None], found[None])


def normals(slopes: Tensor) -> NDArray[np.float32]:
    """Give unit normals [3, row, col] of slopes (right, up) [2, row, col]."""
    right, up = slopes
    found = torch.stack([-right, -up, torch.ones_like(right)]) / (1.0 + right**2 + up**2).sqrt()
    return np.asarray(found.cpu().numpy(), np.float32)


def limited(slopes: Tensor, steepest_deg: float) -> Tensor:
    """Give slopes of which none is steeper than an angle."""
    length = slopes.square().sum(0).clamp(min=1e-12).sqrt()
    return slopes * (float(np.tan(np.deg2rad(steepest_deg))) / length).clamp(max=1.0)


def _on_axis(signal: Tensor, b: Tensor, place: Geometry) -> Tensor:
    """Give the signals [k, row, col] that the same surface would have on the detector's axis, to first order."""
    x, y = torch.from_numpy(place.x).to(signal)[None, :], torch.from_numpy(place.y).to(signal)[:, None]
    found = [
        each - x * solve.predict(b, along_x) - y * solve.predict(b, along_y)
        for each, along_x, along_y in zip(signal, place.along_x.tolist(), place.along_y.tolist(), strict=True)
    ]
    return torch.stack(found)
