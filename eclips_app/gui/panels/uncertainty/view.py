"""Why a pixel is uncertain: its budget, what is wrong with it, and what would help."""

from __future__ import annotations

from eclips_app.core.deviations import PARTS
from eclips_app.gui.flows.uncertainty import flow_of
from eclips_app.gui.panels.profile.readings import quantity_text
from eclips_app.gui.qt import Qt, QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.budget_view import ShareRows
from eclips_app.metrology.pixel_report import PixelReport

_HINT = "Click a pixel of the image in the Profile panel, or double-click the surface in the 3D panel."
_BESIDE = "The height map of this run does not reach this pixel."


class UncertaintyPanel(QtWidgets.QWidget):
    """A column about one pixel of the selected run."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._flow = flow_of(session)
        self.hint = _label("faint")
        self.pixel = _label("faint")
        self.height_text = _label("heading")
        self.height_text.setToolTip("Heights count from the mean of the field, and so does their ±")
        self.tilt = _label()
        self.source = _label("heading", "Where it comes from")
        self.shares = ShareRows(session.theme)
        self.missing = _label("faint")
        self.flags = _label("warning")
        self.chi2 = _label()
        self.advice = _label()
        self._report_widgets = self._lay_out()
        self._flow.changed.connect(self.refresh)
        self.refresh()

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a column."""
        return QtCore.QSize(330, 480)

    def refresh(self) -> None:
        """Show what is known of the pixel."""
        report = self._flow.report()
        self.hint.setVisible(report is None)
        asked = self._flow.pixel is not None and self._session.project.run is not None
        self.hint.setText(_BESIDE if asked else _HINT)
        for widget in self._report_widgets:
            widget.setVisible(report is not None)
        if report is not None:
            self._show(report)

    def _show(self, report: PixelReport) -> None:
        budget, run = report.budget, self._session.project.run
        self.pixel.setText(f"Pixel {report.column}, {report.row} of {run.name if run else ''}")
        self.height_text.setText(f"Height {quantity_text(report.height_nm)}")
        self.tilt.setText(f"Tilt of the surface {report.tilt_deg:.1f}°")
        self.shares.set_budget(budget)
        for widget in (self.source, self.shares):
            widget.setVisible(budget is not None)
        self.missing.setText(budget.not_stated_text.capitalize() if budget is not None else "")
        self.missing.setToolTip("\n".join(PARTS.get(part, part) for part in budget.not_stated) if budget else "")
        self.flags.setText("\n".join(f"{text[:1].upper()}{text[1:]}." for text in report.flags))
        self.chi2.setText(report.chi2)
        self.advice.setText(report.advice)
        for label in (self.missing, self.flags, self.chi2):
            label.setVisible(bool(label.text()))

    def _lay_out(self) -> list[QtWidgets.QWidget]:
        """Lay out the column; gives what is shown with a report alone."""
        shown: list[QtWidgets.QWidget] = [
            self.pixel, self.height_text, self.tilt, self.source, self.shares, self.missing, self.flags, self.chi2,
            _label("heading", "What would help most"), self.advice,
        ]  # fmt: skip
        column = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(column)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.setSpacing(8)
        for widget in (self.hint, *shown):
            layout.addWidget(widget)
        layout.addStretch(1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(column)
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        return shown


def _label(kind: str = "", text: str = "") -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
