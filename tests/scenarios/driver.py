"""The program as a user has it: files dropped on the window, keys, mouse, dialogs answered, messages read."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from eclips_app.gui.app import make_window
from eclips_app.gui.flows import reconstruct
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings

PIXEL_NM = 5.0  #: of the scan
NO_MODIFIER = Qt.KeyboardModifier.NoModifier
Answer = QtWidgets.QMessageBox.StandardButton


class Program:
    """One run of the program, from opening the window to closing it."""

    def __init__(self, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        self._qtbot, self._monkeypatch = qtbot, monkeypatch
        self.session = Session(Settings(folder / "settings.ini"))
        self.window = make_window(self.session)
        self.window.show()
        qtbot.waitExposed(self.window)
        self.window.activateWindow()
        self.questions = 0  #: how often it asked about unsaved work
        self.answer_unsaved(None)

    @property
    def project(self) -> Any:
        return self.session.project

    @property
    def height(self) -> Any:
        """Heights [row, col] in nm of the selected run."""
        return self.project.run.arrays["height"]

    def panel(self, key: str) -> Any:
        """Bring a panel to the front by its menu entry and give it."""
        self.session.actions.action(f"view.{key}").trigger()
        return self.window.panels[key].panel()

    # Waiting

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        self._qtbot.waitUntil(condition, timeout=round(1000 * seconds))

    def wait_idle(self, seconds: float = 30.0) -> None:
        """Wait until nothing runs."""
        self.wait(lambda: not self.session.tasks.running, seconds)

    # What the user does

    def drop(self, *paths: Path) -> None:
        """Drop files on the window, and wait until they are read."""
        data = QtCore.QMimeData()
        data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in paths])
        self.window.dropEvent(
            QtGui.QDropEvent(
                QtCore.QPointF(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, NO_MODIFIER
            )
        )
        self.wait_idle()

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_MODIFIER) -> None:
        """Press a key in the window."""
        self._qtbot.keyClick(self.window, key, modifiers)

    def press_on(self, widget: QtWidgets.QWidget, key: Qt.Key) -> None:
        """Press a key while a widget has the keyboard."""
        widget.setFocus()
        self._qtbot.keyClick(widget, key)

    def type_in(self, field: QtWidgets.QLineEdit, text: str) -> None:
        """Replace the text of a field and press Return."""
        field.setFocus()
        field.selectAll()
        self._qtbot.keyClicks(field, text)
        self._qtbot.keyClick(field, Qt.Key.Key_Return)

    def drag(self, pane: Any, *points: tuple[float, float]) -> None:
        """Press the left button at the first point (col, row), go to the others, and let go."""
        kinds, left = QtCore.QEvent.Type, Qt.MouseButton.LeftButton
        places = [QtCore.QPointF(*pane.screen_point(point)) for point in points]
        moves = [(kinds.MouseMove, place, left) for place in places[1:]]
        steps = [
            (kinds.MouseButtonPress, places[0], left),
            *moves,
            (kinds.MouseButtonRelease, places[-1], Qt.MouseButton.NoButton),
        ]
        for kind, place, buttons in steps:
            where = pane.viewport().mapToGlobal(place)
            event = QtGui.QMouseEvent(kind, place, where, left, buttons, NO_MODIFIER)
            QtWidgets.QApplication.sendEvent(pane.viewport(), event)

    def reconstruct(self) -> None:
        """Press F5 and wait for the result."""
        self.press(Qt.Key.Key_F5)
        self.wait_idle()

    def start_reconstruction(self) -> Any:
        """Press F5 and wait until the engine is in the middle of it; gives the running task."""
        self.press(Qt.Key.Key_F5)
        flow = reconstruct.flow_of(self.session)
        assert flow.task is not None
        self.wait(lambda: flow.task is None or flow.task.fraction > 0.0)
        assert flow.task is not None
        return flow.task

    def save_as(self, path: Path) -> None:
        """Save under a name typed into the dialog."""
        self._monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        self.session.actions.action("file.save_as").trigger()
        self.wait_idle()

    def cancel_save_dialog(self) -> None:
        """From now on the user cancels the dialog that asks for a file name."""
        self._monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: ("", ""))

    def answer_unsaved(self, answer: Answer | None) -> None:
        """From now on the question about unsaved work gets this answer; None: it must not be asked."""

        def choose(box: QtWidgets.QMessageBox) -> int:
            assert answer is not None, f"asked: {box.text()}"
            self.questions += 1
            box.button(answer).click()
            return 0

        self._monkeypatch.setattr(QtWidgets.QMessageBox, "exec", choose)

    def close(self) -> bool:
        """Close the window; whether it closed."""
        return self.window.close()

    def quit(self) -> None:
        """End the program without a question, whatever is unsaved."""
        self.session.history.mark_saved(self.session.history.mark())
        self.window.close()
        self.session.jobs.shutdown()
        self.window.deleteLater()

    # What the user sees

    def said(self, kind: str = "error") -> list[str]:
        """The messages of a kind, oldest first."""
        return [message.text for message in self.session.messages.items if message.kind == kind]

    @property
    def is_unsaved(self) -> bool:
        """Whether the title bar marks the project as changed."""
        return self.window.isWindowModified()


class Windows(QtCore.QObject):
    """Notes the windows that come up while it is used, but for drop-down lists and tool tips."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        kinds = (Qt.WindowType.Window, Qt.WindowType.Widget)
        if event.type() == QtCore.QEvent.Type.Show and isinstance(watched, QtWidgets.QWidget) and watched.isWindow():
            self.shown += [type(watched).__name__] if watched.windowType() in kinds else []
        return False

    def __enter__(self) -> Windows:
        QtWidgets.QApplication.instance().installEventFilter(self)
        return self

    def __exit__(self, *exception: object) -> None:
        QtWidgets.QApplication.instance().removeEventFilter(self)


def open_scan(program: Program, scan: Path) -> None:
    """Open the small scan with its detector and type its pixel size."""
    program.drop(scan / "detector.json", *(scan / f"{name}.tif" for name in "ENWS"))
    program.type_in(program.panel("images").banner.edit, "5 nm")


def content(program: Program) -> dict[str, Any]:
    """All items of the project by id; items are frozen, so the same objects are the same content."""
    return {item.id: item for item in program.project}


def engine_pids() -> list[int]:
    """Give the ids of the engine processes, the computing one first."""
    mine = [p for p in multiprocessing.active_children() if p.name.startswith("eclips-engine-e")]
    mine.sort(key=lambda process: int(process.name.removeprefix("eclips-engine-e")))
    return [process.pid for process in mine if process.pid]


def kill(pid: int) -> None:
    """End a process as the system does when memory runs out."""
    os.kill(pid, signal.SIGKILL)
