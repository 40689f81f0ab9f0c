"""What is read from found facets: slopes, azimuths, angles between them and step heights, each with its budget.

A reading follows the planes' slopes. Its effect of each map of deviations is a difference quotient over all planes that it is
made of, moved together: what is wrong with the whole map alike (a tilt, say) cancels in the angle between two facets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.deviations import Budget, Deviations
from eclips_app.metrology.facets import sphere

Floats = NDArray[np.floating]

IMAGE_PLANE = -1  #: as a reference: the plane of the image
MEAN_PLANE = 0  #: as a reference: the plane of least squares of the whole map
_PARALLEL_DEG = 5.0  #: planes that differ less have a height of one above the other


@dataclass(frozen=True, eq=False)
class Reading:
    """A quantity with where its deviation comes from."""

    quantity: Quantity
    budget: Budget

    def to_json(self) -> dict[str, Any]:
        """Give value, std and unit, with the budget's shares."""
        return {**self.quantity.to_json(), "budget": self.budget.to_json()}


@dataclass(frozen=True, eq=False)
class Direction:
    """A facet's normal seen from the reference plane, in a form for statistics.

    Attributes
    ----------
    normal : array [3]
        Unit normal; z is the reference plane's normal, x the image's right in that plane.
    covariance : array [2, 2]
        Of the tilt and of the azimuth times the sine of the tilt, in rad².
    """

    normal: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False)
class Found:
    """The facets of a height map; numbers count from 1, 0 is the mean plane. See `core.crystal.FindFacets`."""

    labels: NDArray[np.integer]
    planes: Floats
    effects: Floats
    scatter: Floats
    facts: tuple[dict[str, Any], ...]
    pixel_size_nm: tuple[float, float]
    parts: tuple[tuple[str, str], ...]
    lengths: Floats
    not_stated: tuple[str, ...]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], params: Mapping[str, Any]) -> Found:
        """Build it from what the step gave and from its parameters as JSON."""
        parts = tuple((str(part), str(name)) for part, name in params.get("parts", ()))
        lengths = np.array(params.get("length_deviations") or [0.0] * len(parts), dtype=float)
        x, y = params["pixel_size_nm"]
        return cls(
            arrays["labels"], arrays["planes"], arrays["effects"], arrays["scatter"], tuple(info["facets"]),
            (float(x), float(y)), parts, lengths, tuple(params.get("not_stated", ())),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.planes) - 1

    @property
    def numbers(self) -> range:
        """The facets' numbers."""
        return range(1, len(self.planes))

    @property
    def usual_reference(self) -> int:
        """The largest facet, the terrace in most cases; the mean plane where there is no facet."""
        return 1 if len(self) else MEAN_PLANE

    @cached_property
    def normals(self) -> Floats:
        """Unit normals [plane, 3] in the frame of the image."""
        return sphere.normals_of(self.planes[:, 1], self.planes[:, 2])

    # Readings

    def tilt(self, number: int, reference: int) -> Reading:
        """Give the angle of a facet with the reference plane, in degrees."""
        return self._read([reference, number], _between, "deg")

    def fall_azimuth(self, number: int, reference: int) -> Reading:
        """Give the azimuth in which a facet falls, seen from the reference plane: 0° image right, 90° image up."""
        return self._read([reference, number], _azimuth, "deg", turn=360.0)

    def trace_azimuth(self, number: int, reference: int) -> Reading:
        """Give the azimuth, from 0° to 180°, of the line in which a facet meets the reference plane."""
        return self._read([reference, number], _trace, "deg", turn=180.0)

    def angle(self, one: int, other: int) -> Reading:
        """Give the angle between the normals of two facets; the external angle is 180° less it."""
        return self._read([one, other], _between, "deg")

    def area_nm2(self, number: int) -> Quantity:
        """Give a facet's area along itself, its deviation that of the pixel size where it is stated."""
        value = float(self.facts[number]["area_nm2"])
        relative = 2 * float(np.linalg.norm(self.lengths))
        return Quantity(value, "nm²", value * relative if relative else None)

    def step(self, one: int, other: int, reference: int) -> Reading | None:
        """Give the height in nm of one facet above another, along the reference's normal; None if they are not parallel.

        Both planes are read at the middle between their centres.
        """
        if self.angle(one, other).quantity.value > _PARALLEL_DEG:
            return None
        places = [np.array(self.facts[n]["centre_px"]) * [1, -1] * self.pixel_size_nm for n in (one, other)]
        half = (places[1] - places[0]) / 2
        rows = [np.array([1.0, *half]), np.array([1.0, *-half])]  # level, p, q at the middle
        scale = float(self._normal(reference)[2])
        value = scale * (rows[1] @ self.planes[other] - rows[0] @ self.planes[one])
        common = scale * (self.effects[:, other] @ rows[1] - self.effects[:, one] @ rows[0])
        own = [
            scale * sign * (self.scatter[n].T @ row) for n, row, sign in ((one, rows[0], -1.0), (other, rows[1], 1.0))
        ]
        effects = np.concatenate([common, *own])
        return self._reading(float(value), "nm", effects, [one, other])

    def direction(self, number: int, reference: int) -> Direction:
        """Give a facet's normal seen from the reference with its covariance."""
        up, down = self._moved([reference, number])
        normal = _seen(self._slopes([reference, number]))
        theta = math.acos(max(-1.0, min(1.0, float(normal[2]))))
        phi = math.atan2(normal[1], normal[0])
        along = np.array([math.cos(theta) * math.cos(phi), math.cos(theta) * math.sin(phi), -math.sin(theta)])
        around = np.array([-math.sin(phi), math.cos(phi), 0.0])
        changes = (_seen(up) - _seen(down)) / 2 @ np.stack([along, around], axis=1)
        return Direction(normal, changes.T @ changes)

    # How

    def _normal(self, reference: int) -> Floats:
        return np.array([0.0, 0.0, 1.0]) if reference == IMAGE_PLANE else np.asarray(self.normals[reference])

    def _slopes(self, numbers: list[int]) -> Floats:
        return np.stack([np.zeros(2) if n == IMAGE_PLANE else self.planes[n, 1:] for n in numbers])

    def _moved(self, numbers: list[int]) -> tuple[Floats, Floats]:
        """Give the slopes [map, plane, 2] moved up and down by each map; the facets' own scatters come after the maps."""
        for number in numbers:
            if not IMAGE_PLANE <= number < len(self.planes):
                raise EclipsError(f"there is no facet {number}", hint=f"There are {len(self)}.")
        slopes = self._slopes(numbers)
        common = np.stack(
            [0.0 * self.effects[:, 0, 1:] if n == IMAGE_PLANE else self.effects[:, n, 1:] for n in numbers], axis=1
        )
        own = np.zeros((3 * len(numbers), len(numbers), 2))
        for i, number in enumerate(numbers):
            if number != IMAGE_PLANE:
                own[3 * i : 3 * i + 3, i] = self.scatter[number].T[:, 1:]
        effects = np.concatenate([common, own])
        longer = np.concatenate([self.lengths, np.zeros(len(own))])[:, None, None]
        return (slopes + effects) / (1 + longer), (slopes - effects) / (1 - longer)

    def _read(self, numbers: list[int], reading: Callable[[Floats], Floats], unit: str, turn: float = 0.0) -> Reading:
        up, down = self._moved(numbers)
        value = float(reading(self._slopes(numbers)))
        apart = reading(up) - reading(down)
        if turn:
            apart = (apart + turn / 2) % turn - turn / 2
        return self._reading(value, unit, apart / 2, numbers)

    def _reading(self, value: float, unit: str, effects: Floats, numbers: list[int]) -> Reading:
        parts = (*self.parts, *(("scatter", f"facet {n}") for n in numbers for _ in range(3)))
        lengths = np.zeros(len(parts))
        none = np.empty((len(parts), 0, 0))
        budget = Deviations(none, parts, self.pixel_size_nm[0], lengths, self.not_stated).budget(
            effects.astype(np.float64)
        )
        return Reading(Quantity(value, unit, budget.std), budget)


def _between(slopes: Floats) -> Floats:
    """Give the angle in degrees between the two planes of slopes [..., 2, 2]."""
    normals = sphere.normals_of(slopes[..., 0], slopes[..., 1])
    return sphere.angle_deg(normals[..., 0, :], normals[..., 1, :])


def _seen(slopes: Floats) -> Floats:
    """Give the normal [..., 3] of the second plane in the frame of the first: z its normal, x the image's right in it."""
    normals = sphere.normals_of(slopes[..., 0], slopes[..., 1])
    z, normal = normals[..., 0, :], normals[..., 1, :]
    x = np.array([1.0, 0.0, 0.0]) - z[..., :1] * z
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    y = np.cross(z, x)
    return np.stack([np.sum(normal * axis, axis=-1) for axis in (x, y, z)], axis=-1)


def _azimuth(slopes: Floats) -> Floats:
    seen = _seen(slopes)
    return np.asarray(np.degrees(np.arctan2(seen[..., 1], seen[..., 0])) % 360.0)


def _trace(slopes: Floats) -> Floats:
    return (_azimuth(slopes) + 90.0) % 180.0
