"""The two engine processes: one that computes, and the spare, which handles files and takes over if the first is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Step
from eclips_app.jobs.process import EngineProcess, explain_exit
from eclips_app.jobs.protocol import Warm
from eclips_app.jobs.scratch import Scratch

#: How often in a row a process may end before it has ever listened, until no more are started.
ATTEMPTS = 3

_log = logging.getLogger(__name__)


class Pool:
    """Keeps the processes alive and their modules loaded; used by the engine's thread only.

    Parameters
    ----------
    scratch : Scratch
        Where arrays are shared.
    modules : sequence of str
        What the processes import while they have nothing to do.
    file_steps : tuple of str
        How the function paths of steps begin that read or write files.
    """

    def __init__(self, scratch: Scratch, modules: Sequence[str], file_steps: tuple[str, ...]) -> None:
        self._scratch = scratch
        self._file_steps = file_steps
        self._modules = sorted(dict.fromkeys(modules), key=lambda module: not module.startswith(file_steps))
        self._deadly: set[str] = set()  # modules whose import ended a process
        self._failed_starts = 0
        self._main: EngineProcess | None = None
        self._spare: EngineProcess | None = None
        self.why_none = EclipsError("The engine does not start", hint="Your project is untouched.")

    def __iter__(self) -> Iterator[EngineProcess]:
        return iter([process for process in (self._main, self._spare) if process is not None])

    @property
    def can_compute(self) -> bool:
        """Whether a computation could be handed over, now or when the one before it ends."""
        return self._main is not None and self._main.ready

    @property
    def has_given_up(self) -> bool:
        """Whether there is no process and none will be started until `try_again`."""
        return self._failed_starts >= ATTEMPTS and self._main is None and self._spare is None

    def try_again(self) -> None:
        """Allow one more start after having given up."""
        self._failed_starts = min(self._failed_starts, ATTEMPTS - 1)

    def keep(self) -> None:
        """Start what is missing; the spare becomes the main process if that is gone."""
        if self._main is None:
            self._main, self._spare = self._spare, None
        self._main = self._main or self._start()
        self._spare = self._spare or self._start()

    def handles_files(self, step: Step) -> bool:
        """Whether a step reads or writes files, and so need not wait for a computation."""
        return step.function.startswith(self._file_steps)

    def find(self, step: Step) -> EngineProcess | None:
        """Give a free process for a step, its module loaded; else None, and if only that is missing it gets loaded.

        Loading ahead leaves nothing in a running job that cannot be cancelled at once.
        """
        module = _module(step)
        for process in (self._spare, self._main) if self.handles_files(step) else (self._main,):
            if process is not None and process.is_free:
                if module in process.warmed or module in self._deadly:
                    return process
                _warm(process, module)
        return None

    def warm_idle(self) -> None:
        """Let free processes load their next module: the main one what takes long first, which the spare waits with."""
        for process in self:
            waiting = [m for m in self._modules if m not in process.warmed and m not in self._deadly]
            if process is self._main:
                waiting.reverse()
            elif not self.can_compute or (self._main is not None and self._main.warming):
                waiting = [module for module in waiting if module.startswith(self._file_steps)]
            if waiting and process.is_free:
                _warm(process, waiting[0])

    def note_ready(self, process: EngineProcess) -> None:
        """Take note that a process listens."""
        process.ready = True
        self._failed_starts = 0

    def note_warmed(self, process: EngineProcess, module: str, problem: str) -> None:
        """Take note that a process has loaded a module, or cannot."""
        process.warmed.add(module)
        process.warming = ""
        if problem:
            _log.warning("%s cannot be loaded ahead of its use (%s)", module, problem)

    def drop(self, process: EngineProcess) -> tuple[EclipsError, str]:
        """Clear up after a process that is gone; give the reason and, after a native crash, its stack."""
        code, details = process.close()
        if process is self._main:
            self._main = None
        else:
            self._spare = None
        if process.warming:
            self._deadly.add(process.warming)
        error = explain_exit(code)
        if not process.ready:
            self._failed_starts += 1
            self.why_none = error
        if process.job is None:
            _log.warning("%s %s", error, details)
        return error, details

    def close(self) -> None:
        """End the processes."""
        for process in self:
            process.kill()
        for process in self:
            process.close()
        self._main = self._spare = None

    def _start(self) -> EngineProcess | None:
        while self._failed_starts < ATTEMPTS:
            try:
                return EngineProcess(self._scratch)
            except OSError as error:
                self._failed_starts += 1
                self.why_none = EclipsError(
                    f"The engine does not start ({error.strerror})", hint="Close other programs and try again."
                )
        return None


def _module(step: Step) -> str:
    return step.function.partition(":")[0]


def _warm(process: EngineProcess, module: str) -> None:
    process.warming = module
    process.send(Warm(module))
