"""The pictures: overlay, swipe, blink and difference in one view, or both images side by side for landmarks."""

from __future__ import annotations

import math

from eclips_app.gui.flows.compare import CompareFlow
from eclips_app.gui.panels.compare.landmark_sides import LandmarkSides
from eclips_app.gui.panels.compare.picture_pane import PicturePane
from eclips_app.gui.panels.compare.presenter import (
    DIVERGING,
    Pictures,
    height_marks,
    reading,
    scale_marks,
    uncertain_flags,
)
from eclips_app.gui.qt import Qt, QtCore, QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.linked_views import LinkedRange
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.metrology.placement import Placement
from eclips_app.model.items import ProfileLine

WAYS = (
    ("overlay", "Overlay", "The map over the reconstruction, as strongly as the slider says"),
    ("swipe", "Swipe", "The map to the right of a line that you drag; the arrow keys move it too"),
    ("blink", "Blink", "Map and reconstruction in turn, as often as the slider says"),
    ("difference", "Difference", "Reconstruction minus map, with zero in the middle of the colours"),
    ("landmarks", "Landmarks", "Both side by side, to click points that match"),
)
_BLINK_HZ = (0.5, 3.0)  #: slowest and fastest: faster flicker can harm people with photosensitive epilepsy


class PictureSide(QtWidgets.QWidget):
    """Chooses the way to look at both maps, and shows them."""

    way_changed = Signal(str)

    def __init__(self, session: Session, flow: CompareFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._shown: Pictures | None = None
        self._range = LinkedRange(self)
        self.pane = PicturePane(session.theme)
        self.pane.setAccessibleName("Reconstruction and height map")
        self._range.views = [self.pane]
        self.landmarks = LandmarkSides(session, flow)
        self.buttons = QtWidgets.QButtonGroup(self)
        self.slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setMinimumWidth(60)
        self._kept = {"overlay": 50, "blink": 40}  # where the slider stood, by way
        self.dilated = QtWidgets.QCheckBox("Dilated by tip")
        self.dilated.setToolTip("Show the reconstruction as the tip of the map would show it")
        self.certainty = QtWidgets.QCheckBox("Hatch untouched")
        self.certainty.setToolTip(
            "Hatch where the tip did not touch the surface in one point: there the map shows the tip"
        )
        self.certainty.setChecked(True)
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole images", "0")
        self.scale = ColorScale("Height")
        self.status = QtWidgets.QLabel()
        self._lay_out()
        self._connect()

    @property
    def way(self) -> str:
        """The way that is chosen."""
        return WAYS[max(0, self.buttons.checkedId())][0]

    def set_way(self, way: str) -> None:
        """Choose a way, as its button does."""
        self.buttons.button(next(i for i, each in enumerate(WAYS) if each[0] == way)).click()

    def show_pictures(self, pictures: Pictures | None) -> None:
        """Show both maps; nothing with None."""
        fresh = pictures is not None and (self._shown is None or self._shown.run is not pictures.run)
        self._shown = pictures
        if pictures is not None:
            rows, columns = pictures.height.shape
            top, left = pictures.run.origin_px
            self._range.set_field(QtCore.QRectF(left - 0.5, top - 0.5, columns, rows))
            if fresh:
                self.pane.set_split(left + 0.5 * columns)
        self.landmarks.show_pictures(pictures)
        self.refresh()

    def refresh(self) -> None:
        """Draw what is chosen now."""
        shown, compared, way = self._shown, self._flow.comparison, self.way
        self.status.clear()
        self._show_controls()
        if shown is None:
            self.pane.set_pictures(None, None)
            return
        dilated = compared.arrays.get("dilated") if compared is not None else None
        is_dilated = dilated is not None and self.dilated.isChecked()
        name = f"{shown.run.name}, dilated" if is_dilated else shown.run.name
        if way == "difference":
            source, reach = shown.difference(compared, dilated=is_dilated)
            title = f"{'Dilated r' if is_dilated else 'R'}econstruction minus map"
            title += "" if compared is not None else ", not compared yet"
            self.pane.set_pictures(source, None, (title, ""))
            self.pane.set_way("single")
            self.scale.set_scale(DIVERGING, scale_marks(reach))
        else:
            # Half transparent, two maps of the same colours could not be told apart.
            lower = shown.lower(dilated if is_dilated else None, None if way == "overlay" else "viridis")
            self.pane.set_pictures(lower, shown.upper(), (name, shown.map.name))
            self.pane.set_way(way if way != "landmarks" else "single")
            self.scale.set_scale("viridis", height_marks(shown.levels))
        self.pane.set_flags(uncertain_flags(compared) if self.certainty.isChecked() else None, shown.run.origin_px)
        self.pane.set_outline(Placement.of(shown.map, shown.run.pixel_size_nm).corners())
        self.refresh_lines()
        self._range.apply_soon()

    def refresh_lines(self) -> None:
        """Draw the lines as they are now."""
        project = self._session.project
        self.pane.set_lines([line for line in project.of_kind(ProfileLine) if line.visible], project.selection.line_id)

    def apply_range(self) -> None:
        """Fit the pictures to a new size."""
        self._range.apply_soon()

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.setSpacing(0)
        for i, (_, text, tip) in enumerate(WAYS):
            button = QtWidgets.QToolButton()
            button.setText(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setAccessibleName(text)
            self.buttons.addButton(button, i)
            bar.addWidget(button)
        self.buttons.button(0).setChecked(True)
        bar.addStretch(1)
        self.pages = QtWidgets.QStackedWidget()
        self.pages.addWidget(self.pane)
        self.pages.addWidget(self.landmarks)
        below = QtWidgets.QHBoxLayout()
        below.addWidget(self.slider, 1)
        below.addWidget(self.scale, 2)
        below.addStretch(0)
        below.addWidget(self.zoom_fit)
        self.pane.setMinimumSize(80, 80)
        self.status.setProperty("kind", "faint")
        self.status.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        checks = QtWidgets.QHBoxLayout()
        checks.addWidget(self.dilated)
        checks.addWidget(self.certainty)
        checks.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 4, 4)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addWidget(self.pages, 1)
        layout.addLayout(below)
        layout.addLayout(checks)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        self.buttons.idClicked.connect(self._on_way)
        self.slider.valueChanged.connect(self._on_slider)
        self.dilated.toggled.connect(self.refresh)
        self.certainty.toggled.connect(self.refresh)
        self.zoom_fit.clicked.connect(self._on_fit)
        self.pane.navigated.connect(self._on_navigated)
        self.pane.fit_asked.connect(self._range.fit)
        self.pane.hovered.connect(self._on_hovered)
        self._on_way(0)

    def _show_controls(self) -> None:
        compared = self._flow.comparison
        has_tip = compared is not None and "dilated" in compared.arrays
        self.dilated.setVisible(has_tip and self.way != "landmarks")
        self.certainty.setVisible(has_tip and self.way != "landmarks")
        self.slider.setVisible(self.way in self._kept)
        self.scale.setVisible(self.way != "landmarks")
        self.pages.setCurrentWidget(self.landmarks if self.way == "landmarks" else self.pane)

    def _on_way(self, _: int) -> None:
        way = self.way
        if way in self._kept:
            words = "Opacity of the map" if way == "overlay" else "How often the picture changes"
            self.slider.setAccessibleName(words)
            self.slider.setToolTip(words)
            blocker = QtCore.QSignalBlocker(self.slider)
            self.slider.setValue(self._kept[way])
            blocker.unblock()
            self._use_slider()
        self.refresh()
        self.way_changed.emit(way)

    def _on_slider(self, value: int) -> None:
        self._kept[self.way] = value
        self._use_slider()

    def _use_slider(self) -> None:
        part = self.slider.value() / 100
        if self.way == "overlay":
            self.pane.set_opacity(part)
        else:
            slow, fast = _BLINK_HZ
            self.pane.set_blink_hz(slow + (fast - slow) * part)

    def _on_fit(self) -> None:
        self._range.fit()
        self.landmarks.fit()

    def _on_navigated(self) -> None:
        self._range.follow(self.pane)

    def _on_hovered(self, col: float, row: float, _: object) -> None:
        if self._shown is None or not math.isfinite(col):
            self.status.clear()
            return
        self.status.setText(reading(self._shown, self._flow.comparison, col, row))
