"""Faults of the program itself are told to the user, with what is needed to report them; the window goes on."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING

from eclips_app.gui.qt import QtCore

if TYPE_CHECKING:
    from eclips_app.gui.session import Session


class Faults(QtCore.QObject):
    """Hears of exceptions that nobody has caught. The same fault is told once, so that a repeated one floods nothing."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._told: set[tuple[str, str]] = set()
        self._former = sys.excepthook
        sys.excepthook = self.hear

    def hear(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write the stack to standard error as always, and tell the user."""
        self._former(kind, error, trace)
        place = traceback.extract_tb(trace)[-1:]
        known = kind.__name__, str(place)
        is_ours = QtCore.QThread.currentThread() is self.thread()  # messages are for the window's thread alone
        if known in self._told or not is_ours or not issubclass(kind, Exception):
            return
        self._told.add(known)
        self._session.notify(
            f"Something went wrong in the program ({kind.__name__}: {error}). Your project is still here; save it, and "
            "please report this together with the details.",
            "error",
            details="".join(traceback.format_exception(kind, error, trace)),
        )
