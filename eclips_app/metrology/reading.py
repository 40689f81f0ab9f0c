"""What measurements read from (lines and patches of a height map), and what they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity

Floats = NDArray[np.float64]
Stretch = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Line:
    """Heights along a shape; NaN where nothing was measured."""

    distance_nm: Floats  #: from the shape's start, in equal steps
    height_nm: Floats

    @property
    def step_nm(self) -> float:
        """Distance of neighbouring points in nm."""
        return float(self.distance_nm[1] - self.distance_nm[0])

    def moved(self, by_nm: NDArray[np.floating], length: float) -> Line:
        """Give the line with other heights, and all lengths `length` times as long."""
        return replace(self, distance_nm=self.distance_nm * length, height_nm=self.height_nm + by_nm)

    def part(self, stretch: Stretch) -> Line:
        """Give the points of a stretch, holes and all.

        Raises
        ------
        EclipsError
            If fewer than three of them are measured.
        """
        low, high = min(stretch), max(stretch)
        # The tolerance keeps a point that a cursor stands on, whatever the rounding.
        slack = 1e-9 * (abs(low) + abs(high))
        inside = (self.distance_nm >= low - slack) & (self.distance_nm <= high + slack)
        if np.count_nonzero(np.isfinite(self.height_nm[inside])) < 3:
            raise EclipsError(
                f"the stretch from {low:.6g} to {high:.6g} nm holds fewer than three measured points",
                hint="Make it longer or move it off the hole.",
            )
        return Line(self.distance_nm[inside], self.height_nm[inside])

    def within(self, stretch: Stretch) -> tuple[Floats, Floats]:
        """Give distances and heights of the measured points of a stretch; raises as `part`."""
        found = self.part(stretch)
        known = np.isfinite(found.height_nm)
        return found.distance_nm[known], found.height_nm[known]


@dataclass(frozen=True, eq=False)
class Patch:
    """The box of pixels that holds an area of a height map.

    Attributes
    ----------
    height : array [row, col]
        In nm.
    inside : bool array [row, col]
        Pixels of the area that hold data.
    axes : array [2, 2]
        (right, up) in nm of a step to the next column (``axes[:, 0]``) and to the next row (``axes[:, 1]``).
    middle_nm : (float, float)
        (right, up) in nm of the box's middle, from any point that all patches of a map share.
    """

    height: Floats
    inside: NDArray[np.bool_]
    axes: Floats
    middle_nm: tuple[float, float] = (0.0, 0.0)

    @property
    def size_nm(self) -> tuple[float, float]:
        """Width and height of a pixel in nm."""
        return float(np.hypot(*self.axes[:, 0])), float(np.hypot(*self.axes[:, 1]))

    @property
    def pixel_area_nm2(self) -> float:
        """Area of a pixel in nm²."""
        return float(abs(np.linalg.det(self.axes)))

    def moved(self, by_nm: NDArray[np.floating], length: float) -> Patch:
        """Give the patch with other heights, and all lengths `length` times as long."""
        middle = (self.middle_nm[0] * length, self.middle_nm[1] * length)
        return replace(self, height=self.height + by_nm, axes=self.axes * length, middle_nm=middle)

    def positions(self) -> tuple[Floats, Floats]:
        """Give (right, up) in nm of all pixels [row, col], from the point that all patches of a map share."""
        rows, columns = self.height.shape
        c, r = np.arange(columns) - (columns - 1) / 2, (np.arange(rows) - (rows - 1) / 2)[:, None]
        a = self.axes
        return a[0, 0] * c + a[0, 1] * r + self.middle_nm[0], a[1, 0] * c + a[1, 1] * r + self.middle_nm[1]


@dataclass(frozen=True, eq=False)
class Reading:
    """Values by name, whose `std` is that of the fit where there is one; sentences; arrays for plots."""

    values: dict[str, Quantity]
    notes: tuple[str, ...] = ()
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


#: What a kind's function is: from its data, stretches in nm and options, a reading.
Read = Callable[[Sequence[Any], Sequence[Stretch], Any], Reading]
