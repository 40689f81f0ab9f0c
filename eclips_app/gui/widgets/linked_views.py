"""Images that are zoomed and moved together, with a cross at the common cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.image_pane import ImagePane

_MARGIN_PX = 8  #: of the screen around a fitted image
_WHOLE_PX = 1 << 20

Part = tuple[slice, slice]


@dataclass(frozen=True)
class Source:
    """An image that is read in parts: `read` gives [row, col] for slices of rows and columns.

    The other fields are those of `ImagePane.set_image`; `levels` must be given, for a part does not tell those of the whole.
    An image of more than `whole_px` pixels is read as far as it is visible, as fine as the screen shows it.
    """

    read: Callable[[Part], NDArray[Any]]
    shape: tuple[int, int]
    levels: tuple[float, float]
    pixel_size_nm: float | None = None
    origin_px: tuple[int, int] = (0, 0)
    colormap: str | None = None
    whole_px: int = _WHOLE_PX


class LinkedView(ImagePane):
    """An image that tells when the user moves it, and shows where the mouse points in another one."""

    navigated = Signal()  #: the user has zoomed or panned
    fit_asked = Signal()

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__(theme, title)
        self.has_scale_bar = True
        self._source: Source | None = None
        self._part: Part | None = None
        self._cross = _Cross()
        self._frame = path_item(self.box, 9)
        self.box.addItem(self._cross, ignoreBounds=True)
        self.box.sigRangeChangedManually.connect(self._on_range)

    def set_source(self, source: Source | None) -> None:
        """Show an image that may be larger than can be drawn at once; nothing with None."""
        self._source, self._part = source, None
        if source is None:
            self.set_image(None)
        self.refine()

    def refine(self) -> None:
        """Read what has become visible of the source."""
        source = self._source
        if source is None or (part := self._visible(source)) == self._part:
            return
        self._part = part
        top, left = source.origin_px
        self.set_image(
            source.read(part), pixel_size_nm=source.pixel_size_nm, levels=source.levels, colormap=source.colormap,
            origin_px=(top + part[0].start, left + part[1].start), step_px=part[0].step,
        )  # fmt: skip

    def _visible(self, source: Source) -> Part:
        rows, columns = source.shape
        if rows * columns <= source.whole_px:
            return slice(0, rows, 1), slice(0, columns, 1)
        step = max(1, int(self.box.viewPixelSize()[0]))
        rect = self.box.viewRect().translated(-source.origin_px[1], -source.origin_px[0])
        return _within(rect.top(), rect.bottom(), rows, step), _within(rect.left(), rect.right(), columns, step)

    def show_cross(self, point: tuple[float, float] | None) -> None:
        """Mark the pixel (col, row) that the mouse points at in another image."""
        self._cross.setVisible(point is not None)
        if point is not None:
            self._cross.setPos(*point)

    def show_frame(self, frame: QtCore.QRectF | None) -> None:
        """Outline a part of the image; nothing with None."""
        path = QtGui.QPainterPath()
        if frame is not None:
            path.addRect(frame)
        self._frame.setPath(path)
        self._frame.setPen(cosmetic(self._theme.colors.warning, 2.0))

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Zoom keys act on all images together."""
        if event.key() == Qt.Key.Key_0:
            self.fit_asked.emit()
            return
        super().keyPressEvent(event)
        if event.isAccepted():
            self.navigated.emit()

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """Tell that the mouse points at no pixel any more."""
        super().leaveEvent(event)
        self.hovered.emit(float("nan"), float("nan"), None)

    def _draw_scale_bar(self, painter: QtGui.QPainter) -> None:
        if self.has_scale_bar:
            super()._draw_scale_bar(painter)

    def _on_range(self, _: object) -> None:
        self.navigated.emit()


class LinkedRange(QtCore.QObject):
    """Gives all views the same centre and scale, whatever their sizes."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.views: Sequence[LinkedView] = ()
        self._field = QtCore.QRectF()
        self._centre = QtCore.QPointF()
        self._scale = 0.0  #: image pixels under one screen pixel; 0 while the whole field is fitted
        self._settle = QtCore.QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self.apply)

    def set_field(self, field: QtCore.QRectF) -> None:
        """Say what the whole images are; another field is fitted."""
        if field != self._field:
            self._field, self._scale = field, 0.0

    def fit(self) -> None:
        """Show the whole images."""
        self._scale = 0.0
        self.apply()

    def show_part(self, part: QtCore.QRectF) -> None:
        """Bring a part to the middle, as large as the smallest view allows."""
        sizes = [view.viewport().size() for view in self.views if view.isVisible()]
        if sizes:
            self._centre = part.center()
            self._scale = max(_fitted(part, size) for size in sizes)
            self.apply()

    def follow(self, view: LinkedView) -> None:
        """Show in all views what one shows."""
        self._centre = view.box.viewRect().center()
        self._scale = float(view.box.viewPixelSize()[0])
        self.apply()

    def apply_soon(self) -> None:
        """Apply once the views have their sizes."""
        self._settle.start()

    def apply(self) -> None:
        """Give all views the common centre and scale."""
        if self._field.isEmpty():
            return
        for view in self.views:
            size = view.viewport().size()
            centre, scale = self._centre, self._scale
            if self._scale == 0.0:
                centre, scale = self._field.center(), _fitted(self._field, size)
            width, height = scale * size.width(), scale * size.height()
            rect = QtCore.QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)
            view.box.setRange(rect, padding=0)
            view.refine()
            view.viewport().update()


class _Cross(QtWidgets.QGraphicsItem):
    """A small cross of constant size on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(QtWidgets.QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setZValue(20)
        self.setVisible(False)

    def boundingRect(self) -> QtCore.QRectF:
        """Give the size in screen pixels."""
        return QtCore.QRectF(-9, -9, 18, 18)

    def paint(self, painter: QtGui.QPainter, *_: Any) -> None:
        """Draw light on dark, to be seen on any image."""
        for ink, width in ((QtGui.QColor(0, 0, 0, 180), 3.0), (QtGui.QColor(255, 255, 255), 1.0)):
            painter.setPen(QtGui.QPen(ink, width))
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(QtCore.QPointF(3 * x, 3 * y), QtCore.QPointF(8 * x, 8 * y))


def path_item(box: Any, z: float) -> QtWidgets.QGraphicsPathItem:
    """Add an outline to a view's image, `z` above it."""
    item = QtWidgets.QGraphicsPathItem()
    item.setZValue(z)
    box.addItem(item, ignoreBounds=True)
    return item


def cosmetic(color: str, width: float) -> QtGui.QPen:
    """Give a pen of constant width on the screen."""
    pen = QtGui.QPen(QtGui.QColor(color), width)
    pen.setCosmetic(True)
    return pen


def _fitted(part: QtCore.QRectF, size: QtCore.QSize) -> float:
    """Give the scale at which a part fills a view."""
    across, down = (max(length - _MARGIN_PX, 1) for length in (size.width(), size.height()))
    return max(part.width() / across, part.height() / down)


def _within(low: float, high: float, count: int, step: int) -> slice:
    """Give every `step`-th of `count` pixels from low to high, at least one."""
    first = min(max(int(low) // step * step, 0), (count - 1) // step * step)
    return slice(first, max(min(int(high) + step + 1, count), first + 1), step)
