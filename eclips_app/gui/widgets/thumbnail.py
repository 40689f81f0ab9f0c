"""Small shaded pictures of height maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtGui


def shaded(height: NDArray[Any], width_px: int, height_px: int) -> QtGui.QImage:
    """Give a grey picture of a height map [row, col] lit from the upper left, at most `width_px` by `height_px` pixels."""
    step = max(1, min(height.shape[0] // height_px, height.shape[1] // width_px))
    small = np.nan_to_num(np.asarray(height[::step, ::step], dtype=np.float32))
    down, right = np.gradient(small)
    slope = right + down  # light from the upper left: faces that fall to the lower right are dark
    spread = float(np.percentile(np.abs(slope), 98)) or 1.0
    grey = np.ascontiguousarray(np.clip(140 - 110 * slope / spread, 0, 255).astype(np.uint8))
    rows, columns = grey.shape
    image = QtGui.QImage(grey.data, columns, rows, columns, QtGui.QImage.Format.Format_Grayscale8).copy()
    return image.scaled(
        width_px, height_px, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
