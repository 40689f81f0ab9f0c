"""What every panel is given: the document, its history, the engine, and the ways to speak to the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from eclips_app.commands.history import Edit, History
from eclips_app.gui.actions import ActionRegistry
from eclips_app.gui.flows.files import FilesFlow
from eclips_app.gui.flows.saving import Saving
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.gui.messages import Message, Messages
from eclips_app.gui.qt import QtCore, QtWidgets, Signal
from eclips_app.gui.settings import Settings
from eclips_app.gui.tasks import Tasks
from eclips_app.gui.theme import Theme
from eclips_app.model.items import Item
from eclips_app.model.project import Project, Selection


class Session(QtCore.QObject):
    """One open project with its window.

    `project` and `history` live as long as the session; opening another file refills them, so that panels connect once.
    """

    path_changed = Signal()
    panel_asked = Signal(str)  #: a panel should come to the front; its key
    images_offered = Signal(list)  #: paths of image files that the user dropped
    height_map_offered = Signal(object)  #: path of a height map that the user dropped

    def __init__(self, settings: Settings | None = None, jobs: QtJobs | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.theme = Theme(self.settings.text("theme", "system"))
        self.project = Project()
        self.history = History(self.project)
        self.messages = Messages(self)
        self.jobs = jobs or QtJobs(self)
        self.tasks = Tasks(self.jobs, self.messages, self)
        self.actions = ActionRegistry(self.theme, self)
        self.path: Path | None = None
        self.saving = Saving(self)
        self.files = FilesFlow(self)

    def do(self, edit: Edit) -> None:
        """Apply an undoable edit."""
        self.history.do(edit)

    def replace_project(self, items: Iterable[Item], selection: Selection | None) -> None:
        """Put another project in the place of the present one; its history starts anew."""
        self.tasks.cancel_all()
        self.saving.drop_copies()
        gone: dict[str, Item | None] = {item.id: None for item in self.project}
        self.project.apply({**gone, **{item.id: item for item in items}})
        if selection is not None:
            self.project.select(**dataclasses.asdict(selection))
        self.history.clear()
        self.set_path(None)

    def notify(
        self,
        text: str,
        kind: str = "info",
        *,
        details: str = "",
        action_text: str = "",
        action: Callable[[], object] | None = None,
    ) -> None:
        """Say something in the messages dock and the status bar; `kind` is info, good, warning or error."""
        self.messages.add(Message(text, kind, details, action_text, action))

    def show_panel(self, key: str) -> None:
        """Bring a panel to the front."""
        self.panel_asked.emit(key)

    def close(self) -> None:
        """End the engine; the safety copy, which may just have been written, is not needed any more."""
        self.jobs.shutdown()
        self.saving.drop_copies()

    def set_path(self, path: Path | None) -> None:
        """Remember the project's file."""
        self.path = path
        if path is not None:
            self.settings.add_recent(path)
        self.path_changed.emit()

    def ask_open_files(self, title: str, purpose: str, filters: str) -> list[Path]:
        """Let the user choose files; the folder is remembered for each purpose."""
        names, _ = QtWidgets.QFileDialog.getOpenFileNames(self._window(), title, self.settings.folder(purpose), filters)
        paths = [Path(name) for name in names]
        if paths:
            self.settings.set_folder(purpose, paths[0])
        return paths

    def ask_save_file(self, title: str, purpose: str, filters: str, name: str = "") -> Path | None:
        """Let the user choose where to write."""
        start = str(Path(self.settings.folder(purpose)) / name)
        chosen, _ = QtWidgets.QFileDialog.getSaveFileName(self._window(), title, start, filters)
        if not chosen:
            return None
        self.settings.set_folder(purpose, Path(chosen))
        return Path(chosen)

    def _window(self) -> QtWidgets.QWidget | None:
        return QtWidgets.QApplication.activeWindow()
