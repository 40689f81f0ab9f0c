"""The crystal: lattice, top plane, azimuth, and what is believed before the facets are looked at."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.crystal import PRESETS, Crystal, Lattice, hkl_text, parse_hkl
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import rule_of
from eclips_app.gui.qt import QtGui, QtWidgets, Signal
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

#: Lengths and angles that may be typed in each system.
_FREE = {
    "cubic": ("a_nm",),
    "tetragonal": ("a_nm", "c_nm"),
    "orthorhombic": ("a_nm", "b_nm", "c_nm"),
    "hexagonal": ("a_nm", "c_nm"),
    "triclinic": ("a_nm", "b_nm", "c_nm", "alpha_deg", "beta_deg", "gamma_deg"),
}
_CELL = _FREE["triclinic"]
_NARROW = 430
_BELIEFS = ("in_plane_deg", "in_plane_std_deg", "largest_index", "orientation_std_deg", "prior_power", "none_prior")


class CrystalForm(QtWidgets.QWidget):
    """Sends the whole `Crystal` when the user has changed something, with what it was in words."""

    changed = Signal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self._crystal = Crystal()
        self.lattice = CalmCombo("Lattice", "A known crystal, or an own lattice by its system")
        for name in PRESETS:
            self.lattice.addItem(name, name)
        for system in _FREE:
            self.lattice.addItem("Own, general" if system == "triclinic" else f"Own, {system}", system)
        self.layers = CalmCombo("Layers", rule_of(Lattice, "layers").help)
        for layers, text in (("P", "P: corners"), ("I", "I: body"), ("F", "F: faces")):
            self.layers.addItem(text, layers)
        self.top = QtWidgets.QLineEdit()
        self.top.setAccessibleName("Top plane")
        self.top.setPlaceholderText("searched")
        self.top.setToolTip("Plane of the reference facet, such as 100; empty: the likeliest is searched")
        self.cell = {name: QuantityEdit(rule_of(Lattice, name)) for name in _CELL}
        self.beliefs = {
            name: QuantityEdit(rule_of(Crystal, name), optional=name == "in_plane_deg", whole=name == "largest_index")
            for name in _BELIEFS
        }
        self._lay_out()
        self.lattice.activated.connect(self._on_lattice)
        self.layers.activated.connect(self._on_cell)
        self.top.editingFinished.connect(self._on_top)
        for edit in self.cell.values():
            edit.committed.connect(self._on_cell)
        for edit in self.beliefs.values():
            edit.committed.connect(self._on_belief)
        self.show_crystal(self._crystal)

    def show_crystal(self, crystal: Crystal) -> None:
        """Show a crystal without sending it."""
        self._crystal = crystal
        lattice = crystal.lattice
        kind = lattice.name if PRESETS.get(lattice.name) == lattice else _form_of(lattice)
        self.lattice.show_data(kind)
        self.layers.show_data(lattice.layers)
        self.top.setText(hkl_text(crystal.top) if crystal.top is not None else "")
        self._mark_top("")
        for name, edit in self.cell.items():
            edit.set_value(getattr(lattice, name))
            self._set_visible(edit, kind not in PRESETS and name in _FREE[_form_of(lattice)])
        self._set_visible(self.layers, kind not in PRESETS)
        for name, edit in self.beliefs.items():
            edit.set_value(getattr(crystal, name))

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put both columns below each other where they have no room side by side."""
        direction = QtWidgets.QBoxLayout.Direction
        self._columns.setDirection(direction.TopToBottom if event.size().width() < _NARROW else direction.LeftToRight)
        super().resizeEvent(event)

    def _lay_out(self) -> None:
        self._forms = [QtWidgets.QFormLayout(), QtWidgets.QFormLayout()]
        self._columns = columns = QtWidgets.QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Maximum)
        for form in self._forms:
            form.setVerticalSpacing(4)
            columns.addLayout(form, 1)
        left, right = self._forms
        left.addRow("Crystal", self.lattice)
        left.addRow("Top plane", self.top)
        for name, edit in self.cell.items():
            left.addRow(rule_of(Lattice, name).label, edit)
        left.addRow("Layers", self.layers)
        for name, edit in self.beliefs.items():
            (left if name == "in_plane_deg" else right).addRow(_LABELS.get(name, rule_of(Crystal, name).label), edit)

    def _set_visible(self, field: QtWidgets.QWidget, visible: bool) -> None:
        self._forms[0].setRowVisible(field, visible)

    def _on_lattice(self, _: int) -> None:
        kind, old = str(self.lattice.currentData()), self._crystal.lattice
        lattice = PRESETS[kind] if kind in PRESETS else _as_system(replace(old, name="own"), kind)
        self.changed.emit(replace(self._crystal, lattice=lattice), "Crystal lattice")

    def _on_cell(self, _: object) -> None:
        values = {name: edit.value for name, edit in self.cell.items() if edit.value is not None}
        lattice = replace(self._crystal.lattice, name="own", layers=str(self.layers.currentData()), **values)
        lattice = _as_system(lattice, str(self.lattice.currentData()))
        self.changed.emit(replace(self._crystal, lattice=lattice), "Crystal lattice")

    def _on_top(self) -> None:
        text = self.top.text().strip()
        try:
            top = parse_hkl(text) if text else None
        except EclipsError as error:
            self._mark_top(str(error))
            return
        self._mark_top("")
        if top != self._crystal.top:
            self.changed.emit(replace(self._crystal, top=top), "Top plane")

    def _on_belief(self, _: object) -> None:
        values: dict[str, object] = {name: edit.value for name, edit in self.beliefs.items()}
        values["largest_index"] = int(self.beliefs["largest_index"].value or 1)
        self.changed.emit(replace(self._crystal, **values), "Crystal settings")  # type: ignore[arg-type]

    def _mark_top(self, problem: str) -> None:
        self.top.setToolTip(problem or "Plane of the reference facet, such as 100; empty: the likeliest is searched")
        state = "error" if problem else ""
        if self.top.property("state") != state:
            self.top.setProperty("state", state)
            self.top.style().unpolish(self.top)
            self.top.style().polish(self.top)


_LABELS = {"in_plane_deg": "Azimuth", "orientation_std_deg": "Crystal off by", "in_plane_std_deg": "Azimuth known to"}


def _form_of(lattice: Lattice) -> str:
    """Give the entry of the list that a lattice belongs to."""
    return lattice.system if lattice.system in _FREE else "triclinic"


def _as_system(lattice: Lattice, system: str) -> Lattice:
    """Make a lattice's lengths and angles those of a system."""
    a, b, c = lattice.a_nm, lattice.b_nm, lattice.c_nm
    right = replace(lattice, alpha_deg=90.0, beta_deg=90.0, gamma_deg=90.0)
    match system:
        case "cubic":
            return replace(right, b_nm=a, c_nm=a)
        case "tetragonal":
            return replace(right, b_nm=a, c_nm=c if c != a else 1.2 * a)
        case "orthorhombic":
            return replace(right, b_nm=b if b != a else 1.1 * a, c_nm=c if c != a else 1.2 * a)
        case "hexagonal":
            return replace(right, b_nm=a, gamma_deg=120.0)
        case _:
            return lattice
