"""Surfaces of plane facets whose slopes are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.crystal import FindFacets
from eclips_app.core.steps import run_step
from eclips_app.metrology.facets.found import Found

Floats = NDArray[np.float64]

PIXEL_NM = 2.0


def polyhedron(normals: Floats, distances_nm: Floats, size: int = 161) -> Floats:
    """Heights [row, col] of the upper side of a convex body with these outward normals and distances of its faces."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    x, y = columns * PIXEL_NM, -rows * PIXEL_NM
    up = normals[:, 2] > 1e-6
    return np.min(
        [(d - n[0] * x - n[1] * y) / n[2] for n, d in zip(normals[up], distances_nm[up], strict=True)], axis=0
    )


def pyramid(tilt_deg: float, azimuth_deg: float = 20.0, sides: int = 4, top_nm: float = 80.0) -> Floats:
    """A frustum: a flat top and sides of one tilt, the first of which falls to `azimuth_deg`."""
    azimuth, tilt = np.radians(azimuth_deg + 360.0 / sides * np.arange(sides)), np.radians(tilt_deg)
    sloped = np.stack(
        [np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt) + 0 * azimuth], axis=1
    )
    normals = np.concatenate([[[0.0, 0.0, 1.0]], sloped])
    return polyhedron(normals, np.array([0.0, *[top_nm * np.sin(tilt)] * sides]))


def find(height: Floats, **params: object) -> Found:
    """Find the facets of heights on pixels of `PIXEL_NM`."""
    inputs = {name: params.pop(name) for name in ("deviations", "mask") if name in params}
    told = FindFacets(**{"pixel_size_nm": (PIXEL_NM, PIXEL_NM), **params})  # type: ignore[arg-type]
    result = run_step("find-facets", {"height": height, **inputs}, told, SilentContext())  # type: ignore[dict-item]
    return Found.of(result.arrays, result.info, schema.dump(told))
