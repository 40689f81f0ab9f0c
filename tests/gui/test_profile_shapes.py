"""Shapes in the Profile panel: drawn by mouse, snapped, reshaped, nudged, typed, marked, held over data, and written."""

from __future__ import annotations

import math
from pathlib import Path

import ezdxf
import numpy as np
import openpyxl
import pytest
from panel_samples import PIXEL_NM, fill, held_session, make_run, make_set
from test_profile_panel import CTRL, LEFT, NONE, SHIFT, drag

from eclips_app.commands import edits
from eclips_app.gui.flows import measure
from eclips_app.gui.panels.profile.view import ProfilePanel
from eclips_app.gui.panels.series.view import SeriesPanel
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets import line_geometry as geometry
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.line_pane import LinePane
from eclips_app.gui.widgets.shape_drafts import Draft
from eclips_app.model.items import ProfileLine

ALT = Qt.KeyboardModifier.AltModifier


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


def shape_of(session: Session) -> ProfileLine:
    assert session.project.line is not None
    return session.project.line


def send(pane: LinePane, kind: QtCore.QEvent.Type, point: tuple[float, float], modifiers: Qt.KeyboardModifier) -> None:
    place = QtCore.QPointF(*pane.screen_point(point))
    buttons = LEFT if kind != QtCore.QEvent.Type.MouseMove else Qt.MouseButton.NoButton
    event = QtGui.QMouseEvent(kind, place, pane.viewport().mapToGlobal(place), LEFT, buttons, modifiers)
    QtWidgets.QApplication.sendEvent(pane.viewport(), event)


def click(pane: LinePane, *points: tuple[float, float], modifiers: Qt.KeyboardModifier = NONE) -> None:
    kinds = QtCore.QEvent.Type
    for point in points:
        for kind in (kinds.MouseMove, kinds.MouseButtonPress, kinds.MouseButtonRelease):
            send(pane, kind, point, modifiers)


def double_click(pane: LinePane, point: tuple[float, float]) -> None:
    click(pane, point)
    send(pane, QtCore.QEvent.Type.MouseButtonDblClick, point, NONE)
    send(pane, QtCore.QEvent.Type.MouseButtonRelease, point, NONE)


def test_outlines_bands_and_lengths() -> None:
    circle = ((10.0, 10.0), (14.0, 10.0))
    assert shapes.length_px("circle", circle) == pytest.approx(8 * math.pi)
    ring = shapes.bands("circle", circle, 2.0)
    assert [math.dist(circle[0], band[0]) for band in ring] == pytest.approx([5.0, 3.0])
    assert len(shapes.bands("polyline", ((0, 0), (4, 0), (4, 5)), 3.0)) == 2
    assert shapes.length_px("polyline", ((0, 0), (4, 0), (4, 5))) == 9.0
    assert shapes.length_px("rectangle", ((0, 0), (4, 9))) == 9.0
    assert shapes.facts("polygon", ((0, 0), (4, 0), (4, 4)))[0][1] == 8.0
    path = shapes.dense("circle", circle)
    assert np.hypot(*np.diff(path, axis=0).T).max() <= 0.75
    assert shapes.distance_to("circle", circle, (10.0, 10.0)) == pytest.approx(4.0, abs=0.01)
    assert shapes.middle("rectangle", ((0, 0), (4, 8))) == (2.0, 4.0)


@pytest.mark.parametrize("index", range(4))
def test_a_corner_of_a_rectangle_leaves_its_opposite(index: int) -> None:
    before = ((2.0, 3.0), (12.0, 8.0))
    opposite = shapes.handles("rectangle", before)[(index + 2) % 4]
    after = shapes.with_handle("rectangle", before, index, (20.0, 30.0), snap=False)
    corners = shapes.handles("rectangle", after)
    assert corners[index] == (20.0, 30.0)
    assert corners[(index + 2) % 4] == opposite
    snapped = shapes.with_handle("rectangle", before, index, (20.0, 30.0), snap=True)
    width, height = np.ptp(np.array(snapped), axis=0)
    assert width == height


def test_circles_snap_to_whole_radii_and_turn_about_the_centre() -> None:
    circle = ((10.0, 10.0), (14.3, 10.4))
    snapped = shapes.with_handle("circle", circle, 1, (15.2, 9.0), snap=True)
    assert math.dist(*snapped) == pytest.approx(5.0)
    assert geometry.angle_deg(*snapped) == pytest.approx(15.0)
    moved = shapes.with_handle("circle", circle, 0, (11.0, 12.0), snap=False)
    assert np.allclose(np.subtract(moved, circle), (1.0, 2.0))
    turned = shapes.turned("circle", ((0.0, 0.0), (5.0, 0.0)), 90.0)
    assert np.allclose(turned, ((0.0, 0.0), (0.0, -5.0)))
    assert shapes.turned("rectangle", ((0.0, 0.0), (5.0, 2.0)), 10.0) == ((0.0, 0.0), (5.0, 2.0))
    assert np.allclose(shapes.stretched("circle", ((0.0, 0.0), (5.0, 0.0)), 1.0), ((0.0, 0.0), (6.0, 0.0)))
    assert np.allclose(shapes.stretched("rectangle", ((0.0, 0.0), (10.0, 4.0)), 5.0), ((-2.5, -1.0), (12.5, 5.0)))


def test_a_draft_takes_back_corners_down_to_the_fewest() -> None:
    draft = Draft("polyline")
    assert not draft.add((0.0, 0.0), False)
    assert draft.add((10.0, 1.0), True)
    assert draft.points[1] == pytest.approx((math.hypot(10, 1), 0.0))
    draft.add((10.0, 20.0), False)
    assert draft.take_back()
    assert draft.take_back()
    assert len(draft.points) == 2


@pytest.mark.parametrize(("key", "kind"), [("C", "circle"), ("R", "rectangle")])
def test_circles_and_rectangles_are_dragged_up(panel: ProfilePanel, held: Session, qtbot, key: str, kind: str) -> None:
    steps = held.history.position
    qtbot.keyClick(panel, key)
    drag(panel.image.pane, (40, 30), (50, 34), (55, 36))
    line = shape_of(held)
    assert line.kind == kind
    assert line.shape.points_px[0] == pytest.approx((40, 30), abs=0.5)
    assert line.shape.points_px[1] == pytest.approx((55, 36), abs=0.5)
    assert panel.image.pane.tool == "move"
    assert held.history.position == steps + 1
    profile = panel.plot.readings_now[0].sampled.profile
    assert np.isfinite(profile.height_nm).all()
    held.history.undo()
    assert held.project.of_kind(ProfileLine) == ()


def test_a_polyline_is_clicked_and_ends_with_a_double_click(panel: ProfilePanel, held: Session, qtbot) -> None:
    steps = held.history.position
    qtbot.keyClick(panel, "P")
    pane = panel.image.pane
    click(pane, (10, 20), (30, 20))
    click(pane, (45, 21), modifiers=SHIFT)  # the second side keeps to steps of 15°
    double_click(pane, (45, 50))
    line = shape_of(held)
    assert line.kind == "polyline"
    assert len(line.shape.points_px) == 4
    assert line.shape.points_px[2][1] == pytest.approx(line.shape.points_px[1][1], abs=1e-9)
    assert (pane.tool, panel.image.draw.isChecked()) == ("move", False)
    assert held.history.position == steps + 1
    profile = panel.plot.readings_now[0].sampled.profile
    length = shapes.length_px(line.kind, line.shape.points_px) * PIXEL_NM
    assert profile.distance_nm[-1] == pytest.approx(length)
    double_click(pane, (20, 20))  # a corner more
    assert len(shape_of(held).shape.points_px) == 5
    double_click(pane, shape_of(held).shape.points_px[1])
    assert len(shape_of(held).shape.points_px) == 4


def test_an_area_has_no_profile_and_ends_with_enter(panel: ProfilePanel, held: Session, qtbot) -> None:
    qtbot.keyClick(panel, "A")
    pane = panel.image.pane
    click(pane, (10, 20), (30, 20), (40, 40), (20, 50))
    qtbot.keyClick(pane, Qt.Key.Key_Backspace)
    qtbot.keyClick(pane, Qt.Key.Key_Return)
    assert shape_of(held).kind == "polygon"
    assert len(shape_of(held).shape.points_px) == 3
    assert panel.plot.readings_now == ()
    assert panel.plot.area.isVisible()
    pane.grab()  # painted without a profile


def test_handles_body_and_width_of_shapes(panel: ProfilePanel, held: Session, flow: measure.MeasureFlow) -> None:
    pane = panel.image.pane
    flow.new_shape("rectangle", ((20.0, 20.0), (50.0, 40.0)))
    drag(pane, (50, 20), (60, 10))
    assert np.allclose(shape_of(held).shape.points_px, ((20, 10), (60, 40)), atol=0.4)
    drag(pane, (40, 10), (42, 13))
    assert np.allclose(shape_of(held).shape.points_px, ((22, 13), (62, 43)), atol=0.8)
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    handle = pane._width_handle(shape_of(held))
    assert handle is not None
    start = pane._to_image(QtCore.QPointF(*handle))
    drag(pane, start, (start[0] - 2.0, start[1]))
    assert shape_of(held).width_px == pytest.approx(5.0, abs=1.0)
    assert "Width" in held.history.texts[-1]


def test_keys_move_the_point_that_was_grabbed_last(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    pane = panel.image.pane
    flow.new_shape("polyline", ((10.0, 20.0), (30.0, 20.0), (40.0, 40.0)))
    drag(pane, (30, 20), (31, 20))
    middle = shape_of(held).shape.points_px[1]
    qtbot.keyClick(pane, Qt.Key.Key_Down, ALT | SHIFT)
    assert shape_of(held).shape.points_px[1] == pytest.approx((middle[0], middle[1] + 10.0))
    assert shape_of(held).start_px == (10.0, 20.0)
    qtbot.keyClick(pane, Qt.Key.Key_Right)
    assert shape_of(held).start_px == (11.0, 20.0)
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    qtbot.keyClick(pane, Qt.Key.Key_Up, CTRL)
    assert math.dist(*shape_of(held).shape.points_px) == pytest.approx(11.0)


def test_points_of_every_shape_can_be_typed(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_shape("polyline", ((10.0, 20.0), (30.0, 20.0), (40.0, 40.0)))
    form = panel.form
    assert len(form.fields) == 7
    form.fields[2].setText("70 nm")
    qtbot.keyClick(form.fields[2], Qt.Key.Key_Return)
    assert shape_of(held).shape.points_px[1] == (30.0, 20.0)  # pixels are no lengths: refused
    form.unit.setCurrentIndex(1)
    form.unit.activated.emit(1)
    form.fields[2].setText("0.07 um")
    qtbot.keyClick(form.fields[2], Qt.Key.Key_Return)
    assert shape_of(held).shape.points_px[1] == (35.0, 20.0)
    flow.new_shape("rectangle", ((20.0, 20.0), (50.0, 40.0)))
    assert len(form.fields) == 4  # its width is its other side
    form.fields[0].setText("100")
    qtbot.keyClick(form.fields[0], Qt.Key.Key_Return)
    assert "needs points that are apart" in held.messages.items[-1].text
    assert shape_of(held).start_px == (20.0, 20.0)


def test_step_and_interpolation_are_chosen_and_kept(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    panel.form.step.setText("5 nm")
    qtbot.keyClick(panel.form.step, Qt.Key.Key_Return)
    profile = panel.plot.readings_now[0].sampled.profile
    assert np.allclose(np.diff(profile.distance_nm), 5.0)
    panel.form.method.setCurrentIndex(1)
    panel.form.method.activated.emit(1)
    assert panel.plot.profiles.sampling.method == "cubic"
    other = ProfilePanel(held)
    qtbot.addWidget(other)
    assert other.form.step.value == 5.0
    panel.form.step.setText("")
    qtbot.keyClick(panel.form.step, Qt.Key.Key_Return)
    assert len(panel.plot.readings_now[0].sampled.profile) == 51


def test_a_stretch_is_marked_dragged_typed_and_removed(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    qtbot.keyClick(panel, "S")
    marks = panel.plot.plot.stretches
    panel.plot.plot._box.dragged.emit(20.0, 60.0, False)
    panel.plot.plot._box.dragged.emit(20.0, 70.0, True)
    assert shape_of(held).stretches_nm == ((20.0, 70.0),)
    assert not panel.plot.mark.isChecked()
    steps = held.history.position
    for end in (80.0, 90.0):
        marks._regions[0].sigRegionChanged.emit(marks._regions[0])  # where it is: nothing changes
        marks.moved.emit(((20.0, end),))
    assert shape_of(held).stretches_nm == ((20.0, 90.0),)
    assert held.history.position == steps + 1
    marks.drag_ended.emit()
    table = panel.plot.stretches
    assert table.item(0, 2).text().startswith("26.5")
    table.item(0, 0).setText("0.03 um")
    assert shape_of(held).stretches_nm == ((30.0, 90.0),)
    table.item(0, 1).setText("nonsense")
    assert table.item(0, 1).text() == "90 nm"
    assert len(panel.image.pane._stretches) == 1
    panel.plot.mark.menu().aboutToShow.emit()
    panel.plot.mark.menu().actions()[0].trigger()
    assert shape_of(held).stretches_nm == ()
    held.history.undo()
    table.setCurrentCell(0, 0)
    table.remove_current()
    assert shape_of(held).stretches_nm == ()
    assert marks.stretches_nm == ()
    held.history.undo()
    assert marks.stretches_nm == ((30.0, 90.0),)


def test_a_drag_over_the_plot_marks_only_while_it_should(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    plot = panel.plot.plot
    view = plot.viewport()
    places = [plot.mapFromScene(plot._box.mapViewToScene(QtCore.QPointF(x, 20.0))) for x in (5.0, 12.0, 18.0)]
    for marking in (False, True):
        panel.plot.mark.setChecked(marking)
        qtbot.mousePress(view, LEFT, pos=places[0])
        for place in places[1:]:
            where = QtCore.QPointF(place)
            qtbot.wait(20)  # moves that follow faster are left out
            event = QtGui.QMouseEvent(QtCore.QEvent.Type.MouseMove, where, view.mapToGlobal(where), LEFT, LEFT, NONE)
            QtWidgets.QApplication.sendEvent(view, event)
        qtbot.mouseRelease(view, LEFT, pos=places[-1])
        assert len(shape_of(held).stretches_nm) == int(marking)
        plot.fit()
    low, high = shape_of(held).stretches_nm[0]
    assert (low, high) == pytest.approx((5.0, 18.0), abs=1.0)


def test_selection_cursors_and_marks_stay_when_data_change(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow
) -> None:
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    flow.set_cursors(shape_of(held).id, 12.0, 40.0)
    flow.set_stretches(shape_of(held), ((5.0, 30.0),))
    kept = shape_of(held)
    held.do(edits.add("Open", other := make_set("other")))
    held.do(edits.add("Reconstruct", make_run(other, "other-0")))
    held.project.select(set_id="other", run_id="other-0")
    assert shape_of(held) is kept
    assert flow.cursors_nm(kept) == (12.0, 40.0)
    assert panel.plot.readings_now[0].sampled.source_id == "other-0"
    assert panel.plot.plot.stretches.stretches_nm == ((5.0, 30.0),)
    panel.image.layer.setCurrentIndex(panel.image.layer.findData("segment/1"))
    panel.image.layer.activated.emit(panel.image.layer.currentIndex())
    assert [line.id for line in panel.image.pane.lines] == [kept.id]


def test_a_copy_has_the_marks_of_its_original(held: Session, flow: measure.MeasureFlow) -> None:
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    flow.set_stretches(shape_of(held), ((5.0, 30.0),))
    steps = held.history.position
    flow.duplicate_line()
    first, second = held.project.of_kind(ProfileLine)
    assert (second.kind, second.stretches_nm) == (first.kind, first.stretches_nm)
    assert second.start_px == (40.0, 42.0)
    assert held.history.position == steps + 1


def test_frames_of_a_series_show_and_read_every_shape(qapp: object, tmp_path: Path, qtbot) -> None:
    session = held_session(tmp_path)
    measure.register(session)
    fill(session, sets=2)
    flow = measure.flow_of(session)
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    panel = SeriesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    panel.show()
    panel.pane.fit()
    assert [line.kind for line in panel.pane.lines] == ["circle"]
    drag(panel.pane, (50, 30), (52, 30))
    assert math.dist(*shape_of(session).shape.points_px) == pytest.approx(12.0, abs=0.5)
    assert panel.pane.grab().width() > 0


def test_profiles_of_all_shapes_are_written(
    panel: ProfilePanel, held: Session, flow: measure.MeasureFlow, tmp_path: Path, qtbot
) -> None:
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    flow.new_shape("circle", ((40.0, 30.0), (50.0, 30.0)))
    flow.new_shape("polygon", ((10.0, 10.0), (20.0, 10.0), (15.0, 20.0)))
    for suffix in (".xlsx", ".dxf"):
        flow.write_profiles(tmp_path / f"p{suffix}")
    qtbot.waitUntil(lambda: len(held.messages.items) >= 2)
    assert openpyxl.load_workbook(tmp_path / "p.xlsx").sheetnames == ["Line 1", "Circle 1", "Facts"]
    curves = ezdxf.readfile(tmp_path / "p.dxf").modelspace().query("LWPOLYLINE")
    first = curves[0].get_points("xy")
    assert first[-1] == pytest.approx((100.0, 60.0))  # 50 px of 2 nm, on a ramp of 1/2
