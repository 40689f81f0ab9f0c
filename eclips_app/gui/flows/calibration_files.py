"""What becomes of a calibration: put in use, saved as a detector file, certified, renamed, deleted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from eclips_app.commands import edits
from eclips_app.commands.history import Edit
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.calibration import CalibrationFlow, flow_of
from eclips_app.gui.qt import QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import Calibration, CalibrationPlan

_DETECTOR, _CERTIFICATE = "Detector (*.json)", "Certificate (*.pdf)"


class CalibrationFiles(QtCore.QObject):
    """Acts on the calibration that is looked at."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        super().__init__(session)
        self._session, self._flow = session, flow
        self._background = Background(self)

    @property
    def is_busy(self) -> bool:
        """Whether a file is being written."""
        return self._background.is_busy

    def has_one(self) -> bool:
        """Whether there is a calibration."""
        return self._flow.shown is not None

    def can_use(self) -> bool:
        """Whether the calibration is not in use already."""
        return self._flow.shown is not None and self._flow.shown.detector != self._session.project.detector

    def use(self) -> None:
        """Put the calibrated detector in use; the next fit still starts from the detector before it, not from its own result."""
        shown, project = self._flow.shown, self._session.project
        if shown is None:
            return
        edit = edits.set_detector(project, shown.detector, text=f"Use {shown.name}")
        changes = dict(edit.changes)
        plan = project.get(CalibrationPlan, self._flow.plan.id)
        if plan is not None and plan.detector is None:
            changes[plan.id] = replace(plan, detector=project.detector)
        self._session.do(Edit(edit.text, changes))
        self._session.notify(f"{shown.name} is in use: reconstruct again for heights that rest on it.", "good")

    def take_back_settings(self) -> None:
        """Let observations and parameters be again as they were for the calibration."""
        shown = self._flow.shown
        if shown is not None:
            self._session.do(edits.add(f"Back to the settings of {shown.name}", shown.plan))

    def rename(self, calibration_id: str, name: str) -> None:
        """Give a calibration another name."""
        item = self._session.project.get(Calibration, calibration_id)
        if item is not None and name.strip() and name.strip() != item.name:
            self._session.do(edits.change(f"Rename {item.name} to {name.strip()}", item, name=name.strip()))

    def delete(self) -> None:
        """Take the calibration out of the project; the detector in use stays as it is."""
        shown = self._flow.shown
        if shown is not None:
            self._session.do(edits.remove(f"Delete {shown.name}", (shown,)))

    def ask_detector_file(self) -> None:
        """Let the user choose where the detector file goes."""
        shown = self._flow.shown
        if shown is not None:
            name = f"{_file_name(shown.detector.name)} {shown.created[:10]}.json"
            path = self._session.ask_save_file("Save detector file", "detectors", _DETECTOR, name)
            if path is not None:
                self.save_detector(path if path.suffix == ".json" else path.with_name(path.name + ".json"))

    def save_detector(self, path: Path) -> None:
        """Write the calibrated detector, certificate and all, as a detector file."""
        if self._flow.shown is not None:
            self._background.run(partial(_saved, path, self._flow.shown.detector), self._tell_written)

    def ask_certificate(self) -> None:
        """Let the user choose where the certificate goes."""
        shown = self._flow.shown
        if shown is not None:
            name = f"{_file_name(shown.detector.name)} {shown.created[:10]}.pdf"
            path = self._session.ask_save_file("Save the certificate", "exports", _CERTIFICATE, name)
            if path is not None:
                self.write_certificate(path if path.suffix else path.with_suffix(".pdf"))

    def write_certificate(self, path: Path) -> None:
        """Write the certificate of the calibration as PDF."""
        if self._flow.shown is not None:
            self._background.run(partial(_certified, path, self._flow.shown.detector), self._tell_written)

    def _tell_written(self, outcome: tuple[str, str]) -> None:
        self._session.notify(*outcome)
        if outcome[1] == "error":
            self._flow.say(outcome[0])


def files_of(session: Session) -> CalibrationFiles:
    """Give the session's flow, made at the first call."""
    found = session.findChild(CalibrationFiles)
    return found if isinstance(found, CalibrationFiles) else CalibrationFiles(session, flow_of(session))


def register(session: Session) -> None:
    """Add the commands of this flow."""
    files = files_of(session)
    for info in (
        ActionInfo(
            "calibration.use", "Use this calibration", "Calibration", files.use, "", "good", files.can_use,
            "Put the calibrated detector in use for this project.",
        ),
        ActionInfo(
            "calibration.save", "Save detector file…", "Calibration", files.ask_detector_file, "", "save", files.has_one,
            "Write the calibrated detector, with its certificate, as a detector file.",
        ),
        ActionInfo(
            "calibration.certificate", "Certificate…", "Calibration", files.ask_certificate, "", "export", files.has_one,
            "Write what was calibrated, how, and how well, as PDF.",
        ),
        ActionInfo(
            "calibration.settings", "Back to its settings", "Calibration", files.take_back_settings, "", "undo",
            files.has_one, "Let observations and parameters be again as they were for this calibration.",
        ),
        ActionInfo(
            "calibration.delete", "Delete calibration", "Calibration", files.delete, "", "delete", files.has_one,
            "Take the calibration out of the project; the detector in use stays.",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def _saved(path: Path, detector: Detector) -> tuple[str, str]:
    """Write a detector file; give what to tell, and how."""
    from eclips_app.io.detector_file import write_detector  # late: not needed to start

    try:
        write_detector(path, detector)
    except (EclipsError, OSError) as error:
        return str(error), "error"
    return f"Saved {path}.", "good"


def _certified(path: Path, detector: Detector) -> tuple[str, str]:
    """Write a certificate; give what to tell, and how."""
    try:
        from eclips_app.io.certificate import write_certificate  # late: not needed to start

        write_certificate(path, detector)
    except (EclipsError, OSError) as error:
        return str(error), "error"
    return f"Certificate written to {path}.", "good"


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_ ." else "_" for c in name).strip() or "detector"
