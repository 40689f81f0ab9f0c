"""What a running step is given to report progress, show previews and learn that it should stop."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from numpy.typing import NDArray


class Context(Protocol):
    """The running step's line to whoever started it."""

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the part done, 0 to 1, and in a few words what is being done; also checks for cancellation."""

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop; call it at least every 100 ms of work."""

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        """Show an unfinished result, small enough to copy (some 512 x 512 pixels)."""


class SilentContext:
    """Reports nothing and never cancels: for scripts and tests."""

    def progress(self, fraction: float, text: str = "") -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Part:
    """A part of a step's progress, as the context of what does that part.

    Attributes
    ----------
    context : Context
    start, share : float
        Of the progress, 0 to 1.
    quiet : bool
        Show no previews: they would be taken for others.
    """

    context: Context
    start: float
    share: float
    quiet: bool = False

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the part done."""
        self.context.progress(self.start + self.share * fraction, text)

    def check(self) -> None:
        """Raise `Cancelled` if the user asked to stop."""
        self.context.check()

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        """Show an unfinished result."""
        if not self.quiet:
            self.context.preview(name, array, **info)


class TerminalContext(SilentContext):
    """Writes a progress line with the time left to a terminal (standard error)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._start = time.monotonic()
        self._shown = 0.0

    def progress(self, fraction: float, text: str = "") -> None:
        """Rewrite the line, at most ten times a second; on a file or pipe, stay silent."""
        now = time.monotonic()
        if not self._stream.isatty() or (fraction < 1.0 and now - self._shown < 0.1):
            return
        self._shown = now
        left = (now - self._start) * (1.0 - fraction) / fraction if fraction > 0.02 else None
        note = f", {left:.0f} s left" if left is not None and fraction < 1.0 else ""
        end = "\n" if fraction >= 1.0 else ""
        self._stream.write(f"\r\033[K{100 * fraction:3.0f} % {text}{note}{end}")
        self._stream.flush()
