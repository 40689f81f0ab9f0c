"""Where flown electrons meet a plane: a line in the half-plane of their azimuth."""

from __future__ import annotations

import torch
from torch import Tensor

from eclips_app.engine.optics.trajectories import Paths
from eclips_app.engine.optics.watch import check


def meet(flown: Paths, height_mm: float, slopes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give where electrons first meet the lines ``z = h - a r``: t_v [n, slope] and its derivatives by a and by h.

    Between the steps of a path, its cubic by positions and momenta at both ends is followed. NaN where a line is not met.
    """
    found = [_meet_one(flown, height_mm, slope) for slope in slopes]
    angle, by_slope, by_height = (torch.stack(parts, dim=1) for parts in zip(*found, strict=True))
    return angle, by_slope, by_height


def _meet_one(flown: Paths, height: float, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    check()
    r, z = flown.state[:, 0], flown.state[:, 1]
    above = z + slope * r >= height
    crossing = above[1:] & ~above[:-1]
    number = torch.arange(r.shape[1], device=r.device)
    step = crossing.to(torch.uint8).argmax(dim=0)
    crosses = crossing[step, number]
    before, after = flown.state[step, :, number].T, flown.state[step + 1, :, number].T
    state = _crossing(before, after, flown.step[step, number], height, slope)
    ahead = _straight_on(flown.state[-1], height, slope)
    r, z, ur, uz = torch.where(crosses, state, ahead)
    rising = uz + slope * ur
    lands = (crosses | flown.reached) & (rising > 0)
    turning = (z * ur - r * uz) / (r.square() + z.square()) / rising
    missing = torch.full_like(r, torch.nan)
    angle = torch.where(lands, torch.atan2(r, z), missing)
    return angle, torch.where(lands, -r * turning, missing), torch.where(lands, turning, missing)


def _crossing(before: Tensor, after: Tensor, dt: Tensor, height: float, slope: Tensor) -> Tensor:
    """State [4, n] where the cubics between two states meet a line, found by halving."""
    low, high = torch.zeros_like(dt), torch.ones_like(dt)
    for _ in range(44):
        middle = (low + high) / 2
        r, z = _position(before, after, dt, middle)
        below = z + slope * r < height
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    at = (low + high) / 2
    position = _position(before, after, dt, at)
    # The momentum is interpolated linearly: it enters derivatives alone.
    return torch.cat([position, before[2:] + at * (after[2:] - before[2:])])


def _position(before: Tensor, after: Tensor, dt: Tensor, at: Tensor) -> Tensor:
    """Positions [2, n] at the parts `at` of the steps."""
    return _cubic(before[:2], after[:2], dt * before[2:], dt * after[2:], at)


def _cubic(low: Tensor, high: Tensor, low_slope: Tensor, high_slope: Tensor, x: Tensor) -> Tensor:
    """Hermite's cubic between two values, x from 0 to 1."""
    back = 1 - x
    return (1 + 2 * x) * back**2 * low + x**2 * (3 - 2 * x) * high + x * back * (back * low_slope - x * high_slope)


def _straight_on(end: Tensor, height: float, slope: Tensor) -> Tensor:
    """State where the straight continuation of a path meets a line."""
    r, z, ur, uz = end
    time = (height - z - slope * r) / (uz + slope * ur)
    return torch.stack([r + time * ur, z + time * uz, ur, uz])
