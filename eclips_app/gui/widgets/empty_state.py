"""What a panel shows while there is nothing to show: what to do, and the button for it."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.session import Session


class EmptyState(QtWidgets.QWidget):
    """A sentence and a button; the button does the command `action`, or shows `panel` if there is no such command."""

    def __init__(self, session: Session, text: str, button: str, action: str, panel: str) -> None:
        super().__init__()
        self._session, self._action, self._panel = session, action, panel
        self.text = QtWidgets.QLabel(text)
        self.text.setProperty("kind", "faint")
        self.text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text.setWordWrap(True)
        self.button = QtWidgets.QPushButton(button)
        self.button.setAccessibleName(button)
        self.button.setToolTip(f"{text}: {button.lower()}")
        self.button.clicked.connect(self._do)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(1)
        layout.addWidget(self.text)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)

    def _do(self) -> None:
        if any(info.key == self._action for info in self._session.actions.infos()):
            self._session.actions.action(self._action).trigger()
        else:
            self._session.show_panel(self._panel)
