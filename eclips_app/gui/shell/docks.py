"""The docks around the panels: history, messages and results."""

from __future__ import annotations

import csv
import io
from typing import Any

from eclips_app.commands.edits import remove
from eclips_app.gui.messages import Message
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import Measurement


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


class ResultsDock(QtWidgets.QWidget):
    """The table of measurements: one row each, one column for every quantity that occurs."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.table = QtWidgets.QTableWidget()
        self.table.setAccessibleName("Results")
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().setVisible(False)
        self.table.itemSelectionChanged.connect(self._on_select)
        self._hint = QtWidgets.QLabel("Measurements that you add in the Profile panel stand here.")
        self._hint.setProperty("kind", "faint")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = QtWidgets.QHBoxLayout()
        self.copy_button = _button("Copy", "Copy the table to the clipboard", self.copy)
        self.export_button = _button("Export CSV…", "Write the table to a file", self.export)
        self.delete_button = _button("Delete", "Take the selected rows out (can be undone)", self.delete)
        for button in (self.copy_button, self.export_button, self.delete_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.table, 1)
        layout.addWidget(self._hint, 1)
        layout.addLayout(buttons)
        session.project.changed.connect(self._on_change)
        self._rows: list[Measurement] = []
        self._fill()

    def text(self, separator: str) -> str:
        """Give the table as text with a header; numbers and units in columns of their own."""
        names = self._names()
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        heads = [f"{n} ({u})" if u else n for n, u in names]
        writer.writerow(["name", "source", *(h for head in heads for h in (head, f"{head} std"))])
        for row in self._rows:
            cells: list[object] = [row.name, row.source]
            for name, unit in names:
                found = row.values.get(name)
                mine = found if found and found["unit"] == unit else {"value": "", "std": ""}
                cells += [mine["value"], "" if mine["std"] is None else mine["std"]]
            writer.writerow(cells)
        return out.getvalue()

    def copy(self) -> None:
        """Put the table on the clipboard, ready for a spreadsheet."""
        QtGui.QGuiApplication.clipboard().setText(self.text("\t"))

    def export(self) -> None:
        """Write the table to a CSV file."""
        path = self._session.ask_save_file("Export results", "exports", "CSV (*.csv)", "results.csv")
        if path is None:
            return
        try:
            path.write_text(self.text(","), encoding="utf-8")
        except OSError as error:
            self._session.notify(f"The results were not written to {path.name}: {error.strerror}.", "error")
        else:
            self._session.notify(f"Results written to {path}.", "good")

    def delete(self) -> None:
        """Take out the selected rows."""
        rows = sorted({index.row() for index in self.table.selectedIndexes()})
        if rows:
            self._session.do(remove("Delete results", [self._rows[row] for row in rows]))

    def _names(self) -> list[tuple[str, str]]:
        seen: dict[tuple[str, str], None] = {}
        for row in self._rows:
            for name, quantity in row.values.items():
                seen[name, str(quantity["unit"])] = None
        return list(seen)

    def _on_change(self, _: frozenset[str]) -> None:
        rows = list(self._session.project.of_kind(Measurement))
        if rows != self._rows:  # most changes are of other items, and come at each move of a dragged line
            self._rows = rows
            self._fill()

    def _fill(self) -> None:
        names = self._names()
        self.table.setRowCount(len(self._rows))
        self.table.setColumnCount(2 + len(names))
        self.table.setHorizontalHeaderLabels(["Name", "Measured on", *(f"{n} / {u}" if u else n for n, u in names)])
        for r, row in enumerate(self._rows):
            texts = [row.name, row.source]
            texts += [_cell(row.values.get(n)) if row.values.get(n, {}).get("unit") == u else "" for n, u in names]
            for c, text in enumerate(texts):
                self.table.setItem(r, c, QtWidgets.QTableWidgetItem(text))
        self.table.resizeColumnsToContents()
        for widget in (self.table, self.copy_button, self.export_button, self.delete_button):
            widget.setVisible(bool(self._rows))
        self._hint.setVisible(not self._rows)

    def _on_select(self) -> None:
        rows = {index.row() for index in self.table.selectedIndexes()}
        if len(rows) == 1:
            row = self._rows[rows.pop()]
            if row.line_id:
                self._session.project.select(line_id=row.line_id)


def _cell(quantity: dict[str, Any] | None) -> str:
    if quantity is None or quantity["value"] is None:
        return "–"
    std = quantity.get("std")
    return f"{quantity['value']:.5g}" + (f" ± {std:.2g}" if std is not None else "")


def _button(text: str, tip: str, run: Any) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(run)
    return button
