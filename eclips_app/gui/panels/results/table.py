"""The table of results: a row for each measurement, a column for every quantity that occurs."""

from __future__ import annotations

from functools import partial
from typing import Any

from eclips_app.core.units import capital, length_or_area_unit
from eclips_app.gui.flows.results import ResultsFlow
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.numbers import with_std
from eclips_app.io.results_files import kind_title, quantities
from eclips_app.model.items import Measurement
from eclips_app.model.measurements import shapes_of

_HEADS = ("Name", "Result", "Shape", "Measured on")
_WIDEST_PX = 220  #: of a column that is not made wider by hand
_SORTED = Qt.ItemDataRole.UserRole + 1
_ROW = Qt.ItemDataRole.UserRole


class ResultsTable(QtWidgets.QTableWidget):
    """Shows all rows; a double click on a name renames, a click on a head sorts, a second one the other way."""

    rows_chosen = Signal()

    def __init__(self, session: Session, flow: ResultsFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._shown: tuple[Any, ...] = ()
        self._filling = False
        self.setAccessibleName("Results")
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(
            QtWidgets.QAbstractItemView.EditTrigger.DoubleClicked
            | QtWidgets.QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSortIndicatorClearable(True)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.itemSelectionChanged.connect(self._on_select)
        self.itemChanged.connect(self._on_item)
        flow.changed.connect(self.refresh)
        session.project.changed.connect(self._on_change)
        session.theme.changed.connect(self._on_theme)

    def chosen(self) -> list[Measurement]:
        """Give the rows that are selected, from top to bottom."""
        ids = [self._id_at(row) for row in sorted({index.row() for index in self.selectedIndexes()})]
        found = (self._session.project.get(Measurement, each) for each in ids)
        return [row for row in found if row is not None]

    def choose(self, row_id: str) -> None:
        """Select one row."""
        for row in range(self.rowCount()):
            if self._id_at(row) == row_id:
                self.selectRow(row)
                self.scrollTo(self.model().index(row, 0))

    def _id_at(self, row: int) -> str:
        item = self.item(row, 0)
        return str(item.data(_ROW)) if item is not None else ""

    def refresh(self) -> None:
        """Show the rows as they are now; nothing happens if they are as they were."""
        rows = self._flow.rows()
        shown = (rows, tuple(self._flow.waits(row.id) for row in rows))
        if self._filling or shown == self._shown:
            return
        known = {row.id for row in self._shown[0]} if self._shown else set()
        new = [row.id for row in rows if row.id not in known]
        chosen = [row.id for row in self.chosen()]
        self._shown = shown
        self._filling = True
        self._fill(rows)
        for row_id in new if len(new) == 1 else chosen[:1]:
            self.choose(row_id)
        self._filling = False  # not before: what is selected elsewhere stays selected
        self.rows_chosen.emit()

    def _fill(self, rows: tuple[Measurement, ...]) -> None:
        self.setSortingEnabled(False)
        self.clearSelection()
        names = quantities(rows)
        heads = [*_HEADS, *(f"{capital(name)} / {_shown(unit)}" if unit else capital(name) for name, unit in names)]
        fresh = self.columnCount() != len(heads)
        self.setRowCount(len(rows))
        self.setColumnCount(len(heads))
        self.setHorizontalHeaderLabels(heads)
        for r, row in enumerate(rows):
            shape = ", ".join(line.name for line in shapes_of(self._session.project, row)) or "whole map"
            first = next(iter(row.values.items()), None)
            result = result_text(*first) if first is not None else row.problem
            for c, (text, order) in enumerate((
                (row.name, row.name.lower()), (result, first[1]["value"] if first is not None else None),
                (shape, shape.lower()), (row.source, row.source.lower()),
            )):  # fmt: skip
                self.setItem(r, c, self._cell(row, text, order))
            for c, (name, unit) in enumerate(names):
                found = row.values.get(name)
                mine = found if found and found["unit"] == unit else None
                cell = self._cell(row, number_text(mine), mine["value"] if mine else None)
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(r, len(_HEADS) + c, cell)
            if (name_cell := self.item(r, 0)) is not None:
                self._mark(row, name_cell)
        self.setSortingEnabled(True)
        if fresh:
            self.resizeColumnsToContents()
            for column in range(len(_HEADS)):
                self.setColumnWidth(column, min(self.columnWidth(column), _WIDEST_PX))

    def _cell(self, row: Measurement, text: str, value: object) -> _Cell:
        cell = _Cell(text)
        cell.setData(_ROW, row.id)
        cell.setData(_SORTED, value)
        cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
        if self._flow.waits(row.id):
            cell.setForeground(QtGui.QBrush(QtGui.QColor(self._session.theme.colors.faint)))
        cell.setToolTip(row.problem or text)
        return cell

    def _mark(self, row: Measurement, name: QtWidgets.QTableWidgetItem) -> None:
        """Let the first cell be renamed, and say how the row stands."""
        title = kind_title(row)
        name.setToolTip(row.problem or (f"{row.name}: {title}" if title not in row.name else row.name))
        name.setFlags(name.flags() | Qt.ItemFlag.ItemIsEditable)
        theme = self._session.theme
        if row.problem and not self._flow.waits(row.id):
            name.setIcon(theme.icon("warning", theme.colors.warning))
        elif not row.recipe:
            name.setToolTip(f"{row.name}: as it was when it was read; it does not follow changes")
            font = name.font()
            font.setItalic(True)
            name.setFont(font)

    def _on_change(self, ids: frozenset[str]) -> None:
        self.refresh()

    def _on_theme(self) -> None:
        self._shown = ()
        self.refresh()

    def _on_select(self) -> None:
        if self._filling:
            return
        chosen = self.chosen()
        if len(chosen) == 1 and shapes_of(self._session.project, chosen[0]):
            self._session.project.select(line_id=chosen[0].line_id)
        self.rows_chosen.emit()

    def _on_item(self, item: QtWidgets.QTableWidgetItem) -> None:
        row = self._session.project.get(Measurement, item.data(_ROW)) if not self._filling else None
        if row is not None and item.column() == 0:
            # Not at once: renaming fills the table anew, and this item is still being changed.
            QtCore.QTimer.singleShot(0, self, partial(self._rename, row.id, item.text().strip()))

    def _rename(self, row_id: str, name: str) -> None:
        row = self._session.project.get(Measurement, row_id)
        if row is not None:
            self._flow.rename(row, name)
            if not name:
                self._on_theme()


class _Cell(QtWidgets.QTableWidgetItem):
    """Sorts by its number or text; what has none comes last."""

    def __lt__(self, other: QtWidgets.QTableWidgetItem) -> bool:
        mine, theirs = self.data(_SORTED), other.data(_SORTED)
        if mine is None or theirs is None:
            return mine is not None
        return bool(mine < theirs)


def result_text(name: str, quantity: dict[str, Any]) -> str:
    """Write a quantity with its name and unit."""
    value, std, unit = quantity["value"], quantity.get("std"), str(quantity["unit"])
    if value is not None:
        unit, scale = length_or_area_unit(float(value), unit)
        quantity = {"value": value / scale, "std": std / scale if std is not None else None}
    unit = unit.replace("deg", "°")
    return f"{capital(name)} {number_text(quantity)}{'' if unit == '°' else ' '}{unit}".strip()


def _shown(unit: str) -> str:
    return "°" if unit == "deg" else unit


def number_text(quantity: dict[str, Any] | None) -> str:
    """Write a value with its standard deviation; a dash where it is missing, nothing for none."""
    if quantity is None:
        return ""
    if quantity["value"] is None:
        return "–"
    return with_std(quantity["value"], quantity.get("std"))
