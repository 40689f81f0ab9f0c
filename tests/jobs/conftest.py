"""An engine without the program's own modules, and a look at what it leaves behind."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorder import Recorder

from eclips_app.jobs.engine import Engine


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
