"""Monte Carlo of electrons in a flat, bulk target: who comes back, where, in which direction and with what energy.

Single elastic scattering (`elastic`), single collisions with electrons that cost more than 50 eV (`knockon`), and between them
continuous slowing down (`stopping`). The electrons knocked on are followed too; all that leave above the cut-off energy count,
whichever they are, as a detector counts them. The beam points along -z of the microscope onto a surface tilted by alpha;
surface frame: z outward, x in the surface, forward along the beam. An electron is followed until it leaves, or its longest
possible path down to the cut-off energy is shorter than its depth: then it cannot leave any more. History number i draws its
numbers from a generator seeded by (seed, i), and sums are taken over fixed blocks in order, so that the number of threads changes
no bit of the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled
from eclips_app.engine.emission.elastic import ENERGIES_KEV, CrossSections, cross_sections
from eclips_app.engine.emission.knockon import knock_ons
from eclips_app.engine.emission.materials import Material
from eclips_app.engine.emission.stopping import REST_KEV, residual_ranges_nm, stopping_kev_per_nm

Float = NDArray[np.float64]
Bits = np.uint64

#: Energy at which an electron is given up. Those between it and 50 eV, the usual border, would add 2.5 % to the yield of copper
#: at 2 keV and 0.6 % at 10 keV; down there free atoms are no longer good enough to say so.
CUTOFF_KEV = 0.1

ENERGY_BINS = 10  #: of E/E0
ZERNIKE = tuple((n, m) for n in range(7) for m in range(n % 2, n + 1, 2))  #: (n, m) of the moments, cos(m phi) only
RADII_PER_DECADE = 64
RADIUS_BINS = 5 * RADII_PER_DECADE  #: of the exit radius, from 1e-5 of the path to all of it
POLAR_BINS, AZIMUTH_BINS = (
    18,
    24,
)  #: of the exit direction: 5 degrees from the normal, 7.5 degrees from forward to backward

_ROWS = 384  #: energies of the sampling tables, evenly spaced in the square root of the residual range
_NODES = 256  #: quantiles of the scattering angle, evenly spaced in the fourth root of the probability to exceed it
_BLOCK = 1000  #: histories whose sums are added up one block after another, whatever the number of threads
_WAITING = 64  #: knock-ons of one history that wait at the same time
_ZERNIKES = len(ZERNIKE)
_SUMS = 4  #: see `_exit`


@dataclass(frozen=True)
class Target:
    """Sampling tables of one material and beam energy; rows run over the residual path, from the cut-off to the beam."""

    material: Material
    energy_kev: float
    range_nm: float  #: longest path from the beam's energy to the cut-off (without knock-ons)
    row_energies_kev: Float  #: [row]
    free_paths_nm: Float  #: [row] mean
    choose: (
        Float  #: [row, atom] cumulated probability of elastic scattering by each kind of atom; the rest are knock-ons
    )
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


def target(material: Material, energy_kev: float) -> Target:
    """Make the sampling tables of a material for one beam energy."""
    grid = np.geomspace(CUTOFF_KEV, energy_kev, 1000)
    rate, loss, transfers = knock_ons(material, grid)
    ranges = residual_ranges_nm(grid, stopping_kev_per_nm(material, grid) - loss)
    paths = np.linspace(0.0, 1.0, _ROWS) ** 2 * ranges[-1]
    rows = np.interp(paths, ranges, grid)
    nearest = np.clip(np.searchsorted(grid, rows), 0, len(grid) - 1)
    densities = material.atoms_per_nm3
    atoms = [cross_sections(symbol) for symbol in densities]
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
    sizes = (ENERGY_BINS * (1 + 2 * len(ZERNIKE)), RADIUS_BINS, POLAR_BINS * AZIMUTH_BINS, 4, _SUMS)
    total = np.zeros(sum(sizes))
    ring = np.cos(np.deg2rad(np.array(ring_deg)))
    edges = np.append(np.arange(0, histories, _BLOCK), histories)
    done, group = 0, numba.get_num_threads()
    while done < len(edges) - 1:
        began = time.perf_counter()
        part = edges[done : done + group + 1]
        sums = np.zeros((len(part) - 1, len(total)))
        _shoot(
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


@compiled(parallel=True, error_model="numpy")
def _shoot(
    tilt: float, energy: float, energies: Float, free_paths: Float, choose: Float, angles: NDArray[np.float32],
    transfers: Float, ranges: Float, seed: Bits, edges: NDArray[np.int64], ring: Float, sums: Float,
) -> None:  # fmt: skip
    for block in numba.prange(len(edges) - 1):
        own = np.zeros(sums.shape[1])
        waiting = np.empty((_WAITING, 7))  # x, y, depth, residual path, direction
        for number in range(edges[block], edges[block + 1]):
            state = _mix(_mix(np.uint64(seed)) ^ _mix(np.uint64(number) + np.uint64(0x632BE59BD9B4E019)))
            _follow(state, tilt, energy, energies, free_paths, choose, angles, transfers, ranges, waiting, ring, own)
        sums[block] = own


@compiled(error_model="numpy", inline="always")
def _mix(x: Bits) -> Bits:
    """Scramble 64 bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled(error_model="numpy", fastmath={"nnan", "ninf", "nsz", "arcp", "contract"})
def _follow(
    state: Bits, tilt: float, energy: float, energies: Float, free_paths: Float, choose: Float,
    angles: NDArray[np.float32], transfers: Float, ranges: Float, waiting: Float, ring: Float, sums: Float,
) -> None:  # fmt: skip
    """Follow one electron and those it knocks on. Depth counts inward."""
    golden, scale = np.uint64(0x9E3779B97F4A7C15), 2.0**-53
    path, rows, nodes, kinds = ranges[-1], len(energies), angles.shape[2], angles.shape[0]
    per_root, per_kev = (rows - 1) / math.sqrt(path), (len(ranges) - 1) / energy
    x, y, depth, left = 0.0, 0.0, 0.0, path
    u, v, w = math.sin(tilt), 0.0, math.cos(tilt)
    held = 0
    while True:
        row = int(math.sqrt(left) * per_root + 0.5)
        state += golden
        draw = float((_mix(state) >> np.uint64(11)) + np.uint64(1)) * scale
        flight = -math.log(draw) * free_paths[row]
        deeper = depth + flight * w
        if deeper < 0.0:
            flight = -depth / w
            left -= flight
            if left > 0.0:
                now = _energy(left, per_root, energies)
                _exit(u, v, now / energy, x + flight * u, y + flight * v, tilt, path, ring, sums)
        else:
            left -= flight
        if deeper < 0.0 or left <= deeper:  # it left, or cannot leave any more
            if held == 0:
                return
            held -= 1
            x, y, depth, left = waiting[held, 0], waiting[held, 1], waiting[held, 2], waiting[held, 3]
            u, v, w = waiting[held, 4], waiting[held, 5], waiting[held, 6]
            continue
        x += flight * u
        y += flight * v
        depth = deeper
        row = int(math.sqrt(left) * per_root + 0.5)
        state += golden
        draw = float(_mix(state) >> np.uint64(11)) * scale
        kind = 0
        while kind < kinds and draw > choose[row, kind]:
            kind += 1
        state += golden
        draw = float(_mix(state) >> np.uint64(11)) * scale
        p, q, state = _azimuth(state)
        if kind < kinds:
            at = math.sqrt(math.sqrt(draw)) * (nodes - 1)
            low = min(int(at), nodes - 2)
            half = angles[kind, row, low] + (at - low) * (angles[kind, row, low + 1] - angles[kind, row, low])
            c = 1.0 - 2.0 * half
            u, v, w = _turned(u, v, w, c, 2.0 * math.sqrt(half * (1.0 - half)), p, q)
            continue
        at = draw * (transfers.shape[1] - 1)
        low = min(int(at), transfers.shape[1] - 2)
        transfer = 1.0 / (transfers[row, low] + (at - low) * (transfers[row, low + 1] - transfers[row, low]))
        now = _energy(left, per_root, energies)
        rest = now - transfer
        slower = _path(transfer, per_kev, ranges)
        if slower > depth and held < _WAITING:
            c2 = transfer * (now + 2 * REST_KEV) / (now * (transfer + 2 * REST_KEV))
            a, b, d = _turned(u, v, w, math.sqrt(c2), math.sqrt(1.0 - c2), -p, -q)
            waiting[held, 0], waiting[held, 1], waiting[held, 2], waiting[held, 3] = x, y, depth, slower
            waiting[held, 4], waiting[held, 5], waiting[held, 6] = a, b, d
            held += 1
        c2 = rest * (now + 2 * REST_KEV) / (now * (rest + 2 * REST_KEV))
        u, v, w = _turned(u, v, w, math.sqrt(c2), math.sqrt(1.0 - c2), p, q)
        left = _path(rest, per_kev, ranges)


@compiled(error_model="numpy", inline="always")
def _energy(left: float, per_root: float, energies: Float) -> float:
    at = math.sqrt(left) * per_root
    low = min(int(at), len(energies) - 2)
    found: float = energies[low] + (at - low) * (energies[low + 1] - energies[low])
    return found


@compiled(error_model="numpy", inline="always")
def _path(energy: float, per_kev: float, ranges: Float) -> float:
    at = energy * per_kev
    low = min(int(at), len(ranges) - 2)
    found: float = ranges[low] + (at - low) * (ranges[low + 1] - ranges[low])
    return found


@compiled(error_model="numpy", inline="always")
def _azimuth(state: Bits) -> tuple[float, float, Bits]:
    """Draw cosine and sine of an even azimuth: a point of the unit disc, doubled in angle."""
    a, b, square = 0.0, 0.0, 2.0
    while square > 1.0 or square < 1e-12:
        state += np.uint64(0x9E3779B97F4A7C15)
        bits = _mix(state)
        a = float(bits >> np.uint64(32)) * 2.0**-31 - 1.0
        b = float(bits & np.uint64(0xFFFFFFFF)) * 2.0**-31 - 1.0
        square = a * a + b * b
    return (a * a - b * b) / square, 2.0 * a * b / square, state


@compiled(error_model="numpy", inline="always")
def _turned(u: float, v: float, w: float, c: float, s: float, p: float, q: float) -> tuple[float, float, float]:
    """Turn a direction by an angle of cosine c and sine s, at an azimuth of cosine p and sine q."""
    across2 = 1.0 - w * w
    if across2 > 1e-10:
        inverse = s / math.sqrt(across2)
        a = u * c + (u * w * p - v * q) * inverse
        b = v * c + (v * w * p + u * q) * inverse
        d = w * c - across2 * inverse * p
    else:
        a, b, d = s * p, s * q, (c if w > 0 else -c)
    norm = 1.5 - 0.5 * (a * a + b * b + d * d)  # keeps the length one
    return a * norm, b * norm, d * norm


@compiled(error_model="numpy")
def _exit(
    x: float, y: float, part: float, dx: float, dy: float, tilt: float, path: float, ring: Float, sums: Float
) -> None:
    """Add one electron to the sums: by energy bin 1, Z, Z²; radius; direction; ring; E/E0, cosine, shift, shift²."""
    rho2 = min(x * x + y * y, 1.0)
    z = math.sqrt(1.0 - rho2)
    at = min(int(part * ENERGY_BINS), ENERGY_BINS - 1) * (1 + 2 * _ZERNIKES)
    sums[at] += 1.0
    re, im = 1.0, 0.0  # (x + i y)^m
    for m in range(7):
        for n in range(m, 7, 2):
            value = _radial(n, m, rho2) * re * math.sqrt((n + 1.0) * (1.0 if m == 0 else 2.0))
            index = ((n + 1) * (n + 1)) // 4 + m // 2  # of (n, m) in ZERNIKE
            sums[at + 1 + index] += value
            sums[at + 1 + _ZERNIKES + index] += value * value
        re, im = re * x - im * y, re * y + im * x
    at = ENERGY_BINS * (1 + 2 * _ZERNIKES)
    radius = math.hypot(dx, dy) / path
    decade = int((math.log10(max(radius, 1e-9)) + 5.0) * RADII_PER_DECADE)
    sums[at + min(max(decade, 0), RADIUS_BINS - 1)] += 1.0
    at += RADIUS_BINS
    polar = min(int(math.acos(z) * (180.0 / math.pi / 5.0)), POLAR_BINS - 1)
    azimuth = min(int(abs(math.atan2(y, x)) * (AZIMUTH_BINS / math.pi)), AZIMUTH_BINS - 1)
    sums[at + polar * AZIMUTH_BINS + azimuth] += 1.0
    at += POLAR_BINS * AZIMUTH_BINS
    # About the beam: up = -beam = (-sin, 0, cos); downhill = (cos, 0, sin) in the surface frame.
    up, downhill = z * math.cos(tilt) - x * math.sin(tilt), x * math.cos(tilt) + z * math.sin(tilt)
    if ring[1] < up < ring[0]:
        if downhill > abs(y):
            sums[at] += 1.0
        elif -downhill > abs(y):
            sums[at + 3] += 1.0
        else:
            sums[at + (1 if y > 0 else 2)] += 1.0
    at += 4
    sums[at] += part
    sums[at + 1] += z
    sums[at + 2] += dx
    sums[at + 3] += dx * dx


@compiled(error_model="numpy", inline="always")
def _radial(n: int, m: int, rho2: float) -> float:
    """Give the radial Zernike polynomial over rho^m (Born and Wolf 9.2.1) by its sum."""
    value, k = 0.0, (n - m) // 2
    for s in range(k + 1):
        term = 1.0
        for i in range(1, n - s + 1):
            term *= i
        for i in range(1, s + 1):
            term /= i
        for i in range(1, (n + m) // 2 - s + 1):
            term /= i
        for i in range(1, k - s + 1):
            term /= i
        value += (-term if s % 2 else term) * rho2 ** (k - s)
    return value
