from __future__ import annotations

import gc

from eclips_app.core.signal import Signal


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_number(self, number: int) -> None:
        self.heard.append(number)


def test_slots_hear_in_order_until_disconnected() -> None:
    signal: Signal[[int]] = Signal()
    first, second = Listener(), Listener()
    signal.connect(first.on_number)
    signal.connect(second.on_number)
    signal.emit(1)
    signal.disconnect(first.on_number)
    signal.emit(2)
    assert (first.heard, second.heard) == ([1], [1, 2])


def test_a_connection_keeps_no_owner_alive() -> None:
    signal: Signal[[int]] = Signal()
    listener = Listener()
    signal.connect(listener.on_number)
    heard = listener.heard
    del listener
    gc.collect()
    signal.emit(1)
    assert heard == []
