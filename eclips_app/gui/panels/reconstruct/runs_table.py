"""The reconstructions of the selected set: star, rename, delete, choose A and B."""

from __future__ import annotations

from typing import Any

from eclips_app.commands import edits
from eclips_app.gui.panels.reconstruct.presenter import Row, rows
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import ProfileLine, Run
from eclips_app.model.project import Selection

_HEADS = ("★", "A/B", "Run", "Time", "Residual", "Changed")
_TIME = 3  #: column
_WIDE_PX = 330  #: below, the time gives its room to what has changed; the tool tip of the row tells it
_TIPS = (
    "Star the run to keep in mind; frames of a series show their starred run",
    "A is shown; choose a B to compare with it",
    "Name; double-click to rename",
    "When the run was made",
    "Rms of measured minus modelled signal, in grey values",
    "Parameters in which the run differs from the one before it",
)


class RunsModel(QtCore.QAbstractTableModel):
    """The runs of the selected set as a table."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.rows: list[Row] = []

    def refresh(self) -> bool:
        """Read the project again; gives whether runs came or went."""
        new = rows(self._session.project)
        same = [row.run_id for row in new] == [row.run_id for row in self.rows]
        if same:
            if new != self.rows:
                self.rows = new
                self.dataChanged.emit(self.index(0, 0), self.index(len(new) - 1, len(_HEADS) - 1))
        else:
            self.beginResetModel()
            self.rows = new
            self.endResetModel()
        return not same

    def rowCount(self, parent: Any = None) -> int:
        """Count the runs."""
        return len(self.rows)

    def columnCount(self, parent: Any = None) -> int:
        """Count the columns."""
        return len(_HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Give the column heads."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        return {Qt.ItemDataRole.DisplayRole: _HEADS, Qt.ItemDataRole.ToolTipRole: _TIPS}.get(
            Qt.ItemDataRole(role), [None] * len(_HEADS)
        )[section]

    def data(self, index: Any, role: int = 0) -> Any:
        """Give a cell."""
        row, column = self.rows[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return ("★" if row.starred else "☆", row.role, row.name, row.time, row.residual, row.difference)[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            stale = f"\nInputs changed since: {', '.join(row.stale)}" if row.stale else ""
            return f"{row.name}, {row.time}, residual {row.residual}\nChanged: {row.difference}{stale}"
        if role == Qt.ItemDataRole.ForegroundRole and row.stale and column == 2:
            return QtGui.QBrush(QtGui.QColor(self._session.theme.colors.warning))
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (0, 1):
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.AccessibleTextRole and column == 0:
            return "starred" if row.starred else "not starred"
        return None

    def setData(self, index: Any, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a run."""
        run = self.run_at(index.row())
        name = str(value).strip()
        if run is None or not name or name == run.name:
            return False
        self._session.do(edits.change(f"Rename {run.name} to {name}", run, name=name))
        return True

    def flags(self, index: Any) -> Qt.ItemFlag:
        """Let names be edited."""
        base = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return base | Qt.ItemFlag.ItemIsEditable if index.column() == 2 else base

    def run_at(self, row: int) -> Run | None:
        """Give the run of a row."""
        return self._session.project.get(Run, self.rows[row].run_id) if 0 <= row < len(self.rows) else None


class RunsTable(QtWidgets.QTableView):
    """The selected row is run A."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._model = RunsModel(session)
        self.setModel(self._model)
        self.setAccessibleName("Reconstructions of the selected images")
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QtWidgets.QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(26)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(26)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for column, width in enumerate((26, 32, 78, 46, 64)):
            self.setColumnWidth(column, width)
        self._make_actions()
        self.clicked.connect(self._on_click)
        self.selectionModel().currentRowChanged.connect(self._on_row)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)
        self._refresh()

    def _make_actions(self) -> None:
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for text, keys, run in (
            ("Compare as B", "B", self.toggle_compared),
            ("Star", "S", self.star),
            ("Rename", "F2", self.rename),
            ("Delete", "Del", self.delete),
        ):
            action = QtGui.QAction(text, self)
            action.setShortcut(QtGui.QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(run)
            self.addAction(action)

    def current_run(self) -> Run | None:
        """Give the run of the current row."""
        return self._model.run_at(self.currentIndex().row())

    def toggle_compared(self) -> None:
        """Make the current row B, or the run shown before it if it is A itself; a second time ends the comparison."""
        self._compare(self.currentIndex().row())

    def star(self) -> None:
        """Star the current run, or take its star away."""
        run = self.current_run()
        if run is not None and run.starred:
            self._session.do(edits.change(f"Unstar {run.name}", run, starred=False))
        elif run is not None:
            self._session.do(edits.star_run(self._session.project, run))

    def rename(self) -> None:
        """Edit the name in place."""
        self.edit(self._model.index(self.currentIndex().row(), 2))

    def delete(self) -> None:
        """Take the current run out; it can be undone."""
        run = self.current_run()
        if run is not None:
            self._session.do(edits.remove(f"Delete {run.name}", [run, *self._session.project.facets_of(run.id)]))

    def sizeHint(self) -> QtCore.QSize:
        """Ask for room for some rows, not more than there are."""
        lines = min(max(self._model.rowCount(), 2), 7)
        return QtCore.QSize(300, self.horizontalHeader().height() + 26 * lines + 4)

    def _compare(self, row: int) -> None:
        project = self._session.project
        run = self._model.run_at(row)
        if run is not None and run.id == project.selection.run_id:
            run = self._model.run_at(row - 1 if row else row + 1)
        if run is not None:
            ended = run.id == project.selection.compared_run_id
            project.select(compared_run_id="" if ended else run.id)

    def _on_click(self, index: QtCore.QModelIndex) -> None:
        if index.column() == 0:
            self.star()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Show the time where there is room for it."""
        super().resizeEvent(event)
        self.setColumnHidden(_TIME, event.size().width() < _WIDE_PX)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Choose B by a click in the A/B column, and leave A as it is."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid() and index.column() == 1 and event.button() == Qt.MouseButton.LeftButton:
            self._compare(index.row())
            event.accept()
        else:
            super().mousePressEvent(event)

    def _on_row(self, current: QtCore.QModelIndex, _: QtCore.QModelIndex) -> None:
        run = self._model.run_at(current.row())
        if run is not None:
            self._session.project.select(run_id=run.id)

    def _on_project(self, ids: frozenset[str]) -> None:
        if any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):
            self._refresh()

    def _on_selection(self, _: Selection) -> None:
        self._refresh()

    def _refresh(self) -> None:
        blocker = QtCore.QSignalBlocker(self.selectionModel())
        if self._model.refresh():
            self.updateGeometry()
        ids = [row.run_id for row in self._model.rows]
        chosen = self._session.project.selection.run_id
        if chosen in ids and self.currentIndex().row() != ids.index(chosen):
            self.selectRow(ids.index(chosen))
        blocker.unblock()
        self.viewport().update()
