"""Triangulated surfaces, lengths in nm, frame x right, y up, z toward the pole piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

Float = NDArray[np.float64]
Int = NDArray[np.int32]


@dataclass(frozen=True)
class Mesh:
    """Triangles in space; they stop electrons from both sides, so that their winding matters only for `normals`.

    Attributes
    ----------
    vertices : array [v, 3]
        Corners in nm.
    triangles : int array [t, 3]
        Indices of corners, counter-clockwise seen from outside.
    """

    vertices: Float
    triangles: Int

    def __post_init__(self) -> None:
        vertices, triangles = self.vertices, self.triangles
        if vertices.ndim != 2 or vertices.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
            raise EclipsError(
                f"no mesh: vertices {vertices.shape}, triangles {triangles.shape}", hint="Give [n, 3] each."
            )
        if len(triangles) == 0:
            raise EclipsError("the mesh has no triangles")
        if triangles.min() < 0 or triangles.max() >= len(vertices):
            raise EclipsError("a triangle of the mesh names a vertex that is not there", hint="Export the mesh again.")
        if not np.isfinite(vertices).all():
            raise EclipsError("the mesh has vertices that are not finite numbers", hint="Repair it first.")

    @property
    def corners(self) -> Float:
        """Corners of each triangle in nm, [t, 3, 3]."""
        return np.asarray(self.vertices[self.triangles], dtype=np.float64)

    @property
    def size_nm(self) -> float:
        """Diagonal of the bounding box in nm."""
        return float(np.linalg.norm(np.ptp(self.vertices, axis=0)))

    def normals(self) -> Float:
        """Give the unit normal of each triangle, [t, 3]; that of a triangle without area is 0."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        across = np.cross(b - a, c - a)
        length = np.linalg.norm(across, axis=1, keepdims=True)
        return np.asarray(across / np.where(length > 0, length, 1.0))


def join(*meshes: Mesh) -> Mesh:
    """Put several meshes into one; nothing is cut where they meet."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(triangles).astype(np.int32))


def from_height(height: NDArray[Any], pixel_size_nm: float) -> Mesh:
    """Make a mesh from heights, two triangles for each cell between four pixel centres.

    Parameters
    ----------
    height : array [row, col]
        Heights in nm. The pixel (row, col) is the vertex ``row * columns + col`` at x = col, y = -row pixel sizes.
    pixel_size_nm : float
        Distance of neighbouring pixels in nm.

    Notes
    -----
    The diagonal runs from the upper left pixel of a cell (row, col) to its lower right one (row + 1, col + 1). The fast renderer
    knows no diagonals: it interpolates along grid lines, and the two agree to the discretisation (see `refined`).
    """
    rows, columns = _grid_shape(height)
    vertices = np.concatenate([pixel_positions_nm((rows, columns), pixel_size_nm), np.reshape(height, (-1, 1))], axis=1)
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    upper_left, upper_right = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    lower_left, lower_right = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    below = np.stack([upper_left, lower_left, lower_right], axis=1)
    above = np.stack([upper_left, lower_right, upper_right], axis=1)
    return Mesh(np.asarray(vertices, dtype=np.float64), np.concatenate([below, above]))


def fences(height: NDArray[Any], pixel_size_nm: float, *, along_columns: bool) -> Mesh:
    """Make upright walls below the grid lines of a height map: the surface that a march from grid line to grid line knows.

    A march along columns asks for the height only where a ray crosses the line ``col = const``, linearly interpolated between
    its pixels. It is blocked exactly if the ray meets one of the walls below these lines (`along_columns`), which go down to one
    pixel size below the lowest point. Positions as in `from_height`.
    """
    rows, columns = _grid_shape(height)
    top = np.asarray(height, dtype=np.float64).ravel()
    place = pixel_positions_nm((rows, columns), pixel_size_nm)
    bottom = np.full_like(top, top.min() - pixel_size_nm)
    vertices = np.concatenate([np.column_stack([place, top]), np.column_stack([place, bottom])])
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    first, second = (index[:-1], index[1:]) if along_columns else (index[:, :-1], index[:, 1:])
    a, b, count = first.ravel(), second.ravel(), rows * columns
    walls = [np.stack([a, b, b + count], axis=1), np.stack([a, b + count, a + count], axis=1)]
    return Mesh(vertices, np.concatenate(walls).astype(np.int32))


def pixel_positions_nm(shape: tuple[int, int], pixel_size_nm: float) -> Float:
    """Give x and y in nm of each pixel centre, [row * col, 2], the upper left one at the origin."""
    row, column = np.indices(shape)
    return np.asarray(np.column_stack([column.ravel(), -row.ravel()]) * pixel_size_nm, dtype=np.float64)


def height_normals(height: NDArray[Any], pixel_size_nm: float) -> Float:
    """Give unit normals from central differences (one-sided at the border), [row * col, 3]."""
    down, right = np.gradient(np.asarray(height, dtype=np.float64), pixel_size_nm)
    normals = np.stack([-right.ravel(), down.ravel(), np.ones(right.size)], axis=1)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True), dtype=np.float64)


def refined(height: NDArray[Any], factor: int) -> Float:
    """Interpolate bilinearly to `factor` times finer pixels; the old pixels are every `factor`-th of the new ones.

    Central differences at the old pixels stay what they were.
    """
    rows, columns = _grid_shape(height)
    fine = _finer(rows, factor) @ np.asarray(height, dtype=np.float64) @ _finer(columns, factor).T
    return np.asarray(fine, dtype=np.float64)


def _finer(count: int, factor: int) -> Float:
    """Give the matrix of linear interpolation between `count` points."""
    place = np.arange((count - 1) * factor + 1) / factor
    return np.asarray(np.maximum(1.0 - np.abs(place[:, None] - np.arange(count)), 0.0))


def _grid_shape(height: NDArray[Any]) -> tuple[int, int]:
    if height.ndim != 2 or min(height.shape) < 2:
        raise EclipsError(
            f"heights of shape {height.shape} span no surface", hint="Give rows and columns, two or more."
        )
    return height.shape
