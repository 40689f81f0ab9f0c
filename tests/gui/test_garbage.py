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


def test_another_thread_destroys_no_widget(qtbot: QtBot) -> None:
    GarbageCollector(QtWidgets.QApplication.instance())
    widget = _Cycle()
    threads: list[object] = []
    weakref.finalize(widget, lambda: threads.append(QtCore.QThread.currentThread()))
    del widget
    other = threading.Thread(target=_allocate)
    other.start()
    other.join()
    assert threads == []
    gc.collect()
    assert threads == [QtCore.QThread.currentThread()]


def test_collects_by_itself_when_much_has_gathered(qtbot: QtBot) -> None:
    GarbageCollector(QtWidgets.QApplication.instance())
    widget = _Cycle()
    gone = weakref.ref(widget)
    del widget
    kept: list[list[object]] = []

    def gone_when_more_is_allocated() -> bool:
        kept.extend([] for _ in range(1_000))  # what other tests leave to be deleted counts against it
        return gone() is None

    qtbot.waitUntil(gone_when_more_is_allocated)
