"""The planes that a crystal with a given top plane may show, as poles in the frame of that plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.crystal import Crystal, Hkl, Lattice
from eclips_app.metrology.crystal import cell, families, plane_distance_nm, plane_normals, symmetries

Floats = NDArray[np.floating]

_LEAST_Z = 1e-3  #: poles nearer to the horizontal are not seen from above


@dataclass(frozen=True, eq=False)
class Poles:
    """All planes up to the largest index that face upwards when `top` does; the in-plane direction lies along x.

    Attributes
    ----------
    base : array [3, 3]
        From the crystal's frame to that of the top plane.
    normals : array [pole, 3]
    number : int array [pole]
        Which family of `names` each belongs to.
    weights : array [pole]
        Prior of each: that of its family, shared by its poles. With the prior of none they add up to 1.
    turns : int
        How often the lattice looks alike in a turn about the top's normal.
    """

    top: Hkl
    names: tuple[Hkl, ...]
    members: NDArray[np.int64]
    base: Floats
    normals: Floats
    number: NDArray[np.intp]
    weights: Floats
    turns: int


def poles(crystal: Crystal, top: Hkl) -> Poles:
    """Give the poles of a crystal with a top plane."""
    lattice = crystal.lattice
    base = base_rotation(lattice, top)
    found = families(lattice, crystal.largest_index)
    prior = np.array([plane_distance_nm(lattice, each.hkl) for each in found]) ** (2 * crystal.prior_power)
    prior *= (1 - crystal.none_prior) / prior.sum()
    normals, numbers, weights, members = [], [], [], []
    for i, each in enumerate(found):
        turned = each.normals @ base.T
        up = turned[:, 2] > _LEAST_Z
        normals.append(turned[up])
        members.append(each.members[up])
        numbers.append(np.full(int(up.sum()), i))
        weights.append(np.full(int(up.sum()), prior[i] / max(int(up.sum()), 1)))
    return Poles(
        top, tuple(each.hkl for each in found), np.concatenate(members), base, np.concatenate(normals),
        np.concatenate(numbers), np.concatenate(weights), turns_about(lattice, top),
    )  # fmt: skip


def base_rotation(lattice: Lattice, top: Hkl) -> Floats:
    """Give the rotation that turns the top's normal to z and the in-plane direction, [001] or else [100], to x."""
    z = plane_normals(lattice, top)
    vectors = cell(lattice)
    along = vectors[:, 2] if abs(vectors[:, 2] @ z) < 0.999 * np.linalg.norm(vectors[:, 2]) else vectors[:, 0]
    x = along - (along @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def in_plane_name(lattice: Lattice, top: Hkl) -> str:
    """Give the direction whose azimuth is the crystal's in-plane azimuth."""
    z, c = plane_normals(lattice, top), cell(lattice)[:, 2]
    return "[001]" if abs(c @ z) < 0.999 * np.linalg.norm(c) else "[100]"


def turns_about(lattice: Lattice, top: Hkl) -> int:
    """Give how many rotations of the point group leave the top's normal where it is."""
    vectors, z = cell(lattice), plane_normals(lattice, top)
    turned = np.array([vectors @ each @ np.linalg.inv(vectors) for each in symmetries(lattice)])
    keeps = np.abs(turned @ z - z).max(axis=1) < 1e-6
    return int((keeps & (np.linalg.det(turned) > 0)).sum())
