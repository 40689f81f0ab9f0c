"""Surface energies and the shape that has the least of them."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.crystal import Crystal, Hkl, SurfaceEnergy, hkl_text, parse_hkl
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import StepResult
from eclips_app.gui.panels.facets.wulff_view import WulffView
from eclips_app.gui.qt import Qt, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import quantity_text, read_quantity
from eclips_app.gui.widgets.themed_button import ThemedButton

_PLANE, _ENERGY, _PART = range(3)
_HEADS = (
    ("Plane", "Indices of one of the equivalent planes"), ("Energy", "Of the surface, in J/m²; only ratios shape the body"),
    ("Area", "Part of the body's surface"),
)  # fmt: skip
_NOTE = "The energies are yours: none are built in. Cite where they are from."


class WulffTab(QtWidgets.QWidget):
    """An editable table of energies beside the shape; `energies_changed` carries the table's energies."""

    energies_changed = Signal(tuple)
    refused = Signal(str)  #: why an entry was not taken
    shown = Signal()  #: the tab came to the front

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._energies: tuple[SurfaceEnergy, ...] = ()
        self._fractions: dict[Hkl, float] = {}
        self.table = QtWidgets.QTableWidget(0, len(_HEADS))
        self.table.setAccessibleName("Surface energies")
        for column, (title, tip) in enumerate(_HEADS):
            head = QtWidgets.QTableWidgetItem(title)
            head.setToolTip(tip)
            self.table.setHorizontalHeaderItem(column, head)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.table.setMaximumHeight(130)
        self.add = ThemedButton(theme, "add", "Add a plane")
        self.delete = ThemedButton(theme, "delete", "Take out the selected plane")
        self.view = WulffView(theme)
        self.angles = QtWidgets.QLabel()
        self.angles.setWordWrap(True)
        self.angles.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        note = QtWidgets.QLabel(_NOTE)
        note.setProperty("kind", "faint")
        note.setWordWrap(True)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.delete)
        buttons.addWidget(note, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.table)
        layout.addLayout(buttons)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.angles)
        self.table.itemChanged.connect(self._on_item)
        self.add.clicked.connect(self._on_add)
        self.delete.clicked.connect(self._on_delete)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Ask for the shape."""
        super().showEvent(event)
        self.shown.emit()

    def show_crystal(self, crystal: Crystal, shape: StepResult | None) -> None:
        """Show energies, shape and the angles between its faces."""
        self._energies = crystal.energies
        self._fractions = {}
        if shape is not None:
            rows = ((tuple(each["hkl"]), each["fraction"]) for each in shape.info["fractions"])
            self._fractions = {(int(h[0]), int(h[1]), int(h[2])): float(part) for h, part in rows}
        self._fill(crystal)
        self.view.show_shape(shape)
        self.angles.setText(_angles_text(shape))

    def _fill(self, crystal: Crystal) -> None:
        from eclips_app.metrology.crystal import family

        self.table.blockSignals(True)
        self.table.setRowCount(len(self._energies))
        for row, each in enumerate(self._energies):
            part = self._fractions.get(family(crystal.lattice, each.hkl).hkl)
            texts = (hkl_text(each.hkl), quantity_text(each.energy), "–" if part is None else f"{100 * part:.1f} %")
            for column, text in enumerate(texts):
                cell = QtWidgets.QTableWidgetItem(text)
                if column == _PART:
                    cell.setFlags(cell.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, cell)
        self.table.blockSignals(False)

    def _on_item(self, cell: QtWidgets.QTableWidgetItem) -> None:
        old = self._energies[cell.row()]
        try:
            new = _read(old, cell)
        except EclipsError as error:
            self.table.blockSignals(True)
            cell.setText(hkl_text(old.hkl) if cell.column() == _PLANE else quantity_text(old.energy))
            self.table.blockSignals(False)
            self.refused.emit(str(error))
            return
        if new != old:
            energies = list(self._energies)
            energies[cell.row()] = new
            self.energies_changed.emit(tuple(energies))

    def _on_add(self) -> None:
        known = {each.hkl for each in self._energies}
        fresh = next(
            (
                hkl
                for hkl in ((1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (2, 1, 1), (3, 1, 1), (3, 3, 1))
                if hkl not in known
            ),
            (3, 2, 1),
        )
        energy = self._energies[-1].energy if self._energies else 1.0
        self.energies_changed.emit((*self._energies, SurfaceEnergy(fresh, energy)))

    def _on_delete(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._energies) and len(self._energies) > 1:
            self.energies_changed.emit(tuple(each for i, each in enumerate(self._energies) if i != row))


def _read(old: SurfaceEnergy, cell: QtWidgets.QTableWidgetItem) -> SurfaceEnergy:
    if cell.column() == _PLANE:
        return replace(old, hkl=parse_hkl(cell.text()))
    value = read_quantity(cell.text(), rule_of(SurfaceEnergy, "energy"))
    return replace(old, energy=old.energy if value is None else value)


def _angles_text(shape: StepResult | None) -> str:
    """Write the angles between neighbouring faces."""
    if shape is None:
        return ""
    texts = []
    for each in shape.info["angles"]:
        one, other = (hkl_text((int(h[0]), int(h[1]), int(h[2]))) for h in each["planes"])
        texts.append(f"{one}–{other} {each['angle_deg']:.2f}° (outside {each['external_deg']:.2f}°)")
    return "Between neighbouring faces: " + ", ".join(texts) + "." if texts else ""
