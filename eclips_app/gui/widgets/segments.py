"""How a detector's segments look everywhere: their colours, and a small picture of the detector with one segment marked."""

from __future__ import annotations

from eclips_app.core.detector import Detector, Segment
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Colors, Theme


def segment_color(colors: Colors, index: int) -> QtGui.QColor:
    """Give the colour of the segment with this index; after the last curve colour they come again, lighter."""
    color = QtGui.QColor(colors.curves[index % len(colors.curves)])
    return color.lighter(135) if index >= len(colors.curves) else color


def compass_word(azimuth_deg: float) -> str:
    """Say in a word or two where in the image an azimuth points (0 is right, 90 is up)."""
    words = ("right", "top right", "top", "top left", "left", "bottom left", "bottom", "bottom right")
    return words[round(azimuth_deg / 45.0) % 8]


def sector_path(
    centre: QtCore.QPointF, inner: float, outer: float, azimuth_deg: float, span_deg: float
) -> QtGui.QPainterPath:
    """Give the outline of a segment seen from above, in screen units (y down); azimuths run counter-clockwise."""
    outside = QtCore.QRectF(centre.x() - outer, centre.y() - outer, 2 * outer, 2 * outer)
    inside = QtCore.QRectF(centre.x() - inner, centre.y() - inner, 2 * inner, 2 * inner)
    path = QtGui.QPainterPath()
    if span_deg >= 360.0:
        path.addEllipse(outside)
        path.addEllipse(inside)
        return path
    start = azimuth_deg - span_deg / 2
    path.arcMoveTo(outside, start)
    path.arcTo(outside, start, span_deg)
    path.arcTo(inside, start + span_deg, -span_deg)
    path.closeSubpath()
    return path


def paint_detector(
    painter: QtGui.QPainter, rect: QtCore.QRectF, detector: Detector, colors: Colors, marked: int | None = None
) -> None:
    """Draw the detector from above into `rect`; with `marked`, one segment in its colour and the others in grey."""
    outermost = max(detector.radii_mm(segment)[1] for segment in detector.quadrants)
    scale = min(rect.width(), rect.height()) / 2 / outermost
    painter.setPen(QtGui.QPen(QtGui.QColor(colors.base), 1))
    for index, segment in enumerate(detector.quadrants):
        inner, outer = (scale * radius for radius in detector.radii_mm(segment))
        shown = marked is None or index == marked
        painter.setBrush(segment_color(colors, index) if shown else QtGui.QColor(colors.border))
        painter.drawPath(sector_path(rect.center(), inner, outer, segment.azimuth_deg, segment.span_deg))


def segment_text(segment: Segment) -> str:
    """Name and azimuth of a segment in one short text."""
    return f"{segment.name} · {segment.azimuth_deg:g}°"


class SegmentGlyph(QtWidgets.QWidget):
    """The detector in a few pixels with one segment marked: says at a glance from where an image sees the specimen."""

    def __init__(self, theme: Theme, size_px: int = 22) -> None:
        super().__init__()
        self._theme = theme
        self._detector: Detector | None = None
        self._index = 0
        self.setFixedSize(size_px, size_px)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        theme.changed.connect(self.update)

    def set_segment(self, detector: Detector | None, index: int) -> None:
        """Show a segment; nothing without a detector."""
        self._detector, self._index = detector, index
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the glyph."""
        if self._detector is None or not self._detector.quadrants:
            return
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        rect = QtCore.QRectF(self.rect()).adjusted(1, 1, -1, -1)
        paint_detector(painter, rect, self._detector, self._theme.colors, self._index)
        painter.end()
