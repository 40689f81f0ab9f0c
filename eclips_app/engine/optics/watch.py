"""Cancellation of long computations that know nothing of a step's context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


@contextmanager
def watched(check: Callable[[], None]) -> Iterator[None]:
    """Have `check` (a step's `context.check`) called again and again by the electron optics within; it may raise to stop."""
    token = _current.set(check)
    try:
        yield
    finally:
        _current.reset(token)


def check() -> None:
    """Let whoever watches stop the computation."""
    current = _current.get()
    if current is not None:
        current()
