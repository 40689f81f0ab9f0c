"""Loops of the exact forward model on the CPU: signal, adjoint, tangent and table gradient.

What an azimuth takes away is looked up at ``w = m / (1 + m)`` of the horizon's slope m: even steps of w are nearly even steps of
angle, without an arc tangent. Pixels whose horizon is below the acceptance cost nothing here: their share is in the total.
``winner`` [a, row, col] says what blocks: 0 nothing, -1 the tangent plane, else the step of the occluder.
"""

from __future__ import annotations

import numba
import numpy as np

from eclips_app.engine.compiled import compiled
from eclips_app.engine.forward.march import STRETCH, Array, Int, line_of, march, occluder, slope_of
from eclips_app.engine.forward.scene import Plan, Scene


@compiled(parallel=True, fastmath=True)
def signal_rows(
    scene: Scene[Array], tiles: tuple[Array, Array], plan: Plan[Array], rows: tuple[int, int], winner: Int, out: Array
) -> None:
    """Subtract from `out` [k, row, col] what horizons take away, for some rows; fill `winner` if it is not empty.

    The slopes, the weights, `winner` and `out` hold these rows alone, the heights all; `tiles` are their `march.tile_maxima`.
    """
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    columns = height.shape[1]
    for here in numba.prange(rows[1] - rows[0]):
        row = rows[0] + here
        best, won = np.empty(columns, height.dtype), np.empty(columns, np.int32)
        for a in range(directions.shape[1]):
            right, up = directions[0, a], directions[1, a]
            line = line_of(right, -up)
            length = line[3]
            floor, ceiling = height.dtype.type(bounds[0] * length), height.dtype.type(bounds[1] * length)
            for col in range(columns):
                tangent = (slopes[0, here, col] * right + slopes[1, here, col] * up) * length
                best[col] = min(max(tangent, floor), ceiling)
                won[col] = -1 if tangent > floor else 0
            for col0 in range(0, columns, STRETCH):
                march(height, tiles, row, col0, min(col0 + STRETCH, columns), line, best, won)
            if winner.size:
                for col in range(columns):
                    winner[a, here, col] = won[col]
            for col in range(columns):
                if won[col] != 0:
                    node, part = _place(best[col] / length, bounds, taken.shape[1])
                    for k in range(seen[a, 0], seen[a, 1]):
                        lost = 0.0
                        for j in range(weights.shape[0]):
                            low = taken[a, node, k, j]
                            lost += weights[j, here, col] * (low + part * (taken[a, node + 1, k, j] - low))
                        out[k, here, col] -= lost


@compiled(fastmath=True)
def _place(slope: float, bounds: Array, nodes: int) -> tuple[int, float]:
    """Give the table's interval and the part of it for a horizon's slope."""
    m = min(slope, bounds[1])
    place = m / (1.0 + m) * (nodes - 1)
    node = min(int(place), nodes - 2)
    return node, place - node


@compiled(fastmath=True)
def _stretch(slope: float, nodes: int) -> float:
    """Give the table's steps per unit of slope."""
    return (nodes - 1) / ((1.0 + slope) * (1.0 + slope))


@compiled(parallel=True, fastmath=True)
def adjoint(
    scene: Scene[Array],
    plan: Plan[Array],
    winner: Int,
    gradient: Array,
    to_height: Array,
    to_slopes: Array,
    to_weights: Array,
) -> None:
    """Add the derivatives of ``Sum gradient * signal`` to `to_height` [band, row, col], `to_slopes` and `to_weights`.

    Each band of rows has a height gradient of its own, since occluders lie in other rows; the caller adds them up. The part of
    the total that nothing takes away is the caller's.
    """
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    rows, columns = height.shape
    bands = to_height.shape[0]
    for band in numba.prange(bands):
        for row in range(band * rows // bands, (band + 1) * rows // bands):
            for a in range(directions.shape[1]):
                right, up = directions[0, a], directions[1, a]
                line = line_of(right, -up)
                for col in range(columns):
                    step = winner[a, row, col]
                    if step == 0:
                        continue
                    m = slope_of(height, slopes, row, col, step, right, up, line)
                    node, part = _place(m, bounds, taken.shape[1])
                    steepness = 0.0
                    for j in range(weights.shape[0]):
                        lost, rise = 0.0, 0.0
                        for k in range(seen[a, 0], seen[a, 1]):
                            low = taken[a, node, k, j]
                            difference = taken[a, node + 1, k, j] - low
                            lost += gradient[k, row, col] * (low + part * difference)
                            rise += gradient[k, row, col] * difference
                        to_weights[j, row, col] -= lost
                        steepness -= weights[j, row, col] * rise
                    if m >= bounds[1]:
                        continue
                    steepness *= _stretch(m, taken.shape[1])
                    if step < 0:
                        to_slopes[0, row, col] += steepness * right
                        to_slopes[1, row, col] += steepness * up
                    else:
                        steepness /= step * line[3]
                        i0, j0, i1, j1, along = occluder(row, col, step, line)
                        to_height[band, i0, j0] += steepness * (1.0 - along)
                        to_height[band, i1, j1] += steepness * along
                        to_height[band, row, col] -= steepness


@compiled(parallel=True, fastmath=True)
def tangent(
    scene: Scene[Array], plan: Plan[Array], winner: Int, change: Scene[Array], taken_change: Array, out: Array
) -> None:
    """Subtract from `out` [k, row, col] the change of what horizons take away; an empty `taken_change` is none."""
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    height_change, slopes_change, weights_change = change
    rows, columns = height.shape
    for row in numba.prange(rows):
        for a in range(directions.shape[1]):
            right, up = directions[0, a], directions[1, a]
            line = line_of(right, -up)
            for col in range(columns):
                step = winner[a, row, col]
                if step == 0:
                    continue
                m = slope_of(height, slopes, row, col, step, right, up, line)
                node, part = _place(m, bounds, taken.shape[1])
                moved = slope_of(height_change, slopes_change, row, col, step, right, up, line)
                moved *= _stretch(m, taken.shape[1]) if m < bounds[1] else 0.0
                for k in range(seen[a, 0], seen[a, 1]):
                    for j in range(weights.shape[0]):
                        low = taken[a, node, k, j]
                        rise = taken[a, node + 1, k, j] - low
                        out[k, row, col] -= weights_change[j, row, col] * (low + part * rise)
                        out[k, row, col] -= weights[j, row, col] * rise * moved
                        if taken_change.size:
                            low = taken_change[a, node, k, j]
                            rise = taken_change[a, node + 1, k, j] - low
                            out[k, row, col] -= weights[j, row, col] * (low + part * rise)


@compiled(parallel=True, fastmath=True)
def table_gradient(scene: Scene[Array], plan: Plan[Array], winner: Int, gradient: Array, to_taken: Array) -> None:
    """Subtract from `to_taken` [a, node, k, j] the derivatives of ``Sum gradient * signal`` with respect to the table."""
    height, slopes, weights = scene
    _, seen, directions, bounds = plan
    rows, columns = height.shape
    for a in numba.prange(directions.shape[1]):
        right, up = directions[0, a], directions[1, a]
        line = line_of(right, -up)
        for row in range(rows):
            for col in range(columns):
                step = winner[a, row, col]
                if step == 0:
                    continue
                m = slope_of(height, slopes, row, col, step, right, up, line)
                node, part = _place(m, bounds, to_taken.shape[1])
                for k in range(seen[a, 0], seen[a, 1]):
                    for j in range(weights.shape[0]):
                        share = gradient[k, row, col] * weights[j, row, col]
                        to_taken[a, node, k, j] -= share * (1.0 - part)
                        to_taken[a, node + 1, k, j] -= share * part
