"""Cyclic garbage that holds widgets is collected in the window's thread alone."""

from __future__ import annotations

import gc
import threading
import weakref

from pytestqt.qtbot import QtBot

from eclips_app.gui.garbage import GarbageCollector
from eclips_app.gui.qt import QtCore, QtWidgets


class _Cycle(QtWidgets.QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.me = self


def _allocate() -> None:
    """Make as many containers as let Python collect by itself."""
    kept = [[] for _ in range(50_000)]
    assert kept


def test_another_thread_destroys_no_widget_and_the_event_loop_does(qtbot: QtBot) -> None:
    collector = GarbageCollector()
    widget = _Cycle()
    threads: list[object] = []
    weakref.finalize(widget, lambda: threads.append(QtCore.QThread.currentThread()))
    del widget
    other = threading.Thread(target=_allocate)
    other.start()
    other.join()
    assert threads == []
    qtbot.waitUntil(lambda: gc.collect(0) >= 0 and (collector.look() or bool(threads)))
    assert threads == [QtCore.QThread.currentThread()]


def test_collects_by_itself_when_much_has_gathered(qtbot: QtBot) -> None:
    GarbageCollector(QtWidgets.QApplication.instance())
    widget = _Cycle()
    gone = weakref.ref(widget)
    del widget
    kept = [[] for _ in range(5_000)]
    qtbot.waitUntil(lambda: gone() is None)
    assert kept
