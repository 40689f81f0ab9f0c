"""What a plugin implements. Nothing is inherited: an object with these names and types is a plugin.

Frame of all heights: row 0 is at the top, x runs right with the columns, y up against the rows, z up; lengths in nm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.model.items import HeightMap, SegmentImage


@dataclass(frozen=True)
class Surface:
    """A height map on its way to a file."""

    height: NDArray[Any]  #: float [row, col] in nm; NaN where there is no height
    pixel_size_nm: float
    title: str = "height"
    height_std: NDArray[Any] | None = None  #: standard deviation [row, col] in nm
    normals: NDArray[Any] | None = None  #: components x, y, z [3, row, col]
    texture: NDArray[Any] | None = None  #: grey values 0 to 255 [row, col] to paint the surface with
    provenance: dict[str, Any] = field(default_factory=dict)  #: how the height was made, as JSON
    pixel_size_y_nm: float | None = None  #: where pixels are not square: their size along y

    @property
    def pixel_sizes_nm(self) -> tuple[float, float]:
        """Pixel size along x and y in nm."""
        return self.pixel_size_nm, self.pixel_size_y_nm or self.pixel_size_nm


@runtime_checkable
class Exporter(Protocol):
    """Writes height maps. `write` gets a path that does not exist yet and is put in place when it returns."""

    name: str  #: what a file dialog shows, such as "Gwyddion"
    suffixes: tuple[str, ...]  #: in lower case with the dot

    def write(self, path: Path, surface: Surface, context: Context) -> None:
        """Write the surface to `path`; raise `EclipsError` for what the user can mend."""


@runtime_checkable
class SegmentReader(Protocol):
    """Reads segment images of a kind that the program does not know."""

    name: str
    suffixes: tuple[str, ...]

    def sniff(self, path: Path) -> float:
        """Say how sure it is that the file can be read: 0 (no) to 1, from the first bytes and quickly."""

    def read_segments(self, path: Path) -> tuple[SegmentImage, ...]:
        """Read all images of the file, each [row, col] as stored."""


@runtime_checkable
class HeightMapReader(Protocol):
    """Reads height maps of a kind that the program does not know."""

    name: str
    suffixes: tuple[str, ...]

    def sniff(self, path: Path) -> float:
        """Say how sure it is that the file can be read: 0 (no) to 1, from the first bytes and quickly."""

    def read_height_map(self, path: Path) -> HeightMap:
        """Read the height map; NaN where nothing was measured."""


@runtime_checkable
class MapMatcher(Protocol):
    """Finds points that two pictures of the same surface share."""

    name: str

    def match(
        self, first: NDArray[np.float32], second: NDArray[np.float32], folder: Path | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Match two grey pictures [row, col] with values in 0 to 1.

        Parameters
        ----------
        folder : Path, optional
            Where the user keeps the model that the matcher loads; nothing is fetched from a network.

        Returns
        -------
        tuple of arrays
            Points (col, row) [n, 2] in the first picture, the same in the second, and a score [n] for each pair, best 1.

        Raises
        ------
        EclipsError
            If the folder does not hold what the matcher needs.
        """
