"""Results: the table of measurements, and all about the selected one beside it."""

from __future__ import annotations

from eclips_app.core.measuring import KINDS
from eclips_app.gui.flows.results import flow_of
from eclips_app.gui.panels.results.details import Details
from eclips_app.gui.panels.results.table import ResultsTable
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.measurements import kinds_by_group

_DETAILS_PX = 480  #: a narrower panel has no room for the details


class ResultsPanel(QtWidgets.QWidget):
    """Adds, shows, changes and writes measurements."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._flow = flow_of(session)
        self._items = len(session.project)
        self.table = ResultsTable(session, self._flow)
        self.details = Details(session, self._flow)
        self.hint = QtWidgets.QLabel(
            "Measurements stand here and follow what they were measured on: select a shape and choose Measure, or add "
            "what the cursors of the Profile panel show."
        )
        self.hint.setProperty("kind", "faint")
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme = session.theme
        self.measure = ThemedButton(theme, "add", "Measure the selected shape, or the whole map")
        self.measure.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu, self.kinds = self._make_menu()
        self.measure.setMenu(self.menu)
        self.duplicate_button = ThemedButton(theme, "duplicate", "Add a copy of the selected rows")
        self.delete_button = ThemedButton(theme, "delete", "Take the selected rows out", "Delete")
        self.copy_button = ThemedButton(theme, "copy", "Copy the table to the clipboard")
        self.export_button = ThemedButton(theme, "export", "Write the table to a workbook (XLSX) or CSV file")
        for button, run in (
            (self.duplicate_button, self.duplicate), (self.delete_button, self.delete),
            (self.copy_button, self._flow.copy), (self.export_button, self._flow.export),
        ):  # fmt: skip
            button.clicked.connect(run)
        self._lay_out()
        delete = QtGui.QShortcut(QtGui.QKeySequence("Del"), self.table)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self.delete)
        self.table.rows_chosen.connect(self._show_details)
        self._flow.changed.connect(self._show_details)
        session.project.changed.connect(self._on_project)
        self.table.refresh()
        self._show_details()

    def sizeHint(self) -> QtCore.QSize:
        """Ask for little: it stands below the panels."""
        return QtCore.QSize(600, 165)

    def minimumSizeHint(self) -> QtCore.QSize:
        """Be content with a few rows."""
        return QtCore.QSize(240, 90)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Give all room to the table where there is little."""
        self.details.setVisible(event.size().width() >= _DETAILS_PX)
        super().resizeEvent(event)

    def duplicate(self) -> None:
        """Add copies of the selected rows."""
        for row in self.table.chosen():
            self._flow.duplicate(row)

    def delete(self) -> None:
        """Take out the selected rows."""
        self._flow.delete(self.table.chosen())

    def update_menu(self) -> None:
        """Let only that be chosen which the selection can be measured after; the others say what they need."""
        for key, action in self.kinds.items():
            kind = KINDS[key]
            hindrance = self._flow.hindrance(kind)
            action.setEnabled(not hindrance)
            action.setToolTip(f"{kind.help}\n{hindrance}".strip())

    def _make_menu(self) -> tuple[QtWidgets.QMenu, dict[str, QtGui.QAction]]:
        menu, actions = QtWidgets.QMenu(self.measure), {}
        menu.setToolTipsVisible(True)
        for group, kinds in kinds_by_group().items():
            menu.addSection(group)
            for kind in kinds:
                action = menu.addAction(f"{kind.title}  ({kind.standard})" if kind.standard else kind.title)
                action.setData(kind.key)
                action.triggered.connect(self._on_kind)
                actions[kind.key] = action
        menu.aboutToShow.connect(self.update_menu)
        return menu, actions

    def _lay_out(self) -> None:
        # Beside the table, not above it: the panel is low.
        buttons = QtWidgets.QGridLayout()
        buttons.setSpacing(2)
        buttons.addWidget(self.measure, 0, 0, 1, 2)
        for i, button in enumerate((self.duplicate_button, self.delete_button, self.copy_button, self.export_button)):
            buttons.addWidget(button, 1 + i // 2, i % 2)
        buttons.setRowStretch(3, 1)
        self.measure.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.splitter = QtWidgets.QSplitter()
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.details)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([620, 380])
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.hint, 1)

    def _show_details(self) -> None:
        chosen = self.table.chosen()
        self.details.show_row(chosen[0] if len(chosen) == 1 else None)
        any_row = self._flow.has_rows()
        self.splitter.setVisible(any_row)
        self.hint.setVisible(not any_row)
        for button in (self.copy_button, self.export_button):
            button.setEnabled(any_row)
        for button in (self.duplicate_button, self.delete_button):
            button.setEnabled(bool(chosen))

    def _on_kind(self, _: bool) -> None:
        action = self.sender()
        if isinstance(action, QtGui.QAction):
            self._flow.add(str(action.data()))

    def _on_project(self, _: frozenset[str]) -> None:
        # A row that changes is shown by the table; of other items only those that come and go are offered otherwise.
        if len(self._session.project) != self._items:
            self._items = len(self._session.project)
            self._show_details()
