"""The plot of height over distance, with bands about the curves and two cursors; made to follow the mouse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.plot_colors import color_plot
from eclips_app.gui.widgets.stretch_marks import MarkBox, StretchMark, StretchMarks
from eclips_app.metrology.profile import Profile

_METRE = 1e-9  #: the axes choose nm or µm themselves from metres
_Floats = NDArray[np.float64]
_SLACK = 0.08  #: free room above and below the curves, as a part of their range


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve; `dash` is "solid", "dash" or "dot", and `band_nm` [point] is half the height of the band about it."""

    key: str
    name: str
    profile: Profile
    color: str
    dash: str = "solid"
    is_main: bool = False  #: drawn thicker
    band_nm: NDArray[np.float64] | None = None


class ProfilePlot(pg.PlotWidget):
    """Height over distance in nm. The cursors are distances in nm from the line's start."""

    cursors_moved = Signal()

    def __init__(self, theme: Theme) -> None:
        self._axes = {side: pg.AxisItem(side) for side in ("bottom", "left")}
        self._box = MarkBox()
        super().__init__(axisItems=self._axes, viewBox=self._box, enableMenu=False)
        self._theme = theme
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self._shown: tuple[Curve, ...] = ()
        self._bands: dict[str, _Band] = {}
        self._fit = pg.PlotCurveItem(antialias=True)
        self._free = True  # the ranges follow the curves until the user zooms
        self._equal = False
        self._range: tuple[float, float, float] | None = None
        self.cursors = tuple(self._make_cursor(i) for i in (1, 2))
        for item in (self._fit, *self.cursors):
            self.addItem(item)
        self.stretches = StretchMarks(self, self._box, theme)
        for side, text in (("bottom", "Distance"), ("left", "Height")):
            self.setLabel(side, text, units="m")
            self._axes[side].setScale(_METRE)
            # The grid is drawn once for each range, not for each move of the mouse.
            self._axes[side].setCacheMode(QtWidgets.QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self._axes["left"].setWidth(72)  # a fixed width: no new layout when the labels change
        self.hideButtons()
        self.setMinimumSize(160, 90)
        # Nearly all of it changes with a curve; finding out which parts do takes longer than painting the rest.
        self.setViewportUpdateMode(QtWidgets.QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setAccessibleName("Height profile")
        self.getViewBox().sigRangeChangedManually.connect(self._on_zoom)
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Show these curves in the place of the earlier ones."""
        before, self._shown = {curve.key: curve for curve in self._shown}, tuple(curves)
        for key in self._curves.keys() - {curve.key for curve in curves}:
            self.removeItem(self._curves.pop(key))
        for curve in curves:
            self._show_curve(curve, before.get(curve.key))
        self._show_bands({curve.key: curve for curve in curves if curve.band_nm is not None})
        self._follow()

    def _show_curve(self, curve: Curve, before: Curve | None) -> None:
        """Show a curve; one that is as `before` is not drawn again."""
        item = self._curves.get(curve.key)
        if item is None:
            item, before = pg.PlotCurveItem(antialias=True), None
            self._curves[curve.key] = item
            self.addItem(item)
        if before is None or before.profile is not curve.profile:
            # Holes are gaps: NaN ends the line, which `connect="finite"` needs.
            item.setData(curve.profile.distance_nm, curve.profile.height_nm, connect="finite")
        if before is None or _look(before) != _look(curve):
            item.setPen(_pen(curve))

    def _show_bands(self, curves: dict[str, Curve]) -> None:
        for key in self._bands.keys() - curves.keys():
            self.removeItem(self._bands.pop(key))
        for key, curve in curves.items():
            if key not in self._bands:
                self._bands[key] = _Band()
                self.addItem(self._bands[key], ignoreBounds=True)
            self._bands[key].set_curve(curve)

    def set_fit(self, points: tuple[tuple[float, float], tuple[float, float]] | None) -> None:
        """Show the straight line fitted between the cursors: its two ends (distance, height) in nm."""
        if points is None:
            self._fit.clear()
        else:
            (x0, z0), (x1, z1) = points
            self._fit.setData(np.array([x0, x1]), np.array([z0, z1]))

    def set_stretches(self, marks: Sequence[StretchMark]) -> None:
        """Show the marked stretches with the lines fitted to them."""
        right = max((float(curve.profile.distance_nm[-1]) for curve in self._shown), default=0.0)
        self.stretches.show_marks(marks, right)

    @property
    def cursor_positions_nm(self) -> tuple[float, float]:
        """Where the cursors are."""
        return float(self.cursors[0].value()), float(self.cursors[1].value())

    def set_cursors(self, first_nm: float, second_nm: float) -> None:
        """Move both cursors without telling it."""
        for cursor, place in zip(self.cursors, (first_nm, second_nm), strict=True):
            if cursor.value() != place:
                blocker = QtCore.QSignalBlocker(cursor)
                cursor.setValue(place)
                blocker.unblock()

    def set_equal_aspect(self, equal: bool) -> None:
        """Draw height and distance to the same scale, so that angles look as they are."""
        self._equal = equal
        self.getViewBox().setAspectLocked(equal, ratio=1.0)
        self.fit()

    def fit(self) -> None:
        """Show everything and follow the curves again."""
        self._free, self._range = True, None
        self._follow()

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """Show everything again."""
        self.fit()
        event.accept()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Move the second cursor with left and right, the first with Ctrl; Shift takes ten times the step; 0 fits."""
        side = {Qt.Key.Key_Left: -1.0, Qt.Key.Key_Right: 1.0}.get(Qt.Key(event.key()))
        if side is not None and self._shown:
            profile = self._shown[0].profile
            step = side * float(profile.distance_nm[1] if len(profile) > 1 else 1.0)
            step *= 10.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            first = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            cursor = self.cursors[0 if first else 1]
            cursor.setValue(cursor.value() + step)
        elif event.key() == Qt.Key.Key_0:
            self.fit()
        else:
            event.ignore()

    def _make_cursor(self, number: int) -> pg.InfiniteLine:
        cursor = pg.InfiniteLine(0.0, angle=90, movable=True, label=str(number), labelOpts={"position": 0.94})
        cursor.setZValue(20)
        cursor.sigPositionChanged.connect(self._on_cursor)
        return cursor

    def _on_cursor(self, _: object) -> None:
        self.cursors_moved.emit()

    def _on_zoom(self, _: object) -> None:
        self._free = False

    def _follow(self) -> None:
        """Fit the ranges to the curves, but only when they no longer suit: new axis labels cost more than the curve."""
        if not self._free or not self._shown:
            return
        right = max(float(curve.profile.distance_nm[-1]) for curve in self._shown)
        ends = [_height_range(curve) for curve in self._shown]
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        if not math.isfinite(low + high):
            low, high = 0.0, 1.0
        span = max(high - low, right * 1e-5, 1e-3)
        old = self._range
        fits = old is not None and old[0] <= low and high <= old[1] and (old[1] - old[0]) < 2.0 * span
        bottom, top = (old[0], old[1]) if fits and old else (low - _SLACK * span * 2, high + _SLACK * span * 2)
        if old is not None and 0.7 * old[2] <= right <= old[2]:
            right = old[2]
        if old is None or (bottom, top, right) != old:
            self._range = (bottom, top, right)
            for cursor in self.cursors:
                blocker = QtCore.QSignalBlocker(cursor)
                cursor.setBounds((0.0, right))
                blocker.unblock()
            self.getViewBox().setRange(xRange=(0.0, right), yRange=(bottom, top), padding=0.0, disableAutoRange=True)

    def _use_theme(self) -> None:
        colors = self._theme.colors
        color_plot(self, colors)
        for cursor, ink in zip(self.cursors, (colors.accent, colors.warning), strict=True):
            cursor.setPen(pg.mkPen(ink, width=1.5))
            cursor.setHoverPen(pg.mkPen(ink, width=3))
            cursor.label.setColor(ink)
        self._fit.setPen(pg.mkPen(colors.text, width=1, style=Qt.PenStyle.DashLine))


class _Band(pg.GraphicsObject):
    """An area about a curve; gaps at holes."""

    def __init__(self) -> None:
        super().__init__()
        self._path = QtGui.QPainterPath()
        self._color = QtGui.QColor(0, 0, 0, 0)

    def set_curve(self, curve: Curve) -> None:
        self.prepareGeometryChange()
        self._path = QtGui.QPainterPath()
        self._color = QtGui.QColor(curve.color)
        self._color.setAlpha(55)
        x, z, half = curve.profile.distance_nm, curve.profile.height_nm, curve.band_nm
        if half is not None:
            for part in _runs(np.isfinite(z) & np.isfinite(half)):
                self._path.addPolygon(_area(x[part], z[part], half[part]))
        self.update()

    def boundingRect(self) -> QtCore.QRectF:
        return self._path.boundingRect()

    def paint(self, painter: QtGui.QPainter, *_: object) -> None:
        smooth = painter.testRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing, False)  # of a pale area, it is not worth the time
        painter.fillPath(self._path, self._color)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing, smooth)


def _area(x: _Floats, z: _Floats, half: _Floats) -> QtGui.QPolygonF:
    polygon: QtGui.QPolygonF = pg.functions.arrayToQPolygonF(
        np.concatenate([x, x[::-1]]), np.concatenate([z + half, (z - half)[::-1]])
    )
    return polygon


def _runs(known: NDArray[np.bool_]) -> list[slice]:
    """Give the stretches of neighbouring True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _height_range(curve: Curve) -> tuple[float, float]:
    z, half = curve.profile.height_nm, curve.band_nm
    room = 0.0 if half is None else np.nan_to_num(half)
    known = np.isfinite(z)
    return (float((z - room)[known].min()), float((z + room)[known].max())) if known.any() else (math.inf, -math.inf)


def _look(curve: Curve) -> tuple[str, str, bool]:
    return curve.color, curve.dash, curve.is_main


def _pen(curve: Curve) -> QtGui.QPen:
    # Lines wider than a pixel, above all dashed ones, take several times as long to draw.
    styles = {"solid": Qt.PenStyle.SolidLine, "dash": Qt.PenStyle.DashLine, "dot": Qt.PenStyle.DotLine}
    pen: QtGui.QPen = pg.mkPen(curve.color, width=1.6 if curve.is_main else 1.0, style=styles[curve.dash])
    return pen
