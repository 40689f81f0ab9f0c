"""The images panel: mosaic, tools and what is known about the images."""

from __future__ import annotations

import numpy as np

from eclips_app.commands import edits
from eclips_app.core.units import format_length
from eclips_app.gui.flows.images import images_flow
from eclips_app.gui.panels.images import mask
from eclips_app.gui.panels.images.banner import PixelSizeBanner
from eclips_app.gui.panels.images.bar import ImagesBar
from eclips_app.gui.panels.images.compare import CompareView
from eclips_app.gui.panels.images.mosaic import Mosaic, Shown
from eclips_app.gui.panels.images.presenter import Levels, levels_of, shift_of
from eclips_app.gui.panels.images.side import SideColumn
from eclips_app.gui.panels.images.tool_options import CropOptions, MaskOptions, RulerOptions
from eclips_app.gui.panels.images.tools import Crop, CropTool, MaskTool, RulerTool, Tool, limited
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.segments import segment_text
from eclips_app.model.items import HeightMap, Measurement, ProfileLine, Run, SegmentSet

_BAR_ROWS = 12  #: what is cropped off at the bottom may hold a scale bar if it is this high


class ImagesPanel(QtWidgets.QWidget):
    """Shows the selected set; every change to it is one step of undo."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._flow = images_flow(session)
        self._levels_key: tuple[object, ...] = ()
        self._levels: tuple[Levels, ...] = ()
        self.bar = ImagesBar(session.theme)
        self.banner = PixelSizeBanner(session.theme)
        self.mosaic = Mosaic(session.theme)
        self.compare = CompareView(session.theme)
        self.side = SideColumn(session, self._flow)
        self.crop_options, self.mask_options, self.ruler_options = CropOptions(), MaskOptions(), RulerOptions()
        self.crop_tool, self.mask_tool, self.ruler_tool = CropTool(), MaskTool(), RulerTool()
        self.position = QtWidgets.QLabel()
        self.position.setProperty("kind", "faint")
        self._pages = QtWidgets.QStackedLayout(self)
        self._pages.addWidget(self._empty_page())
        self._pages.addWidget(self._main_page())
        self._connect()
        self._show_tool("move")
        self.refresh()

    def refresh(self) -> None:
        """Show the selected set."""
        segment_set = self._session.project.segment_set
        self._pages.setCurrentIndex(0 if segment_set is None else 1)
        if segment_set is None:
            return
        levels = self._contrast(segment_set)
        detector = self._session.project.detector
        self.mosaic.show_set(segment_set, detector, Shown(levels, self.bar.clipped.isChecked()))
        self.compare.show_set(segment_set, self._names(segment_set), levels)
        self.side.show_set(segment_set)
        self.banner.setVisible(segment_set.pixel_size_nm is None)
        self._show_tool_state(segment_set)

    # Building

    def _empty_page(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        text = QtWidgets.QLabel("Open the segment images of one scan to begin, or drop them on the window")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        button = QtWidgets.QPushButton("Open images…")
        button.setProperty("kind", "primary")
        button.setToolTip("One file for each segment, a stack, or a time series of either")
        button.clicked.connect(self._session.actions.action("images.open").trigger)
        layout = QtWidgets.QVBoxLayout(page)
        layout.addStretch(1)
        layout.addWidget(text)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        return page

    def _main_page(self) -> QtWidgets.QWidget:
        self._options = QtWidgets.QStackedWidget()
        for options in (self.crop_options, self.mask_options, self.ruler_options):
            self._options.addWidget(options)
        self._options.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Maximum)
        self._centre = QtWidgets.QStackedWidget()
        self._centre.addWidget(self.mosaic)
        self._centre.addWidget(self.compare)
        left = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(left)
        column.setContentsMargins(4, 0, 0, 2)
        column.setSpacing(2)
        for widget in (self.bar, self._options, self.banner):
            column.addWidget(widget)
        column.addWidget(self._centre, 1)
        column.addWidget(self.position)
        splitter = QtWidgets.QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(left)
        splitter.addWidget(self.side)
        splitter.setStretchFactor(0, 1)
        splitter.setCollapsible(0, False)
        splitter.setSizes([800, 270])
        return splitter

    def _connect(self) -> None:
        project, theme = self._session.project, self._session.theme
        project.changed.connect(self._on_project)
        project.selection_changed.connect(self._on_selection)
        theme.changed.connect(self.refresh)
        self._flow.scale_bar_asked.connect(self.measure_scale_bar)
        self.bar.tool_chosen.connect(self._show_tool)
        self.bar.view_changed.connect(self.refresh)
        self.bar.fit_asked.connect(self.mosaic.fit)
        self.mosaic.swap_asked.connect(self._flow.swap)
        self.mosaic.pointed.connect(self._on_pointed)
        self.mosaic.tool_moved.connect(self._on_tool_moved)
        self.mosaic.tool_released.connect(self._on_tool_released)
        self.crop_options.typed.connect(self._crop)
        self.crop_options.whole.clicked.connect(self._crop_none)
        self.crop_options.bar.clicked.connect(self._crop_bar)
        self.mask_options.changed.connect(self._on_mask_options)
        self.mask_options.clear.clicked.connect(self._clear_mask)
        self.ruler_options.use.clicked.connect(self._use_ruler)
        self.ruler_options.edit.committed.connect(self._show_ruler)
        self.banner.edit.committed.connect(self._on_pixel_size)
        self.banner.measure.clicked.connect(self.measure_scale_bar)
        self.side.compare_toggled.connect(self._on_compare)

    # What is shown

    def _names(self, segment_set: SegmentSet) -> list[str]:
        detector = self._session.project.detector
        if detector is None or len(detector.quadrants) != len(segment_set.images):
            return [image.name for image in segment_set.images]
        return [segment_text(segment) for segment in detector.quadrants]

    def _contrast(self, segment_set: SegmentSet) -> tuple[Levels, ...]:
        """Give the levels of each image; they are worked out anew only if they can have changed."""
        mode, common = self.bar.contrast_mode, self.bar.common.isChecked()
        manual = self.bar.manual_levels if mode == "manual" else None
        key = (tuple(id(image.data) for image in segment_set.images), segment_set.crop, mode, common, manual)
        if key != self._levels_key:
            found = [manual] * len(segment_set.images) if manual else levels_of(segment_set, mode, common)
            self._levels_key, self._levels = key, tuple(found)
        if mode != "manual":
            self.bar.low.set_value(None)
            self.bar.high.set_value(None)
        else:
            self.bar.offer_levels(self._levels[0])
        return self._levels

    def _on_project(self, changed: frozenset[str]) -> None:
        items = {item.id: item for item in self._session.project}
        if any(not isinstance(items.get(key), (Run, ProfileLine, Measurement, HeightMap)) for key in changed):
            self.refresh()

    def _on_selection(self, _: object) -> None:
        self.refresh()

    def _on_pointed(self, point: tuple[float, float] | None) -> None:
        segment_set = self._session.project.segment_set
        if point is None or segment_set is None:
            self.position.setText(" ")
            return
        column, row = round(point[0]), round(point[1])
        text = f"Column {column}, row {row}"
        if segment_set.pixel_size_nm is not None:
            size = segment_set.pixel_size_nm
            text += f"   ({format_length(column * size)} right, {format_length(row * size)} down)"
        self.position.setText(text)

    def _on_compare(self, active: bool) -> None:
        self._centre.setCurrentIndex(1 if active else 0)
        self.bar.setEnabled(not active)
        if active:
            self.bar.choose("move")

    # Tools

    def _show_tool(self, key: str) -> None:
        tools: dict[str, Tool] = {"crop": self.crop_tool, "mask": self.mask_tool, "ruler": self.ruler_tool}
        segment_set = self._session.project.segment_set
        if key == "ruler" and segment_set is not None:
            self._suggest_scale_bar(segment_set)
        self.mosaic.set_tool(tools.get(key))
        self._options.setVisible(key in tools)
        if key in tools:
            self._options.setCurrentIndex(list(tools).index(key))
        if segment_set is not None:
            self._show_tool_state(segment_set)

    def _show_tool_state(self, segment_set: SegmentSet) -> None:
        crop = edits.crop_of(segment_set)
        self.crop_tool.shape, self.crop_tool.crop = segment_set.shape, crop
        self.crop_options.show_crop(crop, segment_set.shape)
        self.crop_options.bar.setVisible(self._flow.data_bar_of(segment_set) is not None)
        # The scale bar lies outside the crop as a rule, so that the shade would hide it.
        measuring = self.bar.tool == "ruler"
        self.mosaic.show_crop((0, 0, *segment_set.shape) if measuring else crop)
        self.mask_options.show_part(0.0 if segment_set.exclude is None else float(segment_set.exclude.mean()))
        self.mosaic.show_drafts()
        self._show_ruler()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Escape goes back to moving the images."""
        if event.key() == Qt.Key.Key_Escape and self.bar.tool != "move":
            self.bar.choose("move")
        else:
            super().keyPressEvent(event)

    def _on_tool_moved(self) -> None:
        segment_set = self._session.project.segment_set
        if segment_set is None:
            return
        if self.bar.tool == "crop":
            self.mosaic.show_crop(self.crop_tool.crop)
            self.crop_options.show_crop(self.crop_tool.crop, segment_set.shape)
        elif self.bar.tool == "ruler":
            self.mosaic.show_drafts()
            self._show_ruler()

    def _on_tool_released(self) -> None:
        if self.bar.tool == "crop":
            self._crop(self.crop_tool.crop)
        elif self.bar.tool == "mask":
            self._paint()

    def _crop(self, crop: Crop) -> None:
        project, segment_set = self._session.project, self._session.project.segment_set
        if segment_set is None:
            return
        crop = limited(crop, segment_set.shape)
        if crop != edits.crop_of(segment_set):
            self._session.do(edits.crop_images(project, segment_set, crop))
        else:
            self._show_tool_state(segment_set)

    def _crop_none(self) -> None:
        segment_set = self._session.project.segment_set
        if segment_set is not None:
            self._crop((0, 0, *segment_set.shape))

    def _crop_bar(self) -> None:
        segment_set = self._session.project.segment_set
        bar = self._flow.data_bar_of(segment_set) if segment_set is not None else None
        if segment_set is None or bar is None:
            return
        rows, columns = segment_set.shape
        self._crop((0, 0, bar[0], columns) if bar[0] >= rows - bar[1] else (bar[1], 0, rows, columns))

    def _on_mask_options(self) -> None:
        self.mask_tool.kind = self.mask_options.kind.currentText().lower()
        self.mask_tool.width_px = self.mask_options.width_field.value or 1.0
        self.mask_tool.erase = self.mask_options.erase.isChecked()
        self.mask_options.width_field.setVisible(self.mask_tool.kind == "brush")

    def _paint(self) -> None:
        segment_set = self._session.project.segment_set
        if segment_set is None:
            return
        stroke = self.mask_tool.width_px if self.mask_tool.kind == "brush" else None
        covered = mask.paint(segment_set.shape, self.mask_tool.path(), stroke)
        self.mask_tool.cancel()
        exclude = mask.changed(segment_set.exclude, covered, self.mask_tool.erase)
        same = exclude is segment_set.exclude or (
            exclude is not None and segment_set.exclude is not None and np.array_equal(exclude, segment_set.exclude)
        )
        if not same:
            text = "Use pixels again" if self.mask_tool.erase else "Exclude pixels"
            self._session.do(edits.exclude_pixels(segment_set, exclude, text))

    def _clear_mask(self) -> None:
        segment_set = self._session.project.segment_set
        if segment_set is not None and segment_set.exclude is not None:
            self._session.do(edits.exclude_pixels(segment_set, None, "Use all pixels"))

    # Pixel size

    def measure_scale_bar(self) -> None:
        """Begin to measure the scale bar."""
        self.side.compare.setChecked(False)
        self.bar.choose("ruler")
        self.ruler_options.edit.setFocus()

    def _suggest_scale_bar(self, segment_set: SegmentSet) -> None:
        """Lay the line over the scale bar if one is found; the user can draw another."""
        from eclips_app.io.scale_bar import find_scale_bar  # late: only needed here

        bottom, rows = segment_set.crop[2], segment_set.shape[0]
        cropped_off = (bottom, rows) if 0 < bottom <= rows - _BAR_ROWS else None
        band = self._flow.data_bar_of(segment_set) or cropped_off
        found = find_scale_bar(segment_set.images[0].data, band) if band else None
        if found is not None:
            up, right = shift_of(segment_set, 0)
            first = found.first_column + found.stroke_px / 2 - 0.5 + right
            self.ruler_tool.start = QtCore.QPointF(first, found.row + up)
            self.ruler_tool.end = QtCore.QPointF(first + found.length_px, found.row + up)

    def _show_ruler(self) -> None:
        length, true = self.ruler_tool.length_px, self.ruler_options.edit.value
        text = f"{length:.1f} px long" if length else "Draw a line over the scale bar"
        self.ruler_options.length.setText(text)
        self.ruler_options.use.setEnabled(length > 0 and true is not None)
        result = f"= {format_length(1e3 * true / length)} per pixel" if length > 0 and true is not None else ""
        self.ruler_options.result.setText(result)

    def _use_ruler(self) -> None:
        length, true = self.ruler_tool.length_px, self.ruler_options.edit.value
        if length > 0 and true is not None:
            self._set_pixel_size(1e3 * true / length, "scale bar")
            self.ruler_tool.cancel()
            self.bar.choose("move")

    def _on_pixel_size(self, value: float | None) -> None:
        if value is not None:
            self._set_pixel_size(value, "typed")
            self.banner.edit.set_value(None)

    def _set_pixel_size(self, value_nm: float, source: str) -> None:
        project, segment_set = self._session.project, self._session.project.segment_set
        if segment_set is not None:
            self._session.do(edits.set_pixel_size(project, segment_set, value_nm, source))
            self._session.notify(f"Pixel size {format_length(value_nm)} ({source}).", "good")
