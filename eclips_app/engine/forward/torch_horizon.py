"""The loops of `kernels` in plain Torch, for any device: one pass over the whole image for each step of each azimuth.

Same arrays, same discretisation, same winners; used where there is no compiled loop (CUDA without Triton), and beside it in tests
and benchmarks.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.forward.march import Line, line_of
from eclips_app.engine.forward.scene import Plan, Scene

Float = NDArray[np.float64]


def signal(scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, out: torch.Tensor) -> None:
    """Subtract from `out` [k, row, col] what horizons take away, and fill `winner`."""
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    for a, (right, up) in enumerate(directions.T):
        line = line_of(right, -up)
        slope, won = _horizon(height, slopes[0] * right + slopes[1] * up, line, bounds)
        winner[a] = won
        node, part = _place(slope, bounds, taken.shape[1])
        for k in range(*seen[a]):
            low, high = taken[a, :, k][node], taken[a, :, k][node + 1]
            lost = (weights.movedim(0, -1) * torch.lerp(low, high, part[..., None])).sum(-1)
            out[k] -= torch.where(won != 0, lost, 0.0)


def adjoint(
    scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, gradient: torch.Tensor, to_height: torch.Tensor,
    to_slopes: torch.Tensor, to_weights: torch.Tensor,
) -> None:  # fmt: skip
    """Add the derivatives of ``Sum gradient * signal`` to `to_height`, `to_slopes` and `to_weights`."""
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    for a, (right, up) in enumerate(directions.T):
        at = _blocked(height, slopes, winner[a], right, up)
        node, part = _place(at.slope, bounds, taken.shape[1])
        segments = slice(*seen[a])
        low, high = taken[a, :, segments][node], taken[a, :, segments][node + 1]  # [pixel, k, j]
        graded = gradient[segments][:, at.row, at.col].T[:, :, None]
        to_weights[:, at.row, at.col] -= (graded * torch.lerp(low, high, part[:, None, None])).sum(1).T
        steepness = -(graded.squeeze(2) * (weights[:, at.row, at.col].T[:, None] * (high - low)).sum(2)).sum(1)
        steepness *= _stretch(at.slope, bounds, taken.shape[1])
        tangent = at.step < 0
        to_slopes[0][at.row[tangent], at.col[tangent]] += steepness[tangent] * right
        to_slopes[1][at.row[tangent], at.col[tangent]] += steepness[tangent] * up
        _scatter(to_height, at, steepness)


def tangent(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    change: Scene[torch.Tensor],
    taken_change: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Subtract from `out` [k, row, col] the change of what horizons take away; an empty `taken_change` is none."""
    height, slopes, weights = scene
    taken, seen, directions, bounds = plan
    height_change, slopes_change, weights_change = change
    for a, (right, up) in enumerate(directions.T):
        at = _blocked(height, slopes, winner[a], right, up)
        moved = _blocked(height_change, slopes_change, winner[a], right, up).slope
        node, part = _place(at.slope, bounds, taken.shape[1])
        part = part[:, None, None]
        segments = slice(*seen[a])
        low, high = taken[a, :, segments][node], taken[a, :, segments][node + 1]
        moved = (moved * _stretch(at.slope, bounds, taken.shape[1]))[:, None, None]
        here, moving = (x[:, at.row, at.col].T[:, None] for x in (weights, weights_change))
        lost = moving * torch.lerp(low, high, part) + here * (high - low) * moved
        if taken_change.numel():
            low, high = taken_change[a, :, segments][node], taken_change[a, :, segments][node + 1]
            lost = lost + here * torch.lerp(low, high, part)
        out[segments][:, at.row, at.col] -= lost.sum(2).T


def table_gradient(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    gradient: torch.Tensor,
    to_taken: torch.Tensor,
) -> None:
    """Subtract from `to_taken` [a, node, k, j] the derivatives of ``Sum gradient * signal`` with respect to the table."""
    height, slopes, weights = scene
    _, seen, directions, bounds = plan
    for a, (right, up) in enumerate(directions.T):
        at = _blocked(height, slopes, winner[a], right, up)
        node, part = _place(at.slope, bounds, to_taken.shape[1])
        share = gradient[:, at.row, at.col].T[:, :, None] * weights[:, at.row, at.col].T[:, None]
        share[:, : seen[a, 0]] = 0
        share[:, seen[a, 1] :] = 0
        to_taken[a].index_add_(0, node, -share * (1 - part)[:, None, None])
        to_taken[a].index_add_(0, node + 1, -share * part[:, None, None])


class _Blocked:
    """Pixels whose sky something blocks in one azimuth: where they are, what blocks them, the slope up to it."""

    def __init__(self, step: torch.Tensor, row: torch.Tensor, col: torch.Tensor, line: Line) -> None:
        self.step, self.row, self.col, self.length = step, row, col, line[3]
        along, sign, drift, _ = line
        far = torch.clamp(step, min=0).long()
        across = drift * far.double()
        low = torch.floor(across)
        self.part = across - low
        side, more = low.long(), (self.part > 0).long()
        ahead = sign * far
        self.near = (row + side, col + ahead) if along else (row + ahead, col + side)
        self.far = (row + side + more, col + ahead) if along else (row + ahead, col + side + more)
        self.slope = self.part

    def slopes_of(self, height: torch.Tensor, tangents: torch.Tensor) -> torch.Tensor:
        part = self.part.to(height)
        there = torch.lerp(height[self.near], height[self.far], part)
        rise = (there - height[self.row, self.col]) / (self.step.clamp(min=1).to(height) * self.length)
        return torch.where(self.step < 0, tangents, rise)


def _blocked(height: torch.Tensor, slopes: torch.Tensor, winner: torch.Tensor, right: float, up: float) -> _Blocked:
    row, col = torch.nonzero(winner, as_tuple=True)
    at = _Blocked(winner[row, col], row, col, line_of(right, -up))
    at.slope = at.slopes_of(height, slopes[0, row, col] * right + slopes[1, row, col] * up)
    return at


def _horizon(
    height: torch.Tensor, tangents: torch.Tensor, line: Line, bounds: Float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the horizon's slope [row, col] in one azimuth and who won."""
    along, sign, drift, length = line
    best = torch.clamp(tangents * length, bounds[0] * length, bounds[1] * length)
    won = torch.where(tangents > bounds[0], -1, 0).to(torch.int16)
    rows, columns = height.shape
    highest = height.max()
    count = columns - 1 if along else rows - 1
    for step in range(1, count + 1):
        if step % 8 == 1 and not bool((best * step < highest - height).any()):
            break
        across = drift * step
        low = math.floor(across)
        part, more = across - low, 1 if across > low else 0
        down, over = (low, sign * step) if along else (sign * step, low)
        far_down, far_over = (low + more, over) if along else (down, low + more)
        r0, r1 = max(0, -down), min(rows, rows - far_down)
        c0, c1 = max(0, -over), min(columns, columns - far_over)
        if r0 >= r1 or c0 >= c1:
            break
        near = height[r0 + down : r1 + down, c0 + over : c1 + over]
        far = height[r0 + far_down : r1 + far_down, c0 + far_over : c1 + far_over]
        rise = (torch.lerp(near, far, part) - height[r0:r1, c0:c1]) / step
        wins = rise > best[r0:r1, c0:c1]
        best[r0:r1, c0:c1] = torch.where(wins, rise, best[r0:r1, c0:c1])
        won[r0:r1, c0:c1] = torch.where(wins, step, won[r0:r1, c0:c1]).to(torch.int16)
    return best / length, won


def _place(slope: torch.Tensor, bounds: Float, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    m = torch.clamp(slope, max=float(bounds[1]))
    place = m / (1 + m) * (nodes - 1)
    node = torch.clamp(place.long(), max=nodes - 2)
    return node, place - node


def _stretch(slope: torch.Tensor, bounds: Float, nodes: int) -> torch.Tensor:
    """Give the table's steps per unit of slope."""
    return torch.where(slope < bounds[1], (nodes - 1) / (1 + slope) ** 2, 0.0)


def _scatter(to_height: torch.Tensor, at: _Blocked, steepness: torch.Tensor) -> None:
    """Hand the slope's derivative on to the occluder's two samples and to the pixel."""
    share = torch.where(at.step > 0, steepness / (at.step.clamp(min=1).to(steepness) * at.length), 0.0)
    part = at.part.to(share)
    to_height.index_put_(at.near, share * (1 - part), accumulate=True)
    to_height.index_put_(at.far, share * part, accumulate=True)
    to_height.index_put_((at.row, at.col), -share, accumulate=True)
