from __future__ import annotations

import gc
import sys

import pytest

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


def test_a_fault_of_one_is_reported_and_the_others_hear(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: reported.append(kind))
    signal: Signal[[int]] = Signal()
    listener = Listener()

    def fail(number: int) -> None:
        raise ZeroDivisionError

    signal.connect(fail)
    signal.connect(listener.on_number)
    signal.emit(1)
    assert reported == [ZeroDivisionError]
    assert listener.heard == [1]


def test_a_slot_may_emit_again_when_another_owner_is_gone() -> None:
    signal: Signal[[int]] = Signal()
    first, gone = Listener(), Listener()
    signal.connect(gone.on_number)

    def again(number: int) -> None:
        if number:
            signal.emit(number - 1)

    signal.connect(again)
    signal.connect(first.on_number)
    del gone
    gc.collect()
    signal.emit(2)
    assert first.heard == [0, 1, 2]
