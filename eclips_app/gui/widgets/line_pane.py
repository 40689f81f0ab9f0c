"""An image on which shapes are drawn, moved and reshaped, and a height map is placed, by mouse and keys."""

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
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.hatch import HatchOverlay
from eclips_app.gui.widgets.image_pane import ImagePane, draw_label, percentile_levels
from eclips_app.gui.widgets.line_geometry import Bounds, Point
from eclips_app.gui.widgets.shape_drafts import Draft
from eclips_app.gui.widgets.shape_painter import StillShapes, paint_bar, paint_draft, paint_shape, square
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
_DELETE = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
_FINISH = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass
class _Drag:
    kind: str  #: "draw", "handle", "body", "width", "map" or "turn"
    line: ProfileLine | None
    origin: Point
    index: int = 0  #: of the handle
    moved: bool = False


class LinePane(ImagePane):
    """Shows shapes and tells how the user wants them; it changes nothing itself.

    `tool` is "move" (grab shapes, else pan), "draw" (the next shape is of `kind`) or "place" (drag the map). A line, circle or
    rectangle is dragged up; of a polyline or an area each click is a corner, and a double click, Enter or Escape ends it.
    All points are (col, row) of the uncropped image.
    """

    shape_drawn = Signal(str, object)  #: kind, points of a new shape that is being drawn
    shape_moved = Signal(str, object)  #: id, points
    width_dragged = Signal(str, float)
    line_picked = Signal(str)
    delete_asked = Signal()
    map_placed = Signal(object, float)  #: centre, rotation_deg
    drag_ended = Signal()
    tool_changed = Signal(str)

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__(theme, title)
        self.tool, self.kind = "move", "line"
        self.lines: tuple[ProfileLine, ...] = ()
        self.selected_id = ""
        self.editable = True
        self._marks: list[tuple[Point, str]] = []
        self._stretches: list[tuple[list[Point], str]] = []
        self._hatch = HatchOverlay()
        self._others = StillShapes()
        self._map: HeightMap | None = None
        self._map_scale_nm = 1.0
        self._drag: _Drag | None = None
        self._draft: Draft | None = None
        self._handle: tuple[str, int] | None = None  # shape and point that were grabbed last
        self._bar: tuple[str, str, str] | None = None
        # Moving a line draws the image anew; its picture at this zoom is kept.
        self.image.setCacheMode(QtWidgets.QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self._map_image = pg.ImageItem(axisOrder="row-major")
        self._map_image.setZValue(5)
        self.box.addItem(self._map_image, ignoreBounds=True)

    def set_tool(self, tool: str, kind: str = "line") -> None:
        """Choose what a drag does; `kind` is that of the shapes to draw."""
        kind = kind if tool == "draw" else self.kind
        if (tool, kind) != (self.tool, self.kind):
            self._end_draft()
            self.tool, self.kind = tool, kind
            self.viewport().setCursor(_tool_cursor(tool))
            self.tool_changed.emit(tool)
            self.viewport().update()

    def set_lines(self, lines: Sequence[ProfileLine], selected_id: str) -> None:
        """Show these shapes; one is selected and has handles."""
        self.lines, self.selected_id = tuple(lines), selected_id
        self.viewport().update()

    def set_marks(self, marks: Sequence[tuple[Point, str]], stretches: Sequence[tuple[list[Point], str]] = ()) -> None:
        """Show the places of the plot's cursors, (point, colour), and of its stretches, (points along it, colour)."""
        self._marks, self._stretches = list(marks), list(stretches)
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
        return Bounds(left, top, left + columns * self._step - 1, top + rows * self._step - 1)

    # Mouse

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Grab a handle, a shape or the map, begin a new shape or set its next corner; else pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self._draft is not None and event.button() == Qt.MouseButton.RightButton:
            self.set_tool("move")
            event.accept()
            return
        if event.button() == Qt.MouseButton.LeftButton and self.editable and self._data is not None:
            if self.tool == "draw" and self.kind in shapes.OPEN_ENDED:
                self._add_corner(self._to_image(event.position()), _is_snapping(event))
                event.accept()
                return
            self._drag = self._grab(event.position())
            if self._drag is not None:
                self._pick(self._drag)
                event.accept()
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Carry on with the drag, or show what would be grabbed."""
        if self._draft is not None:
            self._draft.hover(self.bounds.clamp(self._to_image(event.position())), _is_snapping(event))
            self.viewport().update()
            event.accept()
            return
        if self._drag is None:
            if not event.buttons() and self.editable and self.tool != "draw":
                grab = self._grab(event.position())
                self.viewport().setCursor(_drag_cursor(grab.kind) if grab else _tool_cursor(self.tool))
            super().mouseMoveEvent(event)
            return
        self._drag_to(self._drag, self._to_image(event.position()), _is_snapping(event))
        event.accept()

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End the drag."""
        drag, self._drag = self._drag, None
        if drag is None:
            if self._draft is None:
                super().mouseReleaseEvent(event)
            return
        if drag.kind == "draw" and drag.moved:
            self.set_tool("move")
        if drag.moved:
            self.drag_ended.emit()
        event.accept()

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """End a polyline or an area; of a finished one, put in a corner where there is none, or take out the one there."""
        line = self._selected()
        if self._draft is not None:
            self.set_tool("move")
        elif line is None or line.kind not in shapes.OPEN_ENDED or not self.editable or self.tool != "move":
            super().mouseDoubleClickEvent(event)
            return
        else:
            points, grab = line.shape.points_px, self._grab(event.position())
            if grab is not None and grab.kind in ("handle", "body"):
                here = self.bounds.clamp(self._to_image(event.position()))
                add = grab.kind == "body"
                changed = (
                    shapes.with_corner(line.kind, points, here) if add
                    else shapes.without_corner(line.kind, points, grab.index)
                )  # fmt: skip
                self.shape_moved.emit(line.id, changed)
                self.drag_ended.emit()
        event.accept()

    def _add_corner(self, point: Point, snap: bool) -> None:
        if self._draft is None:
            self._draft = Draft(self.kind)
        if self._draft.add(self.bounds.clamp(point), snap):
            self.shape_drawn.emit(self.kind, self._draft.points)
        self.viewport().update()

    def _end_draft(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            self.drag_ended.emit()

    def _pick(self, drag: _Drag) -> None:
        if drag.line is None:
            return
        if drag.kind == "handle":
            self._handle = drag.line.id, drag.index
        if drag.line.id != self.selected_id:
            self.line_picked.emit(drag.line.id)

    def _selected(self) -> ProfileLine | None:
        return next((each for each in self.lines if each.id == self.selected_id), None)

    def _grab(self, position: QtCore.QPointF) -> _Drag | None:
        here, point = (position.x(), position.y()), self._to_image(position)
        if self.tool == "draw":
            return _Drag("draw", None, self.bounds.clamp(point))
        if self.tool == "place":
            return self._grab_map(here, point)
        order = sorted(self.lines, key=lambda line: line.id != self.selected_id)
        for line in order:
            if line.id == self.selected_id and (grab := self._grab_handle(line, here, point)):
                return grab
            if shapes.distance_to(line.kind, line.shape.points_px, point) * self._screen_per_pixel() <= _REACH:
                return _Drag("body", line, point)
        return None

    def _grab_handle(self, line: ProfileLine, here: Point, point: Point) -> _Drag | None:
        for index, handle in enumerate(shapes.handles(line.kind, line.shape.points_px)):
            if math.dist(here, self.screen_point(handle)) <= _REACH:
                return _Drag("handle", line, point, index)
        width = self._width_handle(line)
        return _Drag("width", line, point) if width and math.dist(here, width) <= _REACH else None

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
            end = shapes.snapped_next(self.kind, drag.origin, point) if snap else self.bounds.clamp(point)
            if shapes.is_possible(self.kind, (drag.origin, end)):
                self.shape_drawn.emit(self.kind, (drag.origin, end))
                drag.moved = True
        elif line is None:
            return
        elif drag.kind == "handle":
            point = point if snap else self.bounds.clamp(point)
            self._move(drag, line, shapes.with_handle(line.kind, line.shape.points_px, drag.index, point, snap=snap))
        elif drag.kind == "body":
            dx, dy = point[0] - drag.origin[0], point[1] - drag.origin[1]
            self._move(drag, line, shapes.moved_by(line.shape.points_px, dx, dy))
        else:
            across = shapes.width_from(line.kind, line.shape.points_px, point)
            across -= self._to_image_length(_WIDTH_HANDLE)
            self.width_dragged.emit(line.id, float(max(1, round(2 * across))))
            drag.moved = True

    def _move(self, drag: _Drag, line: ProfileLine, points: shapes.Points) -> None:
        if shapes.is_possible(line.kind, points):
            self.shape_moved.emit(line.id, points)
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
        """Nudge the selected shape by arrow keys, and end or take back what is being drawn."""
        line, key = self._selected(), Qt.Key(event.key())
        if self._draft is not None and (key in _FINISH or key in _DELETE or key == Qt.Key.Key_Escape):
            self._key_of_draft(self._draft, key)
        elif line is not None and self.editable and key in _KEYS:
            self._nudge(line, key, event.modifiers())
        elif line is not None and key in _DELETE:
            self.delete_asked.emit()
        elif key == Qt.Key.Key_Escape and self.tool != "move":
            self.set_tool("move")
        else:
            super().keyPressEvent(event)

    def _key_of_draft(self, draft: Draft, key: Qt.Key) -> None:
        if key not in _DELETE:
            self.set_tool("move")
        elif draft.take_back():
            self.shape_drawn.emit(draft.kind, draft.points)
        self.viewport().update()

    def _nudge(self, line: ProfileLine, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """Move by 1 px, with Shift by 10; with Alt the point grabbed last alone; with Ctrl turn and stretch."""
        step = 10.0 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1.0
        dx, dy = (step * part for part in _KEYS[key])
        kind, points = line.kind, line.shape.points_px
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            changed = shapes.turned(kind, points, -dx) if dx else shapes.stretched(kind, points, -dy)
        elif modifiers & Qt.KeyboardModifier.AltModifier:
            index = self._handle[1] if self._handle is not None and self._handle[0] == line.id else -1
            handles = shapes.handles(kind, points)
            index = index % len(handles) if index < len(handles) else len(handles) - 1
            x, y = handles[index]
            changed = shapes.with_handle(kind, points, index, (x + dx, y + dy), snap=False)
        else:
            changed = shapes.moved_by(points, dx, dy)
        if shapes.is_possible(kind, changed):
            self.shape_moved.emit(line.id, changed)

    # Painting

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the image, then map, shapes and marks at the size of the screen."""
        super().paintEvent(event)
        if self._data is None:
            return
        painter, to_screen = QtGui.QPainter(self.viewport()), self._transform()
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        self._hatch.paint(painter, to_screen, self.viewport().size())
        if self._map is not None:
            self._paint_map(painter, self._map)
        others = [line for line in self.lines if line.id != self.selected_id]
        self._others.paint(painter, others, to_screen, self.viewport())
        if (line := self._selected()) is not None:
            grabbed = self._handle[1] if self._handle is not None and self._handle[0] == line.id else -1
            paint_shape(painter, line, to_screen, selected=True, editable=self.editable, grabbed=grabbed)
            if self.editable and (width := self._width_handle(line)):
                painter.drawRect(square(width, 4.0))
        for points, color in self._stretches:
            painter.setPen(QtGui.QPen(QtGui.QColor(color), 4, c=Qt.PenCapStyle.FlatCap))
            painter.drawPolyline(to_screen.map(QtGui.QPolygonF([QtCore.QPointF(*p) for p in points])))
        for point, color in self._marks:
            painter.setPen(QtGui.QPen(QtGui.QColor("black"), 1))
            painter.setBrush(QtGui.QColor(color))
            painter.drawEllipse(to_screen.map(QtCore.QPointF(*point)), 4.5, 4.5)
        if self._draft is not None:
            paint_draft(painter, self._draft, to_screen)
        if self._bar is not None:
            paint_bar(painter, self.viewport().size(), *self._bar)
        painter.end()

    def _paint_map(self, painter: QtGui.QPainter, placed: HeightMap) -> None:
        corners = [QtCore.QPointF(*self.screen_point(c)) for c in geometry.map_corners(placed, self._map_scale_nm)]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in (("#000000", 3.0), ("#ffffff", 1.5)):
            painter.setPen(QtGui.QPen(QtGui.QColor(color), width, Qt.PenStyle.DashLine))
            painter.drawPolygon(QtGui.QPolygonF(corners))
        if self.tool == "place":
            painter.setBrush(QtGui.QColor("white"))
            for corner in corners:
                painter.drawRect(square((corner.x(), corner.y()), 5.0))
        draw_label(painter, corners[0] + QtCore.QPointF(4, 4), placed.name)

    def _width_handle(self, line: ProfileLine) -> Point | None:
        if line.kind not in shapes.WITH_WIDTH:
            return None
        away = line.width_px / 2 + self._to_image_length(_WIDTH_HANDLE)
        return self.screen_point(shapes.width_handle(line.kind, line.shape.points_px, away))

    # Coordinates

    def _transform(self) -> QtGui.QTransform:
        if self.box._matrixNeedsUpdate:  # each update has the whole scene painted once more
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


def _is_snapping(event: QtGui.QMouseEvent) -> bool:
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
