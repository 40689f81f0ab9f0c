"""The list of what a reconstruction needs, each with its state and a link to where it is mended."""

from __future__ import annotations

from collections.abc import Sequence

from eclips_app.gui.flows.readiness import Check
from eclips_app.gui.qt import Qt, QtCore, QtWidgets, Signal
from eclips_app.gui.theme import Theme

_STATES = {"good": "Ready", "warning": "Note", "error": "Missing"}


class Checklist(QtWidgets.QWidget):
    """Shows checks; `asked` carries the key of the panel that the user wants to see."""

    asked = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: dict[str, _CheckRow] = {}
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self.setAccessibleName("What a reconstruction needs")
        theme.changed.connect(self._redraw)
        self._checks: tuple[Check, ...] = ()

    def set_checks(self, checks: Sequence[Check]) -> None:
        """Show these checks; rows that stay are kept, so that the keyboard focus is not lost."""
        if tuple(checks) == self._checks:
            return
        self._checks = tuple(checks)
        for key in self._rows.keys() - {check.key for check in checks}:
            row = self._rows.pop(key)
            self._layout.removeWidget(row)
            row.deleteLater()
        for place, check in enumerate(checks):
            row = self._rows.get(check.key) or _CheckRow(self)
            self._rows[check.key] = row
            self._layout.insertWidget(place, row)
            row.show_check(check, self._theme)

    def row(self, key: str) -> _CheckRow:
        """Give the row of a check."""
        return self._rows[key]

    def _redraw(self) -> None:
        for check in self._checks:
            self._rows[check.key].show_check(check, self._theme)


class _CheckRow(QtWidgets.QWidget):
    def __init__(self, parent: Checklist) -> None:
        super().__init__(parent)
        self._panel = ""
        self._list = parent
        self.mark = QtWidgets.QLabel()
        self.mark.setFixedSize(18, 18)
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.link = QtWidgets.QPushButton()
        self.link.setProperty("kind", "link")
        self.link.setCursor(Qt.CursorShape.PointingHandCursor)
        self.link.clicked.connect(self._ask)
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(0)
        layout.addWidget(self.mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.text, 0, 1)
        layout.addWidget(self.link, 0, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        layout.setColumnStretch(1, 1)

    def show_check(self, check: Check, theme: Theme) -> None:
        self._panel = check.panel
        color = {"good": theme.colors.good, "warning": theme.colors.warning, "error": theme.colors.error}[check.state]
        self.mark.setPixmap(theme.icon(check.state, color).pixmap(QtCore.QSize(18, 18)))
        self.mark.setToolTip(_STATES[check.state])
        self.mark.setAccessibleName(_STATES[check.state])
        self.text.setText(check.text)
        self.text.setAccessibleName(f"{_STATES[check.state]}: {check.text}")
        self.link.setText(check.link)
        self.link.setToolTip(f"{check.link}: opens the {check.panel} panel")
        self.link.setAccessibleName(f"{check.link} ({check.key})")

    def _ask(self) -> None:
        self._list.asked.emit(self._panel)
