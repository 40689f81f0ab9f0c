"""The table of facets."""

from __future__ import annotations

from eclips_app.gui.panels.facets.presenter import FacetRow
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.metrology.facets.picture import facet_color

_HEADS = (
    ("Facet", "Number and colour on the image"), ("Slope", "Tilt from the reference plane ± its standard deviation"),
    ("Azimuth", "Where the facet falls to, seen from the reference plane: 0° image right, 90° image up"),
    ("Plane", "The likeliest of the candidates; tab Crystal has all"), ("Area", "Along the facet"),
    ("Rms", "Of the heights about the plane"),
)  # fmt: skip
_PLANE = 3


class FacetTable(QtWidgets.QTableWidget):
    """One row for each facet; two at most are selected."""

    chosen = Signal(tuple)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADS))
        self.rows: list[FacetRow] = []
        self._order: tuple[int, ...] = ()
        self.setAccessibleName("Facets")
        for column, (title, tip) in enumerate(_HEADS):
            head = QtWidgets.QTableWidgetItem(title)
            head.setToolTip(tip)
            self.setHorizontalHeaderItem(column, head)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.setWordWrap(False)
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.setHorizontalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.itemSelectionChanged.connect(self._on_selection)

    def show_rows(self, rows: list[FacetRow], chosen: tuple[int, ...]) -> None:
        """Fill the table."""
        self.blockSignals(True)
        if rows != self.rows:
            self.rows = rows
            self.setRowCount(len(rows))
            for place, row in enumerate(rows):
                self._show_row(place, row)
        self.blockSignals(False)
        self.show_chosen(chosen)

    def show_chosen(self, chosen: tuple[int, ...]) -> None:
        """Select rows without sending it."""
        self._order = chosen
        picked = {index.row() for index in self.selectionModel().selectedRows()}
        if {self.rows[row].number for row in picked if row < len(self.rows)} == set(chosen):
            return
        self.blockSignals(True)
        self.clearSelection()
        model, flags = self.selectionModel(), QtCore.QItemSelectionModel.SelectionFlag
        for place, row in enumerate(self.rows):
            if row.number in chosen:
                model.select(self.model().index(place, 0), flags.Select | flags.Rows)
                self.scrollTo(self.model().index(place, 0))
        self.blockSignals(False)

    def _show_row(self, place: int, row: FacetRow) -> None:
        texts = (str(row.number), row.slope, row.azimuth, row.plane, row.area, row.rms)
        for column, text in enumerate(texts):
            cell = QtWidgets.QTableWidgetItem(text)
            if column != _PLANE and column > 0:
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if row.is_reference:
                font = cell.font()
                font.setBold(True)
                cell.setFont(font)
            if column == 0:
                cell.setIcon(_swatch(row.number))
            self.setItem(place, column, cell)

    def _on_selection(self) -> None:
        picked = {self.rows[index.row()].number for index in self.selectionModel().selectedRows()}
        # In the order of their selection: the last two count.
        kept = [number for number in self._order if number in picked]
        self._order = (*kept, *sorted(picked - set(kept)))
        self.chosen.emit(self._order)


def _swatch(number: int) -> QtGui.QIcon:
    """Give a square in a facet's colour."""
    square = QtGui.QPixmap(12, 12)
    square.fill(QtGui.QColor(*facet_color(number)))
    return QtGui.QIcon(square)
