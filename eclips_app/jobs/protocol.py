"""What the window's process and an engine process tell each other: small dataclasses, sent as JSON.

Arrays never travel; a message says in which scratch file they lie.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eclips_app.core import schema
from eclips_app.jobs.scratch import SharedArray


@dataclass(frozen=True)
class Submit:
    """To the engine: run a step (the fields of `core.steps.Step`; `params_type` as "package.module:Class")."""

    job: int
    step: str
    version: int
    function: str
    params_type: str
    params: dict[str, Any]
    inputs: tuple[SharedArray, ...]


@dataclass(frozen=True)
class Cancel:
    """To the engine: the running step should stop at its next check."""

    job: int


@dataclass(frozen=True)
class Warm:
    """To the engine: import a module, so that the first job that needs it need not wait."""

    module: str


@dataclass(frozen=True)
class Stop:
    """To the engine: end after what is running."""


@dataclass(frozen=True)
class Ready:
    """From the engine: it listens."""


@dataclass(frozen=True)
class Warmed:
    """From the engine: a module is imported, or why it cannot be."""

    module: str
    problem: str = ""


@dataclass(frozen=True)
class Started:
    """From the engine: the step begins."""

    job: int


@dataclass(frozen=True)
class Progress:
    """From the engine: the part done (0 to 1), what is being done, and an estimate of the time left."""

    job: int
    fraction: float
    text: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class Preview:
    """From the engine: an unfinished result, one array."""

    job: int
    arrays: tuple[SharedArray, ...]
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """From the engine: the result."""

    job: int
    arrays: tuple[SharedArray, ...]
    info: dict[str, Any]
    duration_s: float


@dataclass(frozen=True)
class Stopped:
    """From the engine: the step was cancelled."""

    job: int


@dataclass(frozen=True)
class Failed:
    """From the engine: the parts of an `EclipsError`, and the traceback for those who mend the program."""

    job: int
    what: str
    where: str
    hint: str
    traceback: str


Message = (
    Submit | Cancel | Warm | Stop | Ready | Warmed | Started | Progress | Preview | Done | Stopped | Failed
)  # fmt: skip
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in Message.__args__}


def encode(message: Message) -> bytes:
    """Turn a message into bytes.

    Raises
    ------
    TypeError
        If it holds what JSON cannot.
    """
    return json.dumps([type(message).__name__, schema.dump(message)], default=_plain).encode()


def decode(data: bytes) -> Message:
    """Read a message.

    Raises
    ------
    EclipsError, ValueError
        If the bytes are no message.
    """
    kind, fields = json.loads(data)
    if kind not in _KINDS:
        raise ValueError(f"unknown message '{kind}'")
    message: Message = schema.load(_KINDS[kind], fields, kind)
    return message


def _plain(value: object) -> object:
    """Let numpy's numbers and small arrays pass as JSON's."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} does not fit JSON")
