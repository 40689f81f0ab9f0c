"""A height map from elsewhere on the pixels of an image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.metrology.placement import PlacedMap, Placement
from eclips_app.metrology.profile import Floats, interpolate

_MOST = 8  #: samples along the edge of a pixel


def on_pixels(placed: PlacedMap, shape: tuple[int, int], pixel_size_nm: float) -> Floats:
    """Give the heights in nm on the pixels [row, col] of an image of `shape`; NaN where the map knows none.

    A pixel is the mean over its area, as the image itself is: a finer map is not just picked from.
    """
    place = Placement.of(placed, pixel_size_nm)
    samples = min(_MOST, max(1, math.ceil(pixel_size_nm / min(placed.pixel_size_nm) - 1e-6)))
    along = (np.arange(samples) + 0.5) / samples - 0.5
    columns = (np.arange(shape[1])[:, None] + along).ravel()
    heights = np.empty(shape)
    for row in range(shape[0]):  # one after another: all samples of a large image would not fit into memory
        at = np.meshgrid(columns, row + along)
        values = interpolate(placed.height, *place.to_map(*at)) + place.height_added(*at)
        by_pixel = np.moveaxis(values.reshape(samples, shape[1], samples), 1, 0).reshape(shape[1], -1)
        known = np.count_nonzero(~np.isnan(by_pixel), axis=1)
        heights[row] = np.where(known > 0, np.nansum(by_pixel, axis=1) / np.maximum(known, 1), np.nan)
    return heights


def seen_alone(
    placed: PlacedMap, pixel_size_nm: float, most_px: int
) -> tuple[NDArray[np.floating], tuple[int, int], int]:
    """Give the heights in nm of a map as an image of its own: on square pixels, over all of the map.

    Returns
    -------
    heights : ndarray [row, col]
        The map's own where it lies straight; else sampled at `most_px` places or fewer, NaN beside the map.
    origin_px : (int, int)
        Row and column of the first pixel.
    step_px : int
        Distance of rows and columns.
    """
    place = Placement.of(placed, pixel_size_nm)
    rows, columns = placed.height.shape
    own = Placement((rows, columns), (pixel_size_nm, pixel_size_nm), pixel_size_nm, ((columns - 1) / 2, (rows - 1) / 2))
    if place == own:
        return placed.height, (0, 0), 1
    right, down = np.array(place.corners()).T
    left, top = math.floor(right.min() + 0.5), math.floor(down.min() + 0.5)
    shape = math.ceil(down.max() - top + 0.5), math.ceil(right.max() - left + 0.5)
    step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / most_px)))
    middle = (step - 1) / 2
    at = np.meshgrid(np.arange(left, left + shape[1], step) + middle, np.arange(top, top + shape[0], step) + middle)
    return interpolate(placed.height, *place.to_map(*at)) + place.height_added(*at), (top, left), step


def straightened(
    height: NDArray[np.floating], pixel_size_nm: tuple[float, float], drift_nm: tuple[tuple[float, float], ...]
) -> NDArray[np.floating]:
    """Undo the drift of a map's rows: give its heights [row, col] on the pixels that it would have without drift."""
    if not drift_nm:
        return height
    rows, columns = height.shape
    centre = (columns - 1) / 2, (rows - 1) / 2
    # On an image with the map's own pixels along x, and rows that are as much shorter as the map's pixels are not square.
    still = Placement((rows, columns), pixel_size_nm, pixel_size_nm[0], centre, drift_nm=drift_nm)
    shown_rows = centre[1] + (np.arange(rows) - centre[1]) * (pixel_size_nm[1] / pixel_size_nm[0])
    return interpolate(height, *still.to_map(*np.meshgrid(np.arange(columns, dtype=float), shown_rows)))
