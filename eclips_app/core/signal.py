"""Change notices without Qt: a list of callables that forgets bound methods whose owner is gone."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")


class Signal(Generic[P]):
    """Calls every connected function in the order of connection.

    Bound methods are held weakly, so that a closed panel is freed; plain functions are held strongly. A fault of one function
    is reported (`sys.excepthook`) and keeps neither the others from hearing nor the emitter from going on.
    """

    def __init__(self) -> None:
        self._slots: list[Callable[[], Callable[P, object] | None]] = []

    def connect(self, slot: Callable[P, object]) -> None:
        """Call `slot` at every later `emit`."""
        if hasattr(slot, "__self__"):
            self._slots.append(weakref.WeakMethod(slot))
        else:
            self._slots.append(lambda: slot)

    def disconnect(self, slot: Callable[P, object]) -> None:
        """Forget `slot`; nothing happens if it was not connected."""
        self._slots = [ref for ref in self._slots if ref() not in (slot, None)]

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the connected functions."""
        for ref in tuple(self._slots):
            slot = ref()
            if slot is None:
                self._slots = [other for other in self._slots if other is not ref]
                continue
            try:
                slot(*args, **kwargs)
            except Exception:
                sys.excepthook(*sys.exc_info())
