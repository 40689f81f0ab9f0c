"""The cycle of a run: started here, its numbers kept as a result, its maps for the check panel and the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity, format_length
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import Measurement, Run, SegmentSet, new_id

if TYPE_CHECKING:
    from eclips_app.core.steps import Cycle, StepResult
    from eclips_app.gui.tasks import Task

_REPORT = "Report (*.html)"


@dataclass(frozen=True, eq=False)
class CycleResult:
    """The second heights and second minus first [row, col] in nm, with the step's facts and parameters."""

    height: NDArray[Any]
    difference: NDArray[Any]
    facts: dict[str, Any]
    params: Cycle


@dataclass(frozen=True, eq=False)
class _Request:
    run: Run
    params: Cycle


class CheckFlow(QtCore.QObject):
    """Runs one cycle at a time; `results` holds the last one of each run, by id, as long as the window is open."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._background = Background(self)
        self._is_preparing = False
        self.task: Task | None = None
        self.noise = False  #: whether the rendered images get the noise of the measured ones
        self.results: dict[str, CycleResult] = {}
        session.project.changed.connect(self._on_project)

    @property
    def is_busy(self) -> bool:
        """Whether a cycle is being prepared or runs."""
        return self._is_preparing or self.task is not None

    @property
    def result(self) -> CycleResult | None:
        """The cycle of the selected run."""
        return self.results.get(self._session.project.selection.run_id)

    def can_cycle(self) -> bool:
        """Whether the selected run can be cycled now."""
        run, segment_set = self._session.project.run, self._set()
        return not self.is_busy and run is not None and segment_set is not None and {"rho", "mask"} <= set(run.arrays)

    def cycle(self) -> None:
        """Render the selected run and reconstruct it again."""
        run, segment_set = self._session.project.run, self._set()
        if run is None or segment_set is None or self.is_busy:
            return
        self._is_preparing = True
        self._background.run(partial(_prepared, run, segment_set, self.noise), partial(self._start, run))
        self._tell()

    def stop(self) -> None:
        """Stop the cycle that runs."""
        if self.task is not None:
            self.task.cancel()

    def can_report(self) -> bool:
        """Whether there is a cycle to report."""
        return self.result is not None and self._session.project.run is not None

    def save_report(self) -> None:
        """Let the user choose where the report of the cycle goes, and write it."""
        run = self._session.project.run
        if run is not None and self.result is not None:
            name = f"{run.name} cycle.html".replace("/", "-")
            path = self._session.ask_save_file("Save the report of the cycle", "exports", _REPORT, name)
            if path is not None:
                self.write_report(path if path.suffix else path.with_suffix(".html"))

    def write_report(self, path: Path) -> None:
        """Write the report of the selected run's cycle."""
        run, result, segment_set = self._session.project.run, self.result, self._set()
        if run is not None and result is not None:
            name = segment_set.name if segment_set is not None else ""
            self._background.run(partial(_written, path, run, name, result), self._tell_written)

    def _set(self) -> SegmentSet | None:
        run = self._session.project.run
        return self._session.project.get(SegmentSet, run.set_id) if run is not None else None

    def _start(self, run: Run, prepared: tuple[Cycle, dict[str, NDArray[Any]]] | EclipsError) -> None:
        self._is_preparing = False
        if isinstance(prepared, EclipsError):
            self._session.notify(str(prepared), "warning")
        else:
            params, inputs = prepared
            self.task = self._session.tasks.run(
                "cycle", params, inputs, f"Cycle of {run.name}", self._keep, data=_Request(run, params)
            )
            self.task.changed.connect(self.changed)
            self.task.finished.connect(self._on_finished)
        self._tell()

    def _keep(self, task: Task, result: StepResult) -> None:
        request: _Request = task.data
        run, facts = request.run, result.info
        if self._session.project.get(Run, run.id) is None:
            self._session.notify("The run was removed meanwhile; its cycle was dropped.", "warning")
            return
        self.results[run.id] = CycleResult(
            result.arrays["height"], result.arrays["difference"], dict(facts), request.params
        )
        segment_set = self._session.project.get(SegmentSet, run.set_id)
        source = f"{segment_set.name}, {run.name}" if segment_set is not None else run.name
        told = "Cycle with noise" if request.params.dose_grey is not None else "Cycle"
        row = Measurement(new_id(), told, source, "", run.id, _values(facts))
        self._session.do(edits.add(f"{told} of {run.name}", row))
        self._session.notify(f"{source}: the cycle comes back within {format_length(facts['rms_nm'], 3)} rms.", "good")

    def _on_finished(self, _: str) -> None:
        self.task = None
        self._tell()

    def _on_project(self, _: frozenset[str]) -> None:
        project = self._session.project
        self.results = {key: kept for key, kept in self.results.items() if project.get(Run, key) is not None}

    def _tell(self) -> None:
        self.changed.emit()
        self._session.actions.update_enabled()

    def _tell_written(self, outcome: tuple[str, str]) -> None:
        self._session.notify(*outcome)


def flow_of(session: Session) -> CheckFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(CheckFlow)
    return found if isinstance(found, CheckFlow) else CheckFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "check.cycle", "Cycle consistency", "Reconstruct", flow.cycle, "", "loop", flow.can_cycle,
            "Render the images of the selected run, reconstruct them again, and compare the heights.",
        ),
        ActionInfo(
            "check.report", "Save the report of the cycle…", "Reconstruct", flow.save_report, "", "export", flow.can_report,
            "Write numbers, maps, parameters and hashes into one HTML file.",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def _prepared(run: Run, segment_set: SegmentSet, noise: bool) -> tuple[Cycle, dict[str, NDArray[Any]]] | EclipsError:
    from eclips_app.model.check import cycle_request  # late: not needed to start

    try:
        return cycle_request(run, segment_set, noise=noise)
    except EclipsError as error:
        return error


def _values(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    values = {
        "Cycle rms": Quantity(facts["rms_nm"], "nm"), "Cycle largest": Quantity(facts["largest_nm"], "nm"),
        "Cycle normals": Quantity(facts["normal_error_deg"], "°"),
    }  # fmt: skip
    if facts["rms_percent"] is not None:
        values["Cycle rms of relief"] = Quantity(facts["rms_percent"], "%")
    return {name: dict(value.to_json()) for name, value in values.items()}


def _written(path: Path, run: Run, set_name: str, result: CycleResult) -> tuple[str, str]:
    """Write the report; give what to tell, and how."""
    from eclips_app.io.cycle_report import CycleReport, write_cycle_report  # late: not needed to start
    from eclips_app.metrology.honesty import judge
    from eclips_app.model.check import maps_of

    verdicts = judge(maps_of(run.step, run.params, run.arrays)).verdicts
    params = schema.dump(result.params)
    try:
        write_cycle_report(
            path, CycleReport(run, set_name, result.height, result.difference, result.facts, params, verdicts)
        )
    except EclipsError as error:
        return str(error), "error"
    return f"Report written to {path}.", "good"
