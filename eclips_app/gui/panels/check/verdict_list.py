"""The verdicts as a list; choosing one shows where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme

_ICONS = {"good": "good", "info": "info", "warning": "error", "error": "error"}


class Told(Protocol):
    """A sentence with its tone ("good", "info", "warning", "error"), and where it holds; such as `metrology.verdicts.Verdict`."""

    @property
    def text(self) -> str:
        """The sentence."""

    @property
    def title(self) -> str:
        """What it is about."""

    @property
    def tone(self) -> str:
        """How it is told."""

    @property
    def bbox(self) -> tuple[int, int, int, int] | None:
        """First row, first column, end row, end column; None: the whole field."""


class VerdictList(QtWidgets.QListWidget):
    """One line for each verdict, with an icon in the colour of its tone."""

    chosen = Signal(object)  #: the sentence that was clicked or reached by the keys

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.verdicts: tuple[Told, ...] = ()
        self.setAccessibleName("Verdicts")
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.setAlternatingRowColors(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIconSize(QtCore.QSize(18, 18))
        self.setSpacing(1)
        self.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.itemClicked.connect(self._on_item)
        self.itemActivated.connect(self._on_item)
        theme.changed.connect(self._draw_icons)

    def set_verdicts(self, verdicts: Sequence[Told], notes: tuple[str, ...] = ()) -> None:
        """Show these verdicts, and below them notes of no place."""
        self.verdicts = tuple(verdicts)
        self.clear()
        for verdict in verdicts:
            item = QtWidgets.QListWidgetItem(verdict.text)
            where = "Click to see where" if verdict.bbox is not None else "Of the field as a whole"
            item.setToolTip(f"{verdict.title}. {where}")
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{verdict.title}: {verdict.text}")
            self.addItem(item)
        self.addItems(list(notes))
        self._draw_icons()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Show the line that the arrow keys reach."""
        before = self.currentRow()
        super().keyPressEvent(event)
        if self.currentRow() != before and self.currentItem() is not None:
            self._on_item(self.currentItem())

    def _on_item(self, item: QtWidgets.QListWidgetItem) -> None:
        if self.row(item) < len(self.verdicts):
            self.chosen.emit(self.verdicts[self.row(item)])

    def _draw_icons(self) -> None:
        colors = self._theme.colors
        inks = {"good": colors.good, "info": colors.accent, "warning": colors.warning, "error": colors.error}
        for row in range(self.count()):
            tone = self.verdicts[row].tone if row < len(self.verdicts) else "info"
            self.item(row).setIcon(self._theme.icon(_ICONS[tone], inks[tone]))
