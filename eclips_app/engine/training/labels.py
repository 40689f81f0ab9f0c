"""Exact answers to train on: horizons and segment images by the forward model (BSESM)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled
from eclips_app.engine.forward.march import STRETCH, Array, Int, line_of, march, tile_maxima
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.forward.model import slopes as slopes_of

Float32 = NDArray[np.float32]


def slopes(height_px: NDArray[np.float64]) -> Float32:
    """Give the slopes (right, up) [2, row, col] of heights in pixels, by the differences that the renderer takes."""
    return slopes_of(torch.from_numpy(height_px)).numpy().astype(np.float32)


def directions(azimuths: int) -> NDArray[np.float64]:
    """Give cosine (right) and sine (up) of the middles of the renderer's sectors, [2, a]."""
    middles = (np.arange(azimuths) + 0.5) * (2 * np.pi / azimuths)
    return np.stack([np.cos(middles), np.sin(middles)])


def horizons(height_px: NDArray[np.floating], azimuths: int) -> Float32:
    """Give the slope of the horizon in the middle of each sector, [a, row, col]: ``tan(90 deg - t_max)``, not below zero.

    Exactly what the renderer finds: the tangent plane or the steepest line to a point of the surface within the field. Below
    zero nothing is emitted.
    """
    height = np.ascontiguousarray(height_px, dtype=np.float32)
    found = np.empty((azimuths, *height.shape), np.float32)
    tangents = slopes(np.asarray(height_px, dtype=np.float64))
    _fill(height, tile_maxima(height), tangents, directions(azimuths), found)
    return found


def segments(model: ForwardModel, height_px: NDArray[np.float64]) -> Float32:
    """Give the exact images [k, row, col] in units of a flat of heights in pixels, one height for each pixel."""
    samples = model.samples(np.require(height_px * model.spacing_nm, np.float64, ["C", "W"]))
    return (model.response(samples) / model.flat).numpy().astype(np.float32)


# Not parallel: specimens are small, and parallel loops would change how many threads Torch adds up with (see `device`).
@compiled(fastmath=True)
def _fill(height: Array, tiles: tuple[Array, Array], slopes: Array, directions: Array, found: Array) -> None:
    rows, columns = height.shape
    for row in range(rows):
        won: Int = np.empty(columns, np.int32)
        for a in range(directions.shape[1]):
            right, up = directions[0, a], directions[1, a]
            line = line_of(right, -up)
            best = np.empty(columns, height.dtype)
            for col in range(columns):
                tangent = (slopes[0, row, col] * right + slopes[1, row, col] * up) * line[3]
                best[col] = max(height.dtype.type(tangent), height.dtype.type(0.0))
            for col0 in range(0, columns, STRETCH):
                march(height, tiles, row, col0, min(col0 + STRETCH, columns), line, best, won)
            for col in range(columns):
                found[a, row, col] = best[col] / line[3]
