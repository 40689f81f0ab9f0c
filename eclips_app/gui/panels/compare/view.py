"""A height map from elsewhere on a reconstruction: where it lies, how both differ, and in words how well they agree."""

from __future__ import annotations

from functools import partial

from eclips_app.gui.flows.compare import flow_of
from eclips_app.gui.panels.compare.diagrams_tab import DiagramsTab
from eclips_app.gui.panels.compare.picture_side import PictureSide
from eclips_app.gui.panels.compare.presenter import Pictures, prepare
from eclips_app.gui.panels.compare.profile_tab import ProfileTab
from eclips_app.gui.panels.compare.register_tab import RegisterTab
from eclips_app.gui.panels.compare.verdict_tab import VerdictTab
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.turning_splitter import TurningSplitter
from eclips_app.model.items import HeightMap
from eclips_app.model.project import Selection


class ComparePanel(QtWidgets.QWidget):
    """Pictures on the left; registration, verdict, diagrams and profiles in tabs on the right."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._flow = session, flow_of(session)
        self._background = Background(self)
        self._asked: tuple[object, ...] = ()
        self._compared: object = None  # the comparison that is shown
        self._is_behind = False
        self._catch_up = QtCore.QTimer(self, singleShot=True)
        self._catch_up.timeout.connect(self._refresh)
        self.shown: Pictures | None = None
        self.runs = CalmCombo("Reconstruction", "The reconstruction that is compared")
        self.maps = CalmCombo("Height map", "The height map that it is compared with")
        self.load = QtWidgets.QPushButton("Load…")
        self.load.setToolTip("Read an AFM or other height map")
        self.pictures = PictureSide(session, self._flow)
        self.register = RegisterTab(session, self._flow)
        self.verdict = VerdictTab(session, self._flow)
        self.diagrams = DiagramsTab(session.theme)
        self.profile = ProfileTab(session)
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
        """Put the tabs under the pictures where there is no room beside them."""
        self.splitter.fit(event.size())
        super().resizeEvent(event)
        self.pictures.apply_range()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Read what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.setContentsMargins(8, 8, 8, 0)
        bar.addWidget(self.runs, 1)
        bar.addWidget(QtWidgets.QLabel("with"))
        bar.addWidget(self.maps, 1)
        bar.addWidget(self.load)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, name in (
            (_scrolled(self.register), "Register"),
            (_scrolled(self.verdict), "Verdict"),
            (self.diagrams, "Diagrams"),
            (self.profile, "Profile"),
        ):
            self.tabs.addTab(widget, name)
        self.tabs.setMinimumWidth(230)
        self.splitter = TurningSplitter((58, 42), (55, 45))
        self.splitter.addWidget(self.pictures)
        self.splitter.addWidget(self.tabs)
        self.splitter.setSizes([580, 420])
        self.no_run = EmptyState(
            self._session, "Reconstruct images to compare the heights with those of another instrument", "Reconstruct",
            "reconstruct.run", "images",
        )  # fmt: skip
        self.no_map = EmptyState(
            self._session, "Load a height map from an AFM, a profilometer or another instrument", "Load height map…",
            "compare.load", "compare",
        )  # fmt: skip
        self.pages = QtWidgets.QStackedWidget()
        for page in (self.no_run, self.no_map, self.splitter):
            self.pages.addWidget(page)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(bar)
        layout.addWidget(self.pages, 1)
        layout.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)

    def _connect(self) -> None:
        project = self._session.project
        project.changed.connect(self._on_project)
        project.selection_changed.connect(self._on_selection)
        self._flow.changed.connect(self._show_flow)
        self.runs.activated.connect(self._on_run)
        self.maps.activated.connect(self._on_map)
        self.load.clicked.connect(self._flow.load_map)
        self.register.landmarks_asked.connect(self._on_landmarks_asked)
        self.pictures.way_changed.connect(self._on_way)
        self._session.theme.changed.connect(self.profile.refresh)

    # What is shown

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Catch up with what changed while the panel was behind another one."""
        super().paintEvent(event)
        if self._is_behind:
            self._is_behind = False
            self._catch_up.start()

    def _refresh(self) -> None:
        if not self.isVisible() or self.visibleRegion().isEmpty():  # a panel behind another one is not hidden
            self._is_behind = True
            return
        project, run, placed = self._session.project, self._flow.run, self._flow.map
        offer(self.runs, [(r.name, r.id) for r in project.runs_of(project.selection.set_id)], run.id if run else "")
        offer(self.maps, [(m.name, m.id) for m in project.of_kind(HeightMap)], placed.id if placed else "")
        self.pages.setCurrentWidget(self.no_run if run is None else self.no_map if placed is None else self.splitter)
        self._show_flow()
        self._show_lines()
        asked = (run, placed)
        if (
            run is None
            or placed is None
            or (self._asked and all(a is b for a, b in zip(asked, self._asked, strict=True)))
        ):
            return
        self._asked = asked
        self._background.drop()
        self._background.run(partial(prepare, run, placed), self._show)

    def _show(self, pictures: Pictures) -> None:
        self.shown = pictures
        self.pictures.show_pictures(pictures)

    def _show_flow(self) -> None:
        """Show what the flow knows: what runs, and what came out."""
        if not self.isVisible():
            return
        self.register.refresh()
        self.verdict.refresh()
        compared = self._flow.comparison
        if compared is not self._compared:
            self._compared = compared
            self.diagrams.show_comparison(compared)
            self.pictures.refresh()

    # What the user does

    def _on_run(self, _: int) -> None:
        self._session.project.select(run_id=self.runs.currentData())

    def _on_map(self, _: int) -> None:
        self._session.project.select(map_id=self.maps.currentData())

    def _on_landmarks_asked(self) -> None:
        self.pictures.set_way("landmarks")

    def _on_way(self, way: str) -> None:
        if way == "landmarks":
            self.tabs.setCurrentIndex(0)

    def _on_project(self, _: frozenset[str]) -> None:
        self._refresh()

    def _on_selection(self, _: Selection) -> None:
        self._refresh()

    def _show_lines(self) -> None:
        self.pictures.refresh_lines()
        self.profile.refresh()


def _scrolled(widget: QtWidgets.QWidget) -> QtWidgets.QScrollArea:
    """Let a page scroll that needs more height than a small window has."""
    scroll = QtWidgets.QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(widget)
    return scroll
