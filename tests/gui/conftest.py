"""Fixtures of the window's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings


@pytest.fixture
def session(qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A session of its own: fresh settings and folders, engine ended afterwards."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    made = Session(Settings(tmp_path / "settings.ini"))
    made.theme.apply()
    yield made
    made.jobs.shutdown()


@pytest.fixture(autouse=True)
def no_modal_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A modal dialog waits for a user who is not there: it fails the test instead."""

    def refuse(dialog: QtWidgets.QDialog) -> int:
        raise AssertionError(f"modal dialog: {dialog.windowTitle() or type(dialog).__name__}")

    for kind in (QtWidgets.QDialog, QtWidgets.QMessageBox, QtWidgets.QFileDialog):
        monkeypatch.setattr(kind, "exec", refuse)
