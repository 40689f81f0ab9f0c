"""The compare panel in the real window: looking at both maps, landmarks, registration, comparison and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from panel_samples import Submitted, detector, make_run, make_set
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import CompareMap
from eclips_app.core.steps import run_step
from eclips_app.gui.flows import compare, measure
from eclips_app.gui.panels.compare.landmark_pane import LandmarkPane
from eclips_app.gui.panels.compare.view import ComparePanel
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.jobs.job import Failed
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import interpolate
from eclips_app.model.items import Comparison, HeightMap, Measurement, SegmentImage

PIXEL_NM, MAP_NM = 2.0, 2.5
TRUTH = Placement((64, 64), (MAP_NM, MAP_NM), PIXEL_NM, (66.0, 58.0), 8.0)
LEFT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
Point = tuple[float, float]


@pytest.fixture(scope="module")
def surface() -> NDArray[np.float32]:
    """Heights [112, 128] in nm: hills of many sizes, without any repetition."""
    rng = np.random.default_rng(5)
    rows, columns = np.indices((112, 128)).astype(float)
    height = np.zeros(rows.shape)
    for _ in range(60):
        row, column, size = rng.uniform(0, 112), rng.uniform(0, 128), rng.uniform(3, 14)
        height += rng.uniform(-12, 12) * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * size**2))
    return height.astype(np.float32)


def map_of(surface: NDArray[Any], seed: int = 2) -> NDArray[np.float64]:
    """What a second instrument sees at `TRUTH`: 5 nm lower, with noise of 0.2 nm."""
    columns, rows = np.meshgrid(np.arange(64.0), np.arange(64.0))
    seen = interpolate(surface, *TRUTH.to_image(columns, rows))
    return seen - 5.0 + np.random.default_rng(seed).normal(0.0, 0.2, seen.shape)


Open = Callable[..., ComparePanel]


@pytest.fixture
def opened(window: MainWindow, held: Session, qtbot: QtBot, surface: NDArray[Any]) -> Open:
    """Put a run and a map that lies 3 px off into the project and show them in the panel."""

    def put(**placed: Any) -> ComparePanel:
        images = tuple(SegmentImage(n, np.full(surface.shape, 1000, np.uint16)) for n in "ENWS")
        segment_set = make_set("scan", images=images)
        run = make_run(segment_set, "Live", surface)
        run = replace(run, arrays={**run.arrays, "height_std": np.full(surface.shape, 0.3, np.float32)})
        where = {"center_px": (63.0, 60.0), "rotation_deg": 6.0} | placed
        afm = HeightMap("afm", "AFM", map_of(surface), (MAP_NM, MAP_NM), **where)
        held.do(edits.set_detector(held.project, detector()))
        held.do(edits.add("Open", segment_set, run, afm))
        held.project.select(run_id=run.id, map_id=afm.id)
        held.show_panel("compare")
        panel = window.panels["compare"].panel()
        assert isinstance(panel, ComparePanel)
        qtbot.waitUntil(lambda: panel.is_settled and panel.shown is not None)
        return panel

    return put


def drag(widget: QtWidgets.QAbstractScrollArea, *places: QtCore.QPointF) -> None:
    """Press at the first place of the viewport, go to the others, and let go."""
    kinds = QtCore.QEvent.Type
    steps = [(kinds.MouseButtonPress, places[0], LEFT), *((kinds.MouseMove, p, LEFT) for p in places[1:])]
    for kind, place, buttons in [*steps, (kinds.MouseButtonRelease, places[-1], NO_BUTTON)]:
        where = widget.viewport().mapToGlobal(place)
        event = QtGui.QMouseEvent(kind, place, where, LEFT, buttons, Qt.KeyboardModifier.NoModifier)
        QtWidgets.QApplication.sendEvent(widget.viewport(), event)


def click(pane: LandmarkPane, point: Point) -> None:
    drag(pane, pane.screen_point(point))


def jobs_of(session: Session) -> list[Submitted]:
    return session.jobs.jobs  # type: ignore[attr-defined, no-any-return]


def answer(session: Session) -> Submitted:
    """Answer the job that waits as the engine would."""
    job = jobs_of(session).pop()
    try:
        found = run_step(job.step, job.inputs, job.params, SilentContext())
    except EclipsError as error:
        job.hear(Failed(job, error, ""))  # type: ignore[arg-type]
    else:
        job.done(found.arrays, **found.info)
    return job


def placed(session: Session) -> HeightMap:
    found = session.project.get(HeightMap, "afm")
    assert found is not None
    return found


# Looking at both


def test_without_a_map_the_panel_offers_to_load_one(window: MainWindow, held: Session) -> None:
    held.show_panel("compare")
    panel = window.panels["compare"].panel()
    assert isinstance(panel, ComparePanel)
    assert panel.no_run.isVisible()
    segment_set = make_set()
    held.do(edits.add("Open", segment_set, make_run(segment_set, "Live")))
    assert panel.no_map.isVisible()
    assert panel.no_map.button.text() == "Load height map…"
    assert not held.actions.action("compare.register").isEnabled()


def test_both_are_shown_in_one_scale_and_tell_their_values(opened: Open, surface: NDArray[Any]) -> None:
    panel = opened(center_px=TRUTH.center_px, rotation_deg=TRUTH.rotation_deg, z_offset_nm=5.0)
    assert panel.shown is not None
    inside = np.isfinite(panel.shown.placed)
    assert np.nanstd((panel.shown.placed - surface)[inside]) < 0.4
    panel.pictures.pane.hovered.emit(66.0, 58.0, 1.0)
    told = panel.pictures.status.text()
    assert told.startswith("(66, 58) px")
    assert "reconstruction" in told
    assert "difference" in told
    assert panel.pictures.pane.title == "AFM over Live"


def test_the_slider_says_how_strongly_the_map_covers(opened: Open) -> None:
    pictures = opened().pictures
    pictures.slider.setValue(80)
    assert pictures.pane._upper.opacity() == pytest.approx(0.8)
    pictures.set_way("swipe")
    assert pictures.pane._upper.opacity() == 1.0
    assert not pictures.slider.isVisible()
    pictures.set_way("overlay")
    assert pictures.slider.value() == 80


def test_the_line_of_a_swipe_is_dragged_and_moved_by_keys(opened: Open, qtbot: QtBot) -> None:
    pictures = opened().pictures
    pictures.set_way("swipe")
    pane = pictures.pane
    qtbot.waitUntil(lambda: pane.box.viewRect().width() > 100)
    assert pane.split_px == pytest.approx(64.0)
    drag(pane, pane.screen_point(64.0, 30.0), pane.screen_point(70.0, 40.0), pane.screen_point(40.0, 20.0))
    assert pane.split_px == pytest.approx(40.0, abs=0.5)
    assert pane._clip.rect().left() == pytest.approx(40.0, abs=0.5)
    before = pane.box.viewRect()
    qtbot.keyClick(pane, Qt.Key.Key_Right)
    assert pane.split_px == pytest.approx(40.0 + 0.02 * 128, abs=0.5)
    assert pane.box.viewRect() == before  # nothing was panned
    drag(pane, pane.screen_point(pane.split_px, 30.0), pane.screen_point(400.0, 30.0))
    assert pane.split_px == pytest.approx(127.5)


def test_blinking_shows_both_in_turn_and_rests_while_hidden(opened: Open, held: Session, qtbot: QtBot) -> None:
    pictures = opened().pictures
    pictures.set_way("blink")
    pictures.slider.setValue(100)
    pane = pictures.pane
    assert pane._timer.interval() == 333  # not faster: flicker harms some people
    seen = set()

    def both() -> bool:
        seen.add((pane.upper_is_shown, pane.title))
        return len(seen) == 2

    qtbot.waitUntil(both)
    assert seen == {(True, "AFM"), (False, "Live")}
    held.show_panel("images")
    before = pane.upper_is_shown
    pane._blink()
    assert pane.upper_is_shown == before  # nothing moves behind another panel
    held.show_panel("compare")
    pane._blink()
    assert pane.upper_is_shown != before
    pictures.set_way("overlay")
    assert pane.upper_is_shown
    assert not pane._timer.isActive()


def test_the_selected_line_is_drawn_on_both_and_sampled_twice(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened(center_px=TRUTH.center_px, rotation_deg=TRUTH.rotation_deg)
    panel.tabs.setCurrentWidget(panel.profile)
    assert panel.profile.empty.isVisible()
    measure.flow_of(held).new_line((45.0, 50.0), (85.0, 60.0))
    assert [line.name for line in panel.pictures.pane._lines] == ["Line 1"]
    shown = {each.role: each.profile for each in panel.profile.shown}
    assert set(shown) == {"A", "map"}
    own = np.interp(shown["map"].distance_nm, shown["A"].distance_nm, shown["A"].height_nm)
    assert np.nanmean(own - shown["map"].height_nm) == pytest.approx(5.0, abs=0.3)
    panel.profile.plot.cursors[0].setValue(10.0)
    line = held.project.line
    assert line is not None
    assert measure.flow_of(held).cursors_nm(line)[0] == 10.0


# Landmarks


def test_landmarks_are_clicked_dragged_nudged_and_taken_out(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened()
    qtbot.mouseClick(panel.register.show_landmarks, LEFT)
    sides, landmarks = panel.pictures.landmarks, compare.flow_of(held).landmarks
    assert sides.image.isVisible()
    qtbot.waitUntil(lambda: sides.map.box.viewRect().width() < 200)
    click(sides.image, (50.0, 40.0))
    assert sides.hint.text() == "Click point 1 in the height map."
    assert not panel.register.by_landmarks.isEnabled()
    click(sides.map, (20.0, 30.0))
    click(sides.map, (50.0, 45.0))
    assert sides.hint.text() == "Click point 2 in the reconstruction."
    click(sides.image, (80.0, 60.0))
    assert np.allclose(landmarks.complete, [(20, 30, 50, 40), (50, 45, 80, 60)], atol=0.5)
    assert panel.register.by_landmarks.isEnabled()
    drag(
        sides.map, sides.map.screen_point((50, 45)), sides.map.screen_point((52, 47)), sides.map.screen_point((55, 40))
    )
    assert np.allclose(landmarks.complete[1], (55, 40, 80, 60), atol=0.7)
    moved = landmarks.complete[1][0]
    qtbot.keyClick(sides.map, Qt.Key.Key_Left)
    qtbot.keyClick(sides.map, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert landmarks.complete[1][0] == pytest.approx(moved + 0.9)
    click(sides.image, (20.0, 90.0))
    qtbot.keyClick(sides.image, Qt.Key.Key_Delete)
    assert len(landmarks.pairs) == 2
    qtbot.mouseClick(panel.register.clear, LEFT)
    assert landmarks.pairs == []


# Registration


def error_px(session: Session) -> float:
    """Largest distance of the map's corners from where they truly are, in pixels of the image."""
    found = Placement.of(placed(session), PIXEL_NM).corners()
    return float(np.max(np.hypot(*(np.array(found) - TRUTH.corners()).T)))


def test_the_map_is_registered_by_itself_as_one_step_that_can_be_undone(
    opened: Open, held: Session, qtbot: QtBot
) -> None:
    panel = opened()
    before, position = placed(held), held.history.position
    panel.register.model.setCurrentIndex(panel.register.model.findData("similarity"))
    panel.register.model.activated.emit(1)
    qtbot.mouseClick(panel.register.start, LEFT)
    jobs_of(held)[0].progress(0.3, "Matching features", 2.0)
    assert panel.register.start.text() == "Stop"
    assert panel.register.result.text().startswith("30 %")
    job = answer(held)
    assert (job.step, job.params.model, job.params.start) == ("register-map", "similarity", "automatic")
    assert error_px(held) < 0.3
    assert placed(held).z_offset_nm == pytest.approx(5.0, abs=0.1)
    assert held.history.position == position + 1
    assert panel.register.result.text().startswith("Found")
    assert panel.register.result.property("kind") == "good"
    assert "±" in panel.register.place.text()
    qtbot.waitUntil(lambda: panel.is_settled)
    assert panel.shown is not None
    assert panel.shown.map is placed(held)
    held.history.undo()
    assert placed(held) is before
    assert panel.register.result.text().startswith("Placed by hand")


def test_the_place_is_refined_from_where_the_map_lies(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened()
    qtbot.mouseClick(panel.register.refine, LEFT)
    job = answer(held)
    assert job.params.start == "placed"
    assert job.params.placed["center_px"] == [63.0, 60.0]
    assert error_px(held) < 0.5


def test_landmarks_place_the_map_and_are_kept_with_it(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened()
    landmarks = compare.flow_of(held).landmarks
    points = [(10.0, 10.0), (55.0, 20.0), (30.0, 50.0)]
    columns, rows = TRUTH.to_image(*np.array(points).T)
    for point, column, row in zip(points, columns, rows, strict=True):
        landmarks.add_to_map(point)
        landmarks.add_to_image((float(column), float(row)))
    panel.register.dense.click()
    qtbot.mouseClick(panel.register.by_landmarks, LEFT)
    job = answer(held)
    assert (job.params.start, job.params.refine) == ("landmarks", False)
    assert error_px(held) < 1e-6
    landmarks.set_complete(())
    held.project.select(map_id="")
    other = HeightMap("other", "Other", np.zeros((5, 5)), (1.0, 1.0))
    held.do(edits.add("Load", other))
    held.project.select(map_id="other")
    held.project.select(map_id="afm")
    assert np.allclose([pair[:2] for pair in landmarks.complete], points)


def test_a_failure_tells_why_and_offers_landmarks(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened()
    held.do(edits.change("Flatten", placed(held), height=np.zeros((64, 64))))
    qtbot.mouseClick(panel.register.start, LEFT)
    answer(held)
    assert "flat" in panel.register.result.text()
    assert panel.register.result.text().endswith("Set landmarks instead.")
    assert panel.register.result.property("kind") == "error"
    assert panel.register.start.text() == "Register"
    qtbot.mouseClick(panel.register.show_landmarks, LEFT)
    assert panel.pictures.way == "landmarks"


def test_a_stopped_registration_leaves_the_map_where_it_was(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened()
    before = placed(held)
    qtbot.mouseClick(panel.register.start, LEFT)
    qtbot.mouseClick(panel.register.start, LEFT)
    assert jobs_of(held)[0].cancelled
    assert placed(held) is before
    assert panel.register.start.text() == "Register"


# Comparison


def compare_now(panel: ComparePanel, session: Session, qtbot: QtBot) -> Comparison:
    before = len(session.project.of_kind(Comparison))
    qtbot.mouseClick(panel.verdict.start, LEFT)
    answer(session)
    qtbot.waitUntil(lambda: len(session.project.of_kind(Comparison)) == before + 1 and panel.is_settled)
    return session.project.of_kind(Comparison)[-1]


AT_TRUTH: dict[str, Any] = {"center_px": TRUTH.center_px, "rotation_deg": TRUTH.rotation_deg, "z_offset_nm": 5.0}


def test_comparing_gives_sentences_values_and_diagrams(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened(**AT_TRUTH)
    measure.flow_of(held).new_line((45.0, 50.0), (85.0, 60.0))
    panel.tabs.setCurrentIndex(1)
    found = compare_now(panel, held, qtbot)
    rows = {panel.verdict.table.item(i, 0).text(): panel.verdict.table.item(i, 1).text()
            for i in range(panel.verdict.table.rowCount())}  # fmt: skip
    assert {"Bias", "Lower limit of agreement", "Rms difference", "Angle deviation", "Alike down to"} <= set(rows)
    values = found.info["values"]
    assert abs(values["Bias"]["value"]) < 0.05
    assert values["Upper limit of agreement"]["value"] == pytest.approx(0.4, abs=0.15)
    assert abs(values["Angle deviation"]["value"]) < 4 * values["Angle deviation"]["std"]
    assert values["Chi of the differences"]["value"] < 1.0  # 0.3 nm are stated, and less is left
    texts = [panel.verdict.sentences.item(i).text() for i in range(panel.verdict.sentences.count())]
    assert len(texts) == len(found.info["sentences"])
    assert texts[0].startswith("Placed by hand")
    assert sum(found.info["histogram"]["counts"]) == pytest.approx(
        np.isfinite(found.arrays["difference"]).sum(), rel=0.01
    )
    panel.tabs.setCurrentIndex(2)
    assert panel.diagrams.histogram.marks["Bias"] == values["Bias"]["value"]
    assert len(panel.diagrams.by_slope.points[0]) >= 3
    panel.diagrams.of_what.setCurrentIndex(1)
    panel.diagrams.of_what.activated.emit(1)
    assert panel.diagrams.by_slope.getAxis("left").labelText == "Bias of slope (°)"
    panel.pictures.set_way("difference")
    assert panel.pictures.pane.title == "Reconstruction minus map"
    assert panel.pictures.scale.texts[1] == "0"
    low, high = panel.pictures.pane.image.levels
    assert low == -high


def test_window_and_step_give_equal_numbers(opened: Open, held: Session, qtbot: QtBot, surface: NDArray[Any]) -> None:
    panel = opened(**AT_TRUTH)
    found = compare_now(panel, held, qtbot)
    params = CompareMap(pixel_size_nm=PIXEL_NM, map_pixel_size_nm=(MAP_NM, MAP_NM), placed=dict(AT_TRUTH))
    inputs = {"height": surface, "height_std": np.full(surface.shape, 0.3, np.float32), "map": map_of(surface)}
    direct = run_step("compare-map", inputs, params, SilentContext())
    assert found.info["values"]["Bias"] == direct.info["agreement"]["bias"]
    assert found.info["values"]["Rms difference"] == direct.info["agreement"]["rms"]
    np.testing.assert_array_equal(found.arrays["difference"], direct.arrays["difference"])


def test_with_a_tip_both_columns_are_shown_and_untouched_areas_hatched(
    opened: Open, held: Session, qtbot: QtBot
) -> None:
    panel = opened(**AT_TRUTH)
    panel.tabs.setCurrentIndex(1)
    panel.verdict.tip.setCurrentIndex(1)
    panel.verdict.tip.activated.emit(1)
    assert panel.verdict.radius.isVisible()
    panel.verdict.radius.setText("30 nm")
    qtbot.keyClick(panel.verdict.radius, Qt.Key.Key_Return)
    found = compare_now(panel, held, qtbot)
    assert found.params["tip"]["radius_nm"] == 30.0
    assert {"difference", "tip_difference", "dilated", "certain"} == set(found.arrays)
    assert panel.verdict.table.columnCount() == 3
    assert found.info["before"]["Rms difference"]["value"] < found.info["values"]["Rms difference"]["value"]
    assert panel.pictures.certainty.isVisible()
    assert panel.pictures.pane._hatch._flags is not None
    panel.pictures.certainty.click()
    assert panel.pictures.pane._hatch._flags is None
    panel.pictures.set_way("difference")
    panel.pictures.dilated.click()
    np.testing.assert_array_equal(panel.pictures.pane.image.image, found.arrays["tip_difference"])
    assert panel.pictures.pane.title.startswith("Dilated reconstruction")


def test_results_rows_and_undo(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened(**AT_TRUTH)
    panel.tabs.setCurrentIndex(1)
    found = compare_now(panel, held, qtbot)
    qtbot.mouseClick(panel.verdict.add, LEFT)
    (row,) = held.project.of_kind(Measurement)
    assert row.name == "Live with AFM"
    assert row.run_id == found.run_id
    assert row.values["Bias"] == found.info["values"]["Bias"]
    held.history.undo()
    assert held.project.of_kind(Measurement) == ()
    held.history.undo()
    assert held.project.of_kind(Comparison) == ()
    assert not panel.verdict.table.isVisible()


def test_a_map_that_is_moved_takes_the_verdict_away_and_undo_brings_it_back(
    opened: Open, held: Session, qtbot: QtBot
) -> None:
    panel = opened(**AT_TRUTH)
    panel.tabs.setCurrentIndex(1)
    compare_now(panel, held, qtbot)
    held.do(edits.change("Move", placed(held), center_px=(10.0, 10.0)))
    assert panel.verdict.note.text().endswith("compare again.")
    assert not panel.verdict.table.isVisible()
    assert not held.actions.action("compare.add_results").isEnabled()
    held.history.undo()
    assert panel.verdict.table.isVisible()


def test_maps_that_do_not_meet_are_told(opened: Open, held: Session, qtbot: QtBot) -> None:
    panel = opened(center_px=(1000.0, 1000.0))
    panel.tabs.setCurrentIndex(1)
    qtbot.mouseClick(panel.verdict.start, LEFT)
    answer(held)
    assert "too few to compare" in held.messages.items[-1].text
    assert held.project.of_kind(Comparison) == ()
    assert panel.verdict.start.text() == "Compare"
