"""How a report writes numbers: the value to as many digits as its uncertainty allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eclips_app.core.units import length_or_area_unit
from eclips_app.io.certificate_words import rounded

_UNITS = {"deg": "°"}


def written(quantity: Mapping[str, Any], coverage_factor: float) -> tuple[str, str, str, str]:
    """Give value, standard uncertainty u, expanded uncertainty U and unit of a quantity (SPEC section 5) as texts.

    u has two significant digits, and the value ends where they end (GUM, 7.2.6).
    """
    value, std, unit = quantity.get("value"), quantity.get("std"), str(quantity.get("unit", ""))
    if value is None:
        return "–", "–", "–", _UNITS.get(unit, unit)
    unit, scale = length_or_area_unit(float(value) or float(std or 0.0), unit)
    value = float(value) / scale
    u = float(std or 0.0) / scale
    deviations = (rounded(u, u), rounded(coverage_factor * u, u)) if u > 0 else ("–", "–")
    return rounded(value, u), *deviations, _UNITS.get(unit, unit)
