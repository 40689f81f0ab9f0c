"""The detector panel: form, segments, drawings, presets and files."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eclips_app.core.detector import Detector, presets
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import Rule
from eclips_app.gui.panels.detector import geometry
from eclips_app.gui.panels.detector.form import DetectorForm
from eclips_app.gui.panels.detector.presenter import DetectorEditor, images_energy_kev, notes
from eclips_app.gui.panels.detector.segment_table import SegmentTable
from eclips_app.gui.panels.detector.sketch import AcceptanceView, SideView, TopView
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.gui.widgets.segments import segment_color

_ANGLE = Rule("Rotate all segments by", "°", -360, 360, help="Positive is counter-clockwise")


class DetectorPanel(QtWidgets.QWidget):
    """Shows and changes the detector in use; every change is one step of undo."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.editor = DetectorEditor(session)
        self.form = DetectorForm()
        self.table = SegmentTable(session.theme)
        self.top, self.side = TopView(session.theme, "Top view"), SideView(session.theme, "Side view")
        self.acceptance = AcceptanceView(session.theme)
        self.problem = _label("", "error")
        self.notes = _label("", "warning")
        self.hint = _label("", "faint")
        self._pages = QtWidgets.QStackedLayout(self)
        self._pages.addWidget(self._empty_page())
        self._pages.addWidget(self._main_page())
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show the project's detector."""
        detector = self.editor.detector
        self._pages.setCurrentIndex(0 if detector is None else 1)
        if detector is None:
            return
        self._say("")
        if self.name.text() != detector.name:
            self.name.setText(detector.name)
            self.name.setCursorPosition(0)
        self.file_label.setText(self.editor.file_text)
        self.file_label.setToolTip(self.editor.path)
        self.form.show_values(self.editor)
        self.table.show_detector(detector)
        if any(s.inner_radius_mm is not None or s.outer_radius_mm is not None for s in detector.quadrants):
            self.own_radii.setChecked(True)
        self._show_notes(detector)
        for drawing in (self.top, self.side, self.acceptance):
            drawing.show_detector(detector)
        self.legend.setText(_legend(detector, self.acceptance, self._session.theme.colors))

    # Building

    def _empty_page(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        text = _label("Choose the preset nearest to your detector, or open a detector file, to begin", "")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QtWidgets.QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._preset_button("primary"))
        row.addWidget(_button("Open detector file…", "Read a detector file (.json)", self._open))
        row.addStretch(1)
        layout = QtWidgets.QVBoxLayout(page)
        layout.addStretch(1)
        layout.addWidget(text)
        layout.addLayout(row)
        layout.addStretch(2)
        return page

    def _main_page(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(page)
        layout.addLayout(self._bar())
        for label in (self.problem, self.notes):
            layout.addWidget(label)
        splitter = QtWidgets.QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self._left())
        splitter.addWidget(self._drawings())
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.setChildrenCollapsible(False)
        layout.addWidget(splitter, 1)
        return page

    def _bar(self) -> QtWidgets.QLayout:
        self.name = QtWidgets.QLineEdit()
        self.name.setAccessibleName("Name of the detector")
        self.name.setToolTip("Name of the detector")
        self.name.setMinimumWidth(80)
        self.name.editingFinished.connect(self._on_name)
        self.file_label = QtWidgets.QLabel()
        self.file_label.setProperty("kind", "faint")
        self.file_label.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.file_label, 1)
        row.addWidget(self._preset_button(""))
        row.addWidget(_button("Open…", "Read a detector file (.json)", self._open))
        row.addWidget(_button("Save", "Write the detector to its file", self._save))
        row.addWidget(_button("Save as…", "Write the detector to another file", self._save_as))
        return row

    def _preset_button(self, kind: str) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton("Presets")
        button.setProperty("kind", kind)
        button.setToolTip("Detectors with typical dimensions, to start from")
        menu = QtWidgets.QMenu(button)
        for name, detector in presets().items():
            action = menu.addAction(name)
            action.setData(detector)
            action.triggered.connect(self._on_preset)
        button.setMenu(menu)
        button.setEnabled(not menu.isEmpty())
        return button

    def _left(self) -> QtWidgets.QWidget:
        content = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 6, 0)
        heading = _label("Segments", "heading")
        layout.addWidget(heading)
        layout.addWidget(self.table)
        layout.addLayout(self._segment_buttons())
        layout.addWidget(self.form, 1)
        layout.addWidget(self.hint)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        scroll.setMinimumWidth(296)
        return scroll

    def _segment_buttons(self) -> QtWidgets.QLayout:
        self.own_radii = QtWidgets.QCheckBox("Several rings")
        self.own_radii.setToolTip("Give segments their own radii, for detectors of several rings")
        self.own_radii.toggled.connect(self.table.show_radii)
        self.angle = QuantityEdit(_ANGLE, 90.0)
        self.angle.setMinimumWidth(56)
        self.angle.setMaximumWidth(80)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(_button("Add", "Add a segment in the widest gap", self._add_segment))
        row.addWidget(_button("Remove", "Remove the selected segment", self._remove_segment))
        row.addWidget(self.own_radii)
        row.addStretch(1)
        turn = QtWidgets.QHBoxLayout()
        turn.addWidget(_button("Rotate all by", "Turn all segments counter-clockwise by this angle", self._rotate))
        turn.addWidget(self.angle)
        turn.addStretch(1)
        rows = QtWidgets.QVBoxLayout()
        rows.addLayout(row)
        rows.addLayout(turn)
        return rows

    def _drawings(self) -> QtWidgets.QWidget:
        content = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(content)
        grid.setContentsMargins(6, 0, 0, 0)
        self.legend = _label("", "")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        caption = _label("Directions caught, from above: area is the share of a flat specimen's electrons", "faint")
        grid.addWidget(_label("From above, as in the image", "faint"), 0, 0)
        grid.addWidget(_label("From the side", "faint"), 0, 1)
        grid.addWidget(self.top, 1, 0)
        grid.addWidget(self.side, 1, 1)
        grid.addWidget(caption, 2, 0, 1, 2)
        grid.addWidget(self.acceptance, 3, 0)
        grid.addWidget(self.legend, 3, 1, Qt.AlignmentFlag.AlignVCenter)
        for index in (0, 1):
            grid.setColumnStretch(index, 1)
            grid.setRowStretch(2 * index + 1, 1)
        return content

    def _connect(self) -> None:
        self.form.changed.connect(self._set_value)
        self.form.group_toggled.connect(self._set_group)
        self.form.take_energy.clicked.connect(self._take_energy)
        self.table.changed.connect(self._set_value)
        self.table.refused.connect(self._say)
        self._session.project.changed.connect(self._on_project)
        self._session.project.selection_changed.connect(self._on_project)
        self._session.theme.changed.connect(self.refresh)

    # Reactions

    def _on_project(self, _: object) -> None:
        self.refresh()

    def _show_notes(self, detector: Detector) -> None:
        segment_set = self._session.project.segment_set
        found = notes(detector, segment_set)
        for label, kind in ((self.notes, "warning"), (self.hint, "faint")):
            text = "\n".join(note.text for note in found if note.kind == kind)
            label.setText(text)
            label.setVisible(bool(text))
        energy = images_energy_kev(segment_set)
        self.form.show_energy(energy, detector.beam is not None and detector.beam.energy_kev == energy)

    def _say(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _try(self, change: Callable[..., object], *arguments: Any) -> None:
        """Make a change; if it is refused, say why and show what still holds."""
        try:
            change(*arguments)
        except EclipsError as error:
            self.form.restore(self.editor)
            self.table.redraw()
            self._say(str(error))

    def _set_value(self, key: str, value: object) -> None:
        self._try(self.editor.set_value, key, value)

    def _set_group(self, name: str, present: bool) -> None:
        self._try(self.editor.set_group, name, present)

    def _on_name(self) -> None:
        self._try(self.editor.set_value, "name", self.name.text().strip() or "Detector")

    def _on_preset(self) -> None:
        sender = self.sender()
        assert isinstance(sender, QtGui.QAction)
        self._try(self.editor.use_preset, sender.data())

    def _take_energy(self) -> None:
        self._try(self.editor.take_energy)

    def _add_segment(self) -> None:
        self._try(self.editor.add_segment)

    def _remove_segment(self) -> None:
        row = self.table.currentRow()
        if row < 0:
            self._say("Select the segment to remove in the table.")
        else:
            self._try(self.editor.remove_segment, row)

    def _rotate(self) -> None:
        if self.angle.value is not None:
            self._try(self.editor.rotate_all, self.angle.value)

    def _open(self) -> None:
        self._try_files(self.editor.ask_open)

    def _save(self) -> None:
        if self.editor.path:
            self._try_files(self.editor.save, Path(self.editor.path))
        else:
            self._save_as()

    def _save_as(self) -> None:
        self._try_files(self.editor.ask_save)

    def _try_files(self, work: Callable[..., object], *arguments: Any) -> None:
        try:
            work(*arguments)
        except EclipsError as error:
            self._session.notify(str(error), "error")
            self._say(str(error))
        else:
            self.file_label.setText(self.editor.file_text)


def _legend(detector: Detector, view: AcceptanceView, colors: Any) -> str:
    """Give the table of take-off angles and collected parts, by segment."""
    rows = ["<tr><td></td><td></td><td>Take&#8209;off&nbsp;</td><td>&nbsp;Collects</td></tr>"]
    for index, segment in enumerate(detector.quadrants):
        low, high = geometry.take_off_range_deg(detector, segment)
        swatch = f"<span style='color:{segment_color(colors, index).name()}'>■</span>"
        rows.append(
            f"<tr><td>{swatch}&nbsp;</td><td><b>{html.escape(segment.name)}</b>&nbsp;&nbsp;</td>"
            f"<td>{low:.0f}°&nbsp;to&nbsp;{high:.0f}°&nbsp;</td>"
            f"<td align='right'>&nbsp;{100 * view.parts[index]:.1f}&nbsp;%</td></tr>"
        )
    total = 100 * float(view.parts.sum())
    rows.append(
        f"<tr><td></td><td colspan='2'>All&nbsp;segments</td><td align='right'>&nbsp;{total:.1f}&nbsp;%</td></tr>"
    )
    return f"<table>{''.join(rows)}</table>"


def _label(text: str, kind: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    return label


def _button(text: str, tip: str, slot: Callable[[], object]) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(slot)
    return button
