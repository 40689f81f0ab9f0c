"""Levelling: which map, by which steps, what comes of it, and putting it into the project."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.core.levelling import Level
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import Export, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.level_recipe import LevelRecipe
from eclips_app.gui.flows.sampling import pixel_size_nm
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.model.items import HeightMap, ProfileLine, Run
from eclips_app.model.levelling import level_inputs, levelled_fields, levelled_run, raw_fields
from eclips_app.model.project import Selection

PREVIEW_PX = 288
_REST_MS = 120


class LevelFlow(QtCore.QObject):
    """Previews and applies the recipe that is being made; `changed` tells of everything that a panel shows."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.recipe = LevelRecipe()
        self.preview: StepResult | None = None
        self.problem = ""
        self._target_id = ""
        self._seen: object = None  # the heights that the preview and the areas belong to
        self._task: Task | None = None
        self._rest = QtCore.QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._ask)
        self._is_shown = False
        self.recipe.changed.connect(self._on_recipe)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    # What is levelled

    def targets(self) -> list[Run | HeightMap]:
        """Give what can be levelled: run A, and all height maps."""
        project = self._session.project
        run = [project.run] if project.run is not None and "height" in project.run.arrays else []
        return [*run, *project.of_kind(HeightMap)]

    @property
    def target(self) -> Run | HeightMap | None:
        """What is levelled: what was chosen, else run A, else the first map."""
        targets = self.targets()
        return next((each for each in targets if each.id == self._target_id), targets[0] if targets else None)

    def choose(self, item_id: str) -> None:
        """Level another map."""
        self._target_id = item_id
        self._look()

    def show(self, is_shown: bool) -> None:
        """Follow the map as long as a panel shows it."""
        self._is_shown = is_shown
        self._look()

    def take_shapes(self) -> None:
        """Take the areas that are drawn in the project, where they lie on this map."""
        from eclips_app.metrology.areas import outline  # late: not needed to start

        drawn = [line for line in self._session.project.of_kind(ProfileLine) if line.visible]
        shapes = [line.shape for line in drawn if line.kind in ("rectangle", "circle", "polygon")]
        if not shapes:
            self._session.notify("No rectangle, circle or polygon is drawn.", "warning")
            return
        placed = [self._on_map(outline(shape)) for shape in shapes]
        self.recipe.add_areas(*(Shape("polygon", tuple((x, y) for x, y in corners.tolist())) for corners in placed))

    # Into the project

    def can_apply(self) -> bool:
        """Whether there is something to level, and steps that are complete."""
        return self.target is not None and bool(self.recipe.steps) and not self.recipe.missing and self._task is None

    def apply(self) -> None:
        """Level; a reconstruction gives a run of its own, a height map keeps its raw heights."""
        target = self.target
        if target is None or not self.can_apply():
            return
        inputs = level_inputs(target.arrays) if isinstance(target, Run) else {"height": target.height}
        params = Level(self.recipe.steps, _sizes(target), self.recipe.areas)
        data = (target, params)
        self._task = self._session.tasks.run("level", params, inputs, f"Levelling {target.name}", self._keep, data=data)
        self._task.finished.connect(self._on_finished)
        self.changed.emit()

    def can_go_back(self) -> bool:
        """Whether the map that is shown was levelled and can have its raw heights back."""
        return isinstance(self.target, HeightMap) and self.target.raw is not None

    def go_back(self) -> None:
        """Give the map its raw heights back."""
        target = self.target
        if isinstance(target, HeightMap) and target.raw is not None:
            self._session.do(edits.change(f"Raw heights of {target.name}", target, **raw_fields(target)))

    def open(self) -> None:
        """Bring the panel to the front."""
        self._session.show_panel("levelling")

    def open_map(self) -> None:
        """Bring the panel to the front with the selected height map."""
        self.choose(self._session.project.selection.map_id)
        self.open()

    def export_map(self) -> None:
        """Write the selected height map to a file; the suffix says how."""
        placed = self._session.project.get(HeightMap, self._session.project.selection.map_id)
        assert placed is not None  # the command is only enabled with one
        from eclips_app.io.export import formats  # late: not needed to start

        filters = ";;".join(f"{text} (*{suffix})" for suffix, text in formats().items())
        path = self._session.ask_save_file("Export height map", "exports", filters, f"{placed.name}.gwy")
        if path is not None:
            made = {"source": placed.source, "sha256": placed.sha256, "levelling": list(placed.levelling)}
            size_x, size_y = placed.pixel_size_nm
            params = Export(str(path), size_x, placed.name, made, pixel_size_y_nm=size_y)
            inputs = {"height": placed.height}
            self._session.tasks.run("export", params, inputs, f"Exporting {path.name}", self._on_exported)

    # Inside

    def _keep(self, task: Task, result: StepResult) -> None:
        """Put the levelled heights into the project; the recipe is used up, so that it is not taken a second time unawares."""
        target: Run | HeightMap = task.data[0]
        params: Level = task.data[1]
        project = self._session.project
        if project.get(type(target), target.id) is not target:
            raise EclipsError("it was changed meanwhile", where=target.name, hint="Apply the levelling again.")
        if isinstance(target, Run):
            made = levelled_run(target, params, result, float(result.info.get("duration_s", 0.0)))
            self._session.do(edits.add(f"Level {target.name}", made))
            self._target_id = made.id
            project.select(run_id=made.id)
        else:
            self._session.do(edits.change(f"Level {target.name}", target, **levelled_fields(target, params, result)))
        self.recipe.use_up()
        self._session.notify(f"{target.name}: {'; '.join(result.info['steps'])}.", "good")

    def _on_finished(self, _: str) -> None:
        self._task = None
        self._look()
        self.changed.emit()

    def _on_exported(self, task: Task, _: StepResult) -> None:
        self._session.notify(f"{task.text}: written.", "good")

    def _on_recipe(self) -> None:
        self.changed.emit()
        self._rest.start()

    def _on_map(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give points (col, row) of the image as pixels of the map that is levelled."""
        target = self.target
        if isinstance(target, HeightMap):
            from eclips_app.metrology.placement import Placement

            columns, rows = points.T
            size = pixel_size_nm(self._session.project) or 1.0
            return np.stack(Placement.of(target, size).to_map(columns, rows), axis=1)
        row, column = target.origin_px if target is not None else (0, 0)
        moved: NDArray[np.float64] = points - np.array([column, row], float)
        return moved

    def _look(self) -> None:
        """Look at what is levelled; areas and points of other heights are forgotten."""
        target = self.target
        seen = None if target is None else _heights(target)
        if seen is not self._seen:
            if seen is None or self._seen is None or getattr(self._seen, "shape", ()) != seen.shape:
                self.recipe.forget_places()
            self._seen, self.preview, self.problem = seen, None, ""
        self.changed.emit()
        self._rest.start()

    def _ask(self) -> None:
        """Ask for a preview of what the steps make of the map."""
        target = self.target
        if target is None or not self._is_shown:
            return
        self.problem = self.recipe.missing
        steps = () if self.problem else self.recipe.steps
        params = Level(steps, _sizes(target), self.recipe.areas, PREVIEW_PX)
        inputs = level_inputs(target.arrays) if isinstance(target, Run) else {"height": target.height}
        inputs = {name: inputs[name] for name in ("height", "mask") if name in inputs}
        task = self._session.tasks.run(
            "level", params, inputs, "Preview of the levelling", self._show_preview, data=target, key="level-preview",
            priority="preview",
        )  # fmt: skip
        task.finished.connect(self._on_preview_end)

    def _show_preview(self, task: Task, result: StepResult) -> None:
        if task.data is self.target:
            self.preview, self.problem = result, self.recipe.missing
            self.changed.emit()

    def _on_preview_end(self, outcome: str) -> None:
        task = self.sender()
        if outcome == "failed" and isinstance(task, Task):
            self.problem = task.problem
            self.changed.emit()

    def _on_project(self, ids: frozenset[str]) -> None:
        if any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):  # lines move all the time
            self._look()

    def _on_selection(self, _: Selection) -> None:
        self._look()


def _heights(target: Run | HeightMap) -> NDArray[Any]:
    return target.arrays["height"] if isinstance(target, Run) else target.height


def _sizes(target: Run | HeightMap) -> tuple[float, float]:
    return (target.pixel_size_nm, target.pixel_size_nm) if isinstance(target, Run) else target.pixel_size_nm


def flow_of(session: Session) -> LevelFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(LevelFlow)
    return found if isinstance(found, LevelFlow) else LevelFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow, project = flow_of(session), session.project

    def has_map() -> bool:
        return project.get(HeightMap, project.selection.map_id) is not None

    for info in (
        ActionInfo(
            "level.open", "Level…", "Profile", flow.open, "", "level", lambda: bool(flow.targets()),
            "Level a reconstruction or a height map: planes, bows, lines, terraces, scars.",
        ),
        ActionInfo(
            "level.export_map", "Export height map from elsewhere…", "Profile", flow.export_map, "", "export", has_map,
            "Write the selected AFM or other map, as it is levelled, to a file.",
        ),
    ):  # fmt: skip
        session.actions.add(info)
