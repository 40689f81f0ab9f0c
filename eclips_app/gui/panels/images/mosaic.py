"""All segments of a set around a compass, zoomed and moved together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eclips_app.commands.edits import crop_of
from eclips_app.core.detector import Detector
from eclips_app.gui.panels.images.presenter import (
    Levels,
    clipped_overlay,
    file_text,
    shift_of,
)
from eclips_app.gui.panels.images.segment_pane import SegmentPane, SegmentView
from eclips_app.gui.panels.images.tools import Crop, Tool
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.linked_views import LinkedRange
from eclips_app.gui.widgets.placement import mosaic_cells
from eclips_app.gui.widgets.segments import compass_word, segment_text
from eclips_app.model.items import SegmentSet


@dataclass(frozen=True)
class Shown:
    """How the images are shown."""

    levels: tuple[Levels, ...] = ()
    clipped: bool = False


class Mosaic(QtWidgets.QWidget):
    """One pane for each image; zoom, pan, cursor and tool are common to all."""

    swap_asked = Signal(int, int)
    pointed = Signal(object)  #: (col, row) of the pixel under the mouse; None outside
    tool_moved = Signal()
    tool_released = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.panes: list[SegmentPane] = []
        self._set: SegmentSet | None = None
        self._detector: Detector | None = None
        self._shown = Shown()
        self._range = LinkedRange(self)
        self.setMinimumSize(260, 200)

    # What is shown

    def show_set(self, segment_set: SegmentSet, detector: Detector | None, shown: Shown) -> None:
        """Show the images of a set in the places of the detector's segments."""
        before, self._set, self._shown = self._set, segment_set, shown
        fitting = detector is not None and len(detector.quadrants) == len(segment_set.images)
        self._detector = detector if fitting else None
        while len(self.panes) < len(segment_set.images):
            self._add_pane()
        while len(self.panes) > len(segment_set.images):
            self.panes.pop().deleteLater()
        for index, pane in enumerate(self.panes):
            self._fill(pane, index, segment_set)
        self.show_crop(crop_of(segment_set))
        if before is None or before.exclude is not segment_set.exclude:
            for pane in self.panes:
                pane.view.show_mask(segment_set.exclude)
        rows, columns = segment_set.shape
        self._range.views = [pane.view for pane in self.panes]
        self._range.set_field(QtCore.QRectF(-0.5, -0.5, columns, rows))
        self._place()

    def show_crop(self, crop: Crop) -> None:
        """Darken what lies outside a crop, which may be one that is being drawn."""
        if self._set is not None:
            for pane in self.panes:
                pane.view.show_crop(crop, self._set.shape)

    def set_tool(self, tool: Tool | None) -> None:
        """Let drags over any image go to a tool."""
        for pane in self.panes:
            pane.view.set_tool(tool)

    def show_drafts(self) -> None:
        """Draw what the tool has so far."""
        for pane in self.panes:
            pane.view.show_draft()

    def fit(self) -> None:
        """Show the whole images."""
        self._range.fit()

    def _add_pane(self) -> None:
        pane = SegmentPane(self._theme, len(self.panes))
        pane.setParent(self)
        pane.swap_asked.connect(self.swap_asked)
        pane.view.navigated.connect(self._on_navigated)
        pane.view.fit_asked.connect(self.fit)
        pane.view.hovered.connect(self._on_hovered)
        pane.view.tool_moved.connect(self.tool_moved)
        pane.view.tool_released.connect(self.tool_released)
        pane.view.set_tool(self.panes[0].view.tool if self.panes else None)
        if self._set is not None:
            pane.view.show_mask(self._set.exclude)
        self.panes.append(pane)
        pane.show()

    def _fill(self, pane: SegmentPane, index: int, segment_set: SegmentSet) -> None:
        image = segment_set.images[index]
        levels = self._shown.levels[index] if self._shown.levels else None
        shift = shift_of(segment_set, index)
        pane.view.set_image(image.data, pixel_size_nm=segment_set.pixel_size_nm, origin_px=shift, levels=levels)
        pane.view.show_clipped(clipped_overlay(segment_set, index) if self._shown.clipped else None)
        heading = pane.heading
        heading.glyph.set_segment(self._detector, index)
        heading.glyph.setVisible(self._detector is not None)
        heading.file.setText(file_text(image))
        heading.file.setToolTip(image.source)
        pane.view.setAccessibleName(f"Image of segment {self._name(index)}")
        heading.swap.setAccessibleName(f"Swap the image of segment {self._name(index)}")
        heading.menu.clear()
        for other in range(len(segment_set.images)):
            if other != index:
                text = f"Swap with {self._name(other)} ({file_text(segment_set.images[other])})"
                heading.menu.addAction(text).setData(other)

    def _name(self, index: int, width_px: int = 1000) -> str:
        """Name a segment in as many words as there is room for."""
        if self._detector is None:
            return f"Image {index + 1}"
        segment = self._detector.quadrants[index]
        if width_px < 150:
            return segment.name
        text = segment_text(segment)
        return f"{text} {compass_word(segment.azimuth_deg)}" if width_px > 240 else text

    # Places, zoom and pan

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Place the panes anew."""
        self._place()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Zoom once the panes have their size."""
        self._range.apply_soon()

    def _place(self) -> None:
        if self._set is None or not self.panes:
            return
        rows, columns = self._set.shape
        width, height = max(self.width(), 1), max(self.height(), 1)
        cells = mosaic_cells(self._detector, len(self.panes), width / height, columns / rows)
        for pane, cell in zip(self.panes, cells, strict=True):
            left, top = round(cell.x * width), round(cell.y * height)
            right, bottom = round((cell.x + cell.width) * width), round((cell.y + cell.height) * height)
            pane.setGeometry(left, top, right - left, bottom - top)
            pane.heading.name.setText(self._name(pane.index, right - left))
            pane.heading.value.setVisible(right - left > 180)
        self._range.apply()

    def _on_navigated(self) -> None:
        view = self.sender()
        assert isinstance(view, SegmentView)
        self._range.follow(view)

    # Cursor

    def _on_hovered(self, col: float, row: float, value: object) -> None:
        source = self.sender()
        inside = value is not None and math.isfinite(col)
        for pane in self.panes:
            pane.view.show_cross((col, row) if inside and pane.view is not source else None)
            grey = pane.view.value_at(col, row) if inside else None
            pane.heading.value.setText("" if grey is None else _grey_text(grey))
        self.pointed.emit((col, row) if inside else None)


def _grey_text(value: float) -> str:
    return f"{value:.0f}" if value == np.round(value) else f"{value:.5g}"
