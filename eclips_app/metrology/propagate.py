"""Standard deviations of any reading, from the maps of deviations of what it was read from.

A reading f follows each map d by the difference quotient ``(f(h + d) - f(h - d)) / 2``, which is exact where f is linear; with
a map that changes lengths, lengths change along. The variance is the sum of the squares, as in `metrology.deviations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.reading import Floats, Line, Patch, Reading

_CIRCLE = 360.0


class Source(Protocol):
    """A line or patch with the deviations of its heights."""

    @property
    def data(self) -> Line | Patch:
        """What is read."""

    def deviation(self, number: int) -> NDArray[np.floating]:
        """Give map `number`, in nm, of the data's heights."""


def propagate(
    read: Callable[[Sequence[Any], float], Reading], sources: Sequence[Source], deviations: Deviations, context: Context
) -> tuple[Reading, dict[str, Floats]]:
    """Read, and give the effects [map] on each value; NaN where a value is not found in a moved surface.

    `read` takes the data and how many times as long lengths are (marked stretches go along with them).
    """
    base = read([each.data for each in sources], 1.0)
    effects = {name: np.full(len(deviations.maps), np.nan) for name in base.values}
    for number, relative in enumerate(deviations.lengths):
        context.progress((number + 1) / len(deviations.maps), "uncertainty")
        ends = []
        for sign in (1.0, -1.0):
            length = 1.0 + sign * float(relative)
            moved = [each.data.moved(sign * each.deviation(number), length) for each in sources]
            try:
                ends.append(read(moved, length).values)
            except EclipsError:  # what is there may be gone from a surface that is a deviation away
                ends.append({})
        for name, found in base.values.items():
            if all(name in end for end in ends):
                effects[name][number] = _half(ends[0][name].value - ends[1][name].value, found.unit, name)
    return base, effects


def budgeted(reading: Reading, effects: dict[str, Floats], deviations: Deviations) -> dict[str, dict[str, Any]]:
    """Give the values as JSON, each with its standard deviation and budget where the maps move it."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in reading.values.items():
        # A count that no map moves is not certain for that: what nothing stated moves has no standard deviation.
        if np.isfinite(effects[name]).all() and effects[name].any():
            budget = deviations.budget(effects[name])
            found[name] = {**replace(value, std=budget.std).to_json(), "budget": budget.to_json()}
        else:
            found[name] = Quantity(value.value, value.unit).to_json()
    return found


def _half(difference: float, unit: str, name: str) -> float:
    """Give half a difference; that of directions the short way round."""
    if unit == "deg" and ("azimuth" in name or "direction" in name):
        round_once = _CIRCLE if "azimuth" in name else _CIRCLE / 2  # a direction has no sense
        difference = (difference + round_once / 2) % round_once - round_once / 2
    return difference / 2
