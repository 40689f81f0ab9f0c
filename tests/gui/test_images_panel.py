"""The images panel and flow: order, crop, mask, pixel size, registration, contrast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eclips_app.commands import edits
from eclips_app.core.detector import Detector, Segment, presets
from eclips_app.core.steps import StepResult
from eclips_app.gui.flows import images as images_module
from eclips_app.gui.flows import new_sets, segment_order
from eclips_app.gui.flows.images import ImagesFlow, images_flow
from eclips_app.gui.flows.segment_order import Guess, OrderGuess
from eclips_app.gui.panels.images import mask, presenter
from eclips_app.gui.panels.images.segment_pane import drag_data
from eclips_app.gui.panels.images.tools import CropTool, limited
from eclips_app.gui.panels.images.view import ImagesPanel
from eclips_app.gui.qt import Qt, QtCore, QtGui
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.placement import mosaic_cells, ring_cells
from eclips_app.model.items import Acquisition, SegmentImage, SegmentSet

ROWS, COLUMNS = 60, 80


def _detector(azimuths: tuple[float, ...] = (0, 90, 180, 270), names: str = "ENWS") -> Detector:
    segments = tuple(Segment(n, a, 80.0, 1.0, 0.0) for n, a in zip(names, azimuths, strict=True))
    return Detector(name="Ring", distance_mm=8.0, quadrants=segments)


def _images(count: int = 4) -> tuple[SegmentImage, ...]:
    made = []
    for k in range(count):
        data = np.full((ROWS, COLUMNS), 100 * (k + 1), np.uint16)
        data[:, : COLUMNS // 2] += np.arange(COLUMNS // 2, dtype=np.uint16)
        made.append(SegmentImage(f"image {k}", data, source=f"/scan/{k}.tif", sha256=str(k)))
    return tuple(made)


def _set(count: int = 4, **fields: object) -> SegmentSet:
    return replace(SegmentSet("set", "scan", _images(count)), **fields)  # type: ignore[arg-type]


@pytest.fixture
def flow(session: Session) -> ImagesFlow:
    images_module.register(session)
    return images_flow(session)


@pytest.fixture
def panel(session: Session, flow: ImagesFlow, qtbot: object) -> ImagesPanel:
    session.do(edits.add("Open", _set()))
    session.do(edits.set_detector(session.project, _detector()))
    made = ImagesPanel(session)
    qtbot.addWidget(made)  # type: ignore[attr-defined]
    made.resize(1100, 800)
    made.show()
    qtbot.waitUntil(lambda: made.mosaic.panes[0].view.box.viewRect().width() > COLUMNS / 2)  # type: ignore[attr-defined]
    session.actions.update_enabled()
    return made


def _drag(qtbot: object, panel: ImagesPanel, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one (col, row) to another over the first image."""
    view = panel.mosaic.panes[0].view
    points = [view.mapFromScene(view.box.mapViewToScene(QtCore.QPointF(*p))) for p in (start, end)]
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=points[0])  # type: ignore[attr-defined]
    qtbot.mouseMove(view.viewport(), points[1])  # type: ignore[attr-defined]
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=points[1])  # type: ignore[attr-defined]


def _order(session: Session) -> list[str]:
    return [image.name[-1] for image in session.project.segment_set.images]


# Places


def test_panes_stand_on_the_side_of_their_segment() -> None:
    east, north, west, south = ring_cells([0, 90, 180, 270], 1.5)
    assert west.x < north.x < east.x
    assert north.y < west.y < south.y
    quarter = ring_cells([45, 135, 225, 315], 1.5)
    assert [(c.x, c.y) for c in quarter] == [(0.5, 0), (0, 0), (0, 0.5), (0.5, 0.5)]


@pytest.mark.parametrize("azimuths", [(60, 180, 300), (0, 72, 144, 216, 288), tuple(range(0, 360, 45))])
def test_no_two_panes_overlap(azimuths: tuple[float, ...]) -> None:
    for aspect in (0.6, 1.0, 1.8):
        cells = ring_cells(azimuths, aspect)
        for i, a in enumerate(cells):
            assert -1e-9 <= a.x <= 1 - a.width + 1e-9
            for b in cells[i + 1 :]:
                apart_x = abs(a.x - b.x) >= a.width - 1e-9
                assert apart_x or abs(a.y - b.y) >= a.height - 1e-9


def test_rings_stand_beside_each_other_and_odd_sets_in_a_grid() -> None:
    two = next(d for d in presets().values() if len(d.quadrants) == 8)
    cells = mosaic_cells(two, 8, 2.0)
    outer, inner = edits.rings(two)
    assert max(cells[k].x + cells[k].width for k in outer) <= min(cells[k].x for k in inner) + 1e-9
    assert len(mosaic_cells(_detector(), 5, 1.5)) == 5


# Order


def test_rotating_four_times_changes_nothing() -> None:
    session_set, detector = _set(), _detector()
    project = images_module_project(session_set, detector)
    for _ in range(4):
        edit = edits.rotate_segments(project, project.segment_set, detector, clockwise=False)
        project.apply(edit.changes)
    assert project.segment_set.images == session_set.images


def test_counter_clockwise_moves_the_right_image_to_the_top() -> None:
    project = images_module_project(_set(), _detector())
    edit = edits.rotate_segments(project, project.segment_set, _detector(), clockwise=False)
    assert [i.name[-1] for i in edit.changes["set"].images] == ["3", "0", "1", "2"]


def test_mirror_swaps_across_the_axis_and_takes_shifts_along() -> None:
    shifts = ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0))
    project = images_module_project(_set(shifts_px=shifts), _detector())
    mirrored = edits.mirror_segments(project, project.segment_set, _detector(), left_right=True).changes["set"]
    assert [i.name[-1] for i in mirrored.images] == ["2", "1", "0", "3"]
    assert [shift[0] for shift in mirrored.shifts_px] == [2.0, 1.0, 0.0, 3.0]
    upside = edits.mirror_segments(project, project.segment_set, _detector(), left_right=False).changes["set"]
    assert [i.name[-1] for i in upside.images] == ["0", "3", "2", "1"]


def images_module_project(segment_set: SegmentSet, detector: Detector) -> object:
    from eclips_app.model.items import DetectorItem
    from eclips_app.model.project import Project

    project = Project()
    project.apply({segment_set.id: segment_set, "det": DetectorItem("det", detector)})
    return project


def _guess(azimuths: tuple[float, ...], source: str = "shading", confidence: float = 0.9) -> Guess:
    keys = [segment_order.image_key(image) for image in _images(len(azimuths))]
    return Guess(dict(zip(keys, azimuths, strict=True)), confidence, source)


def test_images_go_to_the_segments_where_they_are_seen() -> None:
    guess = _guess((185, 265, 10, 80))
    order = segment_order.order_by_azimuth(_images(), guess, _detector())
    assert order == (2, 3, 0, 1)
    ordered = new_sets.in_order(_set(), order)
    assert segment_order.agrees(ordered, guess, _detector())
    assert not segment_order.agrees(_set(), guess, _detector())


def test_names_of_segments_come_before_shading() -> None:
    images = tuple(
        replace(image, acquisition=Acquisition(segment=name)) for image, name in zip(_images(), "wsen", strict=True)
    )
    known = OrderGuess((_guess((0, 90, 180, 270)),))
    assert segment_order.first_order(_set(images=images), known, _detector()) == (2, 3, 0, 1)


def test_unsure_shading_does_not_turn_the_order_of_the_files_by_half() -> None:
    unsure, sure = (OrderGuess((_guess((180, 270, 0, 90), confidence=c),)) for c in (0.55, 0.9))
    assert segment_order.first_order(_set(), unsure, _detector()) is None
    assert segment_order.first_order(_set(), sure, _detector()) == (2, 3, 0, 1)
    told = presenter.order_text(_set(), unsure, _detector())
    assert "half a turn" in told.text
    assert told.reorder == ""


def test_order_text_names_what_contradicts() -> None:
    known = OrderGuess((_guess((90, 0, 180, 270)),))
    told = presenter.order_text(_set(), known, _detector())
    assert told.kind == "warning"
    assert told.reorder == "shading"
    assert "E 90°" in told.text
    assert presenter.order_text(_set(), OrderGuess(), None).kind == "warning"
    fits = presenter.order_text(_set(), OrderGuess((_guess((0, 90, 180, 270)),)), _detector())
    assert (fits.kind, fits.reorder, fits.turn) == ("good", "", "")
    assert "90 %" in fits.text


def test_swap_by_menu_and_by_drop(panel: ImagesPanel, session: Session) -> None:
    panel.mosaic.panes[0].heading.menu.actions()[1].trigger()
    assert _order(session) == ["2", "1", "0", "3"]
    pane = panel.mosaic.panes[3]
    dragged = drag_data(1)  # the event does not own it
    left, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QtGui.QDropEvent(QtCore.QPointF(20, 40), Qt.DropAction.MoveAction, dragged, left, keys)
    pane.dropEvent(event)
    assert _order(session) == ["2", "3", "0", "1"]
    session.history.undo()
    session.history.undo()
    assert _order(session) == ["0", "1", "2", "3"]
    assert panel.mosaic.panes[0].heading.file.text() == "0.tif"


def test_actions_turn_and_segments_follow_the_shading(panel: ImagesPanel, session: Session, flow: ImagesFlow) -> None:
    session.actions.action("images.rotate_ccw").trigger()
    assert _order(session) == ["3", "0", "1", "2"]
    session.history.undo()
    flow._guesses["set"] = OrderGuess((_guess((20, 110, 200, 290)),))
    panel.refresh()
    assert panel.side.use_azimuths.isVisible()
    panel.side.use_azimuths.click()
    assert [s.azimuth_deg for s in session.project.detector.quadrants] == [20, 110, 200, 290]
    assert not panel.side.use_azimuths.isVisible()
    session.history.undo()
    assert session.project.detector == _detector()


def test_an_order_that_shading_contradicts_is_one_click_away(
    panel: ImagesPanel, session: Session, flow: ImagesFlow
) -> None:
    flow._guesses["set"] = OrderGuess((_guess((90, 0, 180, 270)),))
    panel.refresh()
    panel.side.use_guess.click()
    assert _order(session) == ["1", "0", "2", "3"]
    assert "from the shading" in panel.side.order.text()


# View


def test_all_panes_zoom_together(panel: ImagesPanel) -> None:
    first, other = panel.mosaic.panes[0].view, panel.mosaic.panes[2].view
    before = first.box.viewPixelSize()[0]
    first.setFocus()
    event = QtGui.QKeyEvent(QtCore.QEvent.Type.KeyPress, Qt.Key.Key_Plus, Qt.KeyboardModifier.NoModifier, "+")
    first.keyPressEvent(event)
    assert first.box.viewPixelSize()[0] < 0.9 * before
    assert other.box.viewPixelSize()[0] == pytest.approx(first.box.viewPixelSize()[0], rel=1e-6)
    assert other.box.viewRect().center().x() == pytest.approx(first.box.viewRect().center().x(), abs=0.05)
    panel.bar.fit.trigger()
    assert other.box.viewPixelSize()[0] == pytest.approx(before, rel=1e-6)


def test_grey_values_of_all_segments_at_the_cursor(panel: ImagesPanel, session: Session) -> None:
    session.do(edits.register_set(session.project.segment_set, ((0, 0), (0, 10), (0, 0), (0, 0)), (1, 1, 1, 1)))
    panel.mosaic.panes[0].view.hovered.emit(20.0, 30.0, 120.0)
    values = [pane.heading.value.text() for pane in panel.mosaic.panes]
    # The second image was moved by ten columns to the right: the pixel there was read ten columns further left.
    assert values == ["120", "210", "320", "420"]
    assert "Column 20, row 30" in panel.position.text()


def test_contrast_by_segment_common_and_manual(panel: ImagesPanel) -> None:
    auto = panel.mosaic._shown.levels
    assert auto[0] != auto[1]
    panel.bar.contrast.setCurrentText("Full range")
    assert panel.mosaic._shown.levels[1] == (200.0, 239.0)
    panel.bar.common.setChecked(True)
    assert set(panel.mosaic._shown.levels) == {(100.0, 439.0)}
    panel.bar.contrast.setCurrentText("Manual")
    panel.bar.low.setText("5")
    panel.bar.low.editingFinished.emit()
    assert set(panel.mosaic._shown.levels) == {(5.0, 439.0)}


def test_clipped_pixels_are_marked_and_counted_within_the_crop(panel: ImagesPanel, session: Session) -> None:
    segment_set = _set(clip_low=105.0, clip_high=139.0, crop=(0, 0, ROWS, 40))
    marks = presenter.clipped_overlay(segment_set, 0)
    assert (marks[:, :6] == presenter.BLACK).all()
    assert (marks[:, 39] == presenter.SATURATED).all()
    assert (marks[:, 40:] == presenter.CLEAR).all()
    assert presenter.clipped_parts(segment_set, 0) == (1 / 40, 6 / 40)
    panel.side.clip_high.setText("139")
    panel.side.clip_high.editingFinished.emit()
    assert session.project.segment_set.clip_high == 139.0
    panel.bar.clipped.setChecked(True)
    session.history.undo()
    assert session.project.segment_set.clip_high is None
    assert panel.side.clip_high.text() == ""


# Crop and mask


def test_crop_by_dragging_and_by_numbers(panel: ImagesPanel, session: Session, qtbot: object) -> None:
    panel.bar.choose("crop")
    _drag(qtbot, panel, (10, 12), (60, 50))
    top, left, bottom, right = session.project.segment_set.crop
    assert (top, left, bottom, right) == pytest.approx((12, 10, 50, 60), abs=1)
    field = panel.crop_options.fields["width"]
    field.setText("20")
    field.editingFinished.emit()
    assert session.project.segment_set.crop == (top, left, bottom, left + 20)
    panel.crop_options.whole.click()
    assert edits.crop_of(session.project.segment_set) == (0, 0, ROWS, COLUMNS)
    session.history.undo()
    session.history.undo()
    assert session.project.segment_set.crop == (top, left, bottom, right)


def test_crop_tool_moves_edges_and_stays_inside() -> None:
    tool = CropTool(shape=(60, 80), crop=(10, 10, 40, 50))
    tool.press(QtCore.QPointF(49.5, 25), 0.5)
    tool.move(QtCore.QPointF(200, 25), 0.5)
    assert tool.crop == (10, 10, 40, 80)
    tool.cancel()
    tool.press(QtCore.QPointF(30, 25), 0.5)
    tool.move(QtCore.QPointF(0, -100), 0.5)
    assert tool.crop == (0, 0, 30, 40)
    assert limited((5, 5, 6, 6), (60, 80)) == (5, 5, 13, 13)


def test_escape_gives_up_a_drag(panel: ImagesPanel, session: Session, qtbot: object) -> None:
    panel.bar.choose("crop")
    view = panel.mosaic.panes[0].view
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=view.viewport().rect().center())  # type: ignore[attr-defined]
    qtbot.mouseMove(view.viewport(), view.viewport().rect().center() + QtCore.QPoint(40, 40))  # type: ignore[attr-defined]
    qtbot.keyClick(view, Qt.Key.Key_Escape)  # type: ignore[attr-defined]
    assert edits.crop_of(session.project.segment_set) == (0, 0, ROWS, COLUMNS)
    assert panel.crop_tool.crop == (0, 0, ROWS, COLUMNS)


def test_painting_and_erasing_pixels(panel: ImagesPanel, session: Session, qtbot: object) -> None:
    panel.bar.choose("mask")
    panel.mask_options.kind.setCurrentText("Rectangle")
    _drag(qtbot, panel, (20, 20), (40, 30))
    excluded = session.project.segment_set.exclude
    assert excluded is not None
    assert not excluded.flags.writeable
    assert excluded.sum() == pytest.approx(200, abs=35)
    assert excluded[25, 30]
    panel.mask_options.kind.setCurrentText("Brush")
    panel.mask_options.erase.setChecked(True)
    _drag(qtbot, panel, (15, 25), (45, 25))
    assert session.project.segment_set.exclude is None
    session.history.undo()
    assert session.project.segment_set.exclude is excluded
    panel.mask_options.clear.click()
    assert session.project.segment_set.exclude is None


def test_brush_paints_a_round_stroke() -> None:
    path = QtGui.QPainterPath(QtCore.QPointF(20, 20))
    path.lineTo(40, 20)
    covered = mask.paint((50, 60), path, 10.0)
    # A stroke of length 20 and width 10 with round ends: 20 x 10 + pi 5^2.
    assert covered.sum() == pytest.approx(200 + np.pi * 25, rel=0.05)
    rows, columns = np.nonzero(covered)
    assert rows.mean() == pytest.approx(20, abs=0.3)
    assert columns.mean() == pytest.approx(30, abs=0.3)
    assert mask.changed(covered, covered, erase=True) is None


# Pixel size


def test_missing_pixel_size_is_asked_for_and_typed(panel: ImagesPanel, session: Session, qtbot: object) -> None:
    assert panel.banner.isVisible()
    qtbot.keyClicks(panel.banner.edit, "0.25um")  # type: ignore[attr-defined]
    qtbot.keyClick(panel.banner.edit, Qt.Key.Key_Return)  # type: ignore[attr-defined]
    assert session.project.segment_set.pixel_size_nm == pytest.approx(250.0)
    assert session.project.segment_set.pixel_size_source == "typed"
    assert not panel.banner.isVisible()
    session.history.undo()
    assert panel.banner.isVisible()


def test_pixel_size_from_a_drawn_scale_bar(panel: ImagesPanel, session: Session, qtbot: object) -> None:
    session.actions.action("images.measure_scale_bar").trigger()
    assert panel.bar.tool == "ruler"
    _drag(qtbot, panel, (10, 55), (60, 55))
    assert panel.ruler_tool.length_px == pytest.approx(50, abs=1)
    panel.ruler_options.edit.setText("1 µm")
    panel.ruler_options.edit.editingFinished.emit()
    expected = 1000 / panel.ruler_tool.length_px
    panel.ruler_options.use.click()
    assert session.project.segment_set.pixel_size_nm == pytest.approx(expected)
    assert session.project.segment_set.pixel_size_source == "scale bar"
    assert panel.bar.tool == "move"


def test_scale_bar_in_the_data_bar_is_suggested(session: Session, flow: ImagesFlow, qtbot: object) -> None:
    rows = []
    for image in _images():
        data = np.vstack([image.data, np.zeros((20, COLUMNS), np.uint16)])
        data[70, 15:55] = 400
        rows.append(replace(image, data=data))
    session.do(edits.add("Open", _set(images=tuple(rows), crop=(0, 0, ROWS, COLUMNS))))
    panel = ImagesPanel(session)
    qtbot.addWidget(panel)  # type: ignore[attr-defined]
    panel.show()
    panel.measure_scale_bar()
    assert panel.ruler_tool.length_px == pytest.approx(40, abs=1)
    assert panel.ruler_tool.start.y() == pytest.approx(70, abs=1)


def test_frames_of_a_series_share_pixel_size_crop_and_order(session: Session) -> None:
    frames = [_set(id=f"f{k}", time_s=float(k)) for k in range(3)]
    session.do(edits.add("Open", *frames))
    session.do(edits.set_pixel_size(session.project, frames[1], 5.0, "typed"))
    session.do(edits.swap_segments(session.project, session.project.get(SegmentSet, "f1"), 0, 1))
    for frame in session.project.of_kind(SegmentSet):
        assert frame.pixel_size_nm == 5.0
        assert frame.images[0].name == "image 1"
    session.history.undo()
    session.history.undo()
    assert session.project.of_kind(SegmentSet) == tuple(frames)


# Flow


class _Task:
    text = "Reading"

    def __init__(self, data: object = None) -> None:
        self.data = data


def _result(count: int = 4, frames: int = 1, **info: object) -> StepResult:
    images = [i for _ in range(frames) for i in _images(count)]
    about = [
        {
            "name": image.name, "label": "", "acquisition": {"energy_kev": 12.0}, "source": f"{image.source}{n}", "page": 0,
            "sha256": str(n), "warnings": [],
        }
        for n, image in enumerate(images)
    ]  # fmt: skip
    facts = {
        "images": about,
        "frames": [list(range(k * count, (k + 1) * count)) for k in range(frames)],
        "name": "scan", "crop": [0, 0, ROWS, COLUMNS], "data_bar": None, "clip_low": None, "clip_high": None,
        "clipped_fraction": [0.0] * count, "pixel_size_nm": None, "pixel_size_source": "",
        "azimuths": [
            {"azimuth_deg": a, "confidence": 0.92, "source": "shading",
             "guesses": [{"azimuth_deg": a, "confidence": 0.92, "source": "shading"}]}
            for a in np.arange(count) * -360.0 / count
        ],
        "warnings": ["the files state different beam energies"],
    }  # fmt: skip
    arrays = {f"image/{n}": image.data.copy() for n, image in enumerate(images)}
    return StepResult(arrays, {**facts, **info})


@pytest.fixture
def started(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object, dict[str, object]]]:
    """The steps that would have been started, instead of starting them."""
    calls: list[tuple[str, object, dict[str, object]]] = []

    def run(step: str, params: object, inputs: dict[str, object], *_: object, **__: object) -> None:
        calls.append((step, params, inputs))

    monkeypatch.setattr(session.tasks, "run", run)
    return calls


def test_reading_puts_in_a_preset_and_the_guessed_order(session: Session, flow: ImagesFlow, started: list) -> None:
    flow._on_read(_Task(), _result())
    detector = session.project.detector
    assert len(detector.quadrants) == 4
    assert detector.beam.energy_kev == 12.0
    assert _order(session) == ["0", "3", "2", "1"]
    texts = [message.text for message in session.messages.items]
    assert any("not measured" in text for text in texts)
    assert "the files state different beam energies" in texts
    assert [step for step, _, _ in started] == ["register"]
    assert session.history.texts == ("Open scan",)


def test_series_frames_get_times_and_are_not_registered_one_by_one(
    session: Session, flow: ImagesFlow, started: list
) -> None:
    flow._on_read(_Task(), _result(frames=3))
    assert [frame.time_s for frame in session.project.of_kind(SegmentSet)] == [0.0, 1.0, 2.0]
    assert started == []
    assert any("no times" in message.text for message in session.messages.items)


def test_times_come_from_the_dates_in_the_files() -> None:
    frames = []
    for k in range(3):
        acquisition = Acquisition(date=f"2026-01-15T10:00:{10 * k:02d}")
        frames.append(_set(images=tuple(replace(i, acquisition=acquisition) for i in _images())))
    assert [frame.time_s for frame in new_sets.with_times(frames)] == [0.0, 10.0, 20.0]
    mixed = [frames[0], replace(frames[1], images=_images())]
    assert new_sets.times_s(mixed) is None


def test_a_detector_of_another_number_of_segments_is_told(session: Session, flow: ImagesFlow, started: list) -> None:
    session.do(edits.set_detector(session.project, _detector((0, 120, 240), "ABC")))
    flow._on_read(_Task(), _result())
    assert any("has 3 segments" in message.text for message in session.messages.items)
    assert _order(session) == ["0", "1", "2", "3"]


def test_registration_is_kept_told_and_taken_back(
    panel: ImagesPanel, session: Session, flow: ImagesFlow, started: list
) -> None:
    session.do(edits.crop_images(session.project, session.project.segment_set, (0, 0, 40, COLUMNS)))
    session.actions.action("images.register").trigger()
    step, _, inputs = started[0]
    assert step == "register"
    assert [segment.shape for segment in inputs["segments"]] == [(40, COLUMNS)] * 4
    keys = tuple(map(segment_order.image_key, session.project.segment_set.images))
    flow.swap(0, 1)  # while it runs
    shifts = [(0.0, 0.0), (1.5, -2.0), (0.0, 0.0), (0.0, 0.0)]
    flow._on_registered(
        _Task(("set", keys, False)), StepResult({}, {"shifts_px": shifts, "quality": [1.0, 0.8, 0.9, 0.9]})
    )
    assert session.project.segment_set.shifts_px[0] == (1.5, -2.0)
    assert "image 1 -2.0, -1.5" in session.messages.items[-1].text
    assert "80 %" in panel.side.registration.text()
    session.actions.update_enabled()
    session.actions.action("images.clear_registration").trigger()
    assert session.project.segment_set.shifts_px == ()


def test_small_or_weak_shifts_move_nothing(session: Session, flow: ImagesFlow) -> None:
    session.do(edits.add("Open", _set()))
    keys = tuple(map(segment_order.image_key, _images()))
    weak = StepResult({}, {"shifts_px": [(0.0, 0.0), (9.0, 0.0), (0.0, 0.0), (0.0, 0.0)], "quality": [1, 0.1, 1, 1]})
    flow._on_registered(_Task(("set", keys, True)), weak)
    assert session.project.segment_set.shifts_px == ()
    assert "could not be registered" in session.messages.items[-1].text
    small = StepResult({}, {"shifts_px": [(0.0, 0.0), (0.1, 0.1), (0.0, 0.0), (0.0, 0.0)], "quality": [1, 0.9, 1, 1]})
    flow._on_registered(_Task(("set", keys, True)), small)
    assert session.project.segment_set.shifts_px == ((0.0, 0.0),) * 4
    assert "no segment had to be moved" in session.messages.items[-1].text


def test_compare_moves_the_second_image_by_its_shift(panel: ImagesPanel, session: Session) -> None:
    shifts = ((0.0, 0.0), (0.0, 0.0), (2.5, -1.0), (0.0, 0.0))
    session.do(edits.register_set(session.project.segment_set, shifts, (1.0, 1.0, 1.0, 1.0)))
    panel.side.compare.setChecked(True)
    assert panel.compare.isVisible()
    assert (panel.compare.first.currentIndex(), panel.compare.second.currentIndex()) == (0, 2)
    placed = panel.compare._second.mapRectToParent(panel.compare._second.boundingRect())
    assert (placed.left(), placed.top()) == pytest.approx((-1.5, 2.0))
    panel.compare.shifted.setChecked(False)
    placed = panel.compare._second.mapRectToParent(panel.compare._second.boundingRect())
    assert (placed.left(), placed.top()) == pytest.approx((-0.5, -0.5))
    panel.side.compare.setChecked(False)
    assert panel.mosaic.isVisible()


def test_empty_panel_offers_to_open(session: Session, flow: ImagesFlow, qtbot: object, panel: ImagesPanel) -> None:
    session.actions.action("images.remove_set").trigger()
    assert not panel.mosaic.isVisible()
    session.history.undo()
    assert panel.mosaic.isVisible()


def test_metadata_shows_what_differs() -> None:
    images = tuple(
        replace(image, acquisition=Acquisition(energy_kev=20.0, working_distance_mm=9.0 + k))
        for k, image in enumerate(_images(3))
    )
    rows = dict(presenter.metadata_rows(_set(images=images, pixel_size_nm=100.0)))
    assert rows["Beam energy"] == "20 keV"
    assert rows["Working distance"] == "9 mm / 10 mm / 11 mm"
    assert rows["Field"] == "8 µm × 6 µm"
    assert rows["Size"] == "80 × 60 px, 16 bit integer"


def test_real_files_are_read_by_the_engine(
    session: Session, flow: ImagesFlow, qtbot: object, shared_data: Path
) -> None:
    files = sorted((shared_data / "data" / "4q" / "fei_abs3_vickers").glob("*.tif"))
    panel = ImagesPanel(session)
    qtbot.addWidget(panel)  # type: ignore[attr-defined]
    panel.show()
    flow.open(files)
    qtbot.waitUntil(lambda: session.project.segment_set is not None, timeout=60_000)  # type: ignore[attr-defined]
    segment_set = session.project.segment_set
    assert segment_set.crop == (0, 0, 1024, 1536)
    assert segment_set.pixel_size_nm == pytest.approx(65.104, rel=1e-4)
    assert [s.name for s in session.project.detector.quadrants] == ["A", "B", "C"]
    assert len(panel.mosaic.panes) == 3
    session.tasks.cancel_all()
    qtbot.waitUntil(lambda: not session.tasks.running, timeout=60_000)  # type: ignore[attr-defined]
