"""The Simulate panel: sliders and what follows them, surfaces, the angles of a pixel, and what becomes of the images."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from instant_engine import Engine, settle
from panel_samples import Submitted, detector, fill
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.detector import presets
from eclips_app.core.emission import materials
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen, surface_parameters
from eclips_app.core.steps import ReadHeightMap
from eclips_app.gui.actions import ActionRegistry
from eclips_app.gui.app import make_window
from eclips_app.gui.flows import simulate, simulation
from eclips_app.gui.flows.live_images import LiveImages
from eclips_app.gui.panels.simulate.view import SimulatePanel
from eclips_app.gui.qt import Qt, QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.jobs.job import Failed
from eclips_app.model.items import HeightMap, SegmentSet

LEFT = Qt.MouseButton.LeftButton
SIZE = 320  #: more than the longest edge of a coarse picture


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def held(qapp: object, tmp_path: Path, engine: Engine) -> Session:
    made = Session(Settings(tmp_path / "settings.ini"), engine)  # type: ignore[arg-type]
    made.theme.apply()
    simulate.register(made)
    return made


@pytest.fixture
def panel(held: Session, engine: Engine, qtbot: QtBot) -> SimulatePanel:
    flow = simulate.flow_of(held)
    flow.setup = simulation.Setup(specimen=Specimen("vickers", SIZE, SIZE, 10.0, 1))
    for live in (flow.live, flow.reach):
        live.findChild(QtCore.QTimer).setInterval(10)
    made = SimulatePanel(held)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    with qtbot.waitExposed(made):
        made.show()
    settle(made, engine, qtbot)
    return made


def test_the_panel_opens_with_full_images_of_every_segment(panel: SimulatePanel, engine: Engine) -> None:
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.is_full
    assert frame.segments.shape == (4, SIZE, SIZE)
    assert [pane.title[0] for pane in panel.images.panes] == [s.name for s in frame.wish.detector.quadrants]
    assert panel.use.isEnabled()
    assert panel.status.text().startswith(f"{SIZE} × {SIZE} px")
    assert f"{SIZE} × {SIZE} px" in panel.surface.facts.text()


def test_a_slider_sends_coarse_pictures_one_at_a_time_and_the_newest_wins(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    slider = panel.microscope.sliders["distance_mm"].slider
    for place in (100, 150, 200, 250):
        slider.setValue(place)
    first = [job for job in engine.jobs if job.step == "simulate"]
    assert len(first) == 1  # the other three wait for it
    assert first[0].params.draft
    assert max(first[0].inputs["height"].shape) <= 256
    engine.answer("simulate")
    second = [job for job in engine.jobs if job.step == "simulate"]
    newest = panel.microscope.sliders["distance_mm"].track.value(250 / 400)
    assert [job.params.detector.distance_mm for job in second] == [newest]
    frame = panel.flow.live.frame
    assert frame is not None
    assert not frame.is_full
    assert frame.segments.shape[1] * frame.factor <= SIZE
    settle(panel, engine, qtbot)
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.is_full
    assert not frame.params.draft
    assert frame.params.detector.distance_mm == newest


def test_a_full_picture_on_its_way_is_given_up_when_a_slider_moves(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    slider = panel.microscope.sliders["tilt_deg.0"].slider
    slider.setValue(230)
    engine.answer()
    qtbot.waitUntil(lambda: any(not job.params.draft for job in engine.jobs if job.step == "simulate"))
    full = next(job for job in engine.jobs if job.step == "simulate")
    assert panel.bar.isVisible()
    full.progress(0.5, "rendering", 1.0)
    assert panel.bar.value() == 500
    slider.setValue(240)
    assert full.cancelled
    assert not panel.bar.isVisible()
    settle(panel, engine, qtbot)
    assert panel.flow.live.frame is not None
    assert panel.flow.live.frame.is_full


def test_typed_values_are_taken_and_can_be_taken_back(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    row = panel.microscope.sliders["distance_mm"]
    base = panel.flow.base.distance_mm
    row.field.selectAll()
    qtbot.keyClicks(row.field, "12500um")
    qtbot.keyClick(row.field, Qt.Key.Key_Return)
    assert dict(panel.flow.setup.changes) == {"distance_mm": 12.5}
    assert row.slider.value() == round(400 * row.track.place(12.5))
    assert row.reset.isVisible()
    qtbot.mouseClick(row.reset, LEFT)
    assert panel.flow.setup.changes == ()
    assert row.field.value == base
    shown = row.field.text()
    row.field.selectAll()
    qtbot.keyClicks(row.field, "wide")
    qtbot.keyClick(row.field, Qt.Key.Key_Return)
    assert "is not a length" in row.field.toolTip()
    assert panel.flow.setup.changes == ()
    qtbot.keyClick(row.field, Qt.Key.Key_Escape)
    assert row.field.text() == shown
    assert not row.reset.isVisible()
    row.slider.setFocus()
    qtbot.keyClick(row.slider, Qt.Key.Key_Right)
    assert row.field.value is not None
    assert row.field.value > base
    settle(panel, engine, qtbot)


def test_a_beam_that_cannot_land_is_told_and_the_panel_goes_on(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.change_detector("beam.energy_kev", 2.0)
    panel.flow.change_detector("bias.specimen_v", -5000.0)
    engine.answer()  # the picture asked for before comes too late to matter
    assert "turns a beam of 2 keV back" in panel.problem.text()
    assert panel.problem.isVisible()
    assert not panel.use.isEnabled()
    panel.flow.change_detector("bias.specimen_v", -500.0)
    settle(panel, engine, qtbot)
    assert not panel.problem.isVisible()
    assert panel.use.isEnabled()


def test_a_failure_of_the_engine_is_shown_in_the_panel_alone(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.change_detector("distance_mm", 5.0)
    job = next(job for job in engine.jobs if job.step == "simulate")
    engine.jobs.remove(job)
    job.hear(Failed(job, EclipsError("no segment can be reached")))  # type: ignore[arg-type]
    assert panel.problem.text() == "No segment can be reached"
    assert not [message for message in held.messages.items if message.kind == "error"]
    panel.flow.change_detector("distance_mm", 6.0)
    settle(panel, engine, qtbot)
    assert not panel.problem.isVisible()


def test_surfaces_have_sliders_of_their_own(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    for kind in ("grating", "rough"):
        row = panel.surface.choice.findData(f"made:{kind}")
        panel.surface.choice.setCurrentIndex(row)
        panel.surface.choice.activated.emit(row)
        assert panel.flow.setup.specimen.kind == kind
        shown = [name for name, slider in panel.surface.shape.items() if slider.slider.isVisible()]
        assert sorted(shown) == sorted(surface_parameters(kind))
    roughness = panel.surface.shape["rms_slope"]
    roughness.moved.emit(0.5)
    assert panel.flow.setup.specimen.rms_slope == 0.5
    assert roughness.reset.isVisible()
    roughness.reset.click()
    assert panel.flow.setup.specimen.rms_slope is None
    assert roughness.field.value == 0.3
    panel.flow.choose_pixel((200, 300))
    panel.surface.edge.setCurrentIndex(0)
    panel.surface.edge.activated.emit(0)
    settle(panel, engine, qtbot)
    assert panel.flow.pixel == (80, 120)  # the same place of the smaller surface
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.segments.shape == (4, 128, 128)


def test_a_click_shows_the_angles_and_arrows_move_the_pixel(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    pane = panel.images.panes[0]
    place = pane.mapFromScene(pane.box.mapViewToScene(QtCore.QPointF(150.0, 200.0)))
    qtbot.mouseClick(pane.viewport(), LEFT, pos=place)
    settle(panel, engine, qtbot)
    assert panel.flow.pixel is not None
    row, column = panel.flow.pixel
    assert abs(row - 200) <= 3
    assert abs(column - 150) <= 3
    pane.setFocus()
    qtbot.keyClick(pane, Qt.Key.Key_Right)
    qtbot.keyClick(pane, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert panel.flow.pixel == (row - 10, column + 1)
    settle(panel, engine, qtbot)
    angles = panel.flow.live.angles
    assert angles is not None
    assert (angles.info["row"], angles.info["column"]) == (row - 10, column + 1)
    assert f"Column {column + 1}, row {row - 10}: height 12.5 nm, tilt 26.6° toward 180°" in panel.angles.where.text()
    assert [panel.angles.table.item(1, c).text() for c in range(3)] == ["N", "460", "210"]
    assert panel.angles.table.item(4, 3).text() == "86.4 %"
    assert "81.0 % of the half space" in panel.angles.exposed.text()
    panel.angles.table.selectRow(1)
    assert panel.angles.shown == 1
    panel.angles.table.selectRow(4)
    assert panel.angles.shown is None


def test_angles_follow_a_slider_at_the_same_place_of_the_coarse_surface(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.choose_pixel((250, 200))
    settle(panel, engine, qtbot)
    panel.flow.change_detector("distance_mm", 5.0)
    assert panel.flow.live.frame is not None
    job = next(job for job in engine.jobs if job.step == "visibility")
    frame_job = next(job for job in engine.jobs if job.step == "simulate")
    factor = round(frame_job.params.pixel_size_nm / 10.0)
    assert factor > 1
    assert (job.params.row, job.params.column) == (250 // factor, 200 // factor)
    settle(panel, engine, qtbot)
    assert panel.flow.live.angles is not None
    assert panel.flow.live.angles.info["row"] == 250


def test_the_vision_field_is_told_and_drawn_around_the_pixel(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    shown = panel.angles.field
    relief_px = 0.5 * (SIZE - 1)
    assert shown.values.text() == "399 nm, 40 px\n3.19 µm, 319 px"
    assert shown.values.isEnabled()
    assert shown.warning.text().startswith("Not a random surface: 50.0 % of the lowest directions are hidden")
    drawn = panel.images.panes[1].box.childGroup.childItems()
    circles = [item for item in drawn if isinstance(item, QtWidgets.QGraphicsEllipseItem)]
    assert not any(circle.isVisible() for circle in circles)
    panel.flow.choose_pixel((50, 60))
    settle(panel, engine, qtbot)
    assert [circle.isVisible() for circle in circles] == [True, True]
    assert [circle.rect().width() / 2 for circle in circles] == pytest.approx([0.25 * relief_px, 2.0 * relief_px])
    assert circles[0].pos() == QtCore.QPointF(60.0, 50.0)
    panel.flow.choose_specimen(pixel_size_nm=5.0)
    assert not shown.values.isEnabled()  # of the surface before
    settle(panel, engine, qtbot)
    assert shown.values.isEnabled()
    assert shown.values.text() == "199 nm, 40 px\n1.59 µm, 319 px"
    assert not shown.warning.isVisibleTo(shown)


def test_the_vision_field_gives_way_and_a_failure_of_it_stays_there(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    def asked() -> list[Submitted]:
        engine.answer("simulate")
        return [job for job in engine.jobs if job.step == "vision-field" and not job.cancelled]

    panel.flow.change_detector("distance_mm", 5.0)
    qtbot.waitUntil(lambda: bool(asked()))
    (first,) = asked()
    panel.flow.choose_pixel((50, 60))
    assert first.cancelled
    engine.answer("visibility")
    qtbot.waitUntil(lambda: bool(asked()))
    (second,) = asked()
    assert second.params == first.params
    second.hear(Failed(second, EclipsError("electrons leave along the surface")))  # type: ignore[arg-type]
    assert panel.angles.field.warning.text() == "Electrons leave along the surface"
    assert panel.angles.field.values.text() == "–\n–"
    assert panel.problem.text() == ""
    assert panel.use.isEnabled()
    panel.flow.choose(dose=77.0)  # changes nothing of it
    settle(panel, engine, qtbot)
    assert panel.flow.reach.is_current
    assert panel.angles.field.warning.text() == "Electrons leave along the surface"
    panel.hide()
    assert panel.flow.reach.is_settled


def test_images_enter_the_project_with_detector_and_truth_and_leave_it_again(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.change_detector("distance_mm", 5.0)
    settle(panel, engine, qtbot)
    qtbot.mouseClick(panel.use, LEFT)
    qtbot.waitUntil(lambda: held.project.segment_set is not None)
    segment_set = held.project.segment_set
    assert segment_set is not None
    assert segment_set.name == "Simulated Vickers indent"
    assert segment_set.pixel_size_nm == 10.0
    assert segment_set.clip_high == 65535.0
    assert len(segment_set.images) == 4
    assert not segment_set.images[0].data.flags.writeable
    assert held.project.detector is not None
    assert held.project.detector.distance_mm == 5.0
    assert not held.project.detector.is_typical
    truth = held.project.get(HeightMap, held.project.selection.map_id)
    assert truth is not None
    assert truth.height.shape == (SIZE, SIZE)
    assert float(np.mean(truth.height)) == pytest.approx(0.0, abs=1e-2)
    assert truth.center_px == (159.5, 159.5)
    assert held.history.texts == ("Use Simulated Vickers indent",)
    panel.flow.use()
    qtbot.waitUntil(lambda: len(held.project.of_kind(SegmentSet)) == 2)
    assert held.project.segment_set is not None
    assert held.project.segment_set.name == "Simulated Vickers indent 2"
    assert len(held.project) == 5  # one detector alone
    assert panel.microscope.choice.currentText().startswith("Project: ")
    held.history.go_to(0)
    assert len(held.project) == 0
    assert not panel.microscope.choice.currentText().startswith("Project: ")
    settle(panel, engine, qtbot)


def test_images_that_are_not_rendered_yet_are_rendered_first(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.watch(False)
    panel.flow.choose(dose=123.0)
    panel.flow.use()
    jobs = engine.answer("simulate")
    assert [job.params.dose for job in jobs] == [123.0]
    assert jobs[0].inputs["height"].shape == (SIZE, SIZE)
    qtbot.waitUntil(lambda: held.project.segment_set is not None)


def test_images_are_saved_as_a_stack(
    panel: SimulatePanel, held: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    import tifffile

    chosen = tmp_path / "sim"
    monkeypatch.setattr(held, "ask_save_file", lambda *_: chosen)
    qtbot.mouseClick(panel.save, LEFT)
    path = tmp_path / "sim.tif"
    qtbot.waitUntil(lambda: bool(held.messages.items))
    assert held.messages.items[-1].kind == "good"
    assert tifffile.imread(path).shape == (4, SIZE, SIZE)
    chosen = tmp_path / "nowhere" / "sim.tif"
    panel.save.click()
    qtbot.waitUntil(lambda: held.messages.items[-1].kind == "error")


def test_surfaces_of_the_project_can_be_simulated(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot
) -> None:
    fill(held)
    settle(panel, engine, qtbot)
    assert panel.microscope.choice.currentText() == "Project: Ring"
    panel.flow.choose_pixel((200, 300))
    place = panel.surface.choice.findData("scan0-0")
    assert panel.surface.choice.itemText(place) == "scan0: scan0-0"
    panel.surface.choice.setCurrentIndex(place)
    panel.surface.choice.activated.emit(place)
    settle(panel, engine, qtbot)
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.segments.shape[1:] == (60, 80)
    assert panel.flow.pixel == (59, 79)  # the nearest on a smaller surface
    assert frame.terrain.pixel_size_nm == 2.0
    assert not panel.surface.edge.isVisible()
    assert panel.shown.isVisible()  # there are images to compare with
    panel.shown.setCurrentIndex(1)
    panel.shown.activated.emit(1)
    assert panel.images.panes[2].value_at(5, 7) == 1000.0
    panel.shown.setCurrentIndex(2)
    panel.shown.activated.emit(2)
    assert panel.status.text().startswith("Differs by")
    run = held.project.run
    assert run is not None
    held.do(edits.remove("Remove", [run]))
    settle(panel, engine, qtbot)
    assert panel.flow.setup.is_made
    assert panel.surface.edge.isVisible()
    assert not panel.shown.isVisible()


def test_a_height_map_file_is_read_and_simulated(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    panel.flow.read_height_map(ReadHeightMap(str(tmp_path / "afm.gwy")))
    job = engine.jobs.pop()
    assert job.step == "read-height-map"
    job.done({"height": np.zeros((40, 50))}, pixel_size_nm=[4.0, 2.0], name="afm")
    settle(panel, engine, qtbot)
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.terrain.pixel_size_nm == 2.0
    assert frame.segments.shape[1:] == (40, 99)  # twice as many columns, from the first centre to the last
    assert panel.surface.choice.currentText() == "afm"
    panel.flow.read_height_map(ReadHeightMap(str(tmp_path / "bare.tif")))
    job = engine.jobs.pop()
    job.hear(Failed(job, EclipsError("no unit")))  # type: ignore[arg-type]
    assert held.messages.items[-1].action_text == "Read with settings…"


def test_choices_of_model_and_emission_reach_the_engine(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    form = panel.model
    form.model.show_data("mc")
    form.model.activated.emit(form.model.currentIndex())
    assert form.rays.slider.isVisible()
    form.emission.show_data("tabulated")
    form.emission.activated.emit(form.emission.currentIndex())
    settle(panel, engine, qtbot)
    frame = panel.flow.live.frame
    assert frame is not None
    assert (frame.params.model, frame.params.emission.model) == ("mc", "tabulated")
    assert frame.params.emission.material in materials()
    assert not form.radius.isVisible()
    form.delocalised.click()
    settle(panel, engine, qtbot)
    assert form.radius.text() == "Half of them leave beyond 88 nm (8.8 px)."


def test_choices_stay_while_the_panel_is_closed(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot
) -> None:
    panel.flow.change_detector("beam.energy_kev", 7.0)
    panel.hide()
    engine.answer()
    assert not [job for job in engine.jobs if job.step == "simulate" and not job.params.draft]
    again = SimulatePanel(held)
    qtbot.addWidget(again)
    again.resize(600, 500)
    again.show()
    settle(again, engine, qtbot)
    assert again.microscope.sliders["beam.energy_kev"].field.value == 7.0
    assert again.tabs.tabBar().isVisible()  # a narrow panel keeps the angles behind the choices
    again.resize(1200, 700)
    assert again.splitter.count() == 3


def test_the_project_detector_is_followed(panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot) -> None:
    held.do(edits.set_detector(held.project, detector(distance_mm=11.0)))
    settle(panel, engine, qtbot)
    assert panel.microscope.sliders["distance_mm"].field.value == 11.0
    name = next(iter(presets()))
    panel.microscope.choice.show_data(name)
    panel.microscope.choice.activated.emit(panel.microscope.choice.currentIndex())
    assert panel.flow.base.name == name
    held.history.undo()
    settle(panel, engine, qtbot)


def test_in_the_window_a_demo_is_made_in_a_minute(held: Session, engine: Engine, qtbot: QtBot) -> None:
    """Menu, slider by keyboard, a pixel by mouse, images into the project, and back again."""
    held.actions = ActionRegistry(held.theme, held)
    window = make_window(held)
    qtbot.addWidget(window)
    window.resize(1360, 860)
    window.show()
    qtbot.waitExposed(window)
    held.actions.action("view.simulate").trigger()
    panel = window.panels["simulate"].panel()
    assert isinstance(panel, SimulatePanel)
    settle(panel, engine, qtbot)
    slider = panel.microscope.sliders["distance_mm"].slider
    qtbot.keyClick(slider, Qt.Key.Key_PageDown)
    pane = panel.images.panes[0]
    qtbot.mouseClick(pane.viewport(), LEFT, pos=pane.viewport().rect().center())
    settle(panel, engine, qtbot)
    assert panel.flow.pixel is not None
    held.actions.action("simulate.use").trigger()
    qtbot.waitUntil(lambda: held.project.segment_set is not None)
    assert window.panels["images"].isVisible()
    assert "Reconstruct it (F5)" in held.messages.items[-1].text
    held.actions.action("edit.undo").trigger()
    assert held.project.segment_set is None
    held.history.mark_saved(held.history.mark())
    window.close()
    engine.answer()
    assert not engine.jobs  # a closed panel asks for nothing


def test_the_engine_renders_what_the_panel_asks_for(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    """The real engine: a slope to the right is brighter for the segment that it faces, and reconstructs as such."""
    panel = SimulatePanel(session)
    qtbot.addWidget(panel)
    panel.resize(1000, 650)
    panel.flow.setup = simulation.Setup(specimen=Specimen("sphere", 64, 64, 10.0), dose=None, slope_deg=(20.0, 0.0))
    panel.show()
    live: LiveImages = panel.flow.live
    qtbot.waitUntil(lambda: live.frame is not None and live.is_settled, timeout=60_000)
    assert live.problem == ""
    frame = live.frame
    assert frame is not None
    by_azimuth = {
        round(s.azimuth_deg % 360): image
        for s, image in zip(frame.wish.detector.quadrants, frame.segments, strict=True)
    }
    assert by_azimuth[180][2, 32] > 1.2 * by_azimuth[0][2, 32]  # it rises to the right, so it faces left
    panel.flow.choose_pixel((2, 32))
    qtbot.waitUntil(lambda: live.angles is not None, timeout=20_000)
    assert live.angles is not None
    assert live.angles.info["tilt_deg"] == pytest.approx(20.0, abs=0.1)
    assert live.angles.info["azimuth_deg"] == pytest.approx(180.0, abs=0.5)
    qtbot.waitUntil(lambda: panel.flow.reach.is_current, timeout=20_000)
    field = panel.flow.reach.field
    assert field is not None
    assert field.problem == ""
    assert field.info["relief_nm"] > 10.0 * 63 * math.tan(math.radians(20.0))  # of the slope; the sphere stands on it
    assert 0.0 <= field.info["statistical_nm"] <= field.info["rigorous_nm"]
    panel.use.click()
    qtbot.waitUntil(lambda: len(session.project.of_kind(SegmentSet)) == 1)
    assert math.isfinite(float(session.project.of_kind(SegmentSet)[0].images[0].data.mean()))


def test_small_images_are_not_covered_by_words(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    panel.flow.choose(base="Two rings, 8 segments (typical)")
    settle(panel, engine, qtbot)
    names = [segment.name for segment in panel.flow.base.quadrants]
    panel.resize(1900, 1100)
    qtbot.waitUntil(lambda: [pane.title.split(" · ")[0] for pane in panel.images.panes] == names)
    assert all(pane.title.endswith("°") for pane in panel.images.panes)

    def is_short() -> bool:
        panel.resize(570, 360)  # again: the angles leave their column only below 900
        return [pane.title for pane in panel.images.panes] == names

    qtbot.waitUntil(is_short)
    assert panel.images.panes[0].accessibleName().endswith("°")
