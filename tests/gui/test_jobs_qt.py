"""Events of the engine in the window's thread."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from eclips_app.core.steps import StepResult
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.jobs.engine import Engine
from eclips_app.jobs.job import Cancelled, Done, Event, Failed, Job, Lost, Preview, Progress, Started, State

sys.path.append(str(Path(__file__).resolve().parents[1] / "jobs"))  # the engine processes find the steps there, too

from job_steps import Params, step


class Panel:
    """Hears events and remembers in which thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[threading.Thread] = set()

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread())

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


@pytest.fixture
def jobs(qapp: object, tmp_path: Path) -> Iterator[QtJobs]:
    made = QtJobs(engine=Engine(warm=(), file_steps=(), folders=[tmp_path]))
    yield made
    made.shutdown()


def test_events_are_heard_in_the_windows_thread(jobs: QtJobs, qtbot: QtBot) -> None:
    panel = Panel()
    job = jobs.submit(step("count"), Params(count=60), hear=panel.hear)
    assert panel.events == []
    qtbot.waitUntil(lambda: Done in panel.kinds(), timeout=60_000)
    assert panel.threads == {threading.main_thread()}
    assert panel.kinds()[0] is Started
    assert panel.kinds()[-1] is Done
    assert {Progress, Preview} < set(panel.kinds())
    assert all(event.job is job for event in panel.events)


def test_the_result_is_handed_over(jobs: QtJobs, qtbot: QtBot) -> None:
    panel = Panel()
    jobs.submit(step("double"), Params(), {"a": np.arange(3)}, hear=panel.hear)
    qtbot.waitUntil(lambda: Done in panel.kinds(), timeout=60_000)
    done = panel.events[-1]
    assert isinstance(done, Done)
    np.testing.assert_array_equal(done.result.arrays["a"], [0, 2, 4])


@pytest.mark.parametrize(("name", "kind"), [("explain", Failed), ("die", Lost)])
def test_every_job_has_one_end(jobs: QtJobs, qtbot: QtBot, name: str, kind: type) -> None:
    panel = Panel()
    jobs.submit(step(name), Params(), hear=panel.hear)
    qtbot.waitUntil(lambda: kind in panel.kinds(), timeout=60_000)
    assert sum(event.is_last for event in panel.events) == 1


def test_a_cancelled_job_ends_as_cancelled(jobs: QtJobs, qtbot: QtBot) -> None:
    panel = Panel()
    job = jobs.submit(step("spin"), Params(), hear=panel.hear)
    qtbot.waitUntil(lambda: Progress in panel.kinds(), timeout=60_000)
    job.cancel()
    qtbot.waitUntil(lambda: Cancelled in panel.kinds(), timeout=60_000)
    assert job.state is State.CANCELLED


def test_a_busy_window_hears_the_newest_alone(qapp: object, qtbot: QtBot) -> None:
    """While the event loop does not run, news of a kind replace each other; the order of the kinds stays."""
    engine = _SilentEngine()
    jobs = QtJobs(engine=engine)
    panel = Panel()
    job = jobs.submit(step("echo"), Params(), hear=panel.hear)
    engine.say(Started(job))
    for i in range(100):
        engine.say(Progress(job, i / 100, "", None))
        engine.say(Preview(job, "height", np.full(1, i), {}))
        engine.say(Preview(job, "residual", np.full(1, -i), {}))
    engine.say(Done(job, StepResult(), 1.0))
    qtbot.waitUntil(lambda: Done in panel.kinds(), timeout=10_000)
    assert panel.kinds() == [Started, Progress, Preview, Preview, Done]
    assert panel.events[1] == Progress(job, 0.99, "", None)
    assert [int(event.array[0]) for event in panel.events if isinstance(event, Preview)] == [99, -99]
    jobs.shutdown()


def test_a_hearer_that_fails_does_not_silence_the_others(
    qapp: object, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: faults.append(value))
    engine = _SilentEngine()
    jobs = QtJobs(engine=engine)
    panel = Panel()

    def stumble(event: Event) -> None:
        raise LookupError("fault of a panel")

    jobs_of_both = [jobs.submit(step("echo"), Params(), hear=hear) for hear in (stumble, panel.hear)]
    for job in jobs_of_both:
        engine.say(Done(job, StepResult(), 1.0))
    qtbot.waitUntil(lambda: Done in panel.kinds(), timeout=10_000)
    assert [str(fault) for fault in faults] == ["fault of a panel"]
    jobs.shutdown()


def test_status_is_told_in_the_windows_thread(jobs: QtJobs, qtbot: QtBot) -> None:
    heard: list[tuple[str, threading.Thread]] = []

    def hear(status: str) -> None:
        heard.append((status, threading.current_thread()))

    jobs.status_changed.connect(hear)
    assert jobs.status == "stopped"
    jobs.start()
    qtbot.waitUntil(lambda: "ready" in [status for status, _ in heard], timeout=60_000)
    assert {thread for _, thread in heard} == {threading.main_thread()}
    assert jobs.status == "ready"


def test_nothing_keeps_a_closed_panel_alive(jobs: QtJobs, qtbot: QtBot) -> None:
    panel = Panel()
    gone, events = weakref.ref(panel), panel.events
    jobs.submit(step("double"), Params(), {"a": np.arange(3)}, hear=panel.hear)
    qtbot.waitUntil(lambda: any(event.is_last for event in events), timeout=60_000)
    del panel
    gc.collect()
    assert gone() is None


class _SilentEngine(Engine):
    """Starts nothing: the test says what it says."""

    def submit(self, *args: object, on_event: object = None, **options: object) -> Job:
        job = Job(next(self._numbers), step("echo"), {}, {}, "foreground", "", print, Job.end)
        self._on_event = on_event
        return job

    def say(self, event: Event) -> None:
        thread = threading.Thread(target=self._on_event, args=(event,))
        thread.start()
        thread.join()
