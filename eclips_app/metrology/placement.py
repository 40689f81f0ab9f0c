"""Where a height map lies on an image: the geometry between the map's pixels and those of the image, both ways.

Points are (col, row) counted from the centre of the top-left pixel, of the map and of the *uncropped* image. A point of the
map at (x right, y up) nm from its centre is moved by the drift of its row, stretched by ``S = [[s_x, s_xy], [0, s_y]]``, turned
counter-clockwise by `rotation_deg`, and laid with the centre onto `center_px`. Every linear map that does not mirror is such a
turn after such a stretch (QR decomposition), so that nothing is told twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float]

_TABLE_STEPS = 4  #: steps per row of the table that undoes a drift


class PlacedMap(Protocol):
    """A height map with pixels of its own that was placed on an image, such as `model.items.HeightMap`."""

    @property
    def height(self) -> NDArray[np.floating]:
        """Height [row, col] in nm."""

    @property
    def pixel_size_nm(self) -> tuple[float, float]:
        """Pixel size (x, y) in nm."""

    @property
    def center_px(self) -> Point:
        """Where the map's centre lies in the image: (col, row)."""

    @property
    def rotation_deg(self) -> float:
        """Turn of the map, counter-clockwise as seen, in degrees."""

    @property
    def z_offset_nm(self) -> float:
        """Height added to the map, in nm."""

    @property
    def stretch(self) -> tuple[float, float, float]:
        """Stretch along x, along y, and shear."""

    @property
    def drift_nm(self) -> tuple[tuple[float, float], ...]:
        """Drift (x, y) in nm at knots spread evenly from the first to the last row."""

    @property
    def z_slope(self) -> tuple[float, float]:
        """Rise to image right and image up that is added to the map."""


@dataclass(frozen=True)
class Placement:
    """A map of `shape` (rows, columns) on an image; the fields after the sizes are those of `model.items.HeightMap`."""

    shape: tuple[int, int]
    map_pixel_nm: tuple[float, float]  #: pixel size of the map (x, y)
    image_pixel_nm: float  #: pixel size of the image
    center_px: Point = (0.0, 0.0)
    rotation_deg: float = 0.0
    stretch: tuple[float, float, float] = (1.0, 1.0, 0.0)
    drift_nm: tuple[tuple[float, float], ...] = ()
    z_offset_nm: float = 0.0
    z_slope: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, placed: PlacedMap, image_pixel_nm: float) -> Placement:
        """Give that of a placed map on an image with pixels of `image_pixel_nm`."""
        rows, columns = placed.height.shape
        return cls(
            (rows, columns), placed.pixel_size_nm, image_pixel_nm, placed.center_px, placed.rotation_deg,
            placed.stretch, placed.drift_nm, placed.z_offset_nm, placed.z_slope,
        )  # fmt: skip

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of `model.items.HeightMap` that say where the map lies."""
        names = ("center_px", "rotation_deg", "stretch", "drift_nm", "z_offset_nm", "z_slope")
        return {name: getattr(self, name) for name in names}

    @property
    def matrix(self) -> Floats:
        """Turn after stretch, [2, 2]: from (x right, y up) nm of the map to those of the image."""
        turn = math.radians(self.rotation_deg)
        along, up, shear = self.stretch
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        matrix: Floats = rotation @ np.array([[along, shear], [0.0, up]])
        return matrix

    def to_image(self, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Give the (columns, rows) in the image of points in the map."""
        map_rows, map_columns = self.shape
        x = (np.asarray(columns, np.float64) - (map_columns - 1) / 2) * self.map_pixel_nm[0]
        y = ((map_rows - 1) / 2 - np.asarray(rows, np.float64)) * self.map_pixel_nm[1]
        if self.drift_nm:
            moved_x, moved_y = drift_at(self.drift_nm, rows, map_rows)
            x, y = x + moved_x, y + moved_y
        (a, b), (c, d) = self.matrix / self.image_pixel_nm
        return self.center_px[0] + a * x + b * y, self.center_px[1] - (c * x + d * y)

    def to_map(self, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Give the (columns, rows) in the map of points in the image."""
        right, up = columns - self.center_px[0], self.center_px[1] - rows
        (a, b), (c, d) = np.linalg.inv(self.matrix) * self.image_pixel_nm
        x, y = a * right + b * up, c * right + d * up
        size_x, size_y = self.map_pixel_nm
        map_rows, map_columns = self.shape
        if self.drift_nm:
            row = self._row_before_drift(y)
            return (x - drift_at(self.drift_nm, row, map_rows)[0]) / size_x + (map_columns - 1) / 2, row
        return x / size_x + (map_columns - 1) / 2, (map_rows - 1) / 2 - y / size_y

    def height_added(self, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> Floats:
        """Give what is added to the map's heights at points in the image, in nm."""
        right = (np.asarray(columns, np.float64) - self.center_px[0]) * self.image_pixel_nm
        up = (self.center_px[1] - np.asarray(rows, np.float64)) * self.image_pixel_nm
        added: Floats = self.z_offset_nm + self.z_slope[0] * right + self.z_slope[1] * up
        return added

    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Give the outer corners of the map in the image: top left, top right, bottom right, bottom left."""
        rows, columns = self.shape
        x = np.array([-0.5, columns - 0.5, columns - 0.5, -0.5])
        y = np.array([-0.5, -0.5, rows - 0.5, rows - 0.5])
        found = [(float(column), float(row)) for column, row in zip(*self.to_image(x, y), strict=True)]
        return found[0], found[1], found[2], found[3]

    def _row_before_drift(self, y: Floats) -> Floats:
        """Undo the drift along y: the row whose points lie at `y` nm above the centre after it."""
        map_rows = self.shape[0]
        table = np.linspace(0.0, map_rows - 1.0, _TABLE_STEPS * (map_rows - 1) + 1)
        height = ((map_rows - 1) / 2 - table) * self.map_pixel_nm[1] + drift_at(self.drift_nm, table, map_rows)[1]
        down = np.maximum.accumulate(-height)  # a drift that turns the scan back has no single answer
        row = np.interp(-y, down, table)
        beyond = np.where(-y < down[0], -y - down[0], np.where(-y > down[-1], -y - down[-1], 0.0))
        moved: Floats = row + beyond / self.map_pixel_nm[1]
        return moved


def drift_at(
    knots_nm: tuple[tuple[float, float], ...] | Floats, rows: NDArray[np.floating], map_rows: int
) -> tuple[Floats, Floats]:
    """Give the drift (x, y) in nm of rows of a map, from `knots_nm` spread evenly from the first to the last row.

    A cubic spline runs through the knots (fewer than four: a straight line between them); beyond the map it stays as it is
    at the border.
    """
    knots = np.asarray(knots_nm, np.float64)
    weights = drift_weights(len(knots), np.arange(map_rows, dtype=np.float64), map_rows)
    at_rows = weights @ knots
    grid = np.arange(map_rows)
    return np.interp(rows, grid, at_rows[:, 0]), np.interp(rows, grid, at_rows[:, 1])


def drift_weights(knots: int, rows: NDArray[np.floating], map_rows: int) -> Floats:
    """Give the weights [row, knot] with which drift knots make up the drift of rows."""
    place = np.linspace(0.0, map_rows - 1.0, knots) if knots > 1 else np.zeros(1)
    inside = np.clip(np.asarray(rows, np.float64), 0.0, map_rows - 1.0)
    if knots < 4:
        return np.stack([np.interp(inside, place, unit) for unit in np.eye(knots)], axis=1)
    from scipy.interpolate import CubicSpline

    weights: Floats = CubicSpline(place, np.eye(knots))(inside)
    return weights


def decomposed(matrix: Floats) -> tuple[float, tuple[float, float, float]]:
    """Give `rotation_deg` and `stretch` of a linear map [2, 2] that does not mirror (the reverse of `Placement.matrix`)."""
    turn = math.atan2(matrix[1, 0], matrix[0, 0])
    cos, sin = math.cos(turn), math.sin(turn)
    stretch = np.array([[cos, sin], [-sin, cos]]) @ matrix
    return math.degrees(turn), (float(stretch[0, 0]), float(stretch[1, 1]), float(stretch[0, 1]))
