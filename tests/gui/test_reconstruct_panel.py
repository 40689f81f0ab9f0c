"""The reconstruct panel: what is missing, one run, a series of runs, and the table of runs."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learned_samples import small_unet, small_vft
from panel_samples import COLUMNS, PIXEL_NM, ROWS, detector, fill, make_run, make_set
from PySide6.QtTest import QTest

from eclips_app.cli import verify
from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Bias, presets
from eclips_app.core.emission import Emission
from eclips_app.core.steps import ClosedLoop, Learned, SaveProject, run_step
from eclips_app.gui.flows import reconstruct
from eclips_app.gui.flows.methods import METHODS, method_of_run
from eclips_app.gui.flows.readiness import changed_since, checklist, slope_limit_deg
from eclips_app.gui.panels.reconstruct import presenter
from eclips_app.gui.panels.reconstruct.view import ReconstructPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.io.project_file import read_project
from eclips_app.model.items import Run
from eclips_app.model.project import Project
from eclips_app.model.runs import Options, parameters, step_inputs
from eclips_app.model.runs import make_run as make_finished
from eclips_app.model.snapshot import from_state, state_of

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def held(held: Session) -> Session:
    """A session whose jobs the test answers itself, with the commands of reconstructions."""
    reconstruct.register(held)
    return held


@pytest.fixture
def panel(held: Session, qtbot) -> ReconstructPanel:
    made = ReconstructPanel(held)
    qtbot.addWidget(made)
    made.show()
    return made


def states(project: Project) -> dict[str, str]:
    return {check.key: check.state for check in checklist(project, project.segment_set)}


def arrays() -> dict[str, np.ndarray]:
    return {
        "height": np.zeros((ROWS, COLUMNS), np.float32),
        "residual": np.full((4, ROWS, COLUMNS), 3.0, np.float32),
        "mask": np.ones((ROWS, COLUMNS), bool),
    }


def test_slope_limit_is_the_lowest_take_off_angle() -> None:
    assert slope_limit_deg(detector()) == pytest.approx(45.0)
    assert slope_limit_deg(detector(outer_radius_mm=4.0)) == pytest.approx(math.degrees(math.atan2(8, 4)))
    # An axis offset brings the far rim lower: atan(8 / (8 + 2)).
    offset = math.degrees(math.atan2(8, 10))
    assert slope_limit_deg(detector(center_mm=(2.0, 0.0))) == pytest.approx(offset, abs=0.02)
    # A turn of 10 degrees about y brings the +x rim down by 10 degrees at a distance of 8 cos 10 from the axis.
    x, z = 8 * math.cos(math.radians(10)), 8 - 8 * math.sin(math.radians(10))
    assert slope_limit_deg(detector(tilt_deg=(0.0, 10.0))) == pytest.approx(math.degrees(math.atan2(z, x)), abs=0.02)


def test_the_method_is_told_with_the_flight_of_the_electrons() -> None:
    straight = detector()
    assert "fly straight. Exact for tilts below" in presenter.method_text(straight)
    assert presenter.method_text(replace(straight, bias=Bias())) == presenter.method_text(straight)
    biased = presenter.method_text(replace(straight, beam=Beam(15.0, 0.0), bias=Bias(-2000.0)))
    assert "follow the field of the bias" in biased
    assert "straight" not in biased


def test_checklist_names_what_is_missing(held: Session) -> None:
    project = held.project
    assert states(project) == {"images": "error", "detector": "error"}
    held.do(edits.set_detector(project, detector(), path="ring.json"))
    held.do(edits.add("Open", make_set(pixel_size_nm=None)))
    assert states(project)["pixel size"] == "error"
    assert project.segment_set is not None
    held.do(edits.change("Size", project.segment_set, pixel_size_nm=2.0))
    assert set(states(project).values()) == {"good", "warning"}
    held.do(edits.change("Fewer", project.segment_set, images=project.segment_set.images[:3]))
    assert "3 images, but the detector has 4 segments" in checklist(project, project.segment_set)[0].text


def test_typical_detector_is_told_from_a_measured_one(held: Session) -> None:
    typical = next(iter(presets().values()))
    held.do(edits.set_detector(held.project, typical))
    assert states(held.project)["detector"] == "warning"
    held.do(edits.set_detector(held.project, replace(typical, calibration={"date": "2026-01-01"})))
    assert states(held.project)["detector"] == "good"


def test_link_brings_up_the_panel_that_mends(panel: ReconstructPanel, held: Session, qtbot) -> None:
    with qtbot.waitSignal(held.panel_asked) as asked:
        qtbot.mouseClick(panel.checklist.row("detector").link, LEFT)
    assert asked.args == ["detector"]
    assert not panel.button.isEnabled()


def test_run_goes_from_button_to_table(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    qtbot.mouseClick(panel.button, LEFT)
    (job,) = held.jobs.jobs  # type: ignore[attr-defined]
    assert (job.step, job.params.pixel_size_nm, len(job.inputs["segments"])) == ("reconstruct-linear", 2.0, 4)
    job.progress(0.4, "integrating", 3.0)
    assert panel.progress.isVisible()
    assert not panel.button.isVisible()
    assert panel.progress.text.text() == "Reconstructing scan0: integrating, 3 s left"
    job.preview(np.zeros((30, 40), np.float32), pixel_size_nm=4.0)
    assert panel.preview.isVisible()
    job.done(arrays(), device="cpu", warnings=["Grey."], residual_rms_grey=3.0)
    run = held.project.run
    assert run is not None
    assert (run.set_id, run.name, run.input_sha256[0]) == ("scan0", "Live", "E" * 64)
    assert not run.arrays["height"].flags.writeable
    assert changed_since(run, held.project) == []
    assert panel.button.isVisible()
    assert not panel.preview.isVisible()
    assert panel.runs.model().rowCount() == 1
    assert "Grey." in panel.details.warnings.text()
    assert "3 grey values" in panel.details.facts.text()
    held.history.undo()
    assert held.project.run is None


def test_result_belongs_to_its_set_whatever_is_shown(panel: ReconstructPanel, held: Session) -> None:
    fill(held, sets=2, runs=0)
    reconstruct.flow_of(held).run()
    held.project.select(set_id="scan1")
    held.jobs.jobs[0].done(arrays())  # type: ignore[attr-defined]
    assert [run.set_id for run in held.project.of_kind(Run)] == ["scan0"]
    assert held.project.selection.set_id == "scan1"
    assert held.project.run is None


def test_result_of_removed_images_is_dropped_and_told(panel: ReconstructPanel, held: Session) -> None:
    fill(held, runs=0)
    reconstruct.flow_of(held).run()
    assert held.project.segment_set is not None
    held.do(edits.remove_set(held.project, held.project.segment_set))
    held.jobs.jobs[0].done(arrays())  # type: ignore[attr-defined]
    assert held.project.of_kind(Run) == ()
    assert "removed" in held.messages.items[-1].text


def test_stop_ends_the_series(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, sets=3, runs=0)
    reconstruct.flow_of(held).run_all()
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    assert len(jobs) == 1
    jobs[0].done(arrays())
    assert len(jobs) == 2
    assert "(2 of 3)" in panel.progress.text.text()
    qtbot.mouseClick(panel.progress.stop, LEFT)
    assert jobs[1].cancelled
    assert len(jobs) == 2
    assert [run.set_id for run in held.project.of_kind(Run)] == ["scan0"]


def test_series_leaves_out_what_is_not_ready(held: Session) -> None:
    fill(held, sets=3, runs=0)
    middle = held.project.of_kind(type(held.project.segment_set))[1]
    held.do(edits.change("Size", middle, pixel_size_nm=None))
    reconstruct.flow_of(held).run_all()
    for job in held.jobs.jobs:  # type: ignore[attr-defined]
        job.done(arrays())
    assert [run.set_id for run in held.project.of_kind(Run)] == ["scan0", "scan2"]
    assert any("scan1 is left out: Pixel size not known" in message.text for message in held.messages.items)


def test_run_without_images_says_so_and_shows_where(held: Session, qtbot) -> None:
    with qtbot.waitSignal(held.panel_asked) as asked:
        reconstruct.flow_of(held).run()
    assert asked.args == ["images"]
    assert held.messages.items[-1].kind == "warning"


def test_options_go_with_the_run(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    options = panel.options
    options.balance.setCurrentIndex(options.balance.findData("level"))
    options.balance.activated.emit(options.balance.currentIndex())
    options.integrator.setCurrentIndex(options.integrator.findData("wiener"))
    options.integrator.activated.emit(options.integrator.currentIndex())
    options.parallax.click()
    options.clip_high.setText("60000")
    qtbot.keyClick(options.clip_high, Qt.Key.Key_Return)
    qtbot.mouseClick(panel.button, LEFT)
    params = held.jobs.jobs[0].params  # type: ignore[attr-defined]
    assert (params.balance, params.scan_parallax, params.clip_high) == ("level", False, 60000.0)
    assert params.integrator == "wiener"


def test_integrator_other_than_least_squares_stands_with_a_live_run(held: Session) -> None:
    run = make_run(make_set(), "a")
    assert "Integrator" not in dict(presenter.facts(run))
    older = replace(run, params={name: value for name, value in run.params.items() if name != "integrator"})
    assert presenter.differences(older, run) == ["nothing"]
    assert (
        dict(presenter.facts(replace(run, params={**run.params, "integrator": "pinn"})))["Integrator"]
        == "Network (PINN)"
    )


def pick(combo: CalmCombo, data: str) -> None:
    """Choose an entry by the keyboard."""
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.findData(data)):
        QTest.keyClick(combo, Qt.Key.Key_Down)


def test_method_and_emission_go_with_the_run(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    held.do(edits.set_detector(held.project, detector(beam=Beam(10.0, 2.0))))
    choice = panel.choice
    assert choice.button("Live").isChecked()
    assert not choice.emission.isVisible()
    for name, quality in (("Standard", "standard"), ("Metrology", "metrology")):
        qtbot.mouseClick(choice.button(name), LEFT)
        assert choice.emission.isVisible()
        assert reconstruct.flow_of(held).options.fit.quality == quality
    assert not choice.material.isVisible()
    assert "twice the azimuths" in choice.text.text()
    assert "Exact forward model" in panel.method.text()
    pick(choice.emission, "tabulated")
    pick(choice.material, "Si")
    assert "10 keV" in choice.beam.text()
    qtbot.mouseClick(panel.button, LEFT)
    (job,) = held.jobs.jobs  # type: ignore[attr-defined]
    assert job.step == "reconstruct-closed-loop"
    assert isinstance(job.params, ClosedLoop)
    assert (job.params.quality, job.params.emission) == ("metrology", Emission("tabulated", "Si"))


def test_a_calibrated_emission_is_taken_unless_another_is_chosen(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    emission = {"model": "parametric", "material": "Cu", "coefficients": [0.1, 0.0, 0.2, 0.1, 0.0, 0.0]}
    calibration = {"method": "fit", "emission": emission}
    held.do(edits.set_detector(held.project, detector(calibration=calibration)))
    choice = panel.choice
    qtbot.mouseClick(choice.button("Standard"), LEFT)
    assert choice.emission.currentText() == "As calibrated"
    assert not choice.material.isVisible()
    qtbot.mouseClick(panel.button, LEFT)
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    assert jobs[0].params.emission.coefficients == (0.1, 0.0, 0.2, 0.1, 0.0, 0.0)
    jobs[0].cancel()
    pick(choice.emission, "lambert")
    qtbot.mouseClick(panel.button, LEFT)
    assert jobs[-1].params.emission == Emission()
    jobs[-1].cancel()
    held.do(edits.set_detector(held.project, detector(calibration={"method": "fit", "emission": {"model": "odd"}})))
    assert choice.emission.findText("As calibrated") < 0
    assert choice.emission.currentText() == "Cosine law (Lambert)"


def test_emission_of_a_material_asks_for_the_beam_energy(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    assert panel.button.isEnabled()
    qtbot.mouseClick(panel.choice.button("Standard"), LEFT)
    assert "counts as a point" in panel.method.text()
    pick(panel.choice.emission, "tabulated")
    assert not panel.button.isEnabled()
    assert not held.actions.action("reconstruct.run").isEnabled()
    with qtbot.waitSignal(held.panel_asked) as asked:
        qtbot.mouseClick(panel.checklist.row("emission").link, LEFT)
    assert asked.args == ["detector"]
    with qtbot.waitSignal(held.panel_asked):
        reconstruct.flow_of(held).run()
    assert "needs the beam energy" in held.messages.items[-1].text
    assert held.jobs.jobs == []  # type: ignore[attr-defined]
    qtbot.mouseClick(panel.choice.button("Live"), LEFT)  # which knows no beam
    assert panel.button.isEnabled()
    qtbot.mouseClick(panel.choice.button("Standard"), LEFT)
    held.do(edits.set_detector(held.project, detector(beam=Beam(15.0, 0.0))))
    assert panel.button.isEnabled()
    assert panel.choice.beam.text() == "For the detector's beam energy of 15 keV."


def closed_loop_run(run_id: str, quality: str, emission: Emission, **info: object) -> Run:
    linear = make_run(make_set("scan0"), run_id, info=info)
    params = ClosedLoop(detector(), PIXEL_NM, quality=quality, emission=emission)
    std = np.full((ROWS, COLUMNS), 0.25, np.float32)
    std[0] = np.nan
    return replace(
        linear, step="reconstruct-closed-loop", params=schema.dump(params), arrays={**linear.arrays, "height_std": std}
    )


def test_a_finished_fit_tells_its_facts(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    qtbot.mouseClick(panel.choice.button("Standard"), LEFT)
    for _ in range(2):
        qtbot.mouseClick(panel.button, LEFT)
        job = held.jobs.jobs[-1]  # type: ignore[attr-defined]
        job.progress(0.3, "step 2, chi-square 1.31", 9.0)
        assert "step 2, chi-square 1.31, 9 s left" in panel.progress.text.text()
        std = np.full((ROWS, COLUMNS), 0.25, np.float32)
        facts = {"chi2": 0.912, "inner_steps": [3, 5, 6], "smoothing": 12.34, "slope_std": 0.1, "chi2_median": 7.0}
        job.done({**arrays(), "height_std": std}, residual_rms_grey=3.0, **facts)
    assert [run.name for run in held.project.of_kind(Run)] == ["Standard", "Standard 2"]
    run = held.project.run
    assert run is not None
    assert run.step == "reconstruct-closed-loop"
    assert changed_since(run, held.project) == []
    told = dict(presenter.facts(run))
    assert (told["Method"], told["Emission"], told["χ²"], told["Steps"]) == ("Standard", "Lambert", "0.912", "3")
    assert told["Smoothing"] == "12.3"
    assert told["Height noise, median"] == "0.25 nm"
    assert not told.keys() & {"χ², median", "Slope noise"}  # those of the linear start
    assert "0.25 nm" in panel.details.facts.text()


def test_differences_name_method_and_emission() -> None:
    live = make_run(make_set("scan0"), "a")
    lambert, copper = Emission(), Emission("tabulated", "Cu")
    standard = closed_loop_run("b", "standard", lambert)
    fine = closed_loop_run("c", "metrology", copper)
    assert presenter.differences(live, standard) == ["method: Standard"]
    assert presenter.differences(standard, fine) == ["method: Metrology", "emission: Cu, table"]
    assert presenter.differences(standard, closed_loop_run("d", "standard", Emission(material="Si"))) == ["nothing"]
    clipped = make_run(make_set("scan0"), "f", clip_high=60000.0)
    assert presenter.differences(clipped, standard) == ["method: Standard", "high clip level: off"]
    assert presenter.differences(fine, live) == ["method: Live", "emission: Lambert"]
    parametric = closed_loop_run("e", "metrology", replace(copper, model="parametric"))
    assert presenter.differences(fine, parametric) == ["emission: Cu, parametric"]


def test_every_frame_of_a_series_gets_the_method_that_it_began_with(held: Session) -> None:
    fill(held, sets=2, runs=0)
    flow = reconstruct.flow_of(held)
    flow.set_options(Options(method="closed-loop"))
    flow.run_all()
    flow.set_options(Options())
    for job in held.jobs.jobs:  # type: ignore[attr-defined]
        assert job.step == "reconstruct-closed-loop"
        job.done(arrays())
    assert [(run.set_id, run.name) for run in held.project.of_kind(Run)] == [
        ("scan0", "Standard"),
        ("scan1", "Standard"),
    ]


def test_previews_finer_than_their_start_are_shown_whole(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=0)
    qtbot.mouseClick(panel.choice.button("Metrology"), LEFT)
    qtbot.mouseClick(panel.button, LEFT)
    job = held.jobs.jobs[0]  # type: ignore[attr-defined]
    for rows in (30, 60):
        job.preview(np.zeros((rows, 2 * rows), np.float32), pixel_size_nm=60.0 / rows)
        (left, right), (low, high) = panel.preview.box.viewRange()
        assert left < 0 < 2 * rows - 1 < right
        assert low < 0 < rows - 1 < high


def test_runs_of_all_methods_are_saved_loaded_and_made_again(tmp_path: Path) -> None:
    network, renderer = str(small_unet(tmp_path)), str(small_vft(tmp_path))
    images = make_set("scan0", crop=(0, 0, 24, 32))
    inputs = step_inputs(images)
    ring = detector(beam=Beam(10.0, 1.0))
    made = []
    for method in METHODS:
        fit = Learned(
            emission=Emission("tabulated", "Cu"), azimuths=8, draws=2, network=network, renderer_weights=renderer
        )
        options = method.chosen(Options(device="cpu", fit=fit))
        if method.is_learned:
            options = replace(options, fit=replace(options.fit, rounds=min(options.fit.rounds, 2)))
        params = replace(parameters(images, ring, options), scan_parallax=False)
        result = run_step(options.step, inputs, params, SilentContext())
        made.append(make_finished(images, options.step, params, result, 1.0, method.name))
    state, saved = state_of([images, *made])
    path = tmp_path / "all.eclips"
    run_step("save-project", saved, SaveProject(str(path), state), SilentContext())
    back = verify.run(argparse.Namespace(project=path), SilentContext())
    assert [each["run"] for each in back["runs"]] == [method.name for method in METHODS]
    assert back["identical"], back["runs"]
    loaded = [item for item in from_state(*read_project(path, SilentContext())).items if isinstance(item, Run)]
    assert [method_of_run(run).name for run in loaded] == [run.name for run in made]
    assert dict(presenter.facts(loaded[2]))["Emission"] == "Cu, table"


def test_changed_inputs_are_marked(panel: ReconstructPanel, held: Session) -> None:
    fill(held)
    run = held.project.run
    assert run is not None
    assert changed_since(run, held.project) == []
    held.do(edits.set_detector(held.project, detector(distance_mm=9.0)))
    frame = held.project.segment_set
    assert frame is not None
    held.do(edits.change("Swap", frame, images=frame.images[::-1], exclude=np.ones((ROWS, COLUMNS), bool)))
    assert changed_since(run, held.project) == ["images", "detector", "excluded areas"]
    assert "images, detector" in panel.details.stale.text()
    held.history.undo()
    held.history.undo()
    assert changed_since(run, held.project) == []
    assert not panel.details.stale.isVisible()


def test_table_stars_renames_compares_and_deletes(panel: ReconstructPanel, held: Session, qtbot) -> None:
    fill(held, runs=3)
    table, model = panel.runs, panel.runs.model()
    view = table.viewport()

    def click(row: int, column: int) -> None:
        qtbot.mouseClick(view, LEFT, pos=table.visualRect(model.index(row, column)).center())

    click(1, 2)
    assert held.project.selection.run_id == "scan0-1"
    click(2, 1)
    assert held.project.selection.run_id == "scan0-1"
    assert held.project.selection.compared_run_id == "scan0-2"
    click(0, 0)
    assert [run.starred for run in held.project.of_kind(Run)] == [True, False, False]
    model.setData(model.index(0, 2), "Best")
    assert held.project.of_kind(Run)[0].name == "Best"
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert [run.id for run in held.project.of_kind(Run)] == ["scan0-1", "scan0-2"]
    held.history.undo()
    assert len(held.project.of_kind(Run)) == 3


def test_differences_name_parameters_and_values() -> None:
    each = make_set()
    first = make_run(each, "a")
    assert presenter.differences(first, make_run(each, "b")) == ["nothing"]
    changed = make_run(each, "c", balance="level", scan_parallax=False)
    assert presenter.differences(first, changed) == ["segment gains: level", "scan parallax: off"]


def test_provenance_holds_parameters_and_hashes() -> None:
    text = presenter.provenance_text(make_run(make_set(), "a"))
    assert "E.tif" in text
    assert "W" * 64 in text
    assert '"pixel_size_nm": 2.0' in text


def test_engine_gives_a_flat_surface_for_even_images(session: Session, qtbot) -> None:
    panel = ReconstructPanel(session)
    qtbot.addWidget(panel)
    fill(session, runs=0)
    flow = reconstruct.flow_of(session)
    flow.set_options(replace(flow.options, scan_parallax=False))
    qtbot.mouseClick(panel.button, LEFT)
    qtbot.waitUntil(lambda: flow.task is None, timeout=90_000)
    run = session.project.run
    assert run is not None
    assert run.arrays["height"].shape == (ROWS, COLUMNS)
    assert np.ptp(run.arrays["height"]) < 0.05
    assert run.info["residual_rms_grey"] < 1.0
    assert run.duration_s > 0
    QtCore.QCoreApplication.sendPostedEvents()


def test_gains_are_levelled_as_long_as_the_detector_is_a_typical_one() -> None:
    segment_set, typical = make_set(), next(iter(presets().values()))
    measured = replace(typical, calibration=None)
    assert parameters(segment_set, typical, Options()).balance == "level"
    assert parameters(segment_set, measured, Options()).balance == "file"
    assert parameters(segment_set, typical, Options("file")).balance == "file"
