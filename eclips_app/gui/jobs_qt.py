"""Brings what the engine says into the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eclips_app.core.steps import Step
from eclips_app.gui.qt import Qt, QtCore, Signal
from eclips_app.jobs.engine import Engine, Status
from eclips_app.jobs.job import Event, Job, Priority

Hear = Callable[[Event], object]


class QtJobs(QtCore.QObject):
    """Owns an `Engine`; its events are heard in the thread of this object, never in the engine's."""

    status_changed = Signal(str)  #: "starting", "ready", "busy" or "stopped"
    _arrived = Signal(object, object)

    def __init__(self, parent: QtCore.QObject | None = None, engine: Engine | None = None) -> None:
        super().__init__(parent)
        # The engine's thread emits; a signal that crosses threads is queued and delivered by the event loop.
        self._engine = engine or Engine(on_status=self.status_changed.emit)
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def status(self) -> Status:
        """What the engine is doing."""
        return self._engine.status

    def start(self) -> None:
        """Start the engine's processes; returns at once."""
        self._engine.start()

    def submit(
        self,
        step: str | Step,
        params: Any,
        inputs: Any = None,
        *,
        hear: Hear,
        key: str = "",
        priority: Priority = "foreground",
    ) -> Job:
        """Let a step run; `hear` is called with each of its events in this object's thread (see `Engine.submit`)."""
        return self._engine.submit(step, params, inputs, on_event=_Relay(self, hear), key=key, priority=priority)

    def shutdown(self) -> None:
        """End all work and wait for it; a file being written is finished first."""
        self._engine.shutdown()

    def relay(self, hear: Hear, event: Event) -> None:
        """Hand over an event; called in the engine's thread."""
        self._arrived.emit(hear, event)

    def _deliver(self, hear: Hear, event: Event) -> None:
        hear(event)


class _Relay:
    """Hears in the engine's thread for one job."""

    def __init__(self, jobs: QtJobs, hear: Hear) -> None:
        self._jobs, self._hear = jobs, hear

    def __call__(self, event: Event) -> None:
        self._jobs.relay(self._hear, event)
