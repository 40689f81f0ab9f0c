"""The `Context` that a step gets in an engine process: its calls become messages to the window."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.jobs.protocol import Message, Preview, Progress
from eclips_app.jobs.scratch import Scratch, describe

#: Shortest time between two notices of a kind, in seconds; more could not be seen and would slow the step down.
INTERVAL_S = 0.05


class PipeContext:
    """Sends progress and previews, at most twenty of each per second, and learns of a cancellation.

    The last progress is never swallowed: the thread that listens to the window sends it with `flush`.
    """

    def __init__(self, job: int, send: Callable[[Message], None], scratch: Scratch) -> None:
        self._job = job
        self._send = send
        self._scratch = scratch
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._begun = time.monotonic()
        self._sent = -math.inf
        self._waiting: Progress | None = None
        self._previewed: dict[str, float] = {}

    def begin(self) -> None:
        """Let the clock of the time left start."""
        self._begun = time.monotonic()

    def cancel(self) -> None:
        """Make the next `check` raise; may be called from any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the part done, 0 to 1, and what is being done."""
        self.check()
        part = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
        elapsed = time.monotonic() - self._begun
        left = elapsed * (1.0 - part) / part if part > 0.02 and elapsed > 0.5 else None
        with self._lock:
            self._waiting = Progress(self._job, part, text, left)
            self._send_waiting()

    def flush(self) -> None:
        """Send the newest progress if it had to wait and its time has come."""
        with self._lock:
            self._send_waiting()

    def end(self) -> None:
        """Send no more progress."""
        with self._lock:
            self._waiting = None

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        """Show an unfinished result; those that come too soon after the last of the same name are left out."""
        self.check()
        now = time.monotonic()
        if now - self._previewed.get(name, -math.inf) < INTERVAL_S:
            return
        self._previewed[name] = now
        try:
            copy = self._scratch.put({name: array})
        except EclipsError:
            return  # no room to show it is no reason to give the work up
        self._send(Preview(self._job, describe(copy, hand_over=True), dict(info)))

    def _send_waiting(self) -> None:
        now = time.monotonic()
        if self._waiting is not None and now - self._sent >= INTERVAL_S:
            self._send(self._waiting)
            self._waiting, self._sent = None, now
