"""Electrostatic field between specimen, detector and pole piece: the axisymmetric Laplace problem.

The specimen is the infinite plane z = 0 (exact, by image charges); the electrodes are thin conducting annuli around the z axis,
and the chamber is a grounded plate far above. A boundary-element method fits this best: only the electrodes are divided, the
open space needs no border, and the engine brings no finite-element library. On each annulus the charge per radius is
written with ``rho = c + w cos(theta)``, which takes out its singularity at both edges, so that the trapezoidal rule in theta
converges exponentially; the logarithm in the kernel is integrated exactly (R. Kress, Linear Integral Equations, 12.3).

The potential is tabulated and interpolated by a tensor spline with two continuous derivatives, whose gradient is the field that
electrons fly in: along a path energy is then kept up to the integrator's own error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import ellipk, ellipkm1

from eclips_app.core.errors import EclipsError
from eclips_app.engine.optics.watch import check

Float = NDArray[np.float64]

_SMALLEST_BORE = 1e-6  #: of the outer radius; a full disc is taken as an annulus with a hole that small
_FEWEST_NODES, _MOST_NODES = 40, 320
_MOST_ACROSS = 160  #: cells of the table along r
_RINGS_PER_CELL = (
    1.5  #: rings of charge per cell of the table next to an electrode: off by 1e-4 in the first row, 1e-8 in the next
)
_CHUNK = 512


@dataclass(frozen=True)
class Annulus:
    """A thin conducting annulus around the z axis; lengths in mm."""

    height: float
    inner: float
    outer: float

    @property
    def bore(self) -> float:
        """Inner radius that is computed with, in mm."""
        return max(self.inner, _SMALLEST_BORE * self.outer)


@dataclass(frozen=True)
class Grid:
    """Potentials of electrodes at 1 V each, on an even grid between the specimen plane and the detector's face."""

    radius: float  #: the grid reaches from the axis to here, in mm
    height: float  #: and from the specimen to here, in mm
    unit: Float  #: [electrodes, nr, nz]

    def coefficients(self, specimen_v: float, electrodes_v: Float) -> Float:
        """Give the potential in V as cubic polynomials [nr - 1, nz - 1, 4, 4] of the cells.

        The last two axes are the powers 3 to 0 of the distance in mm from the cell's lower edge along r and along z.
        """
        values = specimen_v + np.tensordot(electrodes_v - specimen_v, self.unit, 1)
        r, z = np.linspace(0, self.radius, values.shape[0]), np.linspace(0, self.height, values.shape[1])
        level = np.zeros_like(z)  # on the axis the potential is even in r
        along_r = CubicSpline(r, values, axis=0, bc_type=((1, level), "not-a-knot")).c  # [4, nr - 1, nz]
        both = CubicSpline(z, along_r, axis=2).c  # [4, nz - 1, 4, nr - 1]
        return np.ascontiguousarray(both.transpose(3, 1, 2, 0))


def tabulate(electrodes: tuple[Annulus, ...], radius: float, height: float, cells: int = 64) -> Grid:
    """Solve for the unit potentials of electrodes on a grid up to `radius` and `height` in mm.

    `cells` is their number along z; along r they are of the same size, but 160 at most. At `height` the grid ends on
    the lower face of the electrode there.
    """
    nr = min(int(np.ceil(radius / height * cells)), _MOST_ACROSS) + 1
    spacing = height / cells / _RINGS_PER_CELL
    counts = [_nodes_for(electrodes, i) for i in range(len(electrodes))]
    half = [np.pi * (one.outer - one.bore) / 2 for one in electrodes]
    near = tuple(
        int(np.ceil(h / count / spacing)) if one.height <= height else 1
        for one, count, h in zip(electrodes, counts, half, strict=True)
    )
    charges = solve(electrodes, finer=near)
    r, z = np.linspace(0, radius, nr), np.linspace(0, height, cells + 1)
    unit = np.zeros((len(electrodes), nr, cells + 1))
    points = np.meshgrid(r, z[1:], indexing="ij")
    unit[:, :, 1:] = charges.potential(points[0].ravel(), points[1].ravel()).reshape(len(electrodes), nr, cells)
    for number, one in enumerate(electrodes):
        on_it = np.ix_((r >= one.bore) & (r <= one.outer), np.abs(z - one.height) < 1e-9)
        for other in range(len(electrodes)):
            unit[other][on_it] = 1.0 if other == number else 0.0
    return Grid(radius, height, unit)


@dataclass(frozen=True)
class Charges:
    """Ring charges, over a conducting plane at z = 0, that bring one electrode after the other to potential 1.

    In units in which a point charge q at distance d has the potential q/d.
    """

    radius: Float  #: [n] in mm
    height: Float  #: [n] in mm
    charge: Float  #: [electrodes, n] charge of each ring in mm

    def potential(self, r: Float, z: Float) -> Float:
        """Give the potentials [electrodes, points] at points (r, z) in mm."""
        found = np.empty((self.charge.shape[0], r.size))
        for first in range(0, r.size, _CHUNK):
            check()
            part = slice(first, first + _CHUNK)
            rings = self.radius[:, None], self.height[:, None]
            found[:, part] = self.charge @ _pair(r[None, part], z[None, part], *rings)
        return found


def solve(electrodes: tuple[Annulus, ...], nodes: int | None = None, finer: tuple[int, ...] | None = None) -> Charges:
    """Find the charges of electrodes above the specimen plane.

    Parameters
    ----------
    electrodes : tuple of Annulus
        None may touch another or the plane.
    nodes : int, optional
        Unknowns on each; by default as many as the gaps between them ask for.
    finer : tuple of int, optional
        Rings per unknown of each electrode in the result; more allow evaluation nearer to it.

    Raises
    ------
    EclipsError
        If two electrodes touch.
    """
    counts = [nodes or _nodes_for(electrodes, i) for i in range(len(electrodes))]
    grids = [_rings(one, count) for one, count in zip(electrodes, counts, strict=True)]
    placed = list(zip(electrodes, grids, strict=True))
    matrix = np.block([[_self(*one) if one is other else _cross(*one, *other) for other in placed] for one in placed])
    ends = np.cumsum([0, *counts])
    wanted = np.repeat(np.eye(len(electrodes)), counts, axis=0)
    density = np.linalg.solve(matrix, wanted).T
    times = finer or (1,) * len(electrodes)
    parts = [_refine(density[:, ends[i] : ends[i + 1]], times[i]) for i in range(len(electrodes))]
    rings = [_rings(one, part.shape[1]) for one, part in zip(electrodes, parts, strict=True)]
    heights = [np.full(part.shape[1], one.height) for one, part in zip(electrodes, parts, strict=True)]
    return Charges(np.concatenate(rings), np.concatenate(heights), np.concatenate(parts, axis=1))


def _nodes_for(electrodes: tuple[Annulus, ...], number: int) -> int:
    """As many nodes that their spacing is a third of the gap to the nearest other electrode or the plane."""
    one = electrodes[number]
    gaps = [2 * one.height, *(_gap(one, other) for i, other in enumerate(electrodes) if i != number)]
    if min(gaps) < 1e-3:
        raise EclipsError(
            "two electrodes touch: detector, pole piece or specimen", where="pole_piece", hint="Check the distances."
        )
    wanted = 3 * np.pi * (one.outer - one.bore) / 2 / min(gaps)
    return int(np.clip(np.ceil(wanted), _FEWEST_NODES, _MOST_NODES))


def _gap(one: Annulus, other: Annulus) -> float:
    beside = max(one.bore - other.outer, other.bore - one.outer, 0.0)
    return float(np.hypot(one.height - other.height, beside))


def _angles(count: int) -> Float:
    return np.asarray((np.arange(count) + 0.5) * (np.pi / count))


def _rings(electrode: Annulus, count: int) -> Float:
    """Radii of the rings of an electrode, Chebyshev nodes."""
    middle, half = (electrode.outer + electrode.bore) / 2, (electrode.outer - electrode.bore) / 2
    return np.asarray(middle + half * np.cos(_angles(count)))


def _pair(r: Float, z: Float, radius: Float, height: Float) -> Float:
    """Potential at (r, z) of a ring of unit charge and of its image below the plane."""
    return _ring(r, z - height, radius) - _ring(r, z + height, radius)


def _ring(r: Float, dz: Float, radius: Float) -> Float:
    """Potential of a ring of unit charge, ``2 K(m) / (pi R)`` (Jackson, Classical Electrodynamics, problem 5.10 in like form)."""
    far2 = (r + radius) ** 2 + dz**2
    rest = ((r - radius) ** 2 + dz**2) / far2
    potential: Float = (2 / np.pi) * ellipkm1(np.maximum(rest, 1e-300)) / np.sqrt(far2)
    return potential


def _cross(one: Annulus, radius: Float, other: Annulus, sources: Float) -> Float:
    """Potential at the nodes of one electrode of unit charges per angle on another."""
    matrix = _pair(radius[:, None], np.array(one.height), sources[None, :], np.array(other.height))
    return np.asarray(matrix * (np.pi / sources.size))


def _self(one: Annulus, radius: Float) -> Float:
    """Potential at the nodes of an electrode of its own charge: the kernel is split into ``A log|cos - cos'| + C``."""
    count, half = radius.size, (one.outer - one.bore) / 2
    total = radius[:, None] + radius[None, :]
    off = radius[:, None] - radius[None, :]
    np.fill_diagonal(off, 1.0)
    rest = (off / total) ** 2
    np.fill_diagonal(rest, 0.5)
    angle = _angles(count)
    logarithm = np.log(np.abs(off) / half)
    factor = -(4 / np.pi**2) * ellipk(np.where(np.eye(count) > 0, 0.0, rest)) / total
    smooth = (2 / np.pi) * ellipkm1(rest) / total - factor * logarithm
    np.fill_diagonal(smooth, np.log(8 * radius / half) / (np.pi * radius))
    modes = np.arange(1, count)
    waves = np.cos(np.outer(angle, modes))
    log_rule = -(np.pi / count) * (np.log(2.0) + 2 * (waves / modes) @ waves.T)
    image = _ring(radius[:, None], np.array(2 * one.height), radius[None, :])
    return np.asarray(log_rule * factor + (np.pi / count) * (smooth - image))


def _refine(density: Float, finer: int) -> Float:
    """Charges of `finer` times as many rings from the charge per angle at the nodes [electrodes, n] (even in the angle)."""
    count = density.shape[1]
    waves = np.cos(np.outer(np.arange(count), _angles(count)))
    spectrum = density @ waves.T * (2 / count)
    spectrum[:, 0] /= 2
    fine = spectrum @ np.cos(np.outer(np.arange(count), _angles(count * finer)))
    return np.asarray(fine * (np.pi / (count * finer)))
