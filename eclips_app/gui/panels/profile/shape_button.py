"""The drawing tool: a button that draws the shape chosen last, with a menu of all shapes."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.shape_geometry import TITLES
from eclips_app.gui.widgets.themed_button import ThemedButton

_KEYS = {"line": "L", "polyline": "P", "circle": "C", "rectangle": "R", "polygon": "A"}
_HOW = {
    "line": "Draw a line by dragging; Shift keeps to steps of 15°",
    "polyline": "Click the corners of a polyline; a double click or Enter ends it, Shift keeps to steps of 15°",
    "circle": "Drag a circle from its centre; Shift takes whole pixels and steps of 15°",
    "rectangle": "Drag a rectangle: the profile along its longer side, averaged over the other; Shift makes a square",
    "polygon": "Click the corners of an area; a double click or Enter closes it",
}


class ShapeButton(ThemedButton):
    """Checked while it draws; `kind` is the shape chosen."""

    kind_chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "line", _HOW["line"], _KEYS["line"])
        self.kind = "line"
        self.setCheckable(True)
        self.setMinimumWidth(50)
        self.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QtWidgets.QMenu(self)
        self.kinds: dict[str, QtGui.QAction] = {}
        for kind, title in TITLES.items():
            action = menu.addAction(f"{title}\t{_KEYS[kind]}")
            action.setData(kind)
            action.setToolTip(_HOW[kind])
            action.triggered.connect(self._on_action)
            self.kinds[kind] = action
        menu.setToolTipsVisible(True)
        self.setMenu(menu)
        theme.changed.connect(self._draw_menu)
        self._draw_menu()

    def add_shortcuts(self, panel: QtWidgets.QWidget) -> None:
        """Let a key for each shape choose it, or put the tool away, anywhere in a panel."""
        for kind, keys in _KEYS.items():
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(keys), panel)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setObjectName(kind)
            shortcut.activated.connect(self._on_key)

    def choose(self, kind: str) -> None:
        """Draw shapes of this kind."""
        self.kind, self._name = kind, kind
        self.setToolTip(f"{_HOW[kind]} ({_KEYS[kind]})")
        self.setAccessibleName(_HOW[kind])
        self._draw()
        self.setChecked(True)
        self.kind_chosen.emit(kind)

    def _on_action(self, _: bool) -> None:
        action = self.sender()
        if isinstance(action, QtGui.QAction):
            self.choose(str(action.data()))

    def _on_key(self) -> None:
        kind = self.sender().objectName()
        if self.isChecked() and self.kind == kind:
            self.setChecked(False)
        else:
            self.choose(kind)

    def _draw_menu(self) -> None:
        for kind, action in self.kinds.items():
            action.setIcon(self._theme.icon(kind))
