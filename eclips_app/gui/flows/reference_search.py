"""Looks for reference objects in images; a newer search for an object takes the place of an older one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.gui.widgets.background import Background
from eclips_app.model.calibration import ArrayInput, Request, ready, reference_print, title_of
from eclips_app.model.items import Reference

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult


@dataclass(frozen=True)
class Search:
    """A search, with the words and the merge key of the edit that its result belongs to."""

    reference: Reference
    text: str
    merge_key: str
    request: Request


class ReferenceSearch(QtCore.QObject):
    """Runs the step ``find-reference`` and keeps the pixels that it found to be of use."""

    changed = Signal()
    found = Signal(object, object)  #: a `Search` and its `StepResult`
    failed = Signal(str)  #: why

    def __init__(self, session: Session, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._background = Background(self)
        self._tasks: list[Task] = []
        self._used: dict[str, tuple[str, NDArray[np.bool_]]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anything is being looked for."""
        return self._background.is_busy or bool(self._tasks)

    def is_looking(self, reference_id: str) -> bool:
        """Whether an object is being looked for."""
        return any(task.data.reference.id == reference_id for task in self._tasks)

    def used_pixels(self, reference: Reference) -> NDArray[np.bool_] | None:
        """Give the pixels [row, col] of the crop that a fit would use; None while it is not known."""
        seen, used = self._used.get(reference.id, ("", None))
        return used if seen == reference_print(self._session.project, reference) else None

    def keep_used(self, reference: Reference, used: NDArray[np.bool_]) -> None:
        """Keep the pixels that were found to be of use for an observation as it is now."""
        self._used[reference.id] = reference_print(self._session.project, reference), used

    def start(self, search: Search) -> None:
        """Begin a search."""
        self._background.run(partial(ready, search.request.inputs), partial(self._submit, search))

    def _submit(self, search: Search, inputs: dict[str, ArrayInput]) -> None:
        reference = search.reference
        task = self._session.tasks.run(
            "find-reference", search.request.params, inputs, f"Looking at {title_of(self._session.project, reference)}",
            self._keep, data=search, key=f"find/{reference.id}",
        )  # fmt: skip
        self._tasks.append(task)
        task.finished.connect(self._on_finished)
        self.changed.emit()

    def _keep(self, task: Task, result: StepResult) -> None:
        self.found.emit(task.data, result)

    def _on_finished(self, outcome: str) -> None:
        sender = self.sender()
        self._tasks = [task for task in self._tasks if task is not sender]
        if outcome == "failed":
            self.failed.emit(sender.problem if isinstance(sender, Task) else "")
        self.changed.emit()
