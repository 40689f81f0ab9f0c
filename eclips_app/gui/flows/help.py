"""The manual and what the program says of itself."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import PySide6

from eclips_app.core.paths import resource
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.version import VERSION

if TYPE_CHECKING:
    from eclips_app.gui.session import Session


class HelpFlow(QtCore.QObject):
    """Shows the manual in a window of its own, and the versions in the messages."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._window: QtWidgets.QTextBrowser | None = None

    def manual(self) -> None:
        """Open the manual."""
        if self._window is None:
            self._window = QtWidgets.QTextBrowser()
            self._window.setWindowTitle("ECLIPS manual")
            self._window.setOpenExternalLinks(False)
            self._window.setSearchPaths([str(resource("help"))])
            self._window.setSource(QtCore.QUrl("index.md"), QtGui.QTextDocument.ResourceType.MarkdownResource)
            self._window.resize(820, 700)
        self._window.show()
        self._window.raise_()

    def about(self) -> None:
        """Say which versions run."""
        self._session.notify(
            f"ECLIPS {VERSION}, Python {platform.python_version()}, Qt {QtCore.qVersion()}, PySide6 {PySide6.__version__}, "
            f"{platform.platform()}."
        )
        self._session.show_panel("messages")


def register(session: Session) -> None:
    """Add the commands of the Help menu."""
    flow = HelpFlow(session)
    session.actions.add(ActionInfo("help.manual", "Manual", "Help", flow.manual, "F1", "help"))
    session.actions.add(ActionInfo("help.about", "About ECLIPS", "Help", flow.about))
