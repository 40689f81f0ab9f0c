"""Acceptance vectors of a reconstruction and how they change over the field (scan parallax)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Reconstruct
from eclips_app.engine import acceptance, solve
from eclips_app.engine.prepare import Crop

_NM_PER_MM = 1e6


@dataclass(frozen=True)
class Geometry:
    """Acceptance vectors, scaled to a mean z component of 1, and their first-order change with the beam's position."""

    vectors: NDArray[np.float64]  #: [k, 3]
    along_x: NDArray[np.float64]  #: [k, 3] per mm
    along_y: NDArray[np.float64]
    mixing_x: NDArray[np.float64]  #: [3, 3] per mm: a specimen b at x reads as ``b + x mixing_x b``
    mixing_y: NDArray[np.float64]
    x: NDArray[np.float32]  #: beam position of each column in mm
    y: NDArray[np.float32]  #: beam position of each row in mm, up

    @property
    def parallax_radius_mm(self) -> tuple[float, float]:
        """Radii of curvature as which a flat specimen reads without correction; see `acceptance.parallax_radius_mm`."""
        return float(-1.0 / self.mixing_x[0, 2]), float(-1.0 / self.mixing_y[1, 2])


def geometry(params: Reconstruct, crop: Crop, shape: tuple[int, int]) -> Geometry:
    """Give the geometry of a reconstruction; `shape` is that of the uncropped images.

    Raises
    ------
    EclipsError
        If the segments do not determine a slope.
    """
    vectors = acceptance.vectors(params.detector)
    if not solve.determines(vectors):
        raise EclipsError(
            "the segments of the detector do not tell the two slopes apart",
            where="quadrants",
            hint="Check the azimuths; three segments must point into different directions.",
        )
    along_x, along_y = acceptance.vector_gradients(params.detector)
    scale = vectors[:, 2].mean()
    inverse = np.linalg.pinv(vectors)
    row, column = params.axis_px or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    pixel_mm = params.pixel_size_nm / _NM_PER_MM
    rows, columns = crop.shape
    return Geometry(
        vectors / scale,
        along_x / scale,
        along_y / scale,
        inverse @ along_x,
        inverse @ along_y,
        ((np.arange(columns) + crop.first_column - column) * pixel_mm).astype(np.float32),
        ((row - np.arange(rows) - crop.first_row) * pixel_mm).astype(np.float32),
    )
