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
        self._count = 0
        # Filled when it opens: an action that was chosen must not be deleted by what it brings about.
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        self.toggled.connect(marks.set_marking)
        marks.marking_changed.connect(self.setChecked)

    def show_count(self, count: int) -> None:
        """Offer to take out as many stretches as there are."""
        self._count = count

    def _fill(self) -> None:
        self._menu.clear()
        names = [(f"Remove stretch {i + 1}", i) for i in range(self._count)] + [("Remove all stretches", -1)]
        for text, index in names:
            action = self._menu.addAction(text)
            action.setData(index)
            action.setEnabled(self._count > 0)
            action.triggered.connect(self._on_action)

    def _on_action(self, _: bool) -> None:
        action = self.sender()
        if isinstance(action, QtGui.QAction):
            self.remove_asked.emit(int(action.data()))
