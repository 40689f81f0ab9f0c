"""Bounding-volume hierarchy over triangles: which of them a ray, or a straight piece of a path, meets.

Built from the top by the surface-area heuristic in bins (Wald, IEEE Symposium on Interactive Ray Tracing 2007, 33).

No leaks. Whether a ray passes inside a triangle is decided by the signs of three edge functions in the frame of the ray (Woop,
Benthin and Wald, Watertight ray/triangle intersection, JCGT 2, 2013). Two triangles that share an edge compute the same products
for it with the opposite sign, exactly, and 0 counts as inside: at least one of the two is hit. Boxes are tested with
a margin of some rounding errors (Ize, Robust BVH ray traversal, JCGT 2, 2013), so that no box hides its triangles.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled
from eclips_app.engine.raytrace.mesh import Mesh

Float = NDArray[np.float64]
Int = NDArray[np.int32]

#: Nodes that can wait during a traversal. Deep trees are balanced from `_BALANCED_DEPTH` on, which leaves 2^24 leaves below.
STACK = 64
_BALANCED_DEPTH = 40
_BINS = 16
_LEAF = 2  #: triangles that are not divided further
_MARGIN = 1.0 + 1e-15
_FAR = 1e300


class Bvh(NamedTuple):
    """Flat arrays; the children of a node are neighbours.

    Attributes
    ----------
    boxes : array [node, 6]
        Lowest and highest x, y, z.
    links : int array [node, 2]
        First child and 0; of a leaf its first triangle and their number.
    corners : array [t, 3, 3]
        Corners of the triangles in the order of the leaves.
    order : int array [t]
        Their places in the mesh.
    """

    boxes: Float
    links: Int
    corners: Float
    order: Int


def build(mesh: Mesh) -> Bvh:
    """Build the hierarchy of a mesh."""
    corners = mesh.corners
    low, high = corners.min(axis=1), corners.max(axis=1)
    order = np.arange(len(corners), dtype=np.int32)
    boxes, links = np.empty((2 * len(corners), 6)), np.zeros((2 * len(corners), 2), dtype=np.int32)
    count = _build(low, high, order, boxes, links)
    return Bvh(boxes[:count].copy(), links[:count].copy(), np.ascontiguousarray(corners[order]), order)


def first_hits(bvh: Bvh, origins: NDArray[Any], directions: NDArray[Any]) -> tuple[Int, Float]:
    """Give the nearest triangle of each ray (its place in the mesh, -1 for none) and the distance in lengths of `directions`.

    Parameters
    ----------
    bvh : Bvh
        What the rays may meet.
    origins, directions : array [ray, 3]
        Start in nm and direction, which need not be a unit vector.
    """
    triangle, distance = np.empty(len(origins), dtype=np.int32), np.empty(len(origins))
    _first_hits(bvh, np.array(origins, float, order="C"), np.array(directions, float, order="C"), triangle, distance)
    return np.where(triangle >= 0, bvh.order[triangle], -1).astype(np.int32), distance


@compiled(error_model="numpy")
def _first_hits(bvh: Bvh, origins: Float, directions: Float, triangle: Int, distance: Float) -> None:
    stack = np.empty(STACK, dtype=np.int32)
    for ray in range(len(origins)):
        triangle[ray], distance[ray] = hit(bvh, stack, origins[ray], directions[ray], np.inf, False)


@compiled(error_model="numpy")
def hit(bvh: Bvh, stack: Int, origin: Float, direction: Float, reach: float, anything: bool) -> tuple[int, float]:
    """Find the nearest triangle beyond 0 and up to `reach` lengths of `direction`, or with `anything` the first one found.

    Returns its place in `Bvh.corners` (-1 for none) and the distance; `stack` is room for `STACK` numbers.
    """
    # The axis along which the ray advances most, and the shear that turns the ray into that axis.
    kz = 0
    for axis in range(1, 3):
        if abs(direction[axis]) > abs(direction[kz]):
            kz = axis
    kx, ky = (kz + 1) % 3, (kz + 2) % 3
    sx, sy, sz = direction[kx] / direction[kz], direction[ky] / direction[kz], 1.0 / direction[kz]
    ix, iy, iz = _inverse(direction[0]), _inverse(direction[1]), _inverse(direction[2])
    found, best = -1, reach
    stack[0] = 0
    waiting = 1
    while waiting > 0:
        waiting -= 1
        node = stack[waiting]
        if not _enters(bvh.boxes[node], origin, ix, iy, iz, best):
            continue
        first, count = bvh.links[node, 0], bvh.links[node, 1]
        if count == 0:
            stack[waiting], stack[waiting + 1] = first, first + 1
            waiting += 2
            continue
        for triangle in range(first, first + count):
            distance = _distance(bvh.corners[triangle], origin, kx, ky, kz, sx, sy, sz)
            if 0.0 < distance <= best:
                found, best = triangle, distance
                if anything:
                    return found, best
    return found, best


@compiled(error_model="numpy")
def _inverse(component: float) -> float:
    """Give 1/component, finite also for 0: infinity times 0 would be no number."""
    return 1.0 / component if abs(component) * _FAR > 1.0 else (_FAR if component >= 0.0 else -_FAR)


@compiled(error_model="numpy")
def _enters(box: Float, origin: Float, ix: float, iy: float, iz: float, reach: float) -> bool:
    ax, bx = (box[0] - origin[0]) * ix, (box[3] - origin[0]) * ix
    ay, by = (box[1] - origin[1]) * iy, (box[4] - origin[1]) * iy
    az, bz = (box[2] - origin[2]) * iz, (box[5] - origin[2]) * iz
    near = max(max(min(ax, bx), min(ay, by)), max(min(az, bz), 0.0))
    far = min(min(max(ax, bx), max(ay, by)), min(max(az, bz), reach))
    return bool(near <= far * _MARGIN)


@compiled(error_model="numpy")
def _distance(corner: Float, origin: Float, kx: int, ky: int, kz: int, sx: float, sy: float, sz: float) -> float:
    """Distance to a triangle in lengths of the direction, -1 if it is missed."""
    az, bz, cz = corner[0, kz] - origin[kz], corner[1, kz] - origin[kz], corner[2, kz] - origin[kz]
    ax, ay = corner[0, kx] - origin[kx] - sx * az, corner[0, ky] - origin[ky] - sy * az
    bx, by = corner[1, kx] - origin[kx] - sx * bz, corner[1, ky] - origin[ky] - sy * bz
    cx, cy = corner[2, kx] - origin[kx] - sx * cz, corner[2, ky] - origin[ky] - sy * cz
    u, v, w = cx * by - cy * bx, ax * cy - ay * cx, bx * ay - by * ax
    if (u < 0.0 or v < 0.0 or w < 0.0) and (u > 0.0 or v > 0.0 or w > 0.0):
        return -1.0
    total = u + v + w
    if total == 0.0:  # seen edge on: its neighbours catch what passes here
        return -1.0
    return float(sz * (u * az + v * bz + w * cz) / total)


@compiled(error_model="numpy")
def _build(low: Float, high: Float, order: Int, boxes: Float, links: Int) -> int:
    middle = 0.5 * (low + high)
    pending = np.empty((STACK, 4), dtype=np.int64)
    pending[0, :] = 0
    pending[0, 2] = len(order)
    waiting, nodes = 1, 1
    while waiting > 0:
        waiting -= 1
        node, begin, end, depth = pending[waiting, 0], pending[waiting, 1], pending[waiting, 2], pending[waiting, 3]
        _enclose(low, high, order[begin:end], boxes[node])
        if end - begin <= _LEAF:
            links[node, 0], links[node, 1] = begin, end - begin
            continue
        split = _divide(low, high, middle, order, begin, end, depth)
        links[node, 0], links[node, 1] = nodes, 0
        for child in range(2):
            later = pending[waiting + child]
            later[0], later[3] = nodes + child, depth + 1
            later[1], later[2] = (begin, split) if child == 0 else (split, end)
        waiting, nodes = waiting + 2, nodes + 2
    return nodes


@compiled()
def _enclose(low: Float, high: Float, members: Int, box: Float) -> None:
    _empty(box)
    for member in members:
        _widen(box, low[member], high[member])


@compiled()
def _empty(box: Float) -> None:
    for axis in range(3):
        box[axis], box[axis + 3] = np.inf, -np.inf


@compiled()
def _widen(box: Float, low: Float, high: Float) -> None:
    for axis in range(3):
        box[axis] = min(box[axis], low[axis])
        box[axis + 3] = max(box[axis + 3], high[axis])


@compiled(error_model="numpy")
def _divide(low: Float, high: Float, middle: Float, order: Int, begin: int, end: int, depth: int) -> int:
    """Sort the members into two groups and give the place where the second begins."""
    box = np.empty(6)
    _enclose(middle, middle, order[begin:end], box)
    axis = 0
    for other in range(1, 3):
        if box[other + 3] - box[other] > box[axis + 3] - box[axis]:
            axis = other
    half = (begin + end) // 2
    scale = _BINS * (1.0 - 1e-12) / (box[axis + 3] - box[axis])
    if depth >= _BALANCED_DEPTH or not math.isfinite(scale):
        return half
    bins = np.empty(end - begin, dtype=np.int64)
    for place in range(begin, end):
        bins[place - begin] = int((middle[order[place], axis] - box[axis]) * scale)
    cut = _best_cut(low, high, order[begin:end], bins)
    left, right = begin, end - 1
    while left <= right:
        if bins[left - begin] < cut:
            left += 1
        else:
            order[left], order[right] = order[right], order[left]
            bins[left - begin], bins[right - begin] = bins[right - begin], bins[left - begin]
            right -= 1
    return left if begin < left < end else half


@compiled(error_model="numpy")
def _best_cut(low: Float, high: Float, members: Int, bins: NDArray[np.int64]) -> int:
    """Bin before which to cut so that the surfaces of both sides, times their members, are least."""
    boxes, counts = np.empty((_BINS + 1, 6)), np.zeros(_BINS)
    for into in range(_BINS):
        _empty(boxes[into])
    for place in range(len(members)):
        counts[bins[place]] += 1.0
        _widen(boxes[bins[place]], low[members[place]], high[members[place]])
    cost, box = np.zeros(_BINS + 1), boxes[_BINS]
    for forward in (True, False):
        _empty(box)
        count = 0.0
        for step in range(_BINS - 1):
            at = step if forward else _BINS - 1 - step
            count += counts[at]
            _widen(box, boxes[at, :3], boxes[at, 3:])
            x, y, z = box[3] - box[0], box[4] - box[1], box[5] - box[2]
            if count > 0.0:
                cost[at + 1 if forward else at] += count * (x * y + y * z + z * x)
    cut = 1
    for at in range(2, _BINS):
        if cost[at] < cost[cut]:
            cut = at
    return cut
