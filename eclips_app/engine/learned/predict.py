"""From prepared signals to what the U-Net says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine import solve
from eclips_app.engine.geometry import Geometry, geometry
from eclips_app.engine.integrators import Integration, integrate_by
from eclips_app.engine.learned.features import Seen, planes, seen
from eclips_app.engine.learned.network import REACH_PX, Estimate, NormalsNet
from eclips_app.engine.learned.weights import read_unet
from eclips_app.engine.linear import STEEPEST_DEG
from eclips_app.engine.linear_emission import readings_for
from eclips_app.engine.optics.watch import check
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.measured import Measured

TILE_PX = 512  #: edge of the tiles that images are computed in, whole places of the network's coarsest level
_HALO_PX = REACH_PX + 16  #: with how far the blurs reach


@dataclass(frozen=True)
class Shown:
    """What a network is shown of an image.

    Attributes
    ----------
    signal : tensor [k, row, col]
        As it would be on the detector's axis, gains and offsets taken away.
    usable : array [k, row, col]
        Which signals count.
    detector : Seen
    brightness : float
        Unit of the material factor: signal of a flat of it, mean over the segments.
    """

    signal: Tensor
    usable: NDArray[np.bool_]
    detector: Seen
    brightness: float

    def planes(self, rows: slice = slice(None), columns: slice = slice(None)) -> Tensor:
        """Give the planes [CHANNELS, row, col] of a window; see `features.planes`."""
        window = (slice(None), rows, columns)
        return planes(self.signal[window], self.usable[window], self.detector, self.brightness)


def shown(measured: Measured, field: Field) -> Shown:
    """Prepare the whole crop."""
    params, data = measured.params, field.data
    usable = data.usable.cpu().numpy() > 0 if data.usable is not None else np.ones(data.signal.shape, bool)
    place = geometry(params, measured.signals.crop, measured.inputs["segments"].shape[1:])
    found = solve.solve(data.signal, usable, place.vectors)
    brightness = float(found.b[:, found.solved].square().sum(0).sqrt().median())
    noise = (data.scale * brightness + data.floor).mean().sqrt() / brightness
    detector = seen(params.detector, params.pixel_size_nm, float(noise), readings_for(params.detector, params.emission))
    signal = _on_axis(data.signal, found.b, place) if params.scan_parallax else data.signal
    return Shown(signal, usable, detector, brightness)


def estimated(net: NormalsNet, given: Shown) -> Estimate:
    """Give the estimate [1, …] for an image of any size, in tiles that leave no trace; without derivatives."""
    rows, columns = given.signal.shape[1:]
    with torch.no_grad():
        strips = [
            _joined([_tile(net, given, top, left) for left in range(0, columns, TILE_PX)], -1)
            for top in range(0, rows, TILE_PX)
        ]
        return _joined(strips, -2)


def _tile(net: NormalsNet, given: Shown, top: int, left: int) -> Estimate:
    check()
    first = max(top - _HALO_PX, 0), max(left - _HALO_PX, 0)
    shown_planes = given.planes(slice(first[0], top + TILE_PX + _HALO_PX), slice(first[1], left + TILE_PX + _HALO_PX))
    found = net.estimate(shown_planes[None])
    inner = (..., slice(top - first[0], top - first[0] + TILE_PX), slice(left - first[1], left - first[1] + TILE_PX))
    return Estimate(found.stereographic[inner], found.log_rho[inner], found.log_error[inner])


def _joined(parts: list[Estimate], along: int) -> Estimate:
    return Estimate(
        torch.cat([part.stereographic for part in parts], along), torch.cat([part.log_rho for part in parts], along),
        torch.cat([part.log_error for part in parts], along),
    )  # fmt: skip


def heights(slopes: Tensor, measured: Measured) -> tuple[Tensor, Integration]:
    """Integrate slopes [2, row, col] to heights in nm by the integrator that was chosen."""
    mask = None if measured.mask.all() else torch.from_numpy(measured.mask).to(slopes.device)
    right, up = (each.contiguous() for each in slopes)
    height, how = integrate_by(measured.params.integrator, right, up, mask)
    return height * measured.params.pixel_size_nm, how


def start_heights(measured: Measured) -> NDArray[np.float32]:
    """Give the heights in nm to start a fit from: those of the network that comes with the program."""
    found = estimated(read_unet(device=measured.device), shown(measured, measured.whole()))
    height, _ = heights(limited(found.slopes[0], STEEPEST_DEG), measured)
    return np.asarray(height.cpu().numpy(), np.float32)


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
