"""The pixel that is asked about, whichever panel it was clicked in."""

from __future__ import annotations

from eclips_app.core.errors import EclipsError
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.metrology.pixel_report import PixelReport, pixel_report
from eclips_app.model.items import ProfileLine
from eclips_app.model.project import Selection


class UncertaintyFlow(QtCore.QObject):
    """Keeps the pixel (column, row) of the uncropped image, and reports on it for the selected run."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.pixel: tuple[int, int] | None = None
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    def choose(self, column: float, row: float) -> None:
        """Ask about the pixel at a point of the image; the same one again is let go."""
        pixel = round(column), round(row)
        self.pixel = pixel if pixel != self.pixel else None
        self.changed.emit()

    def report(self) -> PixelReport | None:
        """Report on the pixel; None without a run, or where it does not cover the pixel."""
        run = self._session.project.run
        if run is None or self.pixel is None:
            return None
        try:
            return pixel_report(run.arrays, run.info, run.params, *self.pixel)
        except EclipsError:  # the pixel lies beside the crop of this run
            return None

    def show(self) -> None:
        """Bring the report to the front."""
        self._session.show_panel("uncertainty")

    def _on_project(self, ids: frozenset[str]) -> None:
        if any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):  # lines move all the time
            self.changed.emit()

    def _on_selection(self, _: Selection) -> None:
        self.changed.emit()


def flow_of(session: Session) -> UncertaintyFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(UncertaintyFlow)
    return found if isinstance(found, UncertaintyFlow) else UncertaintyFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    session.actions.add(
        ActionInfo(
            "measure.uncertainty", "Why is this pixel uncertain?", "Profile", flow.show, "", "uncertainty",
            lambda: session.project.run is not None, "Then click a pixel of the image in the Profile panel.",
        )
    )  # fmt: skip
