"""The column beside the mosaic: sets, order, pixel size, registration, clipping, metadata and warnings."""

from __future__ import annotations

import html
from collections.abc import Sequence

from eclips_app.commands.edits import set_clip_levels, set_pixel_size
from eclips_app.core.schema import Rule
from eclips_app.core.units import format_length
from eclips_app.gui.flows.images import ImagesFlow
from eclips_app.gui.panels.images.banner import PIXEL_SIZE
from eclips_app.gui.panels.images.presenter import clipped_parts, metadata_rows, names_of, order_text, registration_rows
from eclips_app.gui.qt import Qt, QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import SegmentSet

_SOURCES = {"shading": "the shading", "metadata": "the metadata", "name": "the file names"}


class SideColumn(QtWidgets.QScrollArea):
    """Everything known about the selected set, with what can be done about it."""

    compare_toggled = Signal(bool)

    def __init__(self, session: Session, flow: ImagesFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(258)
        content = QtWidgets.QWidget()
        self._layout = QtWidgets.QVBoxLayout(content)
        self._layout.setContentsMargins(8, 0, 8, 8)
        self._layout.setSpacing(4)
        self._add_sets()
        self._add_order()
        self._add_pixel_size()
        self._add_registration()
        self._add_clipping()
        self._add_metadata()
        self._layout.addStretch(1)
        self.setWidget(content)

    def show_set(self, segment_set: SegmentSet) -> None:
        """Show what is known about a set."""
        self._show_sets(segment_set)
        self._show_order(segment_set)
        size = segment_set.pixel_size_nm
        self.pixel_size.set_value(size)
        source = segment_set.pixel_size_source
        self.pixel_source.setText(
            "Not known" if size is None else f"From the {source}" if source != "typed" else "Typed"
        )
        self._show_registration(segment_set)
        self._show_clipping(segment_set)
        self._show_metadata(segment_set)

    # Building

    def _add_sets(self) -> None:
        self._sets_heading = self._heading("Sets")
        self.sets = QtWidgets.QListWidget()
        self.sets.setAccessibleName("Image sets")
        self.sets.setMaximumHeight(130)
        self.sets.currentRowChanged.connect(self._on_set)
        self._layout.addWidget(self.sets)

    def _add_order(self) -> None:
        self._heading("Order of the segments")
        self.order = _label("")
        self._layout.addWidget(self.order)
        self.use_guess, self.use_azimuths = QtWidgets.QPushButton(), QtWidgets.QPushButton()
        self.use_guess.setToolTip("Give each image to the segment that lies nearest to where it is seen")
        self.use_azimuths.setToolTip("Keep the order and turn the detector's segments to these azimuths")
        self.use_guess.clicked.connect(self._on_use_guess)
        self.use_azimuths.clicked.connect(self._on_use_azimuths)
        self._layout.addWidget(self.use_guess)
        self._layout.addWidget(self.use_azimuths)
        grid = QtWidgets.QGridLayout()
        buttons = (
            ("images.rotate_ccw", "↺ Rotate"), ("images.rotate_cw", "↻ Rotate"),
            ("images.mirror_lr", "↔ Mirror"), ("images.mirror_tb", "↕ Mirror"),
        )  # fmt: skip
        for place, (key, text) in enumerate(buttons):
            button = self._action_button(key, text)
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
            grid.addWidget(button, place // 2, place % 2)
        self._layout.addLayout(grid)

    def _add_pixel_size(self) -> None:
        self._heading("Pixel size")
        self.pixel_size = QuantityEdit(PIXEL_SIZE, optional=True)
        self.pixel_size.committed.connect(self._on_pixel_size)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.pixel_size)
        row.addWidget(self._action_button("images.measure_scale_bar", "Measure…"))
        self._layout.addLayout(row)
        self.pixel_source = _label("", "faint")
        self._layout.addWidget(self.pixel_source)

    def _add_registration(self) -> None:
        self._heading("Registration")
        self.registration = _label("")
        self.registration.setTextFormat(Qt.TextFormat.RichText)
        self._layout.addWidget(self.registration)
        self.compare = QtWidgets.QToolButton()
        self.compare.setText("Compare")
        self.compare.setToolTip("Show two segments over each other to judge their registration")
        self.compare.setCheckable(True)
        self.compare.toggled.connect(self.compare_toggled)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._action_button("images.register", "Register"))
        row.addWidget(self._action_button("images.clear_registration", "Clear"))
        row.addWidget(self.compare)
        row.addStretch(1)
        self._layout.addLayout(row)

    def _add_clipping(self) -> None:
        self._heading("Clipped pixels")
        form = QtWidgets.QFormLayout()
        form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
        rule = Rule("Grey value", "", -1e12, 1e12, help="Empty: no limit.")
        self.clip_low, self.clip_high = QuantityEdit(rule, optional=True), QuantityEdit(rule, optional=True)
        for field, text in ((self.clip_low, "Black at or below"), (self.clip_high, "Saturated at or above")):
            field.setAccessibleName(text)
            field.setPlaceholderText("no limit")
            field.committed.connect(self._on_clip)
            form.addRow(text, field)
        self._layout.addLayout(form)
        self.clipped = _label("")
        self.clipped.setTextFormat(Qt.TextFormat.RichText)
        self._layout.addWidget(self.clipped)

    def _add_metadata(self) -> None:
        self._heading("About the images")
        self.metadata = _label("")
        self.metadata.setTextFormat(Qt.TextFormat.RichText)
        self._layout.addWidget(self.metadata)
        self.warnings = _label("", "warning")
        self._layout.addWidget(self.warnings)

    def _heading(self, text: str) -> QtWidgets.QLabel:
        label = _label(text, "heading")
        label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        label.setContentsMargins(0, 8, 0, 0)
        self._layout.addWidget(label)
        return label

    def _action_button(self, key: str, text: str) -> QtWidgets.QToolButton:
        action = self._session.actions.action(key)
        button = QtWidgets.QToolButton()
        button.setText(text)
        button.setToolTip(action.toolTip())
        button.setAccessibleName(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setEnabled(action.isEnabled())
        button.clicked.connect(action.trigger)
        action.enabledChanged.connect(button.setEnabled)
        return button

    # Showing

    def _show_sets(self, segment_set: SegmentSet) -> None:
        sets = self._session.project.of_kind(SegmentSet)
        self.sets.blockSignals(True)
        self.sets.clear()
        for each in sets:
            time = f", {each.time_s:g} s" if each.time_s is not None else ""
            item = QtWidgets.QListWidgetItem(f"{each.name}{time}")
            item.setData(Qt.ItemDataRole.UserRole, each.id)
            self.sets.addItem(item)
        self.sets.setCurrentRow([each.id for each in sets].index(segment_set.id))
        self.sets.blockSignals(False)
        for widget in (self.sets, self._sets_heading):
            widget.setVisible(len(sets) > 1)

    def _show_order(self, segment_set: SegmentSet) -> None:
        told = order_text(segment_set, self._flow.guess_of(segment_set), self._session.project.detector)
        self.order.setText(told.text)
        _set_kind(self.order, told.kind)
        for button, words, source in (
            (self.use_guess, "Reorder images by", told.reorder), (self.use_azimuths, "Turn segments by", told.turn),
        ):  # fmt: skip
            button.setVisible(bool(source))
            button.setText(f"{words} {_SOURCES.get(source, source)}")
            button.setProperty("source", source)

    def _show_registration(self, segment_set: SegmentSet) -> None:
        names = names_of(segment_set, self._session.project.detector)
        rows = registration_rows(segment_set, names) if segment_set.shifts_px else []
        if rows:
            head = [("", "Shift (px right, up)", "Quality")]
            self.registration.setText(_table(head + rows))
        else:
            self.registration.setText("Not registered. Segments scanned at once need no registration.")

    def _show_clipping(self, segment_set: SegmentSet) -> None:
        self.clip_low.set_value(segment_set.clip_low)
        self.clip_high.set_value(segment_set.clip_high)
        known = segment_set.clip_low is not None or segment_set.clip_high is not None
        rows = [("", "Saturated", "Black")]
        names = names_of(segment_set, self._session.project.detector)
        for index, name in enumerate(names if known else ()):
            saturated, black = clipped_parts(segment_set, index)
            rows.append((name, _percent(saturated), _percent(black)))
        self.clipped.setText(_table(rows) if known else "No limits set: no pixel counts as clipped.")

    def _show_metadata(self, segment_set: SegmentSet) -> None:
        self.metadata.setText(_table(metadata_rows(segment_set)))
        warnings = self._flow.warnings_of(segment_set)
        self.warnings.setText("\n".join(warnings))
        self.warnings.setVisible(bool(warnings))

    # Reactions

    def _on_set(self, row: int) -> None:
        item = self.sets.item(row)
        if item is not None:
            self._session.project.select(set_id=item.data(Qt.ItemDataRole.UserRole))

    def _on_use_guess(self) -> None:
        self._flow.use_guess(self.use_guess.property("source"))

    def _on_use_azimuths(self) -> None:
        self._flow.use_azimuths(self.use_azimuths.property("source"))

    def _on_pixel_size(self, value: float | None) -> None:
        segment_set = self._session.project.segment_set
        if segment_set is not None and value is not None:
            self._session.do(set_pixel_size(self._session.project, segment_set, value, "typed"))
        elif segment_set is not None and segment_set.pixel_size_nm is not None:
            self.pixel_size.set_value(segment_set.pixel_size_nm)
            self._session.notify(f"The pixel size stays {format_length(segment_set.pixel_size_nm)}.")

    def _on_clip(self, _: object) -> None:
        project, low, high = self._session.project, self.clip_low.value, self.clip_high.value
        segment_set = project.segment_set
        if segment_set is None:
            return
        if low is not None and high is not None and low >= high:
            self._session.notify("The black limit must be below the saturated one.", "warning")
            self._show_clipping(segment_set)
            return
        self._session.do(set_clip_levels(project, segment_set, low, high))


def _label(text: str, kind: str = "") -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _set_kind(label: QtWidgets.QLabel, kind: str) -> None:
    if label.property("kind") != kind:
        label.setProperty("kind", kind)
        label.style().unpolish(label)
        label.style().polish(label)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ("".join(f"<td style='padding-right: 10px'>{html.escape(text)}</td>" for text in row) for row in rows)
    return f"<table cellspacing='0'>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _percent(part: float) -> str:
    return "0" if part == 0 else f"{100 * part:.2g} %" if part >= 1e-4 else "< 0.01 %"
