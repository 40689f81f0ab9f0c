"""The docks around the panels: history and messages."""

from __future__ import annotations

from typing import Any

from eclips_app.gui.messages import Message
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session


class HistoryDock(QtWidgets.QListWidget):
    """All steps of undo; a click goes to that state."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._shown: tuple[tuple[str, ...], int] | None = None
        self.setAccessibleName("History of edits")
        self.setToolTip("Choose a line to go back or forward to the state after it")
        self.itemActivated.connect(self._go)
        self.itemClicked.connect(self._go)
        session.history.changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        history = self._session.history
        if self._shown == (history.texts, history.position):  # a drag changes the same step again and again
            return
        self._shown = (history.texts, history.position)
        self.clear()
        self.addItem("Empty project")
        self.addItems(list(history.texts))
        faint = QtGui.QBrush(QtGui.QColor(self._session.theme.colors.faint))
        for row in range(history.position + 1, self.count()):
            self.item(row).setForeground(faint)
        self.setCurrentRow(history.position)

    def _go(self, item: QtWidgets.QListWidgetItem) -> None:
        # Queued: going there refills this list, which must not happen while it handles the click on its item.
        row = self.row(item)
        QtCore.QTimer.singleShot(0, self, _Call(self._session.history.go_to, row))


class _Call:
    """A call with an argument that holds no widget alive."""

    def __init__(self, function: Any, argument: Any) -> None:
        self._function, self._argument = function, argument

    def __call__(self) -> None:
        self._function(self._argument)


class MessagesDock(QtWidgets.QTreeWidget):
    """Everything the program has said, newest last, with details and what can be done about it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setAccessibleName("Messages")
        self.setColumnCount(3)
        self.setHeaderLabels(["Time", "Message", ""])
        self.setRootIsDecorated(True)
        self.setWordWrap(True)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QtWidgets.QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        copy = QtGui.QShortcut(QtGui.QKeySequence.StandardKey.Copy, self)
        copy.setContext(Qt.ShortcutContext.WidgetShortcut)
        copy.activated.connect(self._copy)
        session.messages.added.connect(self._add)
        for message in session.messages.items:
            self._add(message)

    def _add(self, message: Message) -> None:
        row = QtWidgets.QTreeWidgetItem([message.time.strftime("%H:%M:%S"), message.text, ""])
        colors = self._session.theme.colors
        ink = {"error": colors.error, "warning": colors.warning, "good": colors.good}.get(message.kind)
        row.setIcon(0, self._session.theme.icon(message.kind, ink))
        row.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{message.kind}: {message.text}")
        row.setToolTip(1, message.text)
        if message.details:
            detail = QtWidgets.QTreeWidgetItem(["", message.details, ""])
            detail.setForeground(1, QtGui.QBrush(QtGui.QColor(colors.faint)))
            row.addChild(detail)
        self.addTopLevelItem(row)
        if message.action is not None:
            button = QtWidgets.QPushButton(message.action_text)
            button.setProperty("kind", "link")
            button.clicked.connect(message.action)
            self.setItemWidget(row, 2, button)
        self.scrollToItem(row)

    def _copy(self) -> None:
        rows = [f"{item.text(0)} {item.text(1)}" for item in self.selectedItems()]
        QtGui.QGuiApplication.clipboard().setText("\n".join(rows))
