"""A height map from elsewhere on the pixels of an image."""

from __future__ import annotations

import math
import warnings

import numpy as np

from eclips_app.metrology.profile import Floats, PlacedMap, image_to_map, interpolate

_MOST = 8  #: samples along the edge of a pixel


def on_pixels(placed: PlacedMap, shape: tuple[int, int], pixel_size_nm: float) -> Floats:
    """Give the heights in nm on the pixels [row, col] of an image of `shape`; NaN where the map knows none.

    A pixel is the mean over its area, as the image itself is: a finer map is not just picked from.
    """
    finest = min(placed.pixel_size_nm)
    samples = min(_MOST, max(1, math.ceil(pixel_size_nm / finest - 1e-6)))
    along = (np.arange(samples) + 0.5) / samples - 0.5
    rows, columns = (np.arange(n)[:, None] + along for n in shape)
    at = np.meshgrid(columns.ravel(), rows.ravel())
    values = interpolate(placed.height, *image_to_map(placed, *at, pixel_size_nm))
    with warnings.catch_warnings():  # pixels without any height
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: Floats = np.nanmean(values.reshape(shape[0], samples, shape[1], samples), axis=(1, 3))
    return mean + placed.z_offset_nm
