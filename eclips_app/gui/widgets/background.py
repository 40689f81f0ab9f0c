"""Short computations beside the event loop: array work that would hold up the window for more than a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from eclips_app.gui.qt import QtCore, Signal

T = TypeVar("T")


class Background(QtCore.QObject):
    """Runs functions one after another in a thread and hands each result to the window's thread.

    Only for numpy and files; the engine's work goes to the engine process. An exception of the function is raised again in the
    window's thread.
    """

    _finished = Signal(object, object, object)

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QtCore.QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._pending = 0
        self._round = 0
        self._finished.connect(self._deliver, QtCore.Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether results are still to come."""
        return self._pending > 0

    def run(self, work: Callable[[], T], then: Callable[[T], object]) -> None:
        """Call `work` in the thread, then `then` with its result in the window's thread."""
        self._pending += 1
        this_round = self._round

        def task() -> None:
            if this_round != self._round:
                return
            try:
                result: Any = work()
            except Exception as error:
                result = error
            try:
                self._finished.emit(this_round, then, result)
            except RuntimeError:  # the window is gone, nobody waits for the result
                return

        self._pool.start(task)

    def drop(self) -> None:
        """Forget everything that was asked for; what runs just now ends without effect, and what waits does nothing.

        The pool is not cleared: it would let go of Python functions outside of Python's lock, which can crash.
        """
        self._round += 1
        self._pending = 0

    def stop(self) -> None:
        """Forget everything and wait for the thread."""
        self.drop()
        self._pool.waitForDone()

    def _deliver(self, its_round: int, then: Callable[[Any], object], result: Any) -> None:
        if its_round != self._round:
            return
        self._pending -= 1
        if isinstance(result, Exception):
            raise result
        then(result)
