"""Device code of `triton_horizon`: the loops of `kernels`, written in Triton's language.

One program works on a block of `HEIGHT` x `WIDTH` pixels (powers of two) and goes through the azimuths. Only derivatives by
heights and tables leave the block; they are added atomically. Where a step ends is looked up: `low` and `part` [a, step] hold
the samples passed across and the weight of the next one, `shares` [step] one over the step. `lines` [a, 6] holds the rows and
columns that a step goes ahead, those that it drifts to, and the segments that the sector reaches; `numbers` [a, 5] the direction
(right, up), the length of a step, and the slopes between which a horizon changes anything. All are contiguous.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Integer divisions of negative numbers round toward zero on the device: tiles are found by shifts, which round down.


@triton.jit
def signal_rows(
    height, slopes, weights, tiles, taken, numbers, lines, low, part, shares, winner, out,
    rows, columns, tile_columns, azimuths, places, nodes, segments, functions,
    WIDTH: tl.constexpr, HEIGHT: tl.constexpr, SHIFT: tl.constexpr,
):  # fmt: skip
    """Subtract from `out` [k, row, col] what horizons take away, and fill `winner` [a, row, col]."""
    row, col, inside = _pixels(rows, columns, WIDTH, HEIGHT)
    pixels, at = rows * columns, row * columns + col
    here = tl.load(height + at, mask=inside, other=0.0)
    to_right = tl.load(slopes + at, mask=inside, other=0.0)
    to_up = tl.load(slopes + pixels + at, mask=inside, other=0.0)
    for _ in range(azimuths):
        right, up, length, floor, ceiling = _numbers(numbers)
        ahead_row, ahead_col, side_row, side_col, segment, end = _line(lines)
        tangent = (to_right * right + to_up * up) * length
        best = tl.minimum(tl.maximum(tangent, floor * length), ceiling * length)
        won = tl.where(tangent > floor * length, -1, 0)
        best, won = _march(
            height, tiles, low, part, shares, here, best, won, inside, row, col,
            ahead_row, ahead_col, side_row, side_col, rows, columns, tile_columns, WIDTH, HEIGHT, SHIFT,
        )  # fmt: skip
        tl.store(winner + at, won.to(tl.int16), mask=inside)
        blocked = inside & (won != 0)
        node, share = _place(best / length, ceiling, nodes)
        for k in range(segment, end):
            lost = tl.zeros_like(best)
            for j in range(functions):
                below, rise = _look_up(taken, node, k, j, segments, functions, blocked)
                lost += tl.load(weights + j * pixels + at, mask=blocked, other=0.0) * (below + share * rise)
            _add(out + k * pixels + at, -lost, blocked)
        numbers, lines, low, part = numbers + 5, lines + 6, low + places, part + places
        winner, taken = winner + pixels, taken + nodes * segments * functions


@triton.jit
def adjoint_rows(
    height, slopes, weights, taken, numbers, lines, low, part, shares, winner, gradient, to_height, to_slopes, to_weights,
    rows, columns, azimuths, places, nodes, segments, functions, WIDTH: tl.constexpr, HEIGHT: tl.constexpr,
):  # fmt: skip
    """Add the derivatives of ``Sum gradient * signal`` to `to_height`, `to_slopes` and `to_weights`."""
    row, col, inside = _pixels(rows, columns, WIDTH, HEIGHT)
    pixels, at = rows * columns, row * columns + col
    own = tl.zeros_like(tl.load(height + at, mask=inside, other=0.0))
    own_right, own_up = own, own
    for _ in range(azimuths):
        right, up, length, _, ceiling = _numbers(numbers)
        ahead_row, ahead_col, side_row, side_col, segment, end = _line(lines)
        step = tl.load(winner + at, mask=inside, other=0).to(tl.int32)
        blocked = step != 0
        near, far, along = _occluder(low, part, step, row, col, ahead_row, ahead_col, side_row, side_col, columns)
        per_step = tl.load(shares + tl.maximum(step, 0)) / length
        m = _slope(height, slopes, at, near, far, along, step, per_step, right, up, pixels, blocked)
        node, share = _place(m, ceiling, nodes)
        steepness = tl.zeros_like(m)
        for j in range(functions):
            lost, lean = tl.zeros_like(m), tl.zeros_like(m)
            for k in range(segment, end):
                below, rise = _look_up(taken, node, k, j, segments, functions, blocked)
                graded = tl.load(gradient + k * pixels + at, mask=blocked, other=0.0)
                lost += graded * (below + share * rise)
                lean += graded * rise
            _add(to_weights + j * pixels + at, -lost, blocked)
            steepness -= tl.load(weights + j * pixels + at, mask=blocked, other=0.0) * lean
        steepness *= _stretch(m, ceiling, nodes)
        of_plane = tl.where(step < 0, steepness, 0.0)
        own_right += of_plane * right
        own_up += of_plane * up
        per_height = steepness * per_step
        tl.atomic_add(to_height + near, per_height * (1.0 - along), mask=step > 0, sem="relaxed")
        tl.atomic_add(to_height + far, per_height * along, mask=(step > 0) & (along > 0.0), sem="relaxed")
        own -= per_height
        numbers, lines, low, part = numbers + 5, lines + 6, low + places, part + places
        winner, taken = winner + pixels, taken + nodes * segments * functions
    _add(to_slopes + at, own_right, inside)
    _add(to_slopes + pixels + at, own_up, inside)
    tl.atomic_add(to_height + at, own, mask=inside, sem="relaxed")


@triton.jit
def tangent_rows(
    height, slopes, weights, taken, numbers, lines, low, part, shares, winner, height_change, slopes_change, weights_change,
    taken_change, out, rows, columns, azimuths, places, nodes, segments, functions,
    WIDTH: tl.constexpr, HEIGHT: tl.constexpr, MOVED: tl.constexpr,
):  # fmt: skip
    """Subtract from `out` [k, row, col] the change of what horizons take away; `MOVED`: the tables change, too."""
    row, col, inside = _pixels(rows, columns, WIDTH, HEIGHT)
    pixels, at = rows * columns, row * columns + col
    for _ in range(azimuths):
        right, up, length, _, ceiling = _numbers(numbers)
        ahead_row, ahead_col, side_row, side_col, segment, end = _line(lines)
        step = tl.load(winner + at, mask=inside, other=0).to(tl.int32)
        blocked = step != 0
        near, far, along = _occluder(low, part, step, row, col, ahead_row, ahead_col, side_row, side_col, columns)
        per_step = tl.load(shares + tl.maximum(step, 0)) / length
        m = _slope(height, slopes, at, near, far, along, step, per_step, right, up, pixels, blocked)
        moved = _slope(height_change, slopes_change, at, near, far, along, step, per_step, right, up, pixels, blocked)
        moved *= _stretch(m, ceiling, nodes)
        node, share = _place(m, ceiling, nodes)
        for k in range(segment, end):
            lost = tl.zeros_like(m)
            for j in range(functions):
                weight = tl.load(weights + j * pixels + at, mask=blocked, other=0.0)
                below, rise = _look_up(taken, node, k, j, segments, functions, blocked)
                lost += tl.load(weights_change + j * pixels + at, mask=blocked, other=0.0) * (below + share * rise)
                lost += weight * rise * moved
                if MOVED:
                    below, rise = _look_up(taken_change, node, k, j, segments, functions, blocked)
                    lost += weight * (below + share * rise)
            _add(out + k * pixels + at, -lost, blocked)
        numbers, lines, low, part = numbers + 5, lines + 6, low + places, part + places
        winner, taken = winner + pixels, taken + nodes * segments * functions
        taken_change += nodes * segments * functions


@triton.jit
def table_rows(
    height, slopes, weights, numbers, lines, low, part, shares, winner, gradient, to_taken,
    rows, columns, azimuths, places, nodes, segments, functions, WIDTH: tl.constexpr, HEIGHT: tl.constexpr,
):  # fmt: skip
    """Subtract from `to_taken` [a, node, k, j] the derivatives of ``Sum gradient * signal`` with respect to the table."""
    row, col, inside = _pixels(rows, columns, WIDTH, HEIGHT)
    pixels, at = rows * columns, row * columns + col
    for _ in range(azimuths):
        right, up, length, _, ceiling = _numbers(numbers)
        ahead_row, ahead_col, side_row, side_col, segment, end = _line(lines)
        step = tl.load(winner + at, mask=inside, other=0).to(tl.int32)
        blocked = step != 0
        near, far, along = _occluder(low, part, step, row, col, ahead_row, ahead_col, side_row, side_col, columns)
        per_step = tl.load(shares + tl.maximum(step, 0)) / length
        m = _slope(height, slopes, at, near, far, along, step, per_step, right, up, pixels, blocked)
        node, share = _place(m, ceiling, nodes)
        for k in range(segment, end):
            graded = tl.load(gradient + k * pixels + at, mask=blocked, other=0.0)
            for j in range(functions):
                change = graded * tl.load(weights + j * pixels + at, mask=blocked, other=0.0)
                entry = to_taken + (node * segments + k) * functions + j
                tl.atomic_add(entry, -change * (1.0 - share), mask=blocked, sem="relaxed")
                tl.atomic_add(entry + segments * functions, -change * share, mask=blocked, sem="relaxed")
        numbers, lines, low, part = numbers + 5, lines + 6, low + places, part + places
        winner, to_taken = winner + pixels, to_taken + nodes * segments * functions


@triton.jit
def _march(
    height, tiles, low, part, shares, here, best, won, inside, row, col,
    ahead_row, ahead_col, side_row, side_col, rows, columns, tile_columns,
    WIDTH: tl.constexpr, HEIGHT: tl.constexpr, SHIFT: tl.constexpr,
):  # fmt: skip
    """Raise `best` (rise per step) to the highest occluder and note its step; see `march.march`."""
    row0, col0 = tl.program_id(1) * HEIGHT, tl.program_id(0) * WIDTH
    row1, col1 = tl.minimum(row0 + HEIGHT, rows) - 1, tl.minimum(col0 + WIDTH, columns) - 1
    across = tl.where(ahead_col > 0, columns - 1 - col0, col1)
    down = tl.where(ahead_row > 0, rows - 1 - row0, row1)
    count = tl.where(ahead_col == 0, down, across)  # steps to the border, for the pixel farthest from it
    first, last = 1, tl.minimum(6, count)
    while first <= last:
        drift0, drift1 = tl.load(low + first), tl.load(low + last)
        side0, side1 = tl.minimum(drift0, drift1), tl.maximum(drift0, drift1) + 1
        top = _highest(
            tiles,
            row0 + tl.minimum(ahead_row * first, ahead_row * last) + side_row * side0,
            row1 + tl.maximum(ahead_row * first, ahead_row * last) + side_row * side1,
            col0 + tl.minimum(ahead_col * first, ahead_col * last) + side_col * side0,
            col1 + tl.maximum(ahead_col * first, ahead_col * last) + side_col * side1,
            rows, columns, tile_columns, here, SHIFT,
        )  # fmt: skip
        step = first
        lacking = tl.max(tl.where(inside, top - here - best * step, -1e30), axis=0)
        while (step <= last) & (lacking > 0.0):
            for _ in tl.static_range(4):  # the last ones may pass `last`: what is beyond the border does not count
                best, won = _advance(
                    height, low, part, shares, here, best, won, step, inside, row, col,
                    ahead_row, ahead_col, side_row, side_col, rows, columns,
                )  # fmt: skip
                step += 1
            lacking = tl.max(tl.where(inside, top - here - best * step, -1e30), axis=0)
        first = last + 1
        last = tl.minimum(3 * last, count)
    return best, won


@triton.jit
def _advance(
    height, low, part, shares, here, best, won, step, inside, row, col,
    ahead_row, ahead_col, side_row, side_col, rows, columns,
):  # fmt: skip
    """Take one step: raise the horizon where the surface there is above it."""
    shift, along = tl.load(low + step), tl.load(part + step)
    near_row, near_col = row + ahead_row * step + side_row * shift, col + ahead_col * step + side_col * shift
    more = tl.where(along > 0.0, 1, 0)
    far_row, far_col = near_row + side_row * more, near_col + side_col * more
    there = inside & (near_row >= 0) & (far_row < rows) & (near_col >= 0) & (far_col < columns)
    near = tl.load(height + near_row * columns + near_col, mask=there, other=0.0)
    far = tl.load(height + far_row * columns + far_col, mask=there, other=0.0)
    rise = (near + along * (far - near) - here) * tl.load(shares + step)
    wins = there & (rise > best)
    return tl.where(wins, rise, best), tl.where(wins, step, won)


@triton.jit
def _highest(tiles, row0, row1, col0, col1, rows, columns, tile_columns, like, SHIFT: tl.constexpr):
    """Largest height of the tiles that cover a box (ends included); -1e30 outside the image."""
    lane = tl.arange(0, 32)
    tops = tl.full((32,), -1e30, like.dtype)
    last = tl.minimum(col1, columns - 1) >> SHIFT
    for i in range(tl.maximum(row0, 0) >> SHIFT, (tl.minimum(row1, rows - 1) >> SHIFT) + 1):
        for j in range(tl.maximum(col0, 0) >> SHIFT, last + 1, 32):
            found = tl.load(tiles + i * tile_columns + j + lane, mask=j + lane <= last, other=-1e30)
            tops = tl.maximum(tops, found)
    return tl.max(tops, axis=0)


@triton.jit
def _pixels(rows, columns, WIDTH: tl.constexpr, HEIGHT: tl.constexpr):
    """Give the pixels of a program's block, and which of them are inside the image."""
    lane = tl.arange(0, WIDTH * HEIGHT)
    row, col = tl.program_id(1) * HEIGHT + lane // WIDTH, tl.program_id(0) * WIDTH + lane % WIDTH
    return row, col, (row < rows) & (col < columns)


@triton.jit
def _numbers(numbers):
    """Direction (right, up) of an azimuth, length of a step, slopes between which a horizon changes anything."""
    return tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3), tl.load(numbers + 4)


@triton.jit
def _line(lines):
    """Rows and columns that a step goes ahead, those that it drifts to; first segment of the sector and end."""
    ahead_row, ahead_col, side_row = tl.load(lines), tl.load(lines + 1), tl.load(lines + 2)
    return ahead_row, ahead_col, side_row, tl.load(lines + 3), tl.load(lines + 4), tl.load(lines + 5)


@triton.jit
def _occluder(low, part, step, row, col, ahead_row, ahead_col, side_row, side_col, columns):
    """Give the two samples between which the step ends, and the weight of the second; the pixel itself without one."""
    taken = tl.maximum(step, 0)
    shift, along = tl.load(low + taken), tl.load(part + taken)
    near = (row + ahead_row * taken + side_row * shift) * columns + col + ahead_col * taken + side_col * shift
    return near, near + tl.where(along > 0.0, side_row * columns + side_col, 0), along


@triton.jit
def _slope(height, slopes, at, near, far, along, step, per_step, right, up, pixels, blocked):
    """Give the slope of the horizon again, from who won; 0 where nothing blocks."""
    of_plane, of_other = blocked & (step < 0), blocked & (step > 0)
    low = tl.load(height + near, mask=of_other, other=0.0)
    there = low + along * (tl.load(height + far, mask=of_other, other=0.0) - low)
    rise = (there - tl.load(height + at, mask=of_other, other=0.0)) * per_step
    to_right = tl.load(slopes + at, mask=of_plane, other=0.0)
    to_up = tl.load(slopes + pixels + at, mask=of_plane, other=0.0)
    return tl.where(step < 0, to_right * right + to_up * up, rise)


@triton.jit
def _place(slope, ceiling, nodes):
    """Give the table's interval and the part of it for a horizon's slope."""
    m = tl.minimum(slope, ceiling)
    place = m / (1.0 + m) * (nodes - 1)
    node = tl.minimum(place.to(tl.int32), nodes - 2)
    return node, place - node


@triton.jit
def _stretch(slope, ceiling, nodes):
    """Give the table's steps per unit of slope."""
    return tl.where(slope < ceiling, (nodes - 1) / ((1.0 + slope) * (1.0 + slope)), 0.0)


@triton.jit
def _look_up(taken, node, k, j, segments, functions, blocked):
    """Give an entry of an azimuth's table and the difference to the next node's."""
    entry = taken + (node * segments + k) * functions + j
    below = tl.load(entry, mask=blocked, other=0.0)
    return below, tl.load(entry + segments * functions, mask=blocked, other=0.0) - below


@triton.jit
def _add(place, change, mask):
    """Add to what no other program touches."""
    tl.store(place, tl.load(place, mask=mask, other=0.0) + change, mask=mask)
