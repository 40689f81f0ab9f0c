"""The calibrations of the project by name and date: look at one, use it, save it."""

from __future__ import annotations

from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.flows.calibration_files import CalibrationFiles
from eclips_app.gui.panels.calibration.lights import light_icon
from eclips_app.gui.panels.calibration.presenter import DONE, check_text
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.items import Calibration

_ID = Qt.ItemDataRole.UserRole


class HistoryList(QtWidgets.QWidget):
    """A line for each calibration, the newest last; the buttons act on the one that is chosen."""

    def __init__(self, session: Session, flow: CalibrationFlow, files: CalibrationFiles) -> None:
        super().__init__()
        self._session, self._flow, self._files = session, flow, files
        self._filling = False
        self.list = QtWidgets.QTreeWidget()
        self.list.setAccessibleName("Calibrations")
        self.list.setHeaderLabels(["Calibration", "Made"])
        self.list.setRootIsDecorated(False)
        self.list.setToolTip("Choose one to look at it; F2 or a double click renames")
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.list.setMinimumHeight(70)
        header = self.list.header()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        actions = session.actions
        self.list.addActions(
            [actions.action(f"calibration.{key}") for key in ("use", "save", "certificate", "settings", "delete")]
        )
        self.use = _button(actions.action("calibration.use"), "Use")
        self.save = _button(actions.action("calibration.save"), "Save…")
        self.certificate = _button(actions.action("calibration.certificate"), "PDF…")
        self.check = ThemedButton(session.theme, "check", "Can this calibration be right for the selected images?")
        self.check.clicked.connect(actions.action("calibration.check").trigger)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(4)
        for button in (self.use, self.save, self.certificate):
            row.addWidget(button, 1)
            button.setStyleSheet("padding-left: 3px; padding-right: 3px;")  # all three fit into a small window
        row.addWidget(self.check)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 4, 6)
        layout.setSpacing(5)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemChanged.connect(self._on_item)

    def refresh(self) -> None:
        """Read the project again."""
        project, shown = self._session.project, self._flow.shown
        self._filling = True
        self.list.clear()
        for each in project.of_kind(Calibration):
            row = QtWidgets.QTreeWidgetItem([each.name, each.created[:10]])
            row.setData(0, _ID, each.id)
            told = f"{each.name}, {each.created.replace('T', ' ')}: {check_text(each)}"
            in_use = each.detector == project.detector
            for column in (0, 1):
                row.setToolTip(column, f"{told}; in use for this project" if in_use else told)
            row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable)
            if in_use:
                row.setIcon(0, light_icon(self._session.theme, DONE))
            self.list.addTopLevelItem(row)
            if each is shown:
                self.list.setCurrentItem(row)
        self._filling = False

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Delete takes the chosen one out."""
        if event.key() == Qt.Key.Key_Delete and self._flow.shown is not None:
            self._files.delete()
        else:
            super().keyPressEvent(event)

    def _on_current(self, item: QtWidgets.QTreeWidgetItem | None, _: object) -> None:
        if not self._filling and item is not None:
            # Queued: the answer refills the list, which must not happen while it handles the choice.
            QtCore.QTimer.singleShot(0, self, _Later(self._flow.show, item.data(0, _ID)))

    def _on_item(self, item: QtWidgets.QTreeWidgetItem, column: int) -> None:
        if not self._filling and column == 0:
            QtCore.QTimer.singleShot(0, self, _Later(self._rename, item.data(0, _ID), item.text(0)))

    def _rename(self, calibration_id: str, name: str) -> None:
        self._files.rename(calibration_id, name)
        self.refresh()  # an empty name is not taken


class _Later:
    """A call with arguments."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._function, self._arguments = function, arguments

    def __call__(self) -> None:
        assert callable(self._function)
        self._function(*self._arguments)


def _button(action: QtGui.QAction, text: str) -> QtWidgets.QPushButton:
    """Make a button that does a command and is enabled as it is."""
    button = QtWidgets.QPushButton(text)
    button.setToolTip(action.toolTip())
    button.setAccessibleName(action.text())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    button.setEnabled(action.isEnabled())
    return button
