"""Undo and redo. An edit is the items it puts in place of others, so that one kind of edit serves every action."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from eclips_app.core.signal import Signal
from eclips_app.model.items import Item
from eclips_app.model.project import Project


@dataclass(frozen=True)
class Edit:
    """Changes by item id (None takes the item out), with the words shown in the history.

    Consecutive edits with the same non-empty `merge_key` are one step of undo: the drag of a line, say.
    """

    text: str
    changes: Mapping[str, Item | None]
    merge_key: str = ""


@dataclass(frozen=True)
class _Done:
    text: str
    before: Mapping[str, Item | None]
    after: Mapping[str, Item | None]
    merge_key: str
    state: int  #: number of the project's state after it; no two states have the same


class History:
    """The edits done to a project and taken back. Frozen items share their arrays, so a step costs no copy."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.changed: Signal[[]] = Signal()
        self._done: list[_Done] = []
        self._position = 0
        self._numbers = itertools.count(1)
        self._first = self._saved = 0  # numbers of the state before all steps, and of the one that was saved

    @property
    def texts(self) -> tuple[str, ...]:
        """The words of all steps, those taken back included."""
        return tuple(step.text for step in self._done)

    @property
    def position(self) -> int:
        """How many of the steps are in force."""
        return self._position

    @property
    def is_saved(self) -> bool:
        """Whether the project is as it was last saved."""
        return self._saved == self._state()

    def do(self, edit: Edit) -> None:
        """Apply an edit; what had been taken back is dropped."""
        before = self.project.apply(edit.changes)
        del self._done[self._position :]
        last = self._done[-1] if self._done else None
        done = _Done(edit.text, before, dict(edit.changes), edit.merge_key, next(self._numbers))
        if last and edit.merge_key and last.merge_key == edit.merge_key:
            merged = {**before, **last.before}, {**last.after, **edit.changes}
            self._done[-1] = replace(done, before=merged[0], after=merged[1])
        else:
            self._done.append(done)
            self._position += 1
        self.changed.emit()

    def amend(self, changes: Mapping[str, Item | None]) -> None:
        """Put in items whose content follows from others, as a part of the step that changed those.

        What is worked out anew after an edit is no edit of its own: undoing that step takes it back too. It comes when it is
        ready, by when other steps may stand on top, and becomes a part of the last one in force; who works it out has to look
        again after an undo, which may have brought back an older content. The project counts as saved if it did.
        """
        before = self.project.apply(changes)
        if self._position:
            last = self._done[self._position - 1]
            merged = {**before, **last.before}, {**last.after, **changes}
            self._done[self._position - 1] = replace(last, before=merged[0], after=merged[1])

    def go_to(self, position: int) -> None:
        """Undo or redo until `position` steps are in force."""
        while self._position > max(0, position):
            self._position -= 1
            self.project.apply(self._done[self._position].before)
        while self._position < min(position, len(self._done)):
            self.project.apply(self._done[self._position].after)
            self._position += 1
        self.changed.emit()

    def undo(self) -> None:
        """Take back the last step; nothing happens if there is none."""
        self.go_to(self._position - 1)

    def redo(self) -> None:
        """Do again what was taken back last; nothing happens if there is none."""
        self.go_to(self._position + 1)

    def end_merge(self) -> None:
        """Let the next edit be a step of its own (at the end of a drag)."""
        if self._done and self._position == len(self._done):
            self._done[-1] = replace(self._done[-1], merge_key="")

    def mark(self) -> int:
        """Give the number of the present state, for `mark_saved` when the saving is done; later edits do not merge into it."""
        self.end_merge()
        return self._state()

    def mark_saved(self, mark: int) -> None:
        """Remember that the project was saved as it was at `mark`."""
        self._saved = mark
        self.changed.emit()

    def mark_changed(self) -> None:
        """Remember that the project as it is now is saved nowhere."""
        self._saved = -1
        self.changed.emit()

    def clear(self) -> None:
        """Forget all steps: another project has been opened, as it is saved."""
        self._done.clear()
        self._position = 0
        self._first = self._saved = next(self._numbers)
        self.changed.emit()

    def _state(self) -> int:
        return self._done[self._position - 1].state if self._position else self._first
