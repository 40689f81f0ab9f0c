"""A submitted step as its submitter sees it: its state, and the events that tell of it."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Step, StepResult
from eclips_app.jobs.scratch import ArrayInput

Priority = Literal["preview", "foreground", "batch"]
PRIORITIES: tuple[Priority, ...] = ("preview", "foreground", "batch")  #: the most urgent first


class State(enum.Enum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen."""
        return self not in _MOVES


_MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.FAILED, State.CANCELLED, State.LOST}),
    State.STARTING: frozenset({State.QUEUED, State.RUNNING, State.CANCELLING, State.LOST}),
    State.RUNNING: frozenset({State.CANCELLING, State.DONE, State.FAILED, State.LOST}),
    State.CANCELLING: frozenset({State.CANCELLED}),
}


@dataclass(frozen=True)
class Started:
    """The step begins."""

    is_last: ClassVar = False
    job: Job


@dataclass(frozen=True)
class Progress:
    """The part done (0 to 1), what is being done, and an estimate of the time left in seconds."""

    is_last: ClassVar = False
    job: Job
    fraction: float
    text: str
    seconds_left: float | None


@dataclass(frozen=True)
class Preview:
    """An unfinished result."""

    is_last: ClassVar = False
    job: Job
    name: str
    array: NDArray[Any]
    info: dict[str, Any]


@dataclass(frozen=True)
class Done:
    """The end of a job that gave a result."""

    is_last: ClassVar = True
    job: Job
    result: StepResult
    duration_s: float


@dataclass(frozen=True)
class Failed:
    """The end of a job that could not be done; `details` are for those who mend the program."""

    is_last: ClassVar = True
    job: Job
    error: EclipsError
    details: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The end of a job that was told to stop, with what the step gave in spite of it: the best so far, if anything."""

    is_last: ClassVar = True
    job: Job
    result: StepResult | None = None
    duration_s: float = 0.0  #: that the result took


@dataclass(frozen=True)
class Lost:
    """The end of a job whose engine process ended by itself."""

    is_last: ClassVar = True
    job: Job
    error: EclipsError
    details: str = ""


Event = Started | Progress | Preview | Done | Failed | Cancelled | Lost


@dataclass(eq=False)
class Job:
    """A step on its way; only the engine's thread changes it. Its last event is one of Done, Failed, Cancelled, Lost."""

    id: int
    step: Step
    params: dict[str, Any]  #: as JSON values
    inputs: Mapping[str, ArrayInput]
    priority: Priority
    key: str
    on_event: Callable[[Event], object]
    ask_to_cancel: Callable[[Job], None]
    state: State = State.QUEUED
    starts: int = 0  #: how often it was handed to a process
    _ended: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the job to stop; it ends as cancelled within moments, or its process is ended after the step's `patience_s`."""
        self.ask_to_cancel(self)

    def wait(self, timeout_s: float | None = None) -> State:
        """Wait until the last event has been delivered, or at most `timeout_s`; give the state then."""
        self._ended.wait(timeout_s)
        return self.state

    def move(self, state: State) -> None:
        """Change the state (the engine's thread only).

        Raises
        ------
        RuntimeError
            If no job may go this way.
        """
        if state not in _MOVES.get(self.state, ()):
            raise RuntimeError(f"job {self.id} cannot go from {self.state.value} to {state.value}")
        self.state = state

    def end(self) -> None:
        """Let go of the inputs and of who waits (the engine's thread only)."""
        self.inputs = {}
        self._ended.set()

    @property
    def urgency(self) -> tuple[int, int]:
        """Jobs with a smaller one go first."""
        return PRIORITIES.index(self.priority), self.id
