"""What the linear reconstruction reads of a facet whose emission is not Lambert's, and how to read it right.

The linear reconstruction takes signals as ``S n . A_k``. Where a calibration knows the emission, the signals of facets of every
orientation are computed (`calibration.response`), solved as any others, and the table of what is read by what is true is
inverted. It holds where nothing but the facet's own tangent plane blocks the view, as all of the linear reconstruction does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CloughTocher2DInterpolator, NearestNDInterpolator
from scipy.ndimage import map_coordinates

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.stereographic import stereographic

Float = NDArray[np.float64]
Image = NDArray[np.float32]

_STEEPEST_DEG = 68.0  #: true tilt up to which the table holds; steeper readings are scaled as that
_STEP_DEG, _AROUND = 2.0, 72
_NODES = 97  #: of the table along each axis of the stereographic coordinates tan(tilt / 2)
_REACH = 1.0


class Readings:
    """True slopes and brightness of facets by what the linear reconstruction reads of them.

    Attributes
    ----------
    table : array [3, node, node]
        Stereographic coordinates u, v of the true normal, and brightness read over true brightness, over those read.
    gain : float
        Read over true slope of gentle facets.
    """

    def __init__(self, detector: Detector, emission: Emission) -> None:
        from eclips_app.engine.calibration.response import facet_signals  # late: few reconstructions need it

        tilt = np.deg2rad(np.arange(_STEP_DEG / 2, _STEEPEST_DEG + 0.1, _STEP_DEG))
        turn = 2 * np.pi * np.arange(_AROUND) / _AROUND
        slope = np.tan(tilt)[:, None]
        slopes = -np.stack([(slope * np.cos(turn)).ravel(), (slope * np.sin(turn)).ravel()])
        slopes = np.column_stack([[0.0, 0.0], slopes])
        signal = facet_signals(detector, emission)(slopes)
        b = np.linalg.pinv(vectors(detector)) @ signal.T
        read, true = stereographic(-b[:2] / b[2]), stereographic(slopes)
        bright = np.linalg.norm(b, axis=0)
        self.table = _inverted(read, np.stack([*true, bright / bright[0]]))
        self.gain = float(np.mean(np.hypot(*read[:, 1 : 1 + _AROUND]) / np.hypot(*true[:, 1 : 1 + _AROUND])))

    def true(self, p: Image, q: Image) -> tuple[Image, Image, Image]:
        """Give true slopes (right, up) and brightness read over true brightness for slopes as read."""
        at = (stereographic(np.stack([p, q])) / _REACH + 1.0) * (_NODES - 1) / 2
        u, v, bright = (map_coordinates(plane, at, np.float32, order=1, mode="nearest") for plane in self.table)
        factor = -2.0 / np.maximum(1.0 - u**2 - v**2, 1e-3)
        return u * factor, v * factor, bright


def readings(detector: Detector) -> Readings | None:
    """Give the readings of a detector whose calibration knows the emission; None where it is Lambert's or not known."""
    return readings_for(detector, calibrated_emission(detector))


def readings_for(detector: Detector, emission: Emission | None) -> Readings | None:
    """Give the readings of a detector for an emission; None for Lambert's or none."""
    if emission is None or emission.model == "lambert":
        return None
    return _readings(replace(detector, calibration=None), emission)


@lru_cache(maxsize=4)
def _readings(detector: Detector, emission: Emission) -> Readings:
    return Readings(detector, emission)


def _inverted(read: Float, values: Float) -> Float:
    """Give values [c, n] at points read [2, n] on a grid [c, node, node]; beyond the points those of the nearest one, scaled."""
    along = np.linspace(-_REACH, _REACH, _NODES)
    points = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1)
    inside = np.moveaxis(CloughTocher2DInterpolator(read.T, values.T)(points), -1, 0)
    nearest = NearestNDInterpolator(read.T, np.arange(read.shape[1]))(points).astype(int)
    size = np.hypot(*np.moveaxis(points, -1, 0)) / np.maximum(np.hypot(*read)[nearest], 1e-9)
    outside = values[:, nearest] * np.stack([size, size, np.ones_like(size)])
    return np.asarray(np.where(np.isfinite(inside), inside, outside), np.float64)
