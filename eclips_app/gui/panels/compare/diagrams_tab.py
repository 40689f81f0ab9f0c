"""Diagrams of a comparison: how the difference is spread, and whether it grows with the slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.plot_colors import color_plot
from eclips_app.model.items import Comparison

_REACH = 2.2  #: what of the histogram is shown, in distances of the limits of agreement from the bias
_METRE = 1e-9  #: the axes choose nm or µm themselves from metres


class _Diagram(pg.PlotWidget):
    """A plot in the colours of the theme."""

    def __init__(self, theme: Theme, name: str, labels: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self.setAccessibleName(name)
        self.setMinimumSize(120, 90)
        self.hideButtons()
        for side, (text, unit) in labels.items():
            self.setLabel(side, text, units=unit or None)
            if unit == "m":
                self.getAxis(side).setScale(_METRE)
            else:
                self.getAxis(side).enableAutoSIPrefix(False)
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Show everything again."""
        self.autoRange()
        event.accept()

    def _use_theme(self) -> None:
        colors = self._theme.colors
        color_plot(self, colors)
        self.draw()

    def draw(self) -> None:
        """Draw what is shown in the present colours."""


class Histogram(_Diagram):
    """Counts of the difference, with the bias and the limits of agreement."""

    def __init__(self, theme: Theme) -> None:
        self._points: tuple[Sequence[float], Sequence[float]] = ((), ())
        self.marks: dict[str, float] = {}  #: where lines stand, in nm
        labels = {"bottom": ("Difference", "m"), "left": ("Pixels", "")}
        super().__init__(theme, "Histogram of the difference", labels)

    def show_values(
        self, edges_nm: Sequence[float], counts: Sequence[float], bias_nm: float, limits_nm: tuple[float, float]
    ) -> None:
        """Show counts between edges."""
        self._points = edges_nm, counts
        self.marks = {"Bias": bias_nm, "Lower limit": limits_nm[0], "Upper limit": limits_nm[1]}
        self.draw()
        reach = _REACH * max(abs(limit - bias_nm) for limit in limits_nm)
        if reach > 0:
            self.setXRange(bias_nm - reach, bias_nm + reach, padding=0)

    def draw(self) -> None:
        """Draw bars and lines."""
        colors, (edges, counts) = self._theme.colors, self._points
        self.clear()
        if not len(counts):
            return
        fill = pg.mkColor(colors.curves[0])
        fill.setAlpha(110)
        curve = pg.PlotCurveItem(np.asarray(edges, float), np.asarray(counts, float), stepMode="center", fillLevel=0)
        curve.setPen(pg.mkPen(colors.curves[0]))
        curve.setBrush(fill)
        self.addItem(curve)
        for name, place in self.marks.items():
            style = Qt.PenStyle.SolidLine if name == "Bias" else Qt.PenStyle.DashLine
            options = {"position": 0.97, "color": colors.text, "rotateAxis": (1, 0), "anchors": [(1, 0), (1, 0)]}
            pen = pg.mkPen(colors.curves[1], width=1.5, style=style)
            self.addItem(pg.InfiniteLine(place, pen=pen, label=name, labelOpts=options))


class BiasBySlope(_Diagram):
    """Mean difference against the slope, with error bars."""

    def __init__(self, theme: Theme) -> None:
        self._rows: tuple[np.ndarray, ...] = (np.zeros(0),) * 3
        super().__init__(theme, "Bias against slope", {"bottom": ("Slope (°)", ""), "left": ("Bias", "m")})

    @property
    def points(self) -> tuple[np.ndarray, ...]:
        """Slope in degrees, bias and its standard deviation in nm or degrees."""
        return self._rows

    def show_values(
        self, slope_deg: Sequence[float], bias: Sequence[float], std: Sequence[float], *, in_degrees: bool
    ) -> None:
        """Show one point for each class of slope; the bias is that of slopes in degrees, or of heights in nm."""
        self.setLabel(
            "left", "Bias of slope (°)" if in_degrees else "Bias of height", units=None if in_degrees else "m"
        )
        self.getAxis("left").setScale(1.0 if in_degrees else _METRE)
        known = [row for row in zip(slope_deg, bias, std, strict=True) if None not in row]
        self._rows = tuple(np.array([row[i] for row in known], float) for i in range(3))
        self.draw()
        self.autoRange()

    def draw(self) -> None:
        """Draw points and bars."""
        colors, (slope, bias, std) = self._theme.colors, self._rows
        self.clear()
        if not len(slope):
            return
        self.addItem(pg.InfiniteLine(0.0, angle=0, pen=pg.mkPen(colors.faint, style=Qt.PenStyle.DashLine)))
        beam = 0.2 * float(np.median(np.diff(slope))) if len(slope) > 1 else 0.5
        self.addItem(pg.ErrorBarItem(x=slope, y=bias, height=4 * std, beam=beam, pen=pg.mkPen(colors.curves[0])))
        self.addItem(pg.PlotDataItem(
            slope, bias, pen=pg.mkPen(colors.curves[0], width=1), symbol="o", symbolSize=6,
            symbolBrush=colors.curves[0], symbolPen=None,
        ))  # fmt: skip


class DiagramsTab(QtWidgets.QWidget):
    """Both diagrams, one above the other."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._shown: Comparison | None = None
        self.histogram, self.by_slope = Histogram(theme), BiasBySlope(theme)
        self.of_what = CalmCombo("Bias against slope", "What is drawn against the slope of the surface")
        self.of_what.addItem("Bias of heights against slope", "nm")
        self.of_what.addItem("Bias of slopes against slope", "deg")
        self.of_what.activated.connect(self._show_by_slope)
        self.note = QtWidgets.QLabel("Error bars: two standard uncertainties.")
        self.note.setProperty("kind", "faint")
        self.note.setWordWrap(True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        for widget, stretch in ((self.histogram, 1), (self.of_what, 0), (self.by_slope, 1), (self.note, 0)):
            layout.addWidget(widget, stretch)

    def show_comparison(self, compared: Comparison | None) -> None:
        """Show the diagrams of a comparison; none without."""
        if compared is self._shown:
            return
        self._shown = compared
        info = compared.info if compared is not None else {}
        counted, values = info.get("histogram"), info.get("values", {})
        if counted:
            limits = [values[f"{side} limit of agreement"]["value"] for side in ("Lower", "Upper")]
            self.histogram.show_values(
                counted["edges_nm"], counted["counts"], values["Bias"]["value"], (limits[0], limits[1])
            )
        else:
            self.histogram.show_values((), (), 0.0, (0.0, 0.0))
        self._show_by_slope()

    def _show_by_slope(self, _: int = 0) -> None:
        by_slope = self._shown.info.get("by_slope") if self._shown is not None else None
        unit = self.of_what.currentData()
        names = ("slope_deg", f"bias_{unit}", f"std_{unit}")
        rows = [by_slope[name] for name in names] if by_slope else [(), (), ()]
        self.by_slope.show_values(*rows, in_degrees=unit == "deg")
