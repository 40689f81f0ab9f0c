"""Reports and figures: asked for in a dialog, written by the engine process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eclips_app.core.report import DrawFigure, Report
from eclips_app.core.steps import StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, QtGui
from eclips_app.gui.session import Session
from eclips_app.model.items import HeightMap, Run
from eclips_app.model.snapshot import to_state

if TYPE_CHECKING:
    from eclips_app.gui.tasks import Task

_REPORTS = "PDF (*.pdf);;Web page (*.html)"
_FIGURES = "PDF (*.pdf);;SVG (*.svg);;PNG (*.png)"


class ReportFlow(QtCore.QObject):
    """Asks how a report or figure should be and has it written."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def ask_report(self) -> None:
        """Let the user choose parts and look of a report, then where to write it."""
        from eclips_app.gui.widgets.report_dialog import ReportDialog  # late: seldom needed

        dialog = ReportDialog(self._session.settings.text("report/author"))
        if dialog.exec() != ReportDialog.DialogCode.Accepted:
            return
        params = dialog.params()
        self._session.settings.set_text("report/author", params.author)
        path = self._session.ask_save_file("Write report", "exports", _REPORTS, f"{self._name()}.pdf")
        if path is not None:
            self.write_report(path if path.suffix else path.with_suffix(".pdf"), params)

    def write_report(self, path: Path, params: Report) -> None:
        """Write a report of the project as it is now."""
        state, arrays = to_state(self._session.project)
        source = str(self._session.path or "")
        run_id = self._session.project.selection.run_id
        asked = replace(
            params, path=str(path), state=state, run_id=run_id, source=source, keep_paths=(source,) if source else ()
        )
        self._session.tasks.run("report", asked, arrays, f"Writing {path.name}", self._on_written, data=path)

    def ask_figure(self) -> None:
        """Let the user choose a map and its size in mm, with a proof, then where to write it."""
        from eclips_app.gui.widgets.figure_dialog import FigureDialog  # late: seldom needed

        run = self._session.project.run
        if run is None:
            return
        dialog = FigureDialog(self._session, run)
        if dialog.exec() == FigureDialog.DialogCode.Accepted:
            name = f"{self._name()} {dialog.params().name}.pdf"
            path = self._session.ask_save_file("Write figure", "exports", _FIGURES, name)
            if path is not None:
                self.write_figure(path if path.suffix else path.with_suffix(".pdf"), run, dialog.params())

    def write_figure(self, path: Path, run: Run, params: DrawFigure) -> None:
        """Write one map of a run."""
        inputs = {name: run.arrays[name] for name in (params.name, "mask") if name in run.arrays}
        asked = replace(params, path=str(path), title=run.name, pixel_size_nm=run.pixel_size_nm)
        self._session.tasks.run("figure", asked, inputs, f"Writing {path.name}", self._on_written, data=path)

    def has_something(self) -> bool:
        """Whether there is something to report."""
        project = self._session.project
        return project.segment_set is not None or bool(project.of_kind(HeightMap))

    def has_run(self) -> bool:
        """Whether there is a reconstruction to draw."""
        return self._session.project.run is not None

    def _on_written(self, task: Task, _: StepResult) -> None:
        path: Path = task.data
        opened = _Opener(self, path)
        self._session.notify(f"Written {path}.", "good", action_text="Open", action=opened.open)

    def _name(self) -> str:
        project = self._session.project
        named = self._session.path or None
        return named.stem if named else project.segment_set.name if project.segment_set else "report"


class _Opener(QtCore.QObject):
    """Opens a file with the program that the system has for it."""

    def __init__(self, parent: QtCore.QObject, path: Path) -> None:
        super().__init__(parent)
        self._path = path

    def open(self) -> None:
        """Open it."""
        QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(self._path)))


def flow_of(session: Session) -> ReportFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(ReportFlow)
    return found if isinstance(found, ReportFlow) else ReportFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "report.write", "Report…", "File", flow.ask_report, "Ctrl+Shift+E", "export", flow.has_something,
            "Write inputs, calibration, maps, profiles, measurements and their uncertainties as PDF or web page.",
        ),
        ActionInfo(
            "report.figure", "Figure…", "File", flow.ask_figure, "", "export", flow.has_run,
            "Write a map with scale bar and colour bar, true to size, as PDF, SVG or PNG.",
        ),
    ):  # fmt: skip
        session.actions.add(info)
