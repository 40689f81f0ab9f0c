"""Keeps what the engine says."""

from __future__ import annotations

import threading

from eclips_app.jobs.job import Event, Job


class Recorder:
    """Keeps the events of jobs and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def of(self, job: Job) -> list[Event]:
        return [event for event in self.events if event.job is job]

    def kinds(self, job: Job) -> list[str]:
        return [type(event).__name__ for event in self.of(job)]

    def wait_for(self, job: Job, kind: type) -> Event:
        """Give the first event of a kind; the test's time limit ends the wait."""
        with self._news:
            self._news.wait_for(lambda: any(isinstance(event, kind) for event in self.of(job)), 60)
        return next(event for event in self.of(job) if isinstance(event, kind))
