"""The image of the observation that is looked at, what was found in it, and its numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.commands.edits import crop_of
from eclips_app.core.calibration import Observation
from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.panels.calibration.object_view import ObjectView
from eclips_app.gui.panels.calibration.observation_form import ObservationForm
from eclips_app.gui.panels.calibration.presenter import light_text
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import Part, Source
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.items import HeightMap, Reference, SegmentSet

_SUM = -1
_NOTHING = (
    "Choose in Add what the selected images show, such as a sphere: it is looked for here, and you can correct it."
)
_SAMPLE_PX = 1 << 16  #: pixels that the grey levels are taken from
_DRAW_TIPS = {
    "sphere": "Drag from the middle of the sphere to its rim", "indent": "Drag from the middle of the imprint to a corner",
    "flat": "Drag over an even area", "facets": "Drag over an area of the certified tilt",
}  # fmt: skip


class ObjectSide(QtWidgets.QWidget):
    """Image above, form below; everything typed or dragged goes to the flow."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._shown: tuple[object, ...] = ()
        self.segment = CalmCombo("Image shown", "The sum of all segments, or one of them")
        self.draw = QtWidgets.QPushButton("Draw")
        self.draw.setCheckable(True)
        self.search = QtWidgets.QPushButton("Find again")
        self.search.setToolTip("Look for the object in the images anew; what was corrected by hand is given up")
        self.used = QtWidgets.QCheckBox("Used")
        self.used.setToolTip("Tint the pixels that the fit uses")
        self.used.setAccessibleName("Tint the used pixels")
        self.used.setChecked(True)
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole image", "0")
        self.view = ObjectView(session.theme)
        self.text = QtWidgets.QLabel()
        self.form = ObservationForm()
        self._lay_out()
        self.segment.activated.connect(self._show_image)
        self.draw.toggled.connect(self.view.set_drawing)
        self.search.clicked.connect(self._on_find)
        self.used.toggled.connect(self._show_used)
        self.zoom_fit.clicked.connect(self._fit)
        self.view.fit_asked.connect(self._fit)
        self.view.navigated.connect(self.view.refine)
        self.view.corrected.connect(self._on_corrected)
        self.form.changed.connect(self._on_corrected)
        self.form.map_chosen.connect(self._on_map)

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.setSpacing(4)
        bar.addWidget(self.segment, 1)
        for widget in (self.draw, self.search, self.used, self.zoom_fit):
            bar.addWidget(widget)
        self.view.setMinimumSize(120, 90)
        self.text.setWordWrap(True)
        self.numbers = scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.form)
        top = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(top)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(bar)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.text, 0)
        self.splitter = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(top)
        self.splitter.addWidget(scroll)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([330, 210])
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.splitter)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the form beside the image where there is more width than height."""
        is_wide = event.size().width() > 1.3 * event.size().height() and event.size().width() > 520
        orientation = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if self.splitter.orientation() != orientation:
            self.splitter.setOrientation(orientation)
            self.splitter.setSizes([600, 400])
        super().resizeEvent(event)

    def refresh(self) -> None:
        """Show the observation that the flow looks at."""
        project, reference = self._session.project, self._flow.selected
        segment_set = project.get(SegmentSet, reference.set_id) if reference else None
        shape = segment_set.shape if segment_set else (1, 1)
        self.form.show_reference(reference, project.of_kind(HeightMap), shape)
        kind = reference.observation.kind if reference else ""
        self.draw.setVisible(kind in _DRAW_TIPS)
        self.draw.setToolTip(_DRAW_TIPS.get(kind, ""))
        self.draw.setText("Add area" if kind == "facets" else "Draw")
        self.search.setVisible(kind not in ("", "dark"))
        self.search.setEnabled(segment_set is not None)
        for widget in (self.segment, self.used, self.zoom_fit, self.view, self.numbers):
            widget.setVisible(reference is not None)
        is_looking = reference is not None and self._flow.search.is_looking(reference.id)
        told = light_text(project, reference, self._flow.shown) if reference else ""
        self.text.setText("Looking at the images…" if is_looking else told or _NOTHING)
        shown = (reference.id if reference else "", segment_set)
        if shown[0] != (self._shown[0] if self._shown else None) or shown[1] is not (
            self._shown[1] if self._shown else None
        ):
            self._shown = shown
            self._fill_segments(segment_set)
            self._show_image()
            self._fit()
        self.view.show_observation(reference.observation if reference and segment_set else None)
        self._show_used()

    def _fill_segments(self, segment_set: SegmentSet | None) -> None:
        kept = self.segment.currentData()
        self.segment.clear()
        self.segment.addItem("Sum", _SUM)
        for k, image in enumerate(segment_set.images if segment_set else ()):
            self.segment.addItem(image.acquisition.segment or image.name, k)
        self.segment.setCurrentIndex(max(0, self.segment.findData(kept)))

    def _show_image(self, _: int = 0) -> None:
        reference = self._flow.selected
        segment_set = self._session.project.get(SegmentSet, reference.set_id) if reference else None
        if segment_set is None:
            self.view.set_source(None)
            return
        self.view.image_shape = segment_set.shape
        chosen = self.segment.currentData()
        images = [each.data for k, each in enumerate(segment_set.images) if chosen in (_SUM, k)]
        rows, columns = segment_set.shape
        step = max(1, round((rows * columns / _SAMPLE_PX) ** 0.5))
        levels = percentile_levels(_added(images, (slice(0, rows, step), slice(0, columns, step))))
        self.view.set_source(Source(partial(_added, images), segment_set.shape, levels, segment_set.pixel_size_nm))

    def _fit(self) -> None:
        rows, columns = self.view.image_shape
        self.view.box.setRange(QtCore.QRectF(-0.5, -0.5, columns, rows), padding=0.02)
        self.view.refine()

    def _show_used(self, _: object = None) -> None:
        reference = self._flow.selected
        segment_set = self._session.project.get(SegmentSet, reference.set_id) if reference else None
        used = self._flow.search.used_pixels(reference) if reference and self.used.isChecked() else None
        top, left, _, _ = crop_of(segment_set) if segment_set else (0, 0, 0, 0)
        self.view.show_used(used, (top, left))

    def _on_find(self) -> None:
        if self._flow.selected is not None:
            self._flow.find(self._flow.selected.id)

    def _on_corrected(self, observation: Observation) -> None:
        self.draw.setChecked(False)
        reference: Reference | None = self._flow.selected
        if reference is not None:
            self._flow.correct(reference.id, observation)
        self.refresh()

    def _on_map(self, map_id: str) -> None:
        if self._flow.selected is not None:
            self._flow.change_reference("Choose height map", self._flow.selected.id, map_id=map_id)


def _added(images: list[NDArray[Any]], part: Part) -> NDArray[np.float32]:
    """Add images in a part."""
    total = np.zeros(images[0][part].shape, np.float32)
    for image in images:
        total += image[part]
    return total
