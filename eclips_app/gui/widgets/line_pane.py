"""An image on which profile lines are drawn and moved, and a height map is placed, by mouse and keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets import line_geometry as geometry
from eclips_app.gui.widgets.hatch import HatchOverlay
from eclips_app.gui.widgets.image_pane import ImagePane, draw_label, percentile_levels
from eclips_app.gui.widgets.line_geometry import Bounds, Point
from eclips_app.metrology.map_pixels import straightened
from eclips_app.metrology.placement import Placement
from eclips_app.model.items import HeightMap, ProfileLine

_REACH = 9.0  #: screen pixels around a handle that grab it
_WIDTH_HANDLE = 22.0  #: screen pixels from the line to its width handle, beyond the strip
_KEYS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


@dataclass
class _Drag:
    kind: str  #: "draw", "start", "end", "body", "width", "map" or "turn"
    line: ProfileLine | None
    origin: Point
    moved: bool = False


class LinePane(ImagePane):
    """Shows lines and tells how the user wants them; it changes nothing itself.

    `tool` is "move" (grab lines, else pan), "draw" (every drag is a new line) or "place" (drag the map).
    All points are (col, row) of the uncropped image.
    """

    line_drawn = Signal(object, object)  #: start, end of a new line that is being drawn
    line_moved = Signal(str, object, object)  #: id, start, end
    width_dragged = Signal(str, float)
    line_picked = Signal(str)
    delete_asked = Signal()
    map_placed = Signal(object, float)  #: centre, rotation_deg
    drag_ended = Signal()
    tool_changed = Signal(str)

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__(theme, title)
        self.tool = "move"
        self.lines: tuple[ProfileLine, ...] = ()
        self.selected_id = ""
        self.editable = True
        self._marks: list[tuple[Point, str]] = []
        self._hatch = HatchOverlay()
        self._map: HeightMap | None = None
        self._map_scale_nm = 1.0
        self._drag: _Drag | None = None
        self._drawn_id = ""
        self._bar: tuple[str, str, str] | None = None
        # Moving a line draws the image anew; its picture at this zoom is kept.
        self.image.setCacheMode(QtWidgets.QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self._map_image = pg.ImageItem(axisOrder="row-major")
        self._map_image.setZValue(5)
        self.box.addItem(self._map_image, ignoreBounds=True)

    def set_tool(self, tool: str) -> None:
        """Choose what a drag does."""
        if tool != self.tool:
            self.tool = tool
            self.viewport().setCursor(_tool_cursor(tool))
            self.tool_changed.emit(tool)
            self.viewport().update()

    def set_lines(self, lines: Sequence[ProfileLine], selected_id: str) -> None:
        """Show these lines; one is selected and has handles."""
        self.lines, self.selected_id = tuple(lines), selected_id
        self.viewport().update()

    def set_marks(self, marks: Sequence[tuple[Point, str]]) -> None:
        """Show the places of the plot's cursors: (point, colour)."""
        self._marks = list(marks)
        self.viewport().update()

    def set_map(self, placed: HeightMap | None, pixel_size_nm: float = 1.0, opacity: float = 0.0) -> None:
        """Show the outline of a placed height map, and with an opacity above 0 its heights."""
        if placed is None or opacity <= 0.0:
            self._map_image.clear()
        elif self._map_image.image is None or not _same_picture(self._map, placed):
            levels = percentile_levels(placed.height)
            self._map_image.setLookupTable(pg.colormap.get("viridis").getLookupTable(nPts=256))
            shown = straightened(placed.height, placed.pixel_size_nm, placed.drift_nm)
            self._map_image.setImage(np.asarray(shown, np.float32), autoLevels=False, levels=levels)
        if placed is not None:
            self._map_image.setOpacity(opacity)
            self._map_image.setTransform(_map_transform(placed, pixel_size_nm))
        self._map, self._map_scale_nm = placed, pixel_size_nm
        self.viewport().update()

    def set_color_bar(self, colormap: str, low: str, high: str) -> None:
        """Show a colour bar with the words for its ends; none without a colour map."""
        self._bar = (colormap, low, high) if colormap else None
        self.viewport().update()

    def set_flags(self, flags: NDArray[np.uint8] | None, origin_px: tuple[int, int] = (0, 0)) -> None:
        """Hatch where flags [row, col] are set; `origin_px` is the (row, column) of the first in the uncropped image."""
        self._hatch.set_flags(flags, origin_px)
        self.viewport().update()

    @property
    def bounds(self) -> Bounds:
        """The image's pixel centres."""
        rows, columns = self._data.shape if self._data is not None else (1, 1)
        top, left = self._origin
        return Bounds(left, top, left + columns - 1, top + rows - 1)

    # Mouse

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Grab a handle, a line or the map, or begin a new line; else pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.LeftButton and self.editable and self._data is not None:
            self._drag = self._grab(event.position())
            if self._drag is not None:
                if self._drag.line is not None and self._drag.line.id != self.selected_id:
                    self.line_picked.emit(self._drag.line.id)
                event.accept()
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Carry on with the drag, or show what would be grabbed."""
        if self._drag is None:
            if not event.buttons() and self.editable and self.tool != "draw":
                grab = self._grab(event.position())
                self.viewport().setCursor(_drag_cursor(grab.kind) if grab else _tool_cursor(self.tool))
            super().mouseMoveEvent(event)
            return
        snap = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._drag_to(self._drag, self._to_image(event.position()), snap)
        event.accept()

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End the drag."""
        drag, self._drag = self._drag, None
        if drag is None:
            super().mouseReleaseEvent(event)
            return
        if drag.kind == "draw" and drag.moved:
            self.set_tool("move")
        if drag.moved:
            self.drag_ended.emit()
        event.accept()

    def _grab(self, position: QtCore.QPointF) -> _Drag | None:
        here, point = (position.x(), position.y()), self._to_image(position)
        if self.tool == "draw":
            return _Drag("draw", None, self.bounds.clamp(point))
        if self.tool == "place":
            return self._grab_map(here, point)
        order = sorted(self.lines, key=lambda line: line.id != self.selected_id)
        for line in order:
            start, end = self.screen_point(line.start_px), self.screen_point(line.end_px)
            if line.id == self.selected_id:
                for kind, place in (("start", start), ("end", end), ("width", self._width_handle(line))):
                    if math.dist(here, place) <= _REACH:
                        return _Drag(kind, line, point)
            if geometry.distance_to_line(here, start, end) <= _REACH:
                return _Drag("body", line, point)
        return None

    def _grab_map(self, here: Point, point: Point) -> _Drag | None:
        if self._map is None:
            return None
        corners = [self.screen_point(corner) for corner in geometry.map_corners(self._map, self._map_scale_nm)]
        if any(math.dist(here, corner) <= _REACH for corner in corners):
            return _Drag("turn", None, point)
        outline = QtGui.QPolygonF([QtCore.QPointF(*corner) for corner in corners])
        inside = outline.containsPoint(QtCore.QPointF(*here), Qt.FillRule.OddEvenFill)
        return _Drag("map", None, point) if inside else None

    def _drag_to(self, drag: _Drag, point: Point, snap: bool) -> None:
        line = drag.line
        if drag.kind in ("map", "turn") and self._map is not None:
            self._drag_map(drag, point, snap, self._map)
        elif drag.kind == "draw":
            end = self._end_of(drag.origin, point, snap)
            if math.dist(drag.origin, end) >= 1.0:
                self.line_drawn.emit(drag.origin, end)
                drag.moved = True
        elif line is None:
            return
        elif drag.kind == "start":
            self._move(drag, line, self._end_of(line.end_px, point, snap), line.end_px)
        elif drag.kind == "end":
            self._move(drag, line, line.start_px, self._end_of(line.start_px, point, snap))
        elif drag.kind == "body":
            moved = geometry.shifted(line.start_px, line.end_px, point[0] - drag.origin[0], point[1] - drag.origin[1])
            self._move(drag, line, *moved)
        else:
            across = geometry.distance_across(point, line.start_px, line.end_px) - self._to_image_length(_WIDTH_HANDLE)
            self.width_dragged.emit(line.id, float(max(1, round(2 * across))))
            drag.moved = True

    def _end_of(self, fixed: Point, point: Point, snap: bool) -> Point:
        return geometry.snapped(fixed, point) if snap else self.bounds.clamp(point)

    def _move(self, drag: _Drag, line: ProfileLine, start: Point, end: Point) -> None:
        if math.dist(start, end) >= 1.0:
            self.line_moved.emit(line.id, start, end)
            drag.moved = True

    def _drag_map(self, drag: _Drag, point: Point, snap: bool, placed: HeightMap) -> None:
        center, rotation = placed.center_px, placed.rotation_deg
        if drag.kind == "map":
            center = center[0] + point[0] - drag.origin[0], center[1] + point[1] - drag.origin[1]
        else:
            rotation += geometry.angle_deg(center, point) - geometry.angle_deg(center, drag.origin)
            rotation = (rotation + 180.0) % 360.0 - 180.0
            rotation = round(rotation / geometry.SNAP_DEG) * geometry.SNAP_DEG if snap else rotation
        if not snap or drag.kind == "map":
            drag.origin = point
        drag.moved = True
        self.map_placed.emit(center, rotation)

    # Keys

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Nudge the selected line: arrows move, with Ctrl turn and stretch; Shift makes the step ten times as large."""
        line = next((each for each in self.lines if each.id == self.selected_id), None)
        key = Qt.Key(event.key())
        if line is not None and self.editable and key in _KEYS:
            step = 10.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            dx, dy = (step * part for part in _KEYS[key])
            ends = line.start_px, line.end_px
            if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                ends = geometry.shifted(*ends, dx, dy)
            else:
                ends = geometry.turned(*ends, -dx) if dx else geometry.stretched(*ends, -dy)
            self.line_moved.emit(line.id, *ends)
        elif line is not None and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit()
        elif key == Qt.Key.Key_Escape and self.tool != "move":
            self.set_tool("move")
        else:
            super().keyPressEvent(event)

    # Painting

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the image, then map, lines and marks at the size of the screen."""
        super().paintEvent(event)
        if self._data is None:
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        self._hatch.paint(painter, self._transform(), self.viewport().size())
        if self._map is not None:
            self._paint_map(painter, self._map)
        for line in self.lines:
            self._paint_line(painter, line)
        for point, color in self._marks:
            painter.setPen(QtGui.QPen(QtGui.QColor("black"), 1))
            painter.setBrush(QtGui.QColor(color))
            painter.drawEllipse(QtCore.QPointF(*self.screen_point(point)), 4.5, 4.5)
        if self._bar is not None:
            self._paint_bar(painter, *self._bar)
        painter.end()

    def _paint_line(self, painter: QtGui.QPainter, line: ProfileLine) -> None:
        start, end = (QtCore.QPointF(*self.screen_point(p)) for p in (line.start_px, line.end_px))
        selected, color = line.id == self.selected_id, QtGui.QColor(line.color)
        if line.width_px > 1:
            corners = geometry.strip_corners(line.start_px, line.end_px, line.width_px)
            faint = QtGui.QColor(color)
            faint.setAlpha(60)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(faint)
            painter.drawPolygon(QtGui.QPolygonF([QtCore.QPointF(*self.screen_point(c)) for c in corners]))
        for pen in (
            QtGui.QPen(QtGui.QColor(0, 0, 0, 160), 4 if selected else 3),
            QtGui.QPen(color, 2 if selected else 1.4),
        ):
            painter.setPen(pen)
            painter.drawLine(start, end)
        painter.setBrush(color)
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.5))
        painter.drawEllipse(start, 5 if selected else 3, 5 if selected else 3)
        if selected:
            painter.drawEllipse(end, 5, 5)
            if self.editable:
                painter.drawRect(_square(self._width_handle(line), 4.0))
        draw_label(painter, start + QtCore.QPointF(8, 6), line.name)

    def _paint_map(self, painter: QtGui.QPainter, placed: HeightMap) -> None:
        corners = [QtCore.QPointF(*self.screen_point(c)) for c in geometry.map_corners(placed, self._map_scale_nm)]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in (("#000000", 3.0), ("#ffffff", 1.5)):
            painter.setPen(QtGui.QPen(QtGui.QColor(color), width, Qt.PenStyle.DashLine))
            painter.drawPolygon(QtGui.QPolygonF(corners))
        if self.tool == "place":
            painter.setBrush(QtGui.QColor("white"))
            for corner in corners:
                painter.drawRect(_square((corner.x(), corner.y()), 5.0))
        draw_label(painter, corners[0] + QtCore.QPointF(4, 4), placed.name)

    def _paint_bar(self, painter: QtGui.QPainter, colormap: str, low: str, high: str) -> None:
        height = min(140.0, self.viewport().height() * 0.45)
        bar = QtCore.QRectF(self.viewport().width() - 22.0, 12.0, 12.0, height)
        fill = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
        table = pg.colormap.get(colormap).getLookupTable(nPts=16)
        for i, rgb in enumerate(table):
            fill.setColorAt(i / (len(table) - 1), QtGui.QColor(*(int(v) for v in rgb[:3])))
        painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 200), 1))
        painter.setBrush(fill)
        painter.drawRect(bar)
        metrics = painter.fontMetrics()
        for text, y in ((high, bar.top() - 2), (low, bar.bottom() - metrics.height() - 2)):
            draw_label(painter, QtCore.QPointF(bar.left() - metrics.horizontalAdvance(text) - 14, y), text)

    def _width_handle(self, line: ProfileLine) -> Point:
        (x0, y0), (x1, y1) = self.screen_point(line.start_px), self.screen_point(line.end_px)
        length = math.dist((x0, y0), (x1, y1)) or 1.0
        away = line.width_px / 2 * self._screen_per_pixel() + _WIDTH_HANDLE
        return (x0 + x1) / 2 + (y0 - y1) / length * away, (y0 + y1) / 2 + (x1 - x0) / length * away

    # Coordinates

    def _transform(self) -> QtGui.QTransform:
        self.box.updateMatrix()
        found: QtGui.QTransform = self.box.childGroup.sceneTransform() * self.viewportTransform()
        return found

    def screen_point(self, point: Point) -> Point:
        """Give where a point of the image lies on the viewport."""
        place = self._transform().map(QtCore.QPointF(*point))
        return place.x(), place.y()

    def _to_image(self, position: QtCore.QPointF) -> Point:
        inverse: QtGui.QTransform = self._transform().inverted()[0]
        place = inverse.map(position)
        return place.x(), place.y()

    def _screen_per_pixel(self) -> float:
        return 1.0 / max(float(self.box.viewPixelSize()[0]), 1e-9)

    def _to_image_length(self, screen: float) -> float:
        return screen / self._screen_per_pixel()


def _square(middle: Point, half: float) -> QtCore.QRectF:
    return QtCore.QRectF(middle[0] - half, middle[1] - half, 2 * half, 2 * half)


def _same_picture(shown: HeightMap | None, placed: HeightMap) -> bool:
    return shown is not None and shown.height is placed.height and shown.drift_nm == placed.drift_nm


def _map_transform(placed: HeightMap, pixel_size_nm: float) -> QtGui.QTransform:
    """Give the transform from the shown map, whose drift is undone, to the image."""
    rows, columns = placed.height.shape
    (a, b), (c, d) = Placement.of(placed, pixel_size_nm).matrix / pixel_size_nm
    size_x, size_y = placed.pixel_size_nm
    # Qt's rows run downwards and its points are rows of a matrix.
    turned = QtGui.QTransform(a * size_x, -c * size_x, -b * size_y, d * size_y, *placed.center_px)
    return QtGui.QTransform.fromTranslate(-columns / 2, -rows / 2) * turned


def _tool_cursor(tool: str) -> Qt.CursorShape:
    return {"draw": Qt.CursorShape.CrossCursor, "place": Qt.CursorShape.OpenHandCursor}.get(
        tool, Qt.CursorShape.ArrowCursor
    )


def _drag_cursor(kind: str) -> Qt.CursorShape:
    if kind in ("body", "map"):
        return Qt.CursorShape.SizeAllCursor
    return Qt.CursorShape.SplitVCursor if kind == "width" else Qt.CursorShape.PointingHandCursor
