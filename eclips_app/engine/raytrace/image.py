"""Segment images of height maps by following single electrons: the slow model `mc`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.engine.optics.flight import Spectrum
from eclips_app.engine.raytrace.column import column_flight
from eclips_app.engine.raytrace.disc import DiscEmission
from eclips_app.engine.raytrace.mesh import from_height, height_normals, pixel_positions_nm
from eclips_app.engine.raytrace.tracer import trace

Float = NDArray[np.float64]

_MM_PER_NM = 1e-6


def trace_image(
    height_nm: Float,
    spacing_nm: float,
    detector: Detector,
    rays: int = 512,
    seed: int = 0,
    *,
    emission: DiscEmission | None = None,
    spectrum: Spectrum | None = None,
    center_mm: tuple[float, float] | None = None,
    pivot_mm: float | None = None,
    report: Callable[[float], None] | None = None,
) -> tuple[Float, Float]:
    """Give the signal of each segment at each height sample for unit brightness, and its standard error, [k, row, col].

    Parameters
    ----------
    height_nm : array [row, col]
        Made a mesh by `mesh.from_height`, with normals by central differences.
    spacing_nm : float
        Distance of the samples.
    detector : Detector
        Geometry, potentials and threshold; gains and offsets are not applied.
    rays, seed
        As in `tracer.trace`.
    emission : DiscEmission, optional
        Default: Lambert.
    spectrum : (array, array), optional
        Energies as in `column.column_flight`; used with potentials or a threshold.
    center_mm : (float, float), optional
        Middle of the field from the beam's axis: every sample sees the detector from its own place (scan parallax), here to all
        orders. Default: all of the field is on the axis.
    pivot_mm : float, optional
        Height of the point about which the scan pivots, with `center_mm`. Default: the beam comes straight down.
    report : callable, optional
        Called with the part done; may raise to stop.
    """
    shape = height_nm.shape
    xy_nm = pixel_positions_nm(shape, spacing_nm)
    places, beams = None, None
    if center_mm is not None:
        places = (xy_nm - (xy_nm[0] + xy_nm[-1]) / 2) * _MM_PER_NM + center_mm
        if pivot_mm is not None:
            beams = np.column_stack([places, np.full(len(places), -pivot_mm)])
            beams /= np.linalg.norm(beams, axis=1, keepdims=True)
    signal, error = trace(
        from_height(height_nm, spacing_nm), np.column_stack([xy_nm, height_nm.ravel()]),
        height_normals(height_nm, spacing_nm), detector, rays, seed, emission, column_flight(detector, spectrum),
        places, beams, report,
    )  # fmt: skip
    return signal.reshape(-1, *shape), error.reshape(-1, *shape)
