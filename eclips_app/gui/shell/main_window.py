"""The main window: panels as docks, menus from the action registry, a status bar that shows what runs."""

from __future__ import annotations

from pathlib import Path

from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.messages import Message
from eclips_app.gui.panels import PANELS, PanelInfo
from eclips_app.gui.panels.results.view import ResultsPanel
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.shell.docks import HistoryDock, MessagesDock
from eclips_app.gui.shell.palette import CommandPalette
from eclips_app.gui.shell.status import StatusArea
from eclips_app.gui.shell.steady import SteadyDocks

_LAYOUT_VERSION = 4  #: another one with every panel that comes or goes
_SIDE_PX = 325  #: width of the Reconstruct column
_LOWER_PX = 165  #: height of the results, history and messages
_MENUS = (
    "File",
    "Edit",
    "Images",
    "Calibration",
    "Reconstruct",
    "Profile",
    "Measure",
    "Facets",
    "Series",
    "Simulate",
    "View",
    "Help",
)
_TOOL_BAR = (
    "images.open", "file.open", "file.save", "", "edit.undo", "edit.redo", "", "reconstruct.run", "", "file.export",
)  # fmt: skip
_SEPARATED = {"file.export", "file.quit", "view.theme_system", "view.reset_layout", "images.register"}


class TabDock(QtWidgets.QDockWidget):
    """A dock whose title stands in its tab alone; it gets a title bar when it floats."""

    def __init__(self, key: str, title: str, parent: QtWidgets.QWidget) -> None:
        super().__init__(title, parent)
        self.setObjectName(key)
        self.setTitleBarWidget(QtWidgets.QWidget())
        self.topLevelChanged.connect(self._on_float)

    def _on_float(self, floating: bool) -> None:
        self.setTitleBarWidget(None if floating else QtWidgets.QWidget())  # type: ignore[arg-type]


class PanelDock(TabDock):
    """A dock whose panel is made when it is first shown."""

    def __init__(self, info: PanelInfo, session: Session, parent: QtWidgets.QWidget) -> None:
        super().__init__(f"panel/{info.key}", info.title, parent)
        self.info = info
        self._session = session
        self.setWidget(QtWidgets.QWidget())
        self._made = False
        self.visibilityChanged.connect(self._on_visible)

    def panel(self) -> QtWidgets.QWidget:
        """Give the panel, made if need be."""
        if not self._made:
            self._made = True
            old = self.widget()
            panel = self.info.create(self._session)
            self.setWidget(panel)
            panel.show()  # a dock that is visible already does not do it
            old.deleteLater()
        return self.widget()

    def _on_visible(self, visible: bool) -> None:
        if visible:
            self.panel()


class MainWindow(QtWidgets.QMainWindow):
    """The program's window."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setObjectName("main")
        self.setDockNestingEnabled(True)
        options = QtWidgets.QMainWindow.DockOption
        self.setDockOptions(
            options.AllowTabbedDocks | options.AllowNestedDocks | options.AnimatedDocks | options.GroupedDragging
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QtWidgets.QTabWidget.TabPosition.North)
        self.setAcceptDrops(True)
        self.setWindowIcon(session.theme.icon("eclips"))
        self.panels: dict[str, PanelDock] = {}
        self.tools: dict[str, QtWidgets.QDockWidget] = {}
        self._palette = CommandPalette(session, self)
        self._add_view_actions()
        self._make_docks()
        self._steady = SteadyDocks(self, [*self.panels.values(), *self.tools.values()])
        self._make_menus()
        self._make_tool_bar()
        self.setStatusBar(StatusArea(session))
        self.resize(1360, 860)
        self._default_state = self.saveState(_LAYOUT_VERSION)
        self._restore_layout()
        session.panel_asked.connect(self.show_panel)
        session.path_changed.connect(self._show_title)
        session.history.changed.connect(self._on_history)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_project)
        session.messages.added.connect(self._on_message)
        self._show_title()
        session.actions.update_enabled()

    # Panels and docks

    def show_panel(self, key: str) -> None:
        """Bring a panel or tool dock to the front and give it the keyboard."""
        dock = self.panels.get(key) or self.tools[key]
        dock.show()
        dock.raise_()
        if isinstance(dock, PanelDock):
            dock.panel().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def reset_layout(self) -> None:
        """Put all docks where they were at first."""
        self.restoreState(self._default_state, _LAYOUT_VERSION)
        self._size_docks()
        self.show_panel("start" if len(self.session.project) == 0 else "images")

    def _make_docks(self) -> None:
        areas = {"side": Qt.DockWidgetArea.LeftDockWidgetArea, "main": Qt.DockWidgetArea.RightDockWidgetArea}
        first: dict[str, PanelDock] = {}
        for info in PANELS:
            dock = self.panels[info.key] = PanelDock(info, self.session, self)
            if info.area in first:
                self.tabifyDockWidget(first[info.area], dock)
            else:
                self.addDockWidget(areas[info.area], dock)
                first[info.area] = dock
        makers = {"results": ResultsPanel, "history": HistoryDock, "messages": MessagesDock}
        for key, maker in makers.items():
            tool = TabDock(f"tool/{key}", key.capitalize(), self)
            tool.setWidget(maker(self.session))
            self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, tool)
            if self.tools:
                self.tabifyDockWidget(next(iter(self.tools.values())), tool)
            self.tools[key] = tool
        self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        for dock in first.values():
            dock.raise_()
        self.tools["messages"].raise_()

    def _size_docks(self) -> None:
        """Give the side column and the lower docks what they need and the panels the rest."""
        main, side, lower = self.panels["start"], self.panels["reconstruct"], self.tools["messages"]
        lower_px = min(_LOWER_PX, self.height() // 5)
        self.resizeDocks([side, main], [_SIDE_PX, max(1, self.width() - _SIDE_PX)], Qt.Orientation.Horizontal)
        self.resizeDocks([main, lower], [max(1, self.height() - lower_px), lower_px], Qt.Orientation.Vertical)

    # Commands

    def _add_view_actions(self) -> None:
        actions, theme = self.session.actions, self.session.theme
        for info in PANELS:
            show = _Show(self.session, info.key)
            actions.add(
                ActionInfo(f"view.{info.key}", info.title, "View", show, info.shortcut, info.icon, help=info.help)
            )
        for key, shortcut in (("results", "Ctrl+M"), ("history", ""), ("messages", "")):
            actions.add(ActionInfo(f"view.{key}", key.capitalize(), "View", _Show(self.session, key), shortcut, key))
        for mode, text in (("system", "Follow the system's look"), ("light", "Light"), ("dark", "Dark")):
            actions.add(ActionInfo(f"view.theme_{mode}", text, "View", _SetTheme(self.session, mode), "", "theme"))
        actions.add(ActionInfo("view.float", "Detach or attach panel", "View", self._float_current, "Ctrl+D"))
        actions.add(ActionInfo("view.reset_layout", "Reset layout", "View", self.reset_layout))
        actions.add(
            ActionInfo(
                "view.palette",
                "Command palette",
                "View",
                self._open_palette,
                "Ctrl+Shift+P",
                "search",
                None,
                "Find any command",
            )
        )
        theme.changed.connect(self._on_theme)

    def _make_menus(self) -> None:
        bar = self.menuBar()
        self._menus = {name: bar.addMenu(f"&{name}") for name in _MENUS}
        for info in self.session.actions.infos():
            menu = self._menus[info.menu]
            if info.key in _SEPARATED:
                menu.addSeparator()
            menu.addAction(self.session.actions.action(info.key))
        for menu in self._menus.values():
            menu.menuAction().setVisible(not menu.isEmpty())
            menu.aboutToShow.connect(self.session.actions.update_enabled)

    def _make_tool_bar(self) -> None:
        bar = QtWidgets.QToolBar("Main", self)
        bar.setObjectName("main_bar")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.setIconSize(QtCore.QSize(18, 18))
        for key in (
            "images.open",
            "file.open",
            "file.save",
            "",
            "edit.undo",
            "edit.redo",
            "",
            "reconstruct.run",
            "",
            "file.export",
        ):
            bar.addAction(self.session.actions.action(key)) if key else bar.addSeparator()
        spacer = QtWidgets.QWidget()
        spacer.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Preferred)
        bar.addWidget(spacer)
        bar.addAction(self.session.actions.action("view.palette"))
        self.addToolBar(bar)

    def _float_current(self) -> None:
        """Take the panel that has the keyboard, else the one in front, out of the window, or put it back."""
        widget = QtWidgets.QApplication.focusWidget()
        while widget is not None and not isinstance(widget, QtWidgets.QDockWidget):
            widget = widget.parentWidget()
        if widget is None:
            main = [dock for dock in self.panels.values() if dock.info.area == "main"]
            widget = next((dock for dock in main if not dock.visibleRegion().isEmpty()), None)
        if isinstance(widget, QtWidgets.QDockWidget):
            widget.setFloating(not widget.isFloating())
            if widget.isFloating():  # in its old place it would look as if nothing had happened
                widget.move(widget.pos() + QtCore.QPoint(32, 32))

    def _open_palette(self) -> None:
        self._palette.open_over(self)

    # Reactions

    def _on_history(self) -> None:
        self.setWindowModified(not self.session.history.is_saved)
        self.session.actions.update_enabled()

    def _on_project(self, _: object) -> None:
        self.session.actions.update_enabled()

    def _on_message(self, message: Message) -> None:
        if message.kind == "error":
            self.tools["messages"].show()
            self.tools["messages"].raise_()

    def _on_theme(self) -> None:
        self.setWindowIcon(self.session.theme.icon("eclips"))

    def _show_title(self) -> None:
        path = self.session.path
        self.setWindowTitle(f"{path.stem if path else 'Untitled'}[*] – ECLIPS")
        self.setWindowFilePath(str(path) if path else "")

    # Files dropped on the window

    def dragEnterEvent(self, event: QtGui.QDragEnterEvent) -> None:
        """Accept files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QtGui.QDropEvent) -> None:
        """Open dropped files."""
        self.session.files.open_files([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    # Layout and end

    def _restore_layout(self) -> None:
        settings = self.session.settings
        self.restoreGeometry(settings.blob("window/geometry"))
        self._has_layout = self.restoreState(settings.blob("window/state"), _LAYOUT_VERSION)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Let the panels take what a resize gives; the column at the side and the lower docks keep their size."""
        super().resizeEvent(event)
        self._steady.restore()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Size the docks once the window has its size, unless the user's layout was restored."""
        super().showEvent(event)
        if not self._has_layout:
            self._has_layout = True
            QtCore.QTimer.singleShot(0, self, self._size_docks)

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        """Ask about unsaved work, then remember the layout and end the engine."""
        if not self.session.saving.may_close(self):
            event.ignore()
            return
        settings = self.session.settings
        settings.set_blob("window/geometry", self.saveGeometry())
        settings.set_blob("window/state", self.saveState(_LAYOUT_VERSION))
        settings.sync()
        for dock in self.panels.values():
            dock.widget().close()
        self.session.close()
        event.accept()


class _Show:
    """Brings a panel to the front; holds the session, not the window."""

    def __init__(self, session: Session, key: str) -> None:
        self._session, self._key = session, key

    def __call__(self) -> None:
        self._session.show_panel(self._key)


class _SetTheme:
    """Changes the look and remembers it."""

    def __init__(self, session: Session, mode: str) -> None:
        self._session, self._mode = session, mode

    def __call__(self) -> None:
        self._session.settings.set_text("theme", self._mode)
        self._session.theme.set_mode(self._mode)
