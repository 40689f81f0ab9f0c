"""The entry fields of the detector: each value of the detector file with its unit and limits."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.gui.panels.detector.presenter import DetectorEditor, rule_for
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_GEOMETRY = (
    ("distance_mm", ""), ("inner_radius_mm", ""), ("outer_radius_mm", ""), ("center_mm.0", "Axis offset x"),
    ("center_mm.1", "Axis offset y"), ("tilt_deg.0", "Tilt about x"), ("tilt_deg.1", "Tilt about y"),
)  # fmt: skip
_BEAM = (("beam.energy_kev", "Energy"), ("beam.probe_fwhm_nm", "Probe (FWHM)"))
_GROUPS = {
    "bias": ("Bias", (("bias.specimen_v", "Specimen"), ("bias.detector_v", "Detector"))),
    "pole_piece": (
        "Pole piece",
        (
            ("pole_piece.distance_mm", "Distance"), ("pole_piece.bore_radius_mm", ""),
            ("pole_piece.outer_radius_mm", "Outer radius"), ("pole_piece.potential_v", "Potential"),
        ),
    ),
    "response": ("Energy threshold", (("response.threshold_kev", "Threshold"),)),
}  # fmt: skip


class DetectorForm(QtWidgets.QWidget):
    """Fields under headings; says what the user typed and shows what it is told."""

    changed = Signal(str, object)  #: key, value
    group_toggled = Signal(str, bool)  #: name of an optional group, whether it is wanted

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, QuantityEdit] = {}
        self.groups: dict[str, QtWidgets.QCheckBox] = {}
        self.take_energy = QtWidgets.QPushButton("Take from images")
        self.take_energy.setToolTip("Take the beam energy that the images' metadata tell")
        self._keys: dict[QuantityEdit, str] = {}
        self._layout = QtWidgets.QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setVerticalSpacing(4)
        self._layout.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._add_section("Geometry", _GEOMETRY)
        self._add_section("Beam", _BEAM)
        self._layout.insertRow(self._row_of("beam.probe_fwhm_nm"), self.take_energy)
        for name, (title, keys) in _GROUPS.items():
            box = QtWidgets.QCheckBox(title)
            box.setObjectName(name)
            box.setToolTip(f"Whether the detector file has the part '{name}'")
            box.clicked.connect(self._on_toggled)
            self.groups[name] = box
            self._layout.addRow(box)
            self._add_fields(keys)

    def show_values(self, editor: DetectorEditor) -> None:
        """Show the detector; fields that already hold their value keep what is being typed."""
        for name, box in self.groups.items():
            present = editor.value(name) is not None
            box.setChecked(present)
            for key, _ in _GROUPS[name][1]:
                self._layout.setRowVisible(self.fields[key], present)
        self._layout.setRowVisible(self.fields["beam.probe_fwhm_nm"], editor.value("beam") is not None)
        for key, field in self.fields.items():
            value = editor.value(key)
            if field.value != value:
                field.set_value(value)

    def restore(self, editor: DetectorEditor) -> None:
        """Show the detector's values in every field, whatever was typed."""
        for key, field in self.fields.items():
            field.set_value(editor.value(key))

    def show_energy(self, energy_kev: float | None, in_use: bool) -> None:
        """Offer the beam energy of the images, if they tell one."""
        self._layout.setRowVisible(self.take_energy, energy_kev is not None)
        self.take_energy.setText(f"Take {energy_kev or 0:g} keV from the images")
        self.take_energy.setEnabled(not in_use)

    def _add_section(self, title: str, keys: tuple[tuple[str, str], ...]) -> None:
        heading = QtWidgets.QLabel(title)
        heading.setProperty("kind", "heading")
        heading.setContentsMargins(0, 8, 0, 0)
        self._layout.addRow(heading)
        self._add_fields(keys)

    def _add_fields(self, keys: tuple[tuple[str, str], ...]) -> None:
        for key, label in keys:
            rule = rule_for(key)
            rule = replace(rule, label=label) if label else rule
            field = QuantityEdit(rule, optional=key == "beam.energy_kev")
            field.committed.connect(self._on_committed)
            self._keys[field] = key
            self.fields[key] = field
            caption = QtWidgets.QLabel(rule.label)
            caption.setBuddy(field)
            caption.setToolTip(rule.help)
            self._layout.addRow(caption, field)

    def _row_of(self, key: str) -> int:
        return next(r for r in range(self._layout.rowCount()) if self._field_at(r) is self.fields[key])

    def _field_at(self, row: int) -> QtWidgets.QWidget | None:
        item = self._layout.itemAt(row, QtWidgets.QFormLayout.ItemRole.FieldRole)
        return item.widget() if item is not None else None

    def _on_committed(self, value: object) -> None:
        sender = self.sender()
        assert isinstance(sender, QuantityEdit)
        self.changed.emit(self._keys[sender], value)

    def _on_toggled(self, checked: bool) -> None:
        self.group_toggled.emit(self.sender().objectName(), checked)
