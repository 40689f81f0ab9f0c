"""Rendering with a horizon network: whole images of any size in tiles without seams, and the exact model's conventions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from eclips_app.core.errors import EclipsError
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.optics.watch import check
from eclips_app.engine.surrogates.physics import signal
from eclips_app.engine.surrogates.vft import Vft

TILE_PX = 1024  #: edge of the tiles that larger images are computed in
Box = tuple[int, int, int, int]  #: first row, end row, first column, end column


def horizon(net: Vft, slopes: Tensor, tile_px: int = TILE_PX) -> Tensor:
    """Give the slope of the horizon [a, row, col] for slopes (right, up) [2, row, col]; differentiable.

    Images larger than a tile are computed in tiles that overlap by as much as a pixel depends on (`VftSize.halo_px`), on the
    same windows as the whole, so that tiles leave no trace. For derivatives, tiles are computed again on the way back.
    """
    rows, columns = slopes.shape[1:]
    edge = net.size.frame_px
    step = max(tile_px // edge, 1) * edge
    if max(rows, columns) <= step:
        found: Tensor = net(slopes[None])[0]
        return found
    margins = 0, -columns % edge, 0, -rows % edge
    framed, inside = F.pad(slopes, margins)[None], F.pad(torch.ones_like(slopes[:1]), margins)[None]
    lines = [[_tile(net, framed, inside, box) for box in line] for line in _tiles(framed.shape[-2:], step)]
    return torch.cat([torch.cat(line, 2) for line in lines], 1)[:, :rows, :columns]


def render(
    net: Vft,
    model: ForwardModel,
    *,
    height_nm: Tensor | None = None,
    slopes: Tensor | None = None,
    rho: Tensor | None = None,
    tile_px: int = TILE_PX,
) -> Tensor:
    """Give the images [k, row, col] in units of a flat, as `ForwardModel.images` does; Torch differentiates them.

    Parameters
    ----------
    net : Vft
    model : ForwardModel
        Detector, emission, probe and pixels; with as many azimuths as the network.
    height_nm : tensor [row * subpixels, col * subpixels]
        The surface; or instead of it
    slopes : tensor [2, row * subpixels, col * subpixels]
        its slopes (right, up) on the same samples.
    rho : tensor of their size, optional
        Material factor.

    Raises
    ------
    EclipsError
        The model has other azimuths, or not one of heights and slopes was given.
    """
    if model.sectors.directions.shape[1] != net.size.azimuths:
        raise EclipsError(
            f"the network gives horizons in {net.size.azimuths} azimuths, the detector's tables have "
            f"{model.sectors.directions.shape[1]}", hint=f"Make the forward model with {net.size.azimuths} azimuths.",
        )  # fmt: skip
    if (height_nm is None) == (slopes is None):
        raise EclipsError("a network renders either heights or slopes", hint="Give one of them.")
    if slopes is None:
        assert height_nm is not None
        slopes = slopes_of(model.local(height_nm))
    weights = model.expansion.weights(slopes)
    samples = model.placed(signal(horizon(net, slopes, tile_px).to(weights), weights, model.sectors))
    return model.response(samples if rho is None else samples * rho) / model.flat


def _tiles(shape: torch.Size, step: int) -> Iterator[list[Box]]:
    """Give the tiles of a frame, line by line."""
    rows, columns = shape
    for row in range(0, rows, step):
        yield [(row, min(row + step, rows), col, min(col + step, columns)) for col in range(0, columns, step)]


def _tile(net: Vft, framed: Tensor, inside: Tensor, box: Box) -> Tensor:
    """Give the horizons [a, row, col] of a tile, computed with what it depends on."""
    check()
    halo = net.size.halo_px
    row0, row1, col0, col1 = box
    top, left = max(row0 - halo, 0), max(col0 - halo, 0)
    wide = (..., slice(top, row1 + halo), slice(left, col1 + halo))

    def inner(slopes: Tensor, within: Tensor) -> Tensor:
        return net.framed(slopes, within)[0, :, row0 - top : row1 - top, col0 - left : col1 - left]

    if torch.is_grad_enabled() and framed.requires_grad:
        found: Tensor = checkpoint(inner, framed[wide], inside[wide], use_reentrant=False)
        return found
    return inner(framed[wide], inside[wide])
