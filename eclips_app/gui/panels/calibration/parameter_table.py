"""The table of parameters: what is known before, what is free, and what the fit found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eclips_app.core.calibration import FIXED, FREE, Parameter
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import rule_of
from eclips_app.gui.panels.calibration.presenter import Row, number
from eclips_app.gui.qt import Qt, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import read_quantity

NAME, VALUE, STD, FREE_, KNOWN, START, SOURCE = range(7)
_HEADS = (
    ("Parameter", "In bold: chosen by hand"), ("Value", "What the fit found"), ("±", "Standard uncertainty (1 σ)"),
    ("Free", "Ticked: the fit may change it; else it stays"),
    ("Known to", "Standard deviation before the fit, as in a data sheet; empty: nothing is known"),
    ("Start", "Where the fit starts, and about which “known to” counts; empty: as in the starting detector"),
    ("Source", "Where the value comes from"),
)  # fmt: skip


class ParameterTable(QtWidgets.QTableWidget):
    """One row for each parameter under headings; `chosen` carries a `Parameter` as the user wants it."""

    chosen = Signal(object)
    refused = Signal(str)  #: why an entry was not taken

    def __init__(self, theme: Theme) -> None:
        super().__init__(0, len(_HEADS))
        self._theme = theme
        self.rows: list[Row | None] = []  #: None for a heading
        self.setAccessibleName("Parameters of the calibration")
        for column, (title, tip) in enumerate(_HEADS):
            head = QtWidgets.QTableWidgetItem(title)
            head.setToolTip(tip or title)
            self.setHorizontalHeaderItem(column, head)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.setWordWrap(False)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setMinimumSectionSize(36)
        self.horizontalHeader().setStretchLastSection(True)
        self.setHorizontalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.itemChanged.connect(self._on_item)
        theme.changed.connect(self.redraw)

    def show_rows(self, rows: list[Row]) -> None:
        """Fill the table; what is there already stays, so that an entry being typed is not lost."""
        entries: list[Row | None] = []
        for row in rows:
            if not entries or entries[-1] is None or entries[-1].group != row.group:
                entries.append(None)
            entries.append(row)
        if entries != self.rows:
            self.rows = entries
            self.redraw()

    def redraw(self) -> None:
        """Show the values again, whatever was typed."""
        scroll, current = self.verticalScrollBar().value(), (self.currentRow(), self.currentColumn())
        self.blockSignals(True)
        self.clearSpans()
        self.setRowCount(len(self.rows))
        for place, row in enumerate(self.rows):
            if row is None:
                self._show_heading(place)
            else:
                self._show_row(place, row)
        self.setCurrentCell(*current)
        self.blockSignals(False)
        self.verticalScrollBar().setValue(scroll)

    def row_of(self, name: str) -> int:
        """Give the table's row of a parameter."""
        return next(place for place, row in enumerate(self.rows) if row is not None and row.parameter.name == name)

    def _show_heading(self, place: int) -> None:
        below = self.rows[place + 1]
        heading = QtWidgets.QTableWidgetItem(below.group if below is not None else "")
        heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
        font = heading.font()
        font.setBold(True)
        heading.setFont(font)
        heading.setBackground(QtGui.QColor(self._theme.colors.window))
        for column in range(len(_HEADS)):
            self.takeItem(place, column)
        self.setItem(place, 0, heading)
        self.setSpan(place, 0, 1, len(_HEADS))

    def _show_row(self, place: int, row: Row) -> None:
        found, known = row.found, row.parameter.std
        texts = {
            NAME: f"{row.label}, {row.unit}" if row.unit else row.label,
            VALUE: number(found.get("value"), found.get("std")) if found else "",
            STD: _std_text(found),
            KNOWN: "" if known is None else f"{known:.3g}",
            START: number(row.start),
            SOURCE: str(found.get("source", "")),
        }
        cells: dict[int, QtWidgets.QTableWidgetItem] = {}
        for column, text in texts.items():
            cell = cells[column] = QtWidgets.QTableWidgetItem(text)
            if column not in (KNOWN, START):
                cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
            if column not in (NAME, SOURCE):
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            cell.setToolTip(text)
            self.setItem(place, column, cell)
        self._mark(cells, row)
        box = QtWidgets.QTableWidgetItem()
        box.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
        box.setCheckState(Qt.CheckState.Checked if row.is_chosen else Qt.CheckState.Unchecked)
        box.setData(Qt.ItemDataRole.AccessibleTextRole, f"{row.label} {'free' if row.is_chosen else 'fixed'}")
        self.setItem(place, FREE_, box)

    def _mark(self, cells: dict[int, QtWidgets.QTableWidgetItem], row: Row) -> None:
        """Tell by colour what the data cannot hold, what is at its limit, and what was typed."""
        colors = self._theme.colors
        if row.parameter.value is None:
            cells[START].setForeground(QtGui.QColor(colors.faint))
        if row.is_by_hand:
            font = cells[NAME].font()
            font.setBold(True)
            cells[NAME].setFont(font)
        if problem := _problem(row):
            for column in (VALUE, STD):
                cells[column].setForeground(QtGui.QColor(colors.warning))
                cells[column].setToolTip(problem)

    def _on_item(self, cell: QtWidgets.QTableWidgetItem) -> None:
        row = self.rows[cell.row()]
        if row is None:
            return
        try:
            changed = self._read(row.parameter, cell)
        except EclipsError as error:
            self.redraw()
            self.refused.emit(f"{row.label}: {error}")
            return
        if changed != row.parameter:
            self.chosen.emit(changed)
        else:
            self.redraw()

    def _read(self, parameter: Parameter, cell: QtWidgets.QTableWidgetItem) -> Parameter:
        if cell.column() == FREE_:
            return replace(parameter, mode=FREE if cell.checkState() == Qt.CheckState.Checked else FIXED)
        name = "std" if cell.column() == KNOWN else "value"
        text = "" if cell.text().strip() == "–" else cell.text()
        rule = rule_of(Parameter, name)
        return replace(parameter, **{name: read_quantity(text, rule, optional=True)})  # type: ignore[arg-type]


def _problem(row: Row) -> str:
    """Say what is wrong with a found value; empty if nothing is."""
    if row.found.get("at_limit"):
        return "At the limit of its range: the fit wanted to go on"
    is_loose = row.found.get("mode") == FREE and row.found.get("std") is None
    return "Nothing holds it: the data do not tell it" if is_loose else ""


def _std_text(found: dict[str, Any]) -> str:
    """Write the uncertainty of a found value; a fixed one has none, and one that nothing holds says so."""
    if not found:
        return ""
    if found.get("std") is not None:
        return f"{found['std']:.2g}"
    return "none" if found.get("mode") == FREE else "–"
