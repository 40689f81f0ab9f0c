"""Engine killed, disk full, folders locked, program crashed: what the user then sees. Nothing is lost, the window goes on."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driver import Answer, Program, content, engine_pids, kill, open_scan

from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.model.items import SegmentSet

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def busy(program: Program, large_scan: Path, scan: Path) -> Program:
    """The program in the middle of the reconstruction of the large scan."""
    program.drop(scan / "detector.json", large_scan / "large.tif")
    program.type_in(program.panel("images").banner.edit, "5 nm")
    program.start_reconstruction()
    return program


# The engine


def test_engine_killed_in_mid_run(busy: Program) -> None:
    before = content(busy)
    kill(engine_pids()[0])
    busy.wait_idle()
    assert content(busy) == before
    assert busy.said() == [
        "Reconstructing large: The engine stopped (signal 9). It may have run out of memory. Your project is untouched."
    ]
    busy.reconstruct()
    assert busy.project.run is not None
    assert len(busy.said()) == 1


def test_engine_dies_again_and_again(busy: Program, scan: Path) -> None:
    before = content(busy)
    for _ in range(3):
        for pid in engine_pids():  # the spare too
            kill(pid)
        busy.wait_idle()
        assert content(busy) == before
        busy.start_reconstruction()
    busy.session.tasks.running[0].cancel()
    busy.wait_idle()
    assert len(busy.said()) == 3
    assert len(set(busy.said())) == 1
    busy.drop(*(scan / f"{name}.tif" for name in "ENWS"))  # files are read as before
    assert len(busy.project.of_kind(SegmentSet)) == 2


def test_running_reconstruction_is_stopped(busy: Program) -> None:
    before = content(busy)
    busy.window.statusBar().findChild(QtWidgets.QPushButton).click()
    busy.wait_idle()
    assert content(busy) == before
    assert busy.said() == []
    assert busy.said("info")[-1] == "Reconstructing large: stopped."
    busy.reconstruct()
    assert busy.project.run is not None


def test_project_closed_in_mid_run(busy: Program) -> None:
    busy.answer_unsaved(Answer.Discard)
    busy.session.actions.action("file.new").trigger()
    busy.wait_idle()
    assert content(busy) == {}
    assert busy.said() == []


def test_images_removed_in_mid_run(busy: Program) -> None:
    busy.session.actions.action("images.remove_set").trigger()
    busy.wait_idle()
    assert not busy.project.of_kind(SegmentSet)
    assert busy.said() == []
    assert busy.said("warning")[-1] == "The images were removed meanwhile; the reconstruction was dropped."
    busy.session.history.undo()
    assert busy.project.segment_set is not None


def test_window_closed_in_mid_run(busy: Program) -> None:
    busy.answer_unsaved(Answer.Discard)
    assert busy.close()
    assert engine_pids() == []


# Saving


@pytest.fixture
def loaded(program: Program, scan: Path) -> Program:
    """The program with the small scan reconstructed, not saved."""
    open_scan(program, scan)
    program.reconstruct()
    assert program.project.run is not None
    return program


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """A function after which no file that the engine writes gets larger than so many bytes, until the test ends."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        for pid in engine_pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, unlimited[1]))

    yield limit
    limit(unlimited[0])


def test_disk_full_in_mid_save(loaded: Program, full_disk: Callable[[int], None], tmp_path: Path) -> None:
    path = tmp_path / "work" / "job.eclips"
    path.parent.mkdir()
    loaded.save_as(path)
    assert not loaded.is_unsaved
    saved = path.read_bytes()
    loaded.session.actions.action("measure.add_line").trigger()
    before = content(loaded)
    full_disk(300_000)
    loaded.press(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    loaded.wait_idle()
    assert loaded.said() == [
        f"Saving job.eclips: {path}: the disk is full, nothing was changed. Free some space or choose another place."
    ]
    assert path.read_bytes() == saved
    assert [each.name for each in path.parent.iterdir()] == ["job.eclips"]
    assert loaded.is_unsaved
    assert content(loaded) == before

    full_disk(resource.RLIM_INFINITY)
    loaded.press(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    loaded.wait_idle()
    assert not loaded.is_unsaved
    assert (path.parent / "job.1.eclips").read_bytes() == saved


def test_disk_full_on_leaving_keeps_the_window(
    loaded: Program, full_disk: Callable[[int], None], tmp_path: Path
) -> None:
    loaded.save_as(tmp_path / "job.eclips")
    loaded.session.actions.action("measure.add_line").trigger()
    full_disk(300_000)
    loaded.answer_unsaved(Answer.Save)
    assert not loaded.close()
    loaded.wait_idle()
    assert loaded.window.isVisible()
    assert loaded.is_unsaved
    full_disk(resource.RLIM_INFINITY)
    loaded.answer_unsaved(None)
    loaded.press(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)  # this time only saves
    loaded.wait_idle()
    assert not loaded.is_unsaved
    assert loaded.window.isVisible()


def test_folder_that_cannot_be_written(program: Program, scan: Path, tmp_path: Path) -> None:
    open_scan(program, scan)
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # the administrator's rights go further, but not there
        folder = Path("/proc")
    before = content(program)
    program.save_as(folder / "job.eclips")
    (said,) = program.said()
    assert said.startswith(f"Saving job.eclips: {folder}/job.eclips: the file cannot be written (")
    assert said.endswith("), nothing was changed. Choose another place.")
    assert program.is_unsaved
    assert program.session.path is None
    assert content(program) == before


def test_home_that_cannot_be_written(
    start: Callable[[], Program], scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", f"{os.devnull}/{name}")  # no folder can be made there
    program = start()
    open_scan(program, scan)
    program.session.saving.autosave()
    program.wait_idle()
    assert [text for text in program.said("warning") if "safety" in text] == [
        f"No safety copies can be kept (Not a directory: {os.devnull}/STATE/eclips/recovery). Save your work often."
    ]
    program.save_as(tmp_path / "job.eclips")
    assert not program.is_unsaved
    assert program.said() == []


def test_settings_that_are_damaged(start: Callable[[], Program], tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_bytes(
        b"[window\nstate=@ByteArray(\xff\x00\x01garbage)\ngeometry=17\nrecent=@Variant(x\n" * 9
    )
    program = start()
    program.panel("start")
    assert program.window.isVisible()
    assert program.close()


# Leaving with unsaved work


def test_closing_with_unsaved_work(start: Callable[[], Program], scan: Path, tmp_path: Path) -> None:
    program = start()
    open_scan(program, scan)
    before = content(program)
    program.answer_unsaved(Answer.Cancel)
    assert not program.close()
    program.answer_unsaved(Answer.Save)
    program.cancel_save_dialog()
    assert not program.close()
    assert content(program) == before
    assert program.is_unsaved
    assert program.questions == 2

    path = tmp_path / "job.eclips"
    program.answer_unsaved(None)
    program.save_as(path)  # only saves, although closing was wanted before
    assert program.window.isVisible()
    program.session.actions.action("measure.add_line").trigger()
    program.answer_unsaved(Answer.Save)
    assert not program.close()  # not before the file is written
    program.wait(lambda: not program.window.isVisible())
    saved = path.read_bytes()

    again = start()
    again.drop(path)
    assert again.project.line is not None
    again.session.actions.action("measure.add_line").trigger()
    again.answer_unsaved(Answer.Discard)
    assert again.close()
    assert path.read_bytes() == saved


def test_opening_another_project_with_unsaved_work(program: Program, scan: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.eclips", tmp_path / "second.eclips"
    open_scan(program, scan)
    program.save_as(second)
    program.session.actions.action("measure.add_line").trigger()
    program.save_as(first)
    program.session.actions.action("measure.add_line").trigger()
    before = content(program)
    program.answer_unsaved(Answer.Cancel)
    program.drop(second)
    assert content(program) == before
    program.answer_unsaved(Answer.Save)  # then the other one opens without a further word
    program.drop(second)
    program.wait(lambda: program.session.path == second)
    assert program.project.line is None
    program.drop(first)
    assert set(content(program)) == set(before)
    program.session.history.undo()  # nothing to undo: it has just been opened
    program.session.actions.action("measure.delete_line").trigger()
    program.answer_unsaved(Answer.Discard)
    program.drop(second)
    assert program.session.path == second
    assert program.questions == 3
    assert program.said() == []


def test_work_done_while_a_project_opens_is_not_lost(program: Program, scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "job.eclips"
    open_scan(program, scan)
    program.save_as(path)
    program.session.files.open_project(path)  # takes a moment
    program.session.actions.action("measure.add_line").trigger()
    before = content(program)
    program.answer_unsaved(Answer.Cancel)
    program.wait_idle()
    assert content(program) == before
    assert program.questions == 1


# Crash


def test_crash_and_recovery(start: Callable[[], Program], scan: Path, tmp_path: Path) -> None:
    start().close()  # sets where settings and safety copies are kept
    script = Path(__file__).with_name("crashing.py")
    with subprocess.Popen([sys.executable, str(script), str(scan)], stdout=subprocess.PIPE, text=True) as crashing:
        assert crashing.stdout is not None
        expected = crashing.stdout.readline().strip()
        kill(crashing.pid)
    program = start()
    buttons = program.panel("start").findChildren(QtWidgets.QPushButton)
    (recover,) = [button for button in buttons if button.text() == "Recover"]
    (text,) = [label.text() for label in recover.parent().findChildren(QtWidgets.QLabel)]
    assert text.startswith("The program ended without saving. There is a copy of your work from ")
    recover.click()
    program.wait_idle()
    assert hashlib.sha256(program.height.tobytes()).hexdigest() == expected
    assert program.is_unsaved
    assert program.session.path is None
    program.answer_unsaved(Answer.Cancel)
    assert not program.close()
    program.save_as(tmp_path / "saved.eclips")
    assert program.close()

    again = start()  # now that it is safe, it is not offered any more
    assert "Recover" not in [each.text() for each in again.panel("start").findChildren(QtWidgets.QPushButton)]
    again.drop(tmp_path / "saved.eclips")
    assert hashlib.sha256(again.height.tobytes()).hexdigest() == expected
