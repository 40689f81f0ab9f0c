"""What the program has to say: kept in a list instead of modal boxes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from eclips_app.gui.qt import QtCore, Signal


@dataclass(frozen=True)
class Message:
    """One message; `kind` is "info", "good", "warning" or "error"."""

    text: str
    kind: str = "info"
    details: str = ""
    action_text: str = ""
    action: Callable[[], object] | None = None
    time: datetime.datetime = field(default_factory=datetime.datetime.now)


class Messages(QtCore.QObject):
    """The messages of this session, oldest first."""

    added = Signal(object)

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.items: list[Message] = []

    def add(self, message: Message) -> None:
        """Say something."""
        self.items.append(message)
        self.added.emit(message)
