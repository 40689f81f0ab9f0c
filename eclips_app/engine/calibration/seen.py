"""An observation as a fit sees it, and where the beam stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import Observation
from eclips_app.core.tolerance import GEOMETRY
from eclips_app.engine.calibration.patches import Patches
from eclips_app.engine.calibration.shapes import Shape

Float = NDArray[np.float64]

_MM_PER_NM = 1e-6


@dataclass(frozen=True)
class Seen:
    """An observation with its patches and the shape of its object.

    Attributes
    ----------
    observation : Observation
        Completed.
    labels : array [row, col]
        Number of the area that each pixel of the crop belongs to; negative where not used.
    patches : Patches
    shape : Shape, optional
        None for dark frames.
    is_cap : bool
        Whether the outline of a sphere of unknown radius is not its equator.
    """

    observation: Observation
    labels: NDArray[np.integer]
    patches: Patches
    shape: Shape | None
    is_cap: bool = False

    def positions_mm(self, aspect: float) -> Float:
        """Give where the beam stands on each cell (x, y) [2, n] in mm from the axis."""
        axis = self.observation.axis_px
        assert axis is not None  # completed
        size = self.observation.pixel_size_nm * _MM_PER_NM
        return np.stack([(self.patches.columns - axis[1]) * size, (axis[0] - self.patches.rows) * size * aspect])


def displacement(position: Float, curvature: float, geometry: Float) -> Float:
    """Give how the detector lies otherwise [8, n] as seen from each beam position [2, n] in mm: moved, and turned with the beam.

    `curvature` in 1/m is that of the beam's arrival, 1/P for a pivot P above the specimen (`acceptance.incidence`).
    """
    moved = np.zeros((len(GEOMETRY), position.shape[1]))
    about_x, about_y = -position[1] * curvature * 1e-3, position[0] * curvature * 1e-3
    distance = geometry[GEOMETRY.index("distance_mm")]
    moved[GEOMETRY.index("center_x_mm")] = -position[0] + distance * about_y
    moved[GEOMETRY.index("center_y_mm")] = -position[1] - distance * about_x
    moved[GEOMETRY.index("tilt_x_deg")] = np.rad2deg(about_x)
    moved[GEOMETRY.index("tilt_y_deg")] = np.rad2deg(about_y)
    return moved
