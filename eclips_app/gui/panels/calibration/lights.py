"""Icons of states that are seen on a highlighted row too."""

from __future__ import annotations

from eclips_app.gui.panels.calibration.presenter import DONE, MISSING, STALE
from eclips_app.gui.qt import QtGui
from eclips_app.gui.theme import Theme


def light_icon(theme: Theme, state: str) -> QtGui.QIcon:
    """Give the icon of a light."""
    colors = theme.colors
    name, ink = {
        MISSING: ("missing", colors.faint), DONE: ("good", colors.good), STALE: ("warning", colors.warning)
    }[state]  # fmt: skip
    icon = theme.icon(name, ink)
    on_highlight = theme.icon(name, colors.on_accent).pixmap(40, 40)  # the colours drown in it
    icon.addPixmap(on_highlight, QtGui.QIcon.Mode.Selected)
    return icon
