"""The options of a recipe as a form that builds itself from their dataclass."""

from __future__ import annotations

import dataclasses
from typing import Any

from eclips_app.core.schema import rule_of
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.widgets.automatic_fields import AutomaticFields
from eclips_app.gui.widgets.quantity_edit import quantity_text


class OptionsForm(QtWidgets.QWidget):
    """Fields for numbers, boxes for choices and switches; `committed` carries an option's name and value."""

    committed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._cls: type | None = None
        self._numbers: AutomaticFields | None = None
        self.choices: dict[str, QtWidgets.QComboBox] = {}
        self.switches: dict[str, QtWidgets.QCheckBox] = {}
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    @property
    def numbers(self) -> AutomaticFields | None:
        """The fields for numbers."""
        return self._numbers

    def show_options(self, options: object | None) -> None:
        """Show the options of a kind, or nothing."""
        cls = type(options) if options is not None and dataclasses.fields(options) else None  # type: ignore[arg-type]
        if cls is not self._cls:
            self._build(cls)
        if options is None or self._numbers is None or cls is None:
            return
        automatic = {
            name: quantity_text(vars(cls)["__dataclass_fields__"][name].default, rule_of(cls, name).unit) or "automatic"
            for name in self._numbers.fields
        }
        self._numbers.show_values(options, automatic)
        for name, combo in self.choices.items():
            combo.setCurrentIndex(combo.findText(getattr(options, name)))
        for name, box in self.switches.items():
            box.setChecked(getattr(options, name))

    def _build(self, cls: type | None) -> None:
        self._cls, self.choices, self.switches = cls, {}, {}
        if self._numbers is not None:
            self._layout.removeWidget(self._numbers)
            self._numbers.deleteLater()
            self._numbers = None
        if cls is None:
            return
        fields = {each.name: each for each in dataclasses.fields(cls)}
        chosen = [name for name in fields if rule_of(cls, name).choices]
        switched = [name for name, each in fields.items() if isinstance(each.default, bool)]
        self._numbers = AutomaticFields(cls, [name for name in fields if name not in (*chosen, *switched)])
        self._numbers.committed.connect(self.committed)
        for row, name in enumerate(chosen):
            self._add_choice(cls, name, row)
        for name in switched:
            self._add_switch(cls, name)
        self._layout.addWidget(self._numbers)

    def _add_choice(self, cls: type, name: str, row: int) -> None:
        rule, combo = rule_of(cls, name), QtWidgets.QComboBox()
        combo.addItems(list(rule.choices))
        combo.setObjectName(name)
        combo.setAccessibleName(rule.label)
        combo.setToolTip(rule.help)
        combo.textActivated.connect(self._on_choice)
        self.choices[name] = combo
        if self._numbers is not None:
            self._numbers.form.insertRow(row, rule.label or name, combo)

    def _add_switch(self, cls: type, name: str) -> None:
        rule = rule_of(cls, name)
        box = QtWidgets.QCheckBox(rule.label or name)
        box.setObjectName(name)
        box.setToolTip(rule.help)
        box.clicked.connect(self._on_switch)
        self.switches[name] = box
        if self._numbers is not None:
            self._numbers.form.addRow(box)

    def _on_choice(self, text: str) -> None:
        self.committed.emit(self._sender_name(), text)

    def _on_switch(self, on: bool) -> None:
        self.committed.emit(self._sender_name(), on)

    def _sender_name(self) -> Any:
        return self.sender().objectName()
