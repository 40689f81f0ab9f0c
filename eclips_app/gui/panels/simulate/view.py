"""The Simulate panel: choices on the left, the images, and what a chosen pixel sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows.live_images import Frame
from eclips_app.gui.flows.simulate import flow_of
from eclips_app.gui.flows.simulation import binned, measured_images
from eclips_app.gui.panels.simulate.angles import AnglesView
from eclips_app.gui.panels.simulate.comparing import outside_text
from eclips_app.gui.panels.simulate.comparison import ComparisonView
from eclips_app.gui.panels.simulate.images import SegmentImages
from eclips_app.gui.panels.simulate.microscope_form import MicroscopeForm
from eclips_app.gui.panels.simulate.model_form import ModelForm
from eclips_app.gui.panels.simulate.presenter import compared, frame_text, sentence
from eclips_app.gui.panels.simulate.surface_form import SurfaceForm
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.collapsible import Collapsible
from eclips_app.gui.widgets.themed_button import ThemedButton

_USE, _SAME = "Use as segment images", "Same grey scale"
_PART = "Root mean square of measured less simulated, as a part of the measured contrast, each segment scaled to fit"
_SAVE, _COMPARE = "Save images…", "Compare with exact"
_SHOWN = ("Simulated", "Measured", "Difference")
_WIDE = 900  #: from this width on, the angles have a column of their own
_SIDE_PX = 320  #: width of the choices
_ANGLES_PX = 285
_LEFT_PX = 280  #: width of choices or angles in a narrow panel


class SimulatePanel(QtWidgets.QWidget):
    """A virtual microscope."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.flow = flow_of(session)
        self._is_shared = False
        self._pointed = self._difference = ""
        self._measured: tuple[object, NDArray[Any] | None] = (
            None,
            None,
        )  #: of which surface and coarseness, and images
        self._later = QtCore.QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._share)
        self.surface = SurfaceForm(session, self.flow)
        self.microscope = MicroscopeForm(session, self.flow)
        self.model = ModelForm(session, self.flow)
        self.images = SegmentImages(session.theme)
        self.comparison = ComparisonView(session.theme, self.flow.comparison)
        self.pages = QtWidgets.QStackedWidget()
        self.angles = AnglesView(session.theme, self.flow.reach)
        self.problem, self.outside = _notice("error"), _notice("warning")
        self.status = QtWidgets.QLabel("Waiting for the engine…")
        self.status.setProperty("kind", "faint")
        self.status.setMinimumWidth(40)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(90, 10)
        self.bar.setAccessibleName("Progress of the full picture")
        self.bar.hide()
        self.common = QtWidgets.QCheckBox(_SAME)
        self.common.setToolTip("Draw all segments with the same black and white; else each has its own")
        self.common.setChecked(True)
        self.common.toggled.connect(self.images.set_common_levels)
        self.shown = CalmCombo("Images shown", "Compare with the images from which the surface was reconstructed")
        for text in _SHOWN:
            self.shown.addItem(text)
        self.shown.activated.connect(self._show_frame)
        self.shown.setMinimumContentsLength(6)
        self.shown.hide()
        self.fit = ThemedButton(session.theme, "fit", "Show the whole images", "0")
        self.fit.clicked.connect(self.images.fit)
        self.fit.clicked.connect(self.comparison.fit)
        self.compare = _button(
            _COMPARE, "Show the network beside the exact model, and where they differ", self._compare
        )
        self.compare.setCheckable(True)
        self.compare.hide()
        self.use = _button(_USE, "Put images, detector and true surface into the project", self.flow.use)
        self.use.setProperty("kind", "primary")
        self.save = _button(_SAVE, "Write the images to a TIFF file, one page for each segment", self.flow.save)
        self._lay_out()
        self._connect()
        self._refresh()

    @property
    def is_settled(self) -> bool:
        """Whether the images are as fine as they get and nothing more is on its way."""
        return self.flow.live.is_settled and self.flow.live.frame is not None

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs with choices and angles in one column."""
        return QtCore.QSize(_LEFT_PX + 290, 300)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Give the angles a column of their own where there is room."""
        super().resizeEvent(event)
        self._arrange(event.size().width() >= _WIDE)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Render while the panel is seen."""
        super().showEvent(event)
        if not self._is_shared and self.tabs.count() == 1:
            self._is_shared = True
            self._later.start()  # once it has its size
        self.flow.watch(True)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        """Stop rendering; the choices stay."""
        super().hideEvent(event)
        self.flow.watch(False)

    # Building

    def _lay_out(self) -> None:
        choices = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(choices)
        column.setContentsMargins(8, 4, 4, 8)
        column.setSpacing(8)
        for title, form, opened in (
            ("Surface", self.surface, True), ("Microscope", self.microscope, True), ("Electrons", self.model, True),
        ):  # fmt: skip
            column.addWidget(Collapsible(title, form, opened=opened))
        column.addStretch(1)
        self.area = QtWidgets.QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(choices)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.area, "Choices")
        self.tabs.tabBar().hide()
        self.tabs.setMinimumWidth(_LEFT_PX)
        self.splitter = QtWidgets.QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.tabs)
        self.splitter.addWidget(self._middle())
        self.splitter.addWidget(self.angles)
        for place, stretch in enumerate((0, 1, 0)):
            self.splitter.setStretchFactor(place, stretch)
        self.splitter.setSizes([_SIDE_PX, 500, _ANGLES_PX])
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _middle(self) -> QtWidgets.QWidget:
        page = QtWidgets.QWidget()
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.use)
        top.addWidget(self.save)
        top.addStretch(1)
        top.addWidget(self.compare)
        top.addWidget(self.shown)
        bottom = QtWidgets.QHBoxLayout()
        bottom.addWidget(self.status)
        bottom.addWidget(self.bar)
        bottom.addStretch(1)
        bottom.addWidget(self.common)
        bottom.addWidget(self.fit)
        layout = QtWidgets.QVBoxLayout(page)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(top)
        layout.addWidget(self.problem)
        layout.addWidget(self.outside)
        for each in (self.images, self.comparison):
            self.pages.addWidget(each)
        layout.addWidget(self.pages, 1)
        layout.addLayout(bottom)
        return page

    def _arrange(self, wide: bool) -> None:
        """Put the angles beside the images, or behind the choices."""
        is_wide = self.tabs.count() == 1
        if wide == is_wide:
            return
        if wide:
            self.tabs.removeTab(1)
            self.splitter.addWidget(self.angles)
            self.angles.show()
            self._share()
        else:
            self.tabs.addTab(self.angles, "Angles")
            self.splitter.setSizes([_LEFT_PX, self.width() - _LEFT_PX])
        self.tabs.tabBar().setVisible(not wide)
        self.use.setText(_USE if wide else "Use")
        self.save.setText(_SAVE if wide else "Save…")
        self._name_compare()
        self.common.setText(_SAME if wide else "Same grey")

    def _name_compare(self) -> None:
        words = ("Back to images", "Images") if self.flow.compares else (_COMPARE, "Compare")
        self.compare.setText(words[self.tabs.count() > 1])

    def _share(self) -> None:
        """Share the width between choices, images and angles."""
        angles = min(max(_ANGLES_PX, self.width() // 5), 400)
        self.splitter.setSizes([_SIDE_PX, self.width() - _SIDE_PX - angles, angles])

    def _connect(self) -> None:
        live = self.flow.live
        self.flow.changed.connect(self._refresh)
        live.framed.connect(self._show_frame)
        live.angled.connect(self._show_angles)
        live.told.connect(self._tell)
        self.flow.reach.changed.connect(self._show_reach)
        self.images.picked.connect(self._pick)
        self.comparison.picked.connect(self._pick)
        self.images.pointed.connect(self._on_pointed)
        self._session.project.changed.connect(self._on_project)

    # Reactions

    def _refresh(self) -> None:
        self.surface.refresh()
        self.microscope.refresh()
        self.model.refresh()
        self.images.show_pixel(self.flow.pixel)
        self._show_page()
        self.comparison.show_pixel(self.flow.pixel)
        self._show_reach()
        self._tell()

    def _compare(self, compares: bool) -> None:
        self.flow.compare(compares)

    def _show_page(self) -> None:
        """Show the images, or the comparison where it is wanted and there is a network."""
        is_network = self.flow.setup.is_network
        self.compare.setVisible(is_network)
        self.compare.setChecked(self.flow.compares)
        self._name_compare()
        compares = is_network and self.flow.compares
        self.pages.setCurrentWidget(self.comparison if compares else self.images)
        self.common.setVisible(not compares)

    def _on_project(self, _: object) -> None:
        self._measured = None, None  # the images may be others now

    def _show_frame(self, _: object = None) -> None:
        frame = self.flow.live.frame
        if frame is None:
            return
        self.images.show_frame(frame, self._compared(frame))
        self.surface.show_terrain(frame.terrain)
        self.model.show_frame(frame)
        self._on_pointed(self._pointed)
        self._tell()

    def _compared(self, frame: Frame) -> NDArray[Any] | None:
        """Give what is shown instead of the simulated images, if that is wanted and there are measured ones."""
        self._difference = ""
        key = frame.terrain, frame.factor
        if self._measured[0] != key:
            found = measured_images(self._session.project, frame.terrain, len(frame.segments))
            self._measured = key, None if found is None else np.stack([binned(image, frame.factor) for image in found])
        measured = self._measured[1]
        self.shown.setVisible(measured is not None)
        if measured is None or self.shown.currentIndex() == 0:
            return None
        if self.shown.currentIndex() == 1:
            return measured
        difference, part = compared(frame.segments, measured)
        self._difference = f"Differs by {100 * part:.0f} %"
        return difference

    def _on_pointed(self, words: str) -> None:
        """Tell the value under the mouse; without a mouse in the images, what is shown."""
        frame, self._pointed = self.flow.live.frame, words
        if frame is not None:
            self.status.setText(words or self._difference or frame_text(frame))
            self.status.setToolTip(_PART if self._difference else frame_text(frame))

    def _show_angles(self) -> None:
        self.angles.show_angles(self.flow.live.angles)

    def _show_reach(self) -> None:
        field = self.flow.reach.field if self.flow.reach.is_current else None
        radii = () if field is None else tuple(field.info.get(name, 0.0) for name in ("statistical_nm", "rigorous_nm"))
        size = 1.0 if field is None else field.scene.terrain.pixel_size_nm
        self.images.show_radii(tuple(radius / size for radius in radii))

    def _pick(self, pixel: tuple[int, int]) -> None:
        self.flow.choose_pixel(pixel)
        if self.tabs.count() > 1:
            self.tabs.setCurrentWidget(self.angles)

    def _tell(self) -> None:
        live = self.flow.live
        self.problem.setText(sentence(live.problem))
        self.problem.setVisible(bool(live.problem))
        frame = live.frame
        outside = outside_text(frame.info.get("outside_share")) if frame is not None and not live.problem else ""
        self.outside.setText(outside)
        self.outside.setVisible(bool(outside))
        self.bar.setVisible(live.progress is not None)
        if live.progress is not None:
            self.bar.setValue(round(1000 * live.progress))
        for button in (self.use, self.save):
            button.setEnabled(self.flow.can_render())


def _notice(kind: str) -> QtWidgets.QLabel:
    """Make a line that is hidden until there is something to say."""
    notice = QtWidgets.QLabel()
    notice.setProperty("kind", kind)
    notice.setWordWrap(True)
    notice.hide()
    return notice


def _button(text: str, tip: str, run: object) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setAccessibleName(text)
    button.setToolTip(tip)
    button.clicked.connect(run)
    return button
