"""Entry fields for numbers with a unit, and forms made from the rules of a dataclass."""

from __future__ import annotations

import math

from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import Rule
from eclips_app.core.units import parse_length_nm
from eclips_app.gui.qt import Qt, QtGui, QtWidgets, Signal

_LENGTHS = {"nm": 1.0, "µm": 1e3, "um": 1e3, "mm": 1e6}


class QuantityEdit(QtWidgets.QLineEdit):
    """A number in `rule.unit`; a length may be typed in any unit ("0.5 um").

    `committed` carries the value when the user has finished a valid entry. An invalid one is marked, explained in the tool
    tip, and never sent. With `optional`, an empty field stands for None. No more than `digits` are shown; the value has all.
    """

    committed = Signal(object)

    def __init__(
        self, rule: Rule, value: float | None = None, *, optional: bool = False, whole: bool = False, digits: int = 7
    ) -> None:
        super().__init__()
        self.rule = rule
        self._optional = optional
        self._whole = whole
        self._digits = digits
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
        self.setText(self._shown())
        self._mark("")

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Let Escape take back what was typed and not finished."""
        if event.key() == Qt.Key.Key_Escape and self.text() != self._shown():
            self.set_value(self._value)
            event.accept()
        else:
            super().keyPressEvent(event)

    def _shown(self) -> str:
        return quantity_text(self._value, self.rule.unit, self._digits)

    def _read(self) -> float | None:
        return read_quantity(self.text(), self.rule, optional=self._optional, whole=self._whole)

    def _check(self) -> None:
        try:
            self._read()
        except EclipsError as error:
            self._mark(str(error))
        else:
            self._mark("")

    def _finish(self) -> None:
        if self.text() == self._shown():
            self._mark("")  # untouched: what the text rounds off is not lost
            return
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


def read_quantity(text: str, rule: Rule, *, optional: bool = False, whole: bool = False) -> float | None:
    """Read what a user typed as a number in `rule.unit`; a length may have any unit of length.

    Raises
    ------
    EclipsError
        If it is no number, out of range, not whole (with `whole`), or empty (without `optional`).
    """
    text = text.strip().replace("−", "-")
    if not text:
        if optional:
            return None
        raise EclipsError("A value is needed", hint=f"Give {rule.range_text}.")
    is_length = rule.unit in _LENGTHS
    scale = _LENGTHS.get(rule.unit, 1.0)
    value = parse_length_nm(text, default_unit=rule.unit) / scale if is_length else _plain_number(text, rule.unit)
    if whole and value != round(value):
        raise EclipsError(f"{text} is not a whole number", hint=f"Give {rule.range_text}.")
    if not rule.low <= value <= rule.high:
        raise EclipsError(f"{text} is out of range", hint=f"Give {rule.range_text}.")
    return value


def quantity_text(value: float | None, unit: str = "", digits: int = 7) -> str:
    """Write a number with its unit as the entry fields do; nothing for None."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.{digits}g}{'°' if unit == '°' else f' {unit}' if unit else ''}"


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
