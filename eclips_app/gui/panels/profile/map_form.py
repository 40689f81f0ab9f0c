"""A height map from elsewhere: which, where it lies, and how it is shown."""

from __future__ import annotations

from eclips_app.commands import edits
from eclips_app.core.schema import Rule
from eclips_app.core.units import format_length
from eclips_app.gui.flows import levelling
from eclips_app.gui.flows.measure import MeasureFlow
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import HeightMap
from eclips_app.model.placing import frame_map

_FIELDS = (
    (Rule("Centre x", "px", -1e6, 1e6, (), "Column of the image on which the map's centre lies"), "Centre x"),
    (Rule("Centre y", "px", -1e6, 1e6, (), "Row of the image on which the map's centre lies"), "y"),
    (Rule("Rotation", "°", -360, 360, (), "Turn of the map, counter-clockwise"), "Rotation"),
    (Rule("Height offset", "nm", -1e9, 1e9, (), "Added to the map's heights"), "Height offset"),
)


class MapForm(QtWidgets.QWidget):
    """Loads, chooses and places a height map. `view_changed` asks the pane to show it otherwise."""

    view_changed = Signal()

    def __init__(self, session: Session, flow: MeasureFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.choice = QtWidgets.QComboBox()
        self.choice.setAccessibleName("Height map")
        self.choice.setToolTip("The height map laid over the image")
        self.choice.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(12)
        self.choice.activated.connect(self._choose)
        self.load = _button("Load…", "Read an AFM or other height map", flow.ask_height_map)
        self.remove = _button("Remove", "Take the map out of the project (can be undone)", self._remove)
        self.place = QtWidgets.QPushButton("Place by hand")
        self.place.setCheckable(True)
        self.place.setToolTip("Drag the map on the image; its corners turn it, with Shift in steps of 15°")
        self.match = _button("Match heights", "Lift the map onto run A along the selected line", flow.match_map)
        self.level = _button(
            "Level…", "Take tilt, bow, lines or scars out of the map", levelling.flow_of(session).open_map
        )
        self.shown = QtWidgets.QCheckBox("Show its heights on the image")
        self.shown.setToolTip("Draw the map half transparent over the image, not its outline alone")
        self.shown.toggled.connect(self._on_shown)
        self.fields = [QuantityEdit(rule, 0.0) for rule, _ in _FIELDS]
        for field in self.fields:
            field.committed.connect(self._commit)
        self.facts = QtWidgets.QLabel()
        self.facts.setProperty("kind", "faint")
        self._lay_out()

    def refresh(self) -> None:
        """Read the project again."""
        project = self._session.project
        maps, placed = project.of_kind(HeightMap), self.current()
        self.choice.clear()
        self.choice.addItem("No height map", "")
        for each in maps:
            self.choice.addItem(each.name, each.id)
        self.choice.setCurrentIndex(max(0, self.choice.findData(project.selection.map_id)))
        self.level.setEnabled(placed is not None)
        self.remove.setEnabled(placed is not None)
        for widget in (
            *self.fields,
            self.place,
            self.match,
            self.shown,
        ):  # shapes are drawn on a map alone: it lies still
            widget.setEnabled(placed is not None and placed is not frame_map(project))
        if placed is None:
            self.facts.setText("AFM and profilometer files can be laid over the image.")
            return
        values = (*placed.center_px, placed.rotation_deg, placed.z_offset_nm)
        for field, value in zip(self.fields, values, strict=True):
            field.set_value(round(value, 3))
        rows, columns = placed.height.shape
        width, height = columns * placed.pixel_size_nm[0], rows * placed.pixel_size_nm[1]
        self.facts.setText(f"{columns} × {rows} px, {format_length(width)} × {format_length(height)}")

    def current(self) -> HeightMap | None:
        """Give the selected map."""
        return self._session.project.get(HeightMap, self._session.project.selection.map_id)

    @property
    def opacity(self) -> float:
        """How strongly the map's heights cover the image."""
        return 0.65 if self.shown.isChecked() else 0.0

    def _lay_out(self) -> None:
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.setVerticalSpacing(4)
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.choice, 1)
        top.addWidget(self.load)
        top.addWidget(self.remove)
        grid.addLayout(top, 0, 0, 1, 4)
        grid.addWidget(self.facts, 1, 0, 1, 4)
        for i, (field, (_, text)) in enumerate(zip(self.fields, _FIELDS, strict=True)):
            grid.addWidget(QtWidgets.QLabel(text), 2 + i // 2, 2 * (i % 2))
            grid.addWidget(field, 2 + i // 2, 1 + 2 * (i % 2), 1, 1)
        bottom = QtWidgets.QHBoxLayout()
        for widget in (self.place, self.match, self.level):
            bottom.addWidget(widget)
        bottom.addStretch(1)
        grid.addLayout(bottom, 4, 0, 1, 4)
        grid.addWidget(self.shown, 5, 0, 1, 4)
        grid.setRowStretch(6, 1)

    def _choose(self, _: int) -> None:
        self._session.project.select(map_id=self.choice.currentData())

    def _remove(self) -> None:
        placed = self.current()
        if placed is not None:
            self._session.do(
                edits.remove(f"Remove {placed.name}", [placed, *self._session.project.facets_of(placed.id)])
            )

    def _on_shown(self, _: bool) -> None:
        self.view_changed.emit()

    def _commit(self, _: object) -> None:
        x, y, rotation, offset = (float(field.value or 0.0) for field in self.fields)
        self._flow.place_map("Place height map", "", center_px=(x, y), rotation_deg=rotation, z_offset_nm=offset)


def _button(text: str, tip: str, run: object) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(run)
    return button
