"""Planes of a crystal: normals, families of equivalent planes, angles between them, heights of steps.

With the cell's vectors as columns of A, the normal of (hkl) is ``B h`` with ``B = inv(A)'``, and the distance of neighbouring
lattice planes ``1 / |B h|`` (International Tables for Crystallography, vol. B, 1.1).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.crystal import Hkl, Lattice, SurfaceEnergy
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.facets.sphere import angle_deg

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

_SAME = 1e-6  #: relative differences below are of rounding


@dataclass(frozen=True, eq=False)
class Family:
    """The planes {hkl} that are equivalent by the lattice's symmetry."""

    hkl: Hkl  #: the one that is named
    members: Ints  #: [member, 3]
    normals: Floats  #: [member, 3], unit vectors in the crystal's frame


def cell(lattice: Lattice) -> Floats:
    """Give the cell's vectors in nm as columns: a along x, b in the plane of x and y.

    Raises
    ------
    EclipsError
        If no cell has these angles.
    """
    alpha, beta, gamma = (math.radians(each) for each in (lattice.alpha_deg, lattice.beta_deg, lattice.gamma_deg))
    cx = math.cos(beta)
    cy = (math.cos(alpha) - math.cos(beta) * math.cos(gamma)) / math.sin(gamma)
    square = 1 - cx * cx - cy * cy
    if square < 1e-9:
        raise EclipsError("no cell has these three angles", where=lattice.name, hint="Check alpha, beta and gamma.")
    b, c = lattice.b_nm, lattice.c_nm
    found = np.array(
        [
            [lattice.a_nm, b * math.cos(gamma), c * cx],
            [0.0, b * math.sin(gamma), c * cy],
            [0.0, 0.0, c * math.sqrt(square)],
        ]
    )
    return np.where(np.abs(found) < 1e-12, 0.0, found)


def plane_normals(lattice: Lattice, hkl: Ints | Hkl) -> Floats:
    """Give the unit normals [..., 3] of planes [..., 3] in the crystal's frame."""
    direct = np.asarray(hkl, dtype=float) @ np.linalg.inv(cell(lattice))
    return np.asarray(direct / np.linalg.norm(direct, axis=-1, keepdims=True))


def plane_distance_nm(lattice: Lattice, hkl: Hkl) -> float:
    """Give the distance of neighbouring lattice planes of the conventional cell, in nm."""
    return 1.0 / float(np.linalg.norm(np.array(hkl, dtype=float) @ np.linalg.inv(cell(lattice))))


def step_nm(lattice: Lattice, hkl: Hkl) -> float:
    """Give the least height of a step on (hkl) in nm: the distance of its layers of atoms; see `Lattice.layers`."""
    h, k, l = hkl  # noqa: E741
    odd = [index % 2 for index in (h, k, l)]
    is_halved = (lattice.layers == "F" and len(set(odd)) > 1) or (lattice.layers == "I" and sum(odd) % 2 == 1)
    return plane_distance_nm(lattice, hkl) / (2 if is_halved else 1)


@lru_cache(maxsize=16)
def symmetries(lattice: Lattice) -> Ints:
    """Give the operations [n, 3, 3] of the lattice's point group on its directions' indices.

    They are the matrices W of whole numbers that leave the metric alone: ``W' G W = G`` (International Tables, vol. A, 1.3);
    in the cells in use no element is beyond one.
    """
    metric = cell(lattice).T @ cell(lattice)
    columns = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    lengths = np.einsum("ni,ij,nj->n", columns, metric, columns)
    scale = _SAME * float(np.trace(metric))
    fitting = [columns[np.abs(lengths - metric[i, i]) < scale] for i in range(3)]
    found = []
    for first, second, third in itertools.product(*fitting):
        matrix = np.stack([first, second, third], axis=1)
        if abs(round(np.linalg.det(matrix))) == 1 and np.abs(matrix.T @ metric @ matrix - metric).max() < scale:
            found.append(matrix)
    return np.array(found)


@lru_cache(maxsize=512)
def family(lattice: Lattice, hkl: Hkl) -> Family:
    """Give the planes equivalent to one; the first in the order of largest indices names the family."""
    members = np.unique(np.array(hkl) @ symmetries(lattice), axis=0)[::-1]
    positive = [tuple(int(i) for i in member) for member in members]
    named = max(positive, key=lambda each: (sum(i >= 0 for i in each), each))
    return Family((named[0], named[1], named[2]), members, plane_normals(lattice, members))


@lru_cache(maxsize=64)
def families(lattice: Lattice, largest_index: int) -> tuple[Family, ...]:
    """Give all families with indices up to a largest one, by falling distance of their planes."""
    known: dict[Hkl, Family] = {}
    seen: set[Hkl] = set()
    reach = range(-largest_index, largest_index + 1)
    for h, k, l in itertools.product(reach, repeat=3):  # noqa: E741
        if (h, k, l) in seen or math.gcd(h, k, l) != 1:
            continue
        found = family(lattice, (h, k, l))
        seen.update((int(a), int(b), int(c)) for a, b, c in found.members)
        known[found.hkl] = found
    return tuple(sorted(known.values(), key=lambda each: (-round(plane_distance_nm(lattice, each.hkl), 9), each.hkl)))


def angles_between(lattice: Lattice, one: Hkl, other: Hkl) -> tuple[float, ...]:
    """Give the different angles in degrees, up to 90, between planes of two families, but not of planes with themselves."""
    fixed = plane_normals(lattice, one)
    angles = angle_deg(fixed, family(lattice, other).normals)
    return tuple(sorted({round(float(a), 6) for a in angles if 1e-4 < a <= 90.0 + 1e-6}))


@dataclass(frozen=True)
class StepCandidate:
    """A whole number of layers that a step may be high; `hkl` None: no whole number of them."""

    hkl: Hkl | None
    layers: int
    height_nm: float
    k_sigma: float  #: measured minus this height, in standard deviations
    probability: float


def step_candidates(
    lattice: Lattice, height: Quantity, tops: tuple[Hkl, ...], none_prior: float = 0.1, most: int = 8
) -> tuple[StepCandidate, ...]:
    """Rank how many layers of which planes a measured step is high.

    Before the measurement each top plane, and each number of layers up to three times the measured one, is as likely; "none" has
    its own prior and a flat density. Only the `most` likely are given, and none.

    Parameters
    ----------
    height : Quantity
        In nm, with its standard deviation.
    tops : tuple of hkl
        Planes that the terraces may be.
    """
    if height.std is None or not height.std > 0:
        raise EclipsError("the step's height has no standard deviation", hint="Without one nothing can be told likely.")
    size, std = abs(height.value), height.std
    reach = 3 * max(size, 4 * std)
    found: list[tuple[Hkl | None, int, float, float]] = []
    for hkl in tops:
        layer = step_nm(lattice, hkl)
        count = np.arange(1, max(2, int(reach / layer) + 1))
        weight = np.exp(-0.5 * ((size - count * layer) / std) ** 2) / (std * math.sqrt(2 * math.pi)) / len(count)
        found += [(hkl, int(n), float(n * layer), float(w)) for n, w in zip(count, weight, strict=True)]
    share = (1 - none_prior) / max(len(tops), 1)
    weights = [share * w for *_, w in found]
    none = none_prior / reach
    total = sum(weights) + none
    ranked = sorted(zip(weights, found, strict=True), key=lambda each: -each[0])[:most]
    rows = [StepCandidate(h, n, z, (size - z) / std, w / total) for w, (h, n, z, _) in ranked]
    return (*rows, StepCandidate(None, 0, math.nan, math.nan, none / total))


def checked_energies(lattice: Lattice, energies: tuple[SurfaceEnergy, ...]) -> dict[Hkl, float]:
    """Give surface energies by the name of their family.

    Raises
    ------
    EclipsError
        If there is none, or a family is given twice.
    """
    found: dict[Hkl, float] = {}
    for each in energies:
        name = family(lattice, each.hkl).hkl
        if name in found:
            raise EclipsError(
                f"the planes {each.hkl} are equivalent to others of the list", hint="Take one of them out."
            )
        found[name] = each.energy
    if not found:
        raise EclipsError("no surface energy is given", hint="Add at least one.")
    return found
