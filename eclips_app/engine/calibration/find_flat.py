"""Finds the flattest, most even area of an image, as a rectangle."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.view import Area, Mask, View, blocks

_BLOCKS = 96  #: along the longer edge of the image
_LEAST_EDGE = 4  #: blocks along each edge of an area worth using
_STRUCTURE = 0.02  #: of the signal: change over a block and its neighbours that counts as none beside noise
_OUTLIER = 4.0


def find_flat(view: View, context: Context) -> Area:
    """Give the largest even rectangle of the crop: first row, first column, end row, end column.

    Raises
    ------
    EclipsError
        If nothing in the images is even.
    """
    edge = max(2, -(-max(view.shape) // _BLOCKS))
    even = scipy.ndimage.binary_erosion(_even_blocks(view, edge), border_value=1)
    context.check()
    top, left, bottom, right = largest_rectangle(even)
    if min(bottom - top, right - left) < _LEAST_EDGE:
        raise EclipsError(
            "no flat area was found: nowhere are the images even over more than a few pixels",
            hint="Show a smooth, level part of one material, or draw the area by hand.",
        )
    return top * edge, left * edge, bottom * edge, right * edge


def _even_blocks(view: View, edge: int) -> Mask:
    """Give which blocks are as even as the most even tenth of the image, within and to their neighbours, in all segments."""
    usable: Mask = blocks(view.all_usable[None], edge)[0] > 0.98
    if not usable.any():
        raise EclipsError("no pixel is usable in all segments", hint="Loosen the clip levels or the excluded areas.")
    found: Mask = usable.copy()
    for image in view.signals:
        level = float(np.median(image[view.all_usable]))
        away = image[None] - np.float32(level)  # the squares of large numbers lose their differences
        mean = blocks(away, edge)[0]
        spread = np.sqrt(np.maximum(blocks(away**2, edge)[0] - mean**2, 0))
        change = scipy.ndimage.generic_gradient_magnitude(mean, scipy.ndimage.sobel) / 8
        noise = float(np.percentile(spread[usable], 10))
        found &= spread < 1.25 * noise + _STRUCTURE * abs(level)
        found &= change < _OUTLIER * noise / edge + 0.5 * _STRUCTURE * abs(level)
    return found


def largest_rectangle(mask: NDArray[np.bool_]) -> Area:
    """Give the largest rectangle of true cells [row, col]: first row, first column, end row, end column; zeros if none is."""
    best, area = (0, 0, 0, 0), 0
    heights = np.zeros(mask.shape[1] + 1, int)
    for row, line in enumerate(mask):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        stack: list[tuple[int, int]] = []  # first column and height of open rectangles, rising
        for column, height in enumerate(heights.tolist()):
            first = column
            while stack and stack[-1][1] >= height:
                first, tall = stack.pop()
                if tall * (column - first) > area:
                    area = tall * (column - first)
                    best = (row + 1 - tall, first, row + 1, column)
            stack.append((first, height))
    return best
