"""The profile panel: drawing, moving, reading, comparing, placing a map, and writing."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from panel_samples import COLUMNS, ROWS, HeldJobs, fill, held_session, make_set, ramp

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap
from eclips_app.gui.flows import measure
from eclips_app.gui.panels.profile.view import ProfilePanel
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.gui.widgets import line_geometry as geometry
from eclips_app.gui.widgets import line_pane
from eclips_app.gui.widgets.line_pane import LinePane
from eclips_app.gui.widgets.map_dialog import MapDialog
from eclips_app.jobs.job import Failed
from eclips_app.model.items import HeightMap, Measurement, ProfileLine

LEFT = Qt.MouseButton.LeftButton
NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)


@pytest.fixture
def held(qapp: object, tmp_path: Path) -> Session:
    made = held_session(tmp_path)
    measure.register(made)
    fill(made, runs=2)
    return made


@pytest.fixture
def panel(held: Session, qtbot) -> ProfilePanel:
    made = ProfilePanel(held)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    with qtbot.waitExposed(made):
        made.show()
    made.image.pane.fit()
    return made


@pytest.fixture
def flow(held: Session) -> measure.MeasureFlow:
    return measure.flow_of(held)


def drag(pane: LinePane, *points: tuple[float, float], modifiers: Qt.KeyboardModifier = NONE) -> None:
    """Press at the first point (col, row), go to the others, and let go."""
    kinds = QtCore.QEvent.Type
    places = [QtCore.QPointF(*pane.screen_point(point)) for point in points]
    steps = [(kinds.MouseButtonPress, places[0], LEFT), *((kinds.MouseMove, p, LEFT) for p in places[1:])]
    for kind, place, buttons in [*steps, (kinds.MouseButtonRelease, places[-1], Qt.MouseButton.NoButton)]:
        where = pane.viewport().mapToGlobal(place)
        event = QtGui.QMouseEvent(kind, place, where, LEFT, buttons, modifiers)
        QtWidgets.QApplication.sendEvent(pane.viewport(), event)


def line_of(session: Session) -> ProfileLine:
    assert session.project.line is not None
    return session.project.line


def test_geometry_of_lines() -> None:
    assert geometry.angle_deg((0, 0), (1, -1)) == pytest.approx(45.0)  # up is minus rows
    assert geometry.snapped((0.0, 0.0), (10.0, -0.5)) == pytest.approx((math.hypot(10, 0.5), 0.0))
    assert np.allclose(geometry.turned((0, 0), (10, 0), 90.0), ((5, 5), (5, -5)))
    assert np.allclose(geometry.stretched((0, 0), (10, 0), 4.0), ((-2, 0), (12, 0)))
    assert geometry.distance_to_line((5, 3), (0, 0), (10, 0)) == 3.0
    assert geometry.distance_to_line((13, 4), (0, 0), (10, 0)) == 5.0


def test_map_corners_turn_counter_clockwise() -> None:
    placed = HeightMap("m", "AFM", np.zeros((10, 20)), (4.0, 4.0), center_px=(50.0, 40.0), rotation_deg=90.0)
    # 20 columns of 4 nm are 40 px of 2 nm; turned by 90 degrees the map's right points up, its top left to the bottom left.
    assert np.allclose(geometry.map_corners(placed, 2.0)[0], (40.0, 60.0))


def test_the_shown_map_fills_its_outline_when_it_is_stretched() -> None:
    placed = HeightMap(
        "m", "AFM", np.zeros((10, 20)), (4.0, 6.0), center_px=(50.0, 40.0), rotation_deg=30.0, stretch=(1.2, 0.8, 0.1)
    )
    transform = line_pane._map_transform(placed, 2.0)
    shown = [transform.map(float(x), float(y)) for x, y in ((0, 0), (20, 0), (20, 10), (0, 10))]
    assert np.allclose(shown, geometry.map_corners(placed, 2.0))


def test_drawing_is_one_step_and_the_plot_shows_the_ramp(panel: ProfilePanel, held: Session, qtbot) -> None:
    steps = held.history.position
    qtbot.keyClick(panel, Qt.Key.Key_L)
    assert panel.image.pane.tool == "draw"
    drag(panel.image.pane, (10, 20), (30, 25), (60, 20))
    line = line_of(held)
    assert line.start_px == pytest.approx((10, 20), abs=0.5)
    assert line.end_px == pytest.approx((60, 20), abs=0.5)
    assert panel.image.pane.tool == "move"
    assert held.history.position == steps + 1
    assert held.history.texts[-1] == "Draw Line 1"
    angle = panel.plot.readings_now[0].values["Fitted angle"].value
    assert angle == pytest.approx(math.degrees(math.atan(0.5)), abs=0.2)
    held.history.undo()
    assert held.project.of_kind(ProfileLine) == ()


def test_ends_body_and_width_are_dragged(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    flow.new_line((20.0, 30.0), (60.0, 30.0))
    pane = panel.image.pane
    drag(pane, (60, 30), (65, 20))
    assert line_of(held).end_px == pytest.approx((65, 20), abs=0.3)
    drag(pane, (65, 20), (60, 31), modifiers=SHIFT)
    assert line_of(held).end_px[1] == pytest.approx(30.0, abs=1e-9)
    start, end = line_of(held).start_px, line_of(held).end_px
    drag(pane, (30, 30), (33, 37))
    moved = line_of(held)
    assert np.allclose(np.subtract(moved.start_px, start), (3, 7), atol=0.3)
    assert math.dist(moved.start_px, moved.end_px) == pytest.approx(math.dist(start, end))
    texts = held.history.texts
    assert texts[-3:] == ("Move Line 1",) * 3


def test_shift_while_drawing_keeps_to_fifteen_degrees(panel: ProfilePanel, held: Session) -> None:
    panel.image.draw.setChecked(True)
    drag(panel.image.pane, (20, 40), (60, 39), (60, 15), modifiers=SHIFT)
    angle = geometry.angle_deg(line_of(held).start_px, line_of(held).end_px)
    assert angle / 15 == pytest.approx(round(angle / 15), abs=1e-9)


def test_keys_nudge_turn_stretch_and_delete(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((20.0, 30.0), (60.0, 30.0))
    pane = panel.image.pane
    qtbot.keyClick(pane, Qt.Key.Key_Right)
    qtbot.keyClick(pane, Qt.Key.Key_Down, SHIFT)
    assert (line_of(held).start_px, line_of(held).end_px) == ((21.0, 40.0), (61.0, 40.0))
    qtbot.keyClick(pane, Qt.Key.Key_Up, CTRL)
    assert line_of(held).length_px == pytest.approx(41.0)
    qtbot.keyClick(pane, Qt.Key.Key_Left, CTRL)
    assert geometry.angle_deg(line_of(held).start_px, line_of(held).end_px) == pytest.approx(1.0)
    qtbot.keyClick(pane, Qt.Key.Key_Delete)
    assert held.project.line is None


def test_typed_ends_take_nm_and_keep_other_digits(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((20.0, 30.123456), (60.0, 30.0))
    form = panel.form
    form.unit.setCurrentIndex(1)
    form.unit.activated.emit(1)
    field = form.fields[0]
    assert field.text() == "40 nm"
    field.setText("0.05 um")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert line_of(held).start_px == (25.0, 30.123456)
    form.fields[4].setText("10")
    qtbot.keyClick(form.fields[4], Qt.Key.Key_Return)
    assert line_of(held).width_px == 5.0


def test_list_hides_renames_and_selects(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    first = flow.new_line((20.0, 30.0), (60.0, 30.0))
    second = flow.new_line((20.0, 40.0), (60.0, 40.0))
    lines = panel.lines
    assert held.project.selection.line_id == second
    assert len({line.color for line in held.project.of_kind(ProfileLine)}) == 2
    lines.setCurrentRow(0)
    assert held.project.selection.line_id == first
    lines.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert [line.id for line in panel.image.pane.lines] == [first]
    lines.item(0).setText("Edge")
    assert line_of(held).name == "Edge"


def test_both_runs_and_a_held_curve_are_drawn(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    held.project.select(run_id="scan0-0", compared_run_id="scan0-1")
    readings = {r.sampled.role: r.values["Angle"].value for r in panel.plot.readings_now}
    assert readings["A"] == pytest.approx(math.degrees(math.atan(0.5)), abs=1e-3)
    assert readings["B"] == pytest.approx(math.degrees(math.atan(0.75)), abs=1e-3)
    panel.plot.hold.setChecked(True)
    held.project.select(run_id="scan0-1", compared_run_id="")
    roles = {r.sampled.role: r.values["Angle"].value for r in panel.plot.readings_now}
    assert roles == pytest.approx({"A": readings["B"], "held": readings["A"]})


def test_cursors_read_what_is_between_them(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    panel.plot.plot.cursors[0].setValue(20.0)
    panel.plot.plot.cursors[1].setValue(80.0)
    values = panel.plot.readings_now[0].values
    assert values["Distance"].value == pytest.approx(60.0)
    assert values["Height difference"].value == pytest.approx(30.0)
    first = panel.plot.readings.cursors[0]
    panel.tabs.setCurrentIndex(1)
    first.setText("40 nm")
    qtbot.keyClick(first, Qt.Key.Key_Return)
    assert panel.plot.readings_now[0].values["Height difference"].value == pytest.approx(20.0)
    assert "Δz 20 nm" in panel.plot.summary.text()


def test_result_goes_to_the_table_and_back(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    line_id = flow.new_line((10.0, 30.0), (60.0, 30.0))
    qtbot.mouseClick(panel.plot.result, LEFT)
    (row,) = held.project.of_kind(Measurement)
    assert (row.line_id, row.run_id) == (line_id, "scan0-0")
    assert row.values["Distance"] == {"value": 50.0, "std": None, "unit": "nm"}
    held.history.undo()
    assert held.project.of_kind(Measurement) == ()


def test_map_is_loaded_placed_matched_and_profiled(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow
) -> None:
    flow.load_height_map(Path("tip.spm"))
    job = held.jobs.jobs[-1]  # type: ignore[attr-defined]
    assert (job.step, job.params.path) == ("read-height-map", "tip.spm")
    # The same ramp in pixels of 4 nm, 7 nm too high and turned by nothing.
    height = np.broadcast_to(np.arange(30) * 4.0 * 0.5, (20, 30)) + 7.0
    job.done({"height": height.copy()}, pixel_size_nm=[4.0, 4.0], name="Tip")
    (placed,) = held.project.of_kind(HeightMap)
    assert placed.center_px == ((COLUMNS - 1) / 2, (ROWS - 1) / 2)
    flow.new_line((20.0, 30.0), (60.0, 30.0))
    flow.match_map()
    by_role = {r.sampled.role: r.sampled.profile for r in panel.plot.readings_now}
    assert np.nanmedian(by_role["map"].height_nm) == pytest.approx(np.nanmedian(by_role["A"].height_nm), abs=0.6)
    panel.map_form.place.setChecked(True)
    drag(panel.image.pane, placed.center_px, (placed.center_px[0] + 5, placed.center_px[1] - 3))
    moved = held.project.get(HeightMap, placed.id)
    assert moved is not None
    assert np.allclose(np.subtract(moved.center_px, placed.center_px), (5, -3), atol=0.3)
    assert panel.map_form.fields[0].value == pytest.approx(moved.center_px[0], abs=1e-3)


def test_map_without_unit_is_read_with_settings(held: Session, flow: measure.MeasureFlow, qtbot) -> None:
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    flow.load_height_map(Path("plain.txt"))
    jobs[-1].hear(Failed(jobs[-1], EclipsError("no unit")))
    assert held.messages.items[-1].action == flow.ask_how_to_read
    dialog = MapDialog(Path("plain.txt"), ("Topo",))
    qtbot.addWidget(dialog)
    dialog.unit.setCurrentText("µm")
    dialog.sizes[0].setText("0.02 um")
    qtbot.keyClick(dialog.sizes[0], Qt.Key.Key_Return)
    flow.read_height_map(dialog.params())
    assert jobs[-1].params == ReadHeightMap("plain.txt", "", "µm", (20.0, 20.0))


def test_csv_holds_distance_height_unit_and_source(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, tmp_path: Path, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    flow.write_profiles(tmp_path / "p.csv")
    qtbot.waitUntil(lambda: any(m.text.startswith("Profiles written") for m in held.messages.items))
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 51
    last = rows[-1]
    assert (float(last["distance (nm)"]), float(last["height (nm)"])) == pytest.approx((100.0, 60.0))
    assert last["source id"] == "scan0-0"
    flow.write_profiles(tmp_path / "missing" / "p.csv")
    qtbot.waitUntil(lambda: held.messages.items[-1].kind == "error")
    flow.copy_profile()
    assert QtGui.QGuiApplication.clipboard().text().splitlines()[-1].split("\t")[4] == "100"


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_is_written(panel: ProfilePanel, flow: measure.MeasureFlow, tmp_path: Path, suffix: str) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    panel.plot.write_plot(tmp_path / f"plot{suffix}")
    image = QtGui.QImage(str(tmp_path / f"plot{suffix}")) if suffix == ".png" else None
    if image is not None:
        assert image.width() == 3 * panel.plot.plot.width()
    else:
        assert "<path" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_layers_and_lines_stay_when_sets_change(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    image = panel.image
    assert image.layer.currentData() == "height"
    image.layer.setCurrentIndex(image.layer.findData("segment/2"))
    image.layer.activated.emit(image.layer.currentIndex())
    held.do(edits.add("Open", make_set("other")))
    held.project.select(set_id="other", run_id="")
    assert image.layer.currentData() == "segment/2"
    assert [line.name for line in image.pane.lines] == ["Line 1"]
    assert panel.plot.no_heights.isVisible()


def test_holes_are_gaps(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    height = ramp()
    height[:, 30:40] = np.nan
    run = held.project.run
    assert run is not None
    held.do(edits.change("Hole", run, arrays={"height": height}))
    held.project.select(run_id="scan0-1")
    held.project.select(run_id="scan0-0")
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    profile = panel.plot.readings_now[0].sampled.profile
    assert np.count_nonzero(np.isnan(profile.height_nm)) == 10


def test_panel_is_empty_until_images_come(qtbot, qapp: object, tmp_path: Path) -> None:
    session = Session(Settings(tmp_path / "s.ini"), HeldJobs())  # type: ignore[arg-type]
    panel = ProfilePanel(session)
    qtbot.addWidget(panel)
    assert panel.pages.currentWidget() is panel.empty
    with qtbot.waitSignal(session.panel_asked) as asked:
        qtbot.mouseClick(panel.empty.button, LEFT)
    assert asked.args == ["images"]
    fill(session)
    assert panel.pages.currentWidget() is panel.splitter
