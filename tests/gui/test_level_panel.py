"""The level panel: recipes, previews, areas and points drawn, applying and taking back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from panel_samples import COLUMNS, PIXEL_NM, ROWS, HeldJobs, fill, held_session
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.context import SilentContext
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.gui.flows import exact, levelling, measure
from eclips_app.gui.flows.levelling import LevelFlow
from eclips_app.gui.panels.levelling.view import LevelPanel
from eclips_app.gui.panels.profile.map_form import MapForm
from eclips_app.gui.session import Session
from eclips_app.model.items import HeightMap, ProfileLine, Run
from eclips_app.model.levelling import LEVELLING, is_levelled


@pytest.fixture
def held(qapp: object, tmp_path: Path) -> Session:
    made = held_session(tmp_path)
    measure.register(made)
    levelling.register(made)
    fill(made, runs=1)
    return made


@pytest.fixture
def panel(held: Session, qtbot: QtBot) -> LevelPanel:
    made = LevelPanel(held)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    with qtbot.waitExposed(made):
        made.show()
    return made


def answer(session: Session, qtbot: QtBot, text: str = "") -> None:
    """Let the step answer the job that waits, as the engine would."""
    jobs = session.jobs
    assert isinstance(jobs, HeldJobs)
    qtbot.waitUntil(lambda: any(job.step == "level" and not job.cancelled for job in jobs.jobs))
    for job in [job for job in jobs.jobs if job.step == "level" and not job.cancelled]:
        jobs.jobs.remove(job)
        result = run_step("level", job.inputs, job.params, SilentContext())
        job.done(result.arrays, **result.info)


def add_map(session: Session, map_id: str = "afm") -> HeightMap:
    rows, columns = np.mgrid[0:40, 0:50].astype(float)
    height = 0.5 * columns - 0.2 * rows + 9.0 * ((columns > 30) & (rows < 12))
    placed = HeightMap(map_id, map_id, height, (1.0, 2.0), center_px=(40.0, 30.0), rotation_deg=30.0)
    session.do(edits.add("Load", placed))
    session.project.select(map_id=map_id)
    return placed


def flow_of(panel: LevelPanel) -> LevelFlow:
    return panel.flow


def test_a_run_is_previewed_levelled_and_taken_back(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    run = held.project.run
    assert run is not None
    answer(held, qtbot)
    assert panel.took.text().startswith("Takes out: plane tilted by")
    np.testing.assert_allclose(panel.pair.after._data, 0, atol=1e-4)
    panel.apply.click()
    assert not panel.apply.isEnabled()  # while it runs
    answer(held, qtbot)
    made = held.project.run
    assert made is not None
    assert is_levelled(made)
    assert made.name == f"{run.name}, levelled"
    np.testing.assert_allclose(made.arrays["height"], 0, atol=1e-4)
    assert held.project.get(Run, run.id) is run  # untouched
    assert panel.already.text() == "Levelled already: Plane"
    assert flow_of(panel).recipe.steps == ()  # not to be taken a second time unawares
    held.history.undo()
    assert held.project.of_kind(Run) == (run,)
    assert held.project.run is run
    held.history.redo()
    assert [each.id for each in held.project.of_kind(Run)] == [run.id, made.id]


def test_a_map_keeps_its_raw_heights_and_gets_them_back(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    placed = add_map(held)
    levelling.flow_of(held).open_map()
    assert panel.target.currentData() == "afm"
    flow_of(panel).recipe.add("facet")
    flow_of(panel).recipe.select(0)
    flow_of(panel).recipe.remove()
    answer(held, qtbot)
    panel.apply.click()
    answer(held, qtbot)
    flat = held.project.get(HeightMap, "afm")
    assert flat is not None
    assert flat.raw is placed.height
    assert [step["kind"] for level in flat.levelling for step in level["steps"]] == ["facet"]
    ground = flat.height[20:, :]
    assert np.ptp(ground) < 1e-9
    assert panel.back.isVisible()
    panel.back.click()
    again = held.project.get(HeightMap, "afm")
    assert again is not None
    assert again.height is placed.height
    assert (again.raw, again.levelling) == (None, ())
    held.history.undo()
    held.history.undo()
    assert held.project.get(HeightMap, "afm") is placed


def test_steps_are_added_ordered_changed_and_taken_out(panel: LevelPanel) -> None:
    flow = flow_of(panel)
    panel.kind.show_data("rows")
    panel._on_add()
    panel.kind.show_data("scars")
    panel._on_add()
    assert [step.kind for step in flow.recipe.steps] == ["plane", "rows", "scars"]
    assert panel.form.kind == "scars"
    panel._on_up()
    assert [step.kind for step in flow.recipe.steps] == ["plane", "scars", "rows"]
    panel.steps.setCurrentRow(2)
    assert panel.form.kind == "rows"
    estimate = panel.form.choices["estimate"]
    degree = panel.form.numbers.fields["row_degree"]
    assert not degree.isEnabled()
    estimate.show_data("polynomial")
    estimate.activated.emit(estimate.currentIndex())
    assert degree.isEnabled()
    degree.setText("3")
    degree.editingFinished.emit()
    assert flow.recipe.steps[2].row_degree == 3
    assert panel.steps.item(2).text() == "3. Line by line (offset of a line polynomial, degree 3)"
    degree.setText("99")
    degree.editingFinished.emit()
    assert flow.recipe.steps[2].row_degree == 3
    for _ in range(3):
        flow.recipe.remove()
    assert flow.recipe.steps == ()
    assert not panel.apply.isEnabled()
    flow.recipe.add("steps")
    box = panel.form.checks["align_rows"]
    assert box.isChecked()
    box.click()
    assert flow.recipe.steps[0].align_rows is False


def test_three_points_are_clicked(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    flow = flow_of(panel)
    flow.recipe.add("three-points")
    flow.recipe.select(0)
    flow.recipe.remove()
    answer(held, qtbot)
    assert panel.problem.text() == "Step 1: click 3 more points on the left map."
    assert not panel.apply.isEnabled()
    for column, row in ((5.2, 5.4), (70.0, 8.0), (30.0, 50.0)):
        panel.pair.before.clicked.emit(column, row)
    assert flow.recipe.steps[0].points_px == ((5, 5), (70, 8), (30, 50))
    answer(held, qtbot)
    assert panel.problem.text() == ""
    np.testing.assert_allclose(panel.pair.after._data, 0, atol=1e-3)
    panel.pair.before.clicked.emit(1.0, 1.0)  # a fourth begins anew
    assert flow.recipe.steps[0].points_px == ((1, 1),)


def test_areas_are_drawn_left_out_and_forgotten(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    add_map(held)
    levelling.flow_of(held).open_map()
    panel.area.click()
    panel.pair.before.clicked.emit(31.0, 0.0)
    assert flow_of(panel).recipe.areas == ()
    panel.pair.before.clicked.emit(49.0, 11.0)
    assert not panel.area.isChecked()
    assert flow_of(panel).recipe.steps[0].area == "exclude"
    assert panel.areas_text.text() == "1 area drawn"
    answer(held, qtbot)
    after = panel.pair.after._data
    assert after is not None
    assert np.ptp(after[20:]) < 1e-4  # the bump did not tilt the plane
    panel.clear.click()
    assert (flow_of(panel).recipe.areas, flow_of(panel).recipe.steps[0].area) == ((), "all")
    answer(held, qtbot)
    assert np.ptp(panel.pair.after._data[20:]) > 0.5


def test_shapes_of_the_project_become_areas_where_they_lie_on_the_map(panel: LevelPanel, held: Session) -> None:
    flow = flow_of(panel)
    panel.shapes.click()
    assert flow.recipe.areas == ()  # nothing is drawn, and so it was told
    held.do(edits.add("Draw", ProfileLine("p", "Area", (10.0, 20.0), (30.0, 40.0), kind="rectangle")))
    panel.shapes.click()
    assert flow.recipe.areas[0].points_px == ((10.0, 20.0), (30.0, 20.0), (30.0, 40.0), (10.0, 40.0))
    flow.recipe.clear_areas()
    placed = add_map(held)
    flow.open_map()
    panel.shapes.click()
    from eclips_app.metrology.profile import image_to_map

    columns, rows = image_to_map(placed, np.array([10.0]), np.array([20.0]), PIXEL_NM)
    assert flow.recipe.areas[0].points_px[0] == pytest.approx((columns[0], rows[0]))


def test_areas_do_not_stay_for_a_map_of_another_size(panel: LevelPanel, held: Session) -> None:
    flow = flow_of(panel)
    flow.recipe.add_areas(Shape("rectangle", ((1, 1), (5, 5))))
    add_map(held)
    flow.open_map()
    assert flow.recipe.areas == ()
    assert flow.recipe.steps[0].area == "all"


def test_what_is_not_possible_is_told_beside_the_preview(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    answer(held, qtbot)
    flow_of(panel).recipe.change(area="include")
    jobs = held.jobs
    assert isinstance(jobs, HeldJobs)
    qtbot.waitUntil(lambda: bool(jobs.jobs))
    from eclips_app.core.errors import EclipsError
    from eclips_app.jobs.job import Failed

    job = jobs.jobs.pop()
    with pytest.raises(EclipsError) as problem:
        run_step("level", job.inputs, job.params, SilentContext())
    job.hear(Failed(job, problem.value, ""))
    assert "no areas are given" in panel.problem.text()
    assert panel.problem.isVisible()


def test_a_map_that_was_changed_meanwhile_is_not_overwritten(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    placed = add_map(held)
    flow_of(panel).open_map()
    answer(held, qtbot)
    panel.apply.click()
    held.do(edits.change("Move", placed, center_px=(1.0, 2.0)))
    answer(held, qtbot)
    moved = held.project.get(HeightMap, "afm")
    assert moved is not None
    assert moved.center_px == (1.0, 2.0)
    assert moved.raw is None
    assert panel.apply.isEnabled()


def test_hidden_panels_ask_for_nothing(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    answer(held, qtbot)
    panel.hide()
    flow_of(panel).recipe.add("facet")
    qtbot.wait(250)
    jobs = held.jobs
    assert isinstance(jobs, HeldJobs)
    assert jobs.jobs == []


def test_without_anything_to_level_it_says_what_to_do(held: Session, qtbot: QtBot) -> None:
    held.replace_project([], None)
    made = LevelPanel(held)
    qtbot.addWidget(made)
    assert made.pages.currentWidget() is made.empty


def test_the_profile_panel_leads_here_and_maps_are_exported(
    held: Session, qtbot: QtBot, tmp_path: Path, monkeypatch
) -> None:
    placed = add_map(held)
    form = MapForm(held, measure.flow_of(held))
    qtbot.addWidget(form)
    form.refresh()
    with qtbot.waitSignal(held.panel_asked) as asked:
        form.level.click()
    assert asked.args == ["levelling"]
    assert levelling.flow_of(held).target is placed
    path = tmp_path / "afm.sur"
    monkeypatch.setattr(held, "ask_save_file", lambda *_: path)
    held.actions.action("level.export_map").trigger()
    jobs = held.jobs
    assert isinstance(jobs, HeldJobs)
    job = next(job for job in jobs.jobs if job.step == "export")
    run_step("export", job.inputs, job.params, SilentContext())
    read = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext())
    np.testing.assert_allclose(read.arrays["height"], placed.height, atol=1e-5)
    assert read.info["pixel_size_nm"] == pytest.approx([1.0, 2.0])


def test_the_preview_has_the_sizes_of_the_map(panel: LevelPanel, held: Session, qtbot: QtBot) -> None:
    answer(held, qtbot)
    data = panel.pair.before._data
    assert data is not None
    assert data.shape == (ROWS, COLUMNS)
    assert panel.pair.before._pixel_size_nm == PIXEL_NM
    assert panel.is_settled


def test_the_images_are_not_asked_about_levelled_heights(held: Session) -> None:
    run = held.project.run
    assert run is not None
    levelled = replace(run, id="flat", step="reconstruct-closed-loop", info={**run.info, LEVELLING: []})
    held.do(edits.add("Level", levelled))
    assert "Levelled heights" in exact.flow_of(held).hindrance("flat")
