"""Projects and files: new, open, recover, export and examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eclips_app.commands.edits import set_detector
from eclips_app.core.detector import read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Example, Export, LoadProject, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.saving import PROJECTS
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.io.height_tiff import is_park_tiff
from eclips_app.model.examples import EXAMPLES
from eclips_app.model.items import HeightMap
from eclips_app.model.snapshot import Snapshot, from_state

if TYPE_CHECKING:
    from eclips_app.gui.session import Session
    from eclips_app.gui.tasks import Task

_IMAGES = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".h5", ".hdf5", ".bmp", ".img", ".elid"}


@dataclass(frozen=True)
class _Opening:
    """A project on its way: its file (None: none yet), the state that it may replace, and its safety copy."""

    path: Path | None
    mark: int
    recovered: Path | None = None


class FilesFlow(QtCore.QObject):
    """Everything that puts one project in the place of another, or writes a height map."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    # Opening

    def new(self) -> None:
        """Start an empty project."""
        self._session.saving.before_replacing(self._make_new)

    def _make_new(self) -> None:
        self._session.replace_project((), None)
        self._session.show_panel("start")

    def ask_open(self) -> None:
        """Let the user choose a project."""
        paths = self._session.ask_open_files("Open project", "projects", PROJECTS)
        if paths:
            self.open_project(paths[0])

    def open_project(self, path: Path) -> None:
        """Read a project in the place of the present one."""
        self._session.saving.before_replacing(partial(self._load, path, path))

    def recover(self, path: Path) -> None:
        """Read what an autosave left; it is saved under a new name."""
        self._session.saving.before_replacing(partial(self._load, path, None))

    def open_example(self, name: str) -> None:
        """Make a built-in example in the place of the present project."""
        self._session.saving.before_replacing(partial(self._make_example, name))

    def _make_example(self, name: str) -> None:
        data = _Opening(None, self._session.history.mark())
        self._session.tasks.run(
            "example", Example(name), {}, f"Example “{EXAMPLES[name].title}”", self._on_loaded, data=data
        )

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
        data = _Opening(keep_path, self._session.history.mark(), None if keep_path else path)
        what = "the safety copy" if data.recovered else path.name
        self._session.tasks.run(
            "load-project", LoadProject(str(path)), {}, f"Opening {what}", self._on_loaded, data=data
        )

    def _on_loaded(self, task: Task, result: StepResult) -> None:
        opening: _Opening = task.data
        snapshot = from_state(result.info["state"], result.arrays)
        show = partial(self._show, snapshot, opening, task.text)
        if self._session.history.mark() == opening.mark:
            show()
        else:  # something was done while it was on its way
            self._session.saving.before_replacing(show)

    def _show(self, snapshot: Snapshot, opening: _Opening, text: str) -> None:
        self._session.replace_project(snapshot.items, snapshot.selection)
        if opening.recovered is not None:
            self._session.saving.note_recovered(opening.recovered)
            self._session.history.mark_changed()
        self._session.set_path(opening.path)
        self._session.notify(f"{text}: ready.", "good")
        self._session.show_panel("surface3d" if self._session.project.run else "images")

    # Export

    def export(self) -> None:
        """Write the heights of the selected run, else of the selected map, to a file; the suffix says how."""
        run = self._session.project.run
        if run is None:
            self._session.actions.action("level.export_map").trigger()
            return
        from eclips_app.io.export import formats  # late: not needed to start

        filters = ";;".join(f"{text} (*{suffix})" for suffix, text in formats().items())
        path = self._session.ask_save_file("Export height map", "exports", filters, f"{run.name}.tif")
        if path is None:
            return
        wanted = ("height", "normals", "height_std", "mask")
        arrays = {name: run.arrays[name] for name in wanted if name in run.arrays}
        params = Export(str(path), run.pixel_size_nm, run.name, {"step": run.step, "params": run.params})
        self._session.tasks.run("export", params, arrays, f"Exporting {path.name}", self._on_exported)

    def has_heights(self) -> bool:
        """Whether a run or a height map is selected."""
        project = self._session.project
        return project.run is not None or project.get(HeightMap, project.selection.map_id) is not None

    def _on_exported(self, task: Task, _: StepResult) -> None:
        self._session.notify(f"{task.text}: written.", "good")


def register(session: Session) -> None:
    """Add the commands of the File and Edit menus."""
    flow, saving, history, project = session.files, session.saving, session.history, session.project
    add = session.actions.add
    add(ActionInfo("file.new", "New project", "File", flow.new, "Ctrl+N", "add"))
    add(ActionInfo("file.open", "Open project…", "File", flow.ask_open, "Ctrl+O", "open"))
    add(ActionInfo("file.save", "Save", "File", saving.save, "Ctrl+S", "save", lambda: len(project) > 0))
    add(ActionInfo("file.save_as", "Save as…", "File", saving.save_as, "Ctrl+Shift+S", "", lambda: len(project) > 0))
    add(ActionInfo("file.export", "Export…", "File", flow.export, "Ctrl+E", "export", flow.has_heights))
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
    return "images" if suffix in _IMAGES and not is_park_tiff(path) else "map"
