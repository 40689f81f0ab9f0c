"""Exact standard deviations of readings, asked of the engine: no random draws, and no other part than noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import FunctionalStd, StepResult
from eclips_app.gui.flows.sampling import CursorReading
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.jobs.scratch import ArrayInput
from eclips_app.model.items import ProfileLine, Run, SegmentSet
from eclips_app.model.levelling import is_levelled
from eclips_app.model.runs import as_it_was, extra_inputs, given_again


@dataclass(frozen=True)
class Asked:
    """A reading: which one, of which run, along which line, between which cursors."""

    name: str
    run_id: str
    line: ProfileLine
    cursors_nm: tuple[float, float]


class ExactFlow(QtCore.QObject):
    """Asks for one reading at a time and keeps what came."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._found: dict[Asked, float] = {}
        self._checked: tuple[Run | None, SegmentSet | None, str] = (None, None, "")
        self.task: Task | None = None

    def found(self, asked: Asked) -> float | None:
        """Give the standard deviation of a reading in its unit, where it was computed."""
        return self._found.get(asked)

    def hindrance(self, run_id: str) -> str:
        """Say why it cannot be computed for a run; empty where it can."""
        run = self._session.project.get(Run, run_id)
        if run is None or run.step != "reconstruct-closed-loop":
            return "Only Standard and Metrology have a model of the images that can be asked."
        if is_levelled(run):
            return "Levelled heights are not those of the images: ask for the run itself."
        segment_set = self._session.project.get(SegmentSet, run.set_id)
        if segment_set is None:
            return "The images of this run are not in the project any more."
        if self._checked[0] is not run or self._checked[1] is not segment_set:  # comparing takes hashes of whole images
            self._checked = (run, segment_set, _change(run, segment_set))
        return self._checked[2]

    def ask(self, asked: Asked, reading: CursorReading) -> None:
        """Compute the standard deviation of a reading of a profile with deviations."""
        run = self._session.project.get(Run, asked.run_id)
        footprint = reading.sampled.profile.footprint
        if self.task is not None or run is None or footprint is None or self.hindrance(run.id):
            return
        segment_set = self._session.project.get(SegmentSet, run.set_id)
        assert segment_set is not None  # else there was a hindrance
        as_made, height = as_it_was(run, segment_set), run.arrays["height"]
        weights = footprint.transposed(reading.made_of[asked.name].gradient, height.shape)
        inputs: dict[str, ArrayInput] = {
            "segments": [image.data for image in as_made.images], **extra_inputs(as_made), **given_again(run),
            "height": height, "weights": weights[None].astype(np.float32),
        }  # fmt: skip
        params = schema.load(FunctionalStd, run.params)
        text = f"Exact ± of {asked.name.lower()}"
        self.task = self._session.tasks.run("functional-std", params, inputs, text, self._keep, data=asked)
        self.task.finished.connect(self._on_finished)
        self.changed.emit()

    def _keep(self, task: Task, result: StepResult) -> None:
        self._found[task.data] = float(result.info["std_nm"][0])

    def _on_finished(self, _: str) -> None:
        self.task = None
        self.changed.emit()


def _change(run: Run, segment_set: SegmentSet) -> str:
    """Say what of a run's inputs is not as it was; empty where all is."""
    try:
        as_it_was(run, segment_set)
    except EclipsError as error:
        return f"{str(error)[:1].upper()}{str(error)[1:]}."
    if (*segment_set.crop, *segment_set.shifts_px) != (*run.params["crop"], *_pairs(run)):
        return "The crop or the registration was changed after the run was made."
    return ""


def _pairs(run: Run) -> tuple[tuple[float, float], ...]:
    return tuple((float(rows), float(columns)) for rows, columns in run.params.get("shifts_px") or ())


def flow_of(session: Session) -> ExactFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(ExactFlow)
    return found if isinstance(found, ExactFlow) else ExactFlow(session)
