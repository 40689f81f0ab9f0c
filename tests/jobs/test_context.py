from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from eclips_app.core.errors import Cancelled
from eclips_app.jobs import context as context_module
from eclips_app.jobs.context import PipeContext
from eclips_app.jobs.protocol import Message, Preview, Progress
from eclips_app.jobs.scratch import Scratch


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(context_module, "time", made)
    return made


@pytest.fixture
def sent() -> list[Message]:
    return []


@pytest.fixture
def context(clock: Clock, sent: list[Message], tmp_path: Path) -> PipeContext:
    made = PipeContext(7, sent.append, Scratch(folders=[tmp_path]))
    made.begin()
    return made


def test_the_newest_progress_waits_for_its_time_and_is_not_swallowed(
    context: PipeContext, clock: Clock, sent: list[Message]
) -> None:
    for i in range(5):
        context.progress(i / 10, f"part {i}")
    context.flush()
    assert sent == [Progress(7, 0.0, "part 0")]
    clock.now_s += 0.06
    context.flush()
    context.flush()
    assert sent == [Progress(7, 0.0, "part 0"), Progress(7, 0.4, "part 4")]


def test_nothing_follows_the_end(context: PipeContext, clock: Clock, sent: list[Message]) -> None:
    context.progress(0.1)
    context.progress(0.2)
    context.end()
    clock.now_s += 1.0
    context.flush()
    assert sent == [Progress(7, 0.1, "")]


def test_time_left_follows_from_the_part_done(context: PipeContext, clock: Clock, sent: list[Message]) -> None:
    clock.now_s += 10.0
    context.progress(0.25)
    assert sent == [Progress(7, 0.25, "", 30.0)]


@pytest.mark.parametrize(("given", "told"), [(-1.0, 0.0), (2.0, 1.0), (math.nan, 0.0), (math.inf, 0.0)])
def test_fractions_stay_between_nothing_and_all(
    context: PipeContext, sent: list[Message], given: float, told: float
) -> None:
    context.progress(given)
    assert sent == [Progress(7, told, "")]


def test_every_call_notices_a_cancellation(context: PipeContext) -> None:
    context.check()
    context.cancel()
    for call in (context.check, lambda: context.progress(0.5), lambda: context.preview("a", np.ones(2))):
        with pytest.raises(Cancelled):
            call()


def test_a_preview_without_room_is_left_out(context: PipeContext, sent: list[Message]) -> None:
    context.preview("huge", np.broadcast_to(np.float64(0), (1 << 22, 1 << 22)))
    assert sent == []


def test_previews_that_come_too_soon_are_left_out(context: PipeContext, clock: Clock, sent: list[Message]) -> None:
    image = np.zeros((2, 2))
    for i in range(3):
        image[:] = i  # the step goes on working in its array
        context.preview("height", image, step=i)
        context.preview("residual", image)
    clock.now_s += 0.06
    context.preview("height", image, step=9)
    previews = [message for message in sent if isinstance(message, Preview)]
    assert [(message.arrays[0].name, message.info) for message in previews] == [
        ("height", {"step": 0}),
        ("residual", {}),
        ("height", {"step": 9}),
    ]
    first = Scratch().open(previews[0].arrays, adopt=True)
    np.testing.assert_array_equal(first["height"], np.zeros((2, 2)))
