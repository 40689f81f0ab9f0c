"""How much steeper the signal of a slope is than a flat's: by theory, by the fit, and as measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.plot_colors import color_plot

_CURVES = (
    ("lambert", "Lambert", "┈", Qt.PenStyle.DotLine), ("tabulated", "tabulated", "╌", Qt.PenStyle.DashLine),
    ("fitted", "fitted", "─", Qt.PenStyle.SolidLine),
)  # fmt: skip


class CurvePlot(pg.PlotWidget):
    """Slope gain k over the tilt in degrees."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self._curve: dict[str, Any] = {}
        self.setAccessibleName("Slope gain k over tilt")
        self.setToolTip("Slope gain k: (A − C) / (A + C) over the slope, for a facet that leans toward segment A")
        self.setMinimumSize(160, 110)
        self.hideButtons()
        self.setLabel("bottom", "Tilt (°)")
        self.setLabel("left", "k (slope)")
        for side in ("bottom", "left"):  # once: every call scales the axis by its range at that time
            self.getAxis(side).enableAutoSIPrefix(False)
        theme.changed.connect(self._draw)
        self._draw()

    def show_curve(self, curve: dict[str, Any]) -> None:
        """Show the ``curve`` of a calibration; empty clears the plot."""
        if curve is not self._curve:
            self._curve = curve
            self._draw()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show everything again."""
        self.getPlotItem().autoRange()
        event.accept()

    def _draw(self) -> None:
        colors = self._theme.colors
        color_plot(self, colors)
        self.clear()
        told = []
        inks = (colors.faint, colors.curves[1], colors.curves[0])
        for (key, name, sign, style), ink in zip(_CURVES, inks, strict=True):
            if self._curve.get(key) is not None:
                tilt, value = (np.array(self._curve[each], dtype=float) for each in ("tilt_deg", key))
                pen = pg.mkPen(ink, width=1.6, style=style)
                self.plot(tilt, value, pen=pen, connect="finite")
                told.append(f"<span style='color:{ink}'>{sign} {name}</span>")
        if self._draw_points(colors.text):
            told.append(f"<span style='color:{colors.text}'>● measured</span>")
        self.setTitle("&nbsp;&nbsp; ".join(told) or None, size="8pt")  # beside the plot, so that it hides no point
        self.getPlotItem().autoRange()

    def _draw_points(self, ink: str) -> bool:
        points = [each for each in self._curve.get("measured") or () if each["value"] is not None]
        if not points:
            return False
        tilt, value = (np.array([each[key] for each in points], dtype=float) for key in ("tilt_deg", "value"))
        std = np.array([each.get("std") or 0.0 for each in points])
        self.addItem(pg.ErrorBarItem(x=tilt, y=value, top=std, bottom=std, beam=0.6, pen=pg.mkPen(ink)))
        item = pg.ScatterPlotItem(
            tilt, value, size=6, pen=pg.mkPen(ink), brush=pg.mkBrush(ink), hoverable=True,
            tip=_tip, data=[each.get("name", "") for each in points],
        )  # fmt: skip
        self.addItem(item)
        return True

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a modest plot."""
        return QtCore.QSize(320, 170)


def _tip(x: float, y: float, data: str) -> str:
    return f"{data}: k = {y:.3f} at {x:.1f}°"
