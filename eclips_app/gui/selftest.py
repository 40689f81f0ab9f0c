"""``eclips --selftest``: opens the window, has the engine make an example, draws it and quits; tells whether all works."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from eclips_app.gui.app import make_application, make_window
from eclips_app.gui.messages import Message
from eclips_app.gui.panels.surface3d.view import Surface3DPanel
from eclips_app.gui.qt import QtCore, QtGui
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.gui.shell.main_window import MainWindow

_EXAMPLE = "vickers"
_TIMEOUT_MS = 180_000
_POLL_MS = 50
#: Fewer colours than this on a grid over the 3D view mean that nothing was drawn.
_FEWEST_COLORS = 30


def main(picture: Path | None = None) -> int:
    """Run the self-test with settings of its own.

    Parameters
    ----------
    picture : Path, optional
        Where to write a picture of the window (PNG).

    Returns
    -------
    int
        0 if the window was drawn and the engine answered; else 1, and the reason on standard error.
    """
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Settings(Path(folder) / "settings.ini"))
        window = make_window(session)
        test = _SelfTest(session, window, picture)
        window.show()
        status = app.exec()
        session.close()
    print(test.verdict, file=sys.stderr)
    return status


def count_colors(image: QtGui.QImage) -> int:
    """Count the colours of an image on a grid of up to 100 x 100 points."""
    xs = range(0, image.width(), max(1, image.width() // 100))
    ys = range(0, image.height(), max(1, image.height() // 100))
    return len({image.pixel(x, y) for x in xs for y in ys})


class _SelfTest(QtCore.QObject):
    """Waits for the first paint, then for the example's reconstruction, then for its surface, and looks at it."""

    def __init__(self, session: Session, window: MainWindow, picture: Path | None) -> None:
        super().__init__(session)
        self.verdict = ""
        self._session, self._window, self._picture = session, window, picture
        window.installEventFilter(self)
        session.messages.added.connect(self._on_message)
        self._poll = QtCore.QTimer(self)
        self._poll.timeout.connect(self._look)
        QtCore.QTimer.singleShot(_TIMEOUT_MS, self, self._give_up)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Start the engine's part once the window has been painted."""
        if event.type() == QtCore.QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            QtCore.QTimer.singleShot(0, self, self._start)
        return False

    def _start(self) -> None:
        self._session.jobs.start()
        self._session.files.open_example(_EXAMPLE)
        self._poll.start(_POLL_MS)

    def _on_message(self, message: Message) -> None:
        if message.kind == "error":
            self._end(1, message.text)

    def _look(self) -> None:
        view = self._surface_panel().view
        if self._session.project.run is None or view is None or not view.is_settled or not view.isVisible():
            return
        self._poll.stop()
        image = self._window.grab().toImage()
        if QtGui.QGuiApplication.platformName() == "xcb":  # what really is on the screen
            image = self._window.screen().grabWindow(self._window.winId()).toImage()
        if self._picture is not None and not image.save(str(self._picture)):
            self._end(1, f"the picture cannot be written to {self._picture}")
            return
        scale = image.width() / self._window.width()  # device pixels
        corner = view.mapTo(self._window, QtCore.QPoint(0, 0)) * scale
        colors = count_colors(image.copy(QtCore.QRect(corner, view.size() * scale)))
        if colors < _FEWEST_COLORS:
            self._end(1, f"the 3D view is blank ({colors} colours)")
            return
        self._end(0, f"ok, {image.width()} x {image.height()} pixels, {colors} colours in the 3D view")

    def _surface_panel(self) -> Surface3DPanel:
        panel = self._window.panels["surface3d"].panel()
        assert isinstance(panel, Surface3DPanel)
        return panel

    def _give_up(self) -> None:
        what = (
            "the engine did not answer" if self._session.project.run is None else self._surface_panel().message.text()
        )
        self._end(1, f"gave up after {_TIMEOUT_MS // 1000} s: {what}")

    def _end(self, status: int, text: str) -> None:
        self._poll.stop()
        self.verdict = f"selftest: {text}"
        QtCore.QCoreApplication.exit(status)


__all__ = ["count_colors", "main"]
