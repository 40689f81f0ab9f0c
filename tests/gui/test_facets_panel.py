"""The facets panel in the real window: facets of a height map, what is chosen, the crystal, the Wulff shape, results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panel_samples import HeldJobs, make_run, make_set
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.context import SilentContext
from eclips_app.core.crystal import PRESETS, Crystal
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.gui.flows import facets
from eclips_app.gui.flows.facets import FacetsFlow
from eclips_app.gui.panels.facets import presenter
from eclips_app.gui.panels.facets.view import FacetsPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.io.project_file import read_project, write_project
from eclips_app.jobs.job import Failed
from eclips_app.model.items import CrystalItem, FacetSet, HeightMap, Measurement
from eclips_app.model.snapshot import from_state, to_state

LEFT = Qt.MouseButton.LeftButton
SIZE, PIXEL_NM = 121, 2.0
MODIFIER = Qt.KeyboardModifier


def octagon() -> np.ndarray:
    """A flat top with four {110} and four {111} sides; [001] points to 17 degrees."""
    rows, columns = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    x, y = columns * PIXEL_NM, -rows * PIXEL_NM
    height = np.zeros((SIZE, SIZE))
    for turn in range(8):
        azimuth, tilt = np.radians(17.0 + 45.0 * turn), np.radians(54.7356 if turn % 2 else 45.0)
        away = x * np.cos(azimuth) + y * np.sin(azimuth)
        height = np.minimum(height, -(away - 60.0) * np.tan(tilt))
    return height + np.random.default_rng(0).normal(0, 0.2, height.shape)


def answer(session: Session) -> list[str]:
    """Do the jobs that wait, as the engine does; gives their steps."""
    jobs: Any = session.jobs
    assert isinstance(jobs, HeldJobs)
    done, jobs.jobs = jobs.jobs, []
    for job in done:
        result = run_step(job.step, job.inputs, job.params, SilentContext())
        job.done(result.arrays, **result.info)
    return [job.step for job in done]


@pytest.fixture
def panel(window: MainWindow, held: Session, qtbot: QtBot) -> FacetsPanel:
    """The panel with a height map of which nothing was found yet."""
    held.do(edits.add("Load", HeightMap("map", "Octagon", octagon(), (PIXEL_NM, PIXEL_NM))))
    held.actions.action("view.facets").trigger()
    made = window.panels["facets"].panel()
    assert isinstance(made, FacetsPanel)
    qtbot.waitUntil(lambda: made.is_settled and made.picture is not None)
    return made


@pytest.fixture
def found(panel: FacetsPanel, held: Session, qtbot: QtBot) -> FacetsPanel:
    """The panel with facets and their candidates."""
    qtbot.mouseClick(panel.find_button, LEFT)
    assert answer(held) == ["find-facets"]
    qtbot.waitUntil(lambda: panel.is_settled and flow(held).indexed is not None)
    return panel


def flow(session: Session) -> FacetsFlow:
    return facets.flow_of(session)


def side(session: Session, tilt: float) -> int:
    """Give a facet of this slope."""
    made = flow(session).found
    assert made is not None
    return next(n for n in made.numbers if abs(made.tilt(n, -1).quantity.value - tilt) < 1.0)


def click(panel: FacetsPanel, qtbot: QtBot, number: int, modifier: MODIFIER = MODIFIER.NoModifier) -> None:
    """Click the middle of a facet on the image."""
    found = facets.flow_of(panel._session).found
    assert found is not None
    column, row = found.facts[number]["spot_px"]
    scene = panel.image.box.mapViewToScene(QtCore.QPointF(column, row))
    qtbot.mouseClick(panel.image.viewport(), LEFT, modifier, panel.image.mapFromScene(scene))


def test_with_nothing_to_look_at_the_panel_says_what_to_do(window: MainWindow, held: Session) -> None:
    held.show_panel("facets")
    panel = window.panels["facets"].panel()
    assert isinstance(panel, FacetsPanel)
    assert panel.empty.isVisible()
    assert not held.actions.action("facets.find").isEnabled()


def test_facets_are_found_shown_and_undone(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    made = flow(held).found
    assert made is not None
    assert len(made) == 9
    assert found.readings.table.rowCount() == 9
    assert found.image.overlay.image is not None
    reference = flow(held).reference
    assert found.readings.table.item(reference - 1, 1).text() == "reference"
    number = side(held, 54.7)
    assert found.readings.table.item(number - 1, 1).text().startswith("54.")
    held.history.undo()
    assert flow(held).found is None
    assert found.readings.table.rowCount() == 0
    held.history.redo()
    qtbot.waitUntil(lambda: found.is_settled and found.readings.table.rowCount() == 9)


def test_a_click_selects_and_a_second_one_tells_the_angle(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    flat, steep = flow(held).reference, side(held, 45.0)
    click(found, qtbot, flat)
    assert flow(held).chosen == (flat,)
    click(found, qtbot, steep, MODIFIER.ShiftModifier)
    assert flow(held).chosen == (flat, steep)
    text = found.readings.between.text()
    assert f"Facets {flat} and {steep}" in text
    assert "external angle 135." in text or "external angle 134.9" in text
    assert found.readings.bar.isVisible()
    assert "Not stated" in found.readings.not_stated.text()
    picked = {index.row() + 1 for index in found.readings.table.selectionModel().selectedRows()}
    assert picked == {flat, steep}


def test_rows_of_the_table_and_poles_select_too(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    cell = found.readings.table.visualItemRect(found.readings.table.item(2, 1)).center()
    qtbot.mouseClick(found.readings.table.viewport(), LEFT, pos=cell)
    assert flow(held).chosen == (3,)
    made = flow(held).found
    assert made is not None
    qtbot.mouseClick(found.poles, LEFT, pos=found.poles.place(made.normals[5]).toPoint())
    assert flow(held).chosen == (5,)


def test_candidates_of_the_selected_facet_have_bars_that_add_up(found: FacetsPanel, held: Session) -> None:
    steep = side(held, 45.0)
    flow(held).choose(steep)
    found.tabs.setCurrentIndex(1)
    table = found.crystal.table
    assert table.item(0, 0).text() == "{110}"
    chances = [table.item(row, 1).data(Qt.ItemDataRole.UserRole) for row in range(table.rowCount())]
    assert sum(chances) == pytest.approx(1.0)
    assert "{100}" in found.crystal.orientation.text()
    assert "17." in found.crystal.orientation.text() or "16.9" in found.crystal.orientation.text()
    flow(held).choose(flow(held).reference)
    assert table.rowCount() == 0
    assert "reference" in found.crystal.heading.text()


def test_the_crystal_is_chosen_in_the_form_and_can_be_undone(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    form = found.crystal.form
    found.tabs.setCurrentIndex(1)
    form.lattice.setCurrentIndex(form.lattice.findData("Cu2O"))
    form.lattice.activated.emit(form.lattice.currentIndex())
    assert flow(held).crystal.lattice == PRESETS["Cu2O"]
    form.top.setText("111")
    form.top.editingFinished.emit()
    assert flow(held).crystal.top == (1, 1, 1)
    form.top.setText("what")
    form.top.editingFinished.emit()
    assert flow(held).crystal.top == (1, 1, 1)
    assert "is no plane" in form.top.toolTip()
    qtbot.waitUntil(lambda: found.is_settled)
    held.history.undo()
    held.history.undo()
    assert flow(held).crystal == Crystal()
    qtbot.waitUntil(lambda: found.is_settled)


def test_an_own_hexagonal_lattice_is_typed(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    form = found.crystal.form
    found.tabs.setCurrentIndex(1)
    form.lattice.setCurrentIndex(form.lattice.findData("hexagonal"))
    form.lattice.activated.emit(form.lattice.currentIndex())
    assert flow(held).crystal.lattice.gamma_deg == 120.0
    assert form.cell["c_nm"].isVisible()
    assert not form.cell["b_nm"].isVisible()
    form.cell["c_nm"].setText("0.4947 nm")
    form.cell["c_nm"].editingFinished.emit()
    assert flow(held).crystal.lattice.c_nm == pytest.approx(0.4947)
    assert flow(held).crystal.lattice.name == "own"
    qtbot.waitUntil(lambda: found.is_settled)


def test_another_reference_is_kept_in_the_project(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    combo = found.readings.reference
    combo.setCurrentIndex(combo.findData("-1"))
    combo.activated.emit(combo.currentIndex())
    assert flow(held).reference == -1
    steep = side(held, 45.0)
    flow(held).choose(steep)
    held.actions.action("facets.reference").trigger()
    assert held.project.of_kind(FacetSet)[0].reference == steep
    held.history.undo()
    assert flow(held).reference == -1
    qtbot.waitUntil(lambda: found.is_settled)


def test_the_wulff_shape_follows_the_energies(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    found.tabs.setCurrentIndex(2)
    assert answer(held) == ["wulff"]
    table = found.wulff.table
    assert [table.item(row, 2).text() for row in range(3)] == ["28.0 %", "44.1 %", "28.0 %"]
    assert "45.00°" in found.wulff.angles.text()
    table.item(0, 1).setText("0.5")
    assert flow(held).crystal.energies[0].energy == 0.5
    assert answer(held) == ["wulff"]
    assert table.item(0, 2).text() == "100.0 %"
    table.item(1, 0).setText("nonsense")
    assert table.item(1, 0).text() == "{110}"
    assert "is no plane" in held.messages.items[-1].text
    qtbot.mouseClick(found.wulff.add, LEFT)
    assert table.rowCount() == 4
    answer(held)
    qtbot.keyClick(found.wulff.view, Qt.Key.Key_Right)
    assert found.wulff.view.azimuth_deg == 30.0
    assert not found.wulff.view.grab().isNull()
    qtbot.waitUntil(lambda: found.is_settled)


def test_energies_without_a_shape_are_told_once(found: FacetsPanel, held: Session, qtbot: QtBot) -> None:
    found.tabs.setCurrentIndex(2)
    answer(held)
    found.wulff.table.item(1, 0).setText("010")  # equivalent to the first
    jobs: Any = held.jobs
    assert [job.step for job in jobs.jobs] == ["wulff"]
    job = jobs.jobs.pop()
    job.hear(Failed(job, EclipsError("the planes are equivalent")))
    assert not jobs.jobs  # it is not tried for ever
    assert flow(held).shape is None
    assert found.wulff.table.item(0, 2).text() == "–"
    held.history.undo()
    assert answer(held) == ["wulff"]
    assert found.wulff.table.item(1, 2).text() == "44.1 %"
    qtbot.waitUntil(lambda: found.is_settled)


def test_results_hold_facets_and_their_angle(found: FacetsPanel, held: Session) -> None:
    flat, steep = flow(held).reference, side(held, 54.7)
    flow(held).set_chosen((flat, steep))
    held.actions.action("facets.results").trigger()
    rows = held.project.of_kind(Measurement)
    assert [row.name for row in rows] == [f"Facet {flat}", f"Facet {steep}", f"Facets {flat}, {steep}"]
    slope = rows[1].values["Slope"]
    assert slope["value"] == pytest.approx(54.7356, abs=4 * slope["std"])
    assert slope["budget"][0]["part"] == "scatter"
    assert rows[1].values["P {111}"]["value"] > 90
    assert rows[2].values["Angle"]["value"] + rows[2].values["External angle"]["value"] == pytest.approx(180.0)
    held.history.undo()
    assert not held.project.of_kind(Measurement)
    flow(held).set_chosen(())
    flow(held).add_results()
    assert len(held.project.of_kind(Measurement)) == 9


def test_settings_reach_the_step_and_a_second_search_takes_the_place_of_the_first(
    found: FacetsPanel, held: Session, qtbot: QtBot
) -> None:
    before = held.project.of_kind(FacetSet)[0]
    area = found.fields["least_area_px"]
    area.setText("1500 px")
    area.editingFinished.emit()
    held.actions.action("facets.find").trigger()
    jobs: Any = held.jobs
    assert jobs.jobs[0].params.least_area_px == 1500
    answer(held)
    sets = held.project.of_kind(FacetSet)
    assert [each.id for each in sets] == [before.id]
    assert len(sets[0].info["facets"]) < len(before.info["facets"])
    qtbot.waitUntil(lambda: found.is_settled)


def test_facets_of_a_run_carry_its_deviations(window: MainWindow, held: Session, qtbot: QtBot) -> None:
    height = octagon()
    lean = np.broadcast_to(0.002 * np.arange(SIZE), height.shape).astype(np.float16)
    info = {"deviation_parts": [["geometry", "tilt_x_deg"]], "not_stated": ["emission"]}
    segment_set = make_set("scan")
    run = make_run(segment_set, "run", height, info)
    run.arrays["deviations"] = lean[None]
    held.do(edits.add("Open", segment_set, run))
    held.project.select(run_id="run")
    flow(held).find()
    answer(held)
    made = flow(held).found
    assert made is not None
    assert made.not_stated == ("emission",)
    tilt = made.tilt(side(held, 45.0), -1)
    assert {share.part for share in tilt.budget.shares} == {"geometry", "scatter"}
    values = facets.facet_values(made, side(held, 45.0), -1, {})
    assert {share["part"] for share in values["Slope"]["budget"]} == {"geometry", "scatter"}


def test_facets_and_crystal_are_saved_and_read_again(found: FacetsPanel, held: Session, tmp_path: Path) -> None:
    flow(held).set_crystal(Crystal(PRESETS["Cu2O"], (1, 1, 1), 12.0))
    state, arrays = to_state(held.project)
    assert any(key.startswith("facets/") for key in arrays)
    path = write_project(tmp_path / "octagon.eclips", state, arrays)
    read = from_state(*read_project(path))
    back = next(item for item in read.items if isinstance(item, FacetSet))
    saved = held.project.of_kind(FacetSet)[0]
    assert back.reference == saved.reference
    assert back.info["facets"] == saved.info["facets"]
    for name, array in saved.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
    crystal = next(item for item in read.items if isinstance(item, CrystalItem))
    assert crystal.crystal == flow(held).crystal


def test_facets_go_with_the_map_that_they_were_found_on(found: FacetsPanel, held: Session) -> None:
    from eclips_app.gui.flows import measure
    from eclips_app.gui.panels.profile.map_form import MapForm

    held.project.select(map_id="map")
    form = MapForm(held, measure.flow_of(held))
    form.remove.click()
    assert not held.project.of_kind(HeightMap)
    assert not held.project.of_kind(FacetSet)
    assert found.empty.isVisible()
    held.history.undo()
    assert flow(held).found is not None


def test_words_of_quantities() -> None:
    from eclips_app.core.units import Quantity

    assert presenter.quantity_words(Quantity(46.0312, "deg", 0.213)) == "46.03 ± 0.21°"
    assert presenter.quantity_words(Quantity(46.0312, "deg", None)) == "46.03°"
    assert presenter.quantity_words(Quantity(12.0, "nm", 13.0)) == "12 ± 13 nm"
    assert presenter.quantity_words(Quantity(float("nan"), "deg", 1.0)) == "–"
    assert presenter.area_words(84_760.0) == "0.08476 µm²"
    assert presenter.area_words(760.0) == "760 nm²"


def test_the_flow_alone_needs_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys, eclips_app.gui.flows.facets; assert not {'ase', 'wulffpack', 'scipy.spatial'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
