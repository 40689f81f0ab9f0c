"""The button that marks stretches on the plot, with a menu that takes them out."""

from __future__ import annotations

from eclips_app.gui.qt import QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.stretch_marks import StretchMarks
from eclips_app.gui.widgets.themed_button import ThemedButton

_TIP = "Mark a stretch: drag over the plot. A line is fitted to it, and measurements use the stretches by their numbers"


class StretchButton(ThemedButton):
    """Checked while the next drag over the plot marks a stretch."""

    remove_asked = Signal(int)  #: index; -1 for all

    def __init__(self, theme: Theme, marks: StretchMarks) -> None:
        super().__init__(theme, "stretch", _TIP, "S")
        self.setCheckable(True)
        self.setMinimumWidth(50)
        self.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._menu = QtWidgets.QMenu(self)
        self._count = -1
        self.setMenu(self._menu)
        self.toggled.connect(marks.set_marking)
        marks.marking_changed.connect(self.setChecked)
        self.show_count(0)

    def show_count(self, count: int) -> None:
        """Offer to take out as many stretches as there are."""
        if count == self._count:
            return
        self._count = count
        self._menu.clear()
        names = [(f"Remove stretch {i + 1}", i) for i in range(count)] + [("Remove all stretches", -1)]
        for text, index in names:
            action = self._menu.addAction(text)
            action.setData(index)
            action.setEnabled(count > 0)
            action.triggered.connect(self._on_action)

    def _on_action(self, _: bool) -> None:
        action = self.sender()
        if isinstance(action, QtGui.QAction):
            self.remove_asked.emit(int(action.data()))
