"""An engine without the program's own modules, and a look at what it leaves behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eclips_app.jobs.engine import Engine
from eclips_app.jobs.job import Event, Job, Preview


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

    def let_go(self) -> None:
        """Forget the arrays."""
        self.events = [event for event in self.events if not isinstance(event, Preview)]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def engine(tmp_path: Path, recorder: Recorder) -> Iterator[Engine]:
    """An engine for the steps in `job_steps`; those that write files are named wait_for_file."""
    threads = set(threading.enumerate())
    made = Engine(warm=(), file_steps=("job_steps:wait_for_file",), folders=[tmp_path])
    yield made
    made.shutdown()
    recorder.events.clear()
    assert multiprocessing.active_children() == []
    assert set(threading.enumerate()) <= threads
    assert sorted(path.name for path in tmp_path.glob(f"eclips_{os.getpid()}_*")) == []
