"""Measured against re-rendered, what is left over, and in words how far to trust it."""

from __future__ import annotations

import math
from functools import partial

from eclips_app.gui.flows.check import flow_of
from eclips_app.gui.panels.check.maps_side import Chi2Maps, CycleTab
from eclips_app.gui.panels.check.presenter import DIVERGING, Shown, prepare, reading, scale_marks
from eclips_app.gui.panels.check.segment_grid import SegmentGrid
from eclips_app.gui.panels.check.verdict_list import VerdictList
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.linked_views import LinkedRange, LinkedView
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.gui.widgets.turning_splitter import TurningSplitter
from eclips_app.metrology.verdicts import Verdict
from eclips_app.model.items import ProfileLine, SegmentSet
from eclips_app.model.project import Selection

_ALL = -1
_LOW = 420  #: height in pixels
_ROOM = 0.5  #: of a region's size left free around it


class CheckPanel(QtWidgets.QWidget):
    """The selected run: images and differences on the left, chi-square, cycle and verdicts on the right."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._flow = session, flow_of(session)
        self._background = Background(self)
        self._range = LinkedRange(self)
        self._asked: tuple[object, ...] = ()  # what is shown or being read
        self.shown: Shown | None = None
        self.segments = QtWidgets.QComboBox()
        self.unit = QtWidgets.QComboBox()
        self.scale = ColorScale("Difference")
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole images", "0")
        self.grid = SegmentGrid(session.theme)
        self.maps = Chi2Maps(session)
        self.cycle = CycleTab(session, self._flow)
        self.verdicts = VerdictList(session.theme)
        self.status = QtWidgets.QLabel()
        self._lay_out()
        self._connect()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being read or computed for the panel."""
        return not self._background.is_busy and not self._flow.is_busy

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs at least."""
        return QtCore.QSize(380, 300)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the maps under the images where there is no room beside them, and the verdicts into a tab where it is low."""
        self.splitter.fit(event.size())
        self._place_verdicts(
            low=event.size().height() < _LOW and self.splitter.orientation() == Qt.Orientation.Horizontal
        )
        super().resizeEvent(event)
        self._range.apply_soon()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Read what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        for box, name, tip in (
            (self.segments, "Segments shown", "Which segments to show"),
            (self.unit, "Unit of the difference", "Difference in standard deviations of its noise, or in grey values"),
        ):
            box.setAccessibleName(name)
            box.setToolTip(tip)
            box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(7)
            bar.addWidget(box, 1)
        bar.addWidget(self.scale, 2)
        bar.addWidget(self.zoom_fit)
        self.status.setProperty("kind", "faint")
        self.status.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        left = _column(8, bar, self.grid, self.status)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.maps, "χ²")
        self.tabs.setTabToolTip(0, "Chi-square: what is left over, in units of noise")
        scroll = QtWidgets.QScrollArea()  # its texts need more height than a small window has
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidget(self.cycle)
        self.tabs.addTab(scroll, "Cycle")
        self.right = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.right.setMinimumWidth(230)
        self.right.addWidget(self.tabs)
        self.right.setChildrenCollapsible(False)
        self._place_verdicts(low=False)
        self.splitter = TurningSplitter((58, 42), (55, 45))
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.right)
        self.splitter.setSizes([580, 420])
        self.empty = EmptyState(
            self._session, "Reconstruct images to see how far the result explains them", "Reconstruct", "reconstruct.run",
            "images",
        )  # fmt: skip
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)

    def _place_verdicts(self, *, low: bool) -> None:
        """Show the verdicts below the tabs, or as the first of them."""
        is_tab = self.tabs.indexOf(self.verdicts) >= 0
        if low and not is_tab:
            self.tabs.insertTab(0, self.verdicts, "Verdicts")
            self.tabs.setCurrentIndex(0)
        elif not low and (is_tab or self.right.count() == 1):
            self.right.addWidget(self.verdicts)
            self.verdicts.show()  # a tab that is taken out is hidden
            self.right.setSizes([370, 230])

    def _connect(self) -> None:
        self.segments.activated.connect(self._show_grid)
        self.unit.activated.connect(self._show_grid)
        self.zoom_fit.clicked.connect(self._range.fit)
        self.verdicts.chosen.connect(self._on_verdict)
        self.tabs.currentChanged.connect(self._range.apply_soon)
        for view in (*self.maps.views, self.cycle.view):
            self._link(view)
        self._flow.changed.connect(self._show_cycle)
        project = self._session.project
        project.changed.connect(self._on_project)
        project.selection_changed.connect(self._on_selection)

    def _link(self, view: LinkedView) -> None:
        view.navigated.connect(self._on_navigated)
        view.fit_asked.connect(self._range.fit)
        view.hovered.connect(self._on_hovered)

    # What is shown

    def _refresh(self) -> None:
        run = self._session.project.run
        self.pages.setCurrentWidget(self.splitter if run is not None and "height" in run.arrays else self.empty)
        if run is None or "height" not in run.arrays or not self.isVisible():
            return
        segment_set = self._session.project.get(SegmentSet, run.set_id)
        asked = (run.id, run.arrays, segment_set)
        if asked[:1] == self._asked[:1] and all(a is b for a, b in zip(asked[1:], self._asked[1:], strict=True)):
            return
        self._asked = asked
        self._background.drop()
        self.verdicts.clear()
        self.status.setText(f"Reading {run.name}…")
        self._background.run(partial(prepare, run, segment_set), self._show)

    def _show(self, shown: Shown) -> None:
        self.shown = shown
        count = len(shown.residual)
        for view in self.grid.make_rows(count):
            self._link(view)
        _fill(self.segments, [("All", _ALL), *((f"Segment {n}", k) for k, n in enumerate(shown.names[:count]))])
        _fill(self.unit, [("In noise", "noise"), ("In grey", "grey")] if shown.has_noise else [("In grey", "grey")])
        self.status.clear()
        self.verdicts.set_verdicts(shown.judgement.verdicts, shown.notes)
        self.maps.show_run(shown)
        self._range.views = [*self.grid.views, *self.maps.views, self.cycle.view]
        rows, columns = shown.run.arrays["height"].shape
        top, left = shown.run.origin_px
        self._range.set_field(QtCore.QRectF(left - 0.5, top - 0.5, columns, rows))
        self._frame(None)
        self._show_grid()
        self._show_cycle()

    def _show_grid(self, _: int = 0) -> None:
        if self.shown is None:
            return
        chosen, in_noise = self.segments.currentData(), self.unit.currentData() == "noise"
        self.grid.show_run(self.shown, None if chosen == _ALL else chosen, in_noise=in_noise)
        reach = self.shown.reach_noise if in_noise else self.shown.reach_grey
        self.scale.set_scale(DIVERGING, scale_marks(reach, in_noise=in_noise))
        self._range.apply_soon()

    def _show_cycle(self) -> None:
        had = self.cycle.view.isVisible()
        self.cycle.refresh(self.shown)
        if self.cycle.view.isVisible() != had:
            self._range.apply_soon()

    def _frame(self, frame: QtCore.QRectF | None) -> None:
        for view in self._range.views:
            view.show_frame(frame)

    # What the user does

    def _on_verdict(self, verdict: Verdict) -> None:
        if self.shown is None:
            return
        if verdict.bbox is None:
            self._frame(None)
            self._range.fit()
            return
        (top, left, bottom, right), (first_row, first_column) = verdict.bbox, self.shown.run.origin_px
        frame = QtCore.QRectF(left + first_column - 0.5, top + first_row - 0.5, right - left, bottom - top)
        self._frame(frame)
        room = _ROOM * max(frame.width(), frame.height(), 16.0)
        self._range.show_part(frame.adjusted(-room, -room, room, room))

    def _on_navigated(self) -> None:
        view = self.sender()
        assert isinstance(view, LinkedView)
        self._range.follow(view)

    def _on_hovered(self, col: float, row: float, _: object) -> None:
        source = self.sender()
        inside = math.isfinite(col) and self.shown is not None
        for view in self._range.views:
            view.show_cross((col, row) if inside and view is not source else None)
        if self.shown is None or not inside:
            self.status.clear()
            return
        top, left = self.shown.run.origin_px
        segment = self.grid.segment_of(source)
        self.status.setText(reading(self.shown, round(row) - top, round(col) - left, segment=segment))

    def _on_project(self, ids: frozenset[str]) -> None:
        if not ids or any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):
            self._refresh()
            self._show_cycle()

    def _on_selection(self, _: Selection) -> None:
        self._refresh()
        self._show_cycle()


def _fill(box: QtWidgets.QComboBox, entries: list[tuple[str, object]]) -> None:
    """Put entries into a box and keep the choice if it is still there."""
    kept = box.currentData()
    box.clear()
    for text, data in entries:
        box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(kept)))


def _column(margin: int, *parts: QtWidgets.QWidget | QtWidgets.QLayout) -> QtWidgets.QWidget:
    column = QtWidgets.QWidget()
    layout = QtWidgets.QVBoxLayout(column)
    layout.setContentsMargins(margin, margin, margin, 4)
    layout.setSpacing(6)
    for part in parts:
        if isinstance(part, QtWidgets.QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part, 0 if isinstance(part, QtWidgets.QLabel) else 1)
    return column
