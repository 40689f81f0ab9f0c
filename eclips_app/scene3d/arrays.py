"""The numbers behind a drawn surface: mesh and slopes of a height map. Plain numpy, so that a thread can make them.

Scene frame: nm from the middle of the map, x right, y up (minus rows), z from the middle of the height range; heights keep
their own scale, exaggeration is the drawing's business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class HeightField:
    """A height map [row, col] in nm, NaN where nothing is known, with the size of a pixel along x and y in nm."""

    height: Float32
    pixel_size_nm: tuple[float, float]
    low_nm: float  #: lowest and highest known height
    high_nm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height.shape[0], self.height.shape[1]

    @property
    def size_nm(self) -> tuple[float, float]:
        """Extent along x and y, from the first pixel's centre to the last one's."""
        rows, columns = self.shape
        return (columns - 1) * self.pixel_size_nm[0], (rows - 1) * self.pixel_size_nm[1]

    @property
    def middle_nm(self) -> float:
        """Height at z = 0 of the scene."""
        return 0.5 * (self.low_nm + self.high_nm)

    def to_scene(self, col: NDArray[Any], row: NDArray[Any], z_nm: NDArray[np.floating]) -> Float32:
        """Turn pixel positions and heights into scene coordinates [..., 3] in nm."""
        width, depth = self.size_nm
        x = np.asarray(col) * self.pixel_size_nm[0] - width / 2
        y = depth / 2 - np.asarray(row) * self.pixel_size_nm[1]
        return np.stack([x, y, np.asarray(z_nm) - self.middle_nm], axis=-1).astype(np.float32)

    def from_scene(self, points_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scene coordinates [..., 3] in nm into (col, row, height in nm)."""
        width, depth = self.size_nm
        col = (points_nm[..., 0] + width / 2) / self.pixel_size_nm[0]
        row = (depth / 2 - points_nm[..., 1]) / self.pixel_size_nm[1]
        return np.stack([col, row, points_nm[..., 2] + self.middle_nm], axis=-1)


def height_field(
    height: NDArray[np.floating],
    pixel_size_nm: float | tuple[float, float],
    valid: NDArray[np.bool_] | None = None,
) -> HeightField:
    """Check a height map and take out what is not valid.

    Parameters
    ----------
    height : array [row, col]
        In nm; not finite where unknown.
    pixel_size_nm : float or (float, float)
        Along x and y.
    valid : array [row, col] of bool
        False where the height rests on nothing; None: everywhere true.

    Raises
    ------
    EclipsError
        If the map is smaller than 2 x 2 pixels, the mask has another shape, or the pixel size is not positive.
    """
    size = (pixel_size_nm, pixel_size_nm) if isinstance(pixel_size_nm, (int, float)) else pixel_size_nm
    if height.ndim != 2 or min(height.shape) < 2:
        raise EclipsError(
            f"a height map of shape {height.shape} cannot be drawn", hint="It needs 2 x 2 pixels or more."
        )
    if valid is not None and valid.shape != height.shape:
        raise EclipsError(
            f"the mask has the shape {valid.shape}, the height map {height.shape}", hint="Use its own mask."
        )
    if not all(np.isfinite(size)) or min(size) <= 0:
        raise EclipsError(f"the pixel size {size} nm is not positive", hint="Give a length above zero.")
    known = np.isfinite(height) if valid is None else np.isfinite(height) & valid
    clean = np.where(known, height, np.nan).astype(np.float32)
    clean.flags.writeable = False
    if not known.any():
        return HeightField(clean, size, 0.0, 0.0)
    return HeightField(clean, size, float(np.nanmin(clean)), float(np.nanmax(clean)))


@dataclass(frozen=True)
class Mesh:
    """Triangles over every `stride`-th pixel: points [n, 3] in scene nm, texture coordinates [n, 2], triangles [m, 3]."""

    stride: int
    points: Float32
    texture_coordinates: Float32
    triangles: NDArray[np.int32]


def mesh(field: HeightField, stride: int) -> Mesh:
    """Triangulate a height map.

    At stride 1 a triangle is there only if its three pixels are known. A coarse mesh may cover small holes; the
    texture of slopes cuts them out of the picture.
    """
    rows, cols = (_samples(n, stride) for n in field.shape)
    z = _coarse_heights(field.height, rows, cols, stride)
    grid_cols, grid_rows = np.meshgrid(cols, rows)
    points = field.to_scene(grid_cols, grid_rows, z).reshape(-1, 3)
    n_rows, n_cols = field.shape
    texture = np.stack([(grid_cols + 0.5) / n_cols, (grid_rows + 0.5) / n_rows], axis=-1)
    triangles = _triangles(np.isfinite(z))
    np.nan_to_num(points, copy=False)  # points of no triangle, but VTK takes bounds from all
    return Mesh(stride, points, texture.reshape(-1, 2).astype(np.float32), triangles)


def heights_of(field: HeightField, stride: int) -> Float32:
    """Give the z column of `mesh(field, stride).points`: new heights for a mesh whose triangles stay."""
    rows, cols = (_samples(n, stride) for n in field.shape)
    z = _coarse_heights(field.height, rows, cols, stride) - np.float32(field.middle_nm)
    result: Float32 = np.nan_to_num(z).ravel().astype(np.float32)
    return result


def slopes(field: HeightField) -> Float32:
    """Give dh/dx, dh/dy (y up) and 1 where the height is known, 0 elsewhere: float32 [row, col, 3].

    Central differences; one-sided at edges and beside holes.
    """
    result = np.empty((*field.shape, 3), np.float32)
    known = np.isfinite(field.height)
    result[..., 0] = _derivative(field.height, 1) / np.float32(field.pixel_size_nm[0])
    result[..., 1] = _derivative(field.height, 0) / np.float32(-field.pixel_size_nm[1])
    result[..., 2] = known
    return result


def coarse_slopes(field: HeightField, most_px: int) -> Float32:
    """Give the slopes of every few pixels, about `most_px` an edge: enough for a first picture."""
    step = max(1, max(field.shape) // most_px)
    if min(field.shape) < 2 * step:
        return slopes(field)
    x, y = field.pixel_size_nm
    return slopes(replace(field, height=field.height[::step, ::step], pixel_size_nm=(x * step, y * step)))


def _derivative(height: Float32, axis: int) -> Float32:
    """Difference per pixel along an axis: the mean of those of the two steps that are known, 0 without any."""
    step = np.moveaxis(np.diff(height, axis=axis), axis, 0)
    known = np.isfinite(step)
    step = np.where(known, step, np.float32(0))
    total = np.zeros((step.shape[0] + 1, step.shape[1]), np.float32)
    count = np.zeros(total.shape, np.uint8)
    total[:-1] += step
    total[1:] += step
    count[:-1] += known
    count[1:] += known
    total /= np.maximum(count, 1)
    return np.moveaxis(total, 0, axis)


def _samples(n: int, stride: int) -> NDArray[np.intp]:
    """Every `stride`-th index and the last, so that every mesh has the map's extent."""
    at = np.arange(0, n, stride)
    return at if at[-1] == n - 1 else np.append(at, n - 1)


def _coarse_heights(height: Float32, rows: NDArray[np.intp], cols: NDArray[np.intp], stride: int) -> Float32:
    """Heights at the samples; an unknown one is the mean of what is known around it, so that coarse holes do not grow."""
    z: Float32 = height[np.ix_(rows, cols)]
    holes = np.argwhere(~np.isfinite(z)) if stride > 1 else np.empty((0, 2), np.intp)
    if holes.size == 0:
        return z
    known = np.isfinite(height)
    counts = _block_sums(known.astype(np.float64), rows, cols, stride)
    sums = _block_sums(np.where(known, height, 0).astype(np.float64), rows, cols, stride)
    with np.errstate(invalid="ignore"):
        means = (sums / counts).astype(np.float32)
    return _grown(np.where(np.isfinite(z), z, means))


def _grown(z: Float32) -> Float32:
    """Give unknown points beside known ones the mean of those: triangles then reach over the edge of a hole."""
    padded = np.pad(z, 1, constant_values=np.nan)
    rows, columns = z.shape
    around = np.stack([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])
    known = np.isfinite(around)
    with np.errstate(invalid="ignore"):
        means = np.where(known, around, 0).sum(axis=0) / known.sum(axis=0)
    return np.where(np.isfinite(z), z, means.astype(np.float32))


def _block_sums(
    values: NDArray[np.float64], rows: NDArray[np.intp], cols: NDArray[np.intp], stride: int
) -> NDArray[np.float64]:
    """Give sums over the blocks of `stride` pixels around the samples."""
    starts = [np.maximum(at - stride // 2, 0) for at in (rows, cols)]
    sums: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    return sums


def _triangles(known: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Two triangles in each cell of the grid of points, counter-clockwise from above, where all corners are known."""
    i = np.arange(known.size, dtype=np.int32).reshape(known.shape)
    a, b, c, d = i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]
    result = np.empty((*a.shape, 2, 3), np.int32)
    for k, corner in enumerate((a, d, c, a, c, b)):
        result[..., k // 3, k % 3] = corner
    triangles = result.reshape(-1, 3)
    return triangles if known.all() else triangles[known.ravel()[triangles].all(axis=1)]
