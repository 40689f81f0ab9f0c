"""From images to height: checks, starts and keeps reconstructions, one set or a whole series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Reconstruct, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.methods import lacks_beam, method_of_run, name_of
from eclips_app.gui.flows.readiness import Check, checklist
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.jobs.scratch import ArrayInput
from eclips_app.model.items import ProfileLine, Run, SegmentSet
from eclips_app.model.project import Selection
from eclips_app.model.runs import (
    Given,
    Options,
    extra_inputs,
    given_by_runs,
    make_run,
    outer_steps,
    parameters,
    rounds,
    without_gaps,
)


@dataclass(frozen=True)
class Request:
    """What a running reconstruction was started with; its result belongs to this set, whatever is shown by then."""

    segment_set: SegmentSet  #: as it was at the start
    options: Options
    params: Reconstruct
    given: Mapping[str, Given]  #: what comes from earlier runs


@dataclass(frozen=True)
class Waiting:
    """A reconstruction that is still to come."""

    set_id: str
    options: Options


class ReconstructFlow(QtCore.QObject):
    """Runs one reconstruction at a time; those that wait are in `queue`."""

    changed = Signal()  #: readiness, options, queue, progress or the running task
    previewed = Signal(object, dict)  #: unfinished heights [row, col] in nm, and facts
    stepped = Signal(object)  #: chi-square so far, [n, 2]: outer step or round, and chi-square per degree of freedom
    missed = Signal(object)  #: what the images miss so far, residuals [k, row, col]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.options = Options(as_calibrated=True)
        self.task: Task | None = None
        self.queue: list[Waiting] = []
        self._batch_size = 0
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checklist of the selected set."""
        return self._checks(self._session.project.segment_set, self.options)

    def set_options(self, options: Options) -> None:
        """Choose options for the next reconstruction."""
        self.options = options
        self.changed.emit()
        self._session.actions.update_enabled()

    def can_run(self) -> bool:
        """Whether the selected set can be reconstructed now."""
        return self.task is None and self.missing(self._session.project.segment_set, self.options) is None

    def can_run_all(self) -> bool:
        """Whether there are several sets and none is in work."""
        return self.task is None and len(self._session.project.of_kind(SegmentSet)) > 1

    def run(self) -> None:
        """Reconstruct the selected set, or say what is missing."""
        segment_set = self._session.project.segment_set
        missing = self.missing(segment_set, self.options)
        if missing is not None:
            self._session.notify(f"{missing.text}.", "warning")
            self._session.show_panel(missing.panel)
        elif segment_set is not None and self.task is None:
            self._batch_size = 0
            self._start(segment_set, self.options)
            self._session.show_panel("reconstruct")

    def run_all(self) -> None:
        """Reconstruct all sets one after another; sets that are not ready are named and left out."""
        ready = []
        for each in self._session.project.of_kind(SegmentSet):
            missing = self.missing(each, self.options)
            if missing is None:
                ready.append(Waiting(each.id, self.options))  # all frames of a series get the same
            else:
                self._session.notify(f"{each.name} is left out: {missing.text}.", "warning")
        self.run_queue(ready)
        self._session.show_panel("reconstruct")

    def run_queue(self, queue: Sequence[Waiting]) -> None:
        """Run some reconstructions one after another; what is no longer ready when its turn comes is left out."""
        self.queue, self._batch_size = list(queue), len(queue)
        self._next()

    def missing(self, segment_set: SegmentSet | None, options: Options) -> Check | None:
        """Give the first thing that stands against a reconstruction."""
        return next((check for check in self._checks(segment_set, options) if check.state == "error"), None)

    def stop(self) -> None:
        """Stop the running reconstruction and forget the sets that wait."""
        self.queue.clear()
        if self.task is not None:
            self.task.cancel()

    def _next(self) -> None:
        while self.queue and self.task is None:
            waiting = self.queue.pop(0)
            segment_set = self._session.project.get(SegmentSet, waiting.set_id)
            if segment_set is not None and self.missing(segment_set, waiting.options) is None:
                self._start(segment_set, waiting.options)
        self.changed.emit()

    def _checks(self, segment_set: SegmentSet | None, options: Options) -> tuple[Check, ...]:
        project = self._session.project
        checks = checklist(project, segment_set)
        try:
            if lacks_beam(options, project.detector):
                text = f"Emission of {options.fit.emission.material} needs the beam energy"
                checks += (Check("emission", "error", text, "detector", "Enter energy"),)
        except EclipsError as error:  # in the calibration of the detector file
            checks += (Check("emission", "error", error.what, "detector", "Show detector"),)
        if segment_set is not None:
            try:
                self._given(segment_set, options)
            except EclipsError as error:
                checks += (Check("given", "error", error.what, "reconstruct", "Choose another"),)
        return checks

    def _given(self, segment_set: SegmentSet, options: Options) -> dict[str, Given]:
        return given_by_runs(options, segment_set, lambda run_id: self._session.project.get(Run, run_id))

    def _start(self, segment_set: SegmentSet, options: Options) -> None:
        detector = self._session.project.detector
        assert detector is not None  # a set without one is not ready
        params = parameters(segment_set, detector, options)
        given = without_gaps(self._given(segment_set, options))
        text = f"Reconstructing {segment_set.name}"
        if self._batch_size:
            text += f" ({self._batch_size - len(self.queue)} of {self._batch_size})"
        task = self._session.tasks.run(
            options.step, params, _arrays(segment_set, given), text, self._keep,
            on_preview=self._show_preview, on_stopped=self._keep, data=Request(segment_set, options, params, given),
            priority="batch" if self._batch_size else "foreground",
        )  # fmt: skip
        self.task = task
        task.changed.connect(self.changed)
        task.finished.connect(self._on_finished)
        self.changed.emit()

    def _show_preview(self, name: str, array: NDArray[Any], info: dict[str, Any]) -> None:
        if name == "height":
            self.previewed.emit(array, info)
        elif name == "chi2":
            self.stepped.emit(array)
        elif name == "residual":
            self.missed.emit(array)

    def _keep(self, task: Task, result: StepResult) -> None:
        request: Request = task.data
        project = self._session.project
        segment_set = project.get(SegmentSet, request.segment_set.id)
        was_stopped = bool(result.info.get("stopped"))
        if segment_set is None:
            if not was_stopped:  # else another project was opened, which stops all work
                self._session.notify("The images were removed meanwhile; the reconstruction was dropped.", "warning")
            return
        ending = " (stopped)" if was_stopped else ""
        name = _free_name(name_of(request.options), ending, project.runs_of(segment_set.id))
        seconds = result.info["duration_s"]
        run = make_run(request.segment_set, request.options.step, request.params, result, seconds, name, request.given)
        self._session.do(edits.add(f"Reconstruct {segment_set.name}", run))
        if project.selection.set_id == segment_set.id:
            project.select(run_id=run.id)
        self._tell(segment_set, run)

    def _tell(self, segment_set: SegmentSet, run: Run) -> None:
        """Say that a run is there, and what it warns of."""
        if run.info.get("stopped"):
            after = f"after {steps_text(run)}"
            lacking = "" if method_of_run(run).is_learned else ", without standard deviations of their own"
            self._session.notify(f"{segment_set.name}: {run.name} {after}; its best heights are kept{lacking}.")
        else:
            self._session.notify(f"{segment_set.name}: {run.name} is ready.", "good")
        for warning in run.info.get("warnings", ()):
            self._session.notify(f"{segment_set.name}, {run.name}: {warning}", "warning")

    def _on_finished(self, outcome: str) -> None:
        self.task = None
        if outcome in ("cancelled", "lost"):
            self.queue.clear()
        self._next()
        self._session.actions.update_enabled()

    def _on_project(self, ids: frozenset[str]) -> None:
        if any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):  # lines move all the time
            self.changed.emit()

    def _on_selection(self, selection: Selection) -> None:
        self.changed.emit()


def flow_of(session: Session) -> ReconstructFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(ReconstructFlow)
    return found if isinstance(found, ReconstructFlow) else ReconstructFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    run_help = "Compute the height map of the selected images."
    for info in (
        ActionInfo("reconstruct.run", "Reconstruct", "Reconstruct", flow.run, "F5", "run", flow.can_run, run_help),
        ActionInfo(
            "reconstruct.run_all", "Reconstruct all frames", "Reconstruct", flow.run_all, "Shift+F5", "series",
            flow.can_run_all, "Compute the height maps of all frames, one after another.",
        ),
        ActionInfo(
            "reconstruct.stop", "Stop reconstruction", "Reconstruct", flow.stop, "", "stop",
            lambda: flow.task is not None,
            "Stop the reconstruction that runs; the best heights so far are kept (not with Live).",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def steps_text(run: Run) -> str:
    """Count the steps that a fit took, or the rounds of a loop."""
    is_loop = method_of_run(run).is_learned
    count, word = (rounds(run.info), "round") if is_loop else (outer_steps(run.info), "step")
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _arrays(segment_set: SegmentSet, given: Mapping[str, Given]) -> dict[str, ArrayInput]:
    """Give the inputs; the images are stacked while they are copied for the engine process, so only once."""
    images = {"segments": [image.data for image in segment_set.images]}
    return {**images, **extra_inputs(segment_set), **{name: each.array for name, each in given.items()}}


def _free_name(method: str, ending: str, runs: tuple[Run, ...]) -> str:
    """Give the method's name, with a number from the second run of that name on."""
    taken = {run.name for run in runs}
    names = (method + ending, *(f"{method} {i}{ending}" for i in range(2, len(runs) + 2)))
    return next(name for name in names if name not in taken)
