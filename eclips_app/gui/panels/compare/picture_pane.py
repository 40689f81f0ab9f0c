"""A reconstruction with a map over it: half transparent, beside a line that is dragged, or blinking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.hatch import HatchOverlay
from eclips_app.gui.widgets.image_pane import draw_label
from eclips_app.gui.widgets.linked_views import LinkedView, Part, Source
from eclips_app.model.items import ProfileLine

_REACH = 9.0  #: screen pixels around the split line that grab it
_KEY_STEPS = {Qt.Key.Key_Left: -0.02, Qt.Key.Key_Right: 0.02}  #: of the image's width


class PicturePane(LinkedView):
    """Shows an image and another one over it; both are on the same pixels.

    `way` is "overlay" (the upper one with an opacity), "swipe" (the upper one to the right of a line that is dragged, or moved
    by the arrow keys), "blink" (one after the other) or "single" (the lower one alone).
    """

    split_moved = Signal(float)  #: the new column of the line

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__(theme, title)
        self.way = "single"
        self.opacity = 0.5
        self.split_px = 0.0  #: column of the line between both
        self._names = ("", "")
        self._dragging = False
        self._over: Source | None = None
        self._over_part: Part | None = None
        self._outline: QtGui.QPolygonF | None = None
        self._lines: tuple[ProfileLine, ...] = ()
        self._selected_id = ""
        self._hatch = HatchOverlay()
        self._clip = QtWidgets.QGraphicsRectItem()
        self._clip.setPen(QtGui.QPen(Qt.PenStyle.NoPen))
        self._clip.setFlag(QtWidgets.QGraphicsItem.GraphicsItemFlag.ItemClipsChildrenToShape)
        self._clip.setZValue(5)
        self._upper = pg.ImageItem(axisOrder="row-major")
        self._upper.setParentItem(self._clip)
        self.box.addItem(self._clip, ignoreBounds=True)
        self._timer = QtCore.QTimer(self, interval=700)
        self._timer.timeout.connect(self._blink)

    # What is shown

    def set_pictures(self, lower: Source | None, upper: Source | None, names: tuple[str, str] = ("", "")) -> None:
        """Show two images of the same pixels; names are written at the top."""
        self._over, self._over_part, self._names = upper, None, names
        if upper is None:
            self._upper.clear()
        self.set_source(lower)
        self._arrange()

    def set_way(self, way: str) -> None:
        """Choose how both are shown."""
        self.way = way
        self._arrange()

    def set_opacity(self, opacity: float) -> None:
        """Choose how strongly the upper image covers the lower one, 0 to 1."""
        self.opacity = opacity
        self._arrange()

    def set_split(self, column: float) -> None:
        """Move the line between both."""
        self.split_px = column
        self._arrange()

    def set_blink_hz(self, rate: float) -> None:
        """Choose how often in a second the image changes."""
        self._timer.setInterval(max(1, round(1000 / rate)))

    def set_outline(self, corners: Sequence[tuple[float, float]]) -> None:
        """Outline the map by its corners (col, row); none without any."""
        self._outline = QtGui.QPolygonF([QtCore.QPointF(*corner) for corner in corners]) if corners else None
        self.viewport().update()

    def set_lines(self, lines: Sequence[ProfileLine], selected_id: str) -> None:
        """Draw shapes; they are changed in the panel Profile."""
        self._lines, self._selected_id = tuple(lines), selected_id
        self.viewport().update()

    def set_flags(self, flags: NDArray[np.uint8] | None, origin_px: tuple[int, int] = (0, 0)) -> None:
        """Hatch where flags [row, col] are set."""
        self._hatch.set_flags(flags, origin_px)
        self.viewport().update()

    @property
    def upper_is_shown(self) -> bool:
        """Whether the upper image is drawn at this moment."""
        return self._clip.isVisible()

    def refine(self) -> None:
        """Read what has become visible of both images."""
        super().refine()
        over = self._over
        if over is None or (part := self._visible(over)) == self._over_part:
            return
        self._over_part = part
        data = over.read(part)
        table = pg.colormap.get(over.colormap).getLookupTable(nPts=256) if over.colormap else None
        self._upper.setLookupTable(table)
        self._upper.setImage(np.asarray(data, np.float32), autoLevels=False, levels=over.levels)
        step = part[0].step or 1
        top, left = over.origin_px[0] + part[0].start, over.origin_px[1] + part[1].start
        self._upper.setRect(QtCore.QRectF(left - 0.5, top - 0.5, data.shape[1] * step, data.shape[0] * step))

    def _arrange(self) -> None:
        field = self._field()
        left = min(max(self.split_px, field.left()), field.right()) if self.way == "swipe" else field.left()
        self._clip.setRect(QtCore.QRectF(left, field.top(), max(field.right() - left, 0.0), field.height()))
        self._upper.setOpacity(self.opacity if self.way == "overlay" else 1.0)
        blinks = self.way == "blink" and self.isVisible()
        if blinks != self._timer.isActive():
            self._timer.start() if blinks else self._timer.stop()
        if not blinks:
            self._clip.setVisible(self.way != "single")
        self._tell_title()
        self.viewport().update()

    def _field(self) -> QtCore.QRectF:
        if self._source is None:
            return QtCore.QRectF()
        (rows, columns), (top, left) = self._source.shape, self._source.origin_px
        return QtCore.QRectF(left - 0.5, top - 0.5, columns, rows)

    def _tell_title(self) -> None:
        lower, upper = self._names
        if self.way == "single" or not upper:
            self.title = lower
        elif self.way == "blink":
            self.title = upper if self._clip.isVisible() else lower
        else:
            self.title = f"{upper} over {lower}" if self.way == "overlay" else lower

    def _blink(self) -> None:
        if self.viewport().visibleRegion().isEmpty():  # behind another panel
            return
        self._clip.setVisible(not self._clip.isVisible())
        self._tell_title()
        self.viewport().update()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Go on blinking."""
        super().showEvent(event)
        self._arrange()

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        """Stop blinking."""
        super().hideEvent(event)
        self._timer.stop()

    # Mouse and keys

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Grab the line between both images; else pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.LeftButton and self._is_at_split(event.position()):
            self._dragging = True
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Carry the line along."""
        if self._dragging:
            self._drag_to(self._transform().inverted()[0].map(event.position()).x())
            event.accept()
            return
        at_split = not event.buttons() and self._is_at_split(event.position())
        self.viewport().setCursor(Qt.CursorShape.SplitHCursor if at_split else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """Let the line go."""
        if self._dragging:
            self._dragging = False
            event.accept()
            return
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Move the line between both with the arrow keys; other keys zoom."""
        step = _KEY_STEPS.get(Qt.Key(event.key()))
        if step is not None and self.way == "swipe":
            self._drag_to(self.split_px + step * self._field().width())
            event.accept()
            return
        super().keyPressEvent(event)

    def _drag_to(self, column: float) -> None:
        field = self._field()
        self.set_split(min(max(column, field.left()), field.right()))
        self.split_moved.emit(self.split_px)

    def _is_at_split(self, position: QtCore.QPointF) -> bool:
        if self.way != "swipe" or self._source is None:
            return False
        return abs(self._transform().map(QtCore.QPointF(self.split_px, 0.0)).x() - position.x()) <= _REACH

    # Painting

    def screen_point(self, col: float, row: float) -> QtCore.QPointF:
        """Give where a point of the image lies on the viewport."""
        return self._transform().map(QtCore.QPointF(col, row))

    def _transform(self) -> QtGui.QTransform:
        self.box.updateMatrix()
        found: QtGui.QTransform = self.box.childGroup.sceneTransform() * self.viewportTransform()
        return found

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the images, then outline, shapes and the line between both at the size of the screen."""
        super().paintEvent(event)
        if self._source is None:
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        to_screen = self._transform()
        self._hatch.paint(painter, to_screen, self.viewport().size())
        if self._outline is not None:
            _draw_twice(painter, to_screen.map(self._outline), "#ffffff", dashed=True, closed=True)
        for line in self._lines:
            self._paint_shape(painter, to_screen, line)
        if self.way == "swipe":
            self._paint_split(painter, to_screen)
        painter.end()

    def _paint_shape(self, painter: QtGui.QPainter, to_screen: QtGui.QTransform, line: ProfileLine) -> None:
        points = [to_screen.map(QtCore.QPointF(*point)) for point in line.shape.points_px]
        if line.kind in ("line", "polyline"):
            _draw_twice(painter, QtGui.QPolygonF(points), line.color, closed=False)
        if line.id == self._selected_id:
            draw_label(painter, points[0] + QtCore.QPointF(8, 6), line.name)

    def _paint_split(self, painter: QtGui.QPainter, to_screen: QtGui.QTransform) -> None:
        field = to_screen.mapRect(self._field())
        x = to_screen.map(QtCore.QPointF(self.split_px, 0.0)).x()
        top, bottom = max(field.top(), 0.0), min(field.bottom(), float(self.viewport().height()))
        split = QtGui.QPolygonF([QtCore.QPointF(x, top), QtCore.QPointF(x, bottom)])
        _draw_twice(painter, split, "#ffffff", closed=False)
        middle = QtCore.QPointF(x, (top + bottom) / 2)
        painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 180), 1))
        painter.setBrush(QtGui.QColor("white"))
        painter.drawRoundedRect(QtCore.QRectF(middle - QtCore.QPointF(5, 14), QtCore.QSizeF(10, 28)), 4, 4)
        metrics = painter.fontMetrics()
        width = metrics.horizontalAdvance(self._names[1]) + 8
        place = min(x + 8, self.viewport().width() - width - 4.0)
        draw_label(painter, QtCore.QPointF(max(place, 8.0), bottom - metrics.height() - 10), self._names[1])


def _draw_twice(
    painter: QtGui.QPainter, shape: QtGui.QPolygonF, color: str, *, dashed: bool = False, closed: bool
) -> None:
    """Draw an outline on a dark edge, to be seen on any image."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
    for ink, width in ((QtGui.QColor(0, 0, 0, 170), 3.5), (QtGui.QColor(color), 1.6)):
        painter.setPen(QtGui.QPen(ink, width, style))
        painter.drawPolygon(shape) if closed else painter.drawPolyline(shape)
