"""Projects and files: new, open, save, autosave, recover, export, examples, and leaving the program."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from eclips_app.commands.edits import set_detector
from eclips_app.core.detector import read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Example, Export, LoadProject, SaveProject, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.io import autosave
from eclips_app.model.snapshot import from_state, to_state

if TYPE_CHECKING:
    from eclips_app.gui.session import Session
    from eclips_app.gui.tasks import Task

_PROJECTS = "ECLIPS projects (*.eclips)"
_AUTOSAVE_MS = 180_000
_IMAGES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".h5", ".hdf5", ".bmp", ".img", ".elid"}


class FilesFlow(QtCore.QObject):
    """Everything that reads or writes whole projects."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._quit_after_save: QtWidgets.QWidget | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.autosave)
        self._timer.start(_AUTOSAVE_MS)
        self._autosaved_at = -1

    # Opening

    def new(self) -> None:
        """Start an empty project."""
        if self.may_discard():
            self._session.replace_project((), None)
            self._session.show_panel("start")

    def ask_open(self) -> None:
        """Let the user choose a project."""
        paths = self._session.ask_open_files("Open project", "projects", _PROJECTS)
        if paths:
            self.open_project(paths[0])

    def open_project(self, path: Path) -> None:
        """Read a project in the place of the present one."""
        if self.may_discard():
            self._load(path, path)

    def recover(self, path: Path) -> None:
        """Read what an autosave left; it is saved under a new name."""
        self._load(path, None)

    def open_example(self, name: str) -> None:
        """Make a built-in example in the place of the present project."""
        if self.may_discard():
            self._session.tasks.run("example", Example(name), {}, f"Example {name}", self._on_loaded, data=None)

    def open_files(self, paths: Iterable[Path]) -> None:
        """Open whatever was dropped: a project, a detector file, images or height maps, told by the names."""
        by_kind: dict[str, list[Path]] = {}
        for path in paths:
            by_kind.setdefault(_kind(path), []).append(path)
        if "project" in by_kind:
            self.open_project(by_kind["project"][0])
            return
        for path in by_kind.get("detector", []):
            self.open_detector(path)
        if "images" in by_kind:
            self._session.images_offered.emit(by_kind["images"])
        for path in by_kind.get("map", []):
            self._session.height_map_offered.emit(path)

    def open_detector(self, path: Path) -> None:
        """Put a detector file in use."""
        try:
            detector = read_detector(path)
        except EclipsError as error:
            self._session.notify(str(error), "error")
            return
        self._session.do(set_detector(self._session.project, detector, path=str(path)))
        self._session.notify(f"Detector {detector.name} is in use.", "good")

    def _load(self, path: Path, keep_path: Path | None) -> None:
        self._session.tasks.run(
            "load-project", LoadProject(str(path)), {}, f"Opening {path.name}", self._on_loaded, data=keep_path
        )

    def _on_loaded(self, task: Task, result: StepResult) -> None:
        snapshot = from_state(result.info["state"], result.arrays)
        self._session.replace_project(snapshot.items, snapshot.selection)
        self._session.set_path(task.data)
        if task.data is None:
            self._session.history.mark_changed()
        self._session.notify(f"{task.text}: ready.", "good")
        self._session.show_panel("surface3d" if self._session.project.run else "images")

    # Saving

    def save(self) -> None:
        """Save under the present name, or ask for one."""
        if self._session.path is None:
            self.save_as()
        else:
            self._save(self._session.path)

    def save_as(self) -> None:
        """Ask for a name and save."""
        sets = self._session.project.segment_set
        name = f"{sets.name if sets else 'untitled'}.eclips"
        path = self._session.ask_save_file("Save project", "projects", _PROJECTS, name)
        if path is not None:
            self._save(path if path.suffix == ".eclips" else path.with_name(path.name + ".eclips"))

    def _save(self, path: Path) -> None:
        state, arrays = to_state(self._session.project)
        data = (path, self._session.history.mark())
        params = SaveProject(str(path), state)
        self._session.tasks.run("save-project", params, arrays, f"Saving {path.name}", self._on_saved, data=data)

    def _on_saved(self, task: Task, _: StepResult) -> None:
        path, mark = task.data
        self._session.set_path(path)
        self._session.history.mark_saved(mark)
        autosave.discard_own()
        _write_thumbnail(self._session, path)
        self._session.notify(f"Saved {path}.", "good")
        if self._quit_after_save is not None:
            self._quit_after_save.close()

    def autosave(self) -> None:
        """Keep a copy of unsaved work where the next start finds it."""
        history = self._session.history
        if history.is_saved or history.mark() == self._autosaved_at or len(self._session.project) == 0:
            return
        state, arrays = to_state(self._session.project)
        params = SaveProject(str(autosave.own_path()), state, keep=0)
        self._session.tasks.run(
            "save-project",
            params,
            arrays,
            "Keeping a safety copy",
            self._on_autosaved,
            data=history.mark(),
            key="autosave",
        )

    def _on_autosaved(self, task: Task, _: StepResult) -> None:
        self._autosaved_at = task.data

    def export(self) -> None:
        """Write the selected height map to a file; the suffix says how."""
        run = self._session.project.run
        assert run is not None  # the command is only enabled with one
        from eclips_app.io.export import formats  # late: not needed to start

        filters = ";;".join(f"{text} (*{suffix})" for suffix, text in formats().items())
        path = self._session.ask_save_file("Export height map", "exports", filters, f"{run.name}.tif")
        if path is None:
            return
        wanted = ("height", "normals", "height_std")
        arrays = {name: run.arrays[name] for name in wanted if name in run.arrays}
        params = Export(str(path), run.pixel_size_nm, run.name, {"step": run.step, "params": run.params})
        self._session.tasks.run("export", params, arrays, f"Exporting {path.name}", self._on_exported)

    def _on_exported(self, task: Task, _: StepResult) -> None:
        self._session.notify(f"{task.text}: written.", "good")

    # Leaving

    def may_discard(self) -> bool:
        """Ask about unsaved work before it is replaced; True if it may go."""
        if self._session.history.is_saved:
            return True
        box = _unsaved_box(None)
        box.exec()
        answer = box.standardButton(box.clickedButton())
        if answer == QtWidgets.QMessageBox.StandardButton.Save:
            self.save()
        return answer == QtWidgets.QMessageBox.StandardButton.Discard

    def may_close(self, window: QtWidgets.QWidget) -> bool:
        """Ask about unsaved work before the window closes; after Save it closes when the file is written."""
        if self._session.history.is_saved:
            return True
        box = _unsaved_box(window)
        box.exec()
        answer = box.standardButton(box.clickedButton())
        if answer == QtWidgets.QMessageBox.StandardButton.Save:
            self._quit_after_save = window
            self.save()
        return answer == QtWidgets.QMessageBox.StandardButton.Discard


def register(session: Session) -> None:
    """Add the commands of the File and Edit menus."""
    flow, history, project = session.files, session.history, session.project
    add = session.actions.add
    add(ActionInfo("file.new", "New project", "File", flow.new, "Ctrl+N", "add"))
    add(ActionInfo("file.open", "Open project…", "File", flow.ask_open, "Ctrl+O", "open"))
    add(ActionInfo("file.save", "Save", "File", flow.save, "Ctrl+S", "save", lambda: len(project) > 0))
    add(ActionInfo("file.save_as", "Save as…", "File", flow.save_as, "Ctrl+Shift+S", "", lambda: len(project) > 0))
    add(ActionInfo("file.export", "Export…", "File", flow.export, "Ctrl+E", "export", lambda: project.run is not None))
    add(ActionInfo("file.quit", "Quit", "File", QtWidgets.QApplication.closeAllWindows, "Ctrl+Q"))
    add(ActionInfo("edit.undo", "Undo", "Edit", history.undo, "Ctrl+Z", "undo", lambda: history.position > 0))
    add(
        ActionInfo(
            "edit.redo",
            "Redo",
            "Edit",
            history.redo,
            "Ctrl+Shift+Z",
            "redo",
            lambda: history.position < len(history.texts),
        )
    )


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".eclips":
        return "project"
    if suffix == ".json":
        return "detector"
    return "images" if suffix in _IMAGES else "map"


def _unsaved_box(window: QtWidgets.QWidget | None) -> QtWidgets.QMessageBox:
    box = QtWidgets.QMessageBox(window)
    box.setIcon(QtWidgets.QMessageBox.Icon.Question)
    box.setText("The project has changes that are not saved.")
    buttons = QtWidgets.QMessageBox.StandardButton
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    box.setDefaultButton(buttons.Save)
    return box


def thumbnail_path(project: Path) -> Path:
    """Give where the small picture of a project is kept."""
    folder = Path(platformdirs.user_cache_dir("eclips", appauthor=False, ensure_exists=True))
    return folder / f"{hashlib.sha1(str(project.resolve()).encode(), usedforsecurity=False).hexdigest()}.png"


def _write_thumbnail(session: Session, path: Path) -> None:
    """Keep a small shaded picture of the height map for the start page."""
    from eclips_app.gui.widgets.thumbnail import shaded  # late: numpy work only needed here

    run = session.project.run
    if run is not None:
        image: QtGui.QImage = shaded(run.arrays["height"], 160, 120)
        image.save(str(thumbnail_path(path)))
