"""Slopes as a measurement has them: means over pixels, of normals that are off by random angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.training.labels import slopes

Float = NDArray[np.float64]


def seen_by_pixels(fine: Float, samples: int = 2) -> tuple[Float, Float]:
    """Give heights [row, col] and slopes (right, up) [2, row, col] of pixels: means over so many samples along each edge.

    Heights are in units of the spacing, given ones of the samples', found ones of the pixels'.
    """
    rows, columns = (count // samples for count in fine.shape)
    cut = np.ascontiguousarray(fine[: samples * rows, : samples * columns])
    tangents = slopes(cut).astype(np.float64).reshape(2, rows, samples, columns, samples).mean((2, 4))
    return cut.reshape(rows, samples, columns, samples).mean((1, 3)) / samples, tangents


def noisy(tangents: Float, degrees: float, rng: np.random.Generator) -> Float:
    """Turn the normals of slopes [2, row, col] by Gaussian angles in two directions; gives the slopes read from them."""
    if degrees == 0.0:
        return tangents.copy()
    p, q = tangents
    a, b = np.deg2rad(degrees) * rng.standard_normal((2, *p.shape))
    across = np.sqrt(1.0 + p * p)
    z = np.sqrt(across**2 + q * q)
    # Of n = (-p, -q, 1) / z and the tangents t = (1, 0, p) / across and n x t = (-p q, across^2, q) / (across z).
    x = -p / z + a / across - b * p * q / (across * z)
    y = -q / z + b * across / z
    up = 1.0 / z + a * p / across + b * q / (across * z)
    up = np.maximum(up, 0.05)  # no normal is read from below the horizon
    return np.stack([-x / up, -y / up])
