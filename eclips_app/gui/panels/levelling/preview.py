"""What levelling makes of a map: before and after beside each other, and how often each height occurs."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core.shapes import Point, Shape
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.image_pane import ImagePane
from eclips_app.gui.widgets.plot_colors import color_plot

_BINS = 160
_COLORMAP = "viridis"


class MapPair(QtWidgets.QWidget):
    """Two panes that zoom together; the left one shows areas and points."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.before, self.after = ImagePane(theme, "Before"), ImagePane(theme, "After")
        self.after.box.setXLink(self.before.box)
        self.after.box.setYLink(self.before.box)
        self._marks: list[QtWidgets.QGraphicsItem] = []
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for pane in (self.before, self.after):
            pane.setMinimumSize(120, 120)
            layout.addWidget(pane, 1)
        self._shape: tuple[int, ...] = ()

    def show_maps(
        self, before: NDArray[np.float32] | None, after: NDArray[np.float32] | None, stride_px: int, pixel_size_nm: float
    ) -> None:  # fmt: skip
        """Show both maps [row, col] in nm, thinned out by `stride_px`."""
        for pane, data in ((self.before, before), (self.after, after)):
            pane.set_image(data, pixel_size_nm=pixel_size_nm, colormap=_COLORMAP, step_px=stride_px)
        shape = () if before is None else before.shape
        if shape != self._shape:
            self._shape = shape
            self.before.fit()

    def show_marks(self, areas: tuple[Shape, ...], points: tuple[Point, ...], corner: Point | None) -> None:
        """Draw areas, the points of a plane, and the first corner of an area that is being drawn."""
        for item in self._marks:
            self.before.box.removeItem(item)
        pen = pg.mkPen("#ffffff", width=2, cosmetic=True)
        self._marks = [_outlined(shape, pen) for shape in areas]
        at = [*points, *([corner] if corner is not None else [])]
        if at:
            dots = pg.ScatterPlotItem(
                [x for x, _ in at], [y for _, y in at], symbol="+", size=14, pen=pen, brush=pg.mkBrush("#ffffff")
            )
            self._marks.append(dots)
        for item in self._marks:
            self.before.box.addItem(item, ignoreBounds=True)


class Histogram(pg.PlotWidget):
    """How often heights occur before and after, each about its median."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self.curves = [pg.PlotDataItem(stepMode="center", antialias=True) for _ in range(2)]
        for curve in self.curves:
            self.addItem(curve)
        self.setLabel("bottom", "Height from the median", units="nm", siPrefix=False)
        self.setLabel("left", "Pixels")
        self.getAxis("left").setWidth(66)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setMinimumHeight(110)
        self.setMaximumHeight(170)
        self.setAccessibleName("Histogram of the heights before and after")
        self.setToolTip("Thin: before, thick: after. Level terraces are narrow peaks.")
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def show_maps(self, before: NDArray[np.float32] | None, after: NDArray[np.float32] | None) -> None:
        """Show both; one scale for both, that of the levelled heights twice over."""
        maps = [None if data is None else data[np.isfinite(data)] for data in (before, after)]
        if any(values is None or values.size == 0 for values in maps):
            for curve in self.curves:
                curve.setData([], [], stepMode=None)
            return
        centred = [values - np.median(values) for values in maps if values is not None]
        low, high = np.percentile(centred[1], (0.1, 99.9))
        reach = max(high - low, 1e-6)
        for curve, values in zip(self.curves, centred, strict=True):
            count, edges = np.histogram(values, _BINS, (low - reach / 2, high + reach / 2))
            curve.setData(edges, count, stepMode="center")

    def _use_theme(self) -> None:
        colors = self._theme.colors
        pens = (pg.mkPen(colors.curves[1], width=1.2), pg.mkPen(colors.curves[0], width=1.8))
        for curve, pen in zip(self.curves, pens, strict=True):
            curve.setPen(pen)
        color_plot(self, colors)


def _outlined(shape: Shape, pen: QtGui.QPen) -> QtWidgets.QGraphicsItem:
    item: QtWidgets.QAbstractGraphicsShapeItem
    if shape.kind == "rectangle":
        (x0, y0), (x1, y1) = shape.points_px
        item = QtWidgets.QGraphicsRectItem(QtCore.QRectF(QtCore.QPointF(x0, y0), QtCore.QPointF(x1, y1)).normalized())
    else:
        item = QtWidgets.QGraphicsPolygonItem(QtGui.QPolygonF([QtCore.QPointF(x, y) for x, y in shape.points_px]))
    item.setPen(pen)
    item.setBrush(QtGui.QBrush(QtGui.QColor(255, 255, 255, 60), Qt.BrushStyle.SolidPattern))
    return item
