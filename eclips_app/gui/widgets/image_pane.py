"""An image with true pixels, a scale bar and linked zoom: the base of every 2-D view."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core.units import format_length, nice_step
from eclips_app.gui.qt import Qt, QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme

_BAR_ROOM_PX = 100  #: a narrower image has no scale bar: it would cover what there is to see
_BAR_PART = 0.25  #: the scale bar is at most this part of the visible width
_PREVIEW_PX = 1 << 18  #: levels are taken from about this many pixels, evenly spread


class ImagePane(pg.GraphicsView):
    """Shows one array [row, col]; scene coordinates are (col, row) of the uncropped image, pixel centres at integers.

    `hovered` carries col, row, value (None outside). `clicked` carries col, row.
    """

    hovered = Signal(float, float, object)
    clicked = Signal(float, float)

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__()
        self._theme = theme
        self._data: NDArray[Any] | None = None
        self._origin = (0.0, 0.0)
        self._step = 1
        self._pixel_size_nm: float | None = None
        self.box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False)
        self.setCentralItem(self.box)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.box.addItem(self.image)
        self.title = title
        self.setAccessibleName(title or "Image")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.scene().sigMouseMoved.connect(self._on_move)
        self.scene().sigMouseClicked.connect(self._on_click)
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def set_image(
        self,
        data: NDArray[Any] | None,
        *,
        pixel_size_nm: float | None = None,
        origin_px: tuple[float, float] = (0, 0),
        levels: tuple[float, float] | None = None,
        colormap: str | None = None,
        step_px: int = 1,
    ) -> None:
        """Show an array, or nothing.

        Parameters
        ----------
        data : ndarray [row, col] or None
            Numbers; NaN is drawn transparent.
        pixel_size_nm : float, optional
            Without it the scale bar counts pixels.
        origin_px : (float, float)
            Row and column of the first pixel in the uncropped image; a registered segment lies between whole pixels.
        levels : (float, float), optional
            Values drawn black and white; by default the 0.5 and 99.5 percentiles.
        colormap : str, optional
            Name of a pyqtgraph colour map; grey without it.
        step_px : int
            Distance in pixels of the rows and columns given, of an image that is thinned out.
        """
        self._data, self._origin, self._pixel_size_nm, self._step = data, origin_px, pixel_size_nm, step_px
        if data is None:
            self.image.clear()
            self.viewport().update()
            return
        self.image.setLookupTable(pg.colormap.get(colormap).getLookupTable(nPts=256) if colormap else None)
        shown = data.astype(np.float32) if data.dtype.kind == "f" and data.dtype != np.float32 else data
        self.image.setImage(shown, autoLevels=False, levels=levels or percentile_levels(data))
        rows, columns = data.shape
        size = QtCore.QSizeF(columns * step_px, rows * step_px)
        self.image.setRect(QtCore.QRectF(QtCore.QPointF(origin_px[1] - 0.5, origin_px[0] - 0.5), size))
        self.viewport().update()

    def fit(self) -> None:
        """Show the whole image."""
        self.box.autoRange(padding=0.02)

    def value_at(self, col: float, row: float) -> float | None:
        """Give the value of the pixel at (col, row), None outside."""
        if self._data is None:
            return None
        r, c = (round(x - first) // self._step for x, first in zip((row, col), self._origin, strict=True))
        rows, columns = self._data.shape
        return float(self._data[r, c]) if 0 <= r < rows and 0 <= c < columns else None

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Zoom with + and -, fit with 0; other keys go to the panel."""
        key = event.key()
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.box.scaleBy((0.8, 0.8))
        elif key == Qt.Key.Key_Minus:
            self.box.scaleBy((1.25, 1.25))
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            event.ignore()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the scene, then title and scale bar at the size of the screen."""
        super().paintEvent(event)
        if self._data is None:
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        if self.title:
            draw_label(painter, QtCore.QPointF(8, 8), self.title)
        if self.viewport().width() >= _BAR_ROOM_PX:
            self._draw_scale_bar(painter)
        if self.hasFocus():
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.colors.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.viewport().rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _draw_scale_bar(self, painter: QtGui.QPainter) -> None:
        width = self.viewport().width()
        per_screen = self.box.viewPixelSize()[0]  # image pixels under one screen pixel
        size = self._pixel_size_nm
        length = nice_step(max(per_screen * width * _BAR_PART * (size or 1.0), 1e-6))
        text = format_length(length) if size else f"{length:g} px"
        screen = length / (size or 1.0) / per_screen
        bottom = self.viewport().height() - 12.0
        bar = QtCore.QRectF(width - 12.0 - screen, bottom - 5.0, screen, 5.0)
        painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 200), 1))
        painter.setBrush(QtGui.QColor("white"))
        painter.drawRect(bar)
        metrics = painter.fontMetrics()
        draw_label(
            painter,
            QtCore.QPointF(bar.right() - metrics.horizontalAdvance(text) - 8, bar.top() - metrics.height() - 8),
            text,
        )

    def _use_theme(self) -> None:
        self.setBackground(self._theme.colors.window)  # part of the panel, not a white sheet around a dark image

    def _on_move(self, position: QtCore.QPointF) -> None:
        point = self.box.mapSceneToView(position)
        self.hovered.emit(point.x(), point.y(), self.value_at(point.x(), point.y()))

    def _on_click(self, event: Any) -> None:
        point = self.box.mapSceneToView(event.scenePos())
        self.clicked.emit(point.x(), point.y())


def draw_label(painter: QtGui.QPainter, corner: QtCore.QPointF, text: str) -> None:
    """Write white text on a dark plate, readable on any image; `corner` is the plate's top left."""
    metrics = painter.fontMetrics()
    plate = QtCore.QRectF(corner, QtCore.QSizeF(metrics.horizontalAdvance(text) + 8, metrics.height() + 4))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QtGui.QColor(0, 0, 0, 150))
    painter.drawRoundedRect(plate, 3, 3)
    painter.setPen(QtGui.QColor("white"))
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)


def percentile_levels(data: NDArray[Any], low: float = 0.5, high: float = 99.5) -> tuple[float, float]:
    """Give two percentiles of the finite values, from an even sample if the image is large."""
    step = max(1, int(np.sqrt(data.size / _PREVIEW_PX)))
    sample = data[::step, ::step]
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample.ravel()
    if finite.size == 0:
        return 0.0, 1.0
    bottom, top = (float(v) for v in np.percentile(finite, (low, high)))
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)
