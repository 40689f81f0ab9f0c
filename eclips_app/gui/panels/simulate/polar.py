"""The sky of one pixel: which directions reach which segment, and what of them the surface hides."""

from __future__ import annotations

import math

import numpy as np

from eclips_app.gui.flows.live_images import Angles
from eclips_app.gui.panels.simulate.presenter import sky_picture
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.segments import segment_color

_PICTURE_PX = 320
_MARGIN = 20.0  #: room for the azimuths above and below; beside, that of the widest
_RINGS_DEG = (30, 60, 90)


class PolarPlot(QtWidgets.QWidget):
    """Azimuth around as in the image (0° right, 90° up), polar angle outward from the beam (0°) to the horizontal (90°)."""

    pointed = Signal(str)  #: what lies under the mouse, in words; empty outside

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._angles: Angles | None = None
        self._shown: int | None = None
        self._image = QtGui.QImage()
        self.setMinimumSize(170, 170)
        policy = QtWidgets.QSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        self.setAccessibleName("Angles of the pixel")
        theme.changed.connect(self._paint_sky)

    def show_angles(self, angles: Angles | None, shown: int | None) -> None:
        """Show what a pixel sees, of one segment or of all."""
        self._angles, self._shown = angles, shown
        self._paint_sky()

    def heightForWidth(self, width: int) -> int:
        """Ask for a square with room for the azimuths."""
        return min(width - 24, 400)

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a square."""
        return QtCore.QSize(280, 260)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the sky, the rings and spokes, and the horizon."""
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        disc, colors = self._disc(), self._theme.colors
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(colors.base))
        painter.drawEllipse(disc)
        if self._angles is not None:
            self._draw_hidden(painter, disc)
            painter.drawImage(disc, self._image)
        self._draw_grid(painter, disc)
        if self._angles is not None:
            painter.setPen(QtGui.QPen(QtGui.QColor(colors.text), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(self._horizon(disc))
        painter.end()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Say what lies under the mouse."""
        self.pointed.emit(self._words(event.position()))

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """Say nothing any more."""
        self.pointed.emit("")

    def _words(self, place: QtCore.QPointF) -> str:
        disc, angles = self._disc(), self._angles
        x, y = place.x() - disc.center().x(), disc.center().y() - place.y()
        polar = 180.0 * math.hypot(x, y) / disc.width()
        if angles is None or polar >= 90.0:
            return ""
        azimuth = math.degrees(math.atan2(y, x)) % 360.0
        valid = angles.arrays["valid"]
        _, cells, count = valid.shape
        sector = int(azimuth * count / 360.0) % count
        caught = valid[:, min(int(polar * cells / 90.0), cells - 1), sector]
        best = int(caught.argmax())
        where = angles.wish.detector.quadrants[best].name if caught[best] > 0 else "no segment"
        is_open = polar < angles.arrays["horizon_deg"][sector]
        return f"Polar angle {polar:.0f}°, azimuth {azimuth:.0f}°: {where}, {'open' if is_open else 'hidden by the surface'}"

    def _disc(self) -> QtCore.QRectF:
        beside = self.fontMetrics().horizontalAdvance("180°") + 6.0
        radius = max(min(self.width() / 2 - beside, self.height() / 2 - _MARGIN), 10.0)
        centre = QtCore.QPointF(self.width() / 2, self.height() / 2)
        return QtCore.QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)

    def _paint_sky(self) -> None:
        if self._angles is not None:
            count = len(self._angles.arrays["valid"])
            inks = [segment_color(self._theme.colors, k) for k in range(count)]
            rgb = [(ink.red(), ink.green(), ink.blue()) for ink in inks]
            pixels = sky_picture(self._angles.arrays, rgb, self._shown, _PICTURE_PX)
            format_ = QtGui.QImage.Format.Format_RGBA8888
            self._image = QtGui.QImage(pixels.data, _PICTURE_PX, _PICTURE_PX, 4 * _PICTURE_PX, format_).copy()
        self.update()

    def _horizon(self, disc: QtCore.QRectF) -> QtGui.QPainterPath:
        assert self._angles is not None
        horizon = np.asarray(self._angles.arrays["horizon_deg"], dtype=float)
        azimuth = np.radians(np.asarray(self._angles.arrays["azimuth_deg"], dtype=float))
        radius = horizon / 90.0 * disc.width() / 2
        xs, ys = disc.center().x() + radius * np.cos(azimuth), disc.center().y() - radius * np.sin(azimuth)
        points = [QtCore.QPointF(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]
        path = QtGui.QPainterPath()
        path.addPolygon(QtGui.QPolygonF(points))
        path.closeSubpath()
        return path

    def _draw_hidden(self, painter: QtGui.QPainter, disc: QtCore.QRectF) -> None:
        """Hatch the directions that the surface hides."""
        hidden = QtGui.QPainterPath()
        hidden.addEllipse(disc)
        hidden = hidden.subtracted(self._horizon(disc))
        ink = QtGui.QColor(self._theme.colors.faint)
        ink.setAlpha(110)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QBrush(ink, Qt.BrushStyle.BDiagPattern))
        painter.drawPath(hidden)

    def _draw_grid(self, painter: QtGui.QPainter, disc: QtCore.QRectF) -> None:
        colors, centre, radius = self._theme.colors, disc.center(), disc.width() / 2
        line = QtGui.QColor(colors.faint)
        line.setAlpha(120)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QtGui.QPen(line, 1.0))
        for polar in _RINGS_DEG:
            painter.drawEllipse(centre, radius * polar / 90, radius * polar / 90)
        for azimuth in range(0, 180, 45):
            x, y = radius * math.cos(math.radians(azimuth)), radius * math.sin(math.radians(azimuth))
            painter.drawLine(centre + QtCore.QPointF(-x, y), centre + QtCore.QPointF(x, -y))
        painter.setPen(QtGui.QColor(colors.faint))
        for azimuth in range(0, 360, 90):
            x, y = math.cos(math.radians(azimuth)), -math.sin(math.radians(azimuth))
            away = radius + (5 + painter.fontMetrics().horizontalAdvance(f"{azimuth}°") / 2 if x**2 > y**2 else 11)
            spot = centre + QtCore.QPointF(x, y) * away
            box = QtCore.QRectF(spot.x() - 24, spot.y() - 9, 48, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{azimuth}°")
        for polar in _RINGS_DEG[:-1]:
            spot = centre + QtCore.QPointF(math.cos(math.radians(67.5)), -math.sin(math.radians(67.5))) * (
                radius * polar / 90
            )
            self._draw_plate(painter, spot, f"{polar}°")

    def _draw_plate(self, painter: QtGui.QPainter, spot: QtCore.QPointF, text: str) -> None:
        width, height = painter.fontMetrics().horizontalAdvance(text) + 6, painter.fontMetrics().height()
        box = QtCore.QRectF(spot.x() - width / 2, spot.y() - height / 2, width, height)
        ground = QtGui.QColor(self._theme.colors.base)
        ground.setAlpha(200)
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 3, 3)
        painter.restore()
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
