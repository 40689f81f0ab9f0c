"""The stretches marked on the selected profile, in figures: where they are, and the line fitted to each."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length, parse_length_nm
from eclips_app.gui.flows.sampling import Sampled, fit_ends
from eclips_app.gui.panels.profile.readings import quantity_text
from eclips_app.gui.qt import Qt, QtWidgets, Signal
from eclips_app.gui.widgets.stretch_marks import Stretch, StretchMark
from eclips_app.metrology.cursors import Slope, fit_slope

_HEADS = ("From", "To", "Angle", "Fit rms")


class StretchTable(QtWidgets.QTableWidget):
    """One row for each stretch; its ends can be typed, Delete takes it out."""

    typed = Signal(int, float, float)  #: index, from, to in nm
    removed = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADS))
        self._stretches: tuple[Stretch, ...] = ()
        self._filling = False
        self.setHorizontalHeaderLabels(list(_HEADS))
        self.setAccessibleName("Marked stretches")
        self.setToolTip("Stretches marked on the plot, with the line fitted to each; type another end, Delete removes")
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.setTabKeyNavigation(False)
        self.itemChanged.connect(self._on_item)

    def show_stretches(self, stretches: tuple[Stretch, ...], fits: Sequence[Slope | None]) -> None:
        """Show the stretches and what was fitted."""
        self._filling, self._stretches = True, stretches
        self.setRowCount(len(stretches))
        for row, (stretch, fit) in enumerate(zip(stretches, fits, strict=True)):
            texts = [format_length(place, 5) for place in stretch]
            texts += [quantity_text(fit.angle_deg if fit else None), quantity_text(fit.rms_nm if fit else None)]
            for column, text in enumerate(texts):
                item = self.item(row, column)
                if item is None:
                    item = QtWidgets.QTableWidgetItem()
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    if column > 1:
                        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                    self.setItem(row, column, item)
                item.setText(text)
        self._filling = False

    def remove_current(self) -> None:
        """Ask to take out the stretch that is selected in the table."""
        if 0 <= self.currentRow() < len(self._stretches):
            self.removed.emit(self.currentRow())

    def _on_item(self, item: QtWidgets.QTableWidgetItem) -> None:
        if self._filling or item.column() > 1:
            return
        ends = list(self._stretches[item.row()])
        with contextlib.suppress(EclipsError):  # what is no length is taken back
            ends[item.column()] = parse_length_nm(item.text(), default_unit="nm")
        low, high = sorted(ends)
        if high > low >= 0.0 and (low, high) != self._stretches[item.row()]:
            self.typed.emit(item.row(), low, high)
        else:
            self._filling = True
            item.setText(format_length(self._stretches[item.row()][item.column()], 5))
            self._filling = False


def fits_of(sampled: Sampled, stretches: Sequence[Stretch]) -> list[Slope | None]:
    """Fit a line to each stretch; None where it holds too few points."""
    found: list[Slope | None] = []
    for stretch in stretches:
        try:
            found.append(fit_slope(sampled.profile, stretch))
        except EclipsError:
            found.append(None)
    return found


def marks_of(stretches: Sequence[Stretch], fits: Sequence[Slope | None]) -> list[StretchMark]:
    """Give what the plot shows of the stretches."""
    return [
        StretchMark(each, f"{fit.angle_deg.value:.2f}°" if fit else "", fit_ends(fit, each) if fit else None)
        for each, fit in zip(stretches, fits, strict=True)
    ]
