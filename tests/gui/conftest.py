"""Fixtures of the window's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from panel_samples import held_session
from pytestqt.qtbot import QtBot

from eclips_app.gui.app import make_window
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.gui.shell.main_window import MainWindow


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


@pytest.fixture
def held(qapp: object, tmp_path: Path) -> Session:
    """A session whose jobs the test answers itself."""
    return held_session(tmp_path)


@pytest.fixture
def window(held: Session, qtbot: QtBot) -> Iterator[MainWindow]:
    """The whole window of that session."""
    made = make_window(held)
    made.resize(1360, 860)
    made.show()
    qtbot.waitExposed(made)
    yield made
    held.history.mark_saved(held.history.mark())
    made.close()
    made.deleteLater()


@pytest.fixture(autouse=True)
def no_modal_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A modal dialog waits for a user who is not there: it fails the test instead."""

    def refuse(dialog: QtWidgets.QDialog) -> int:
        raise AssertionError(f"modal dialog: {dialog.windowTitle() or type(dialog).__name__}")

    for kind in (QtWidgets.QDialog, QtWidgets.QMessageBox, QtWidgets.QFileDialog):
        monkeypatch.setattr(kind, "exec", refuse)
