"""Several methods on the images of one set: which to compare, what of them is there already, and the runs that are lacking."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows import reconstruct
from eclips_app.gui.flows.methods import LIVE, METHODS, STANDARD, Method, method_of, method_of_run
from eclips_app.gui.flows.readiness import changed_since
from eclips_app.gui.flows.reconstruct import Waiting
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.model.items import ProfileLine, Run
from eclips_app.model.levelling import is_levelled
from eclips_app.model.project import Selection
from eclips_app.model.runs import Options

FEWEST = 2  #: methods that can be compared


@dataclass(frozen=True)
class Entry:
    """A method and the run of the selected set that was made with it, if there is one.

    `state` is "chosen" (not run yet), "left out", "waiting", "running", "before" (the run was there when the comparison
    began), "new" or "stopped".
    """

    method: Method
    is_chosen: bool
    run: Run | None
    state: str


class CompareMethodsFlow(QtCore.QObject):
    """Runs what is lacking, one after another, through the flow of all reconstructions."""

    changed = Signal()  #: choice, runs or what is in work

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.reconstruct = reconstruct.flow_of(session)
        self.chosen: tuple[Method, ...] = (LIVE, STANDARD)
        self._before: frozenset[str] = frozenset()  #: runs that were there when the comparison began
        self._began = False
        self._work: tuple[object, ...] = ()
        self.reconstruct.changed.connect(self._on_work)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    def choose(self, name: str, wanted: bool) -> None:
        """Take a method into the comparison, or out of it."""
        self.chosen = tuple(m for m in METHODS if (wanted if m.name == name else m in self.chosen))
        self._tell()

    def options(self, method: Method) -> Options:
        """Give what a run of a method would be made with: the choices of the Reconstruct panel, as far as they concern it."""
        return method.chosen(self.reconstruct.options)

    def entries(self) -> tuple[Entry, ...]:
        """Give all methods, with what there is of them for the selected set."""
        runs = self._runs()
        return tuple(self._entry(method, runs.get(method.name)) for method in METHODS)

    def hindrance(self) -> str:
        """Say why the chosen methods cannot be compared now; empty where they can."""
        segment_set = self._session.project.segment_set
        if segment_set is None:
            return "Choose images first."
        if self.reconstruct.task is not None:
            return "A reconstruction is running."
        if len(self.chosen) < FEWEST:
            return "Choose two methods or more."
        lacking = [self.reconstruct.missing(segment_set, self.options(method)) for method in self._lacking()]
        if not lacking:
            return "All chosen methods have been run on these images."
        found = [check for check in lacking if check is not None]
        return f"{found[0].text}." if found and len(found) == len(lacking) else ""

    def can_run(self) -> bool:
        """Whether the chosen methods can be compared now."""
        return not self.hindrance()

    def run(self) -> None:
        """Run those of the chosen methods of which there is no run; say which are there already."""
        segment_set = self._session.project.segment_set
        if hindrance := self.hindrance():
            self._session.notify(hindrance, "warning")
            return
        assert segment_set is not None  # else there was a hindrance
        runs, lacking = self._runs(), self._lacking()
        self._before, self._began = frozenset(run.id for run in self._session.project.of_kind(Run)), True
        kept = [runs[method.name].name for method in self.chosen if method not in lacking]
        if kept:
            self._session.notify(f"Made before and not run again: {', '.join(kept)}.")
        queue = []
        for method in lacking:
            missing = self.reconstruct.missing(segment_set, self.options(method))
            if missing is None:
                queue.append(Waiting(segment_set.id, self.options(method)))
            else:
                self._session.notify(f"{method.name} is left out: {missing.text}.", "warning")
        self.reconstruct.run_queue(queue)
        self._tell()

    def stop(self) -> None:
        """Stop what runs and forget what waits; finished runs stay."""
        self.reconstruct.stop()

    def _lacking(self) -> list[Method]:
        """Give the chosen methods without a run that went to its end."""
        runs = self._runs()
        return [m for m in self.chosen if m.name not in runs or runs[m.name].info.get("stopped")]

    def _runs(self) -> dict[str, Run]:
        """Give the last run of each method whose inputs are still those of the set; stopped ones only for want of others."""
        project = self._session.project
        found: dict[str, Run] = {}
        for run in project.runs_of(project.selection.set_id):
            if "height" not in run.arrays or is_levelled(run) or changed_since(run, project):
                continue
            name = method_of_run(run).name
            if name not in found or not run.info.get("stopped") or found[name].info.get("stopped"):
                found[name] = run
        return found

    def _entry(self, method: Method, run: Run | None) -> Entry:
        is_chosen = method in self.chosen
        if (at_work := self._at_work(method)) and (run is None or run.info.get("stopped")):
            return Entry(method, is_chosen, run, at_work)
        if run is None:
            return Entry(method, is_chosen, None, "chosen" if is_chosen else "left out")
        is_new = self._began and run.id not in self._before
        state = "stopped" if run.info.get("stopped") else "new" if is_new else "before"
        return Entry(method, is_chosen, run, state)

    def _at_work(self, method: Method) -> str:
        """Give "running" or "waiting" if the method is at work on the selected set."""
        task, set_id = self.reconstruct.task, self._session.project.selection.set_id
        if task is not None and (task.data.segment_set.id, method_of(task.data.options)) == (set_id, method):
            return "running"
        queue = self.reconstruct.queue
        return "waiting" if any((w.set_id, method_of(w.options)) == (set_id, method) for w in queue) else ""

    def _on_work(self) -> None:
        """Tell what began or ended; progress alone is no change."""
        work = (self.reconstruct.task, self.reconstruct.options, *self.reconstruct.queue)
        if work != self._work:
            self._work = work
            self._tell()

    def _on_project(self, ids: frozenset[str]) -> None:
        project = self._session.project
        if not ids or any(project.get(ProfileLine, item_id) is None for item_id in ids):  # lines move all the time
            self._tell()

    def _on_selection(self, _: Selection) -> None:
        self._tell()

    def _tell(self) -> None:
        self.changed.emit()
        self._session.actions.update_enabled()


def flow_of(session: Session) -> CompareMethodsFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(CompareMethodsFlow)
    return found if isinstance(found, CompareMethodsFlow) else CompareMethodsFlow(session)


def register(session: Session) -> None:
    """Add the command of this flow."""
    flow = flow_of(session)
    session.actions.add(
        ActionInfo(
            "methods.run", "Compare methods", "Reconstruct", flow.run, "", "methods", flow.can_run,
            "Run the methods chosen in the Methods panel that have not been run on the selected images.",
        )
    )  # fmt: skip
