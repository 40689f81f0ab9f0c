"""Height maps as triangles: STL, PLY and VTP, all binary, lengths in nm.

Two triangles for each four pixels, seen counter-clockwise from above; a triangle with a corner without height is left out. The
map is written in bands of rows, so that memory stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.plugin_api.protocols import Surface
from eclips_app.version import VERSION

_BAND_POINTS = 1 << 17
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PLY_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_stl(path: Path, surface: Surface, context: Context) -> None:
    """Write binary STL; the header says that the unit is nm, which the format itself cannot."""
    mesh = _Mesh(surface)
    with path.open("wb") as file:
        file.write(f"ECLIPS {VERSION} height map, unit nm".encode().ljust(80))
        file.write(np.uint32(mesh.triangle_count).tobytes())
        for first, end in mesh.bands(context):
            corners = mesh.points(first, end + 1)[mesh.triangles(first, end, numbered=False)]
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            triangles = np.zeros(len(corners), _STL_TRIANGLE)
            triangles["normal"] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
            triangles["corners"] = corners
            file.write(triangles.tobytes())


def write_ply(path: Path, surface: Surface, context: Context) -> None:
    """Write binary PLY with, where known, normals, standard deviation of the height and grey value of each point."""
    mesh = _Mesh(surface)
    point = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), *((name, dtype) for name, dtype, _ in mesh.extras)])
    words = {"<f4": "float", "u1": "uchar"}
    names = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), *((name, dtype) for name, dtype, _ in mesh.extras)]
    header = [
        "ply", "format binary_little_endian 1.0", f"comment ECLIPS {VERSION} height map, unit nm",
        f"element vertex {mesh.point_count}", *(f"property {words[dtype]} {name}" for name, dtype in names),
        f"element face {mesh.triangle_count}", "property list uchar int vertex_indices", "end_header", "",
    ]  # fmt: skip
    with path.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        for first, end in mesh.bands(context, cells=False):
            points = np.empty(int(mesh.valid[first:end].sum()), point)
            points["x"], points["y"], points["z"] = mesh.valid_points(first, end).T
            for name, _, values in mesh.extras:
                points[name] = mesh.at_points(values)(first, end)
            file.write(points.tobytes())
        for first, end in mesh.bands(context):
            corners = mesh.triangles(first, end)
            faces = np.empty(len(corners), _PLY_FACE)
            faces["count"], faces["corners"] = 3, corners
            file.write(faces.tobytes())


def write_vtp(path: Path, surface: Surface, context: Context) -> None:
    """Write VTK PolyData as XML with appended raw data; heights, deviations and grey values are point data."""
    mesh = _Mesh(surface)
    points, triangles = mesh.point_count, mesh.triangle_count
    scalars = [("height_nm", "<f4", surface.height), *mesh.extras]
    blocks = _Blocks()
    data = "".join(blocks.array(name, dtype, points) for name, dtype, _ in scalars)
    text = (
        '<?xml version="1.0"?>\n<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'
        f'<!-- ECLIPS {VERSION}, lengths in nm -->\n<PolyData><Piece NumberOfPoints="{points}" NumberOfVerts="0" '
        f'NumberOfLines="0" NumberOfStrips="0" NumberOfPolys="{triangles}">\n'
        f'<PointData Scalars="height_nm">\n{data}</PointData>\n'
        f"<Points>\n{blocks.array('Points', '<f4', points, 3)}</Points>\n"
        f"<Polys>\n{blocks.array('connectivity', '<i4', 3 * triangles)}{blocks.array('offsets', '<i4', triangles)}</Polys>\n"
        '</Piece></PolyData>\n<AppendedData encoding="raw">\n_'
    )
    with path.open("wb") as file:
        file.write(text.encode())
        for _, dtype, values in scalars:
            _write_block(file, dtype, points, mesh.at_points(values), mesh, context, cells=False)
        _write_block(file, "<f4", 3 * points, mesh.valid_points, mesh, context, cells=False)
        _write_block(file, "<i4", 3 * triangles, mesh.triangles, mesh, context)
        offsets = np.arange(3, 3 * triangles + 1, 3, dtype="<i4")
        file.write(np.uint64(offsets.nbytes).tobytes() + offsets.tobytes())
        file.write(b"\n</AppendedData>\n</VTKFile>\n")


class _Mesh:
    """The points and triangles of a height map, by bands of rows."""

    def __init__(self, surface: Surface) -> None:
        self._z = surface.height
        self._size_x, self._size_y = surface.pixel_sizes_nm
        self.valid: NDArray[np.bool_] = np.isfinite(surface.height)
        self.rows, self.columns = surface.height.shape
        lower_left, upper_right = _cells(self.valid)
        self.point_count = int(self.valid.sum())
        self.triangle_count = int(lower_left.sum()) + int(upper_right.sum())
        if self.triangle_count == 0:
            raise EclipsError("the height map has no four neighbouring heights to make triangles of")
        self._number = np.cumsum(self.valid.ravel(), dtype=np.int32).reshape(self.valid.shape) - np.int32(1)
        self.extras = _extras(surface)  #: name, type and values [row, col] of what else is known of each point

    def bands(self, context: Context, *, cells: bool = True) -> Iterator[tuple[int, int]]:
        """Give first and end row of each band: of points, or of cells between points."""
        rows = self.rows - 1 if cells else self.rows
        step = max(1, _BAND_POINTS // self.columns)
        for first in range(0, rows, step):
            context.progress(first / rows, "Writing triangles" if cells else "Writing points")
            yield first, min(rows, first + step)

    def points(self, first: int, end: int) -> NDArray[np.float32]:
        """Give x, y, z in nm of all points of some rows, [n, 3]."""
        z = self._z[first:end]
        x = np.arange(self.columns) * self._size_x
        y = (self.rows - 1 - np.arange(first, end)) * self._size_y
        grid = [np.broadcast_to(x, z.shape), np.broadcast_to(y[:, None], z.shape), z]
        return np.stack(grid, axis=-1).reshape(-1, 3).astype(np.float32)

    def valid_points(self, first: int, end: int) -> NDArray[np.float32]:
        """Give x, y, z in nm of the points of some rows that have a height."""
        return self.points(first, end)[self.valid[first:end].ravel()]

    def at_points(self, values: NDArray[Any]) -> Callable[[int, int], NDArray[Any]]:
        """Give a function that takes the values [row, col] at the points with a height from some rows."""
        return lambda first, end: values[first:end][self.valid[first:end]]

    def triangles(self, first: int, end: int, numbered: bool = True) -> NDArray[np.int32]:
        """Give the corners [n, 3] of the triangles of some rows of cells.

        Numbered among the points with a height; else among all points of `points(first, end + 1)`.
        """
        rows = slice(first, end + 1)
        number = self._number[rows]
        if not numbered:
            number = np.arange(number.size, dtype=np.int32).reshape(number.shape)
        lower_left, upper_right = _cells(self.valid[rows])
        a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
        lower = np.stack([a[lower_left], c[lower_left], d[lower_left]], axis=1)
        upper = np.stack([a[upper_right], d[upper_right], b[upper_right]], axis=1)
        return np.concatenate([lower, upper])


def _cells(valid: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell for each cell of four pixels whether its lower left and its upper right triangle have all corners."""
    diagonal = valid[:-1, :-1] & valid[1:, 1:]
    return diagonal & valid[1:, :-1], diagonal & valid[:-1, 1:]


def _extras(surface: Surface) -> list[tuple[str, str, NDArray[Any]]]:
    found: list[tuple[str, str, NDArray[Any]]] = []
    if surface.normals is not None:
        found += [(name, "<f4", surface.normals[i]) for i, name in enumerate(("nx", "ny", "nz"))]
    if surface.height_std is not None:
        found.append(("height_std_nm", "<f4", surface.height_std))
    if surface.texture is not None:
        found += [(name, "u1", surface.texture) for name in ("red", "green", "blue")]
    return found


class _Blocks:
    """Counts where the arrays of a VTP file begin while their headers are written."""

    def __init__(self) -> None:
        self._offset = 0

    def array(self, name: str, dtype: str, count: int, components: int = 1) -> str:
        """Give the header of an array of `count` tuples and move on by its size."""
        words = {"<f4": "Float32", "<i4": "Int32", "u1": "UInt8"}
        text = (
            f'<DataArray type="{words[dtype]}" Name={quoteattr(name)} NumberOfComponents="{components}" '
            f'format="appended" offset="{self._offset}"/>\n'
        )
        self._offset += 8 + count * components * np.dtype(dtype).itemsize
        return text


def _write_block(
    file: BinaryIO,
    dtype: str,
    count: int,
    values: Callable[[int, int], NDArray[Any]],
    mesh: _Mesh,
    context: Context,
    *,
    cells: bool = True,
) -> None:
    """Write an appended array: its size in bytes, then its values by bands."""
    file.write(np.uint64(count * np.dtype(dtype).itemsize).tobytes())
    for first, end in mesh.bands(context, cells=cells):
        file.write(values(first, end).astype(dtype).tobytes())
