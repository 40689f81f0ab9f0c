"""One segment's image in the mosaic: a heading that can be dragged, and the image with its overlays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.gui.panels.images.tools import Crop, CropTool, RulerTool, Tool
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.linked_views import LinkedView, cosmetic, path_item
from eclips_app.gui.widgets.segments import SegmentGlyph

MIME = "application/x-eclips-segment"
_CLIPPED_INKS = ((0, 0, 0, 0), (235, 40, 30, 255), (40, 110, 255, 255))  #: as `presenter.CLEAR`, `SATURATED`, `BLACK`
_MASK_INKS = ((0, 0, 0, 0), (255, 170, 0, 110))


class SegmentView(LinkedView):
    """An image with crop, excluded and clipped pixels, a cross at the common cursor, and a tool for drags."""

    tool_moved = Signal()
    tool_released = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.tool: Tool | None = None
        self._dragging = False
        self._clipped = _overlay(self.box, _CLIPPED_INKS, 5)
        self._mask = _overlay(self.box, _MASK_INKS, 6)
        self._shade, self._outline = path_item(self.box, 7), path_item(self.box, 7)
        self._shade.setPen(QtGui.QPen(Qt.PenStyle.NoPen))
        self._draft = path_item(self.box, 8)

    def set_tool(self, tool: Tool | None) -> None:
        """Let drags of the left button go to a tool; without one they move the image."""
        self.tool = tool
        self.viewport().setCursor(tool.cursor if tool is not None else Qt.CursorShape.ArrowCursor)
        self.show_draft()

    def show_clipped(self, marks: NDArray[np.uint8] | None) -> None:
        """Colour the clipped pixels (see `presenter.clipped_overlay`); none with None."""
        _set_overlay(self._clipped, marks, self._origin)

    def show_mask(self, exclude: NDArray[np.bool_] | None) -> None:
        """Colour the excluded pixels; none with None."""
        _set_overlay(self._mask, None if exclude is None else exclude.view(np.uint8), (0.0, 0.0))

    def show_crop(self, crop: Crop, shape: tuple[int, int]) -> None:
        """Darken what lies outside the crop, and frame the crop."""
        top, left, bottom, right = crop
        shade, outline = QtGui.QPainterPath(), QtGui.QPainterPath()
        if (top, left, bottom, right) != (0, 0, *shape):
            outline.addRect(QtCore.QRectF(left - 0.5, top - 0.5, right - left, bottom - top))
            shade.addRect(QtCore.QRectF(-0.5, -0.5, shape[1], shape[0]))
            shade.addPath(outline)
        self._shade.setPath(shade)
        self._shade.setBrush(QtGui.QColor(0, 0, 0, 120))
        self._outline.setPath(outline)
        self._outline.setPen(cosmetic(self._theme.colors.accent, 1.5))

    def show_draft(self) -> None:
        """Draw what the tool has so far."""
        path, pen = self.tool.draft() if self.tool is not None else (QtGui.QPainterPath(), None)
        if pen is not None:
            pen.setColor(QtGui.QColor(*_MASK_INKS[1]))
        self._draft.setPen(pen or cosmetic("#ffb000", 2.0))
        self._draft.setPath(path)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Begin a drag of the tool, or let the image be moved."""
        if self.tool is None or event.button() != Qt.MouseButton.LeftButton or self._data is None:
            super().mousePressEvent(event)
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._dragging = True
        self.tool.press(self._point(event), self._scale())
        self._after_move()
        event.accept()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Go on with the drag of the tool, or show what a drag from here would do."""
        super_too = not self._dragging
        if self._dragging and self.tool is not None:
            self.tool.move(self._point(event), self._scale())
            self._after_move()
        elif isinstance(self.tool, CropTool):
            self.viewport().setCursor(self.tool.cursor_at(self._point(event), self._scale()))
        if super_too:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End the drag of the tool."""
        if not self._dragging:
            super().mouseReleaseEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._dragging = False
            self.tool_released.emit()
            self.show_draft()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Escape gives up a drag."""
        if event.key() == Qt.Key.Key_Escape and self._dragging and self.tool is not None:
            self._dragging = False
            self.tool.cancel()
            self._after_move()
            return
        super().keyPressEvent(event)

    def _draw_scale_bar(self, painter: QtGui.QPainter) -> None:
        if not isinstance(self.tool, RulerTool):  # it would hide the scale bar that is to be measured
            super()._draw_scale_bar(painter)

    def _after_move(self) -> None:
        self.show_draft()
        self.tool_moved.emit()

    def _point(self, event: QtGui.QMouseEvent) -> QtCore.QPointF:
        point: QtCore.QPointF = self.box.mapSceneToView(self.mapToScene(event.position().toPoint()))
        return point

    def _scale(self) -> float:
        return float(self.box.viewPixelSize()[0])


class SegmentPane(QtWidgets.QFrame):
    """A view with its heading; another pane's heading may be dropped here, or one chosen in the menu, to swap images."""

    swap_asked = Signal(int, int)

    def __init__(self, theme: Theme, index: int) -> None:
        super().__init__()
        self.index = index
        self.view = SegmentView(theme)
        self.heading = _Heading(theme, index)
        self.heading.menu.triggered.connect(self._on_menu)
        self.setAcceptDrops(True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(self.view, 1)

    def dragEnterEvent(self, event: QtGui.QDragEnterEvent) -> None:
        """Take the heading of another pane."""
        if event.mimeData().hasFormat(MIME) and _dragged(event.mimeData()) != self.index:
            event.acceptProposedAction()
            self.heading.set_target(True)

    def dragLeaveEvent(self, event: QtGui.QDragLeaveEvent) -> None:
        """Look as before."""
        self.heading.set_target(False)

    def dropEvent(self, event: QtGui.QDropEvent) -> None:
        """Swap the two images."""
        self.heading.set_target(False)
        event.acceptProposedAction()
        self.swap_asked.emit(_dragged(event.mimeData()), self.index)

    def _on_menu(self, action: QtGui.QAction) -> None:
        self.swap_asked.emit(self.index, action.data())


class _Heading(QtWidgets.QFrame):
    """Glyph, name and azimuth of the segment, the file, the grey value under the cursor, and the swap menu."""

    def __init__(self, theme: Theme, index: int) -> None:
        super().__init__()
        self._index = index
        self._pressed: QtCore.QPoint | None = None
        self.glyph = SegmentGlyph(theme)
        self.name = QtWidgets.QLabel()
        self.name.setProperty("kind", "heading")
        self.file = ElidedLabel()
        self.file.setProperty("kind", "faint")
        self.value = QtWidgets.QLabel()
        self.menu = QtWidgets.QMenu(self)
        swap = QtWidgets.QToolButton()
        swap.setIconSize(QtCore.QSize(16, 16))
        swap.setToolTip("Swap with another segment; or drag this heading onto another image")
        swap.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        swap.setMenu(self.menu)
        swap.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.swap = swap
        self._theme = theme
        theme.changed.connect(self._draw_icon)
        self._draw_icon()
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.setToolTip("Drag onto another image to swap the two")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(2, 1, 2, 2)
        layout.setSpacing(6)
        for widget, stretch in ((self.glyph, 0), (self.name, 0), (self.file, 1), (self.value, 0), (swap, 0)):
            layout.addWidget(widget, stretch)

    def _draw_icon(self) -> None:
        self.swap.setIcon(self._theme.icon("swap"))

    def set_target(self, active: bool) -> None:
        """Show that a drop would land here."""
        self.name.setProperty("kind", "good" if active else "heading")
        self.name.style().unpolish(self.name)
        self.name.style().polish(self.name)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Remember where a drag may begin."""
        self._pressed = event.position().toPoint() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Begin to drag the image."""
        start = QtWidgets.QApplication.startDragDistance()
        if self._pressed is None or (event.position().toPoint() - self._pressed).manhattanLength() < start:
            return
        self._pressed = None
        drag = QtGui.QDrag(self)
        drag.setMimeData(drag_data(self._index))
        drag.setPixmap(self.grab())
        drag.exec(Qt.DropAction.MoveAction)


class ElidedLabel(QtWidgets.QLabel):
    """A label that ends in … where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Write as much as fits."""
        painter = QtGui.QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


def drag_data(index: int) -> QtCore.QMimeData:
    """Give what a dragged heading carries."""
    data = QtCore.QMimeData()
    data.setData(MIME, str(index).encode())
    return data


def _dragged(data: QtCore.QMimeData) -> int:
    return int(bytes(data.data(MIME).data()).decode())


def _overlay(box: Any, inks: tuple[tuple[int, int, int, int], ...], z: float) -> Any:
    item = pg.ImageItem(axisOrder="row-major")
    table = np.zeros((256, 4), np.uint8)
    table[: len(inks)] = inks
    item.setLookupTable(table)
    item.setZValue(z)
    box.addItem(item, ignoreBounds=True)
    return item


def _set_overlay(item: Any, marks: NDArray[np.uint8] | None, origin: tuple[float, float]) -> None:
    item.setVisible(marks is not None)
    if marks is None:
        item.clear()
        return
    item.setImage(marks, autoLevels=False, levels=(0, 255))
    rows, columns = marks.shape
    item.setRect(QtCore.QRectF(origin[1] - 0.5, origin[0] - 0.5, columns, rows))
