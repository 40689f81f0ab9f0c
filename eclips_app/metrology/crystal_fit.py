"""The crystal's orientation as the rotation of least squares to all facets that are some plane of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eclips_app.core.crystal import Hkl
from eclips_app.core.units import Quantity
from eclips_app.metrology.crystal_poles import Poles
from eclips_app.metrology.facets.found import Direction

Floats = NDArray[np.floating]

_ROUNDS = 6
_LEAST_STD = math.radians(0.01)


@dataclass(frozen=True, eq=False)
class Orientation:
    """How the crystal lies under the reference plane.

    Attributes
    ----------
    rotation : array [3, 3]
        From the crystal's frame to that of the reference plane.
    covariance : array [3, 3]
        Of a further small rotation about x, y and z of the reference plane, in rad²; infinite about z where no azimuth is told.
        Widened by chi-square over the degrees of freedom where this is above 1.
    assigned : dict of facet to hkl
        The planes it was fitted to, each the likeliest.
    miscut_deg : Quantity
        Angle of the crystal's top plane with the reference plane.
    in_plane_deg : Quantity
        Azimuth of the in-plane direction; without std where it is not told.
    turns : int
        How many azimuths in a full turn are alike.
    """

    rotation: Floats
    covariance: Floats
    chi2: float
    dof: int
    assigned: dict[int, Hkl]
    miscut_deg: Quantity
    in_plane_deg: Quantity
    turns: int


def fit_orientation(
    directions: Mapping[int, Direction], poles: Poles, turn: float, assigned: list[int | None], orientation_std_deg: float,
    known_turn: tuple[float, float] | None,
) -> Orientation:  # fmt: skip
    """Fit the rotation to the facets' directions by Gauss-Newton.

    Parameters
    ----------
    turn : float
        Where to start, in rad.
    assigned : list of int or None
        Pole of each facet; None: left out.
    known_turn : (mean, std) or None
        Of the turn, in rad; None where the facets do not tell it.
    """
    floor = max(math.radians(orientation_std_deg), _LEAST_STD) ** 2 * np.eye(2)
    top = Direction(np.array([0.0, 0.0, 1.0]), 0 * floor)
    numbers = [number for number, pole in zip(directions, assigned, strict=True) if pole is not None]
    chosen = [pole for pole in assigned if pole is not None]
    facets = [top, *(directions[number] for number in numbers)]
    start = np.concatenate([[[0.0, 0.0, 1.0]], poles.normals[chosen]])
    weights = [np.linalg.inv(facet.covariance + floor) for facet in facets]
    rotation = Rotation.from_rotvec([0.0, 0.0, turn])
    for _ in range(_ROUNDS):
        normal, gradient, chi2 = _equations(facets, rotation.apply(start), weights)
        rotation = Rotation.from_rotvec(-np.linalg.pinv(normal, rcond=1e-12) @ gradient) * rotation
    normal, _, chi2 = _equations(facets, rotation.apply(start), weights)
    dof = 2 * len(facets) - 3
    covariance = np.linalg.pinv(normal, rcond=1e-9) * max(1.0, chi2 / max(dof, 1))
    if known_turn is None:
        covariance[2, 2] = math.inf
    return Orientation(
        rotation.as_matrix() @ poles.base, covariance, chi2, max(dof, 0),
        {n: _hkl(poles, pole) for n, pole in zip(numbers, chosen, strict=True)},
        _miscut(rotation, covariance), _azimuth(rotation, covariance, poles.turns), poles.turns,
    )  # fmt: skip


def _equations(facets: list[Direction], poles: Floats, weights: list[Floats]) -> tuple[Floats, Floats, float]:
    """Give the normal equations of a small further rotation r: a pole m moves by r x m."""
    normal, gradient, chi2 = np.zeros((3, 3)), np.zeros(3), 0.0
    for facet, pole, weight in zip(facets, poles, weights, strict=True):
        axes = _axes(facet.normal)
        off = axes @ pole
        slopes = np.stack([np.cross(pole, axis) for axis in axes])  # (r x m).e = r.(m x e)
        normal += slopes.T @ weight @ slopes
        gradient += slopes.T @ weight @ off
        chi2 += float(off @ weight @ off)
    return normal, gradient, chi2


def _axes(normal: Floats) -> Floats:
    """Give the directions of growing tilt and of growing azimuth at a normal."""
    azimuth = math.atan2(normal[1], normal[0])
    around = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    return np.stack([np.cross(around, normal), around])


def _hkl(poles: Poles, pole: int) -> Hkl:
    h, k, l = poles.members[pole]  # noqa: E741
    return int(h), int(k), int(l)


def _miscut(rotation: Rotation, covariance: Floats) -> Quantity:
    z = rotation.apply([0.0, 0.0, 1.0])
    tilt = math.atan2(math.hypot(z[0], z[1]), z[2])
    return Quantity(math.degrees(tilt), "deg", math.degrees(math.sqrt(max(covariance[0, 0], covariance[1, 1], 0.0))))


def _azimuth(rotation: Rotation, covariance: Floats, turns: int) -> Quantity:
    x = rotation.apply([1.0, 0.0, 0.0])
    value = math.degrees(math.atan2(x[1], x[0])) % (360.0 / turns)
    variance = float(covariance[2, 2])
    return Quantity(value, "deg", math.degrees(math.sqrt(variance)) if math.isfinite(variance) else None)
