"""The planes that a facet may be, with their probabilities as bars."""

from __future__ import annotations

import math

from eclips_app.core.crystal import hkl_text
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.metrology.crystal_index import Candidate

_HEADS = (
    ("Plane", "Family of equivalent planes; none: not among those tried"),
    ("Probability", "By slope and azimuth, the other facets and the prior; all together 100 %"),
    ("Slope", "Angle of the plane with the top plane"), ("k slope", "Measured less expected slope, in standard deviations"),
    ("Δ azimuth", "Measured less expected azimuth, where the other facets tell the crystal's"),
    ("k", "Slope and azimuth together, as standard deviations of a Gaussian"), ("χ²", "And how many values it is of"),
)  # fmt: skip
_BAR = 1
_FAR = 100.0  #: standard deviations beyond which only this is said


class CandidateTable(QtWidgets.QTableWidget):
    """One row for each plane, the likeliest first."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(0, len(_HEADS))
        self.setAccessibleName("Candidate planes")
        for column, (title, tip) in enumerate(_HEADS):
            head = QtWidgets.QTableWidgetItem(title)
            head.setToolTip(tip)
            self.setHorizontalHeaderItem(column, head)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.setWordWrap(False)
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.NoSelection)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_BAR, QtWidgets.QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(40)
        self.setItemDelegateForColumn(_BAR, _Bars(theme, self))

    def show_candidates(self, candidates: tuple[Candidate, ...]) -> None:
        """Fill the table."""
        self.setRowCount(len(candidates))
        for row, each in enumerate(candidates):
            for column, text in enumerate(_texts(each)):
                cell = QtWidgets.QTableWidgetItem(text)
                if column > _BAR:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if column == _BAR:
                    cell.setData(Qt.ItemDataRole.UserRole, each.probability)
                self.setItem(row, column, cell)


def _texts(each: Candidate) -> tuple[str, ...]:
    chance = f"{100 * each.probability:.3g} %" if each.probability >= 1e-4 else "< 0.01 %"
    if each.hkl is None:
        return "none", chance, "", "", "", "", ""
    azimuth = f"{each.azimuth_off_deg:+.2f}°" if math.isfinite(each.azimuth_off_deg) else "–"
    chi2 = f"{each.chi2:.3g} / {each.dof}" if each.chi2 < _FAR**2 else "–"
    return (
        hkl_text(each.hkl),
        chance,
        f"{each.tilt_deg:.2f}°",
        _sigmas(each.tilt_k, "+"),
        azimuth,
        _sigmas(each.k_sigma),
        chi2,
    )


def _sigmas(k: float, sign: str = "") -> str:
    if not math.isfinite(k):
        return "–"
    return f"> {_FAR:.0f}" if abs(k) > _FAR else f"{k:{sign}.1f}"


class _Bars(QtWidgets.QStyledItemDelegate):
    """Paints a probability as a bar behind its number."""

    def __init__(self, theme: Theme, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QtGui.QPainter, option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex | QtCore.QPersistentModelIndex,
    ) -> None:  # fmt: skip
        chance = float(index.data(Qt.ItemDataRole.UserRole) or 0.0)
        area = QtCore.QRectF(option.rect).adjusted(3, 3, -3, -3)
        ink = QtGui.QColor(self._theme.colors.accent)
        ink.setAlpha(110)
        painter.fillRect(QtCore.QRectF(area.left(), area.top(), area.width() * chance, area.height()), ink)
        painter.setPen(QtGui.QColor(self._theme.colors.text))
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, f" {index.data()}")
