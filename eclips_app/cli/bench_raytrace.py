"""Monte Carlo ray tracer against the fast renderer on five surfaces: they should agree to the sampling error.

The fast renderer steps from grid line to grid line, so the surface that it sees is that of walls below the lines (`mesh.fences`);
against triangles through the same pixels the difference of the two interpolations remains, and it shrinks with the pixels.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.tables import Table
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector, presets

SURFACES = ("vickers", "steps", "particles", "rough", "spiral")
PIXELS = 64
RAYS = 2048
_AZIMUTHS = 512  #: so many that the renderer's own quadrature is far below the sampling error
_PIXEL_NM = 10.0

Float = NDArray[np.float64]


def table(context: Context) -> Table:
    """Trace and render each surface."""
    detector = _detector()
    _traced(np.zeros((4, 4)), detector, 0, context, walls=True)  # compiles
    rows = []
    for number, kind in enumerate(SURFACES):
        for half, walls in enumerate((True, False)):
            context.progress((number + half / 2) / len(SURFACES), f"Tracing {kind}")
            rows.append(_row(kind, number, detector, context, walls=walls))
    notes = (
        f"{PIXELS} x {PIXELS} pixels, four segments from {detector.take_off_angles_deg(detector.quadrants[0])[0]:.0f} degrees of"
        f" take-off angle, Lambert emission, at least {RAYS} electrons per pixel. Differences are ray tracer minus renderer, as"
        " parts of the mean signal.",
        "chi2: mean square of the difference over the mean sampling variance. Walls below the grid lines are the very surface"
        " that the renderer samples; triangles span the cells between the pixels.",
    )
    columns = ("surface", "made of", "mean_difference", "standard_error", "chi2_per_pixel", "electrons_per_s")
    return Table("Ray tracer (mc) against renderer (bsesm)", columns, tuple(rows), notes)


def _detector() -> Detector:
    """Give a four-quadrant annulus so near that every surface here casts shadows."""
    return replace(presets()["Annular 4 segments (typical)"], distance_mm=3.5, inner_radius_mm=1.0)


def _row(kind: str, seed: int, detector: Detector, context: Context, *, walls: bool) -> tuple[Any, ...]:
    from eclips_app.engine.forward.model import forward_model
    from eclips_app.engine.surfaces import KINDS

    height = KINDS[kind]((PIXELS, PIXELS), _PIXEL_NM, seed)
    began = time.perf_counter()
    signal, error = _traced(height, detector, seed, context, walls=walls)
    took = time.perf_counter() - began
    model = forward_model(detector, _PIXEL_NM, azimuths=_AZIMUTHS)
    rendered = model.samples(height, lambda part: context.check()).numpy().reshape(signal.shape)
    difference, mean = signal - rendered, float(rendered.mean())
    standard_error = float(np.sqrt((error**2).sum()) / error.size / mean)
    chi2 = float((difference**2).sum() / (error**2).sum())
    rate = signal.shape[1] * RAYS * (2 if walls else 1) / took
    return kind, "walls" if walls else "triangles", float(difference.mean() / mean), standard_error, chi2, rate


def _traced(height: Float, detector: Detector, seed: int, context: Context, *, walls: bool) -> tuple[Float, Float]:
    """Give signal and error [k, point]."""
    from eclips_app.engine.raytrace import mesh, tracer

    points = np.column_stack([mesh.pixel_positions_nm(height.shape, _PIXEL_NM), height.ravel()])
    normals = mesh.height_normals(height, _PIXEL_NM)
    if not walls:
        surface = mesh.from_height(height, _PIXEL_NM)
        return tracer.trace(surface, points, normals, detector, RAYS, seed, report=lambda part: context.check())
    # Within 45 degrees of a row the renderer steps along columns, else along rows; each segment lies within one kind.
    signal, error = np.empty((2, len(detector.quadrants), len(points)))
    for along_columns in (True, False):
        some = [k for k, s in enumerate(detector.quadrants) if (s.azimuth_deg % 180 < 45) == along_columns]
        part = replace(detector, quadrants=tuple(detector.quadrants[k] for k in some))
        surface = mesh.fences(height, _PIXEL_NM, along_columns=along_columns)
        signal[some], error[some] = tracer.trace(
            surface, points, normals, part, RAYS, seed, report=lambda _: context.check()
        )
    return signal, error
