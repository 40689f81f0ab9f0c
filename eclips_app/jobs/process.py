"""An engine process as the window's process sees it."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from eclips_app.core.errors import EclipsError
from eclips_app.jobs import worker
from eclips_app.jobs.job import Job
from eclips_app.jobs.protocol import Message, decode, encode
from eclips_app.jobs.scratch import Scratch

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_numbers = itertools.count(1)


class EngineProcess:
    """One spawned process: what it is doing, and the line to it. Used by the engine's thread only."""

    def __init__(self, scratch: Scratch) -> None:
        self.ready = False
        self.job: Job | None = None
        self.kill_at: float | None = None  #: monotonic time in seconds at which patience with a cancelled step ends
        self.warmed: set[str] = set()
        self.warming = ""
        self._scratch = scratch
        self._tag = f"e{next(_numbers)}"
        self._fault_file = scratch.folders[-1] / f"eclips_{scratch.owner}_{self._tag}_fault"
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.connection: Connection = ours
        folders = tuple(str(folder) for folder in scratch.folders)
        self._process: SpawnProcess = context.Process(
            target=worker.main,
            args=(theirs, scratch.owner, self._tag, folders, str(self._fault_file)),
            name=f"eclips-engine-{self._tag}",
            daemon=True,
        )
        self._process.start()
        theirs.close()  # else the end of the process would not end the connection

    @property
    def pid(self) -> int:
        """Id of the process in the operating system."""
        return self._process.pid or 0

    @property
    def is_free(self) -> bool:
        """Whether it can take a job at once."""
        return self.ready and self.job is None and not self.warming

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.is_alive()

    def send(self, message: Message) -> None:
        """Tell the process something; if it is gone, its end is noticed when it is listened to."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(encode(message))

    def receive(self) -> Message:
        """Wait for the next message.

        Raises
        ------
        EOFError, OSError
            If the process is gone.
        """
        return decode(self.connection.recv_bytes())

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self, patience_s: float = 0.0) -> tuple[int, str]:
        """Wait for the end, by force after `patience_s`; give the exit code and the stack of a native crash, if any."""
        if patience_s > 0.0:
            self._process.join(patience_s)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        self._process.close()
        self.connection.close()
        details = ""
        with contextlib.suppress(OSError):
            details = self._fault_file.read_text(encoding="utf-8", errors="replace")
            self._fault_file.unlink()
        self._scratch.forget(self._tag)
        return code, details


def explain_exit(code: int) -> EclipsError:
    """Say in a sentence that a process ended by itself (negative `code`: by that signal)."""
    how = f"signal {-code}" if code < 0 else f"exit code {code:#x}" if code > 255 else f"exit code {code}"
    cause = " It may have run out of memory." if code == -9 else ""
    return EclipsError(f"The engine stopped ({how}).{cause}", hint="Your project is untouched.")
