"""The main job from files on disk to results, as a user does it, compared with the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from driver import Program, Windows, open_scan

from eclips_app.gui.flows import measure
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.io.project_file import read_project
from eclips_app.model.items import Measurement, Run, SegmentSet

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def eclips(*argv: object) -> Any:
    """Run the program's command line in a process of its own; gives what it prints as JSON."""
    words = [sys.executable, "-m", "eclips_app", *map(str, argv), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def heights_in(path: Path) -> list[np.ndarray]:
    """All height maps [row, col] in nm of a project, in its order."""
    state, arrays = read_project(path)
    return [arrays[item["arrays"]["height"]["$array"]] for item in state["items"] if item["kind"] == "run"]


def measure_by_hand(program: Program, *points: tuple[float, float]) -> None:
    """Draw a line through points (col, row) by mouse, put the cursors to its ends, and add a result."""
    panel = program.panel("profile")
    program.press(Qt.Key.Key_L)
    program.drag(panel.image.pane, *points)
    first, second = panel.plot.readings.cursors
    program.type_in(first, "0")
    program.type_in(second, "1 mm")  # as far as the line goes
    program.press(Qt.Key.Key_R, CTRL)


def check_measured(program: Program, path: Path) -> None:
    """Compare what the window measured along the selected line with the command line's figures."""
    line = program.project.line
    ends = [f"{col!r},{row!r}" for col, row in (line.start_px, line.end_px)]
    told = eclips("profile", path, "--from", ends[0], "--to", ends[1], "--width", line.width_px)
    run_id = program.project.run.id
    shown = next(row.values for row in program.project.of_kind(Measurement) if row.run_id == run_id)
    for theirs, ours in (
        ("length", "Distance"), ("height_difference", "Height difference"), ("slope_angle", "Fitted angle"),
        ("rms_deviation", "Fit rms"),
    ):  # fmt: skip
        assert told[theirs]["unit"] == shown[ours]["unit"]
        for part in ("value", "std"):
            assert told[theirs][part] == (shown[ours][part] and pytest.approx(shown[ours][part], rel=1e-9)), ours
    sampled = measure.flow_of(program.session).sampled()[0]
    assert told["height_nm"] == sampled.profile.height_nm.tolist()


def test_from_dropped_files_to_results(start: Callable[[], Program], shared_data: Path, tmp_path: Path) -> None:
    case, path = shared_data / "cases" / "steps46", tmp_path / "job.eclips"
    program = start()
    with Windows() as windows:
        program.drop(case / "quadrants.tif", case / "detector.json")
        program.type_in(program.panel("images").banner.edit, "0.002 um")
        program.reconstruct()
        surface = program.panel("surface3d")
        program.wait(lambda: surface.view is not None and surface.view.is_settled)
        measure_by_hand(program, (10, 200), (90, 150), (240, 40))
    assert windows.shown == []  # nothing but the main window came up, not even for a moment
    assert program.said("error") == []
    height, rows = program.height.copy(), program.project.of_kind(Measurement)
    program.save_as(path)
    assert program.close()

    again = start()
    again.drop(path)
    assert again.session.path == path
    assert not again.is_unsaved
    assert again.height.tobytes() == height.tobytes()
    assert again.project.of_kind(Measurement) == rows
    assert again.project.line.id == rows[0].line_id
    check_measured(again, path)

    assert eclips("verify", path)["identical"]
    other = tmp_path / "other.eclips"
    eclips(
        "reconstruct", case / "quadrants.tif", "--detector", case / "detector.json", "--pixel-size", "2nm", "-o", other
    )
    (by_command,) = heights_in(other)
    assert by_command.tobytes() == height.tobytes()


def test_built_in_example(start: Callable[[], Program], tmp_path: Path) -> None:
    path = tmp_path / "example.eclips"
    program = start()
    program.panel("start").findChild(QtWidgets.QCommandLinkButton, "steps").click()
    program.wait_idle()
    assert program.project.run is not None
    measure_by_hand(program, (50, 400), (450, 300))
    program.save_as(path)
    height = program.height.copy()
    check_measured(program, path)
    assert program.close()
    again = start()
    recent = again.panel("start").recent
    recent.setCurrentRow(0)
    again.press_on(recent, Qt.Key.Key_Return)
    again.wait_idle()
    assert again.height.tobytes() == height.tobytes()


def test_two_frames_as_a_series(start: Callable[[], Program], scan: Path, tmp_path: Path) -> None:
    path, files = tmp_path / "series.eclips", [tmp_path / f"{name}.tif" for name in "ENWS"]
    for file in files:
        frame = tifffile.imread(scan / file.name)
        tifffile.imwrite(file, np.stack([frame, frame[:, ::-1]]), photometric="minisblack")
    program = start()
    program.drop(scan / "detector.json", *files)
    assert len(program.project.of_kind(SegmentSet)) == 2
    program.type_in(program.panel("images").banner.edit, "5")
    program.press(Qt.Key.Key_F5, SHIFT)
    program.wait_idle()
    runs = program.project.of_kind(Run)
    assert len(runs) == 2
    program.panel("series")
    shown = program.project.run.id
    program.press(Qt.Key.Key_Period, CTRL)
    assert {shown, program.project.run.id} == {run.id for run in runs}
    program.save_as(path)
    assert program.close()

    again = start()
    again.drop(path)
    found = again.project.of_kind(Run)
    assert [run.arrays["height"].tobytes() for run in found] == [run.arrays["height"].tobytes() for run in runs]
    with h5py.File(path) as file:
        assert file["reconstruction/height"].shape == (2, *runs[0].arrays["height"].shape)
        assert file["series/time_s"][()].tolist() == [0.0, 1.0]
    replayed = eclips("verify", path)
    assert replayed["identical"]
    assert len(replayed["runs"]) == 2

    other = tmp_path / "other.eclips"
    eclips("reconstruct", *files, "--detector", scan / "detector.json", "--pixel-size", "5nm", "-o", other)
    assert [height.tobytes() for height in heights_in(other)] == [run.arrays["height"].tobytes() for run in runs]


def test_the_same_project_is_opened_again(program: Program, scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "job.eclips"
    open_scan(program, scan)
    program.reconstruct()
    for key in program.window.panels:  # each shows the project and must let go of it
        program.panel(key)
    program.save_as(path)
    height = program.height.copy()
    program.drop(path)
    assert program.height.tobytes() == height.tobytes()
    assert program.said() == []
    program.reconstruct()
    assert len(program.project.of_kind(Run)) == 2
