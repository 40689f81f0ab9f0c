"""The orientations of the surface on the equal-area disc, with the poles of its facets and of the crystal's planes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.metrology.facets import sphere
from eclips_app.metrology.facets.found import Found
from eclips_app.metrology.facets.picture import facet_color

Floats = NDArray[np.floating]

_RINGS_DEG = (30, 60, 90)
_MARGIN = 20.0
_NEAR_PX = 12.0  #: a click this near a pole is on it
_ROOMY_PX = 170.0  #: on smaller discs the names of the crystal's poles would cover each other
_DECADES = 3.0  #: of the densities that differ in colour


class PoleFigure(QtWidgets.QWidget):
    """Azimuth around as in the image (0° right, 90° up); a facet lies where its normal points, flat ones in the middle."""

    facet_clicked = Signal(int, bool)
    pointed = Signal(str)  #: direction under the mouse in words; empty outside

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._density: Floats | None = None
        self._found: Found | None = None
        self._chosen: tuple[int, ...] = ()
        self._poles: list[tuple[str, Floats]] = []
        self._image = QtGui.QImage()
        self.setMinimumSize(170, 170)
        self.setMouseTracking(True)
        self.setAccessibleName("Pole figure of the facets")
        theme.changed.connect(self._paint_density)

    def show_facets(
        self,
        density: NDArray[np.floating] | None,
        found: Found | None,
        chosen: tuple[int, ...],
        poles: list[tuple[str, Floats]],
    ) -> None:
        """Show orientations [y, x] in multiples of a uniform distribution, facets, and named poles of the crystal."""
        changed = density is not self._density
        self._density, self._found, self._chosen, self._poles = density, found, chosen, poles
        if changed:
            self._paint_density()
        self.update()

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a square."""
        return QtCore.QSize(280, 280)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the density, rings, the crystal's poles and the facets."""
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        disc = self._disc()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(self._theme.colors.base))
        painter.drawEllipse(disc)
        if self._density is not None:
            clip = QtGui.QPainterPath()
            clip.addEllipse(disc)
            painter.setClipPath(clip)
            painter.drawImage(disc, self._image)
            painter.setClipping(False)
        self._draw_grid(painter, disc)
        self._draw_poles(painter)
        self._draw_facets(painter)
        painter.end()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Select the facet whose pole is clicked."""
        if self._found is None or event.button() != Qt.MouseButton.LeftButton:
            return
        away = {
            n: QtCore.QLineF(self.place(self._found.normals[n]), event.position()).length() for n in self._found.numbers
        }
        nearest = min(away, key=lambda n: away[n], default=0)
        more = bool(event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
        self.facet_clicked.emit(nearest if nearest and away[nearest] < _NEAR_PX else 0, more)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Say which direction lies under the mouse."""
        disc = self._disc()
        x = 2 * (event.position().x() - disc.center().x()) / disc.width()
        y = -2 * (event.position().y() - disc.center().y()) / disc.height()
        if math.hypot(x, y) > 1:
            self.pointed.emit("")
            return
        normal = sphere.from_disc(np.array([x, y]))
        tilt = math.degrees(math.acos(max(-1.0, min(1.0, float(normal[2])))))
        self.pointed.emit(f"Tilt {tilt:.1f}°, falls to {math.degrees(math.atan2(y, x)) % 360:.0f}°")

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        """Say nothing any more."""
        self.pointed.emit("")

    def place(self, normal: Floats) -> QtCore.QPointF:
        """Give where a normal of the image's frame lies in the widget."""
        disc = self._disc()
        x, y = sphere.to_disc(np.asarray(normal, dtype=float))
        return disc.center() + QtCore.QPointF(x, -y) * (disc.width() / 2)

    def _disc(self) -> QtCore.QRectF:
        beside = self.fontMetrics().horizontalAdvance("180°") + 6.0
        radius = max(min(self.width() / 2 - beside, self.height() / 2 - _MARGIN), 10.0)
        centre = QtCore.QPointF(self.width() / 2, self.height() / 2)
        return QtCore.QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)

    def _paint_density(self) -> None:
        """Colour the densities by their logarithm, from none (the ground) to the accent."""
        if self._density is not None:
            top = max(float(self._density.max()), 1e-9)
            level = np.clip(1 + np.log10(np.maximum(self._density / top, 1e-9)) / _DECADES, 0, 1)[::-1]
            ink = QtGui.QColor(self._theme.colors.accent)
            pixels = np.zeros((*level.shape, 4), np.uint8)
            pixels[..., :3] = ink.red(), ink.green(), ink.blue()
            pixels[..., 3] = np.round(210 * level)
            rows, columns = level.shape
            form = QtGui.QImage.Format.Format_RGBA8888
            self._image = QtGui.QImage(pixels.tobytes(), columns, rows, 4 * columns, form).copy()
        self.update()

    def _draw_grid(self, painter: QtGui.QPainter, disc: QtCore.QRectF) -> None:
        colors, centre, radius = self._theme.colors, disc.center(), disc.width() / 2
        line = QtGui.QColor(colors.faint)
        line.setAlpha(120)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QtGui.QPen(line, 1.0))
        for tilt in _RINGS_DEG:
            ring = radius * math.sqrt(2) * math.sin(math.radians(tilt) / 2)
            painter.drawEllipse(centre, ring, ring)
        for azimuth in range(0, 180, 45):
            x, y = radius * math.cos(math.radians(azimuth)), radius * math.sin(math.radians(azimuth))
            painter.drawLine(centre + QtCore.QPointF(-x, y), centre + QtCore.QPointF(x, -y))
        painter.setPen(QtGui.QColor(colors.faint))
        for azimuth in range(0, 360, 90):
            x, y = math.cos(math.radians(azimuth)), -math.sin(math.radians(azimuth))
            away = radius + (5 + painter.fontMetrics().horizontalAdvance(f"{azimuth}°") / 2 if x**2 > y**2 else 11)
            _write(painter, centre + QtCore.QPointF(x, y) * away, f"{azimuth}°")
        for tilt in _RINGS_DEG[:-1]:
            ring = radius * math.sqrt(2) * math.sin(math.radians(tilt) / 2)
            _write(painter, centre + QtCore.QPointF(math.cos(1.18), math.sin(1.18)) * ring, f"{tilt}°")

    def _draw_poles(self, painter: QtGui.QPainter) -> None:
        ink = QtGui.QColor(self._theme.colors.text)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for name, normal in self._poles:
            if normal[2] < -1e-6:
                continue
            spot = self.place(normal)
            painter.setPen(QtGui.QPen(ink, 1.4))
            painter.drawRect(QtCore.QRectF(spot.x() - 4, spot.y() - 4, 8, 8))
            if self._disc().width() > _ROOMY_PX:
                painter.setPen(ink)
                _write(painter, spot + QtCore.QPointF(0, 13), name)

    def _draw_facets(self, painter: QtGui.QPainter) -> None:
        if self._found is None:
            return
        for number in sorted(self._found.numbers, key=lambda n: (n in self._chosen, -n)):
            spot, is_chosen = self.place(self._found.normals[number]), number in self._chosen
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.colors.text), 2.0 if is_chosen else 1.0))
            painter.setBrush(QtGui.QColor(*facet_color(number)))
            size = 6.0 if is_chosen else 4.0
            painter.drawEllipse(spot, size, size)
            if is_chosen:
                painter.setPen(QtGui.QColor(self._theme.colors.text))
                _write(painter, spot - QtCore.QPointF(0, 14), str(number))


def _write(painter: QtGui.QPainter, spot: QtCore.QPointF, text: str) -> None:
    painter.drawText(QtCore.QRectF(spot.x() - 40, spot.y() - 9, 80, 18), Qt.AlignmentFlag.AlignCenter, text)
