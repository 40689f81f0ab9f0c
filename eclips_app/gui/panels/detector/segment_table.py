"""The table of the detector's segments."""

from __future__ import annotations

from typing import Any

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.gui.panels.detector.presenter import rule_for
from eclips_app.gui.qt import Qt, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import quantity_text, read_quantity
from eclips_app.gui.widgets.segments import segment_color

_COLUMNS = (
    ("name", "Name", ""),
    ("azimuth_deg", "Azimuth", "°"),
    ("span_deg", "Span", "°"),
    ("gain", "Gain", ""),
    ("offset", "Offset", ""),
    ("inner_radius_mm", "Inner", "mm"),
    ("outer_radius_mm", "Outer", "mm"),
)


class SegmentTable(QtWidgets.QTableWidget):
    """One row for each segment; `changed` carries the key of the detector file and the value."""

    changed = Signal(str, object)
    refused = Signal(str)  #: why an entry was not taken

    def __init__(self, theme: Theme) -> None:
        super().__init__(0, len(_COLUMNS))
        self._theme = theme
        self._detector: Detector | None = None
        self.setAccessibleName("Segments")
        for column, (name, title, _) in enumerate(_COLUMNS):
            rule = rule_for(f"quadrants.0.{name}")
            tip = " ".join(filter(None, (rule.help, f"({rule.range_text})" if rule.unit else "")))
            header = QtWidgets.QTableWidgetItem(title)
            header.setToolTip(tip or "Name of the segment, unlike all others")
            self.setHorizontalHeaderItem(column, header)
        self.verticalHeader().hide()
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        modes = QtWidgets.QHeaderView.ResizeMode
        self.horizontalHeader().setSectionResizeMode(modes.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(0, modes.Stretch)
        self.horizontalHeader().setMinimumSectionSize(44)
        self.setTabKeyNavigation(False)
        self.show_radii(False)
        self.itemChanged.connect(self._on_item)
        theme.changed.connect(self.redraw)

    def show_detector(self, detector: Detector) -> None:
        """Fill the table."""
        self._detector = detector
        self.blockSignals(True)
        self.setRowCount(len(detector.quadrants))
        for row, segment in enumerate(detector.quadrants):
            for column, (name, _, unit) in enumerate(_COLUMNS):
                self.setItem(row, column, self._cell(row, name, getattr(segment, name), unit))
        self.blockSignals(False)
        self.resizeRowsToContents()
        height = sum(self.rowHeight(row) for row in range(self.rowCount()))
        self.setFixedHeight(min(height, 300) + self.horizontalHeader().sizeHint().height() + 4)

    def show_radii(self, shown: bool) -> None:
        """Show or hide the columns of the segments' own radii."""
        for column, (name, _, _) in enumerate(_COLUMNS):
            if name.endswith("radius_mm"):
                self.setColumnHidden(column, not shown)

    def redraw(self) -> None:
        """Show the detector's values again, whatever was typed."""
        if self._detector is not None:
            self.show_detector(self._detector)

    def _cell(self, row: int, name: str, value: Any, unit: str) -> QtWidgets.QTableWidgetItem:
        text = value if isinstance(value, str) else quantity_text(value, unit)
        cell = QtWidgets.QTableWidgetItem(text)
        if name == "name":
            cell.setIcon(_swatch(segment_color(self._theme.colors, row)))
        else:
            cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if value is None:
            cell.setToolTip("As the detector; give a value only for detectors of several rings")
        return cell

    def _on_item(self, cell: QtWidgets.QTableWidgetItem) -> None:
        name, _, _ = _COLUMNS[cell.column()]
        key = f"quadrants.{cell.row()}.{name}"
        try:
            value = cell.text().strip() if name == "name" else self._number(key, cell.text())
            if value == "":
                raise EclipsError("A segment needs a name", hint="Give one.")
        except EclipsError as error:
            self.redraw()
            self.refused.emit(str(error))
            return
        self.changed.emit(key, value)

    def _number(self, key: str, text: str) -> float | None:
        return read_quantity(text, rule_for(key), optional=key.endswith("radius_mm"))


def _swatch(color: QtGui.QColor) -> QtGui.QIcon:
    pixmap = QtGui.QPixmap(12, 12)
    pixmap.fill(color)
    return QtGui.QIcon(pixmap)
