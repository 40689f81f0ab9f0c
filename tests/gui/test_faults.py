"""Exceptions that nobody caught: the user reads of each once."""

from __future__ import annotations

import sys
import threading

import pytest

from eclips_app.gui.faults import Faults
from eclips_app.gui.session import Session


def fail() -> None:
    raise ZeroDivisionError("no depth")


def report_one() -> None:
    try:
        fail()
    except ZeroDivisionError:
        sys.excepthook(*sys.exc_info())


def test_a_fault_is_told_once_and_still_written(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: written.append(kind))
    faults = Faults(session)
    report_one()
    report_one()
    elsewhere = threading.Thread(target=report_one)
    elsewhere.start()
    elsewhere.join()
    assert written == [ZeroDivisionError] * 3
    (message,) = session.messages.items
    assert message.kind == "error"
    assert message.text == (
        "Something went wrong in the program (ZeroDivisionError: no depth). Your project is still here; save it, and "
        "please report this together with the details."
    )
    assert "in fail" in message.details
    assert faults.parent() is session
