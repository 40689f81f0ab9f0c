"""Training from the window: what is asked for, the loss on the way, stopping and failing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from panel_samples import HeldJobs
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult
from eclips_app.gui.flows.train import TrainFlow, flow_of
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.train_dialog import TrainDialog
from eclips_app.jobs.job import Failed
from eclips_app.model.items import HeightMap

_INFO = {"history": [{"step": 20, "error": 0.004}], "steps": 20, "output": "mine.safetensors"}


@pytest.fixture
def flow(held: Session) -> TrainFlow:
    return flow_of(held)


def opened(flow: TrainFlow, qtbot: QtBot) -> TrainDialog:
    flow.ask()
    assert flow.dialog is not None
    qtbot.addWidget(flow.dialog)
    return flow.dialog


def jobs_of(held: Session) -> HeldJobs:
    assert isinstance(held.jobs, HeldJobs)
    return held.jobs


def test_training_is_started_with_what_was_chosen_and_shows_its_loss(
    flow: TrainFlow, held: Session, qtbot: QtBot
) -> None:
    dialog = opened(flow, qtbot)
    assert not dialog.maps.isVisible()
    dialog.path.setText("/tmp/mine")
    dialog.minutes.setText("5")
    dialog.minutes.editingFinished.emit()
    dialog.start.click()
    job = jobs_of(held).jobs[-1]
    assert (job.step, job.params.output, job.params.minutes) == ("train", "/tmp/mine.safetensors", 5.0)
    assert not dialog.start.isEnabled()
    assert not dialog.minutes.isEnabled()
    job.preview(np.array([[10.0, 0.05], [20.0, 0.02]]), "loss", error=0.004)
    assert dialog.plot.curve.getOriginalDataset()[1].tolist() == [0.05, 0.02]
    assert dialog.state.text() == "Step 20, loss 0.02, held-out error of the intensity 0.40 %"
    job.done({"loss": np.zeros((0, 2))}, **_INFO)
    assert dialog.start.isEnabled()
    assert "0.40 %" in held.messages.items[-1].text


def test_stopped_training_keeps_its_best(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    dialog = opened(flow, qtbot)
    dialog.start.click()
    job = jobs_of(held).jobs[-1]
    job.best = StepResult({}, dict(_INFO))
    dialog.stop.click()
    assert job.cancelled
    assert dialog.state.text().startswith("Written: 20 steps")
    assert dialog.start.isEnabled()


def test_failure_is_told_in_the_dialog(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    dialog = opened(flow, qtbot)
    dialog.start.click()
    job = jobs_of(held).jobs[-1]
    job.hear(Failed(job, EclipsError("this folder does not exist"), ""))
    assert dialog.state.text() == "this folder does not exist"
    assert dialog.start.isEnabled()


def test_closed_dialog_comes_back_while_its_training_runs(flow: TrainFlow, held: Session) -> None:
    flow.ask()
    dialog = flow.dialog
    assert dialog is not None
    dialog.start.click()
    dialog.close_button.click()
    flow.ask()
    assert flow.dialog is dialog
    jobs_of(held).jobs[-1].done({}, **_INFO)
    dialog.close_button.click()
    assert flow.dialog is None


def test_whole_square_maps_of_the_project_can_be_trained_on(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    good = HeightMap("a", "afm 1", np.ones((8, 8), np.float32), (2.0, 2.0))
    hole = np.where(np.eye(8) > 0, np.nan, 1.0)
    for item in (
        good, replace(good, id="b", name="afm 2", pixel_size_nm=(3.0, 3.0)), replace(good, id="c", height=hole),
        replace(good, id="d", pixel_size_nm=(2.0, 3.0)),
    ):  # fmt: skip
        held.do(edits.add("Open", item))
    dialog = opened(flow, qtbot)
    assert dialog.maps.isVisible()
    assert "2 height maps" in dialog.maps.text()
    dialog.maps.setChecked(True)
    dialog.start.click()
    job = jobs_of(held).jobs[-1]
    assert job.params.map_pixels_nm == (2.0, 3.0)
    assert sorted(job.inputs) == ["map/0", "map/1"]
