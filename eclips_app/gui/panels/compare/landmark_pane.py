"""One of the two images in which matching points are set."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eclips_app.gui.qt import Qt, QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.image_pane import ImagePane

Point = tuple[float, float]
_RADIUS = 9.0  #: of a mark, in screen pixels
_CLICK = 4.0  #: a press that moves no further than this is a click


class LandmarkPane(ImagePane):
    """Shows numbered points and tells how the user wants them: a click sets one, a drag moves one, Delete takes one out.

    `marks` are points (col, row) by number, None for a number that has no point here yet.
    """

    point_set = Signal(object)  #: (col, row) of a new point
    point_moved = Signal(int, object)  #: number, (col, row)
    point_picked = Signal(int)
    removal_asked = Signal(int)
    drag_ended = Signal()

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__(theme, title)
        self.marks: tuple[Point | None, ...] = ()
        self.chosen = -1
        self._whole: set[int] = set()  # numbers with a partner
        self._pressed: QtCore.QPointF | None = None
        self._dragged = -1
        self._moved = False

    def set_marks(self, marks: Sequence[Point | None], whole: set[int], chosen: int) -> None:
        """Show these points; those of `whole` have a partner in the other image and are filled."""
        self.marks, self._whole, self.chosen = tuple(marks), whole, chosen
        self.viewport().update()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Grab a point, or begin a click."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._pressed, self._moved, self._dragged = None, False, -1
        if event.button() == Qt.MouseButton.LeftButton and self._data is not None:
            self._pressed = event.position()
            self._dragged = self._mark_at(event.position())
            if self._dragged >= 0:
                self.point_picked.emit(self._dragged)
                event.accept()
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Carry a point along; else pan."""
        if self._pressed is not None and math.dist(_xy(self._pressed), _xy(event.position())) > _CLICK:
            self._moved = True
        if self._dragged >= 0 and self._pressed is not None:
            if self._moved:
                self.point_moved.emit(self._dragged, self._clamped(event.position()))
            event.accept()
            return
        if not event.buttons():
            on_mark = self._mark_at(event.position()) >= 0
            self.viewport().setCursor(Qt.CursorShape.SizeAllCursor if on_mark else Qt.CursorShape.CrossCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """Let a point go, or set one where the mouse was clicked."""
        pressed, dragged, moved = self._pressed, self._dragged, self._moved
        self._pressed, self._dragged = None, -1
        if dragged >= 0:
            if moved:
                self.drag_ended.emit()
            event.accept()
            return
        super().mouseReleaseEvent(event)
        if pressed is not None and not moved and self._is_inside(event.position()):
            self.point_set.emit(self._clamped(event.position()))

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Nudge the chosen point by a tenth of a pixel (Shift: a pixel), or take it out; other keys zoom."""
        steps = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        key = Qt.Key(event.key())
        mark = self.marks[self.chosen] if 0 <= self.chosen < len(self.marks) else None
        if mark is not None and key in steps:
            size = 1.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.1
            self.point_moved.emit(self.chosen, (mark[0] + size * steps[key][0], mark[1] + size * steps[key][1]))
        elif self.chosen >= 0 and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removal_asked.emit(self.chosen)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the image, then the points at the size of the screen."""
        super().paintEvent(event)
        if self._data is None:
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        for number, mark in enumerate(self.marks):
            if mark is not None:
                self._paint_mark(painter, number, self.screen_point(mark))
        painter.end()

    def screen_point(self, point: Point) -> QtCore.QPointF:
        """Give where a point of the image lies on the viewport."""
        return self._transform().map(QtCore.QPointF(*point))

    def _paint_mark(self, painter: QtGui.QPainter, number: int, place: QtCore.QPointF) -> None:
        colors = self._theme.colors
        ink = QtGui.QColor(colors.curves[number % len(colors.curves)])
        has_partner = number in self._whole
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QtGui.QPen(QtGui.QColor(0, 0, 0, 190), 4), QtGui.QPen(ink, 2)):
            painter.setPen(pen)
            painter.drawEllipse(place, _RADIUS / 2, _RADIUS / 2)
            painter.drawPoint(place)
        plate = QtCore.QRectF(place.x() + 6, place.y() - 22, 18 if number < 9 else 26, 17)
        painter.setPen(QtGui.QPen(QtGui.QColor("white") if number == self.chosen else QtGui.QColor(0, 0, 0, 190), 1.5))
        painter.setBrush(ink if has_partner else QtGui.QColor(0, 0, 0, 150))
        painter.drawRoundedRect(plate, 4, 4)
        painter.setPen(QtGui.QColor(_readable_on(ink) if has_partner else "#ffffff"))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, str(number + 1))

    def _mark_at(self, position: QtCore.QPointF) -> int:
        """Give the number of the nearest point under the mouse, -1 for none."""
        places = ((i, self.screen_point(mark)) for i, mark in enumerate(self.marks) if mark is not None)
        near = [(math.dist(_xy(place), _xy(position)), i) for i, place in places]
        distance, number = min(near, default=(math.inf, -1))
        return number if distance <= _RADIUS else -1

    def _is_inside(self, position: QtCore.QPointF) -> bool:
        return self.value_at(*_xy(self._to_image(position))) is not None

    def _clamped(self, position: QtCore.QPointF) -> Point:
        rows, columns = (n * self._step for n in self._data.shape) if self._data is not None else (1, 1)
        (top, left), (col, row) = self._origin, _xy(self._to_image(position))
        return min(max(col, left), left + columns - 1.0), min(max(row, top), top + rows - 1.0)

    def _to_image(self, position: QtCore.QPointF) -> QtCore.QPointF:
        return self._transform().inverted()[0].map(position)

    def _transform(self) -> QtGui.QTransform:
        self.box.updateMatrix()
        found: QtGui.QTransform = self.box.childGroup.sceneTransform() * self.viewportTransform()
        return found


def _xy(point: QtCore.QPointF) -> Point:
    return point.x(), point.y()


def _readable_on(ink: QtGui.QColor) -> str:
    return "#10131a" if ink.lightnessF() > 0.6 else "#ffffff"
