"""The loops that follow electrons through a target and sum up those that leave (see `montecarlo`)."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled
from eclips_app.engine.emission.stopping import REST_KEV
from eclips_app.engine.emission.zernike import radial

Float = NDArray[np.float64]
Bits = np.uint64

ENERGY_BINS = 10  #: of E/E0
ZERNIKE = tuple((n, m) for n in range(7) for m in range(n % 2, n + 1, 2))  #: (n, m) of the moments, cos(m phi) only
RADII_PER_DECADE = 64
RADIUS_BINS = 5 * RADII_PER_DECADE  #: of the exit radius, from 1e-5 of the path to all of it
POLAR_BINS = 18  #: of the exit direction, 5 degrees each, from the normal
AZIMUTH_BINS = 24  #: of the exit direction, 7.5 degrees each, from forward to backward
SUMS = 4  #: of single numbers at the end of `_exit`

_MOMENTS = len(ZERNIKE)
_WAITING = 64  #: knock-ons of one history that wait at the same time


_BY_ORDER = sorted(range(_MOMENTS), key=lambda i: ZERNIKE[i][1])
_PLACES = np.array(_BY_ORDER)  #: in ZERNIKE, sorted by order
_ORDERS = np.array([ZERNIKE[i][1] for i in _BY_ORDER])
#: In powers of rho^2, lowest first; zeros fill up to those of the highest degree.
_RADIAL = np.array([(radial(*ZERNIKE[i]) + 3 * [0.0])[:4] for i in _BY_ORDER])


@compiled(parallel=True, error_model="numpy")
def shoot(
    tilt: float, energy: float, energies: Float, free_paths: Float, choose: Float, angles: NDArray[np.float32],
    transfers: Float, ranges: Float, seed: Bits, edges: NDArray[np.int64], ring: Float, sums: Float,
) -> None:  # fmt: skip
    """Shoot the histories between each two of `edges` at a target (`montecarlo.Target`); each pair has a row of `sums`.

    A row holds, one after another: for each energy bin a count, the Zernike polynomials and their squares; radii; directions;
    quadrants between the two cosines of `ring`; and the sums of E/E0, cosine, forward displacement and its square.
    """
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
    at = min(int(part * ENERGY_BINS), ENERGY_BINS - 1) * (1 + 2 * _MOMENTS)
    sums[at] += 1.0
    re, im, order = 1.0, 0.0, 0  # (x + i y)^order
    for i in range(_MOMENTS):
        while order < _ORDERS[i]:
            re, im = re * x - im * y, re * y + im * x
            order += 1
        value = re * (_RADIAL[i, 0] + rho2 * (_RADIAL[i, 1] + rho2 * (_RADIAL[i, 2] + rho2 * _RADIAL[i, 3])))
        sums[at + 1 + _PLACES[i]] += value
        sums[at + 1 + _MOMENTS + _PLACES[i]] += value * value
    at = ENERGY_BINS * (1 + 2 * _MOMENTS)
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
