"""Where a number stands in an observation, so that a field can show and change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eclips_app.core.calibration import Observation
from eclips_app.gui.panels.calibration import handles

#: Sides of an area, in the order in which they are kept.
SIDES = ("First row", "First column", "End row", "End column")


@dataclass(frozen=True)
class Place:
    """A field of an observation: `owner` is a kind, or empty for the observation itself."""

    owner: str
    name: str
    index: int | None = None

    def value(self, observation: Observation) -> float | None:
        """Give the number; None where there is none."""
        value = getattr(getattr(observation, self.owner) if self.owner else observation, self.name)
        if self.index is None or value is None:
            return None if value is None else float(value)
        return float(value[self.index]) if self.index < len(value) else None

    def put(self, observation: Observation, value: float | None) -> Observation:
        """Give the observation with another number; None clears it, or the whole tuple that it belongs to.

        The azimuth of one area is not taken while those of the others are not known.
        """
        target: Any = getattr(observation, self.owner) if self.owner else observation
        new: Any = value
        if self.index is not None and value is not None:
            values = list(getattr(target, self.name) or ((0.0, 0.0) if self.name != "azimuths_deg" else ()))
            if self.index >= len(values):
                return observation
            values[self.index] = value
            new = tuple(values)
        changed: Any = replace(target, **{self.name: new})
        return replace(observation, **{self.owner: changed}) if self.owner else changed


@dataclass(frozen=True)
class AreaPlace:
    """A side of an area, by the number of the area and the place in `SIDES`; the image's `shape` [rows, columns] bounds it."""

    number: int
    side: int
    shape: tuple[int, int]

    def value(self, observation: Observation) -> float | None:
        """Give the row or column."""
        areas = handles.areas(observation)
        return float(areas[self.number][self.side]) if self.number < len(areas) else None

    def put(self, observation: Observation, value: float | None) -> Observation:
        """Give the observation with the side elsewhere; the area keeps some pixels and stays in the image."""
        if value is None:
            return observation
        areas = list(handles.areas(observation))
        area = list(areas[self.number])
        area[self.side] = round(value)
        if self.side < 2:  # what is typed stays, the other side gives way
            area[self.side + 2] = max(area[self.side + 2], area[self.side] + handles.LEAST_PX)
        else:
            area[self.side - 2] = min(area[self.side - 2], area[self.side] - handles.LEAST_PX)
        top, left, bottom, right = area
        areas[self.number] = handles.inside((top, left, bottom, right), self.shape)
        return handles.with_areas(observation, tuple(areas))
