"""Entry fields for the numbers of a dataclass, each of which may be left to the program."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from eclips_app.core.schema import rule_of
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.widgets.quantity_edit import QuantityEdit


class AutomaticFields(QtWidgets.QWidget):
    """Fields made from the rules of a dataclass; an empty one stands for the default, and its placeholder says what that is.

    `committed` carries a field's name and its new value. Other rows may be put into `form`.
    """

    committed = Signal(str, object)

    def __init__(self, cls: type, names: Sequence[str]) -> None:
        super().__init__()
        self._defaults = {name: cls.__dataclass_fields__[name].default for name in names}  # type: ignore[attr-defined]
        hints = typing.get_type_hints(cls)
        self._whole = {name for name in names if hints[name] in (int, int | None)}
        self.fields: dict[str, QuantityEdit] = {}
        self.form = QtWidgets.QFormLayout(self)
        self.form.setContentsMargins(4, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
        for name in names:
            rule = rule_of(cls, name)
            field = QuantityEdit(rule, optional=True, whole=name in self._whole)
            field.setObjectName(name)
            field.committed.connect(self._on_committed)
            self.fields[name] = field
            self.form.addRow(rule.label, field)
            self.form.labelForField(field).setToolTip(rule.help)

    def show_values(self, values: object, automatic: Mapping[str, str]) -> None:
        """Show the values of a dataclass; `automatic` says what stands for an empty field.

        A field that already holds its value keeps what is being typed.
        """
        for name, field in self.fields.items():
            value = getattr(values, name)
            shown = None if value == self._defaults[name] else value
            field.setPlaceholderText(automatic[name])
            if field.value != shown:
                field.set_value(shown)

    def _on_committed(self, value: float | None) -> None:
        name = self.sender().objectName()
        self.committed.emit(name, self._typed(name, value))

    def _typed(self, name: str, value: float | None) -> Any:
        if value is None:
            return self._defaults[name]
        return int(value) if name in self._whole else value
