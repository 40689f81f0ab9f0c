"""Long work as the window sees it: what runs, how far it is, how to stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.gui.messages import Message, Messages
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.jobs.job import Cancelled, Done, Event, Failed, Job, Lost, Preview, Priority, Progress
from eclips_app.jobs.scratch import ArrayInput

OnDone = Callable[["Task", StepResult], object]
OnFailed = Callable[["Task", EclipsError], object]
OnPreview = Callable[[str, Any, dict[str, Any]], object]


class Task(QtCore.QObject):
    """One running or finished piece of work; `data` is whatever its starter wants to find again at the end."""

    changed = Signal()
    finished = Signal(str)  #: "done", "failed", "cancelled" or "lost"

    def __init__(
        self, text: str, on_done: OnDone, on_preview: OnPreview | None, on_stopped: OnDone | None,
        on_failed: OnFailed | None, data: Any, parent: QtCore.QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.text = text
        self.data = data
        self.fraction = 0.0
        self.detail = ""
        self.problem = ""  #: why it failed
        self.seconds_left: float | None = None
        self.on_done = on_done
        self.on_preview = on_preview
        self.on_stopped = on_stopped
        self.on_failed = on_failed
        self.job: Job | None = None

    def cancel(self) -> None:
        """Ask the work to stop; the engine process is ended if it does not."""
        if self.job is not None:
            self.detail = "stopping"
            self.changed.emit()
            self.job.cancel()


class Tasks(QtCore.QObject):
    """Starts work in the engine process and keeps the list of what runs."""

    changed = Signal()  #: a task came, went or moved on

    def __init__(self, jobs: QtJobs, messages: Messages, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._messages = messages
        self.running: list[Task] = []

    def run(
        self,
        step: str,
        params: Any,
        inputs: Mapping[str, ArrayInput],
        text: str,
        on_done: OnDone,
        *,
        on_preview: OnPreview | None = None,
        on_stopped: OnDone | None = None,
        on_failed: OnFailed | None = None,
        data: Any = None,
        key: str = "",
        priority: Priority = "foreground",
    ) -> Task:
        """Start a step.

        Parameters
        ----------
        step, params, inputs
            As for `core.steps.run_step`.
        text : str
            What the user reads while it runs ("Reading images").
        on_done : callable
            Called with the task and the `StepResult` in the GUI thread, if the step succeeds.
        on_preview : callable, optional
            Called with the preview's name, its array and its facts.
        on_stopped : callable, optional
            Called as `on_done` with what a step gives in spite of being told to stop, its best so far; without it that is lost.
        on_failed : callable, optional
            Called with the task and the error if the step finds something wrong, in place of a message to the user.
        data : Any
            Kept in the task.
        key : str
            With a key, a newer task replaces an older one of the same key.
        priority : str
            "preview", "foreground" or "batch".
        """
        task = Task(text, on_done, on_preview, on_stopped, on_failed, data, self)
        self.running.append(task)
        task.job = self._jobs.submit(step, params, inputs, hear=_Listener(self, task), key=key, priority=priority)
        self.changed.emit()
        return task

    def cancel_all(self) -> None:
        """Stop everything."""
        for task in tuple(self.running):
            task.cancel()

    def end(self, task: Task, outcome: str, message: Message | None = None) -> None:
        """Take a task off the list."""
        if task in self.running:
            self.running.remove(task)
        if message is not None:
            self._messages.add(message)
        task.finished.emit(outcome)
        self.changed.emit()
        task.deleteLater()


class _Listener:
    """Hears the events of one job."""

    def __init__(self, tasks: Tasks, task: Task) -> None:
        self._tasks = tasks
        self._task = task

    def __call__(self, event: Event) -> None:
        task, tasks = self._task, self._tasks
        match event:
            case Progress(fraction=fraction, text=text, seconds_left=left):
                task.fraction, task.detail, task.seconds_left = fraction, text, left
                task.changed.emit()
                tasks.changed.emit()
            case Preview(name=name, array=array, info=info):
                if task.on_preview is not None:
                    task.on_preview(name, array, info)
            case Done(result=result, duration_s=duration_s):
                self._take(task.on_done, result, duration_s, "done")
            case Failed(error=error) if task.on_failed is not None:
                task.problem = str(error)
                task.on_failed(task, error)
                tasks.end(task, "failed")
            case Failed(error=error, details=details):
                task.problem = str(error)
                tasks.end(task, "failed", Message(_told(task, error), "error", details))
            case Lost(error=error, details=details):
                tasks.end(task, "lost", Message(f"{task.text}: {error}", "error", details))
            case Cancelled(result=StepResult() as result, duration_s=duration_s) if task.on_stopped is not None:
                self._take(task.on_stopped, result, duration_s, "cancelled")
            case Cancelled():
                quiet = event.job.key != ""  # replaced by a newer one; nobody asked for it to stop
                tasks.end(task, "cancelled", None if quiet else Message(f"{task.text}: stopped.", "info"))

    def _take(self, take: OnDone, result: StepResult, duration_s: float, outcome: str) -> None:
        """Hand the result to who waits for it; the task ends even if that fails."""
        task, tasks = self._task, self._tasks
        result.info.setdefault("duration_s", duration_s)
        try:
            take(task, result)
        except EclipsError as error:
            tasks.end(task, "failed", Message(_told(task, error), "error"))
        except Exception:
            tasks.end(task, "failed")
            raise
        else:
            tasks.end(task, outcome)


def _told(task: Task, error: EclipsError) -> str:
    """Say what failed and why; a file that the task's text names is not named twice."""
    named = bool(error.where) and error.where in task.text
    return f"{task.text}: {str(error).removeprefix(f'{error.where}: ') if named else error}"
