"""The engine process: waits for steps, runs one at a time, and ends when the window's process does."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from eclips_app.core import schema
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import Step, StepResult, run_step
from eclips_app.core.threads import let_threads_sleep
from eclips_app.jobs.context import INTERVAL_S, PipeContext
from eclips_app.jobs.protocol import (
    Cancel,
    Done,
    Failed,
    Message,
    Ready,
    Started,
    Stop,
    Stopped,
    Submit,
    Warm,
    Warmed,
    decode,
    encode,
)
from eclips_app.jobs.scratch import Scratch, describe


def main(connection: Connection, owner: int, tag: str, folders: tuple[str, ...], fault_path: str) -> None:
    """Run an engine process until it is told to stop or the window's process is gone.

    Parameters
    ----------
    connection : Connection
        Both ways to the window's process.
    owner, tag, folders
        As for `jobs.scratch.Scratch`.
    fault_path : str
        File that gets the Python stack if native code crashes the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is the window's to handle
    _yield_to_the_window()
    let_threads_sleep()
    with Path(fault_path).open("w", encoding="utf-8") as fault_file:
        faulthandler.enable(fault_file)
        Worker(connection, Scratch(owner, tag, [Path(f) for f in folders])).run()
        faulthandler.disable()


class Worker:
    """Runs steps in this thread while another listens, so that a cancellation is heard at once."""

    def __init__(self, connection: Connection, scratch: Scratch) -> None:
        self._connection = connection
        self._scratch = scratch
        self._inbox: queue.SimpleQueue[Submit | Warm | Stop] = queue.SimpleQueue()
        self._contexts: dict[int, PipeContext] = {}  # jobs that came and have not ended
        self._sending = threading.Lock()

    def run(self) -> None:
        """Work until told to stop."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        self._send(Ready())
        while not isinstance(message := self._inbox.get(), Stop):
            if isinstance(message, Warm):
                self._send(Warmed(message.module, _import(message.module)))
                gc.collect()
                gc.freeze()  # modules stay; looking through torch's objects after each job would take 0.1 s
            else:
                self._send(self._answer(message))
                gc.collect()  # a traceback may hold arrays in a cycle

    def _listen(self) -> None:
        try:
            while True:
                if self._connection.poll(INTERVAL_S if self._contexts else None):
                    self._hear(decode(self._connection.recv_bytes()))
                for context in tuple(self._contexts.values()):
                    context.flush()
        except (EOFError, OSError):
            os._exit(0)  # the window's process is gone; its next start removes what is left of the files

    def _hear(self, message: Message) -> None:
        match message:
            case Submit(job=job):
                self._contexts[job] = PipeContext(job, self._send, self._scratch)
                self._inbox.put(message)
            case Cancel(job=job) if job in self._contexts:
                self._contexts[job].cancel()
            case Warm() | Stop():
                self._inbox.put(message)

    def _send(self, message: Message) -> None:
        data = encode(message)
        with self._sending:
            self._connection.send_bytes(data)

    def _answer(self, submit: Submit) -> Done | Stopped | Failed:
        context = self._contexts[submit.job]
        try:
            return self._run(submit, context)
        except Cancelled:
            return Stopped(submit.job)
        except Exception as error:
            problem = _explain(error, submit.step)
            text = "".join(traceback.format_exception(error))
            return Failed(submit.job, problem.what, problem.where, problem.hint, text)
        finally:
            context.end()
            del self._contexts[submit.job]

    def _run(self, submit: Submit, context: PipeContext) -> Done:
        self._send(Started(submit.job))
        context.begin()
        context.check()
        begun = time.perf_counter()
        step = Step(submit.step, submit.version, submit.function, _find(submit.params_type))
        params: Any = schema.load(step.params, submit.params, submit.step)
        result: StepResult = run_step(step, self._scratch.open(submit.inputs), params, context)
        duration_s = time.perf_counter() - begun
        arrays = self._scratch.put(result.arrays)
        done = Done(submit.job, describe(arrays), result.info, duration_s)
        encode(done)  # facts that do not fit JSON are the step's fault and must be found before the files are let go
        describe(arrays, hand_over=True)
        return done


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _import(module: str) -> str:
    """Import a module ahead of its use; what goes wrong is told and breaks nothing until a job needs it."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _explain(error: Exception, step: str) -> EclipsError:
    if isinstance(error, EclipsError):
        return error
    names = {kind.__name__ for kind in type(error).__mro__}
    text = str(error)
    # torch has its own class for the GPU, and none for main memory.
    if {"MemoryError", "OutOfMemoryError"} & names or "can't allocate memory" in text or "not enough memory" in text:
        return EclipsError(
            "there is not enough memory for this computation",
            where=step,
            hint="Crop the images, choose the CPU as device, or close other programs.",
        )
    return EclipsError(
        f"the computation failed through a fault of the program ({type(error).__name__}: {text})",
        where=step,
        hint="Your project is untouched; please report this together with the details.",
    )


def _yield_to_the_window() -> None:
    """Take less of a busy processor than the window does."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetPriorityClass(ctypes.windll.kernel32.GetCurrentProcess(), 0x4000)  # below normal
    else:
        with contextlib.suppress(OSError):
            os.nice(5)
