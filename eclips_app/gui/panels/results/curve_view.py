"""The curves of a measurement, a spectrum or a bearing curve for example: one at a time, in a small plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core.units import capital
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.plot_colors import color_plot
from eclips_app.gui.widgets.themed_button import ThemedButton

_HEIGHT_PX = 170
_AXES = {
    "psd": ("Wavenumber (rad/nm)", "Density (nm³ or nm⁴)"), "autocorrelation": ("Distance (nm)", "Autocorrelation"),
    "bearing": ("Material ratio (%)", "Height (nm)"), "histogram": ("Height (nm)", "Pixels"),
    "roughness": ("Distance (nm)", "Height (nm)"), "waviness": ("Distance (nm)", "Height (nm)"),
}  # fmt: skip
_TITLES = {"psd": "Power spectral density"}
_LOGARITHMIC = ("psd",)


class CurveView(QtWidgets.QWidget):
    """Shows what ``NAME/x`` and ``NAME/y`` hold; maps have no place here. `export_asked` wants all as files."""

    export_asked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._arrays: Mapping[str, NDArray[Any]] = {}
        self.choice = QtWidgets.QComboBox()
        self.choice.setAccessibleName("Curve")
        self.choice.setToolTip("Which curve of the measurement is drawn")
        self.export = ThemedButton(theme, "export", "Write the curves of this row as CSV files")
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.setAccessibleName("Curve of the selected result")
        self.plot.setFixedHeight(_HEIGHT_PX)
        self.plot.hideButtons()
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(self.choice, 1)
        bar.addWidget(self.export)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(bar)
        layout.addWidget(self.plot)
        self.choice.activated.connect(self._draw)
        self.export.clicked.connect(self.export_asked)
        theme.changed.connect(self._draw)

    def show_curves(self, arrays: Mapping[str, NDArray[Any]] | None) -> None:
        """Show the curves of a measurement; hidden where there are none."""
        kept, self._arrays = self.choice.currentText(), arrays or {}
        names = [key.removesuffix("/x") for key in self._arrays if key.endswith("/x")]
        self.choice.clear()
        for name in names:
            self.choice.addItem(_TITLES.get(name, capital(name)), name)
        self.choice.setCurrentIndex(max(0, self.choice.findText(kept)))
        self.setVisible(bool(names))
        self._draw()

    def _draw(self, _: object = None) -> None:
        colors, name = self._theme.colors, self.choice.currentData()
        self.plot.clear()
        color_plot(self.plot, colors)
        if not name:
            return
        x, y = (np.asarray(self._arrays[f"{name}/{axis}"], float) for axis in "xy")
        is_logarithmic = name in _LOGARITHMIC
        shown = np.isfinite(x) & np.isfinite(y) & ((x > 0) & (y > 0) if is_logarithmic else True)
        self.plot.setLogMode(is_logarithmic, is_logarithmic)
        for side, text in zip(("bottom", "left"), _AXES.get(name, ("", "")), strict=True):
            self.plot.setLabel(side, text)
        self.plot.plot(x[shown], y[shown], pen=pg.mkPen(colors.accent, width=1.5))
        self.plot.autoRange()
