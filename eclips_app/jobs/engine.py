"""The engine: two processes kept ready. One computes; the spare reads and writes files, and takes over if the first is lost.

Everything is decided in one thread, which sleeps until a process or a caller has something to say. Others only leave
commands for it, so that submitting, cancelling and starting never make the window wait.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import STEPS, Step, StepResult
from eclips_app.jobs import protocol
from eclips_app.jobs.job import Cancelled, Done, Event, Failed, Job, Lost, Preview, Priority, Progress, Started, State
from eclips_app.jobs.pool import Pool
from eclips_app.jobs.process import EngineProcess
from eclips_app.jobs.scratch import ArrayInput, Scratch, allow_many_files, describe, sweep

Status = Literal["stopped", "starting", "ready", "busy"]

#: How long a cancelled step may go on at most, in seconds, while the program ends.
_HURRIED_S = 2.0

_log = logging.getLogger(__name__)


class Engine:
    """Runs steps in processes of their own.

    Parameters
    ----------
    on_status : callable, optional
        Called with the new status, in the engine's thread.
    warm : sequence of str, optional
        Modules that the processes import while they have nothing to do. Default: those of all steps.
    file_steps : tuple of str
        How the function paths of steps begin that read or write files: they need not wait for a computation.
    folders : sequence of Path, optional
        Where shared arrays lie; see `jobs.scratch.Scratch`.
    """

    def __init__(
        self,
        *,
        on_status: Callable[[Status], object] | None = None,
        warm: Sequence[str] | None = None,
        file_steps: tuple[str, ...] = ("eclips_app.io.",),
        folders: Sequence[Path] | None = None,
    ) -> None:
        modules = [step.function.partition(":")[0] for step in STEPS.values()] if warm is None else warm
        self._scratch = Scratch(folders=folders)
        self._pool = Pool(self._scratch, modules, file_steps)
        self.on_status = on_status
        self._status: Status = "stopped"
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._woken, self._waker = Pipe(duplex=False)
        self._numbers = itertools.count(1)
        self._queue: list[Job] = []
        self._ending_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="eclips-engine", daemon=True)
        self._lock = threading.Lock()  # held while deciding whether the engine has started or ends

    # For callers in any thread

    @property
    def status(self) -> Status:
        """What the engine is doing: starting (not yet able to compute), ready, busy or stopped."""
        return self._status

    def start(self) -> None:
        """Start the processes; returns at once. Nothing happens if they were started."""
        with self._lock:
            self._start()

    def submit(
        self,
        step: str | Step,
        params: Any,
        inputs: Mapping[str, ArrayInput] | None = None,
        *,
        on_event: Callable[[Event], object] | None = None,
        priority: Priority = "foreground",
        key: str = "",
    ) -> Job:
        """Let a step run; returns at once.

        Parameters
        ----------
        step : str or Step
            Name of a registered step, or a step as it is.
        params : dataclass
            Of the step's type.
        inputs : mapping
            Arrays by name; a sequence of equal-sized arrays is stacked. They are read after this call has returned and
            must not change.
        on_event : callable, optional
            Called with each event, in the engine's thread.
        priority : str
            "preview" goes before "foreground" before "batch"; a running job is not interrupted.
        key : str
            A job cancels those of the same key that came before it, so that the newest preview wins.

        Raises
        ------
        RuntimeError
            After `shutdown`.
        """
        known = STEPS[step] if isinstance(step, str) else step
        if not isinstance(params, known.params):
            raise TypeError(f"step '{known.name}' needs {known.params.__name__}, not {type(params).__name__}")
        values = schema.dump(params)
        heard = on_event or _ignore
        job = Job(next(self._numbers), known, values, dict(inputs or {}), priority, key, heard, self._ask_to_cancel)
        with self._lock:
            if self._ending_at is not None:
                raise RuntimeError("the engine has been shut down")
            self._start()
            self._tell(lambda: self._take(job))
        return job

    def shutdown(self, timeout_s: float = 10.0) -> None:
        """End all jobs and processes, and wait for it.

        Computations are cancelled at once. A step that writes or reads a file may finish within `timeout_s`.
        """
        with self._lock:
            if self._ending_at is None:
                self._ending_at = time.monotonic() + timeout_s
                self._tell(self._end_jobs)
            started = self._thread.ident is not None
        if started:
            self._thread.join()
            atexit.unregister(self.shutdown)
        self._woken.close()
        self._waker.close()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()

    def _start(self) -> None:
        if self._thread.ident is None and self._ending_at is None:
            self._thread.start()
            atexit.register(self.shutdown, 0.0)

    def _ask_to_cancel(self, job: Job) -> None:
        self._tell(lambda: self._cancel(job))

    def _tell(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        try:
            self._waker.send_bytes(b"!")
        except OSError:
            return  # shut down: there is nothing left to command

    # Everything below runs in the engine's thread

    def _run(self) -> None:
        sweep(self._scratch.folders)
        allow_many_files()
        try:
            while self._ending_at is None or self._is_finishing():
                self._schedule()
                self._tell_status()
                self._listen()
                self._end_stubborn()
        except Exception:
            _log.exception("the engine's thread failed")
        finally:
            self._close()

    def _is_finishing(self) -> bool:
        in_time = self._ending_at is not None and time.monotonic() < self._ending_at
        return in_time and any(process.job for process in self._pool)

    def _listen(self) -> None:
        lines: dict[Any, EngineProcess] = {process.connection: process for process in self._pool}
        for line in wait([self._woken, *lines], self._patience()):
            if line is self._woken:
                self._obey()
            else:
                self._hear(lines[line])
        for process in self._pool:  # a child of the process may hold the line open after its end
            if not process.is_alive:
                self._hear(process)
                if process in self._pool:
                    self._lose(process)

    def _patience(self) -> float | None:
        """Give how long to sleep at most, in seconds."""
        if self._ending_at is None and not any(process.job for process in self._pool):
            return None
        times = [process.kill_at for process in self._pool if process.kill_at is not None]
        return max(0.0, min([*times, time.monotonic() + 1.0]) - time.monotonic())

    def _obey(self) -> None:
        while self._woken.poll():
            self._woken.recv_bytes()
        while not self._commands.empty():
            self._commands.get()()

    def _take(self, job: Job) -> None:
        if job.key:
            running = [process.job for process in self._pool if process.job]
            for older in [*self._queue, *running]:
                if older.key == job.key:
                    self._cancel(older)
        self._pool.try_again()
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        self._queue.append(job)
        self._queue.sort(key=lambda waiting: waiting.urgency)

    def _cancel(self, job: Job) -> None:
        if job in self._queue:
            self._queue.remove(job)
            self._finish(job, State.CANCELLED, Cancelled(job))
        for process in self._pool:
            if process.job is job and job.state in (State.STARTING, State.RUNNING):
                job.move(State.CANCELLING)
                patience_s = job.step.patience_s if self._ending_at is None else _HURRIED_S
                process.kill_at = time.monotonic() + patience_s
                process.send(protocol.Cancel(job.id))

    def _end_stubborn(self) -> None:
        for process in self._pool:
            if process.kill_at is not None and time.monotonic() >= process.kill_at:
                process.kill()
                self._lose(process)

    def _schedule(self) -> None:
        if self._ending_at is not None:
            return
        self._pool.keep()
        for job in tuple(self._queue):
            process = self._pool.find(job.step)
            if process is not None:
                self._queue.remove(job)
                self._hand(job, process)
            elif self._pool.has_given_up:
                self._queue.remove(job)
                self._finish(job, State.LOST, Lost(job, self._pool.why_none))
        self._pool.warm_idle()

    def _hand(self, job: Job, process: EngineProcess) -> None:
        step = job.step
        params_type = f"{step.params.__module__}:{step.params.__qualname__}"
        try:
            job.inputs = inputs = self._scratch.put(job.inputs)
            shared = describe(inputs)
            process.send(
                protocol.Submit(job.id, step.name, step.version, step.function, params_type, job.params, shared)
            )
        except EclipsError as error:
            self._finish(job, State.FAILED, Failed(job, error))
        except (OSError, TypeError, ValueError) as error:
            problem = EclipsError(f"the inputs cannot be handed to the engine ({error})", where=step.name)
            self._finish(job, State.FAILED, Failed(job, problem, traceback.format_exc()))
        else:
            process.job = job
            job.starts += 1
            job.move(State.STARTING)

    def _hear(self, process: EngineProcess) -> None:
        try:
            while process.connection.poll():
                self._handle(process, process.receive())
        except (EOFError, OSError):
            self._lose(process)
        except (EclipsError, ValueError):
            _log.exception("the engine process sent what is no message")
            process.kill()
            self._lose(process)

    def _handle(self, process: EngineProcess, message: protocol.Message) -> None:
        match message:
            case protocol.Ready():
                self._pool.note_ready(process)
            case protocol.Warmed(module, problem):
                self._pool.note_warmed(process, module, problem)
            case _ if process.job is not None:
                self._report(process, process.job, message)

    def _report(self, process: EngineProcess, job: Job, message: protocol.Message) -> None:
        cancelling = job.state is State.CANCELLING
        match message:
            case protocol.Started() if not cancelling:
                job.move(State.RUNNING)
                self._emit(Started(job))
            case protocol.Progress(fraction=fraction, text=text, seconds_left=left) if not cancelling:
                self._emit(Progress(job, fraction, text, left))
            case protocol.Preview(arrays=shared, info=info):
                arrays = self._scratch.open(shared, adopt=True)  # even if nobody looks: else the file stays
                for name in () if cancelling else arrays:
                    self._emit(Preview(job, name, arrays[name], info))
            case protocol.Done(arrays=shared, info=info, duration_s=duration_s):
                result = StepResult(self._scratch.open(shared, adopt=True), info)
                if cancelling:
                    self._finish(job, State.CANCELLED, Cancelled(job, result, duration_s), process)
                else:
                    self._finish(job, State.DONE, Done(job, result, duration_s), process)
            case protocol.Failed(what=what, where=where, hint=hint, traceback=details) if not cancelling:
                error = EclipsError(what, where=where, hint=hint)
                self._finish(job, State.FAILED, Failed(job, error, details), process)
            case protocol.Stopped() | protocol.Failed():
                if not cancelling:
                    job.move(State.CANCELLING)
                self._finish(job, State.CANCELLED, Cancelled(job), process)

    def _lose(self, process: EngineProcess) -> None:
        """End the job of a process that is gone; one that had not begun goes back to the queue, but only once."""
        error, details = self._pool.drop(process)
        job = process.job
        if job is not None and job.state is State.STARTING and job.starts < 2 and self._ending_at is None:
            job.move(State.QUEUED)
            self._enqueue(job)
            return
        if job is not None and job.state is State.CANCELLING:
            self._finish(job, State.CANCELLED, Cancelled(job), process)
        elif job is not None:
            self._finish(job, State.LOST, Lost(job, error, details), process)

    def _finish(self, job: Job, state: State, event: Event, process: EngineProcess | None = None) -> None:
        if process is not None:
            process.job = process.kill_at = None
        job.move(state)
        self._emit(event)
        job.end()

    def _emit(self, event: Event) -> None:
        try:
            event.job.on_event(event)
        except Exception:
            _log.exception("what hears of job %d failed", event.job.id)

    def _tell_status(self) -> None:
        if any(process.job for process in self._pool):
            self._set_status("busy")
        else:
            self._set_status("ready" if self._pool.can_compute else "starting")

    def _set_status(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            if self.on_status is not None:
                self.on_status(status)

    def _end_jobs(self) -> None:
        for job in tuple(self._queue):
            self._cancel(job)
        for process in self._pool:
            if process.job and not self._pool.handles_files(process.job.step):
                self._cancel(process.job)

    def _close(self) -> None:
        self._ending_at = self._ending_at or time.monotonic()
        self._obey()
        self._end_jobs()
        for process in self._pool:
            job = process.job
            if job is not None:
                self._cancel(job)
                self._finish(job, State.CANCELLED, Cancelled(job), process)
        self._pool.close()
        self._set_status("stopped")


def _ignore(event: Event) -> None:
    """Hear nothing."""
