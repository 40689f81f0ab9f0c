"""The detector drawn to scale: from above with its segments, and from the side with its take-off angles."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.gui.panels.detector import geometry
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.segments import segment_color

Point = QtCore.QPointF
_MARGIN = 26.0


class _Drawing(QtWidgets.QWidget):
    """A drawing of the detector that is made anew when the detector or the look changes."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._detector: Detector | None = None
        self.setAccessibleName(name)
        self.setMinimumSize(110, 110)
        theme.changed.connect(self.update)

    def show_detector(self, detector: Detector) -> None:
        """Draw this detector."""
        self._detector = detector
        self.setAccessibleDescription(", ".join(f"{s.name} at {s.azimuth_deg:g}°" for s in detector.quadrants))
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw."""
        if self._detector is None:
            return
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        try:
            self._draw(painter, self._detector)
        finally:
            painter.end()

    def _draw(self, painter: QtGui.QPainter, detector: Detector) -> None:
        """Paint nothing: each drawing says what."""

    def _pen(
        self, painter: QtGui.QPainter, color: str, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine
    ) -> None:
        painter.setPen(QtGui.QPen(QtGui.QColor(color), width, style))


class TopView(_Drawing):
    """The segments as seen from above, as the image is seen: x right, y up; the cross is the beam."""

    def _draw(self, painter: QtGui.QPainter, detector: Detector) -> None:
        """Paint segments, their names, the compass and the beam."""
        outlines = [geometry.outline(detector, segment) for segment in detector.quadrants]
        reach = max((float(np.abs(points[:, :2]).max()) for points in outlines), default=1.0)
        middle = Point(self.width() / 2, self.height() / 2)
        scale = (min(self.width(), self.height()) / 2 - _MARGIN) / reach
        for index, points in enumerate(outlines):
            color = segment_color(self._theme.colors, index)
            painter.setPen(QtGui.QPen(color, 1.5))
            color.setAlpha(110)
            painter.setBrush(color)
            painter.drawPolygon(_polygon(points[:, :2], middle, scale))
        self._label_segments(painter, detector, outlines, middle, scale)
        self._compass(painter, middle)

    def _label_segments(
        self,
        painter: QtGui.QPainter,
        detector: Detector,
        outlines: list[NDArray[np.float64]],
        middle: Point,
        scale: float,
    ) -> None:
        self._pen(painter, self._theme.colors.text)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        for segment, points in zip(detector.quadrants, outlines, strict=True):
            # The mean of an arc's middle points lies inside the segment, the mean of all corners need not.
            quarter = len(points) // 4
            x, y = points[[quarter, -1 - quarter], :2].mean(axis=0)
            _centred(painter, Point(middle.x() + scale * x, middle.y() - scale * y), segment.name)
        font.setBold(False)
        painter.setFont(font)

    def _compass(self, painter: QtGui.QPainter, middle: Point) -> None:
        colors = self._theme.colors
        reach = min(self.width(), self.height()) / 2 - 16
        self._pen(painter, colors.faint, 1.0, Qt.PenStyle.DotLine)
        painter.drawLine(Point(middle.x() - reach, middle.y()), Point(middle.x() + reach, middle.y()))
        painter.drawLine(Point(middle.x(), middle.y() - reach), Point(middle.x(), middle.y() + reach))
        self._pen(painter, colors.faint)
        metrics = painter.fontMetrics()
        for text, x, y in (
            ("0°", reach + 2, 0.0),
            ("90°", 0.0, -reach - 4),
            ("180°", -reach - 2, 0.0),
            ("270°", 0.0, reach + 4),
        ):
            wide = metrics.horizontalAdvance(text) / 2
            shift = wide if x > 0 else -wide if x < 0 else 0.0
            place = _inside(Point(middle.x() + x + shift, middle.y() + y), self.rect(), metrics, text)
            _plate(painter, place, text, self._theme)
        self._pen(painter, colors.text, 2.0)
        painter.drawLine(middle + Point(-5, 0), middle + Point(5, 0))
        painter.drawLine(middle + Point(0, -5), middle + Point(0, 5))


class SideView(_Drawing):
    """The detector from the side (x to the right, z up) with the specimen, the radii and the take-off angles."""

    def _draw(self, painter: QtGui.QPainter, detector: Detector) -> None:
        """Paint specimen, detector, pole piece, rays and dimensions."""
        outlines = [geometry.outline(detector, segment) for segment in detector.quadrants]
        wide = max((float(np.abs(points[:, 0]).max()) for points in outlines), default=1.0) * 1.08
        high = max((float(points[:, 2].max()) for points in outlines), default=1.0)
        pole = detector.pole_piece
        if pole is not None:
            high = max(high, pole.distance_mm * 1.1)
        room = self.width() / 2 - 40  # the distance is written at the left
        scale = min(room / wide, (self.height() - 2 * _MARGIN) / high)
        foot = Point(self.width() / 2, self.height() / 2 + high * scale / 2)
        self._specimen(painter, foot, wide * scale)
        self._rays(painter, detector, foot, scale)
        for index, points in enumerate(outlines):
            self._pen(painter, segment_color(self._theme.colors, index).name(), 3.0)
            left, right = points[points[:, 0].argmin()], points[points[:, 0].argmax()]
            painter.drawLine(_place(left[[0, 2]], foot, scale), _place(right[[0, 2]], foot, scale))
        if pole is not None:
            self._pen(painter, self._theme.colors.faint, 4.0)
            for side in (-1, 1):
                ends = [
                    np.array([side * r, pole.distance_mm])
                    for r in (pole.bore_radius_mm, min(pole.outer_radius_mm, wide))
                ]
                painter.drawLine(_place(ends[0], foot, scale), _place(ends[1], foot, scale))
        self._dimensions(painter, detector, foot, scale)

    def _specimen(self, painter: QtGui.QPainter, foot: Point, half: float) -> None:
        colors = self._theme.colors
        self._pen(painter, colors.text, 2.0)
        painter.drawLine(foot - Point(half, 0), foot + Point(half, 0))
        self._pen(painter, colors.faint)
        painter.drawText(foot + Point(-half, painter.fontMetrics().ascent() + 4), "specimen")

    def _rays(self, painter: QtGui.QPainter, detector: Detector, foot: Point, scale: float) -> None:
        """Draw the beam, and on either side the rays to the inner and outer radius with their take-off angles."""
        centre, axes = geometry.frame(detector)
        radii = [detector.radii_mm(segment) for segment in detector.quadrants]
        if not radii:
            return
        colors = self._theme.colors
        self._pen(painter, colors.accent, 1.5)
        painter.drawLine(Point(foot.x(), 2), foot)
        for radius, part in ((min(inner for inner, _ in radii), 0.75), (max(outer for _, outer in radii), 0.45)):
            for side in (-1.0, 1.0):
                end = (centre + side * radius * axes[:, 0])[[0, 2]]
                self._pen(painter, colors.faint, 1.0, Qt.PenStyle.DashLine)
                painter.drawLine(foot, _place(end, foot, scale))
                if radius > 0 and side > 0:
                    self._angle(painter, foot, end, part, scale)

    def _angle(self, painter: QtGui.QPainter, foot: Point, end: NDArray[np.float64], part: float, scale: float) -> None:
        """Write a take-off angle on its ray, this part of the way up."""
        angle = math.degrees(math.atan2(end[1], end[0]))
        self._pen(painter, self._theme.colors.text)
        place = _inside(_place(part * end, foot, scale), self.rect(), painter.fontMetrics(), "00.0°")
        _plate(painter, place, f"{angle:.1f}°", self._theme)

    def _dimensions(self, painter: QtGui.QPainter, detector: Detector, foot: Point, scale: float) -> None:
        """Draw the distance at the left edge and write the diameters above the detector."""
        colors, metrics = self._theme.colors, painter.fontMetrics()
        high = detector.distance_mm * scale
        text = f"{detector.distance_mm:g} mm"
        left = metrics.horizontalAdvance(text) / 2 + 4
        self._pen(painter, colors.faint)
        painter.drawLine(Point(left, foot.y()), Point(left, foot.y() - high))
        for y in (foot.y(), foot.y() - high):
            painter.drawLine(Point(left - 4, y), Point(left + 4, y))
        self._pen(painter, colors.text)
        _plate(painter, Point(left, foot.y() - high / 2), text, self._theme)
        radii = [detector.radii_mm(segment) for segment in detector.quadrants]
        span = f"⌀ {2 * min(r for r, _ in radii):g} to {2 * max(r for _, r in radii):g} mm"
        self._pen(painter, colors.faint)
        _plate(painter, _inside(Point(foot.x(), foot.y() - high - 18), self.rect(), metrics, span), span, self._theme)


class AcceptanceView(_Drawing):
    """Which directions each segment catches, so drawn that area is the number of electrons from a flat specimen."""

    _SIZE_PX = 400

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Acceptance: directions of emission by segment")
        self._caught: NDArray[np.int8] | None = None
        self.parts: NDArray[np.float64] = np.zeros(0)  #: of a flat specimen's electrons, by segment

    def show_detector(self, detector: Detector) -> None:
        """Draw this detector."""
        if detector != self._detector:
            self._caught = geometry.acceptance_map(detector, self._SIZE_PX)
            self.parts = geometry.collected_parts(self._caught, len(detector.quadrants))
        super().show_detector(detector)

    def _draw(self, painter: QtGui.QPainter, detector: Detector) -> None:
        """Paint the hemisphere from above with circles of equal take-off angle."""
        colors = self._theme.colors
        radius = min(self.width(), self.height()) / 2 - 8
        middle = Point(self.width() / 2, self.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(colors.raised))
        painter.drawEllipse(middle, radius, radius)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(
            QtCore.QRectF(middle.x() - radius, middle.y() - radius, 2 * radius, 2 * radius), self._image()
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for elevation in (0, 15, 30, 45, 60, 75):
            ring = radius * math.cos(math.radians(elevation))
            self._pen(painter, colors.faint, 1.0, Qt.PenStyle.DotLine if elevation else Qt.PenStyle.SolidLine)
            painter.drawEllipse(middle, ring, ring)
            if elevation in (30, 45, 60, 75):
                self._pen(painter, colors.text)
                place = middle + Point(ring * math.sqrt(0.5), -ring * math.sqrt(0.5))
                _plate(painter, place, f"{elevation}°", self._theme)

    def _image(self) -> QtGui.QImage:
        assert self._caught is not None
        indices = np.ascontiguousarray(self._caught + 1).astype(np.uint8)
        image = QtGui.QImage(
            indices.data, self._SIZE_PX, self._SIZE_PX, self._SIZE_PX, QtGui.QImage.Format.Format_Indexed8
        )
        inks = [segment_color(self._theme.colors, k) for k in range(int(indices.max()))]
        image.setColorTable([0, *(color.rgba() for color in inks)])
        return image.convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)


def _place(point: NDArray[np.float64], foot: Point, scale: float) -> Point:
    return Point(foot.x() + scale * float(point[0]), foot.y() - scale * float(point[1]))


def _polygon(points: NDArray[np.float64], middle: Point, scale: float) -> QtGui.QPolygonF:
    return QtGui.QPolygonF([_place(point, middle, scale) for point in points])


def _centred(painter: QtGui.QPainter, place: Point, text: str) -> None:
    rect = QtCore.QRectF(place.x() - 100, place.y() - 20, 200, 40)
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)


def _plate(painter: QtGui.QPainter, place: Point, text: str, theme: Theme) -> None:
    """Write text on a plate in the colour of the ground, so that lines do not run through it."""
    metrics = painter.fontMetrics()
    wide, high = metrics.horizontalAdvance(text) + 6, metrics.height()
    pen = painter.pen()
    ground = QtGui.QColor(theme.colors.window)
    ground.setAlpha(200)
    painter.fillRect(QtCore.QRectF(place.x() - wide / 2, place.y() - high / 2, wide, high), ground)
    painter.setPen(pen)
    _centred(painter, place, text)


def _inside(place: Point, rect: QtCore.QRect, metrics: QtGui.QFontMetrics, text: str) -> Point:
    """Move a label's middle so that the label stays within the widget."""
    wide, high = metrics.horizontalAdvance(text) / 2 + 3, metrics.height() / 2
    x = min(max(place.x(), wide), rect.width() - wide)
    return Point(x, min(max(place.y(), high), rect.height() - high))
