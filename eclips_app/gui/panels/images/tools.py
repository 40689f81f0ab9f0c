"""What a drag over an image does: move it, choose the crop, exclude pixels, or measure the scale bar.

A tool hears `press`, `move` and `release` with points (col, row) of the uncropped image, and says what to draw while the
drag lasts. It changes nothing itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from eclips_app.gui.panels.images.mask import brush_pen
from eclips_app.gui.qt import Qt, QtCore, QtGui

Crop = tuple[int, int, int, int]  #: first row, first column, end row, end column
_GRAB_PX = 8.0  #: screen pixels from an edge that grab it
_LEAST_PX = 8  #: a crop is at least this wide and high


@dataclass
class Tool:
    """Base of the tools; `scale` is image pixels under one screen pixel."""

    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor

    def press(self, point: QtCore.QPointF, scale: float) -> None:
        """Begin a drag."""

    def move(self, point: QtCore.QPointF, scale: float) -> None:
        """Go on with it."""

    def cancel(self) -> None:
        """Forget the drag."""

    def draft(self) -> tuple[QtGui.QPainterPath, QtGui.QPen | None]:
        """Give what to draw while the drag lasts: a path, and a pen unless it is an outline."""
        return QtGui.QPainterPath(), None


@dataclass
class CropTool(Tool):
    """Draws a new crop, or moves an edge or the whole of the present one."""

    shape: tuple[int, int] = (1, 1)
    crop: Crop = (0, 0, 1, 1)
    _start: QtCore.QPointF = field(default_factory=QtCore.QPointF)
    _before: Crop = (0, 0, 1, 1)
    _grabbed: str = ""

    def press(self, point: QtCore.QPointF, scale: float) -> None:
        """Grab the edges near the point, else the inside of the crop, else begin a new one."""
        self._start, self._before = point, self.crop
        self._grabbed = self._edges_at(point, _GRAB_PX * scale) or self._inside(point)

    def move(self, point: QtCore.QPointF, scale: float) -> None:
        """Follow the mouse."""
        rows, columns = round(point.y() - self._start.y()), round(point.x() - self._start.x())
        top, left, bottom, right = self._before
        if self._grabbed == "all":
            rows = min(max(rows, -top), self.shape[0] - bottom)
            columns = min(max(columns, -left), self.shape[1] - right)
            self.crop = top + rows, left + columns, bottom + rows, right + columns
            return
        if not self._grabbed:
            y, x = sorted((self._start.y(), point.y())), sorted((self._start.x(), point.x()))
            self.crop = limited((round(y[0]), round(x[0]), round(y[1]), round(x[1])), self.shape)
            return
        top += rows if "t" in self._grabbed else 0
        bottom += rows if "b" in self._grabbed else 0
        left += columns if "l" in self._grabbed else 0
        right += columns if "r" in self._grabbed else 0
        self.crop = limited((top, left, bottom, right), self.shape)

    def cancel(self) -> None:
        """Put the crop back to where it was."""
        self.crop = self._before

    def cursor_at(self, point: QtCore.QPointF, scale: float) -> Qt.CursorShape:
        """Give the pointer that tells what a drag from here would do."""
        edges = self._edges_at(point, _GRAB_PX * scale)
        if edges in ("tl", "br"):
            return Qt.CursorShape.SizeFDiagCursor
        if edges in ("tr", "bl"):
            return Qt.CursorShape.SizeBDiagCursor
        if edges:
            return Qt.CursorShape.SizeVerCursor if edges in ("t", "b") else Qt.CursorShape.SizeHorCursor
        return Qt.CursorShape.SizeAllCursor if self._inside(point) else self.cursor

    def _edges_at(self, point: QtCore.QPointF, reach: float) -> str:
        top, left, bottom, right = (edge - 0.5 for edge in self.crop)
        x, y = point.x(), point.y()
        if not (left - reach <= x <= right + reach and top - reach <= y <= bottom + reach):
            return ""
        vertical = "t" if abs(y - top) <= reach else "b" if abs(y - bottom) <= reach else ""
        return vertical + ("l" if abs(x - left) <= reach else "r" if abs(x - right) <= reach else "")

    def _inside(self, point: QtCore.QPointF) -> str:
        """Tell whether the point is inside a crop that was cut on both axes; one without a data bar is not."""
        top, left, bottom, right = self.crop
        cut = bottom - top < self.shape[0] and right - left < self.shape[1]
        return "all" if cut and left <= point.x() < right and top <= point.y() < bottom else ""


@dataclass
class MaskTool(Tool):
    """Paints or erases excluded pixels with a brush, a rectangle or a free outline."""

    kind: str = "brush"  #: "brush", "rectangle" or "outline"
    width_px: float = 20.0
    erase: bool = False
    _points: list[QtCore.QPointF] = field(default_factory=list)

    def press(self, point: QtCore.QPointF, scale: float) -> None:
        """Begin a stroke."""
        self._points = [point]

    def move(self, point: QtCore.QPointF, scale: float) -> None:
        """Lengthen the stroke."""
        self._points.append(point)

    def cancel(self) -> None:
        """Forget the stroke."""
        self._points = []

    def draft(self) -> tuple[QtGui.QPainterPath, QtGui.QPen | None]:
        """Give the stroke."""
        return self.path(), brush_pen(self.width_px) if self.kind == "brush" else None

    def path(self) -> QtGui.QPainterPath:
        """Give the stroke as a path (col, row)."""
        path = QtGui.QPainterPath()
        if not self._points:
            return path
        first, last = self._points[0], self._points[-1]
        if self.kind == "rectangle":
            path.addRect(QtCore.QRectF(first, last).normalized())
            return path
        path.addPolygon(QtGui.QPolygonF(self._points))
        if self.kind == "outline":
            path.closeSubpath()
            path.setFillRule(Qt.FillRule.WindingFill)
        elif len(self._points) == 1:
            path.lineTo(first + QtCore.QPointF(1e-3, 0.0))  # a click is a dot
        return path


@dataclass
class RulerTool(Tool):
    """Measures a distance in pixels; nearly level lines are taken as level."""

    start: QtCore.QPointF | None = None
    end: QtCore.QPointF | None = None

    def press(self, point: QtCore.QPointF, scale: float) -> None:
        """Put the first end down."""
        self.start = self.end = point

    def move(self, point: QtCore.QPointF, scale: float) -> None:
        """Move the second end."""
        assert self.start is not None
        level = abs(point.y() - self.start.y()) < max(0.05 * abs(point.x() - self.start.x()), 2 * scale)
        self.end = QtCore.QPointF(point.x(), self.start.y()) if level else point

    def cancel(self) -> None:
        """Forget the line."""
        self.start = self.end = None

    @property
    def length_px(self) -> float:
        """Length in pixels, 0 without a line."""
        if self.start is None or self.end is None:
            return 0.0
        return math.hypot(self.end.x() - self.start.x(), self.end.y() - self.start.y())

    def draft(self) -> tuple[QtGui.QPainterPath, QtGui.QPen | None]:
        """Give the line with a stroke at either end."""
        path = QtGui.QPainterPath()
        if self.start is None or self.end is None or self.length_px == 0:
            return path, None
        path.moveTo(self.start)
        path.lineTo(self.end)
        across = QtCore.QPointF(self.start.y() - self.end.y(), self.end.x() - self.start.x()) * (0.03)
        for end in (self.start, self.end):
            path.moveTo(end - across)
            path.lineTo(end + across)
        return path, None


def limited(crop: Crop, shape: tuple[int, int]) -> Crop:
    """Keep a crop within the image and not smaller than some pixels."""
    (top, bottom), (left, right) = (
        _span(first, end, size) for first, end, size in ((crop[0], crop[2], shape[0]), (crop[1], crop[3], shape[1]))
    )
    return top, left, bottom, right


def _span(first: int, end: int, size: int) -> tuple[int, int]:
    least = min(_LEAST_PX, size)
    first = min(max(first, 0), size - least)
    return first, min(max(end, first + least), size)
