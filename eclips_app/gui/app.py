"""Starts the window."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from eclips_app.gui.faults import Faults
from eclips_app.gui.flows import (
    calibration,
    calibration_files,
    check,
    compare,
    compare_methods,
    facets,
    files,
    help,
    images,
    levelling,
    measure,
    reconstruct,
    report,
    results,
    series,
    simulate,
    train,
    uncertainty,
)
from eclips_app.gui.garbage import GarbageCollector
from eclips_app.gui.panels import PANELS
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.version import VERSION

_AHEAD_MS = 50  #: between imports ahead of their use


def make_application(arguments: Sequence[str] = ()) -> QtWidgets.QApplication:
    """Give the application object with its names set."""
    QtGui.QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QtWidgets.QApplication([*sys.argv[:1], *arguments])
    app.setApplicationName("eclips")
    app.setApplicationDisplayName("ECLIPS")
    app.setApplicationVersion(VERSION)
    app.setDesktopFileName("eclips")
    GarbageCollector(app)
    return app


def make_window(session: Session) -> MainWindow:
    """Register all commands and make the main window."""
    session.theme.apply()
    for flow in (
        files,
        images,
        calibration,
        calibration_files,
        reconstruct,
        compare_methods,
        check,
        measure,
        levelling,
        facets,
        results,
        compare,
        uncertainty,
        series,
        simulate,
        train,
        report,
        help,
    ):
        flow.register(session)
    return MainWindow(session)


def main(paths: Sequence[Path] = (), example: str = "") -> int:
    """Open the window, with files or an example if given, and run until it is closed; gives the exit status."""
    app = make_application()
    session = Session()
    Faults(session)
    window = make_window(session)
    window.show()
    start = _Start(session, list(paths), example)
    QtCore.QTimer.singleShot(0, start.run)  # after the first paint
    return app.exec()


class _Start(QtCore.QObject):
    """What happens once the window is visible: the engine warms up and files are opened."""

    def __init__(self, session: Session, paths: list[Path], example: str) -> None:
        super().__init__(session)
        self._session, self._paths, self._example = session, paths, example

    def run(self) -> None:
        self._session.jobs.start()
        _Ahead(self)
        if self._example:
            self._session.files.open_example(self._example)
        if self._paths:
            self._session.files.open_files(self._paths)


class _Ahead(QtCore.QObject):
    """Imports what the panels need, one module at a time while nothing else happens, so that their first showing is quick."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._modules = [info.factory.partition(":")[0] for info in PANELS] + ["eclips_app.io.segments"]
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._import_next)
        self._timer.start(_AHEAD_MS)

    def _import_next(self) -> None:
        if self._modules:
            importlib.import_module(self._modules.pop(0))
        else:
            self._timer.stop()


__all__ = ["main", "make_application", "make_window"]
