"""The calibration panel in the real window: observations, corrections by hand, fits, their history, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import calibration_samples as samples
import numpy as np
import pytest
from panel_samples import HeldJobs
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.calibration import FIXED, Facets, Indent, Observation, Sphere
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import read_detector
from eclips_app.core.emission import Emission
from eclips_app.core.steps import LoadProject, SaveProject, Simulate, run_step
from eclips_app.gui.flows.readiness import checklist
from eclips_app.gui.panels.calibration import handles
from eclips_app.gui.panels.calibration.parameter_table import FREE_, KNOWN, NAME, START, STD, VALUE
from eclips_app.gui.panels.calibration.places import AreaPlace, Place
from eclips_app.gui.panels.calibration.presenter import DONE, MISSING, STALE, number, steps
from eclips_app.gui.panels.calibration.view import CalibrationPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.model.calibration import PLAN_ID, heights_on_pixels, plan_of
from eclips_app.model.items import Calibration, CalibrationPlan, HeightMap
from eclips_app.model.project import Project
from eclips_app.model.runs import Options, parameters
from eclips_app.model.snapshot import fill, from_state, to_state

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(window: MainWindow, held: Session) -> CalibrationPanel:
    """The panel with a detector and the images of a sphere."""
    held.do(edits.set_detector(held.project, samples.start()))
    held.do(edits.add("Open", samples.sphere_set()))
    held.actions.action("view.calibration").trigger()
    found = window.panels["calibration"].panel()
    assert isinstance(found, CalibrationPanel)
    return found


Settle = Callable[..., None]


@pytest.fixture
def settle(panel: CalibrationPanel, held: Session, qtbot: QtBot) -> Settle:
    """Answer the steps until nothing is left to do."""
    jobs: HeldJobs = held.jobs  # type: ignore[assignment]

    def answer(**options: Any) -> None:
        def is_done() -> bool:
            waiting, jobs.jobs = [job for job in jobs.jobs if not job.cancelled], []
            for job in waiting:
                arrays, info = samples.found(job) if job.step == "find-reference" else samples.fitted(job, **options)
                job.done(arrays, **info)
            return panel.is_settled and not jobs.jobs

        qtbot.waitUntil(is_done)

    return answer


def lights(held: Session, panel: CalibrationPanel) -> dict[str, str]:
    return {step.key: step.light for step in steps(held.project, panel.flow.shown, is_fitting=False)}


def drag(panel: CalibrationPanel, qtbot: QtBot, start: handles.Point, end: handles.Point) -> None:
    """Drag on the image from one point (col, row) to another."""
    view = panel.object.view
    places = [view.mapFromScene(view.box.mapViewToScene(QtCore.QPointF(*point))) for point in (start, end)]
    qtbot.mousePress(view.viewport(), LEFT, pos=places[0])
    qtbot.mouseMove(view.viewport(), pos=places[1])
    qtbot.mouseRelease(view.viewport(), LEFT, pos=places[1])


def add_sphere(panel: CalibrationPanel, settle: Settle) -> None:
    menu = panel.tasks.add.menu()
    next(action for action in menu.actions() if action.text() == "Sphere").trigger()
    settle()


def fit(panel: CalibrationPanel, settle: Settle, qtbot: QtBot, **options: Any) -> Calibration:
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    settle(**options)
    assert panel.flow.shown is not None
    return panel.flow.shown


def test_without_images_the_panel_asks_for_them(window: MainWindow, held: Session) -> None:
    held.show_panel("calibration")
    found = window.panels["calibration"].panel()
    assert isinstance(found, CalibrationPanel)
    assert found.empty.isVisible()
    assert found.empty.button.text() == "Open images…"


def test_adding_a_sphere_finds_it_in_one_step_of_undo(panel: CalibrationPanel, held: Session, settle: Settle) -> None:
    assert lights(held, panel)["object"] == MISSING
    add_sphere(panel, settle)
    reference = panel.flow.selected
    assert reference is not None
    assert reference.observation.sphere.center_px == samples.CENTER  # type: ignore[union-attr]
    assert lights(held, panel)["object"] == DONE
    assert panel.object.text.text() == "A sphere was found"
    assert panel.object.view._mask.isVisible()
    row = panel.tasks.tree.observation(reference.id)
    assert row is not None
    assert row.text(0) == "Sphere: sphere"
    assert held.history.texts[-1] == "Add Sphere: sphere"
    held.history.undo()
    assert panel.flow.plan.references == ()


def test_a_drag_corrects_the_sphere_and_escape_gives_it_up(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    col, row = samples.CENTER[1], samples.CENTER[0]
    drag(panel, qtbot, (col + samples.RADIUS, row), (col + 20.0, row))
    settle()
    sphere = panel.flow.selected.observation.sphere  # type: ignore[union-attr]
    assert sphere.radius_px == pytest.approx(20.0, abs=0.6)  # type: ignore[union-attr]
    field = panel.object.form.fields[Place("sphere", "radius_px")]
    assert field.value == sphere.radius_px  # type: ignore[union-attr]
    steps_done = held.history.position
    view = panel.object.view
    place = view.mapFromScene(view.box.mapViewToScene(QtCore.QPointF(col, row)))
    qtbot.mousePress(view.viewport(), LEFT, pos=place)
    qtbot.mouseMove(view.viewport(), pos=place + QtCore.QPoint(30, 0))
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view.viewport(), LEFT, pos=place + QtCore.QPoint(30, 0))
    assert held.history.position == steps_done
    held.history.undo()
    assert panel.flow.selected.observation.sphere.radius_px == samples.RADIUS  # type: ignore[union-attr]


def test_find_again_forgets_what_was_corrected_but_not_what_was_typed(
    panel: CalibrationPanel, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    for name, text in (("radius_px", "12"), ("radius_nm", "0.06 um")):
        field = panel.object.form.fields[Place("sphere", name)]
        field.setText(text)
        field.editingFinished.emit()
        settle()
    qtbot.mouseClick(panel.object.search, LEFT)
    settle()
    sphere = panel.flow.selected.observation.sphere  # type: ignore[union-attr]
    assert (sphere.radius_px, sphere.radius_nm) == (samples.RADIUS, 60.0)  # type: ignore[union-attr]


def test_a_wrong_number_is_marked_and_nothing_changes(panel: CalibrationPanel, held: Session, settle: Settle) -> None:
    add_sphere(panel, settle)
    before = panel.flow.plan
    field = panel.object.form.fields[Place("sphere", "max_tilt_deg")]
    field.setText("85")
    field.editingFinished.emit()
    assert field.property("state") == "error"
    assert "20 to 72" in field.toolTip()
    assert panel.flow.plan == before


def test_areas_of_facets_are_drawn_moved_and_removed(panel: CalibrationPanel, settle: Settle, qtbot: QtBot) -> None:
    panel.flow.add("facets")
    settle()
    panel.object.draw.setChecked(True)
    drag(panel, qtbot, (60.0, 20.0), (90.0, 44.0))
    assert not panel.object.draw.isChecked()
    settle()
    facets = panel.flow.selected.observation.facets  # type: ignore[union-attr]
    assert facets.areas[0] == (5, 5, 15, 15)  # type: ignore[union-attr]
    np.testing.assert_allclose(facets.areas[1], (20, 60, 44, 90), atol=1)  # type: ignore[union-attr]
    assert facets.azimuths_deg == (90.0, 90.0)  # type: ignore[union-attr]
    azimuth = panel.object.form.fields[Place("facets", "azimuths_deg", 1)]
    azimuth.setText("-45")
    azimuth.editingFinished.emit()
    settle()
    assert panel.flow.selected.observation.facets.azimuths_deg == (90.0, -45.0)  # type: ignore[union-attr]
    end = panel.object.form.fields[AreaPlace(1, 2, (samples.ROWS, samples.COLUMNS))]
    end.setText("50")
    end.editingFinished.emit()
    settle()
    found = panel.flow.selected.observation.facets  # type: ignore[union-attr]
    assert (found.areas[1][2], found.azimuths_deg) == (50, (90.0, -45.0))  # type: ignore[union-attr]
    end.setText("97")
    end.editingFinished.emit()
    assert end.property("state") == "error"
    panel.object.form.changed.emit(handles.with_areas(panel.flow.selected.observation, facets.areas[1:]))  # type: ignore[union-attr]
    settle()
    assert len(panel.flow.selected.observation.facets.areas) == 1  # type: ignore[union-attr]


def test_the_corner_of_an_imprint_keeps_the_numbers_of_its_faces() -> None:
    observation = Observation(indent=Indent((50.0, 60.0), 20.0, 100.0))
    corner = handles.handles(observation)["corner"]
    assert corner == pytest.approx((60 + 20 * np.cos(np.deg2rad(145)), 50 - 20 * np.sin(np.deg2rad(145))))
    turned = handles.moved(observation, "corner", (60.0, 50.0 - 30.0), (100, 120))  # straight up: 90 degrees
    assert turned.indent.rotation_deg == pytest.approx(135.0)  # type: ignore[union-attr]
    assert turned.indent.radius_px == pytest.approx(30.0)  # type: ignore[union-attr]
    moved = handles.moved(observation, "center", (10.0, 12.0), (100, 120))
    assert moved.indent.center_px == (12.0, 10.0)  # type: ignore[union-attr]


def test_areas_stay_inside_the_image() -> None:
    observation = Observation(facets=Facets(((5, 5, 15, 15),), (90.0,)))
    assert handles.areas(handles.moved(observation, "0:center", (500.0, -50.0), (40, 60))) == ((0, 50, 10, 60),)
    assert handles.areas(handles.moved(observation, "0:br", (0.0, 0.0), (40, 60))) == ((5, 5, 9, 9),)
    assert handles.moved(observation, "0:tl", (0.0, 0.0), (40, 60)).facets.azimuths_deg == (90.0,)  # type: ignore[union-attr]


def test_what_is_missing_is_said_and_nothing_starts(panel: CalibrationPanel, held: Session, qtbot: QtBot) -> None:
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    assert panel.tasks.problem.text() == "Add images of an object of known shape."
    assert not held.jobs.jobs  # type: ignore[attr-defined]
    held.do(edits.change("Pixel size", samples.sphere_set(), pixel_size_nm=None))
    panel.flow.add("sphere")
    assert "pixel size" in panel.tasks.problem.text()
    assert lights(held, panel)["object"] == MISSING


def test_a_fit_is_kept_shown_and_can_be_undone(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(jobs) == 1)
    assert jobs[0].step == "calibrate"
    assert jobs[0].params.observations[0].acquisition["energy_kev"] == 10.0
    assert len(jobs[0].inputs["segments/0"]) == 4
    jobs[0].progress(0.4, "step 3", 5.0)
    assert panel.tasks.progress.isVisible()
    assert panel.tasks.fit.text() == "Stop"
    settle()
    (made,) = held.project.of_kind(Calibration)
    assert made.detector.distance_mm == pytest.approx(8.05)
    assert made.detector.calibration["date"] == made.created  # type: ignore[index]
    table = panel.results.table
    row = table.row_of("gain:E")
    assert (table.item(row, NAME).text(), table.item(row, VALUE).text()) == ("Gain E", "1.0500")
    assert table.item(row, STD).text() == "0.004"
    assert table.item(table.row_of("distance_mm"), STD).text() == "–"
    assert panel.results.quality.text() == "Calibration 1: model error 0.12 % of the signal; 1 warning"
    assert "1.05 for each degree of freedom" in panel.results.quality.toolTip()
    row_of_it = panel.tasks.tree.observation(panel.flow.plan.references[0].id)
    assert row_of_it is not None
    assert row_of_it.text(0) == "0.4 %  Sphere: sphere"
    assert "only their ratio" in panel.results.warnings.text()
    assert lights(held, panel) | {"dark": "", "flat": ""} == {
        "detector": DONE, "dark": "", "flat": "", "object": DONE, "fit": DONE, "check": DONE, "use": STALE
    }  # fmt: skip
    assert len(panel.results.curve.getPlotItem().listDataItems()) >= 3
    held.history.undo()
    assert held.project.of_kind(Calibration) == ()
    assert lights(held, panel)["fit"] == MISSING


def test_stopping_or_failing_keeps_what_there_was(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    plan = panel.flow.plan
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    qtbot.waitUntil(lambda: len(held.jobs.jobs) == 1)  # type: ignore[attr-defined]
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    assert jobs[0].cancelled
    assert panel.tasks.fit.text() == "Calibrate"
    jobs.clear()
    qtbot.mouseClick(panel.tasks.fit, LEFT)
    qtbot.waitUntil(lambda: len(jobs) == 1)
    from eclips_app.core.errors import EclipsError
    from eclips_app.jobs.job import Failed

    jobs[0].hear(Failed(jobs[0], EclipsError("the sphere is too small", hint="Take one of 50 px."), ""))
    assert "fit failed, nothing was changed: the sphere is too small" in panel.tasks.problem.text()
    assert held.messages.items[-1].text.startswith("Calibrating: the sphere is too small")
    assert panel.flow.plan == plan
    assert held.project.of_kind(Calibration) == ()


def test_the_table_frees_fixes_and_takes_what_is_known(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    table = panel.results.table
    table.item(table.row_of("distance_mm"), FREE_).setCheckState(Qt.CheckState.Checked)
    table.item(table.row_of("distance_mm"), KNOWN).setText("0.2")
    table.item(table.row_of("gain:E"), START).setText("1.1")
    table.item(table.row_of("gain:N"), FREE_).setCheckState(Qt.CheckState.Unchecked)
    chosen = {each.name: each for each in panel.flow.plan.parameters}
    assert (chosen["distance_mm"].mode, chosen["distance_mm"].std) == ("free", 0.2)
    assert chosen["gain:E"].value == 1.1
    assert chosen["gain:N"].mode == FIXED
    table.item(table.row_of("distance_mm"), KNOWN).setText("-3")
    assert panel.tasks.problem.text().startswith("Distance: -3 is out of range")
    assert table.item(table.row_of("distance_mm"), KNOWN).text() == "0.2"
    held.history.undo()
    assert "gain:N" not in {each.name for each in panel.flow.plan.parameters}
    qtbot.mouseClick(panel.results.automatic, LEFT)
    assert panel.flow.plan.parameters == ()


def test_what_changed_since_the_fit_makes_it_stale(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    fit(panel, settle, qtbot)
    segment_set = held.project.segment_set
    assert segment_set is not None
    held.do(edits.crop_images(held.project, segment_set, (0, 0, 90, 100)))
    assert (lights(held, panel)["object"], lights(held, panel)["fit"]) == (STALE, STALE)
    held.history.undo()
    assert lights(held, panel)["fit"] == DONE
    held.do(edits.set_detector(held.project, replace(samples.start(), distance_mm=9.0)))
    assert (lights(held, panel)["object"], lights(held, panel)["fit"]) == (STALE, STALE)


def test_one_can_step_back_to_an_earlier_calibration_and_use_it(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    first = fit(panel, settle, qtbot, off=0.05)
    assert "No earlier fit" in panel.changes.text.text()
    second = fit(panel, settle, qtbot, off=0.10)
    assert [second.name, panel.history.list.topLevelItemCount()] == ["Calibration 2", 2]
    assert panel.changes.text.text().startswith("rms: E ")
    assert len(panel.changes.views) == len(panel.residuals.views) == 4
    panel.history.list.setCurrentItem(panel.history.list.topLevelItem(0))
    qtbot.waitUntil(lambda: panel.flow.shown is first)
    assert panel.results.table.item(panel.results.table.row_of("gain:E"), VALUE).text() == "1.0500"
    qtbot.mouseClick(panel.history.use, LEFT)
    assert held.project.detector == first.detector
    assert panel.flow.plan.detector == samples.start()  # the next fit must not count these images twice
    assert lights(held, panel)["use"] == DONE
    assert lights(held, panel)["fit"] == DONE
    held.history.undo()
    assert held.project.detector == samples.start()
    assert panel.flow.plan.detector is None


def test_settings_names_and_deletion_of_calibrations(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    made = fit(panel, settle, qtbot)
    panel.flow.remove(panel.flow.plan.references[0].id)
    held.actions.action("calibration.settings").trigger()
    assert len(panel.flow.plan.references) == 1
    row = panel.history.list.topLevelItem(0)
    row.setText(0, "Sphere on copper")
    qtbot.waitUntil(lambda: held.project.of_kind(Calibration)[0].name == "Sphere on copper")
    qtbot.keyClick(panel.history.list, Qt.Key.Key_Delete)
    assert held.project.of_kind(Calibration) == ()
    held.history.undo()
    assert held.project.of_kind(Calibration)[0].id == made.id


def test_a_saved_project_opens_with_its_calibrations(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot, tmp_path: Path
) -> None:
    add_sphere(panel, settle)
    made = fit(panel, settle, qtbot)
    state, arrays = to_state(held.project)
    path = tmp_path / "calibrated.eclips"
    run_step("save-project", arrays, SaveProject(str(path), state), SilentContext())
    read = run_step("load-project", {}, LoadProject(str(path)), SilentContext())
    project = Project()
    fill(project, from_state(read.info["state"], read.arrays))
    (again,) = project.of_kind(Calibration)
    assert (again.name, again.created, again.detector, again.plan) == (
        made.name,
        made.created,
        made.detector,
        made.plan,
    )
    assert again.info["prints"] == made.info["prints"]
    np.testing.assert_array_equal(again.arrays["residual_0"], made.arrays["residual_0"])
    assert plan_of(project) == held.project.get(CalibrationPlan, PLAN_ID)
    assert {step.key: step.light for step in steps(project, again, is_fitting=False)} == lights(held, panel)


def test_detector_file_and_certificate_are_written(
    panel: CalibrationPanel,
    held: Session,
    settle: Settle,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_sphere(panel, settle)
    made = fit(panel, settle, qtbot)
    panel.files.save_detector(tmp_path / "new.json")
    qtbot.waitUntil(lambda: not panel.files.is_busy)
    assert read_detector(tmp_path / "new.json") == made.detector
    panel.files.save_detector(tmp_path / "nowhere" / "new.json")
    qtbot.waitUntil(lambda: not panel.files.is_busy)
    assert held.messages.items[-1].kind == "error"
    assert panel.tasks.problem.text() == held.messages.items[-1].text
    written = []
    module = type(
        "module", (), {"write_certificate": staticmethod(lambda path, detector: written.append((path, detector)))}
    )
    monkeypatch.setitem(__import__("sys").modules, "eclips_app.io.certificate", module)
    panel.files.write_certificate(tmp_path / "new.pdf")
    qtbot.waitUntil(lambda: not panel.files.is_busy)
    assert written == [(tmp_path / "new.pdf", made.detector)]


def test_other_conditions_are_warned_of(panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot) -> None:
    add_sphere(panel, settle)
    fit(panel, settle, qtbot)
    qtbot.mouseClick(panel.history.use, LEFT)
    assert "calibration" not in {check.key for check in checklist(held.project, held.project.segment_set)}
    images = tuple(
        replace(each, acquisition=replace(each.acquisition, energy_kev=15.0, working_distance_mm=9.5))
        for each in samples.sphere_set().images
    )
    held.do(edits.add("Open", samples.sphere_set("other", images=images)))
    held.project.select(set_id="other")
    check = next(each for each in checklist(held.project, held.project.segment_set) if each.key == "calibration")
    assert check.state == "warning"
    assert "15" in check.text
    assert "9.5" in check.text
    assert "15" in panel.results.warnings.text()


def test_the_emission_is_as_calibrated_unless_chosen_otherwise(panel: CalibrationPanel) -> None:
    emission = {"model": "parametric", "material": "Cu", "coefficients": [0.1, 0.0, 0.2, 0.1, 0.0, 0.0]}
    calibrated = replace(samples.start(), calibration={"method": "fit", "emission": emission})
    options = Options(method="closed-loop", as_calibrated=True)
    assert parameters(samples.sphere_set(), calibrated, options).emission.coefficients[0] == 0.1  # type: ignore[attr-defined]
    assert parameters(samples.sphere_set(), samples.start(), options).emission.model == "lambert"  # type: ignore[attr-defined]
    own = replace(options, as_calibrated=False)
    assert parameters(samples.sphere_set(), calibrated, own).emission.model == "lambert"  # type: ignore[attr-defined]


def test_height_maps_lie_on_the_pixels_of_the_images() -> None:
    height = np.add.outer(np.arange(20.0), 10 * np.arange(30.0))
    placed = HeightMap("m", "AFM", height, (4.0, 4.0), center_px=(50.0, 40.0))
    made = heights_on_pixels(placed, samples.sphere_set())
    assert made.shape == (samples.ROWS, samples.COLUMNS)
    assert made[40, 50] == pytest.approx(9.5 + 145.0)
    assert made[40, 52] - made[40, 50] == pytest.approx(10.0)
    assert np.isnan(made[0, 0])


def test_a_height_map_is_chosen_and_goes_with_the_search(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    panel.flow.add("heights")
    assert lights(held, panel)["object"] == MISSING
    held.do(edits.add("Open map", HeightMap("m", "AFM", np.zeros((40, 40)), (2.0, 2.0), center_px=(50.0, 40.0))))
    assert panel.object.form.maps.count() == 1
    panel.object.form.map_chosen.emit("m")
    qtbot.mouseClick(panel.object.search, LEFT)
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(jobs) == 1)
    assert jobs[0].inputs["heights"].shape == (samples.ROWS, samples.COLUMNS)
    settle()
    assert lights(held, panel)["object"] == DONE


def test_observations_are_made_of_the_images_that_are_chosen(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    assert not panel.tasks.sets.isVisible()
    held.do(edits.add("Open", samples.sphere_set("other")))
    assert panel.tasks.sets.isVisible()
    panel.tasks.sets.setCurrentIndex(1)
    panel.tasks.sets.activated.emit(1)
    add_sphere(panel, settle)
    reference = panel.flow.selected
    assert reference is not None
    assert reference.set_id == "other"
    row = panel.tasks.tree.observation(reference.id)
    assert row is not None
    row.setCheckState(0, Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: not panel.flow.plan.references[0].used)
    qtbot.keyClick(panel.tasks.tree, Qt.Key.Key_Delete)
    assert panel.flow.plan.references == ()


def test_the_detector_to_start_from_can_be_chosen(panel: CalibrationPanel, held: Session) -> None:
    menu = panel.tasks.detector.menu()
    preset = menu.actions()[-1]
    preset.trigger()
    assert panel.flow.plan.detector.name == preset.text()  # type: ignore[union-attr]
    assert panel.flow.plan.detector.beam == samples.start().beam  # type: ignore[union-attr]
    menu.actions()[0].trigger()
    assert panel.flow.plan.detector is None


def test_the_real_steps_take_what_the_panel_gives(panel: CalibrationPanel, held: Session, qtbot: QtBot) -> None:
    rows, columns = np.indices((80, 80))
    height = 2.0 * np.sqrt(np.maximum(60.0**2 - (rows - 40.0) ** 2 - (columns - 38.0) ** 2, 0.0))  # 120 nm, a cap of it
    params = Simulate(samples.start(), 2.0, dose=20000.0, grey_per_electron=1.5, azimuths=16, seed=3)
    images = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    whole = samples.sphere_set("cap")
    shown = tuple(replace(each, data=image) for each, image in zip(whole.images, images, strict=True))
    held.do(edits.add("Open", replace(whole, images=shown)))
    held.project.select(set_id="cap")
    sphere = Sphere(center_px=(40.0, 38.0), radius_px=60.0, radius_nm=120.0, radius_std_percent=0.2, max_tilt_deg=35.0)
    panel.flow.add("sphere")
    jobs: HeldJobs = held.jobs  # type: ignore[assignment]
    qtbot.waitUntil(lambda: len(jobs.jobs) == 1)
    jobs.jobs.clear()
    panel.flow.correct(panel.flow.plan.references[0].id, Observation(sphere=sphere))
    for step in ("find-reference", "calibrate"):
        if step == "calibrate":
            panel.flow.change_plan("Lambert", emission=Emission("lambert"))
            panel.flow.fit()
        qtbot.waitUntil(lambda: bool(jobs.jobs))
        (job,), jobs.jobs = jobs.jobs, []
        assert job.step == step
        inputs = {name: np.stack(array) if isinstance(array, list) else array for name, array in job.inputs.items()}
        result = run_step(job.step, inputs, job.params, SilentContext())
        job.done(result.arrays, **result.info)
    (made,) = held.project.of_kind(Calibration)
    assert made.info["observations"][0]["used"] > 10
    row = panel.results.table.row_of("gain:E")
    assert float(panel.results.table.item(row, VALUE).text()) == pytest.approx(1.0, abs=0.01)
    panel.tabs.setCurrentWidget(panel.residuals)
    assert len(panel.residuals.views) == 4


def test_the_calibration_is_asked_whether_it_can_be_right(
    panel: CalibrationPanel, held: Session, settle: Settle, qtbot: QtBot
) -> None:
    add_sphere(panel, settle)
    made = fit(panel, settle, qtbot)
    panel.history.check.click()
    (job,) = held.jobs.jobs  # type: ignore[attr-defined]
    assert (job.step, job.params.detector, job.params.emission.model) == (
        "check-calibration",
        made.detector,
        "parametric",
    )
    held.jobs.jobs.clear()  # type: ignore[attr-defined]
    monkey = pytest.MonkeyPatch()
    from eclips_app.metrology import calibration_check

    opinion = calibration_check.Opinion(
        "warning", "It may be off.", (
            calibration_check.Finding("flat", "good", "Level."), calibration_check.Finding("sum", "warning", "Too steep."),
        ),
    )  # fmt: skip
    monkey.setattr(calibration_check, "judge", lambda *_: opinion)
    job.done({})
    monkey.undo()
    qtbot.waitUntil(lambda: panel.tabs.currentWidget() is panel.check)
    assert panel.check.text.text() == "Calibration 1 and sphere: It may be off."
    assert panel.check.list.item(0).text() == "Sum over the segments: Too steep."
    held.project.select(set_id="")
    panel.flow.check_images()
    assert "pixel size" in panel.tasks.problem.text()


def test_a_small_window_shows_the_numbers_in_tabs(panel: CalibrationPanel, window: MainWindow, qtbot: QtBot) -> None:
    assert panel.tabs.count() == 3
    window.resize(900, 600)
    qtbot.waitUntil(lambda: panel.tabs.count() == 5)
    panel.tabs.setCurrentIndex(3)
    assert panel.results.table.isVisible()
    window.resize(1360, 860)
    qtbot.waitUntil(lambda: panel.tabs.count() == 3)
    assert panel.results.table.isVisible()


def test_numbers_have_the_digits_that_their_deviation_leaves() -> None:
    assert number(7.012345, 0.0123) == "7.012"
    assert number(123.456, 12.0) == "123"
    assert number(1.5) == "1.5"
    assert number(None) == "–"
    assert json.dumps(number(float("nan"))) == '"\\u2013"'
