"""Every command of the program in one registry: menus, tool bars, shortcuts and the command palette read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eclips_app.gui.qt import QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme


@dataclass(frozen=True)
class ActionInfo:
    """A command: `key` names it, `menu` is where it stands, `enabled` tells whether it can be done now."""

    key: str
    text: str
    menu: str
    run: Callable[[], object]
    shortcut: str = ""
    icon: str = ""
    enabled: Callable[[], bool] | None = None
    help: str = ""


class ActionRegistry(QtCore.QObject):
    """Commands by key, each as one QAction that every menu and button shares."""

    added = Signal(str)

    def __init__(self, theme: Theme, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._infos: dict[str, ActionInfo] = {}
        self._actions: dict[str, QtGui.QAction] = {}
        theme.changed.connect(self._draw_icons)

    def infos(self) -> list[ActionInfo]:
        """Give all commands in the order in which they came."""
        return list(self._infos.values())

    def add(self, info: ActionInfo) -> QtGui.QAction:
        """Register a command."""
        action = QtGui.QAction(info.text, self)
        action.setObjectName(info.key)
        if info.shortcut:
            action.setShortcut(QtGui.QKeySequence(info.shortcut))
        action.setToolTip(_tool_tip(info))
        action.setStatusTip(info.help)
        action.triggered.connect(info.run)
        self._infos[info.key] = info
        self._actions[info.key] = action
        if info.icon:
            action.setIcon(self._theme.icon(info.icon))
        self.added.emit(info.key)
        return action

    def action(self, key: str) -> QtGui.QAction:
        """Give the QAction of a command."""
        return self._actions[key]

    def update_enabled(self) -> None:
        """Ask every command whether it can be done now."""
        for key, info in self._infos.items():
            if info.enabled is not None:
                self._actions[key].setEnabled(info.enabled())

    def _draw_icons(self) -> None:
        for key, info in self._infos.items():
            if info.icon:
                self._actions[key].setIcon(self._theme.icon(info.icon))


def _tool_tip(info: ActionInfo) -> str:
    text = info.help or info.text.rstrip("…")
    return f"{text} ({info.shortcut})" if info.shortcut else text
