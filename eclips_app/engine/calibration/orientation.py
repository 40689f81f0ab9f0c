"""Whether the images stand in the order of the detector's segments: each is brightest where the surface leans its way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import Observation
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.patches import Patches
from eclips_app.engine.calibration.shapes import Shape

Float = NDArray[np.float64]

_STEEPEST = 0.7  #: n_z below which the response folds back
_OFF_DEG = 35.0
_LEAST = 6  #: patches


def measured_azimuths(at: Patches, shape: Shape, values: Float) -> list[float]:
    """Give the azimuth in degrees toward which the surface leans where each segment is brightest; NaN where slopes are alike.

    From a regression of the grey values on the components of the normal, ``a + b n_x + c n_y``.
    """
    slopes = at.averaged(shape.slopes(values, 1.0).T)
    up = 1.0 / np.sqrt(1.0 + (slopes**2).sum(axis=1))
    normals = -slopes * up[:, None]
    used = up > _STEEPEST
    terms = np.column_stack([np.ones(len(up)), normals])[used]
    if used.sum() < _LEAST or np.linalg.svd(terms[:, 1:] - terms[:, 1:].mean(axis=0), compute_uv=False)[-1] < 0.1:
        return [float("nan")] * at.grey.shape[1]
    weights = np.linalg.lstsq(terms, at.grey[used], rcond=None)[0]
    return [float(each) for each in np.rad2deg(np.arctan2(weights[2], weights[1]))]


def check_orientation(observation: Observation, at: Patches, shape: Shape, detector: Detector) -> None:
    """Make sure that the images are in the order of the segments.

    Raises
    ------
    EclipsError
        If they are not, or all are turned, as by a scan rotation.
    """
    values = np.array([unknown.start for unknown in shape.unknowns])
    found = np.array(measured_azimuths(at, shape, values))
    if not np.isfinite(found).all():
        return
    stated = np.array([segment.azimuth_deg for segment in detector.quadrants])
    off = _turn(found - stated)
    if np.abs(off).max() < _OFF_DEG:
        return
    words = ", ".join(f"{s.name} {a:.0f}°" for s, a in zip(detector.quadrants, found, strict=True))
    common = float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(off)).mean())))
    if np.abs(_turn(off - common)).max() < _OFF_DEG:
        raise EclipsError(
            f"all segments are brightest {common:+.0f}° from where the detector file has them ({words})",
            where=observation.name,
            hint="Turn the set by that (scan rotation), or by 180° if a pit was taken for a hill.",
        )
    raise EclipsError(
        f"the segments are brightest toward {words}, which is another order than in the detector file", where=observation.name,
        hint="Check the order of the images.",
    )  # fmt: skip


def _turn(angle: Float) -> Float:
    return np.asarray((angle + 180.0) % 360.0 - 180.0)
