"""Signal of surface points by following sampled electrons to the detector: ``(1/pi) Int D(n, w) T_k(w) E(x, w) dw``.

Directions are drawn from the cosine law about the normal n: their components (x', y') in the surface are uniform on the unit
disc. An electron of another emission model D weighs ``D / (n.w)``, so that the mean weight of those that land on segment k is the
integral. The disc is cut into equal cells (by the map of Shirley and Chiu, Journal of Graphics Tools 2(3), 1997, 45) and two
electrons start in each: stratified sampling, in which the differences of the two give the sampling error without bias.

An electron that meets the surface again, front or back, is lost: nothing is scattered a second time. Directions at or below
the specimen's plane (w_z <= 0) are not followed, for the valid solid angle holds the upper half space. The random numbers depend
on seed, point and electron alone, so that results do not depend on the number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.engine.compiled import compiled
from eclips_app.engine.raytrace.bvh import STACK, Bvh, build, first_hits, hit
from eclips_app.engine.raytrace.detection import Face, Flight, Paths, face, landing, paths
from eclips_app.engine.raytrace.disc import DiscEmission, Shape, density, shape
from eclips_app.engine.raytrace.mesh import Mesh
from eclips_app.engine.raytrace.path import blocked

Float = NDArray[np.float64]
Int = NDArray[np.int32]

#: Electrons start this part of the mesh's size above their point, along the beam, whose way there is free. It keeps them
#: from meeting the triangle that they leave, far above rounding (1e-16) and far below the detail of a mesh.
LIFT = 1e-9
_GAMMA = np.uint64(0x9E3779B97F4A7C15)  #: step of the states of SplitMix64
_BLOCK_S = 0.05  #: aim for the time between two reports
_CELLS = 1 << 14  #: of the disc that are sampled between two reports, at most
_NUMBERS = 6  #: random numbers for each cell


def start_points(
    mesh: Mesh, xy_nm: NDArray[np.float64], bvh: Bvh | None = None
) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Find where the beam, coming straight down, hits the surface: its topmost point at each (x, y).

    Parameters
    ----------
    mesh : Mesh
        The surface, overhangs included.
    xy_nm : array [point, 2]
        Beam positions in nm.
    bvh : Bvh, optional
        Of the mesh, if it is there already.

    Returns
    -------
    points : array [point, 3]
        In nm; NaN where the beam misses the mesh.
    normals : array [point, 3]
        Unit normals of the triangles hit, turned to the beam.
    hits : bool array [point]
        Where there is a surface.
    """
    above = mesh.vertices[:, 2].max() + mesh.size_nm
    origins = np.column_stack([xy_nm, np.full(len(xy_nm), above)])
    down = np.broadcast_to([0.0, 0.0, -1.0], origins.shape)
    triangle, depth = first_hits(bvh or build(mesh), origins, down)
    normals = mesh.normals()[triangle]
    normals *= np.where(normals[:, 2:] < 0, -1.0, 1.0)
    hits = triangle >= 0
    points = np.where(hits[:, None], origins - np.column_stack([np.zeros((len(depth), 2)), depth]), np.nan)
    return points, normals, hits


def trace(
    mesh: Mesh | Bvh,
    points: Float,
    normals: Float,
    detector: Detector,
    rays: int = 512,
    seed: int = 0,
    emission: DiscEmission | None = None,
    flight: Flight | None = None,
    positions_mm: Float | None = None,
    beams: Float | None = None,
    report: Callable[[float], None] | None = None,
) -> tuple[Float, Float]:
    """Give the signal of each segment at each point for unit brightness, and its standard error.

    Parameters
    ----------
    mesh : Mesh or Bvh
        What stands in the way.
    points : array [point, 3]
        Where electrons leave the surface, in nm; free against the beam's direction, as `start_points` finds them.
    normals : array [point, 3]
        Unit normals of the surface there: the triangle's, or smooth ones.
    detector : Detector
        Geometry; gains and offsets are not applied.
    rays : int
        Electrons from each point, at least: the next number of the form 2 s^2 is taken.
    seed : int
        Of the random numbers.
    emission : DiscEmission, optional
        Default: Lambert's cosine law.
    flight : Flight, optional
        Energies, field near the specimen and landing radii. Default: straight flight, every electron counts.
    positions_mm : array [point, 2], optional
        Place of each point in the frame of the column. Default: all on the axis, for a field of view is a point there.
    beams : array [point, 3], optional
        Unit vectors along which the beam arrives: tilt and x' of the emission are about it. Default: straight down.
    report : callable, optional
        Called with the part done at least every 100 ms or so; may raise to stop.

    Returns
    -------
    signal, standard_error : array [k, point]
        In the normalisation of the fast renderer: a flat with nothing in the way has ``A_k,z``.
    """
    points, normals = _copy(points), _copy(normals)
    _check(points, normals, rays)
    bvh = build(mesh) if isinstance(mesh, Mesh) else mesh
    places = np.zeros((len(points), 2)) if positions_mm is None else _copy(positions_mm)
    beams = np.tile([0.0, 0.0, -1.0], (len(points), 1)) if beams is None else _copy(beams)
    signal = np.zeros((len(detector.quadrants), len(points)))
    variance = np.zeros_like(signal)
    side = max(1, math.ceil(math.sqrt(rays / 2)))
    given = (bvh, points, normals, places, beams, face(detector), shape(emission), paths(flight, bvh))
    first, step = 0, numba.get_num_threads()
    while first < len(points):
        end, took = min(first + step, len(points)), 0.0
        for cell in range(0, side * side, _CELLS):
            began = time.perf_counter()
            _trace_points(*given, side, (cell, min(cell + _CELLS, side * side)), seed, (first, end), signal, variance)
            took += time.perf_counter() - began
            if report is not None:
                report((first + (end - first) * min((cell + _CELLS) / side**2, 1.0)) / len(points))
        step = int(min(max(step * _BLOCK_S / max(took, 1e-6), numba.get_num_threads()), 4 * step))
        first = end
    return signal, np.sqrt(variance)


def _copy(array: Float) -> Float:
    """Copy: the loops are compiled once, for writable arrays in C order."""
    return np.array(array, dtype=np.float64, order="C")


def _check(points: Float, normals: Float, rays: int) -> None:
    if points.ndim != 2 or points.shape[1:] != (3,) or points.shape != normals.shape:
        raise EclipsError(
            f"points {points.shape} and normals {normals.shape} do not belong together", hint="Give [n, 3]."
        )
    if not (np.isfinite(points).all() and np.isfinite(normals).all()):
        raise EclipsError(
            "electrons cannot start where there is no surface", hint="Leave out points that the beam misses."
        )
    if rays < 1:
        raise EclipsError(f"{rays} electrons per point", where="rays", hint="Give 1 or more.")


@compiled(parallel=True, error_model="numpy")
def _trace_points(
    bvh: Bvh,
    points: Float,
    normals: Float,
    places: Float,
    beams: Float,
    face: Face,
    shape: Shape,
    paths: Paths,
    side: int,
    cells: tuple[int, int],
    seed: int,
    block: tuple[int, int],
    signal: Float,
    variance: Float,
) -> None:
    for point in numba.prange(block[0], block[1]):
        state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(point)
        state = _scrambled(_scrambled(state) + np.uint64(seed)) + np.uint64(_NUMBERS * cells[0]) * _GAMMA
        _trace_point(
            bvh, points[point], normals[point], places[point], beams[point], face, shape, paths, side, cells, state,
            signal[:, point], variance[:, point],
        )  # fmt: skip


@compiled(error_model="numpy")
def _trace_point(
    bvh: Bvh,
    point: Float,
    normal: Float,
    place: Float,
    beam: Float,
    face: Face,
    shape: Shape,
    paths: Paths,
    side: int,
    cells: tuple[int, int],
    state: np.uint64,
    signal: Float,
    variance: Float,
) -> None:
    """Follow two electrons from each of side x side cells of the disc; adds mean and variance of the mean."""
    along, across, tilt = _tangents(normal, beam)
    own = density(shape, tilt)
    box, start = bvh.boxes[0], np.empty(3)
    lift = LIFT * math.sqrt((box[3] - box[0]) ** 2 + (box[4] - box[1]) ** 2 + (box[5] - box[2]) ** 2)
    for axis in range(3):
        start[axis] = point[axis] - lift * beam[axis]
    stack, ray, pair = np.empty(STACK, dtype=np.int32), np.empty(3), np.zeros((2, len(signal)))
    total = side * side
    for cell in range(cells[0], cells[1]):
        for k in range(len(signal)):
            pair[0, k] = pair[1, k] = 0.0
        for electron in range(2):
            state, u = _random(state)
            state, v = _random(state)
            state, energy = _random(state)
            x, y = _on_disc((cell // side + u) / side, (cell % side + v) / side)
            out = math.sqrt(max(0.0, 1.0 - x * x - y * y))
            for axis in range(3):
                ray[axis] = x * along[axis] + y * across[axis] + out * normal[axis]
            if ray[2] > 0.0:
                _follow(bvh, stack, start, ray, place, face, paths, energy, _weight(own, x, y), pair[electron])
        for k in range(len(signal)):
            signal[k] += 0.5 * (pair[0, k] + pair[1, k]) / total
            variance[k] += (0.5 * (pair[0, k] - pair[1, k]) / total) ** 2


@compiled(error_model="numpy")
def _follow(
    bvh: Bvh,
    stack: Int,
    start: Float,
    ray: Float,
    place: Float,
    face: Face,
    paths: Paths,
    chance: float,
    weight: float,
    caught: Float,
) -> None:
    """Set what each segment catches of one electron; its way past the surface is looked at only if it lands."""
    energy = 0
    while energy < len(paths.cumulated) and paths.cumulated[energy] <= chance:
        energy += 1
    u, v, lands = landing(face, paths, ray, place, energy)
    if not lands:
        return
    radius, azimuth, anything = math.hypot(u, v), math.atan2(v, u), False
    for k in range(len(caught)):
        inner, outer, middle, half = face.segments[k, 0], face.segments[k, 1], face.segments[k, 2], face.segments[k, 3]
        turn = abs((azimuth - middle + math.pi) % (2.0 * math.pi) - math.pi)
        if inner <= radius <= outer and turn <= half:
            caught[k] = weight * paths.response[energy]
            anything = True
    if not anything:
        return
    if paths.force == 0.0:
        free = hit(bvh, stack, start, ray, np.inf, True)[0] < 0
    else:
        free = not blocked(bvh, stack, start, ray, paths, energy)
    if not free:
        for k in range(len(caught)):
            caught[k] = 0.0


@compiled(error_model="numpy")
def _weight(own: Float, x: float, y: float) -> float:
    """Density at (x', y') relative to the cosine law: ``Sum_m Re (x' + i y')^m Sum_j own[m, j] (x'^2 + y'^2)^j``."""
    real, imaginary, total = 1.0, 0.0, 0.0
    square = x * x + y * y
    for m in range(own.shape[0]):
        inner = 0.0
        for j in range(own.shape[1] - 1, -1, -1):
            inner = inner * square + own[m, j]
        total += real * inner
        real, imaginary = real * x - imaginary * y, real * y + imaginary * x
    return total


@compiled(error_model="numpy")
def _tangents(normal: Float, beam: Float) -> tuple[Float, Float, float]:
    """Give unit vectors in the surface, the beam's direction projected on it and ``n x along``, and the tilt in radians."""
    along, across = np.empty(3), np.empty(3)
    against = -(normal[0] * beam[0] + normal[1] * beam[1] + normal[2] * beam[2])
    for axis in range(3):
        along[axis] = beam[axis] + against * normal[axis]
    sine = math.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)
    if sine < 1e-9:  # head on: any direction will do that is not the normal's
        along[0], along[1], along[2] = 1.0 - normal[0] ** 2, -normal[0] * normal[1], -normal[0] * normal[2]
    length = math.sqrt(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)
    for axis in range(3):
        along[axis] /= length
    across[0] = normal[1] * along[2] - normal[2] * along[1]
    across[1] = normal[2] * along[0] - normal[0] * along[2]
    across[2] = normal[0] * along[1] - normal[1] * along[0]
    return along, across, math.atan2(sine, against)


@compiled(error_model="numpy")
def _on_disc(u: float, v: float) -> tuple[float, float]:
    """Map the unit square to the unit disc, area to area (concentric map)."""
    a, b = 2.0 * u - 1.0, 2.0 * v - 1.0
    if a == 0.0 and b == 0.0:
        return 0.0, 0.0
    if abs(a) > abs(b):
        radius, angle = a, 0.25 * math.pi * b / a
    else:
        radius, angle = b, 0.5 * math.pi - 0.25 * math.pi * a / b
    return radius * math.cos(angle), radius * math.sin(angle)


@compiled()
def _scrambled(state: np.uint64) -> np.uint64:
    """Mix all bits (the output function of SplitMix64; Steele, Lea and Flood, OOPSLA 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@compiled()
def _random(state: np.uint64) -> tuple[np.uint64, float]:
    """Give the next state and a number in [0, 1) of 53 bits."""
    state = state + _GAMMA
    return state, (_scrambled(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
