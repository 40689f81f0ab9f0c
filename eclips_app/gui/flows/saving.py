"""Saving: under a name, as a safety copy now and then, and before unsaved work would go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from eclips_app.core.steps import SaveProject, StepResult
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.io import autosave
from eclips_app.model.snapshot import to_state

if TYPE_CHECKING:
    from eclips_app.gui.session import Session
    from eclips_app.gui.tasks import Task

PROJECTS = "ECLIPS projects (*.eclips)"  #: filter of file dialogs
_AUTOSAVE_MS = 180_000
_Answer = QtWidgets.QMessageBox.StandardButton


@dataclass
class _Save:
    """A project file being written: which state of the project, and what comes after it."""

    path: Path
    mark: int
    then: Callable[[], object] | None


class Saving(QtCore.QObject):
    """Writes the project, keeps safety copies, and asks before unsaved work goes."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._running: _Save | None = None
        self._kept_at = -1  # state of the project that the safety copy holds
        self._recovered: Path | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.autosave)
        self._timer.start(_AUTOSAVE_MS)

    def save(self) -> None:
        """Save under the present name, or ask for one."""
        self._save(self._session.path)

    def save_as(self) -> None:
        """Ask for a name and save."""
        self._save(None)

    def _save(self, path: Path | None, then: Callable[[], object] | None = None) -> None:
        path = path or self._ask_path()
        if path is None:
            return
        state, arrays = to_state(self._session.project)
        self._running = saving = _Save(path, self._session.history.mark(), then)
        task = self._session.tasks.run(
            "save-project", SaveProject(str(path), state), arrays, f"Saving {path.name}", self._on_saved, data=saving
        )
        task.finished.connect(self._on_save_ended)

    def _ask_path(self) -> Path | None:
        sets = self._session.project.segment_set
        name = f"{sets.name if sets else 'untitled'}.eclips"
        path = self._session.ask_save_file("Save project", "projects", PROJECTS, name)
        return path if path is None or path.suffix == ".eclips" else path.with_name(path.name + ".eclips")

    def _on_saved(self, task: Task, _: StepResult) -> None:
        saved: _Save = task.data
        _write_thumbnail(self._session, saved.path)
        self.drop_copies()
        self._session.history.mark_saved(saved.mark)
        self._session.set_path(saved.path)
        self._session.notify(f"Saved {saved.path}.", "good")
        if saved.then is not None:
            QtCore.QTimer.singleShot(0, self, saved.then)  # once this task has ended

    def _on_save_ended(self, _: str) -> None:
        self._running = None

    # Before unsaved work goes

    def before_replacing(self, then: Callable[[], object]) -> None:
        """Call `then`, which replaces the project, unless the user wants to keep unsaved work; after Save it waits for it."""
        if self._may_go(partial(self.before_replacing, then), None):
            then()

    def may_close(self, window: QtWidgets.QWidget) -> bool:
        """Ask about unsaved work before the window closes; after Save it closes when the file is written."""
        return self._may_go(window.close, window)

    def _may_go(self, later: Callable[[], object], parent: QtWidgets.QWidget | None) -> bool:
        """Ask about unsaved work; True if it may go now. If it is saved first, `later` is called after that."""
        history = self._session.history
        if history.is_saved:
            return True
        if self._running is not None and self._running.mark == history.mark():  # it is being saved just now
            self._running.then = later
            return False
        answer = _ask_unsaved(parent)
        if answer == _Answer.Save:
            self._save(self._session.path, later)
        return answer == _Answer.Discard

    # Safety copies

    def autosave(self) -> None:
        """Keep a copy of unsaved work where the next start finds it."""
        history = self._session.history
        if history.is_saved or history.mark() == self._kept_at or len(self._session.project) == 0:
            return
        try:
            path = autosave.own_path()
        except OSError as error:
            self._timer.stop()
            text = f"No safety copies can be kept ({error.strerror}: {error.filename}). Save your work often."
            self._session.notify(text, "warning")
            return
        state, arrays = to_state(self._session.project)
        params = SaveProject(str(path), state, keep=0)
        text, data = "Keeping a safety copy", (path, history.mark())
        self._session.tasks.run("save-project", params, arrays, text, self._on_kept, data=data, key="autosave")

    def _on_kept(self, task: Task, _: StepResult) -> None:
        path, mark = task.data
        if path == autosave.own_path():
            self._kept_at = mark
            self._drop_recovered()
        else:  # the work was saved or given up meanwhile
            autosave.discard(path)

    def note_recovered(self, path: Path) -> None:
        """Take note that the project came from this safety copy, which goes when the work is safe elsewhere or given up."""
        self._recovered = path

    def drop_copies(self) -> None:
        """Drop the safety copies of this project: the work is saved, or not wanted."""
        self._kept_at = -1
        autosave.discard_own()
        self._drop_recovered()

    def _drop_recovered(self) -> None:
        if self._recovered is not None:
            autosave.discard(self._recovered)
            self._recovered = None


def _ask_unsaved(parent: QtWidgets.QWidget | None) -> QtWidgets.QMessageBox.StandardButton:
    box = QtWidgets.QMessageBox(parent)
    box.setIcon(QtWidgets.QMessageBox.Icon.Question)
    box.setText("The project has changes that are not saved.")
    box.setStandardButtons(_Answer.Save | _Answer.Discard | _Answer.Cancel)
    box.setDefaultButton(_Answer.Save)
    box.exec()
    return box.standardButton(box.clickedButton())


def thumbnail_path(project: Path) -> Path:
    """Give where the small picture of a project is kept."""
    folder = Path(platformdirs.user_cache_dir("eclips", appauthor=False))
    return folder / f"{hashlib.sha1(str(project.resolve()).encode(), usedforsecurity=False).hexdigest()}.png"


def _write_thumbnail(session: Session, path: Path) -> None:
    """Keep a small shaded picture of the height map for the start page; without room for it there is none."""
    from eclips_app.gui.widgets.thumbnail import shaded  # late: numpy work only needed here

    run = session.project.run
    if run is not None:
        image: QtGui.QImage = shaded(run.arrays["height"], 160, 120)
        picture = thumbnail_path(path)
        if QtCore.QDir().mkpath(str(picture.parent)):
            image.save(str(picture))
