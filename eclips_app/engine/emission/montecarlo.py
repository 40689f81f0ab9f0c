"""Monte Carlo of electrons in a flat, bulk target: who comes back, where, in which direction and with what energy.

Single elastic scattering (`elastic`), single collisions with electrons that cost more than 50 eV (`knockon`), and between them
continuous slowing down (`stopping`); `transport` holds the loops. The electrons knocked on are followed too; all that leave above
the cut-off energy count, whichever they are, as a detector counts them. The beam points along -z of the microscope onto a surface
tilted by alpha; surface frame: z outward, x in the surface, forward along the beam. An electron is followed until it leaves, or
its longest possible path down to the cut-off energy is shorter than its depth: then it cannot leave any more. History number i
draws its numbers from a generator seeded by (seed, i), and sums are taken over fixed blocks in order, so that the number of
threads changes no bit of the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.emission.elastic import ENERGIES_KEV, CrossSections, cross_sections
from eclips_app.engine.emission.knockon import knock_ons
from eclips_app.engine.emission.materials import Material
from eclips_app.engine.emission.stopping import residual_ranges_nm, stopping_kev_per_nm
from eclips_app.engine.emission.transport import (
    AZIMUTH_BINS,
    ENERGY_BINS,
    POLAR_BINS,
    RADII_PER_DECADE,
    RADIUS_BINS,
    SUMS,
    ZERNIKE,
    shoot,
)  # fmt: skip

Float = NDArray[np.float64]

#: Energy at which an electron is given up. Those between it and 50 eV, the usual border, would add 2.5 % to the yield of copper
#: at 2 keV and 0.6 % at 10 keV; down there free atoms are no longer good enough to say so.
CUTOFF_KEV = 0.1

_ROWS = 384  #: energies of the sampling tables, evenly spaced in the square root of the residual range
_NODES = 256  #: quantiles of the scattering angle, evenly spaced in the fourth root of the probability to exceed it
_BLOCK = 1000  #: histories whose sums are added up one block after another, whatever the number of threads


@dataclass(frozen=True)
class Target:
    """Sampling tables of one material and beam energy; rows run over the residual path, from the cut-off to the beam."""

    material: Material
    energy_kev: float
    range_nm: float  #: longest path from the beam's energy to the cut-off (without knock-ons)
    row_energies_kev: Float  #: [row]
    free_paths_nm: Float  #: [row] mean
    choose: Float  #: [row, atom] cumulated probability of elastic scattering by each atom; the rest are knock-ons
    angles: NDArray[np.float32]  #: [atom, row, node] quantiles of (1 - cosine)/2
    transfers: Float  #: [row, node] quantiles of 1/transfer [1/keV] in knock-ons
    ranges_nm: Float  #: longest path by energy, evenly spaced from 0 to the beam's; 0 below the cut-off


@dataclass(frozen=True)
class Exits:
    """Sums over the electrons that left, by bin of E/E0 where [b] is said.

    Attributes
    ----------
    histories : int
        Electrons shot.
    counts : array [b]
    zernike, zernike_squares : array [b, z]
        Sums of the Zernike polynomials of the direction, and of their squares.
    radii : array [RADIUS_BINS]
        Counts by distance of the exit point from the probe.
    radius_edges_nm : array [RADIUS_BINS + 1]
    directions : array [POLAR_BINS, AZIMUTH_BINS]
        Counts by direction in the surface frame; azimuths of both sides of the plane of incidence added.
    quadrants : array [4]
        Counts in a ring about the beam (`run`): azimuth within 45 degrees of the downhill side (+), across (two), uphill.
    energy, cosine, shift_nm, shift_squares_nm2 : float
        Sums of E/E0, of the cosine with the normal, of the forward displacement and of its square.
    """

    histories: int
    counts: Float
    zernike: Float
    zernike_squares: Float
    radii: Float
    radius_edges_nm: Float
    directions: Float
    quadrants: Float
    energy: float
    cosine: float
    shift_nm: float
    shift_squares_nm2: float

    @property
    def left(self) -> float:
        """Number of electrons that left."""
        return float(self.counts.sum())


def target(material: Material, energy_kev: float, check: Callable[[], None] | None = None) -> Target:
    """Make the sampling tables of a material for one beam energy; `check` is called now and then and may raise to stop."""
    grid = np.geomspace(CUTOFF_KEV, energy_kev, 1000)
    rate, loss, transfers = knock_ons(material, grid)
    ranges = residual_ranges_nm(grid, stopping_kev_per_nm(material, grid) - loss)
    paths = np.linspace(0.0, 1.0, _ROWS) ** 2 * ranges[-1]
    rows = np.interp(paths, ranges, grid)
    nearest = np.clip(np.searchsorted(grid, rows), 0, len(grid) - 1)
    densities = material.atoms_per_nm3
    atoms = [cross_sections(symbol, check=check) for symbol in densities]
    log_rows, log_grid = np.log(rows), np.log(ENERGIES_KEV)
    totals = [np.exp(np.interp(log_rows, log_grid, np.log(atom.total_nm2))) for atom in atoms]
    rates = np.array([*(n * total for n, total in zip(densities.values(), totals, strict=True)), rate[nearest]])
    choose = np.ascontiguousarray((np.cumsum(rates, axis=0)[:-1] / rates.sum(axis=0)).T)
    angles = np.array([_rows_of_angles(_quantiles(a), log_grid, log_rows) for a in atoms], dtype=np.float32)
    by_energy = np.interp(np.linspace(0.0, energy_kev, 2048), grid, ranges, left=0.0)
    return Target(
        material, energy_kev, float(ranges[-1]), rows, 1.0 / rates.sum(axis=0), choose, angles,
        1.0 / transfers[nearest], by_energy,
    )  # fmt: skip


def _quantiles(atom: CrossSections) -> Float:
    """Give (1 - cosine)/2 by energy and node: node j is exceeded with probability (j/last)^4."""
    half = (1 - atom.cosines) / 2
    exceeded = (np.arange(_NODES) / (_NODES - 1)) ** 4
    rows = []
    for density in atom.differential_nm2:
        above = np.concatenate([np.cumsum((np.diff(half) * (density[1:] + density[:-1]) / 2)[::-1])[::-1], [0.0]])
        rows.append(np.interp(exceeded, (above / above[0])[::-1], half[::-1]))
    return np.array(rows)


def _rows_of_angles(quantiles: Float, log_grid: Float, log_rows: Float) -> Float:
    at = np.interp(log_rows, log_grid, np.arange(len(log_grid)))
    low = np.minimum(at.astype(int), len(log_grid) - 2)
    part = (at - low)[:, None]
    floor = np.maximum(quantiles, 1e-12)
    return np.asarray(np.exp(np.log(floor[low]) * (1 - part) + np.log(floor[low + 1]) * part))


def run(
    aim: Target,
    tilt_deg: float,
    histories: int,
    seed: int,
    report: Callable[[float], None] | None = None,
    ring_deg: tuple[float, float] = (21.8, 50.2),
) -> Exits:
    """Shoot electrons at a target.

    Parameters
    ----------
    aim : Target
    tilt_deg : float
        Angle between the beam and the surface's normal, 0 to 89 degrees.
    histories : int
        Electrons; equal seeds give equal bits, whatever the number of threads.
    report : callable, optional
        Called with the part done about every 100 ms; may raise to stop.
    ring_deg : (float, float)
        Polar angles about the beam's axis between which `Exits.quadrants` counts.
    """
    sizes = (ENERGY_BINS * (1 + 2 * len(ZERNIKE)), RADIUS_BINS, POLAR_BINS * AZIMUTH_BINS, 4, SUMS)
    total = np.zeros(sum(sizes))
    ring = np.cos(np.deg2rad(np.array(ring_deg)))
    edges = np.append(np.arange(0, histories, _BLOCK), histories)
    done, group = 0, numba.get_num_threads()
    while done < len(edges) - 1:
        began = time.perf_counter()
        part = edges[done : done + group + 1]
        sums = np.zeros((len(part) - 1, len(total)))
        shoot(
            math.radians(tilt_deg), aim.energy_kev, aim.row_energies_kev, aim.free_paths_nm, aim.choose, aim.angles,
            aim.transfers, aim.ranges_nm, np.uint64(seed), part, ring, sums,
        )  # fmt: skip
        for each in sums:
            total += each
        done += len(sums)
        group = max(1, int(group * min(4.0, 0.08 / max(time.perf_counter() - began, 1e-4))))
        if report is not None:
            report(done / (len(edges) - 1))
    return _exits(aim, histories, np.split(total, np.cumsum(sizes)[:-1]))


def _exits(aim: Target, histories: int, parts: list[Float]) -> Exits:
    moments, radii, directions, quadrants, sums = parts
    by_bin = moments.reshape(ENERGY_BINS, -1)
    z = len(ZERNIKE)
    edges = aim.range_nm * 10.0 ** (np.arange(RADIUS_BINS + 1) / RADII_PER_DECADE - 5)
    return Exits(
        histories, by_bin[:, 0], by_bin[:, 1 : z + 1], by_bin[:, z + 1 :], radii, edges,
        directions.reshape(POLAR_BINS, AZIMUTH_BINS), quadrants, *(float(each) for each in sums),
    )  # fmt: skip
