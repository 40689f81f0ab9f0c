"""Height maps from elsewhere on a reconstruction: registered, compared, and what came out put into the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from eclips_app.commands import edits
from eclips_app.core.registration import RegisterMap, TipModel
from eclips_app.core.units import format_length
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows import measure
from eclips_app.gui.flows.landmarks import Landmarks
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model import comparing, placing
from eclips_app.model.items import Comparison, HeightMap, Measurement, Run, new_id
from eclips_app.model.project import Selection

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task


@dataclass(frozen=True, eq=False)
class _Request:
    run: Run
    map: HeightMap
    params: Any


class CompareFlow(QtCore.QObject):
    """Registers and compares the selected run and the selected height map, one task at a time."""

    changed = Signal()  #: a task began, moved on or ended, or the choices changed

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._map_id = ""
        self._background = Background(self)
        self.landmarks = Landmarks(self)
        self.registering = RegisterMap()
        self.tip = TipModel()
        self.task: Task | None = None
        self.problem = ""  #: why the last registration gave nothing
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    # What is compared

    @property
    def is_busy(self) -> bool:
        """Whether something runs or is being put into the project."""
        return self.task is not None or self._background.is_busy

    @property
    def run(self) -> Run | None:
        """The selected reconstruction, if it has heights."""
        run = self._session.project.run
        return run if run is not None and "height" in run.arrays else None

    @property
    def map(self) -> HeightMap | None:
        """The selected height map."""
        return self._session.project.get(HeightMap, self._session.project.selection.map_id)

    @property
    def comparison(self) -> Comparison | None:
        """The last comparison of both; None if there is none, or its map has been placed or levelled anew."""
        last = self.last_comparison
        if last is None or self.run is None or self.map is None:
            return None
        return last if comparing.is_current(last, self.run, self.map) else None

    @property
    def last_comparison(self) -> Comparison | None:
        """The last comparison of both, even if it does not hold any more."""
        run, placed = self.run, self.map
        if run is None or placed is None:
            return None
        found = [c for c in self._session.project.of_kind(Comparison) if (c.run_id, c.map_id) == (run.id, placed.id)]
        return found[-1] if found else None

    def is_ready(self) -> bool:
        """Whether both are there and nothing runs."""
        return self.task is None and self.run is not None and self.map is not None

    def can_use_landmarks(self) -> bool:
        """Whether the landmarks suffice to place the map."""
        return self.is_ready() and len(self.landmarks.complete) >= 2

    def can_add_results(self) -> bool:
        """Whether there is a comparison that holds."""
        return self.comparison is not None

    def load_map(self) -> None:
        """Let the user choose a height map; it is shown here."""
        measure.flow_of(self._session).ask_map_to_compare()

    # Registration

    def register(self) -> None:
        """Find where the map lies by itself."""
        self._register("Register")

    def register_landmarks(self) -> None:
        """Place the map by its landmarks."""
        if self.can_use_landmarks():
            self._register("Register by landmarks", self.landmarks.complete)

    def refine(self, start: Mapping[str, Any] | None = None) -> None:
        """Refine where the map lies, or another placement (fields of `HeightMap`), by the heights."""
        run, placed = self.run, self.map
        if run is not None and placed is not None:
            self._register("Register", start=placing.place_of(placed, run) if start is None else start)

    def _register(
        self, text: str, landmarks: tuple[placing.Landmark, ...] = (), start: Mapping[str, Any] | None = None
    ) -> None:
        run, placed = self.run, self.map
        if run is None or placed is None or self.task is not None:
            return
        self.problem = ""
        params, inputs = placing.registration_request(
            run, placed, replace(self.registering, tip=self.tip), landmarks, start
        )
        self._run(
            "register-map", params, inputs, f"{text} {placed.name}", self._keep_placement, _Request(run, placed, params)
        )

    def _keep_placement(self, task: Task, result: StepResult) -> None:
        request: _Request = task.data
        placed = self._session.project.get(HeightMap, request.map.id)
        if placed is None:
            self._session.notify("The height map was removed meanwhile; its registration was dropped.", "warning")
            return
        found = placing.registration_of(request.params, result.info)
        self._session.do(edits.change(task.text, placed, **found.fields))
        self._session.notify(found.sentence, "good" if found.is_sure else "warning")

    # Comparison

    def set_registering(self, **fields: Any) -> None:
        """Choose how maps are registered; keywords are fields of `RegisterMap`."""
        self.registering = replace(self.registering, **fields)
        self.changed.emit()

    def set_tip(self, **fields: Any) -> None:
        """Choose the tip; keywords are fields of `TipModel`."""
        self.tip = replace(self.tip, **fields)
        self.changed.emit()

    def compare(self) -> None:
        """Compare both as they lie now."""
        run, placed = self.run, self.map
        if run is None or placed is None or self.task is not None:
            return
        params, inputs = comparing.comparison_request(run, placed, self.tip, self._session.project.line)
        text = f"Compare {run.name} with {placed.name}"
        self._run("compare-map", params, inputs, text, self._keep_comparison, _Request(run, placed, params))

    def _keep_comparison(self, task: Task, result: StepResult) -> None:
        request: _Request = task.data
        project = self._session.project
        if project.get(Run, request.run.id) is None or project.get(HeightMap, request.map.id) is None:
            self._session.notify("What was compared was removed meanwhile; the comparison was dropped.", "warning")
            return
        make = partial(comparing.comparison_of, request.run, request.map, request.params, result)
        self._background.run(make, partial(self._add, task.text))

    def _add(self, text: str, made: Comparison) -> None:
        self._session.do(edits.add(text, made))
        before, rms = made.info["before"], format_length(made.info["values"]["Rms difference"]["value"], 3)
        told = f"they differ by {rms} rms"
        if before:
            told = f"they differ by {format_length(before['Rms difference']['value'], 3)} rms as they are, by {rms} with the tip"
        self._session.notify(f"{made.name} compared: {told}.", "good")

    def add_results(self) -> None:
        """Put the values of the comparison into the results table."""
        compared, run = self.comparison, self.run
        if compared is None or run is None:
            return
        segment_set = self._session.project.segment_set
        source = f"{segment_set.name}, {run.name}" if segment_set is not None else run.name
        rows = [
            Measurement(new_id(), name, source, "", run.id, values) for name, values in comparing.result_rows(compared)
        ]
        self._session.do(edits.add(f"Results of {compared.name}", *rows))
        self._session.notify(f"{compared.name} is in the results table.", "good")

    # Tasks

    def stop(self) -> None:
        """Stop what runs."""
        if self.task is not None:
            self.task.cancel()

    def _run(self, step: str, params: Any, inputs: Any, text: str, keep: Any, data: _Request) -> None:
        self.task = self._session.tasks.run(step, params, inputs, text, keep, data=data)
        self.task.changed.connect(self.changed)
        self.task.finished.connect(self._on_finished)
        self._tell()

    def _on_finished(self, outcome: str) -> None:
        task, self.task = self.task, None
        if task is not None and outcome in ("failed", "lost") and task.text.startswith("Register"):
            self.problem = task.problem or "The engine was lost."
        self._tell()

    def _on_project(self, _: frozenset[str]) -> None:
        self._follow_map()
        self._tell()

    def _on_selection(self, _: Selection) -> None:
        self._follow_map()
        self._tell()

    def _follow_map(self) -> None:
        """Show the landmarks of another map."""
        placed = self.map
        map_id = placed.id if placed is not None else ""
        if map_id != self._map_id:
            self._map_id, self.problem = map_id, ""
            self.landmarks.set_complete(placing.landmarks_of(placed) if placed is not None else ())

    def _tell(self) -> None:
        self.changed.emit()
        self._session.actions.update_enabled()


def flow_of(session: Session) -> CompareFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(CompareFlow)
    return found if isinstance(found, CompareFlow) else CompareFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "compare.load", "Load height map to compare…", "Profile", flow.load_map, "", "import", None,
            "Read an AFM or other height map to compare the reconstruction with.",
        ),
        ActionInfo(
            "compare.register", "Register height map", "Profile", flow.register, "", "register", flow.is_ready,
            "Find by itself where the height map lies on the reconstruction.",
        ),
        ActionInfo(
            "compare.landmarks", "Register by landmarks", "Profile", flow.register_landmarks, "", "cursor",
            flow.can_use_landmarks, "Place the height map by the points that were set in both images.",
        ),
        ActionInfo(
            "compare.compare", "Compare with height map", "Profile", flow.compare, "", "compare", flow.is_ready,
            "Compare the reconstruction with the height map where it lies now.",
        ),
        ActionInfo(
            "compare.add_results", "Add comparison to results", "Profile", flow.add_results, "", "results",
            flow.can_add_results, "Put bias, limits of agreement and the rest into the results table.",
        ),
    ):  # fmt: skip
        session.actions.add(info)
