"""Training from the window: what is asked for, the loss on the way, stopping and failing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from panel_samples import HeldJobs, detector
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.detector import Beam
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult
from eclips_app.gui.flows import simulate
from eclips_app.gui.flows.train import TrainFlow, flow_of
from eclips_app.gui.panels.simulate.model_form import ModelForm
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.train_dialog import TrainDialog
from eclips_app.jobs.job import Failed
from eclips_app.model.items import DetectorItem, HeightMap

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


def choose(dialog: TrainDialog, network: str) -> None:
    dialog.network.show_data(network)
    dialog.network.activated.emit(dialog.network.currentIndex())


def test_a_dsm_needs_the_projects_detector_and_says_so(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    dialog = opened(flow, qtbot)
    assert not dialog.distil.emission.isVisible()
    choose(dialog, "dsm")
    assert dialog.distil.emission.isVisible()
    assert "no detector" in dialog.distil.detector.text()
    assert not dialog.start.isEnabled()
    held.do(edits.add("Detector", DetectorItem("d", detector())))
    assert dialog.distil.detector.text() == "Ring (4 segments, of the project)"
    assert dialog.start.isEnabled()
    dialog.distil.emission.show_data("tabulated")
    dialog.distil.emission.activated.emit(1)
    assert "beam's energy" in dialog.distil.detector.text()
    assert not dialog.start.isEnabled()
    choose(dialog, "vft")
    assert dialog.start.isEnabled()


def test_a_dsm_is_trained_for_detector_emission_and_teacher(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    known = detector(beam=Beam(15.0, 2.0))
    held.do(edits.add("Detector", DetectorItem("d", known)))
    dialog = opened(flow, qtbot)
    choose(dialog, "dsm")
    assert (dialog.minutes.value, dialog.path.text().rpartition("/")[2]) == (5.0, "dsm.safetensors")
    for combo, data in (
        (dialog.distil.emission, "tabulated"),
        (dialog.distil.material, "Au"),
        (dialog.distil.teacher, "mc"),
    ):
        combo.show_data(data)
        combo.activated.emit(combo.currentIndex())
    dialog.start.click()
    params = jobs_of(held).jobs[-1].params
    assert (params.network, params.detector, params.teacher, params.minutes) == ("dsm", known, "mc", 5.0)
    assert params.emission == Emission("tabulated", "Au")
    assert not dialog.distil.emission.isEnabled()


def test_the_emission_of_a_calibrated_detector_comes_first(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    found = {"emission": {"model": "parametric", "material": "Cu", "coefficients": [0.4, 0.8, 0.05, 0.2, 1.0, 1.0]}}
    held.do(edits.add("Detector", DetectorItem("d", detector(calibration=found))))
    dialog = opened(flow, qtbot)
    choose(dialog, "dsm")
    assert dialog.distil.emission.currentText() == "As calibrated"
    assert dialog.params().emission == Emission("parametric", "Cu", (0.4, 0.8, 0.05, 0.2, 1.0, 1.0))
    dialog.distil.emission.show_data("lambert")
    assert dialog.params().emission == Emission()
    broken = {"emission": {"model": "none such"}}
    held.do(edits.change("Detector", DetectorItem("d", detector()), detector=detector(calibration=broken)))
    assert "calibration.emission" in dialog.distil.detector.text()
    assert not dialog.start.isEnabled()


def test_what_was_trained_can_be_used_in_simulate_at_once(flow: TrainFlow, held: Session, qtbot: QtBot) -> None:
    held.do(edits.add("Detector", DetectorItem("d", detector())))
    dialog = opened(flow, qtbot)
    choose(dialog, "dsm")
    dialog.path.setText("/tmp/mine.safetensors")
    assert not dialog.use.isEnabled()
    dialog.start.click()
    jobs_of(held).jobs[-1].done({}, **_INFO | {"output": "/tmp/mine.safetensors"})
    simulation = simulate.flow_of(held)
    form = ModelForm(held, simulation)
    qtbot.addWidget(form)
    simulation.choose(model="dsm", base="Some preset", changes=(("distance_mm", 3.0),))
    form.refresh()
    assert [form.weights.itemText(i) for i in range(form.weights.count())] == [
        "Of the program",
        "mine.safetensors",
        "File…",
    ]
    with qtbot.waitSignal(held.panel_asked) as asked:
        dialog.use.click()
    assert asked.args == ["simulate"]
    chosen = simulation.setup
    assert (chosen.model, chosen.weights, chosen.base, chosen.changes) == ("dsm", "/tmp/mine.safetensors", "", ())
    form.refresh()
    assert form.weights.currentText() == "mine.safetensors"
    assert held.messages.items[-1].action_text == "Use in Simulate"
