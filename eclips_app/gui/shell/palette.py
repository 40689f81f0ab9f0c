"""The command palette: type a few letters of any command and press Enter."""

from __future__ import annotations

from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session


def match_score(query: str, text: str) -> int | None:
    """Rate how well the letters of `query` occur in order in `text` (0 best), None if they do not."""
    words, at, gaps = text.lower(), -1, 0
    for letter in query.lower().replace(" ", ""):
        found = words.find(letter, at + 1)
        if found < 0:
            return None
        starts_word = found == 0 or not words[found - 1].isalnum()
        gaps += 0 if found == at + 1 or starts_word else found - at
        at = found
    return gaps


class CommandPalette(QtWidgets.QDialog):
    """A field and a list of the commands that match it, best first; those that cannot be used now stand last."""

    def __init__(self, session: Session, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._session = session
        self.setObjectName("command_palette")
        self.field = QtWidgets.QLineEdit()
        self.field.setPlaceholderText("Type a command")
        self.field.setAccessibleName("Command")
        self.list = QtWidgets.QListWidget()
        self.list.setAccessibleName("Matching commands")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setIconSize(QtCore.QSize(18, 18))
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self.resize(520, 380)
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(self._run_current)
        self._fill("")

    def open_over(self, window: QtWidgets.QWidget) -> None:
        """Show the palette at the top of the window with an empty field."""
        self._session.actions.update_enabled()
        self.field.clear()
        self._fill("")
        corner = window.mapToGlobal(QtCore.QPoint((window.width() - self.width()) // 2, 60))
        self.move(corner)
        self.show()
        self.field.setFocus()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Let the arrow keys and Enter work the list while the field keeps the focus."""
        if watched is self.field and isinstance(event, QtGui.QKeyEvent) and event.type() == QtCore.QEvent.Type.KeyPress:
            key = event.key()
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if key == Qt.Key.Key_Down else -1
                self.list.setCurrentRow((self.list.currentRow() + step) % max(1, self.list.count()))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run_current()
                return True
        return super().eventFilter(watched, event)

    def _fill(self, query: str) -> None:
        found: list[tuple[bool, int, int, ActionInfo]] = []
        for order, info in enumerate(self._session.actions.infos()):
            score = match_score(query, f"{info.menu} {info.text}")
            if score is not None:
                found.append((not self._session.actions.action(info.key).isEnabled(), score, order, info))
        self.list.clear()
        blank = QtGui.QPixmap(self.list.iconSize())
        blank.fill(Qt.GlobalColor.transparent)  # keeps the texts in one column
        for *_, info in sorted(found, key=lambda entry: entry[:3]):
            action = self._session.actions.action(info.key)
            text = f"{info.menu}: {info.text.rstrip('…')}"
            icon = QtGui.QIcon(blank) if action.icon().isNull() else action.icon()
            item = QtWidgets.QListWidgetItem(icon, f"{text}    {info.shortcut}" if info.shortcut else text)
            item.setData(Qt.ItemDataRole.UserRole, info.key)
            if not action.isEnabled():
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run_current(self) -> None:
        item = self.list.currentItem()
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        self.hide()
        self._session.actions.action(item.data(Qt.ItemDataRole.UserRole)).trigger()
