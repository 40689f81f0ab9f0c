"""How chi-square falls over the outer steps of a fit or the rounds of a loop, while it runs and afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.gui.qt import QtCore
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.plot_colors import color_plot

_MANY = 30  #: rounds, whose axis has coarser ticks
_FEW_DECADES = 3  #: so many have room for more than one label each
_TIP = (
    "χ² per degree of freedom; dashed: the cost (misfit and prior) in proportion to it, which rises where the smoothing "
    "is found anew. The run's χ² is that of the heights with what is extrapolated at edges."
)
_DECADE = 10.0  #: a curve that spans more has a logarithmic axis


class Chi2Plot(pg.PlotWidget):
    """Chi-square per degree of freedom over the outer steps; the cost, in proportion to it, is dashed."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self.curve = pg.PlotDataItem(symbol="o", symbolSize=5, antialias=True)
        self.cost = pg.PlotDataItem(antialias=True)
        for item in (self.cost, self.curve):
            self.addItem(item)
        self.setLabel("bottom", "Outer step")
        self.setLabel("left", "χ²")
        self.getAxis("left").setWidth(52)
        self.getAxis("bottom").setTickSpacing(5, 1)
        self.getAxis("left").enableAutoSIPrefix(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setFixedHeight(130)
        self.setAccessibleName("Chi-square over the outer steps")
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def show_curve(self, points: NDArray[np.float64], cost: Sequence[float] = (), *, of_rounds: bool = False) -> None:
        """Show a curve.

        Parameters
        ----------
        points : array [n, 2]
            Outer step and chi-square per degree of freedom.
        cost : sequence of float, optional
            The cost at the last of these steps, those at full size: misfit and prior together, whose fall ends a fit.
        of_rounds : bool
            Whether the steps are rounds of a self-supervised loop.
        """
        self.setLabel("bottom", "Round" if of_rounds else "Outer step")
        self.getAxis("bottom").setTickSpacing(*((50, 10) if of_rounds and len(points) > _MANY else (5, 1)))
        steps, chi2 = points[:, 0], points[:, 1]
        is_wide = bool((chi2 > 0).all() and chi2.max(initial=1.0) > _DECADE * chi2.min(initial=np.inf))
        self.setLogMode(y=is_wide)
        self.getAxis("left").setTicks([_log_ticks(chi2.min(), chi2.max())] if is_wide else None)
        self.curve.setData(steps, chi2)
        if 1 < len(cost) <= steps.max(initial=0) + 1 and cost[-1]:
            self.cost.setData(steps[-1] - np.arange(len(cost))[::-1], np.asarray(cost) * chi2[-1] / cost[-1])
            self.setToolTip(_TIP)
        else:
            self.cost.clear()
            self.setToolTip("χ² per degree of freedom: 1 is what noise alone leaves")

    def _use_theme(self) -> None:
        colors = self._theme.colors
        self.curve.setPen(pg.mkPen(colors.curves[0], width=1.6))
        self.curve.setSymbolBrush(colors.curves[0])
        self.curve.setSymbolPen(None)
        self.cost.setPen(pg.mkPen(colors.curves[1], width=1.2, style=QtCore.Qt.PenStyle.DashLine))
        color_plot(self, colors)


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Give ticks (logarithm, text) at 1, 2 and 5 times the powers of ten, over a wide range at the powers alone."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= _FEW_DECADES else (1,)
    values = [step * 10.0**decade for decade in decades for step in steps]
    return [(math.log10(value), f"{value:g}") for value in values]
