"""The engine as the window uses it: what it says is heard in the window's thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from eclips_app.core.steps import Step
from eclips_app.gui.qt import Qt, QtCore, Signal, Slot
from eclips_app.jobs.engine import Engine, Status
from eclips_app.jobs.job import Event, Job, Preview, Priority
from eclips_app.jobs.scratch import ArrayInput

Hear = Callable[[Event], object]


class QtJobs(QtCore.QObject):
    """Owns an `Engine`; its events are heard in the thread of this object, never in the engine's.

    Parameters
    ----------
    parent : QObject, optional
        Owner in Qt's sense.
    engine : Engine, optional
        One that has not been started, instead of a new one.
    """

    status_changed = Signal(str)  #: "starting", "ready", "busy" or "stopped"
    _arrived = Signal()

    def __init__(self, parent: QtCore.QObject | None = None, engine: Engine | None = None) -> None:
        super().__init__(parent)
        self._engine = engine or Engine()
        self._engine.on_status = self._post_status
        self._hearers: dict[int, Hear] = {}
        self._lock = threading.Lock()  # guards the mail, which the engine's thread leaves for this one
        self._mail: dict[tuple[Any, ...], Event | Status] = {}
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def status(self) -> Status:
        """What the engine is doing."""
        return self._engine.status

    def start(self) -> None:
        """Start the engine's processes, best once the window is painted; returns at once."""
        self._engine.start()

    def submit(
        self,
        step: str | Step,
        params: Any,
        inputs: Mapping[str, ArrayInput] | None = None,
        *,
        hear: Hear,
        key: str = "",
        priority: Priority = "foreground",
    ) -> Job:
        """Let a step run; returns at once (see `Engine.submit`).

        `hear` is called with the events of the job in this object's thread, never before this has returned. Its last event
        is a `Done`, `Failed`, `Cancelled` or `Lost`. Progress and previews that it had no time for give way to newer ones.
        """
        job = self._engine.submit(step, params, inputs, on_event=self._post, key=key, priority=priority)
        self._hearers[job.id] = hear
        return job

    def shutdown(self) -> None:
        """End all work and wait for it; a file being written is finished first."""
        self._engine.shutdown()

    # In the engine's thread

    def _post(self, event: Event) -> None:
        name = event.name if isinstance(event, Preview) else ""
        self._leave((event.job.id, type(event), name), event)

    def _post_status(self, status: Status) -> None:
        self._leave(("status",), status)

    def _leave(self, key: tuple[Any, ...], news: Event | Status) -> None:
        with self._lock:
            is_first = not self._mail
            self._mail.pop(key, None)  # the newer one goes to the end of the line
            self._mail[key] = news
        if is_first:
            self._arrived.emit()

    # In this object's thread

    @Slot()
    def _deliver(self) -> None:
        with self._lock:
            mail = tuple(self._mail.values())
            self._mail.clear()
        for news in mail:
            try:
                self._hand_over(news)
            except Exception:
                sys.excepthook(*sys.exc_info())  # the fault of one must not keep the others from hearing

    def _hand_over(self, news: Event | Status) -> None:
        if isinstance(news, str):
            self.status_changed.emit(news)
            return
        hear = self._hearers.pop(news.job.id) if news.is_last else self._hearers[news.job.id]
        hear(news)
