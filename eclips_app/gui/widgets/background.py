"""Short computations beside the event loop: array work that would hold up the window for more than a frame."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from eclips_app.gui.qt import QtCore, Signal

T = TypeVar("T")


class Background(QtCore.QObject):
    """Runs functions one after another in a thread and hands each result to the window's thread.

    Only for numpy and files; the engine's work goes to the engine process. An exception of the function is raised again in the
    window's thread. The thread is Python's, and knows neither this object nor who waits for a result: a widget whose last
    reference it let go of would be destroyed in the wrong thread, which crashes later.
    """

    _finished = Signal(int, object)

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, "background")
        self._waiting: dict[int, Callable[[Any], object]] = {}
        self._asked = 0
        self._last: Future[None] | None = None
        self._finished.connect(self._deliver, QtCore.Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether results are still to come."""
        return bool(self._waiting)

    def run(self, work: Callable[[], T], then: Callable[[T], object]) -> None:
        """Call `work` in the thread, then `then` with its result in the window's thread."""
        self._asked += 1
        self._waiting[self._asked] = then
        self._last = self._thread.submit(_work, weakref.ref(self), self._asked, work)

    def drop(self) -> None:
        """Forget everything that was asked for; what runs just now ends without effect, and what waits does nothing."""
        self._waiting.clear()

    def stop(self) -> None:
        """Forget everything and wait for the thread."""
        self.drop()
        if self._last is not None:
            wait([self._last])

    def awaits(self, ticket: int) -> bool:
        """Whether the result of a call is still wanted."""
        return ticket in self._waiting

    def hand_over(self, ticket: int, result: Any) -> None:
        """Send a result to the window's thread."""
        self._finished.emit(ticket, result)

    def _deliver(self, ticket: int, result: Any) -> None:
        then = self._waiting.pop(ticket, None)
        if then is None:
            return
        if isinstance(result, Exception):
            raise result
        then(result)


def _work(owner: weakref.ref[Background], ticket: int, work: Callable[[], Any]) -> None:
    """Do some work in the thread, unless nobody wants it any more."""
    asker = owner()
    if asker is None or not asker.awaits(ticket):
        return
    del asker
    try:
        result: Any = work()
    except Exception as error:
        result = error
    asker = owner()
    try:
        if asker is not None:
            asker.hand_over(ticket, result)
    except RuntimeError:  # the window is gone, nobody waits for the result
        return
