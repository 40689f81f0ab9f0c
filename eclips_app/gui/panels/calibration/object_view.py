"""The image of an observation with the object drawn over it, which can be dragged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core.calibration import Observation
from eclips_app.gui.panels.calibration import handles
from eclips_app.gui.qt import Qt, QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.linked_views import LinkedView, cosmetic, path_item

_GRAB_PX = 10.0  #: screen pixels from a handle that grab it
_HANDLE_PX = 11
_MASK_PX = 1 << 20  #: a larger mask is thinned out
_MANY_AREAS = 4  #: with more, only those that the mouse is at show their handles
_USED_INK = (60, 220, 120, 70)  #: red, green, blue, opacity: pixels that the fit uses


class ObjectView(LinkedView):
    """Shows what was found; `corrected` carries the `Observation` after a drag or a drawing by hand."""

    corrected = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.setAccessibleName("Image of the observation; drag the points of the outline to correct it")
        self.is_drawing = False  #: whether the next drag draws the object anew
        self._observation: Observation | None = None
        self._draft: Observation | None = None
        self._grabbed = ""
        self._used: NDArray[np.bool_] | None = None
        self._near = ""  #: number of the area that the mouse is at
        self._start = (0.0, 0.0)
        self.image_shape = (1, 1)  #: rows and columns
        self._mask = pg.ImageItem(axisOrder="row-major")
        self._mask.setLookupTable(np.array([(0, 0, 0, 0), _USED_INK], np.uint8))
        self._mask.setZValue(5)
        self.box.addItem(self._mask, ignoreBounds=True)
        self._shadow, self._outline = path_item(self.box, 7), path_item(self.box, 8)
        self._points = pg.ScatterPlotItem(size=_HANDLE_PX, symbol="s")
        self._points.setZValue(9)
        self.box.addItem(self._points, ignoreBounds=True)
        theme.changed.connect(self._redraw)

    def show_observation(self, observation: Observation | None) -> None:
        """Draw an object over the image; a drag of another one that goes on is given up."""
        if observation != self._observation:
            self._observation, self._draft, self._grabbed = observation, None, ""
        self._redraw()

    def show_used(self, used: NDArray[np.bool_] | None, origin_px: tuple[int, int]) -> None:
        """Tint the pixels that the fit uses; `origin_px` is row and column of the first one."""
        if used is self._used:
            return
        self._used = used
        self._mask.setVisible(used is not None)
        if used is None:
            self._mask.clear()
            return
        step = max(1, round((used.size / _MASK_PX) ** 0.5))
        self._mask.setImage(used[::step, ::step].astype(np.uint8), autoLevels=False, levels=(0, 1))
        rows, columns = used.shape
        self._mask.setRect(QtCore.QRectF(origin_px[1] - 0.5, origin_px[0] - 0.5, columns, rows))

    def set_drawing(self, on: bool) -> None:
        """Let the next drag draw the object."""
        self.is_drawing = on
        self.viewport().setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def handle_at(self, point: handles.Point) -> str:
        """Give the name of the handle near a point; empty if there is none."""
        reach = _GRAB_PX * float(self.box.viewPixelSize()[0])
        near = {
            name: max(abs(x - point[0]), abs(y - point[1])) for name, (x, y) in self._handles(self._observation).items()
        }
        name = min(near, key=near.__getitem__, default="")
        return name if name and near[name] <= reach else ""

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Grab a handle or begin to draw; else let the image be moved."""
        point = self._point(event)
        grabbed = "new" if self.is_drawing else self.handle_at(point)
        if not grabbed or self._observation is None or event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._grabbed, self._start = grabbed, point
        event.accept()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Follow the mouse, or show that a handle is near."""
        point = self._point(event)
        if self._grabbed and self._observation is not None:
            if self._grabbed == "new":
                self._draft = handles.drawn(self._observation, self._start, point, self.image_shape)
            else:
                self._draft = handles.moved(self._observation, self._grabbed, point, self.image_shape)
            self._redraw()
            return
        self._look_near(point)
        if not self.is_drawing:
            near = bool(self.handle_at(point))
            self.viewport().setCursor(Qt.CursorShape.SizeAllCursor if near else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End the drag."""
        if not self._grabbed:
            super().mouseReleaseEvent(event)
            return
        draft, self._draft, self._grabbed = self._draft, None, ""
        if draft is not None:
            self.corrected.emit(draft)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Escape gives up a drag."""
        if event.key() == Qt.Key.Key_Escape and self._grabbed:
            self._draft, self._grabbed = None, ""
            self._redraw()
            return
        super().keyPressEvent(event)

    def _point(self, event: QtGui.QMouseEvent) -> handles.Point:
        point: QtCore.QPointF = self.box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        return point.x(), point.y()

    def _handles(self, observation: Observation | None) -> dict[str, handles.Point]:
        """Give the handles that can be seen: of many areas only those of the one that the mouse is at."""
        found = handles.handles(observation) if observation is not None else {}
        if observation is None or len(handles.areas(observation)) <= _MANY_AREAS:
            return found
        return {name: point for name, point in found.items() if name.partition(":")[0] == self._near}

    def _look_near(self, point: handles.Point) -> None:
        """Find the area that the mouse is at."""
        if self._observation is None or len(handles.areas(self._observation)) <= _MANY_AREAS:
            return
        reach = _GRAB_PX * float(self.box.viewPixelSize()[0])
        near = ""
        for number, (top, left, bottom, right) in enumerate(handles.areas(self._observation)):
            if left - reach <= point[0] <= right + reach and top - reach <= point[1] <= bottom + reach:
                near = str(number)
        if near != self._near:
            self._near = near
            self._redraw()

    def _redraw(self) -> None:
        shown = self._draft or self._observation
        path = outline(shown) if shown is not None else QtGui.QPainterPath()
        ink = self._theme.colors.warning if self._draft is not None else "#ffb000"  # seen on dark and bright images
        self._shadow.setPath(path)
        self._shadow.setPen(cosmetic("#000000", 3.5))
        self._outline.setPath(path)
        self._outline.setPen(cosmetic(ink, 1.8))
        points: list[dict[str, Any]] = [
            {"pos": point, "symbol": "+" if name.endswith("center") else "s"}
            for name, point in self._handles(shown).items()
        ]
        self._points.setData(points)
        self._points.setPen(pg.mkPen("#000000", width=1))
        self._points.setBrush(pg.mkBrush(ink))


def outline(observation: Observation) -> QtGui.QPainterPath:
    """Give the outline of an object (col, row)."""
    path = QtGui.QPainterPath()
    sphere, indent = observation.sphere, observation.indent
    if sphere is not None and sphere.center_px is not None and sphere.radius_px is not None:
        row, col = sphere.center_px
        path.addEllipse(QtCore.QPointF(col, row), sphere.radius_px, sphere.radius_px)
    if indent is not None and (found := handles.corners(indent)):
        assert indent.center_px is not None  # there are no corners without
        path.addPolygon(QtGui.QPolygonF([QtCore.QPointF(*corner) for corner in (*found, found[0])]))
        for corner in found:
            path.moveTo(QtCore.QPointF(indent.center_px[1], indent.center_px[0]))
            path.lineTo(QtCore.QPointF(*corner))
    for top, left, bottom, right in handles.areas(observation):
        path.addRect(QtCore.QRectF(left - 0.5, top - 0.5, right - left, bottom - top))
    return path
