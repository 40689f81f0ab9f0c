"""From images of known objects to a calibrated detector: tasks on the left, the object in the middle, numbers on the right."""

from __future__ import annotations

from eclips_app.gui.flows.calibration import flow_of
from eclips_app.gui.flows.calibration_files import files_of
from eclips_app.gui.panels.calibration.check_tab import CheckTab
from eclips_app.gui.panels.calibration.history_list import HistoryList
from eclips_app.gui.panels.calibration.object_side import ObjectSide
from eclips_app.gui.panels.calibration.residual_tab import ResidualTab
from eclips_app.gui.panels.calibration.result_side import ResultSide
from eclips_app.gui.panels.calibration.task_side import TaskSide
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.model.items import Calibration, SegmentSet

_NARROW = 860  #: width in pixels below which the numbers stand in tabs beside the image


class CalibrationPanel(QtWidgets.QWidget):
    """Everything that a calibration needs, in the order in which it is needed."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.flow, self.files = flow_of(session), files_of(session)
        self.tasks = TaskSide(session, self.flow)
        self.history = HistoryList(session, self.flow, self.files)
        self.object = ObjectSide(session, self.flow)
        self.residuals = ResidualTab(session, self.flow, change=False)
        self.changes = ResidualTab(session, self.flow, change=True)
        self.results = ResultSide(session, self.flow)
        self.check = CheckTab(session, self.flow)
        self._opinion: object = None
        self._known: object = None
        self._lay_out()
        self.flow.changed.connect(self._on_changed)
        session.theme.changed.connect(self._refresh)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being looked for, fitted or written."""
        return not self.flow.is_busy and not self.files.is_busy

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs at least."""
        return QtCore.QSize(420, 260)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the numbers into tabs where there is no room for a third column."""
        self._place_results(narrow=event.size().width() < _NARROW)
        super().resizeEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Read what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    def _lay_out(self) -> None:
        left = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self.tasks)
        left.addWidget(self.history)
        left.setChildrenCollapsible(False)
        left.setSizes([420, 170])
        left.setMinimumWidth(220)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.tabBar().setExpanding(False)
        self.tabs.setStyleSheet("QTabBar::tab { padding-left: 6px; padding-right: 6px; }")
        self.tabs.setElideMode(Qt.TextElideMode.ElideRight)
        for widget, title, tip in (
            (self.object, "Object", "The images of the observation, and what was found in them"),
            (self.residuals, "Residuals", "Measured minus modelled, in % of the signal"),
            (self.changes, "Change", "Residuals less those of the calibration before"),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(widget, title), tip)
        self.right = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.right.setChildrenCollapsible(False)
        self.splitter = QtWidgets.QSplitter(Qt.Orientation.Horizontal)
        for part in (left, self.tabs, self.right):
            self.splitter.addWidget(part)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setStretchFactor(2, 1)
        self._place_results(narrow=False)
        self.splitter.setSizes([235, 355, 440])
        self.empty = EmptyState(
            self._session, "Open images of an object of known shape to calibrate the detector: a sphere, a Vickers indent, "
            "certified facets, or any area with its AFM map", "Open images…", "images.open", "images",
        )  # fmt: skip
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)

    def _place_results(self, *, narrow: bool) -> None:
        """Show table and curve in a column of their own, or as tabs."""
        pages = ((self.results.table_page, "Values"), (self.results.curve_page, "Gain k"))
        are_tabs = self.tabs.indexOf(self.results.table_page) >= 0
        if narrow and not are_tabs:
            for page, title in pages:
                self.tabs.addTab(page, title)
        elif not narrow and (are_tabs or self.right.count() == 0):
            for page, _ in pages:
                self.right.addWidget(page)
                page.show()  # a tab that is taken out is hidden
            self.right.setSizes([600, 400])
        self.right.setVisible(not narrow)

    def _on_changed(self) -> None:
        task = self.flow.task
        if task is not None and self._known is task:  # the fit moved on, nothing else
            self.tasks.show_progress()
            return
        self._known = task
        self._refresh()

    def _refresh(self) -> None:
        project = self._session.project
        some = bool(project.of_kind(SegmentSet) or project.of_kind(Calibration))
        self.pages.setCurrentWidget(self.splitter if some else self.empty)
        if not self.isVisible():
            return
        for part in (self.tasks, self.history, self.object, self.residuals, self.changes, self.results, self.check):
            part.refresh()
        if self.flow.check.opinion is not self._opinion:  # the tab comes with the first one, and each shows it
            self._opinion = self.flow.check.opinion
            if self.tabs.indexOf(self.check) < 0:
                place = self.tabs.insertTab(3, self.check, "Right?")
                self.tabs.setTabToolTip(place, "What in the selected images contradicts the calibration")
            self.tabs.setCurrentWidget(self.check)
