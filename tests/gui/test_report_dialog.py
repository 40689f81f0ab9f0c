"""Reports and figures as a user asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from panel_samples import HeldJobs, fill
from pytestqt.qtbot import QtBot

from eclips_app.core.context import SilentContext
from eclips_app.core.report import SECTIONS, TEMPLATES
from eclips_app.core.steps import run_step
from eclips_app.gui.flows.report import flow_of
from eclips_app.gui.qt import Qt
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.figure_dialog import FigureDialog
from eclips_app.gui.widgets.report_dialog import ReportDialog


def test_a_template_is_a_start_that_can_be_changed_and_kept(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = ReportDialog("A. Smith")
    qtbot.addWidget(dialog)
    assert dialog.params().template == TEMPLATES["full"]
    dialog.template.setCurrentIndex(1)
    dialog.template.activated.emit(1)
    dialog.sections.item(list(SECTIONS).index("inputs")).setCheckState(Qt.CheckState.Checked)
    dialog.numbers["dpi"].setText("150")
    dialog.numbers["dpi"].editingFinished.emit()
    dialog.title.setText(" Terraces ")
    params = dialog.params()
    assert (params.title, params.author, params.template.dpi) == ("Terraces", "A. Smith", 150)
    assert params.template.sections == tuple(k for k in SECTIONS if k in (*TEMPLATES["short"].sections, "inputs"))
    assert dialog.keep_template(tmp_path / "mine.json") == ""
    other = ReportDialog()
    qtbot.addWidget(other)
    assert other.read_template(tmp_path / "mine.json") == ""
    assert other.params().template.sections == params.template.sections
    (tmp_path / "broken.json").write_text('{"dpi": 5}')
    assert "50 to 1200 dpi" in other.read_template(tmp_path / "broken.json")


@pytest.mark.parametrize("suffix", [".pdf", ".html"])
def test_the_report_of_the_project_is_written(held: Session, tmp_path: Path, suffix: str) -> None:
    fill(held)
    path = tmp_path / f"report{suffix}"
    flow_of(held).write_report(path, ReportDialog().params())
    jobs = held.jobs
    assert isinstance(jobs, HeldJobs)
    job = jobs.jobs[-1]
    result = run_step(job.step, job.inputs, job.params, SilentContext())
    job.done(result.arrays, **result.info)
    assert path.stat().st_size > 10_000
    assert held.messages.items[-1].text == f"Written {path}."
    assert held.messages.items[-1].action_text == "Open"


def test_the_figure_is_proofed_before_it_is_written(held: Session, qtbot: QtBot) -> None:
    fill(held)
    run = held.project.run
    assert run is not None
    dialog = FigureDialog(held, run)
    qtbot.addWidget(dialog)
    jobs = held.jobs
    assert isinstance(jobs, HeldJobs)
    job = jobs.jobs[-1]
    result = run_step(job.step, job.inputs, job.params, SilentContext())
    job.done(result.arrays, **result.info)
    assert not dialog.proof.pixmap().isNull()
    dialog.width_mm.setText("60 mm")
    dialog.width_mm.editingFinished.emit()
    assert jobs.jobs[-1].params.width_mm == 60.0
    assert dialog.params().dpi == 300
