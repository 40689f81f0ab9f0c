"""The numbers of an observation, made from the rules of its dataclasses."""

from __future__ import annotations

import typing
from dataclasses import fields, replace

from eclips_app.core.calibration import Observation
from eclips_app.core.schema import Rule, rule_of
from eclips_app.gui.panels.calibration import handles
from eclips_app.gui.panels.calibration.places import SIDES, AreaPlace, Place
from eclips_app.gui.qt import QtCore, QtWidgets, Signal
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import HeightMap, Reference

_COMMON = ("tilt_deg", "tilt_std_deg", "current")
_DIGITS = 5  #: that are shown; more have no meaning and no room
_STAGE = "Stage tilt known to"  #: objects have a tilt that is known, too
_AZIMUTH = Rule("Azimuth", "°", -360, 360, help="Direction in which the area falls, from image right toward image up.")
_SERIES_TIP = (
    "Observations of one series show one area under one current, but for the tilts and currents that are typed"
)


class ObservationForm(QtWidgets.QWidget):
    """Fields of the observation that is shown; `changed` carries it with what the user typed."""

    changed = Signal(object)
    map_chosen = Signal(str)  #: id of a height map

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[Place | AreaPlace, QuantityEdit] = {}
        self.faces: list[QtWidgets.QCheckBox] = []
        self.series: QtWidgets.QLineEdit | None = None
        self.maps: CalmCombo | None = None
        self._built: tuple[object, ...] = ()
        self._observation = Observation()
        self._shape = (1, 1)
        self._form = QtWidgets.QFormLayout(self)
        self._form.setContentsMargins(4, 4, 4, 4)
        self._form.setVerticalSpacing(4)
        self._form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)

    def show_reference(
        self, reference: Reference | None, maps: tuple[HeightMap, ...], shape: tuple[int, int] = (1, 1)
    ) -> None:
        """Show an observation in images of a shape [rows, columns]; fields that hold their value keep what is being typed."""
        self.setVisible(reference is not None)
        if reference is None:
            return
        observation = self._observation = reference.observation
        self._shape = shape
        built = (
            reference.id,
            observation.kind,
            len(handles.areas(observation)),
            tuple(each.id for each in maps),
            shape,
        )
        if built != self._built:
            self._built = built
            self._build(observation, maps)
        for place, field in self.fields.items():
            value = place.value(observation)
            if field.value != value:
                field.set_value(value)
        if self.series is not None and self.series.text() != observation.series:
            self.series.setText(observation.series)
        for k, box in enumerate(self.faces):
            assert observation.indent is not None  # only it has faces
            box.setChecked(k in observation.indent.faces)
            turn = ((observation.indent.rotation_deg or 0.0) + 90.0 * k) % 360.0
            box.setText(f"{turn:.0f}°" if observation.indent.rotation_deg is not None else f"{k + 1}")
        if self.maps is not None:
            self.maps.show_data(reference.map_id)

    def _build(self, observation: Observation, maps: tuple[HeightMap, ...]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.fields, self.faces, self.series, self.maps = {}, [], None, None
        kind = observation.kind
        if kind:
            self._add_rows(kind, type(getattr(observation, kind)))
        if kind == "indent":
            self._add_faces()
        for number in range(len(handles.areas(observation))):
            self._add_area(number, has_azimuth=kind == "facets")
        if kind == "heights":
            self.maps = CalmCombo("Height map", "AFM map of the same place; place it on the image in the Profile panel")
            for each in maps:
                self.maps.addItem(each.name, each.id)
            self.maps.activated.connect(self._on_map)
            self._form.addRow("Height map", self.maps)
        if kind != "dark":
            self._add_rows("", Observation, _COMMON)
            self.series = QtWidgets.QLineEdit()
            self.series.setAccessibleName("Series")
            self.series.setToolTip(_SERIES_TIP)
            self.series.setPlaceholderText("by itself")
            self.series.editingFinished.connect(self._on_series)
            self._form.addRow("Series", self.series)

    def _add_rows(self, owner: str, cls: type, names: tuple[str, ...] = ()) -> None:
        hints = typing.get_type_hints(cls)
        for field in fields(cls):
            rule, hint = rule_of(cls, field.name), hints[field.name]
            if not rule.label or (names and field.name not in names):
                continue
            parts = typing.get_args(hint) if type(None) in typing.get_args(hint) else (hint,)
            is_pair = any(typing.get_origin(part) is tuple for part in parts)
            row = QtWidgets.QHBoxLayout()
            row.setSpacing(4)
            for index in (0, 1) if is_pair else (None,):
                row.addWidget(self._field(Place(owner, field.name, index), rule, optional=type(None) in parts))
            self._form.addRow(_STAGE if (owner, field.name) == ("", "tilt_std_deg") else rule.label, row)

    def _field(self, place: Place | AreaPlace, rule: Rule, *, optional: bool) -> QuantityEdit:
        field = QuantityEdit(rule, optional=optional, whole=isinstance(place, AreaPlace), digits=_DIGITS)
        field.setMinimumWidth(48)
        if optional and isinstance(place, Place):
            field.setPlaceholderText("found" if "px" in place.name or "rotation" in place.name else "not known")
        field.committed.connect(self._on_committed)
        self.fields[place] = field
        return field

    def _add_faces(self) -> None:
        row = QtWidgets.QHBoxLayout()
        for k in range(4):
            box = QtWidgets.QCheckBox(f"{k + 1}")
            box.setToolTip("Use this face; the angle is the azimuth of its normal")
            box.clicked.connect(self._on_face)
            self.faces.append(box)
            row.addWidget(box)
        self._form.addRow("Faces in use", row)

    def _add_area(self, number: int, *, has_azimuth: bool) -> None:
        row = QtWidgets.QHBoxLayout()
        if has_azimuth:
            place = Place("facets", "azimuths_deg", number)
            row.addWidget(
                self._field(place, replace(_AZIMUTH, label=f"Azimuth of area {number + 1}"), optional=False), 1
            )
        remove = QtWidgets.QPushButton("Remove")
        remove.setObjectName(str(number))
        remove.setToolTip("Take this area out")
        remove.setAccessibleName(f"Remove area {number + 1}")
        remove.clicked.connect(self._on_remove_area)
        row.addWidget(remove)
        name = f"Area {number + 1}"
        self._form.addRow(f"{name}, azimuth" if has_azimuth else name, row)
        for words, sides in (("rows", (0, 2)), ("columns", (1, 3))):
            line = QtWidgets.QHBoxLayout()
            line.setSpacing(4)
            for side in sides:
                rule = _side_rule(number, side, self._shape)
                line.addWidget(self._field(AreaPlace(number, side, self._shape), rule, optional=False))
            self._form.addRow(f"{name}, {words}", line)

    def _on_committed(self, value: float | None) -> None:
        sender = self.sender()
        place = next(place for place, field in self.fields.items() if field is sender)
        changed = place.put(self._observation, value)
        if changed != self._observation:
            self.changed.emit(changed)
        elif isinstance(sender, QuantityEdit):  # it was not taken
            sender.set_value(place.value(self._observation))

    def _on_face(self) -> None:
        indent = self._observation.indent
        assert indent is not None  # only it has faces
        faces = tuple(k for k, box in enumerate(self.faces) if box.isChecked())
        self.changed.emit(replace(self._observation, indent=replace(indent, faces=faces or indent.faces)))
        if not faces:  # one is needed; show what still holds
            for k, box in enumerate(self.faces):
                box.setChecked(k in indent.faces)

    def _on_remove_area(self) -> None:
        number = int(self.sender().objectName())
        kept = tuple(area for i, area in enumerate(handles.areas(self._observation)) if i != number)
        # Queued: the answer rebuilds the form, button included.
        QtCore.QTimer.singleShot(0, self, _Emit(self, handles.with_areas(self._observation, kept)))

    def _on_series(self) -> None:
        name = self.series.text().strip() if self.series is not None else ""
        if name != self._observation.series:
            self.changed.emit(replace(self._observation, series=name))

    def _on_map(self, _: int) -> None:
        if self.maps is not None:
            self.map_chosen.emit(self.maps.currentData())


def _side_rule(number: int, side: int, shape: tuple[int, int]) -> Rule:
    """Give the rule of a side of an area in images of a shape [rows, columns]."""
    what = "The first that is used" if side < 2 else "The first that is not used any more"
    return Rule(f"{SIDES[side]} of area {number + 1}", "px", 0, shape[side % 2], help=what)


class _Emit:
    """Says later what changed."""

    def __init__(self, form: ObservationForm, observation: Observation) -> None:
        self._form, self._observation = form, observation

    def __call__(self) -> None:
        self._form.changed.emit(self._observation)
