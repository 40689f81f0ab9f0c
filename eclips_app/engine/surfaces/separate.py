"""Surfaces of separate features: spherical caps and etch pits."""

from __future__ import annotations

import numpy as np

from eclips_app.engine.surfaces.grid import (
    Check,
    Heights,
    Shape,
    axes,
    by_rows,
    no_check,
    scattered,
    slope_of,
    turned,
    values,
)
from eclips_app.engine.surfaces.selfaffine import polish


def sphere(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give one spherical cap, by default over 70 % of the smaller edge.

    `given`: `radius_nm` of the sphere, `slope_angle_deg` at the cap's rim (90 would be a hemisphere).
    """
    use = values("sphere", shape, pixel_size_nm, given)
    radius, rim_deg = use["radius_nm"], use["slope_angle_deg"]
    return by_rows(shape, pixel_size_nm, check, lambda x, y: _cap(x, y, radius, rim_deg))


def particles(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give spherical caps lying on a polished flat, sunk so that the rim rises at the stated angle at most.

    `given`: `radius_nm` (mean; scatters by `spread`), `count`, `slope_angle_deg` (at the rim), `rms_slope` (of the polish).
    """
    use = values("particles", shape, pixel_size_nm, given)
    rng = np.random.default_rng(seed)
    height = np.zeros(shape)
    for _ in range(int(use["count"])):
        radius = scattered(rng, use["radius_nm"], use["spread"], pixel_size_nm)
        there, x, y = _anywhere(shape, pixel_size_nm, rng, radius)
        height[there] = np.maximum(height[there], _cap(x, y, radius, use["slope_angle_deg"]))
        check()
    return np.asarray(height + polish(shape, pixel_size_nm, seed, use["rms_slope"], check))


def pits(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give square etch pits in a polished flat; where they overlap the deeper one counts.

    `given`: `width_nm` of the opening (mean; scatters by `spread`), `depth_nm` (a pit that its faces do not close before
    has a flat bottom there), `count`, `slope_angle_deg`, `azimuth_deg`, `rms_slope` (of the polish).
    """
    use = values("pits", shape, pixel_size_nm, given)
    rng = np.random.default_rng(seed)
    depth = np.zeros(shape)
    for _ in range(int(use["count"])):
        width = scattered(rng, use["width_nm"], use["spread"], pixel_size_nm)
        there, x, y = _anywhere(shape, pixel_size_nm, rng, width / np.sqrt(2.0))
        u, v = turned(x, y, use["azimuth_deg"])
        inward = width / 2 - np.maximum(np.abs(u), np.abs(v))
        pit = np.clip(inward * slope_of(use["slope_angle_deg"]), 0.0, use["depth_nm"])
        depth[there] = np.maximum(depth[there], pit)
        check()
    return np.asarray(polish(shape, pixel_size_nm, seed, use["rms_slope"], check) - depth)


def _anywhere(
    shape: Shape, pixel_size_nm: float, rng: np.random.Generator, reach_nm: float
) -> tuple[tuple[slice, slice], Heights, Heights]:
    """Choose a place in the field for a feature of a given reach; gives the pixels there and x, y from its middle."""
    x, y = axes(shape, pixel_size_nm)
    cx, cy = rng.uniform(x[0, 0], x[0, -1]), rng.uniform(y[-1, 0], y[0, 0])
    there = _near(y[:, 0] - cy, reach_nm), _near(x[0] - cx, reach_nm)
    return there, x[there] - cx, y[there] - cy


def _near(distance: Heights, reach: float) -> slice:
    found = np.flatnonzero(np.abs(distance) <= reach)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


def _cap(x: Heights, y: Heights, radius: float, rim_deg: float) -> Heights:
    """Give the part of a sphere above the circle where it rises at `rim_deg`."""
    rim = radius * np.cos(np.deg2rad(rim_deg))
    inside = np.maximum(radius**2 - x**2 - y**2, 0.0)
    return np.asarray(np.maximum(np.sqrt(inside) - rim, 0.0))
