"""Planes of least squares through areas: tilt, azimuth, and the angle between two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import NoOptions
from eclips_app.core.units import Quantity
from eclips_app.metrology.reading import Floats, Patch, Reading, Stretch


@dataclass(frozen=True, eq=False)
class Plane:
    """``z = level + gradient . ((right, up) - middle)``, with the covariance of (level, gradient) of the fit; all in nm."""

    level: float
    gradient: Floats  #: rise per nm to image right and image up
    middle: tuple[float, float]
    covariance: Floats  #: [3, 3]
    rms: float

    @property
    def normal(self) -> Floats:
        """Unit normal (right, up, out of the image)."""
        n = np.array([-self.gradient[0], -self.gradient[1], 1.0])
        unit: Floats = n / np.linalg.norm(n)
        return unit

    def at(self, right: float, up: float) -> float:
        """Height in nm at a point."""
        return self.level + float(self.gradient @ (np.array([right, up]) - self.middle))


def fit_plane(patch: Patch) -> Plane:
    """Fit the plane of least squares to the pixels of an area.

    The covariance is widened as in `linear_fit.fit`, by the correlation of residuals along rows times that along columns.

    Raises
    ------
    EclipsError
        If the area has no three pixels, or only those of one line.
    """
    x, y = patch.positions()
    x, y, z = x[patch.inside], y[patch.inside], patch.height[patch.inside]
    if len(z) < 3:
        raise EclipsError("the area holds fewer than three measured heights", hint="Draw it larger.")
    middle = float(x.mean()), float(y.mean())
    scale = max(float(np.abs(x - middle[0]).max()), float(np.abs(y - middle[1]).max()))
    design = np.stack([np.ones_like(x), (x - middle[0]) / scale, (y - middle[1]) / scale], axis=1)
    normal = design.T @ design
    if np.linalg.cond(normal) > 1e12:
        raise EclipsError("the area's pixels lie on one line", hint="Draw it with a width.")
    found = np.linalg.solve(normal, design.T @ z)
    residual = z - design @ found
    square = float(residual @ residual)
    variance = square / max(len(z) - 3, 1) * _together(patch, residual)
    units = np.array([1.0, scale, scale])
    covariance = (variance * np.linalg.inv(normal) / np.outer(units, units)).astype(np.float64)
    return Plane(
        float(found[0]), np.asarray(found[1:] / scale, dtype=np.float64), middle, covariance, math.sqrt(square / len(z))
    )


def plane(patches: Sequence[Patch], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give tilt, azimuth and level of the plane through an area."""
    found = fit_plane(patches[0])
    steep = float(np.hypot(*found.gradient))
    direction = found.gradient / steep if steep > 0 else np.array([1.0, 0.0])
    of_gradient = found.covariance[1:, 1:]
    along, across = (math.sqrt(max(float(v @ of_gradient @ v), 0.0)) for v in (direction, direction[::-1] * (-1, 1)))
    tilt = Quantity(math.degrees(math.atan(steep)), "deg", math.degrees(along / (1 + steep * steep)))
    azimuth = math.degrees(math.atan2(found.gradient[1], found.gradient[0])) % 360.0
    values = {
        "tilt": tilt,
        "azimuth": Quantity(azimuth, "deg", math.degrees(across / steep) if steep > 0 else None),
        "level": Quantity(found.level, "nm", math.sqrt(found.covariance[0, 0])),
        "rms residual": Quantity(found.rms, "nm"),
    }
    return Reading(values)


def plane_angle(patches: Sequence[Patch], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the angle between the normals of two planes, and the step between them half way between the areas' middles."""
    first, second = (fit_plane(patch) for patch in patches)
    angle, std = _angle(first, second)
    half_way = [(a + b) / 2 for a, b in zip(first.middle, second.middle, strict=True)]
    values = {
        "angle": Quantity(angle, "deg", std),
        "first tilt": _tilt(first),
        "second tilt": _tilt(second),
        "step": Quantity(second.at(*half_way) - first.at(*half_way), "nm"),
        "rms residual": Quantity(math.hypot(first.rms, second.rms) / math.sqrt(2), "nm"),
    }
    return Reading(values)


def _tilt(found: Plane) -> Quantity:
    return Quantity(math.degrees(math.atan(float(np.hypot(*found.gradient)))), "deg")


def _angle(first: Plane, second: Plane) -> tuple[float, float]:
    """Give the angle of two planes' normals and the standard deviation that both fits give it, in degrees."""
    a, b = first.normal, second.normal
    cross = np.cross(a, b)
    angle = math.atan2(float(np.linalg.norm(cross)), float(a @ b))
    variance = 0.0
    for one, other in ((first, b), (second, a)):
        n = one.normal
        away = (n * float(n @ other)) - other  # how the angle grows as the normal turns, within the plane of both
        length = float(np.linalg.norm(away))
        away = away / length if length > 0 else np.zeros(3)
        # d n / d gradient: the normal's change, as the gradient changes, projected across the normal.
        turn = n[2] * (np.outer(n, n[:2]) - np.eye(3)[:, :2])
        pull = away @ turn
        variance += float(pull @ one.covariance[1:, 1:] @ pull)
    return math.degrees(angle), math.degrees(math.sqrt(variance))


def _together(patch: Patch, residual: Floats) -> float:
    """Give by how much correlated residuals widen a variance."""
    field = np.zeros(patch.height.shape)
    field[patch.inside] = residual
    square = float(residual @ residual)
    widening = 1.0
    for axis in (0, 1):
        later, earlier = (np.moveaxis(field, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        r = min(max(float((later * earlier).sum()) / square, 0.0), 0.99) if square > 0 else 0.0
        widening *= (1 + r) / (1 - r)
    return widening
