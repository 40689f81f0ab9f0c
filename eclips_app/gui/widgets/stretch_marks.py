"""Stretches marked on a profile's plot: shaded, numbered, dragged by their ends or as a whole, each with a fitted line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.qt import Qt, QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme

Stretch = tuple[float, float]
_SHORTEST = 0.004  #: of the visible width; a shorter drag is a slip of the mouse


@dataclass(frozen=True)
class StretchMark:
    """A stretch in nm from the start, the text beside its number, and the ends (distance, height) of the line fitted to it."""

    stretch_nm: Stretch
    text: str = ""
    fit: tuple[tuple[float, float], tuple[float, float]] | None = None


class MarkBox(pg.ViewBox):
    """A view whose drags mark a stretch while `marking` is on, and pan it else."""

    dragged = Signal(float, float, bool)  #: from, to, whether it is finished

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.marking = False

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Mark or pan."""
        if not self.marking or ev.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        first, last = (
            self.mapToView(self.mapFromScene(place)).x() for place in (ev.buttonDownScenePos(), ev.scenePos())
        )
        self.dragged.emit(float(first), float(last), bool(ev.isFinish()))


class StretchMarks(QtCore.QObject):
    """The stretches on one plot. It tells what the user wants, and changes nothing itself."""

    marked = Signal(float, float)  #: a new stretch
    moved = Signal(object)  #: all stretches while one is dragged
    drag_ended = Signal()
    marking_changed = Signal(bool)

    def __init__(self, plot: pg.PlotWidget, box: MarkBox, theme: Theme) -> None:
        super().__init__(plot)
        self._plot, self._box, self._theme = plot, box, theme
        self._regions: list[pg.LinearRegionItem] = []
        self._labels: list[pg.InfLineLabel] = []
        self._fits: list[pg.PlotCurveItem] = []
        self._new: pg.LinearRegionItem | None = None
        box.dragged.connect(self._on_dragged)
        theme.changed.connect(self._use_theme)

    @property
    def stretches_nm(self) -> tuple[Stretch, ...]:
        """Where the stretches are."""
        return tuple((float(a), float(b)) for a, b in (region.getRegion() for region in self._regions))

    def set_marking(self, on: bool) -> None:
        """Let the next drag over the plot mark a stretch."""
        if on != self._box.marking:
            self._box.marking = on
            self._plot.viewport().setCursor(Qt.CursorShape.SplitHCursor if on else Qt.CursorShape.ArrowCursor)
            self.marking_changed.emit(on)

    def show_marks(self, marks: Sequence[StretchMark], right_nm: float) -> None:
        """Show these stretches; they stay between 0 and `right_nm`."""
        while len(self._regions) < len(marks):
            self._add()
        while len(self._regions) > len(marks):
            for items in (self._regions, self._fits):
                self._plot.removeItem(items.pop())
            self._labels.pop()
        for i, mark in enumerate(marks):
            self._show(i, mark, right_nm)

    def _show(self, i: int, mark: StretchMark, right_nm: float) -> None:
        region, fit = self._regions[i], self._fits[i]
        blocker = QtCore.QSignalBlocker(region)
        if region.getRegion() != mark.stretch_nm:
            region.setBounds((0.0, max(right_nm, *mark.stretch_nm)))
            region.setRegion(mark.stretch_nm)
        blocker.unblock()
        text = f"{i + 1}  {mark.text}".strip()
        if self._labels[i].format != text:
            self._labels[i].setFormat(text)
        if mark.fit is None:
            fit.clear()
        else:
            (x0, z0), (x1, z1) = mark.fit
            fit.setData(np.array([x0, x1]), np.array([z0, z1]))

    def _add(self) -> None:
        region = pg.LinearRegionItem(movable=True, swapMode="sort")
        region.setZValue(-5)
        label = pg.InfLineLabel(region.lines[0], "", position=0.06, anchors=[(0.0, 0.5), (0.0, 0.5)])
        fit = pg.PlotCurveItem(antialias=True)
        fit.setZValue(15)
        self._plot.addItem(region, ignoreBounds=True)
        self._plot.addItem(fit, ignoreBounds=True)
        region.sigRegionChanged.connect(self._on_region)
        region.sigRegionChangeFinished.connect(self._on_region_end)
        self._regions.append(region)
        self._labels.append(label)
        self._fits.append(fit)
        self._use_theme()

    def _on_region(self, _: object) -> None:
        self.moved.emit(self.stretches_nm)

    def _on_region_end(self, _: object) -> None:
        self.drag_ended.emit()

    def _on_dragged(self, first: float, last: float, finished: bool) -> None:
        low, high = sorted((max(first, 0.0), max(last, 0.0)))
        if self._new is None:
            self._new = pg.LinearRegionItem(movable=False)
            self._plot.addItem(self._new, ignoreBounds=True)
        self._new.setRegion((low, high))
        if finished:
            self._plot.removeItem(self._new)
            self._new = None
            width = self._box.viewRange()[0][1] - self._box.viewRange()[0][0]
            if high - low >= _SHORTEST * width:
                self.set_marking(False)
                self.marked.emit(low, high)

    def _use_theme(self) -> None:
        for i, region in enumerate(self._regions):
            ink = QtGui.QColor(stretch_color(self._theme, i))
            for line in region.lines:
                line.setPen(pg.mkPen(ink, width=1.2))
                line.setHoverPen(pg.mkPen(ink, width=3))
            for alpha, use in ((38, region.setBrush), (70, region.setHoverBrush)):
                shade = QtGui.QColor(ink)
                shade.setAlpha(alpha)
                use(shade)
            self._labels[i].setColor(ink)
            self._fits[i].setPen(pg.mkPen(ink, width=2))


def stretch_color(theme: Theme, index: int) -> str:
    """Give the colour of a stretch; the first two of the theme are those of the cursors."""
    curves = theme.colors.curves
    return curves[(index + 2) % len(curves)]
