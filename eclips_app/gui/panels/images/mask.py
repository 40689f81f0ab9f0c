"""Excluded pixels as drawn by hand: shapes on the screen become pixels of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtGui


def paint(shape: tuple[int, int], path: QtGui.QPainterPath, stroke_px: float | None = None) -> NDArray[np.bool_]:
    """Give the pixels [row, col] that a path covers.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    path : QPainterPath
        In (col, row), pixel centres at whole numbers.
    stroke_px : float, optional
        The path is the way of a round brush of this diameter; without it, its inside counts.
    """
    rows, columns = shape
    canvas = QtGui.QImage(columns, rows, QtGui.QImage.Format.Format_Grayscale8)
    canvas.fill(0)
    painter = QtGui.QPainter(canvas)
    # A pixel counts if most of it is covered; without antialiasing, strokes come out shifted by up to half a pixel.
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.translate(0.5, 0.5)  # the canvas counts from the corner of the first pixel
    if stroke_px is None:
        painter.fillPath(path, QtGui.QColor("white"))
    else:
        painter.setPen(brush_pen(stroke_px))
        painter.drawPath(path)
    painter.end()
    pixels = np.frombuffer(canvas.constBits(), np.uint8).reshape(rows, canvas.bytesPerLine())
    covered: NDArray[np.bool_] = pixels[:, :columns] > 127
    return covered


def brush_pen(width_px: float) -> QtGui.QPen:
    """Give the pen that draws like the brush."""
    cap, join = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    return QtGui.QPen(QtGui.QColor("white"), width_px, Qt.PenStyle.SolidLine, cap, join)


def changed(exclude: NDArray[np.bool_] | None, covered: NDArray[np.bool_], erase: bool) -> NDArray[np.bool_] | None:
    """Give the excluded pixels after some were painted or erased; None if none is left."""
    before = np.zeros(covered.shape, bool) if exclude is None else exclude
    after = before & ~covered if erase else before | covered
    return after if after.any() else None
