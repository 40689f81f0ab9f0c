"""The tasks of a calibration in their order, each with its light; the observations stand under them."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.calibration import KINDS
from eclips_app.core.detector import Detector, presets
from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.panels.calibration.lights import light_icon
from eclips_app.gui.panels.calibration.presenter import (
    DONE,
    MISSING,
    POOR_PERCENT,
    STALE,
    light,
    light_text,
    of_task,
    residual_percent,
    steps,
)
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.calibration import start_detector, title_of
from eclips_app.model.items import Reference, SegmentSet

_ID = Qt.ItemDataRole.UserRole
_TITLE = Qt.ItemDataRole.UserRole + 1
_STATES = {MISSING: "missing", DONE: "done", STALE: "stale: something changed since"}


class TaskTree(QtWidgets.QTreeWidget):
    """Tasks with a line on their state, and observations that can be ticked; choosing one shows it."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._filling = False
        self._observations: dict[str, QtWidgets.QTreeWidgetItem] = {}
        self.setAccessibleName("Tasks of the calibration")
        self.setHeaderHidden(True)
        self.setIndentation(14)
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setIconSize(QtCore.QSize(16, 16))
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentItemChanged.connect(self._on_current)
        self.itemChanged.connect(self._on_item)
        session.theme.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Read the project again."""
        project, shown = self._session.project, self._flow.shown
        self._filling = True
        scroll = self.verticalScrollBar().value()
        self.clear()
        self._observations = {}
        for step in steps(project, shown, is_fitting=self._flow.task is not None):
            top = QtWidgets.QTreeWidgetItem([step.title])
            self._light(top, step.light, step.title)
            font = top.font(0)
            font.setBold(True)
            top.setFont(0, font)
            top.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addTopLevelItem(top)
            for reference in of_task(self._flow.plan, step.key):
                top.addChild(self._observation_row(reference))
            if not top.childCount():
                told = QtWidgets.QTreeWidgetItem([step.text])
                told.setFlags(Qt.ItemFlag.ItemIsEnabled)
                told.setToolTip(0, step.text)
                told.setForeground(0, QtGui.QColor(self._session.theme.colors.faint))
                top.addChild(told)
        self.expandAll()
        self._mark_selected()
        self.verticalScrollBar().setValue(scroll)
        self._filling = False

    def _observation_row(self, reference: Reference) -> QtWidgets.QTreeWidgetItem:
        """Make the row of an observation: what the calibration shown leaves of it, kind and images, and its light."""
        project, shown = self._session.project, self._flow.shown
        title, left = title_of(project, reference), residual_percent(shown, reference)
        row = QtWidgets.QTreeWidgetItem([title if left is None else f"{left:.2g} %  {title}"])
        row.setData(0, _ID, reference.id)
        row.setData(0, _TITLE, title)
        self._observations[reference.id] = row
        row.setFlags(row.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        row.setCheckState(0, Qt.CheckState.Checked if reference.used else Qt.CheckState.Unchecked)
        self._light(row, light(project, reference, shown), title)
        told = f"{title}. {light_text(project, reference, shown).rstrip('.')}."
        told += f" The fit leaves {left:.2g} % of the signal." if left is not None else ""
        row.setToolTip(0, f"{told} Tick: the fit uses it.")
        if left is not None and left > POOR_PERCENT:
            row.setForeground(0, QtGui.QColor(self._session.theme.colors.warning))
        return row

    def observation(self, reference_id: str) -> QtWidgets.QTreeWidgetItem | None:
        """Give the row of an observation."""
        return self._observations.get(reference_id)

    def _mark_selected(self) -> None:
        selected = self._flow.selected
        row = self.observation(selected.id) if selected else None
        if row is not None:
            self.setCurrentItem(row)

    def _light(self, item: QtWidgets.QTreeWidgetItem, state: str, title: str) -> None:
        item.setIcon(0, light_icon(self._session.theme, state))
        item.setToolTip(0, f"{title}: {_STATES[state]}")
        item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{title}, {_STATES[state]}")

    def _on_current(self, item: QtWidgets.QTreeWidgetItem | None, _: object) -> None:
        if not self._filling and item is not None and item.data(0, _ID):
            # Queued: the answer refills the tree, which must not happen while it handles the choice.
            QtCore.QTimer.singleShot(0, self, _Call(self._flow.select, item.data(0, _ID)))

    def _on_item(self, item: QtWidgets.QTreeWidgetItem, _: int) -> None:
        if self._filling or not item.data(0, _ID):
            return
        used = item.checkState(0) == Qt.CheckState.Checked
        text = f"{'Use' if used else 'Leave out'} {item.data(0, _TITLE)}"
        QtCore.QTimer.singleShot(0, self, _Call(self._flow.change_reference, text, item.data(0, _ID), used=used))


class TaskSide(QtWidgets.QWidget):
    """The tree with what can be done: choose a detector, add, remove, calibrate."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.tree = TaskTree(session, flow)
        self.detector = QtWidgets.QPushButton("Start from")
        self.detector.setToolTip("The detector that the fit starts from: its data sheet, or the one in use")
        self.sets = CalmCombo("Images to add", "The images that Add speaks of")
        self.add = QtWidgets.QPushButton("Add")
        self.add.setToolTip("Say what the selected images show: an object of known shape")
        self.remove = ThemedButton(
            session.theme, "delete", "Take the selected observation out; its images stay", "Delete"
        )
        self.fit = QtWidgets.QPushButton("Calibrate")
        self.fit.setProperty("kind", "primary")
        self.progress = QtWidgets.QProgressBar()
        self.progress.setTextVisible(True)
        self.problem = QtWidgets.QLabel()
        self.problem.setProperty("kind", "error")
        self.problem.setWordWrap(True)
        self._make_menus()
        self._lay_out()
        self.sets.activated.connect(self._on_set)
        self.remove.clicked.connect(self._on_remove)
        self.fit.clicked.connect(self._on_fit)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Delete takes the selected observation out."""
        if event.key() == Qt.Key.Key_Delete:
            self._on_remove()
        else:
            super().keyPressEvent(event)

    def _make_menus(self) -> None:
        kinds = QtWidgets.QMenu(self.add)
        for kind, text in KINDS.items():
            action = kinds.addAction(text)
            action.setData(kind)
            action.triggered.connect(self._on_add)
        self.add.setMenu(kinds)
        menu = QtWidgets.QMenu(self.detector)
        menu.addAction("Detector in use").triggered.connect(self._on_detector)
        menu.addSeparator()
        for name, detector in presets().items():
            action = menu.addAction(name)
            action.setData(detector)
            action.triggered.connect(self._on_detector)
        self.detector.setMenu(menu)

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.setSpacing(4)
        bar.addWidget(self.detector, 3)
        bar.addWidget(self.add, 2)
        bar.addWidget(self.remove)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 4, 4)
        layout.setSpacing(5)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.sets)
        layout.addLayout(bar)
        layout.addWidget(self.problem)
        layout.addWidget(self.progress)
        layout.addWidget(self.fit)

    def refresh(self) -> None:
        """Read project and flow again."""
        self.tree.refresh()
        self.show_progress()
        project, selected = self._session.project, self._flow.selected
        offer(self.sets, [(each.name, each.id) for each in project.of_kind(SegmentSet)], project.selection.set_id)
        self.sets.setVisible(self.sets.count() > 1)
        self.remove.setEnabled(selected is not None)
        self.problem.setText(self._flow.problem)
        self.problem.setVisible(bool(self._flow.problem))

    def show_progress(self) -> None:
        """Show how far the fit is."""
        task = self._flow.task
        self.progress.setVisible(task is not None)
        if task is not None:
            self.progress.setValue(round(100 * task.fraction))
            self.progress.setFormat(task.detail or "%p %")
        self.fit.setText("Stop" if task is not None else "Calibrate")

    def _on_add(self) -> None:
        sender = self.sender()
        assert isinstance(sender, QtGui.QAction)
        self._flow.add(sender.data())

    def _on_set(self, _: int) -> None:
        self._session.project.select(set_id=self.sets.currentData())

    def _on_remove(self) -> None:
        if self._flow.selected is not None:
            self._flow.remove(self._flow.selected.id)

    def _on_detector(self) -> None:
        sender = self.sender()
        assert isinstance(sender, QtGui.QAction)
        detector: Detector | None = sender.data()
        if detector is not None:
            beam = (start_detector(self._session.project) or detector).beam
            detector = replace(detector, beam=beam or detector.beam)  # a data sheet does not know the energy
        name = detector.name if detector else "the detector in use"
        self._flow.change_plan(f"Calibrate from {name}", detector=detector)

    def _on_fit(self) -> None:
        if self._flow.task is not None:
            self._flow.fits.stop()
        else:
            self._flow.fit()


class _Call:
    """A call with arguments that holds no widget alive."""

    def __init__(self, function: object, *arguments: object, **fields: object) -> None:
        self._function, self._arguments, self._fields = function, arguments, fields

    def __call__(self) -> None:
        assert callable(self._function)
        self._function(*self._arguments, **self._fields)
