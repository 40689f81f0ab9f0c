"""Where the uncertainty of a reading comes from, and its exact noise on demand."""

from __future__ import annotations

import math

from eclips_app.core.deviations import PARTS
from eclips_app.core.units import format_length
from eclips_app.gui.flows.exact import Asked, flow_of
from eclips_app.gui.flows.sampling import CursorReading
from eclips_app.gui.panels.profile.readings import quantity_text
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.budget_view import ShareBar
from eclips_app.model.items import ProfileLine

NAMES = ("Height difference", "Angle", "Fitted angle", "Step height")
_TIPS = (
    "Height at the second cursor minus that at the first",
    "Angle of the straight line through both cursors",
    "Angle of the straight line fitted between the cursors",
    "Level beyond both cursors minus that before them: parallel lines fitted to both stretches",
)
_NO_BUDGET = (
    "This curve has no budget: its ± is noise alone. A run of Standard or Metrology that ended by itself has one."
)


class BudgetTab(QtWidgets.QWidget):
    """The budget of one reading of the first curve."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._flow = flow_of(session)
        self._reading: CursorReading | None = None
        self._place: tuple[ProfileLine, tuple[float, float]] | None = None
        self.choice = QtWidgets.QComboBox()
        self.choice.setAccessibleName("Reading")
        for name, tip in zip(NAMES, _TIPS, strict=True):
            self.choice.addItem(name)
            self.choice.setItemData(self.choice.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.value = _label()
        self.value.setProperty("kind", "heading")
        self.exact = QtWidgets.QPushButton("Exact ±")
        self.shares = ShareBar(session.theme)
        self.missing = _label("faint")
        self.compared = _label()
        self._lay_out()
        self.choice.currentIndexChanged.connect(self._show)
        self.exact.clicked.connect(self._ask)
        self._flow.changed.connect(self._show)

    def set_reading(
        self, reading: CursorReading | None, line: ProfileLine | None, cursors_nm: tuple[float, float]
    ) -> None:
        """Show the budget of what the cursors read."""
        self._reading, self._place = reading, (line, cursors_nm) if line is not None else None
        self._show()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Show what was not worth the time while nobody saw it."""
        super().showEvent(event)
        self._show()

    def _lay_out(self) -> None:
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.choice)
        top.addWidget(self.value, 1)
        top.addWidget(self.exact)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(top)
        for widget in (self.shares, self.compared, self.missing):
            layout.addWidget(widget)
        layout.addStretch(1)

    @property
    def _asked(self) -> Asked | None:
        if self._reading is None or self._place is None or self._reading.sampled.role != "A":
            return None
        return Asked(self.choice.currentText(), self._reading.sampled.source_id, *self._place)

    def _show(self) -> None:
        if not self.isVisible():
            return
        name, reading, asked = self.choice.currentText(), self._reading, self._asked
        quantity = reading.values.get(name) if reading is not None else None
        budget = reading.budget(name) if reading is not None else None
        self.value.setText(quantity_text(quantity) if reading is not None else "")
        self.shares.set_budget(budget)
        waits = reading is not None and reading.sampled.waits
        self.missing.setText(
            budget.not_stated_text.capitalize() if budget else _NO_BUDGET if reading and not waits else ""
        )
        self.missing.setToolTip("\n".join(PARTS.get(part, part) for part in budget.not_stated) if budget else "")
        hindrance = self._flow.hindrance(asked.run_id) if asked is not None else "Draw a line first."
        self.exact.setEnabled(budget is not None and not hindrance and self._flow.task is None)
        tip = f"Compute the noise of this reading without random draws{_scatter(reading)}; takes seconds or more"
        self.exact.setToolTip(hindrance or tip)
        found = self._flow.found(asked) if asked is not None else None
        drawn = next((share.std for share in budget.shares if share.part == "noise"), 0.0) if budget else 0.0
        self.compared.setVisible(found is not None)
        if found is not None and quantity is not None:
            unit = quantity.unit
            self.compared.setText(f"Noise: {_std(found, unit)} exact, {_std(drawn, unit)} from the random draws")

    def _ask(self) -> None:
        if self._asked is not None and self._reading is not None:
            self._flow.ask(self._asked, self._reading)


def _scatter(reading: CursorReading | None) -> str:
    """Say how far off the standard deviation from the random draws may be itself."""
    covariance = reading.sampled.profile.covariance if reading is not None else None
    draws = sum(part == "noise" for part, _ in covariance.parts) if covariance is not None else 0
    return f", whose ± is itself off by some {100 / math.sqrt(2 * draws):.0f} %" if draws else ""


def _std(std: float, unit: str) -> str:
    return f"± {format_length(std, 2)}" if unit == "nm" else f"± {std:.2g}°"


def _label(kind: str = "") -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
