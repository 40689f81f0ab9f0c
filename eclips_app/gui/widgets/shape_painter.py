"""Draws shapes, what is being drawn, and the colour bar over an image, at the size of the screen."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pyqtgraph as pg

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.image_pane import draw_label
from eclips_app.gui.widgets.line_geometry import Point
from eclips_app.gui.widgets.shape_drafts import Draft
from eclips_app.model.items import ProfileLine

_SHADE = QtGui.QColor(0, 0, 0, 160)


def paint_shape(
    painter: QtGui.QPainter,
    line: ProfileLine,
    to_screen: QtGui.QTransform,
    *,
    selected: bool,
    editable: bool = True,
    grabbed: int = -1,
) -> None:
    """Draw a shape with the band it averages over, true to width; the selected one with its handles.

    `grabbed` is the handle that the keys move; the brush of the handles stays set.
    """
    points, color = line.shape.points_px, QtGui.QColor(line.color)
    corners = _polygon(shapes.outline(line.kind, points), to_screen)
    _paint_band(painter, line, to_screen, corners)
    for pen in (QtGui.QPen(_SHADE, 4 if selected else 3), QtGui.QPen(color, 2 if selected else 1.4)):
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(corners)
    painter.setBrush(color)
    painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.5))
    handles = _polygon(shapes.handles(line.kind, points), to_screen).toList()
    if not selected:
        painter.drawEllipse(handles[0], 3, 3)
    elif editable:
        for i, handle in enumerate(handles):
            painter.drawEllipse(handle, *((6.5, 6.5) if i == grabbed else (5, 5)))
    draw_label(painter, handles[0] + QtCore.QPointF(8, 6), line.name)
    painter.setBrush(color)
    painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.5))


class StillShapes:
    """The shapes that are not selected, as a picture that is drawn anew when one of them or the view has changed."""

    def __init__(self) -> None:
        self._picture = QtGui.QPixmap()
        self._drawn: tuple[object, ...] = ()

    def paint(
        self,
        painter: QtGui.QPainter,
        lines: Sequence[ProfileLine],
        to_screen: QtGui.QTransform,
        viewport: QtWidgets.QWidget,
    ) -> None:
        """Draw the shapes over a viewport."""
        ratio = viewport.devicePixelRatioF()
        wanted = (tuple(lines), QtGui.QTransform(to_screen), viewport.size(), ratio, viewport.font().key())
        if wanted != self._drawn:
            self._drawn = wanted
            self._picture = QtGui.QPixmap(viewport.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(Qt.GlobalColor.transparent)
            inner = QtGui.QPainter(self._picture)
            inner.setFont(painter.font())
            inner.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
            for line in lines:
                paint_shape(inner, line, to_screen, selected=False)
            inner.end()
        if lines:
            painter.drawPixmap(0, 0, self._picture)


def paint_draft(painter: QtGui.QPainter, draft: Draft, to_screen: QtGui.QTransform) -> None:
    """Draw the corners set so far, and the side to where the mouse is."""
    points = [*draft.points, *([draft.next] if draft.next is not None else [])]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QtGui.QPen(_SHADE, 3), QtGui.QPen(QtGui.QColor("white"), 1.4, Qt.PenStyle.DashLine)):
        painter.setPen(pen)
        painter.drawPolyline(_polygon(points, to_screen))
    painter.setBrush(QtGui.QColor("white"))
    for corner in _polygon(draft.points, to_screen).toList():
        painter.drawEllipse(corner, 3.5, 3.5)


def paint_bar(painter: QtGui.QPainter, size: QtCore.QSize, colormap: str, low: str, high: str) -> None:
    """Draw a colour bar with the words for its ends at the upper right."""
    bar = QtCore.QRectF(size.width() - 22.0, 12.0, 12.0, min(140.0, size.height() * 0.45))
    fill = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
    fill.setStops(_stops(colormap))
    painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 200), 1))
    painter.setBrush(fill)
    painter.drawRect(bar)
    metrics = painter.fontMetrics()
    for text, y in ((high, bar.top() - 2), (low, bar.bottom() - metrics.height() - 2)):
        draw_label(painter, QtCore.QPointF(bar.left() - metrics.horizontalAdvance(text) - 14, y), text)


def square(middle: Point, half: float) -> QtCore.QRectF:
    """Give a square handle on the screen."""
    return QtCore.QRectF(middle[0] - half, middle[1] - half, 2 * half, 2 * half)


@functools.cache
def _stops(colormap: str) -> list[tuple[float, QtGui.QColor]]:
    """Give the colours of a map, from low to high; looked up at every paint."""
    table = pg.colormap.get(colormap).getLookupTable(nPts=16)
    return [(i / (len(table) - 1), QtGui.QColor(*(int(v) for v in rgb[:3]))) for i, rgb in enumerate(table)]


def _paint_band(
    painter: QtGui.QPainter, line: ProfileLine, to_screen: QtGui.QTransform, corners: QtGui.QPolygonF
) -> None:
    faint = QtGui.QColor(line.color)
    faint.setAlpha(60)
    path = QtGui.QPainterPath()
    for band in shapes.bands(line.kind, line.shape.points_px, line.width_px):
        path.addPolygon(_polygon(band, to_screen))
    if line.kind == "polygon":
        path.addPolygon(corners)
    # Overlapping strips of a polyline are one band; between the two circles of a ring lies what is averaged.
    rule = Qt.FillRule.OddEvenFill if line.kind == "circle" else Qt.FillRule.WindingFill
    path.setFillRule(rule)
    # Smooth edges of a large pale area cost more than the whole plot.
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing, False)
    painter.fillPath(path, faint)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing, True)


def _polygon(points: Sequence[Point], to_screen: QtGui.QTransform) -> QtGui.QPolygonF:
    return to_screen.map(QtGui.QPolygonF([QtCore.QPointF(*point) for point in points]))
