"""Asks whether a calibration can be right for the selected images, of whose shape nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import CheckCalibration
from eclips_app.gui.flows.readiness import differing
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.model.calibration import check_params, images_print
from eclips_app.model.items import Calibration, SegmentSet
from eclips_app.model.runs import extra_inputs

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task
    from eclips_app.metrology.calibration_check import Opinion


@dataclass(frozen=True)
class Checked:
    """What is asked of: a detector and images, with the words that name them."""

    detector: Detector
    seen: str  #: `images_print` of the set
    words: str  #: such as "Calibration 1 and ball"


class CalibrationCheck(QtCore.QObject):
    """The step ``check-calibration``; `opinion` is what it came to, of `checked`, as long as the window is open."""

    changed = Signal()
    failed = Signal(str)  #: why it could not begin or end

    def __init__(self, session: Session, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.task: Task | None = None
        self.checked: Checked | None = None
        self.opinion: Opinion | None = None

    def start(self, shown: Calibration | None) -> None:
        """Check a calibration, else the detector in use, with the selected images."""
        project = self._session.project
        segment_set, detector = project.segment_set, shown.detector if shown else project.detector
        if self.task is not None:
            return
        if segment_set is None or detector is None or segment_set.pixel_size_nm is None:
            self.failed.emit("To check a calibration, choose a detector, and images whose pixel size is known.")
            return
        try:
            params = _params(detector, segment_set)
        except EclipsError as error:
            self.failed.emit(str(error))
            return
        name = shown.name if shown else detector.name
        checked = Checked(detector, images_print(segment_set), f"{name} and {segment_set.name}")
        inputs: dict[str, Any] = {"segments": [image.data for image in segment_set.images], **extra_inputs(segment_set)}
        self.task = self._session.tasks.run(
            "check-calibration", params, inputs, f"Checking {checked.words}", self._keep,
            data=(checked, differing(detector, segment_set)),
        )  # fmt: skip
        self.task.finished.connect(self._on_finished)
        self.changed.emit()

    def _keep(self, task: Task, result: StepResult) -> None:
        from eclips_app.metrology.calibration_check import judge

        self.checked, apart = task.data
        self.opinion = judge(result.info, apart)

    def _on_finished(self, outcome: str) -> None:
        task, self.task = self.task, None
        if outcome == "failed" and task is not None:
            self.failed.emit(f"The images could not be checked: {task.problem}")
        self.changed.emit()


def _params(detector: Detector, segment_set: SegmentSet) -> CheckCalibration:
    """Give the step's parameters; raises `EclipsError` if the set does not fit the detector, or its emission is unsound."""
    if len(segment_set.images) != len(detector.quadrants):
        raise EclipsError(
            f"{len(segment_set.images)} images, but the detector has {len(detector.quadrants)} segments",
            where=segment_set.name, hint="Choose images of this detector.",
        )  # fmt: skip
    return check_params(segment_set, detector, calibrated_emission(detector) or Emission())
