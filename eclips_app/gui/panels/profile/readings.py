"""What the cursors show: one column for each curve of the selected line."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eclips_app.core.schema import Rule
from eclips_app.core.units import Quantity, format_length, length_unit
from eclips_app.gui.flows.sampling import CursorReading
from eclips_app.gui.qt import Qt, QtWidgets, Signal
from eclips_app.gui.widgets.numbers import with_std
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_ROWS = ("Distance", "Height difference", "Angle", "Fitted angle", "Fit rms", "Step height")

_FINEST_DEG = 0.01  #: angles are written to two decimals; a smaller standard deviation would only look exact


class Readings(QtWidgets.QWidget):
    """The places of both cursors as typed, and the table of readings."""

    cursors_typed = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        tip = "Distance from the line's start; left and right move it in the plot"
        self.cursors = [QuantityEdit(Rule(f"Cursor {i}", "nm", 0.0, 1e9, (), tip), 0.0) for i in (1, 2)]
        self.table = QtWidgets.QTableWidget(len(_ROWS), 0)
        self.table.setVerticalHeaderLabels(list(_ROWS))
        self.table.setAccessibleName("Readings between the cursors")
        self.table.setToolTip(
            "Between the cursors; the fit is a straight line through all points of the stretch. "
            "Step height: parallel lines fitted to what is before and beyond both cursors"
        )
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setDefaultSectionSize(22)
        self.table.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.table.setTabKeyNavigation(False)
        row = QtWidgets.QHBoxLayout()
        for i, field in enumerate(self.cursors):
            row.addWidget(QtWidgets.QLabel(f"Cursor {i + 1}"))
            row.addWidget(field)
            field.committed.connect(self._commit)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)

    def show_readings(self, cursors_nm: tuple[float, float], readings: Sequence[CursorReading]) -> None:
        """Show the cursors and what they read."""
        for field, value in zip(self.cursors, cursors_nm, strict=True):
            if field.value != round(value, 3):
                field.set_value(round(value, 3))
        names = [f"{r.sampled.role}: {r.sampled.name}" for r in readings]
        if self.table.columnCount() != len(names):
            self.table.setColumnCount(len(names))
            for column in range(len(names)):
                for row in range(len(_ROWS)):
                    item = QtWidgets.QTableWidgetItem()
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    self.table.setItem(row, column, item)
        self.table.setHorizontalHeaderLabels(names)
        for column, reading in enumerate(readings):
            for row, key in enumerate(_ROWS):
                if cell := self.table.item(row, column):
                    cell.setText(quantity_text(reading.values.get(key)))
                    cell.setToolTip(cell.text())  # a narrow panel shows its beginning only

    def _commit(self, _: object) -> None:
        first, second = (float(field.value or 0.0) for field in self.cursors)
        self.cursors_typed.emit(first, second)


def quantity_text(quantity: Quantity | None) -> str:
    """Write a quantity with its standard deviation, angles in degrees."""
    if quantity is None or not math.isfinite(quantity.value):
        return "–"
    if quantity.unit == "nm":
        if quantity.std is None:
            return format_length(quantity.value, 4)
        unit, scale = length_unit(max(abs(quantity.value), quantity.std))
        return f"{with_std(quantity.value / scale, quantity.std / scale)} {unit}"
    if quantity.std is None:
        return f"{quantity.value:.2f}°"
    std = f"± {quantity.std:.2g}" if quantity.std >= _FINEST_DEG else f"± < {_FINEST_DEG:g}"
    return f"{quantity.value:.2f} {std}°"


def summary_text(reading: CursorReading | None) -> str:
    """Say the main reading in one line."""
    if reading is None:
        return ""
    parts = zip(("Δx", "Δz", "angle"), ("Distance", "Height difference", "Angle"), strict=True)
    return "    ".join(f"{word} {quantity_text(reading.values[key])}" for word, key in parts)
