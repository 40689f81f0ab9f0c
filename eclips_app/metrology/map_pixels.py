"""A height map from elsewhere on the pixels of an image."""

from __future__ import annotations

import math

import numpy as np

from eclips_app.metrology.profile import Floats, PlacedMap, image_to_map, interpolate

_MOST = 8  #: samples along the edge of a pixel


def on_pixels(placed: PlacedMap, shape: tuple[int, int], pixel_size_nm: float) -> Floats:
    """Give the heights in nm on the pixels [row, col] of an image of `shape`; NaN where the map knows none.

    A pixel is the mean over its area, as the image itself is: a finer map is not just picked from.
    """
    samples = min(_MOST, max(1, math.ceil(pixel_size_nm / min(placed.pixel_size_nm) - 1e-6)))
    along = (np.arange(samples) + 0.5) / samples - 0.5
    columns = (np.arange(shape[1])[:, None] + along).ravel()
    heights = np.empty(shape)
    for row in range(shape[0]):  # one after another: all samples of a large image would not fit into memory
        at = np.meshgrid(columns, row + along)
        values = interpolate(placed.height, *image_to_map(placed, *at, pixel_size_nm))
        by_pixel = np.moveaxis(values.reshape(samples, shape[1], samples), 1, 0).reshape(shape[1], -1)
        known = np.count_nonzero(~np.isnan(by_pixel), axis=1)
        heights[row] = np.where(known > 0, np.nansum(by_pixel, axis=1) / np.maximum(known, 1), np.nan)
    return heights + placed.z_offset_nm
