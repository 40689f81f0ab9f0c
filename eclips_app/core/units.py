"""Lengths and angles with units: parsing what a user types, formatting what the program shows."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from eclips_app.core.errors import EclipsError

#: Nanometres in one of each unit of length.
NM_PER_UNIT = {
    "pm": 1e-3,
    "nm": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "mm": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "Å": 0.1,
    "A": 0.1,
}

_LENGTH = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\W\d_]+|Å)?\s*\Z")


@dataclass(frozen=True)
class Quantity:
    """A number with its standard deviation and unit; `std` is None while it is not known."""

    value: float
    unit: str
    std: float | None = None

    def to_json(self) -> dict[str, object]:
        """Give the form that every command prints with `--json`; what is not a finite number becomes null."""
        return {"value": _finite(self.value), "std": _finite(self.std), "unit": self.unit}


_LEAST_UM2, _LEAST_MM2 = 1e5, 1e10  #: areas in nm² from which another unit is read better


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def parse_length_nm(text: str, *, default_unit: str | None = None) -> float:
    """Read a length such as ``2nm``, ``0.5 um`` or ``1e-3mm``; the result is in nm.

    Raises
    ------
    EclipsError
        If the text is no number with a unit of length. A bare number is accepted only with `default_unit`.
    """
    match = _LENGTH.match(text)
    unit = (match.group(2) or default_unit) if match else None
    if match is None or unit not in NM_PER_UNIT:
        raise EclipsError(f"'{text}' is not a length", hint="Write a number with its unit, for example 2nm or 0.5um.")
    value = float(match.group(1)) * NM_PER_UNIT[unit]
    if not math.isfinite(value):
        raise EclipsError(f"'{text}' is not a finite length", hint="Write a number with its unit, for example 2nm.")
    return value


def length_unit(magnitude_nm: float) -> tuple[str, float]:
    """Choose the unit in which a length of this size is read best: (unit, nm per unit)."""
    size = abs(magnitude_nm)
    if size >= 1e6:
        return "mm", 1e6
    if size >= 1e3:
        return "µm", 1e3
    if size >= 0.1 or size == 0.0:
        return "nm", 1.0
    return "pm", 1e-3


def length_or_area_unit(magnitude: float, unit: str) -> tuple[str, float]:
    """Choose the unit in which a quantity in "nm" or "nm²" is read best, and what to divide by; others stay as they are."""
    if unit == "nm":
        return length_unit(magnitude)
    if unit == "nm²" and abs(magnitude) >= _LEAST_UM2:
        return ("mm²", 1e12) if abs(magnitude) >= _LEAST_MM2 else ("µm²", 1e6)
    return unit, 1.0


def capital(name: str) -> str:
    """Let the name of a quantity begin with a capital letter, as names in tables do."""
    return f"{name[:1].upper()}{name[1:]}"


def format_length(value_nm: float, digits: int = 4) -> str:
    """Write a length in the unit that suits its size, with `digits` significant digits."""
    if not math.isfinite(value_nm):
        return "–"
    unit, scale = length_unit(value_nm)
    return f"{value_nm / scale:.{digits}g} {unit}"


def nice_step(span: float) -> float:
    """Give the largest of 1, 2, 5 times a power of ten that is not above `span` (any unit, > 0)."""
    power = 10.0 ** math.floor(math.log10(span))
    return next(m * power for m in (5.0, 2.0, 1.0) if m * power <= span * (1 + 1e-9))
