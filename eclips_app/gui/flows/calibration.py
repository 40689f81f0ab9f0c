"""Calibrating: observations are added, found and corrected, fits run, and results are kept to choose from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eclips_app.commands import edits
from eclips_app.commands.history import Edit
from eclips_app.core import schema
from eclips_app.core.calibration import Observation
from eclips_app.core.errors import EclipsError
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.calibration_check import CalibrationCheck
from eclips_app.gui.flows.calibration_fit import CalibrationFit, Fit
from eclips_app.gui.flows.reference_search import ReferenceSearch, Search
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.model.calibration import find_request, images_print, plan_of, title_of, unfound
from eclips_app.model.calibrations import make_calibration
from eclips_app.model.items import Calibration, CalibrationPlan, HeightMap, ProfileLine, Reference, SegmentSet, new_id

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task


class CalibrationFlow(QtCore.QObject):
    """What the Calibration panel does; one fit at a time.

    `selected_id` is the observation and `shown_id` the calibration that are looked at; both are no part of the project.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._edits = 0
        self.selected_id = ""
        self.shown_id = ""
        self.search = ReferenceSearch(session, self)
        self.problem = ""  #: why the last thing that was asked for could not be done
        self.fits = CalibrationFit(session, self)
        self.fits.changed.connect(self._tell)
        self.fits.found.connect(self._keep_fit)
        self.fits.failed.connect(self._on_fit_failed)
        self.check = CalibrationCheck(session, self)
        self.check.changed.connect(self._tell)
        self.check.failed.connect(self.say)
        self.search.changed.connect(self._tell)
        self.search.found.connect(self._keep_found)
        self.search.failed.connect(self._on_search_failed)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    # What there is

    @property
    def plan(self) -> CalibrationPlan:
        """What the next calibration is made of."""
        return plan_of(self._session.project)

    @property
    def selected(self) -> Reference | None:
        """The observation that is looked at: the one chosen, else the first."""
        references = self.plan.references
        return next((each for each in references if each.id == self.selected_id), references[0] if references else None)

    @property
    def shown(self) -> Calibration | None:
        """The calibration that is looked at: the one chosen, else the last."""
        made = self._session.project.of_kind(Calibration)
        return next((each for each in made if each.id == self.shown_id), made[-1] if made else None)

    @property
    def is_busy(self) -> bool:
        """Whether a fit, a search or a check is prepared or runs."""
        return self.fits.is_busy or self.search.is_busy or self.check.task is not None

    def select(self, reference_id: str) -> None:
        """Look at an observation."""
        if self.selected_id != reference_id:
            self.selected_id = reference_id
            self._tell()

    def show(self, calibration_id: str) -> None:
        """Look at a calibration."""
        if self.shown_id != calibration_id:
            self.shown_id = calibration_id
            self._tell()

    # Observations

    def add(self, kind: str) -> None:
        """Let the selected set show an object of a kind, and look for it."""
        project = self._session.project
        segment_set = project.segment_set
        if segment_set is None:
            self.say("Open the images of the object first.")
            return
        map_id = project.selection.map_id if kind == "heights" else ""
        made = _kind_type(kind)()
        reference = Reference(new_id(), segment_set.id, Observation(**{kind: made}), map_id)
        self.selected_id = reference.id
        text, key = f"Add {title_of(project, reference)}", self._new_key(reference.id)
        self.change_plan(text, key, references=(*self.plan.references, reference))
        if kind != "dark" and not (kind == "heights" and project.get(HeightMap, map_id) is None):
            self._find(reference.id, text, key)

    def remove(self, reference_id: str) -> None:
        """Take an observation out."""
        gone = self._reference(reference_id)
        if gone is not None:
            kept = tuple(each for each in self.plan.references if each.id != reference_id)
            self.change_plan(f"Remove {title_of(self._session.project, gone)}", references=kept)

    def change_reference(self, words: str, reference_id: str, merge_key: str = "", **fields: Any) -> None:
        """Change fields of an observation's entry."""
        changed = tuple(replace(each, **fields) if each.id == reference_id else each for each in self.plan.references)
        if changed != self.plan.references:
            self.change_plan(words, merge_key, references=changed)

    def correct(self, reference_id: str, observation: Observation, text: str = "") -> None:
        """Change an observation by hand; the pixels that it uses are looked up again, all in one step of undo."""
        reference = self._reference(reference_id)
        if reference is None or observation == reference.observation:
            return
        key = self._new_key(reference_id)
        text = text or f"Correct {title_of(self._session.project, reference)}"
        self.change_reference(text, reference_id, key, observation=observation)
        if observation.kind != "dark":
            self._find(reference_id, text, key)

    def find(self, reference_id: str) -> None:
        """Look for the object in the images anew, whatever was found or corrected before."""
        reference = self._reference(reference_id)
        if reference is not None:
            text = f"Find {title_of(self._session.project, reference)}"
            self._find(reference_id, text, self._new_key(reference_id), anew=True)

    def change_plan(self, text: str, merge_key: str = "", **fields: Any) -> None:
        """Change fields of the plan as one step of undo."""
        plan = replace(self.plan, **fields)
        self.problem = ""
        self._session.do(Edit(text, {plan.id: plan}, merge_key))

    def say(self, problem: str) -> None:
        """Tell in the panel why something could not be done."""
        self.problem = problem
        self._tell()

    def _reference(self, reference_id: str) -> Reference | None:
        return next((each for each in self.plan.references if each.id == reference_id), None)

    def _new_key(self, reference_id: str) -> str:
        """Give a merge key that an edit and the search after it share, and no others."""
        self._edits += 1
        return f"observation/{reference_id}/{self._edits}"

    def _find(self, reference_id: str, text: str, merge_key: str, *, anew: bool = False) -> None:
        reference, project = self._reference(reference_id), self._session.project
        if reference is None:
            return
        asked = replace(reference, observation=unfound(reference.observation)) if anew else reference
        try:
            request = find_request(project, asked)
        except EclipsError as error:
            self.say(f"{title_of(project, reference)}: {error}")
            return
        self.search.start(Search(reference, text, merge_key, request))
        self._tell()

    def _keep_found(self, search: Search, result: StepResult) -> None:
        project = self._session.project
        now, segment_set = self._reference(search.reference.id), project.get(SegmentSet, search.reference.set_id)
        if now is None or segment_set is None or now.observation != search.reference.observation:
            return  # removed or corrected meanwhile
        found = schema.load(Observation, result.info["observation"], "observation")
        kind = now.observation.kind
        observation = replace(now.observation, **{kind: getattr(found, kind)})
        self.change_reference(
            search.text, now.id, search.merge_key,
            observation=observation, text=str(result.info["text"]), seen=images_print(segment_set),
        )  # fmt: skip
        self.search.keep_used(self._reference(now.id) or now, result.arrays["used"])

    def _on_search_failed(self, why: str) -> None:
        self.say(f"{why[:1].upper()}{why[1:]}")

    # Fits

    @property
    def task(self) -> Task | None:
        """The fit that runs."""
        return self.fits.task

    def fit(self) -> None:
        """Calibrate with the observations that are used."""
        if self.fits.is_busy:
            return
        self.problem = ""
        try:
            self.fits.start()
        except EclipsError as error:
            self.say(f"{error}.")

    def check_images(self) -> None:
        """Ask whether the calibration that is looked at can be right for the selected images."""
        self.problem = ""
        self.check.start(self.shown)

    def _keep_fit(self, fit: Fit, result: StepResult) -> None:
        project = self._session.project
        if project.get(CalibrationPlan, fit.plan.id) is None:
            return  # another project was opened meanwhile
        made = make_calibration(project, fit.name, fit.plan, fit.prints, fit.request.params, result)  # type: ignore[arg-type]
        self.shown_id = made.id
        self._session.do(edits.add(f"Calibrate: {made.name}", made))
        self._session.notify(f"{made.name} is ready: look at its residuals, then use or save it.", "good")
        for warning in made.info.get("warnings", ()):
            self._session.notify(f"{made.name}: {warning}", "warning")

    def _on_fit_failed(self, why: str) -> None:
        self.say(f"The fit failed, nothing was changed: {why}")

    def _on_project(self, ids: frozenset[str]) -> None:
        if not ids or any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):
            self.problem = ""
            self.changed.emit()

    def _on_selection(self, _: object) -> None:
        self.changed.emit()

    def _tell(self) -> None:
        self.changed.emit()
        self._session.actions.update_enabled()


def flow_of(session: Session) -> CalibrationFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(CalibrationFlow)
    return found if isinstance(found, CalibrationFlow) else CalibrationFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "calibration.fit", "Calibrate the detector", "Calibration", flow.fit, "F6", "calibration", flow.fits.can_start,
            "Fit detector, gains and emission to the observations of the Calibration panel.",
        ),
        ActionInfo(
            "calibration.stop", "Stop the calibration", "Calibration", flow.fits.stop, "", "stop",
            lambda: flow.task is not None,
        ),
        ActionInfo(
            "calibration.check", "Can it be right for these images?", "Calibration", flow.check_images, "", "check",
            lambda: session.project.segment_set is not None and flow.check.task is None,
            "Look in the selected images for what contradicts the calibration, or the detector in use where there is none.",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def _kind_type(kind: str) -> type:
    from eclips_app.core import calibration

    found: type = getattr(calibration, kind.capitalize())
    return found
