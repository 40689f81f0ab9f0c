"""A choice that does not change while the column around it is scrolled."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtGui, QtWidgets


class CalmCombo(QtWidgets.QComboBox):
    """A choice with a name and a tip, which the wheel changes only while it has the keyboard."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Leave the wheel to what is scrolled."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def show_data(self, data: object) -> None:
        """Choose the entry with this data without sending it."""
        self.setCurrentIndex(max(0, self.findData(data)))


def offer(combo: CalmCombo, choices: list[tuple[str, str]], chosen: str) -> None:
    """Fill a combo with choices (text, key) if they are not those that it has, and choose one."""
    if [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())] != choices:
        combo.clear()
        for text, key in choices:
            combo.addItem(text, key)
    combo.show_data(chosen)
