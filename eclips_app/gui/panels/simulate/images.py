"""The simulated image of each segment around a compass, zoomed together; a click or the arrow keys choose a pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.deviations import OUT_OF_MODEL
from eclips_app.gui.flows.live_images import Frame
from eclips_app.gui.panels.simulate.presenter import levels
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.hatch import HatchOverlay
from eclips_app.gui.widgets.image_pane import ImagePane
from eclips_app.gui.widgets.placement import Cell, mosaic_cells
from eclips_app.gui.widgets.segments import paint_detector, segment_text

_ARROWS = {
    Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
}  # fmt: skip
_GLYPH_PX = 20
_MUCH = 1.25
_TITLE_ROOM_PX = 110  #: a narrower image tells the name of its segment alone
_INK = "#ffd54a"  #: of what is drawn on images: seen on black and on white


class SegmentImages(QtWidgets.QWidget):
    """One pane for each segment."""

    picked = Signal(object)  #: (row, column) of the full surface
    pointed = Signal(str)  #: what lies under the mouse, in words; empty outside

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.panes: list[SimulatedPane] = []
        self._frame: Frame | None = None
        self._segments: NDArray[Any] | None = None
        self._pixel: tuple[int, int] | None = None
        self._radii: tuple[float, ...] = ()
        self._common = True
        self._centre = QtCore.QPointF()
        self._scale = 0.0  #: surface pixels under one screen pixel; 0 while the whole image is fitted
        self._later = QtCore.QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._place)
        self.setMinimumSize(220, 200)
        self.setAccessibleName("Simulated images")

    def show_frame(self, frame: Frame, segments: NDArray[Any] | None = None) -> None:
        """Show new images; `segments` [k, row, col] stand for the frame's own, at the same places."""
        old, self._frame = self._frame, frame
        self._segments = frame.segments if segments is None else segments
        detector = frame.wish.detector
        if old is None or old.terrain.shape != frame.terrain.shape or len(self.panes) != len(frame.segments):
            self._scale = 0.0
            self._make_panes(len(frame.segments))
        for pane, segment in zip(self.panes, self._segments, strict=True):
            pane.show_segment(frame, segment)
        self._show_levels()
        if old is None or old.wish.detector.quadrants != detector.quadrants or self._scale == 0.0:
            self._place()

    def show_pixel(self, pixel: tuple[int, int] | None) -> None:
        """Mark the chosen pixel in all images."""
        self._pixel = pixel
        for pane in self.panes:
            pane.mark(pixel)

    def show_radii(self, radii_px: tuple[float, ...]) -> None:
        """Draw circles around the chosen pixel: the statistical and the rigorous radius of the Vision Field."""
        self._radii = radii_px
        for pane in self.panes:
            pane.show_radii(radii_px)

    def set_common_levels(self, common: bool) -> None:
        """Draw all segments with the same black and white, or each with its own."""
        self._common = common
        self._show_levels()

    def fit(self) -> None:
        """Show the whole images."""
        self._scale = 0.0
        self._apply_range()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Place the panes anew."""
        self._place()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Place the panes once they have a size."""
        self._later.start()

    def _make_panes(self, count: int) -> None:
        while len(self.panes) > count:
            self.panes.pop().deleteLater()
        while len(self.panes) < count:
            pane = SimulatedPane(self._theme, len(self.panes))
            pane.setParent(self)
            pane.picked.connect(self.picked)
            pane.hovered.connect(self._on_hovered)
            pane.nudged.connect(self._nudge)
            pane.navigated.connect(self._on_navigated)
            pane.fit_asked.connect(self.fit)
            pane.mark(self._pixel)
            pane.show_radii(self._radii)
            pane.show()
            self.panes.append(pane)

    def _show_levels(self) -> None:
        if self._segments is not None:
            for pane, level in zip(self.panes, levels(self._segments, self._common), strict=True):
                pane.image.setLevels(level)

    def _place(self) -> None:
        if self._frame is None or not self.panes:
            return
        rows, columns = self._frame.terrain.shape
        width, height = max(self.width(), 1), max(self.height(), 1)
        cells = _cells(self._frame.wish.detector, len(self.panes), width / height, columns / rows)
        for pane, cell in zip(self.panes, cells, strict=True):
            left, top = round(cell.x * width), round(cell.y * height)
            right, bottom = round((cell.x + cell.width) * width), round((cell.y + cell.height) * height)
            pane.setGeometry(left + 1, top + 1, right - left - 2, bottom - top - 2)
            pane.tell_name()
        self._apply_range()

    def _apply_range(self) -> None:
        """Give all panes the common centre and scale."""
        if self._frame is None:
            return
        centre, scale = self._centre, self._scale
        rows, columns = self._frame.terrain.shape
        for pane in self.panes:
            size = pane.viewport().size()
            if self._scale == 0.0:
                centre = QtCore.QPointF(columns / 2 - 0.5, rows / 2 - 0.5)
                scale = max(columns / max(size.width(), 1), rows / max(size.height(), 1))
            width, height = scale * size.width(), scale * size.height()
            rect = QtCore.QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)
            pane.box.setRange(rect, padding=0)
            pane.viewport().update()

    def _on_navigated(self) -> None:
        pane = self.sender()
        assert isinstance(pane, SimulatedPane)
        self._centre = pane.box.viewRect().center()
        self._scale = float(pane.box.viewPixelSize()[0])
        self._apply_range()

    def _on_hovered(self, col: float, row: float, value: object) -> None:
        inside = isinstance(value, float) and math.isfinite(col)
        self.pointed.emit(f"Column {col:.0f}, row {row:.0f}: {value:.4g}" if inside else "")

    def _nudge(self, rows: int, columns: int) -> None:
        if self._frame is None:
            return
        middle = self._frame.terrain.shape[0] // 2, self._frame.terrain.shape[1] // 2
        row, column = self._pixel if self._pixel is not None else (middle[0] - rows, middle[1] - columns)
        self.picked.emit((row + rows, column + columns))


def _cells(detector: Detector, count: int, aspect: float, image_aspect: float) -> list[Cell]:
    """Give each image its place on the side of its segment; where that makes them much smaller, row by row."""
    around = mosaic_cells(detector, count, aspect, image_aspect)
    in_rows = mosaic_cells(None, count, aspect, image_aspect)
    sizes = [min(cell.width * aspect / image_aspect, cell.height) for cell in (around[0], in_rows[0])]
    return in_rows if sizes[1] > _MUCH * sizes[0] else around


class SimulatedPane(ImagePane):
    """One segment's image with the place of its segment in a corner; coordinates are those of the full surface."""

    picked = Signal(object)
    nudged = Signal(int, int)
    navigated = Signal()
    fit_asked = Signal()

    def __init__(self, theme: Theme, index: int) -> None:
        super().__init__(theme)
        self._index = index
        self._factor = 1
        self._detector: Detector | None = None
        self._hatch = HatchOverlay()
        self._mark = _Mark()
        self._radii: tuple[float, ...] = ()
        self._circles = tuple(_circle(style) for style in (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine))
        for item in (self._mark, *self._circles):
            self.box.addItem(item, ignoreBounds=True)
        self.box.sigRangeChangedManually.connect(self._on_range)
        self.clicked.connect(self._on_pick)
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)
        self.setToolTip("Click a pixel to see its angles; arrow keys move it (Shift: by 10), wheel zooms, 0 fits")

    def show_segment(self, frame: Frame, segment: NDArray[Any]) -> None:
        """Show the segment's image at the size of the full surface."""
        self._detector, self._factor = frame.wish.detector, frame.factor
        self.tell_name()
        self.set_image(segment, pixel_size_nm=frame.terrain.pixel_size_nm, levels=(0.0, 1.0))
        rows, columns = segment.shape
        self.image.setRect(QtCore.QRectF(-0.5, -0.5, columns * frame.factor, rows * frame.factor))
        self._hatch.set_flags(_flags(frame))

    def tell_name(self) -> None:
        """Say which segment it is, in short where there is little room."""
        if self._detector is not None:
            segment = self._detector.quadrants[self._index]
            name = segment_text(segment)
            self.title = name if self.viewport().width() >= _TITLE_ROOM_PX else segment.name
            self.setAccessibleName(f"Simulated image of segment {name}")

    def value_at(self, col: float, row: float) -> float | None:
        """Give the value under a place of the full surface, None outside."""
        return super().value_at((col + 0.5) / self._factor - 0.5, (row + 0.5) / self._factor - 0.5)

    def mark(self, pixel: tuple[int, int] | None) -> None:
        """Mark a pixel."""
        self._mark.setVisible(pixel is not None)
        if pixel is not None:
            for item in (self._mark, *self._circles):
                item.setPos(pixel[1], pixel[0])
        self.show_radii(self._radii)

    def show_radii(self, radii_px: tuple[float, ...]) -> None:
        """Draw circles around the marked pixel, the first solid, the second dashed; a radius of 0 is none."""
        self._radii = radii_px
        for k, circle in enumerate(self._circles):
            radius = radii_px[k] if k < len(radii_px) else 0.0
            circle.setVisible(self._mark.isVisible() and radius > 0.5)
            circle.setRect(-radius, -radius, 2 * radius, 2 * radius)

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """Tell that the mouse points at no pixel any more."""
        super().leaveEvent(event)
        self.hovered.emit(float("nan"), float("nan"), None)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Move the chosen pixel; zoom keys act on all images."""
        if event.key() in _ARROWS:
            step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            rows, columns = _ARROWS[Qt.Key(event.key())]
            self.nudged.emit(step * rows, step * columns)
        elif event.key() == Qt.Key.Key_0:
            self.fit_asked.emit()
        else:
            super().keyPressEvent(event)
            if event.isAccepted():
                self.navigated.emit()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the segment's place on the detector too."""
        super().paintEvent(event)
        if self._detector is None:
            return
        painter = QtGui.QPainter(self.viewport())
        self.box.updateMatrix()
        to_screen = self.box.childGroup.sceneTransform() * self.viewportTransform()
        self._hatch.paint(painter, to_screen, self.viewport().size())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        corner = QtCore.QRectF(self.viewport().width() - _GLYPH_PX - 8.0, 8.0, _GLYPH_PX, _GLYPH_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(self._theme.colors.window))
        painter.drawEllipse(corner.adjusted(-2, -2, 2, 2))
        paint_detector(painter, corner, self._detector, self._theme.colors, self._index)
        painter.end()

    def _on_range(self, _: object) -> None:
        self.navigated.emit()

    def _on_pick(self, col: float, row: float) -> None:
        if self.value_at(col, row) is not None:
            self.picked.emit((round(row), round(col)))


def _flags(frame: Frame) -> NDArray[np.uint8] | None:
    """Mark the pixels of the full surface where a network is out of its depth."""
    if frame.outside is None or not frame.outside.any():
        return None
    flags = frame.outside.astype(np.uint8) * np.uint8(OUT_OF_MODEL)
    return flags.repeat(frame.factor, 0).repeat(frame.factor, 1)


def _circle(style: Qt.PenStyle) -> QtWidgets.QGraphicsEllipseItem:
    """Make a circle whose line is as wide at any zoom."""
    circle = QtWidgets.QGraphicsEllipseItem()
    pen = QtGui.QPen(QtGui.QColor(_INK), 1.4, style)
    pen.setCosmetic(True)
    circle.setPen(pen)
    circle.setZValue(19)
    circle.setVisible(False)
    return circle


class _Mark(QtWidgets.QGraphicsItem):
    """A ring with a cross of constant size on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(QtWidgets.QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setZValue(20)
        self.setVisible(False)

    def boundingRect(self) -> QtCore.QRectF:
        """Give the size in screen pixels."""
        return QtCore.QRectF(-13, -13, 26, 26)

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:
        """Draw light on dark, to be seen on any image."""
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ink, width in ((QtGui.QColor(0, 0, 0, 190), 4.0), (QtGui.QColor(_INK), 1.8)):
            painter.setPen(QtGui.QPen(ink, width))
            painter.drawEllipse(QtCore.QPointF(0, 0), 6.0, 6.0)
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(QtCore.QPointF(7 * x, 7 * y), QtCore.QPointF(11 * x, 11 * y))
