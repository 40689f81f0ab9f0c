"""The plane of each region, fitted robustly, with what the height map's deviations and its own scatter do to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

_ROUNDS = 8
_TUKEY = 4.685  #: 95 % efficiency for Gaussian scatter (Holland & Welsch, Commun. Stat. A6 (1977) 813)
_LEAST_INNER = 9  #: pixels that must stay when the border of a region is left out


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane ``z = level + p (x - x0) + q (y - y0)`` fitted to a region (lengths in nm, y up).

    Attributes
    ----------
    values : array [3]
        Level (nm), p, q.
    effects : array [map, 3]
        Change of the values with each map of deviations; heights in nm.
    scatter : array [3, 3]
        Columns whose outer products add up to the covariance from the scatter about the plane that the maps do not hold.
    centre_px : (col, row)
        Where `level` is the height: the mean of the pixels that were fitted.
    rms_nm : float
        Of the heights about the plane.
    pixels : int
        How many were fitted.
    """

    values: Floats
    effects: Floats
    scatter: Floats
    centre_px: tuple[float, float]
    rms_nm: float
    pixels: int


def fit_plane(
    height: Floats, inside: Bools, pixel_size_nm: tuple[float, float], deviations: Floats, unit_nm: float
) -> Plane:
    """Fit a plane to a region by iteratively reweighted least squares with Tukey's weights.

    Parameters
    ----------
    height : array [row, col]
        In nm; of a box around the region.
    inside : bool array [row, col]
        The pixels to fit, all with a height.
    pixel_size_nm : (x, y)
    deviations : array [map, row, col]
        In units of `unit_nm`; of the same box.
    """
    rows, columns = np.nonzero(inside)
    z = height[rows, columns].astype(float)
    middle = float(columns.mean()), float(rows.mean())
    x, y = (columns - middle[0]) * pixel_size_nm[0], (middle[1] - rows) * pixel_size_nm[1]
    design = np.stack([np.ones_like(x), x, y], axis=1)
    weight = np.ones_like(z)
    for _ in range(_ROUNDS):
        values = _solve(design, weight, z)
        left = z - design @ values
        scale = 1.4826 * float(np.median(np.abs(left)))
        if scale <= 1e-9 * max(float(np.ptp(z)), 1e-9):
            break
        weight = np.clip(1 - (left / (_TUKEY * scale)) ** 2, 0.0, None) ** 2
    solver = _inverse(design, weight) @ (design * weight[:, None]).T  # [3, pixel]
    values = solver @ z
    left = z - design @ values
    effects, noise = np.zeros((len(deviations), 3)), 0.0
    for number, each in enumerate(deviations):  # one by one: together they may not fit into memory
        along = each[rows, columns].astype(float) * unit_nm
        effects[number] = solver @ along
        own = along - design @ effects[number]  # what of the deviation a plane does not follow
        noise += float(own**2 @ weight / weight.sum())
    rms = float(np.sqrt((left**2) @ weight / weight.sum()))
    beyond = max(rms**2 - noise, 0.0)
    together = _correlated_pixels(left * np.sqrt(weight), rows, columns)
    covariance = beyond * together * solver @ solver.T
    return Plane(values, effects, _root(covariance), middle, rms, len(z))


def inner_part(region: Bools, border_px: int) -> Bools:
    """Give a region without its border; with less of it where nothing would be left. The map's own edge is no border."""
    for border in range(border_px, 0, -1):
        inner = ndimage.binary_erosion(region, np.ones((3, 3), bool), iterations=border, border_value=1)
        if np.count_nonzero(inner) >= max(_LEAST_INNER, 0.15 * np.count_nonzero(region)):
            return np.asarray(inner)
    return region


def _solve(design: Floats, weight: Floats, z: Floats) -> Floats:
    return np.asarray(_inverse(design, weight) @ ((design * weight[:, None]).T @ z))


def _inverse(design: Floats, weight: Floats) -> Floats:
    # Columns of like size keep the normal equations well conditioned.
    size = np.sqrt((design**2).mean(axis=0))
    size[size == 0] = 1.0
    scaled = design / size
    return np.asarray(np.linalg.pinv((scaled * weight[:, None]).T @ scaled) / np.outer(size, size))


def _correlated_pixels(left: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> float:
    """Give how many pixels of the residuals go together: the sum of their correlation over the lags until it first falls to zero.

    The variance of a mean of n correlated values is this over n times theirs (Bayley & Hammersley, J. R. Stat. Soc. Suppl. 8
    (1946) 184, for two dimensions).
    """
    shape = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    size = [fft.next_fast_len(2 * n, real=True) for n in shape]
    field, there = np.zeros(shape), np.zeros(shape)
    field[rows - rows.min(), columns - columns.min()] = left
    there[rows - rows.min(), columns - columns.min()] = 1.0
    square, pairs = (fft.irfft2(np.abs(fft.rfft2(f, size)) ** 2, size) for f in (field, there))
    if square[0, 0] <= 0:
        return 1.0
    counted = pairs > 0.5
    correlation = np.where(counted, square / np.maximum(pairs, 1.0), 0.0) / (square[0, 0] / pairs[0, 0])
    lag = (
        np.hypot(*np.meshgrid(*(np.minimum(np.arange(n), n - np.arange(n)) for n in size), indexing="ij"))
        .round()
        .astype(int)
    )
    rings = np.bincount(lag[counted], correlation[counted]) / np.maximum(np.bincount(lag[counted]), 1)
    below = np.flatnonzero(rings <= 0)
    end = int(below[0]) if len(below) else len(rings)
    inside = counted & (lag < end)
    return float(np.clip((correlation[inside] * pairs[inside] / pairs[0, 0]).sum(), 1.0, len(left) / 4))


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
