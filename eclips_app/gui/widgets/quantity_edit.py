"""Entry fields for numbers with a unit, and forms made from the rules of a dataclass."""

from __future__ import annotations

import math

from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import Rule
from eclips_app.core.units import parse_length_nm
from eclips_app.gui.qt import QtWidgets, Signal

_LENGTHS = {"nm": 1.0, "µm": 1e3, "um": 1e3, "mm": 1e6}


class QuantityEdit(QtWidgets.QLineEdit):
    """A number in `rule.unit`; a length may be typed in any unit ("0.5 um").

    `committed` carries the value when the user has finished a valid entry. An invalid one is marked, explained in the tool
    tip, and never sent. With `optional`, an empty field stands for None.
    """

    committed = Signal(object)

    def __init__(self, rule: Rule, value: float | None = None, *, optional: bool = False, whole: bool = False) -> None:
        super().__init__()
        self.rule = rule
        self._optional = optional
        self._whole = whole
        self._value: float | None = None
        self.setAccessibleName(f"{rule.label} {rule.unit}".strip())
        self.setPlaceholderText("not set" if optional else "")
        self.setMinimumWidth(90)
        self.set_value(value)
        self.editingFinished.connect(self._finish)
        self.textEdited.connect(self._check)

    @property
    def value(self) -> float | None:
        """The last valid value, in the rule's unit."""
        return self._value

    def set_value(self, value: float | None) -> None:
        """Show a value without sending it."""
        self._value = value
        shown = "" if value is None or not math.isfinite(value) else f"{value:.7g}"
        if shown and self.rule.unit:
            shown += f" {self.rule.unit}" if self.rule.unit != "°" else "°"
        self.setText(shown)
        self._mark("")

    def _read(self) -> float | None:
        text = self.text().strip().replace("−", "-")
        if not text:
            if self._optional:
                return None
            raise EclipsError("A value is needed", hint=f"Give {self.rule.range_text}.")
        unit = self.rule.unit
        is_length = unit in _LENGTHS
        value = parse_length_nm(text, default_unit=unit) / _LENGTHS[unit] if is_length else _plain_number(text, unit)
        if self._whole and value != round(value):
            raise EclipsError(f"{text} is not a whole number", hint=f"Give {self.rule.range_text}.")
        if not self.rule.low <= value <= self.rule.high:
            raise EclipsError(f"{text} is out of range", hint=f"Give {self.rule.range_text}.")
        return value

    def _check(self) -> None:
        try:
            self._read()
        except EclipsError as error:
            self._mark(str(error))
        else:
            self._mark("")

    def _finish(self) -> None:
        try:
            value = self._read()
        except EclipsError as error:
            self._mark(str(error))
            return
        changed = value != self._value
        self.set_value(value)
        if changed:
            self.committed.emit(value)

    def _mark(self, problem: str) -> None:
        self.setToolTip(problem or " ".join(filter(None, (self.rule.help, f"({self.rule.range_text})"))))
        state = "error" if problem else ""
        if self.property("state") != state:
            self.setProperty("state", state)
            self.style().unpolish(self)
            self.style().polish(self)


def _plain_number(text: str, unit: str) -> float:
    bare = text.removesuffix(unit).strip() if unit else text
    try:
        value = float(bare)
    except ValueError as error:
        raise EclipsError(
            f"'{text}' is not a number", hint=f"Write a number{f' in {unit}' if unit else ''}."
        ) from error
    if not math.isfinite(value):
        raise EclipsError(f"'{text}' is not a finite number", hint="Write a number.")
    return value
