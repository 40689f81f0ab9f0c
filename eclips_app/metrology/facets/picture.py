"""Facets to look at: the shaded relief below them, and a colour for each. The same in the window and in reports."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

_LIGHT = (-0.5, 0.6, 0.62)  #: of the shaded relief: from the upper left


def relief(height: NDArray[np.floating], pixel_size_nm: tuple[float, float]) -> NDArray[np.float32]:
    """Shade heights [row, col] in nm as grey values, lit from the upper left; `pixel_size_nm` is (x, y)."""
    x, y = pixel_size_nm
    down, right = np.gradient(np.asarray(height, np.float32), y, x)
    slope = np.hypot(right, down)
    finite = slope[np.isfinite(slope)]
    # Flat surfaces are shown steeper than they are, or nothing would be seen of them.
    stretch = 0.6 / max(float(np.percentile(finite, 95)), 1e-9) if finite.size else 1.0
    right, down = right * stretch, down * stretch
    shade = (-right * _LIGHT[0] + down * _LIGHT[1] + _LIGHT[2]) / np.sqrt(1 + right**2 + down**2)
    return np.asarray(shade, np.float32)


def facet_color(number: int) -> tuple[int, int, int]:
    """Give a facet's colour; hues of neighbouring numbers are far apart."""
    red, green, blue = colorsys.hsv_to_rgb((0.58 + 0.618034 * (number - 1)) % 1.0, 0.75 if number % 2 else 0.55, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)
