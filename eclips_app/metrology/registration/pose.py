"""The pose of a map on an image, in nm, and the models by which it may move.

A point v of the map (x right, y up from its middle) lies at ``W(v) = t + A (v + D(row) N c)``: D are the weights of the drift's
knots, N what is left of them without their mean and trend, which shift, stretch and shear tell already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eclips_app.metrology.placement import Placement, decomposed, drift_weights

Floats = NDArray[np.float64]
Model = Literal["shift", "similarity", "affine", "drift"]


@dataclass(frozen=True)
class Frames:
    """Sizes of the map and of the image, which tie the frames in nm to pixels."""

    map_shape: tuple[int, int]
    map_pixel_nm: tuple[float, float]
    image_shape: tuple[int, int]
    image_pixel_nm: float
    origin_px: tuple[float, float] = (0.0, 0.0)  #: (row, col) of the image's first pixel in the uncropped image

    @property
    def image_middle_px(self) -> tuple[float, float]:
        """Middle of the image in pixels (col, row) of the uncropped image."""
        rows, columns = self.image_shape
        return self.origin_px[1] + (columns - 1) / 2, self.origin_px[0] + (rows - 1) / 2

    def map_rows(self, y: Floats) -> Floats:
        """Give the map's rows of points `y` nm above its middle, before their drift."""
        rows: Floats = (self.map_shape[0] - 1) / 2 - y / self.map_pixel_nm[1]
        return rows


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the map lies on the image."""

    shift_nm: Floats  #: t [2]
    matrix: Floats  #: A [2, 2]
    drift_nm: Floats = field(default_factory=lambda: np.zeros((0, 2)))  #: [knot, 2], without mean and trend

    @classmethod
    def similar(cls, x_nm: float, y_nm: float, rotation_deg: float, scale: float = 1.0) -> Pose:
        """Give a pose that turns and scales."""
        turn = math.radians(rotation_deg)
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        return cls(np.array([x_nm, y_nm]), np.array([[cos, -sin], [sin, cos]]))

    @classmethod
    def of_placement(cls, place: Placement, frames: Frames) -> Pose:
        """Give the pose of a placed map; mean and trend of its drift become shift, stretch and shear."""
        middle = frames.image_middle_px
        right, up = place.center_px[0] - middle[0], middle[1] - place.center_px[1]
        shift = np.array([right, up]) * frames.image_pixel_nm
        matrix, knots = place.matrix, np.asarray(place.drift_nm, np.float64).reshape(-1, 2)
        if len(knots):
            y = _knot_heights(len(knots), frames)
            design = np.stack([np.ones_like(y), y], axis=1)
            mean, trend = np.linalg.lstsq(design, knots, rcond=None)[0]
            knots = knots - design @ [mean, trend]
            shift = shift + matrix @ mean
            matrix = matrix @ (np.eye(2) + np.outer(trend, [0.0, 1.0]))
            knots = np.linalg.solve(np.eye(2) + np.outer(trend, [0.0, 1.0]), knots.T).T
        return cls(shift, matrix, knots if np.abs(knots).sum() > 0 else np.zeros((0, 2)))

    def placement(self, frames: Frames) -> Placement:
        """Give the pose in pixels of the uncropped image."""
        rotation, stretch = decomposed(self.matrix)
        column, row = frames.image_middle_px
        center = (
            column + float(self.shift_nm[0]) / frames.image_pixel_nm,
            row - float(self.shift_nm[1]) / frames.image_pixel_nm,
        )
        drift = tuple((float(x), float(y)) for x, y in self.drift_nm)
        return Placement(frames.map_shape, frames.map_pixel_nm, frames.image_pixel_nm, center, rotation, stretch, drift)

    def moved(self, x: Floats, y: Floats, frames: Frames) -> tuple[Floats, Floats]:
        """Give where points of the map lie in the image's frame, in nm."""
        x, y = self.drifted(x, y, frames)
        (a, b), (c, d) = self.matrix
        return self.shift_nm[0] + a * x + b * y, self.shift_nm[1] + c * x + d * y

    def drifted(self, x: Floats, y: Floats, frames: Frames) -> tuple[Floats, Floats]:
        """Give points of the map after the drift of their rows."""
        if not len(self.drift_nm):
            return x, y
        rows, grid = frames.map_rows(y), np.arange(frames.map_shape[0], dtype=np.float64)
        by_row = drift_weights(len(self.drift_nm), grid, frames.map_shape[0]) @ self.drift_nm
        return x + np.interp(rows, grid, by_row[:, 0]), y + np.interp(rows, grid, by_row[:, 1])

    @property
    def scale(self) -> float:
        """Mean stretch."""
        return float(math.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def rotation_deg(self) -> float:
        """Turn, counter-clockwise."""
        return decomposed(self.matrix)[0]


def free_drift(knots: int) -> Floats:
    """Give N [knot, knot - 2]: an orthonormal basis of all drifts without mean and trend."""
    trend = np.stack([np.ones(knots), np.linspace(-1.0, 1.0, knots)], axis=1)
    full, _ = np.linalg.qr(np.concatenate([trend, np.eye(knots)], axis=1))
    return full[:, 2:knots]


def _knot_heights(knots: int, frames: Frames) -> Floats:
    rows = np.linspace(0.0, frames.map_shape[0] - 1.0, knots)
    heights: Floats = ((frames.map_shape[0] - 1) / 2 - rows) * frames.map_pixel_nm[1]
    return heights
