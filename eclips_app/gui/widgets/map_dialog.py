"""What a height map's file does not say itself: the channel, the unit of its heights and its pixel size."""

from __future__ import annotations

from pathlib import Path

from eclips_app.core.schema import rule_of
from eclips_app.core.steps import ReadHeightMap
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.widgets.quantity_edit import QuantityEdit


class MapDialog(QtWidgets.QDialog):
    """Asks for the parameters of `ReadHeightMap`; what is left open is taken from the file."""

    def __init__(self, path: Path, channels: tuple[str, ...] = (), parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self.setWindowTitle(f"Read {path.name}")
        self.channel = QtWidgets.QComboBox()
        self.channel.setEditable(True)
        self.channel.addItems(["", *channels])
        self.channel.setAccessibleName("Channel")
        self.channel.setToolTip("Empty: the first height channel")
        self.unit = QtWidgets.QComboBox()
        self.unit.addItems(list(rule_of(ReadHeightMap, "unit").choices))
        self.unit.setItemText(0, "as in the file")
        self.unit.setAccessibleName("Unit of the heights")
        self.unit.setToolTip("Used only if the file says none")
        rule = rule_of(ReadHeightMap, "pixel_size_nm")
        self.sizes = [QuantityEdit(rule, optional=True) for _ in "xy"]
        row = QtWidgets.QHBoxLayout()
        for field, axis in zip(self.sizes, "xy", strict=True):
            field.setPlaceholderText("as in the file")
            field.setAccessibleName(f"Pixel size {axis}")
            row.addWidget(field)
        buttons = QtWidgets.QDialogButtonBox(
            QtWidgets.QDialogButtonBox.StandardButton.Ok | QtWidgets.QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Ok).setText("Read")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QtWidgets.QFormLayout(self)
        form.addRow("Channel", self.channel)
        form.addRow("Unit of the heights", self.unit)
        form.addRow("Pixel size x, y", row)
        form.addRow(buttons)

    def params(self) -> ReadHeightMap:
        """Give what was chosen; one pixel size stands for both axes."""
        x, y = (field.value for field in self.sizes)
        x, y = (x if x is not None else y), (y if y is not None else x)
        unit = self.unit.currentText() if self.unit.currentIndex() > 0 else ""
        size = (x, y) if x is not None and y is not None else None
        return ReadHeightMap(str(self._path), self.channel.currentText().strip(), unit, size)
