"""Python's collector of cyclic garbage, kept in the window's thread.

By itself it runs in whichever thread happens to allocate, and destroys there what it finds. A widget in a cycle that is
destroyed outside the window's thread ends the process with a segmentation fault (seen with PySide6 6.11 within seconds).
"""

from __future__ import annotations

import gc

from eclips_app.gui.qt import QtCore

_LOOK_MS = 200


class GarbageCollector(QtCore.QObject):
    """Collects when as much has gathered as Python itself would wait for. Make it in the window's thread.

    While it lives, nothing is collected elsewhere; `stop` gives the collecting back to Python.
    """

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(_LOOK_MS)

    def look(self) -> None:
        """Collect the oldest generation whose count has passed its threshold."""
        due = [count > most > 0 for count, most in zip(gc.get_count(), gc.get_threshold(), strict=True)]
        if any(due):
            gc.collect(max(i for i, is_due in enumerate(due) if is_due))

    def stop(self) -> None:
        """Let Python collect by itself again."""
        self._timer.stop()
        gc.enable()
