"""A tool button whose icon follows the theme."""

from __future__ import annotations

from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.theme import Theme


class ThemedButton(QtWidgets.QToolButton):
    """Shows the icon `name`; the tip is its accessible name too."""

    def __init__(self, theme: Theme, name: str, tip: str, keys: str = "") -> None:
        super().__init__()
        self._theme, self._name = theme, name
        self.setIconSize(QtCore.QSize(18, 18))
        self.setAccessibleName(tip)
        self.setToolTip(f"{tip} ({keys})" if keys else tip)
        theme.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self.setIcon(self._theme.icon(self._name))
