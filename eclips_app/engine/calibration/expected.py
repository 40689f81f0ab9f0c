"""What the linear inversion makes of the signals that a detector and an emission model predict.

The inversion is Lambert's. Where emission is not, it reads slopes that are not the surface's, and leaves residuals. Signals of
known slopes go through the same inversion as the measured ones, so that both can be compared whatever the emission is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator, RegularGridInterpolator

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.engine.calibration.response import facet_signals
from eclips_app.engine.stereographic import stereographic

Float = NDArray[np.float64]

STEEPEST_DEG = 70.0  #: tilt up to which signals are predicted
_STEP_DEG = 2.5
_AZIMUTHS = 36
_TURN = 2 * np.pi / _AZIMUTHS
_NODES = 97  #: of the grid in slopes as read
_SLOPE = 0.05  #: over which the share of a segment is linear in the slope


@dataclass(frozen=True, eq=False)
class Inversion:
    """The linear inversion for a detector.

    Attributes
    ----------
    inverse : array [3, k]
        Gives ``b`` of signals.
    left : array [k - 3, k]
        What the fit cannot explain, as directions of length 1.
    """

    inverse: Float
    left: Float

    @classmethod
    def of(cls, vectors: Float) -> Inversion:
        """Make it of acceptance vectors [k, 3]."""
        basis, _, _ = np.linalg.svd(vectors)
        return cls(np.asarray(np.linalg.pinv(vectors), np.float64), basis[:, 3:].T)

    def slopes(self, b: Float) -> Float:
        """Give the slopes [2, n] of b [3, n]; NaN where it does not point up."""
        return np.asarray(-b[:2] / np.where(b[2] > 0, b[2], np.nan))

    def residuals(self, signals: Float) -> Float:
        """Give what is left over of signals [k, n], in parts of their mean over the segments, [k - 3, n]."""
        return np.asarray(self.left @ signals / np.maximum(signals.mean(axis=0), 1e-30))


class Expected:
    """Predictions for one detector and emission model.

    Attributes
    ----------
    shares : array [k]
        Of the segments in the sum, on a level specimen.
    by_slope : array [k, 2]
        Their change with the slopes (right, up).
    reach : float
        Slope as read up to which there are predictions in every direction.
    """

    def __init__(self, detector: Detector, emission: Emission, inversion: Inversion) -> None:
        signals_of = facet_signals(detector, emission)
        tilts, turns = np.deg2rad(np.arange(_STEP_DEG, STEEPEST_DEG + 0.1, _STEP_DEG)), np.arange(_AZIMUTHS) * _TURN
        grid = np.tan(tilts) * np.stack([np.cos(turns), np.sin(turns)])[:, :, None]
        signals = signals_of(np.concatenate([np.zeros((2, 1)), grid.reshape(2, -1)], axis=1)).T
        read = inversion.slopes(inversion.inverse @ signals)
        known, self.reach = _rising(read[:, 1:].reshape(grid.shape))
        known = np.concatenate([[True], known.ravel()])
        sums = signals.sum(axis=0) / signals[:, 0].sum()
        values = np.column_stack([sums, inversion.residuals(signals).T])
        self._interpolate = _on_a_grid(read[:, known], values[known])
        self.shares = signals[:, 0] / signals[:, 0].sum()
        aside = signals_of(_SLOPE * np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])).T
        aside /= aside.sum(axis=0)
        self.by_slope = np.stack([aside[:, 0] - aside[:, 1], aside[:, 2] - aside[:, 3]], axis=1) / (2 * _SLOPE)

    def sums(self, read: Float) -> Float:
        """Give the sum of all signals over that of a level specimen, where slopes [2, n] are read; NaN beyond the reach."""
        return np.asarray(self._interpolate(stereographic(read).T)[:, 0])

    def residuals(self, read: Float) -> Float:
        """Give what the inversion leaves over there, [k - 3, n], as `Inversion.residuals`."""
        return np.asarray(self._interpolate(stereographic(read).T)[:, 1:].T)


def _on_a_grid(read: Float, values: Float) -> RegularGridInterpolator:
    """Resample values [n, m] at slopes [2, n] to a regular grid, on which they are looked up fast; NaN beyond it."""
    at = stereographic(read)
    along = np.linspace(-1.0, 1.0, _NODES) * float(np.hypot(*at).max())
    nodes = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1)
    found = RBFInterpolator(at.T, values)(nodes.reshape(-1, 2)).reshape(_NODES, _NODES, -1)
    return RegularGridInterpolator((along, along), found, bounds_error=False)


def _rising(read: Float) -> tuple[NDArray[np.bool_], float]:
    """Tell up to where slopes as read [2, turn, tilt] grow with the tilt, [turn, tilt], and how far that goes at least.

    On steep faces some segments see nothing any more, and two tilts may read alike.
    """
    length = np.hypot(*read)
    with np.errstate(invalid="ignore"):
        rising = np.diff(length, axis=1, prepend=0.0) > 0
    known = np.logical_and.accumulate(rising, axis=1)
    return known, float(np.where(known, length, 0.0).max(axis=1).min())
