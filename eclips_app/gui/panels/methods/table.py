"""All methods with a box to choose each, what there is of them, and the figures of their runs."""

from __future__ import annotations

from collections.abc import Sequence

from eclips_app.gui.flows.compare_methods import CompareMethodsFlow, Entry
from eclips_app.gui.flows.methods import METHODS
from eclips_app.gui.panels.methods.presenter import Pictures, columns, comparison_of
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import Comparison

_HEADS = (
    ("Method", "Choose two methods or more; click a row to show its run in the other panels"),
    ("Run", "Which run of the method is compared: the last one whose images and detector have not changed"),
    (
        "χ²", "Chi-square per degree of freedom by the exact forward model, 1 is what noise leaves; that of Live is by its own "
        "linear model, which explains each pixel by itself",
    ),
    ("Residual", "Rms of measured minus modelled signal in grey values; Live's is of its own linear model"),
    ("Time", "How long the run took"),
    ("Height range", "Highest minus lowest height, plane taken out"),
    ("To reference", "Rms difference of the heights to those of the reference, plane taken out"),
    ("To map", "Rms difference to the AFM or other height map with which the run was last compared (panel Compare)"),
)  # fmt: skip
_STATES = {"chosen": "not run yet", "left out": "", "waiting": "waits", "running": "runs now"}
_NOTES = {"before": "made before", "new": "new", "stopped": "stopped"}
_RUN, _TO_MAP = 1, 7
_NARROW = 640  #: pixels
_BOX_PX = 46  #: of the box before a method's name, and margins
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class MethodsTable(QtWidgets.QTableWidget):
    """A row for each method."""

    def __init__(self, session: Session, flow: CompareMethodsFlow) -> None:
        super().__init__(len(METHODS), len(_HEADS))
        self._session, self._flow = session, flow
        self._entries: tuple[Entry, ...] = ()
        self._is_narrow = False
        self.setAccessibleName("Methods and their figures")
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 9)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(40)
        modes = QtWidgets.QHeaderView.ResizeMode
        header.setSectionResizeMode(modes.ResizeToContents)
        header.setSectionResizeMode(0, modes.Fixed)
        header.setSectionResizeMode(_RUN, modes.Stretch)
        longest = max(self.fontMetrics().horizontalAdvance(method.name) for method in METHODS)
        self.setColumnWidth(0, longest + _BOX_PX)
        for column, (text, tip) in enumerate(_HEADS):
            item = QtWidgets.QTableWidgetItem(text)
            item.setToolTip(tip)
            item.setTextAlignment(
                _RIGHT if column > _RUN else Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            )
            self.setHorizontalHeaderItem(column, item)
        self._make_items()
        self.itemChanged.connect(self._on_item)
        self.itemSelectionChanged.connect(self._on_row)

    def sizeHint(self) -> QtCore.QSize:
        """Ask for the room of all rows."""
        head = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth() + 2
        bar = self.horizontalScrollBar().sizeHint().height() if self._is_narrow else 0
        return QtCore.QSize(420, head + bar + sum(self.rowHeight(row) for row in range(self.rowCount())))

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Let the names of the runs be read where the table is narrow: it is scrolled then."""
        super().resizeEvent(event)
        modes, is_narrow = QtWidgets.QHeaderView.ResizeMode, event.size().width() < _NARROW
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self.horizontalHeader().setSectionResizeMode(_RUN, modes.ResizeToContents if is_narrow else modes.Stretch)
            self.setMaximumHeight(self.sizeHint().height())
            self.updateGeometry()

    def show_entries(self, entries: Sequence[Entry], pictures: Pictures | None) -> None:
        """Show what there is of the methods; figures are those of `pictures`."""
        self._entries = tuple(entries)
        comparisons = self._session.project.of_kind(Comparison)
        figures = {picture.run.id: picture for picture in pictures.pictures} if pictures is not None else {}
        blocked = self.blockSignals(True)
        for row, entry in enumerate(entries):
            self._item(row, 0).setCheckState(Qt.CheckState.Checked if entry.is_chosen else Qt.CheckState.Unchecked)
            self._item(row, 0).setText(entry.method.name)
            self._item(row, 0).setToolTip(entry.method.text)
            self._item(row, _RUN).setText(_run_text(entry))
            picture = figures.get(entry.run.id) if entry.run is not None else None
            comparison = comparison_of(entry.run, comparisons) if entry.run is not None else None
            texts = columns(picture, comparison) if picture is not None else ("",) * (len(_HEADS) - _RUN - 1)
            for column, text in enumerate(texts, _RUN + 1):
                self._item(row, column).setText(text)
        chosen = [entry.run.id if entry.run is not None else "" for entry in entries]
        run_id = self._session.project.selection.run_id
        if run_id in chosen:
            self.selectRow(chosen.index(run_id))
        else:
            self.clearSelection()
        self.setColumnHidden(_TO_MAP, not any(comparison_of(e.run, comparisons) for e in entries if e.run is not None))
        self.blockSignals(blocked)

    def _make_items(self) -> None:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        for row in range(self.rowCount()):
            for column in range(len(_HEADS)):
                item = QtWidgets.QTableWidgetItem()
                item.setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable if column == 0 else flags)
                if column > _RUN:
                    item.setTextAlignment(_RIGHT)
                self.setItem(row, column, item)
        self.setMaximumHeight(self.sizeHint().height())

    def _item(self, row: int, column: int) -> QtWidgets.QTableWidgetItem:
        item = self.item(row, column)
        assert item is not None
        return item

    def _on_item(self, item: QtWidgets.QTableWidgetItem) -> None:
        if item.column() == 0 and 0 <= item.row() < len(self._entries):
            entry, wanted = self._entries[item.row()], item.checkState() == Qt.CheckState.Checked
            if wanted != entry.is_chosen:
                self._flow.choose(entry.method.name, wanted)

    def _on_row(self) -> None:
        row = self.currentRow()
        run = self._entries[row].run if 0 <= row < len(self._entries) and self.selectedItems() else None
        if run is not None:
            self._session.project.select(run_id=run.id)


def _run_text(entry: Entry) -> str:
    """Say which run of a method is compared, or how far it is."""
    if entry.run is None or entry.state in _STATES:
        return _STATES[entry.state]
    return f"{entry.run.name}, {_NOTES[entry.state]}"
