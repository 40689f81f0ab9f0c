"""The forms of a fit: what is chosen by itself, what the user chooses, what earlier runs give, and how a fit ends."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from panel_samples import COLUMNS, ROWS, Submitted, detector, fill, make_run, make_set
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.detector import presets
from eclips_app.core.steps import ClosedLoop, Learned, StepResult
from eclips_app.core.tolerance import Tolerances
from eclips_app.gui.flows import reconstruct
from eclips_app.gui.panels.reconstruct import fit_texts, presenter
from eclips_app.gui.panels.reconstruct.view import ReconstructPanel
from eclips_app.gui.qt import Qt
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.jobs.job import Done
from eclips_app.model.items import Run
from eclips_app.model.runs import Options

LEFT = Qt.MouseButton.LeftButton
RHO = np.ones((ROWS, COLUMNS), np.float32)


@pytest.fixture
def held(held: Session) -> Session:
    """A session whose jobs the test answers itself, with the commands of reconstructions."""
    reconstruct.register(held)
    return held


@pytest.fixture
def panel(held: Session, qtbot: QtBot) -> ReconstructPanel:
    """A column of the width that it has beside the 3D view, Standard chosen, both forms open."""
    made = ReconstructPanel(held)
    qtbot.addWidget(made)
    made.resize(320, 900)
    made.show()
    fill(held, runs=0)
    qtbot.mouseClick(made.choice.button("Standard"), LEFT)
    for section in (made.fit_section, made.tolerance_section):
        section.head.setChecked(True)
    return made


def add_run(session: Session, run_id: str, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Run:
    run = make_run(make_set("scan0"), run_id, np.zeros(shape, np.float32))
    rho = np.ones(shape, np.float32)
    rho[0] = np.nan  # no data there
    run = replace(run, arrays={**run.arrays, "rho": rho})
    session.do(edits.add("Reconstruct", run))
    return run


def enter(field: QuantityEdit, text: str, qtbot: QtBot) -> None:
    field.setText(text)
    qtbot.keyClick(field, Qt.Key.Key_Return)


def choose(combo: CalmCombo, text: str) -> None:
    combo.setCurrentIndex(combo.findText(text))
    combo.activated.emit(combo.currentIndex())


def texts(combo: CalmCombo) -> list[str]:
    return [combo.itemText(i) for i in range(combo.count())]


def start(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> Submitted:
    qtbot.mouseClick(panel.button, LEFT)
    job: Submitted = held.jobs.jobs[-1]  # type: ignore[attr-defined]
    return job


def result(**info: object) -> StepResult:
    arrays = {"height": np.zeros((ROWS, COLUMNS), np.float32), "mask": np.ones((ROWS, COLUMNS), bool), "rho": RHO}
    facts = {"chi2": 1.1, "chi2_steps": [30.0, 4.0, 1.1], "cost": [3e5, 4e4, 1.2e4], "inner_steps": [3, 4]}
    return StepResult(arrays, {**facts, **info})


def test_the_forms_belong_to_the_fits_and_fit_the_column(panel: ReconstructPanel, qtbot: QtBot) -> None:
    assert panel.fit.isVisible()
    assert panel.tolerances.isVisible()
    assert max(panel.fit.minimumSizeHint().width(), panel.tolerances.minimumSizeHint().width()) <= 300
    qtbot.mouseClick(panel.choice.button("Live"), LEFT)
    assert not panel.fit_section.isVisible()
    assert not panel.tolerance_section.isVisible()


def test_automatic_choices_are_told_and_follow_the_method(panel: ReconstructPanel, qtbot: QtBot) -> None:
    entries = panel.fit.fields
    assert entries["azimuths"].placeholderText() == "auto: 16"
    assert entries["grey_per_electron"].placeholderText() == "from images"
    assert entries["steps"].placeholderText() == "auto: 8"
    assert all(field.text() == "" for field in entries.values())
    assert not panel.fit.automatic.isEnabled()
    qtbot.mouseClick(panel.choice.button("Metrology"), LEFT)
    assert entries["azimuths"].placeholderText() == "auto: 32"


def test_every_number_goes_with_the_run_and_back_to_automatic(
    panel: ReconstructPanel, held: Session, qtbot: QtBot
) -> None:
    typed = {
        "grey_per_electron": 2.5, "read_noise_grey": 1.5, "azimuths": 24, "smoothing": 3.0, "steps": 5, "least_fall": 0.01,
        "tile_px": 256, "draws": 4, "seed": 7,
    }  # fmt: skip
    assert typed.keys() <= panel.fit.fields.keys()
    for name, value in typed.items():
        enter(panel.fit.fields[name], f"{value}", qtbot)
    panel.fit.coarse_to_fine.click()
    choose(panel.fit.brightness, "Uniform")
    assert panel.fit_section.head.text() == "Fit (11 chosen)"
    params = start(panel, held, qtbot).params
    assert {name: getattr(params, name) for name in typed} == typed
    assert isinstance(params.draws, int)
    assert (params.coarse_to_fine, params.brightness) == (not ClosedLoop().coarse_to_fine, "uniform")
    qtbot.mouseClick(panel.fit.automatic, LEFT)
    assert reconstruct.flow_of(held).options.fit == Learned()
    assert all(field.text() == "" for field in panel.fit.fields.values())
    assert panel.fit_section.head.text() == "Fit"


def test_a_number_out_of_range_is_not_taken(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    enter(panel.fit.fields["draws"], "1000", qtbot)
    enter(panel.fit.fields["steps"], "2.5", qtbot)
    assert reconstruct.flow_of(held).options.fit == Learned()
    assert "2 to 64" in panel.fit.fields["draws"].toolTip()
    assert "whole number" in panel.fit.fields["steps"].toolTip()


def test_a_fit_starts_from_an_earlier_run(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    add_run(held, "small", (10, 10))
    earlier = add_run(held, "earlier")
    assert texts(panel.fit.start) == ["Result of Live", "U-Net", "earlier"]
    choose(panel.fit.start, "earlier")
    job = start(panel, held, qtbot)
    assert job.inputs["start"] is earlier.arrays["height"]
    job.hear(Done(job, result(), 2.0))
    run = held.project.run
    assert run is not None
    assert dict(presenter.facts(run))["Started from"] == "earlier (run earlier)"


def test_brightness_is_taken_from_an_earlier_run(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    assert texts(panel.fit.brightness) == ["Each pixel's own", "Uniform"]
    add_run(held, "earlier")
    choose(panel.fit.brightness, "As in earlier")
    job = start(panel, held, qtbot)
    assert job.params.brightness == "known"
    np.testing.assert_array_equal(job.inputs["rho"], 1.0)
    job.hear(Done(job, result(), 2.0))
    choose(panel.fit.brightness, "Uniform")
    assert "rho" not in start(panel, held, qtbot).inputs


def test_a_run_that_does_not_fit_any_more_stands_against_the_next(
    panel: ReconstructPanel, held: Session, qtbot: QtBot
) -> None:
    earlier = add_run(held, "earlier")
    choose(panel.fit.start, "earlier")
    assert panel.button.isEnabled()
    assert held.project.segment_set is not None
    held.do(edits.crop_images(held.project, held.project.segment_set, (5, 0, ROWS, COLUMNS)))
    assert not panel.button.isEnabled()
    assert "shows another part of the image" in panel.checklist.row("given").text.text()
    held.history.undo()
    assert panel.button.isEnabled()
    held.do(edits.remove("Delete", [earlier]))
    assert not panel.button.isEnabled()
    assert panel.fit.start.currentText() == "a run that was removed"
    choose(panel.fit.start, "Result of Live")
    assert panel.button.isEnabled()


def test_tolerances_are_stated_by_the_detector_or_typed(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    form = panel.tolerances
    assert {field.placeholderText() for field in form.fields.values()} == {"not stated"}
    stated = {"parameters": ["distance_mm", "gain:E"], "covariance": [[0.01, 0.0], [0.0, 4e-4]]}
    held.do(edits.set_detector(held.project, detector(calibration=stated)))
    assert form.fields["distance_mm"].placeholderText() == "stated: 0.1 mm"
    assert form.fields["gain_percent"].placeholderText() == "stated: 2 %"
    assert form.fields["outer_radius_mm"].placeholderText() == "not stated"
    enter(form.fields["distance_mm"], "0.05", qtbot)
    assert panel.tolerance_section.head.text() == "Uncertainties (1 chosen)"
    assert start(panel, held, qtbot).params.tolerances == Tolerances(distance_mm=0.05)
    qtbot.mouseClick(form.automatic, LEFT)
    assert reconstruct.flow_of(held).options.fit.tolerances == Tolerances()


def test_tolerances_of_a_typical_detector_are_typical() -> None:
    typical = next(iter(presets().values()))
    told = fit_texts.tolerance_texts(typical, Options())
    assert told["center_mm"] == "typical: 0.3 mm"
    assert told["gain_percent"] == "typical: 1 %"
    assert told["emission_percent"] == "not stated"
    assert told.keys() == {field.name for field in fields(Tolerances)}
    levelled = fit_texts.tolerance_texts(detector(), Options("level"))
    assert levelled["gain_percent"] == "typical: 1 %"


def test_a_calibration_that_cannot_be_read_is_told(panel: ReconstructPanel, held: Session) -> None:
    held.do(edits.set_detector(held.project, detector(calibration={"covariance": [[1.0]]})))
    assert "without its list" in panel.tolerances.problem.text()
    assert panel.tolerances.problem.isVisible()


def test_chi_square_is_drawn_while_it_runs_and_afterwards(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    job = start(panel, held, qtbot)
    assert not panel.curve.isVisible()
    job.preview(np.array([[0.0, 5.0], [1.0, 2.0]]), "chi2")
    assert panel.curve.isVisible()
    assert not panel.curve.getPlotItem().ctrl.logYCheck.isChecked()
    job.preview(np.array([[0.0, 30.0], [1.0, 2.0]]), "chi2")
    assert panel.curve.getPlotItem().ctrl.logYCheck.isChecked()
    assert not panel.details.curve.isVisible()
    job.hear(Done(job, result(stopping="The cost fell by less than 0.3 %.", not_stated=["emission"]), 2.0))
    assert not panel.curve.isVisible()
    assert panel.details.curve.isVisible()
    np.testing.assert_allclose(panel.details.curve.curve.yData, [30.0, 4.0, 1.1])
    np.testing.assert_allclose(panel.details.curve.cost.xData, [0, 1, 2])
    np.testing.assert_allclose(panel.details.curve.cost.yData[-1], 1.1)
    panel.details.curve.show_curve(np.array([[0.0, 9.0], [1.0, 2.0], [2.0, 1.5]]), [40.0, 30.0])
    np.testing.assert_allclose(panel.details.curve.cost.xData, [1, 2])  # the coarse steps have a cost of their own
    panel.details.curve.show_curve(np.array([[0.0, 9.0], [1.0, 2.0], [4.0, 1.5]]), [40.0, 20.0, 19.0, 18.0, 17.0])
    np.testing.assert_allclose(panel.details.curve.cost.xData, [0, 1, 2, 3, 4])  # two steps have a cost alone
    assert "The cost fell by less than 0.3 %." in panel.details.facts.text()
    assert "emission" in panel.details.facts.text()


def test_a_stopped_fit_keeps_its_best_and_says_so(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    job = start(panel, held, qtbot)
    job.best = result(stopped=True)
    assert "keep the best heights" in panel.progress.stop.toolTip()
    qtbot.mouseClick(panel.progress.stop, LEFT)
    run = held.project.run
    assert run is not None
    assert (run.name, run.duration_s) == ("Standard (stopped)", 2.0)
    said = held.messages.items[-1].text
    assert "after 2 steps" in said
    assert "without standard deviations" in said
    assert panel.button.isVisible()


def test_a_stop_before_the_first_step_keeps_nothing(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    start(panel, held, qtbot)
    qtbot.mouseClick(panel.progress.stop, LEFT)
    assert held.project.of_kind(Run) == ()
    assert held.messages.items[-1].text.endswith("stopped.")


def test_a_stopped_fit_ends_the_series(panel: ReconstructPanel, held: Session) -> None:
    held.do(edits.add("Open", make_set("scan1")))
    flow = reconstruct.flow_of(held)
    flow.run_all()
    (job,) = held.jobs.jobs  # type: ignore[attr-defined]
    job.best = result(stopped=True)
    flow.stop()
    assert [run.name for run in held.project.of_kind(Run)] == ["Standard (stopped)"]
    assert len(held.jobs.jobs) == 1  # type: ignore[attr-defined]
    assert flow.task is None


def test_differences_name_what_was_chosen() -> None:
    before = make_run(make_set("scan0"), "a")
    params = {"draws": 16, "brightness": "pixel", "tolerances": {}}
    first = replace(before, step="reconstruct-closed-loop", params={**before.params, **params})
    changed = {"draws": 4, "brightness": "uniform", "tolerances": {"tilt_deg": 1.0}}
    second = replace(first, params={**first.params, **changed}, info={**first.info, "given": {"start": "a"}})
    found = presenter.differences(first, second)
    assert found == ["random draws: 4", "brightness: uniform", "uncertainties", "start or brightness"]


def test_another_project_drops_a_stopped_fit_without_a_word(
    panel: ReconstructPanel, held: Session, qtbot: QtBot
) -> None:
    job = start(panel, held, qtbot)
    held.do(edits.remove_set(held.project, held.project.segment_set))
    job.best = result(stopped=True)
    count = len(held.messages.items)
    held.tasks.cancel_all()
    assert held.project.of_kind(Run) == ()
    assert len(held.messages.items) == count
