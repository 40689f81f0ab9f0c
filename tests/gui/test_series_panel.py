"""The series panel: stepping and playing frames, their times, colours, and a reading over all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from panel_samples import HeldJobs, fill, held_session, make_run, make_set, ramp

from eclips_app.commands import edits
from eclips_app.gui.flows import measure, series
from eclips_app.gui.panels.series import presenter
from eclips_app.gui.panels.series.view import SeriesPanel
from eclips_app.gui.qt import Qt
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.model.items import Run, SegmentSet

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def held(qapp: object, tmp_path: Path) -> Session:
    made = held_session(tmp_path)
    fill(made, sets=5)
    return made


@pytest.fixture
def player(held: Session) -> Iterator[series.FramePlayer]:
    made = series.player_of(held)
    yield made
    made.pause()


@pytest.fixture
def panel(held: Session, player: series.FramePlayer, qtbot) -> SeriesPanel:
    made = SeriesPanel(held)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_buttons_step_and_stop_at_the_ends(
    panel: SeriesPanel, player: series.FramePlayer, held: Session, qtbot
) -> None:
    for name, place in (("next", 1), ("last", 4), ("next", 4), ("previous", 3), ("first", 0), ("previous", 0)):
        qtbot.mouseClick(panel.controls.buttons[name], LEFT)
        assert player.index == place
    player.go_to(3)
    assert held.project.selection.run_id == "scan3-0"
    assert panel.controls.label.text() == "Frame 4 of 5, t = 1.5 s"
    assert panel.controls.slider.value() == 3
    panel.controls.slider.setValue(2)
    assert held.project.selection.set_id == "scan2"
    panel.strip.setCurrentRow(4)
    assert player.index == 4


def test_frame_shows_its_starred_run_else_its_last(held: Session, player: series.FramePlayer) -> None:
    frame = held.project.get(SegmentSet, "scan1")
    assert frame is not None
    held.do(edits.add("Reconstruct", make_run(frame, "newer")))
    player.go_to(1)
    assert held.project.selection.run_id == "newer"
    older = held.project.get(Run, "scan1-0")
    assert older is not None
    held.do(edits.star_run(held.project, older))
    player.go_to(0)
    player.go_to(1)
    assert held.project.selection.run_id == "scan1-0"


def test_every_frame_is_played_in_turn(panel: SeriesPanel, player: series.FramePlayer, held: Session, qtbot) -> None:
    shown: list[str] = []
    held.project.selection_changed.connect(lambda chosen: shown.append(chosen.set_id))
    player.set_mode(rate=60.0, loop=False)
    qtbot.keyClick(panel, Qt.Key.Key_Space)
    assert player.is_playing
    qtbot.waitUntil(lambda: not player.is_playing, timeout=5000)
    assert shown == ["scan1", "scan2", "scan3", "scan4"]
    assert player.dropped == 0


def test_loop_begins_again(player: series.FramePlayer, qtbot) -> None:
    player.set_mode(rate=60.0, loop=True)
    player.go_to(3)
    player.play()
    qtbot.waitUntil(lambda: player.index == 1, timeout=5000)
    assert player.is_playing


def test_space_types_in_fields_and_plays_elsewhere(panel: SeriesPanel, player: series.FramePlayer, qtbot) -> None:
    panel.time.setFocus()
    panel.time.setText("1")
    qtbot.keyClick(panel.time, Qt.Key.Key_Space)
    assert not player.is_playing
    assert panel.time.text() == "1 "
    qtbot.keyClick(panel.pane, Qt.Key.Key_Space)
    assert player.is_playing


def test_real_time_leaves_late_frames_out_and_counts_them(player: series.FramePlayer) -> None:
    player.set_mode(real_time=True, loop=False)
    player.play()
    player.advance_to(0.2)
    assert (player.index, player.dropped) == (0, 0)
    player.advance_to(0.6)
    assert (player.index, player.dropped) == (1, 0)
    player.advance_to(2.1)
    assert (player.index, player.dropped) == (4, 2)
    player.advance_to(2.49)
    assert player.is_playing
    player.advance_to(2.6)
    assert not player.is_playing


def test_frames_without_times_follow_at_the_rate(held: Session, player: series.FramePlayer) -> None:
    held.do(edits.set_frame_times(player.frames, [None] * 5))
    player.set_mode(rate=4.0)
    assert player.times_s() == [0.0, 0.25, 0.5, 0.75, 1.0]
    held.do(edits.set_frame_times(player.frames[:2], [3.0, 2.0]))
    assert player.times_s() == [3.0, 3.25, 3.5, 3.75, 4.0]  # a time that does not rise counts as not known


def test_times_are_typed_and_undone(panel: SeriesPanel, player: series.FramePlayer, held: Session, qtbot) -> None:
    panel.time.setText("7.5")
    qtbot.keyClick(panel.time, Qt.Key.Key_Return)
    assert player.frames[0].time_s == 7.5
    panel.interval.setText("0.2")
    qtbot.keyClick(panel.interval, Qt.Key.Key_Return)
    assert [frame.time_s for frame in player.frames] == [0.0, 0.2, 0.4, 0.6, 0.8]
    held.history.undo()
    assert player.frames[0].time_s == 7.5


def test_fixed_colours_hold_for_all_frames(panel: SeriesPanel, player: series.FramePlayer) -> None:
    def shown() -> tuple[float, float]:
        low, high = panel.pane.image.levels
        return float(low), float(high)

    fixed = shown()
    player.go_to(4)
    assert shown() == fixed
    panel.fixed.click()
    own = shown()
    assert own[1] == pytest.approx(presenter.height_levels(ramp(0.9))[1])
    player.go_to(0)
    assert shown()[1] < own[1]


def test_reading_follows_the_line_over_all_frames(panel: SeriesPanel, held: Session, qtbot) -> None:
    flow = measure.flow_of(held)
    line_id = flow.new_line((10.0, 30.0), (60.0, 30.0))
    flow.set_cursors(line_id, 20.0, 80.0)
    trend = panel.trend
    expected = [60.0 * (0.5 + 0.1 * i) for i in range(5)]
    qtbot.waitUntil(lambda: all(map(math.isfinite, trend.values())), timeout=5000)
    assert trend.values() == pytest.approx(expected, rel=1e-5)
    flow.set_cursors(line_id, 20.0, 40.0)
    qtbot.waitUntil(lambda: trend.values()[4] == pytest.approx(18.0, rel=1e-5), timeout=5000)
    assert [line.id for line in panel.pane.lines] == [line_id]


@pytest.mark.parametrize(("key", "value"), [("range", 50.0), ("mean", 35.0), ("Fitted angle", 26.565)])
def test_readings_of_a_ramp(held: Session, key: str, value: float) -> None:
    flow = measure.flow_of(held)
    flow.new_line((10.0, 30.0), (60.0, 30.0))
    line, run = held.project.line, held.project.get(Run, "scan0-0")
    assert line is not None
    assert run is not None
    assert presenter.reading(run, line, (10.0, 90.0), key) == pytest.approx(value, abs=1e-3)
    hole = replace(run, arrays={"height": np.full_like(run.arrays["height"], np.nan)})
    assert math.isnan(presenter.reading(hole, line, (10.0, 90.0), key))


def test_frames_without_heights_show_their_images(
    held: Session, panel: SeriesPanel, player: series.FramePlayer
) -> None:
    held.do(edits.add("Open", make_set("raw")))
    player.last()
    assert held.project.run is None
    assert panel.pane.value_at(5, 5) == 1000.0
    assert panel.strip.item(5).toolTip() == "raw: not reconstructed"


def test_even_times_are_round() -> None:
    assert presenter.even_times(4, 0.1) == [0.0, 0.1, 0.2, 0.3]
    assert presenter.even_times(3, 1e-5) == [0.0, 1e-5, 2e-5]


def test_panel_is_empty_until_frames_come(qtbot, qapp: object, tmp_path: Path) -> None:
    session = Session(Settings(tmp_path / "s.ini"), HeldJobs())  # type: ignore[arg-type]
    panel = SeriesPanel(session)
    qtbot.addWidget(panel)
    assert panel.pages.currentWidget() is panel.empty
    fill(session)
    assert panel.pages.currentWidget() is not panel.empty
