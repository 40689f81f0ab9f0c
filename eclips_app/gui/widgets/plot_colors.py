"""The look of every plot: background, axes and grid in the colours of the theme."""

from __future__ import annotations

import pyqtgraph as pg

from eclips_app.gui.theme import Colors

_GRID = 60  #: opacity, of 255


def color_plot(plot: pg.PlotWidget, colors: Colors) -> None:
    """Colour background, axes, their texts and the grid."""
    plot.setBackground(colors.base)
    for side in ("bottom", "left"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(colors.border))
        axis.setTextPen(pg.mkPen(colors.text))
        axis.setGrid(_GRID)
