"""Several methods on the same images: which, how far they are, their figures in a table, and their maps side by side."""

from __future__ import annotations

from functools import partial

from eclips_app.gui.flows.compare_methods import Entry, flow_of
from eclips_app.gui.flows.methods import name_of
from eclips_app.gui.panels.methods.pictures import PicturesSide
from eclips_app.gui.panels.methods.presenter import Pictures, prepare
from eclips_app.gui.panels.methods.table import MethodsTable
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.model.items import Run

_LOW = 430  #: a lower panel has the table and the maps in tabs


class MethodsPanel(QtWidgets.QWidget):
    """The table above, the maps below."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._flow = session, flow_of(session)
        self._background = Background(self)
        self._entries: tuple[Entry, ...] = ()
        self._asked: tuple[object, ...] = ()  # what is shown or being read
        self._is_behind = False
        self._catch_up = QtCore.QTimer(self, singleShot=True)
        self._catch_up.timeout.connect(self._refresh)
        self.table = MethodsTable(session, self._flow)
        self.pictures = PicturesSide(session)
        self.button = QtWidgets.QPushButton("Compare")
        self.button.setProperty("kind", "primary")
        self.button.setAccessibleName("Compare methods")
        self.button.clicked.connect(self._flow.run)
        self.stop = QtWidgets.QPushButton("Stop")
        self.stop.setToolTip("Stop what runs and forget what waits; finished runs stay")
        self.stop.clicked.connect(self._flow.stop)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress of the method that runs")
        self.note = QtWidgets.QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("kind", "faint")
        self.nothing = QtWidgets.QLabel("No chosen method has been run on these images yet.")
        self.nothing.setProperty("kind", "faint")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setWordWrap(True)
        self._lay_out()
        self._connect()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being read for the panel."""
        return not self._background.is_busy and not self._catch_up.isActive()

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs at least."""
        return QtCore.QSize(380, 300)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put table and maps into tabs where there is no room for both."""
        self._place(low=event.size().height() < _LOW)
        super().resizeEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Read what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Catch up with what changed while the panel was behind another one."""
        super().paintEvent(event)
        if self._is_behind:
            self._is_behind = False
            self._catch_up.start()

    def _lay_out(self) -> None:
        work = QtWidgets.QHBoxLayout()
        work.addWidget(self.button)
        work.addWidget(self.bar)
        work.addWidget(self.stop)
        work.addWidget(self.note, 1)
        self.bar.setMaximumWidth(160)
        self.figures = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(self.figures)
        layout.setContentsMargins(8, 8, 8, 4)
        layout.setSpacing(6)
        layout.addWidget(self.table)
        layout.addLayout(work)
        layout.addStretch(1)
        self.maps = QtWidgets.QStackedWidget()
        self.maps.addWidget(self.nothing)
        self.maps.addWidget(self.pictures)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.both = QtWidgets.QWidget()
        QtWidgets.QVBoxLayout(self.both).setContentsMargins(0, 0, 0, 0)
        self.empty = EmptyState(
            self._session,
            "Open segment images to see what each method makes of them",
            "Open images",
            "images.open",
            "images",
        )
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        for page in (self.empty, self.both, self.tabs):
            self.pages.addWidget(page)
        self._place(low=False)

    def _place(self, *, low: bool) -> None:
        """Show the maps below the table, or both in tabs."""
        layout = self.both.layout()
        assert isinstance(layout, QtWidgets.QVBoxLayout)
        if low and not self.tabs.count():
            self.tabs.addTab(self.figures, "Figures")
            self.tabs.addTab(self.maps, "Maps")
        elif not low and not layout.count():
            layout.addWidget(self.figures)
            layout.addWidget(self.maps, 1)
            for part in (self.figures, self.maps):  # a tab that is taken out is hidden
                part.show()
        self._show_page()

    def _show_page(self) -> None:
        both = self.tabs if self.tabs.count() else self.both
        self.pages.setCurrentWidget(self.empty if self._session.project.segment_set is None else both)

    def _connect(self) -> None:
        self._flow.changed.connect(self._refresh)
        self._flow.reconstruct.changed.connect(self._show_work)
        self.pictures.asked.connect(self._read)

    def _refresh(self) -> None:
        if not self.isVisible() or self.visibleRegion().isEmpty():  # a panel behind another one is not hidden
            self._is_behind = True
            return
        self._show_page()
        self._entries = self._flow.entries()
        self.pictures.offer_references([(run.name, run.id) for run in self._runs()])
        self._show_table()
        self._show_work()
        self._read()

    def _runs(self) -> list[Run]:
        return [entry.run for entry in self._entries if entry.is_chosen and entry.run is not None]

    def _read(self) -> None:
        """Read the maps if they are not those that are shown or being read."""
        runs = self._runs()
        self.maps.setCurrentWidget(self.pictures if runs else self.nothing)
        kind, reference = str(self.pictures.kind.currentData()), self.pictures.reference_id
        asked = (kind, reference, *(part for run in runs for part in (run.id, run.name, id(run.arrays))))
        if asked == self._asked:
            return
        self._asked = asked
        self._background.drop()
        if runs:
            self._background.run(partial(prepare, kind, runs, reference), self._show)

    def _show(self, pictures: Pictures) -> None:
        self.pictures.show_pictures(pictures)
        self._show_table()

    def _show_table(self) -> None:
        self.table.show_entries(self._entries, self.pictures.shown)

    def _show_work(self) -> None:
        """Show how far the method that runs is, or what the button would do."""
        task, hindrance = self._flow.reconstruct.task, self._flow.hindrance()
        self.button.setVisible(task is None)
        self.button.setEnabled(not hindrance)
        for widget in (self.bar, self.stop):
            widget.setVisible(task is not None)
        if task is None:
            self.button.setToolTip(hindrance or "Run the chosen methods that have not been run yet, one after another")
            before = [entry for entry in self._entries if entry.is_chosen and entry.state == "before"]
            kept = [entry.run.name for entry in before if entry.run is not None]
            again = f"Not run again, as made before: {', '.join(kept)}." if kept else ""
            self.note.setText(" ".join(part for part in (hindrance, again) if part))
            return
        left = f", {task.seconds_left:.0f} s left" if task.seconds_left is not None else ""
        detail = f": {task.detail}" if task.detail else ""
        self.note.setText(f"{task.text}, {name_of(task.data.options)}{detail}{left}")
        self.bar.setValue(round(1000 * task.fraction))
