"""The rows under the tool bar: what can be set and typed for the tool in use."""

from __future__ import annotations

from collections.abc import Sequence

from eclips_app.core.schema import Rule
from eclips_app.gui.panels.images.banner import BAR_LENGTH
from eclips_app.gui.panels.images.tools import Crop
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.widgets.quantity_edit import QuantityEdit


class CropOptions(QtWidgets.QWidget):
    """The crop in numbers; `typed` carries it."""

    typed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._shape = (1, 1)
        self.fields = {name: _whole(name.capitalize()) for name in ("left", "top", "width", "height")}
        for field in self.fields.values():
            field.committed.connect(self._on_typed)
        self.whole = _button("Whole image", "Use everything, a data bar included")
        self.bar = _button("Without data bar", "Leave out the data bar drawn into the images")
        captioned = _captioned(self.fields)
        _rows(self, [*captioned[:4], self.whole], [*captioned[4:], self.bar])

    def show_crop(self, crop: Crop, shape: tuple[int, int]) -> None:
        """Show a crop in its image."""
        self._shape = shape
        top, left, bottom, right = crop
        for name, value in (("left", left), ("top", top), ("width", right - left), ("height", bottom - top)):
            self.fields[name].set_value(float(value))

    def _on_typed(self, _: object) -> None:
        left, top, width, height = (round(field.value or 0) for field in self.fields.values())
        self.typed.emit((top, left, top + height, left + width))


class MaskOptions(QtWidgets.QWidget):
    """How pixels are excluded."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kind = QtWidgets.QComboBox()
        self.kind.setAccessibleName("Shape")
        self.kind.setToolTip("Brush: paint. Rectangle: drag a corner. Outline: draw around.")
        self.kind.addItems(["Brush", "Rectangle", "Outline"])
        self.kind.currentIndexChanged.connect(self.changed)
        self.width_field = QuantityEdit(Rule("Brush", "px", 1, 500, help="Diameter of the brush."), 20.0)
        self.width_field.setMinimumWidth(60)
        self.width_field.setMaximumWidth(80)
        self.width_field.committed.connect(self.changed)
        self.erase = QtWidgets.QCheckBox("Erase")
        self.erase.setToolTip("Use pixels again instead of excluding them")
        self.erase.toggled.connect(self.changed)
        self.clear = _button("Clear", "Use all pixels again")
        self.text = QtWidgets.QLabel()
        self.text.setProperty("kind", "faint")
        _rows(self, [self.kind, self.width_field, self.erase, self.clear, self.text])

    def show_part(self, part: float) -> None:
        """Say which part of the image (0 to 1) is excluded."""
        self.text.setText(f"{100 * part:.2g} % excluded" if part else "Nothing excluded")
        self.clear.setEnabled(part > 0)


class RulerOptions(QtWidgets.QWidget):
    """The measured length, and the true one to be typed."""

    def __init__(self) -> None:
        super().__init__()
        self.length = QtWidgets.QLabel()
        self.edit = QuantityEdit(BAR_LENGTH, optional=True)
        self.edit.setPlaceholderText("such as 10 µm")
        self.edit.setMaximumWidth(120)
        self.use = _button("Set pixel size", "Pixel size = true length / length in pixels")
        self.result = QtWidgets.QLabel()
        self.result.setProperty("kind", "faint")
        caption = QtWidgets.QLabel("True length")
        caption.setBuddy(self.edit)
        _rows(self, [self.length, caption, self.edit, self.use, self.result])


def _whole(label: str) -> QuantityEdit:
    field = QuantityEdit(Rule(label, "px", 0, 1e6), 0.0, whole=True)
    field.setMinimumWidth(78)
    field.setMaximumWidth(90)
    return field


def _captioned(fields: dict[str, QuantityEdit]) -> list[QtWidgets.QWidget]:
    widgets: list[QtWidgets.QWidget] = []
    for name, field in fields.items():
        caption = QtWidgets.QLabel(name.capitalize())
        caption.setBuddy(field)
        widgets += [caption, field]
    return widgets


def _button(text: str, tip: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    return button


def _rows(owner: QtWidgets.QWidget, *rows: Sequence[QtWidgets.QWidget]) -> None:
    """Lay widgets out in rows, narrow enough for a small window."""
    layout = QtWidgets.QVBoxLayout(owner)
    layout.setContentsMargins(6, 2, 6, 2)
    layout.setSpacing(2)
    for widgets in rows:
        row = QtWidgets.QHBoxLayout()
        for widget in widgets:
            row.addWidget(widget)
        row.addStretch(1)
        layout.addLayout(row)
