"""Runs the fit of a calibration, one at a time, and hands over what came out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model.calibration import ArrayInput, Request, fit_request, missing, plan_of, ready, reference_print
from eclips_app.model.items import Calibration, CalibrationPlan

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task


@dataclass(frozen=True)
class Fit:
    """A fit on its way: its plan, and the observations as they were, by id."""

    name: str
    plan: CalibrationPlan
    prints: dict[str, str]
    request: Request


class CalibrationFit(QtCore.QObject):
    """The step ``calibrate`` for the project's plan; `task` runs it."""

    changed = Signal()
    found = Signal(object, object)  #: a `Fit` and its `StepResult`
    failed = Signal(str)  #: why

    def __init__(self, session: Session, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._background = Background(self)
        self._is_preparing = False
        self.task: Task | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a fit is prepared or runs."""
        return self._is_preparing or self.task is not None

    def can_start(self) -> bool:
        """Whether a fit can begin now."""
        return not self.is_busy and not missing(self._session.project)

    def start(self) -> None:
        """Begin a fit of what the plan uses; raises `EclipsError` with what is missing."""
        project = self._session.project
        name, plan = _free_name(project.of_kind(Calibration)), plan_of(project)
        request = fit_request(project, name)
        prints = {each.id: reference_print(project, each) for each in plan.references if each.used}
        self._is_preparing = True
        self._background.run(partial(ready, request.inputs), partial(self._submit, Fit(name, plan, prints, request)))
        self.changed.emit()

    def stop(self) -> None:
        """Stop the fit that runs."""
        if self.task is not None:
            self.task.cancel()

    def _submit(self, fit: Fit, inputs: dict[str, ArrayInput]) -> None:
        self._is_preparing = False
        self.task = self._session.tasks.run(
            "calibrate", fit.request.params, inputs, "Calibrating", self._keep, data=fit
        )
        self.task.changed.connect(self.changed)
        self.task.finished.connect(self._on_finished)
        self.changed.emit()

    def _keep(self, task: Task, result: StepResult) -> None:
        self.found.emit(task.data, result)

    def _on_finished(self, outcome: str) -> None:
        task, self.task = self.task, None
        if outcome == "failed" and task is not None:
            self.failed.emit(task.problem)
        self.changed.emit()


def _free_name(made: tuple[Calibration, ...]) -> str:
    taken = {each.name for each in made}
    return next(name for name in (f"Calibration {i}" for i in range(1, len(made) + 2)) if name not in taken)
