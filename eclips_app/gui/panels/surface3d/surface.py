"""What the 3D panel shows: a run, or, in a project without images, the selected height map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.metrology.placement import Placement
from eclips_app.model.items import HeightMap, Run
from eclips_app.model.measurements import image_pixel_size_nm
from eclips_app.model.placing import frame_map
from eclips_app.model.project import Project


@dataclass(frozen=True, eq=False)
class Surface:
    """A run or height map as heights [row, col] in nm on pixels of a size in nm (x, y)."""

    item: Run | HeightMap
    place: Placement | tuple[int, int]  #: of a map on what shapes are drawn on; of a run its first row and column

    @property
    def height(self) -> NDArray[Any]:
        """Heights [row, col] in nm."""
        return self.item.height if isinstance(self.item, HeightMap) else self.item.arrays["height"]

    @property
    def pixel_size_nm(self) -> tuple[float, float]:
        """Pixel size (x, y) in nm."""
        size = self.item.pixel_size_nm
        return size if isinstance(size, tuple) else (size, size)

    @property
    def origin_px(self) -> tuple[int, int]:
        """Row and column of the first pixel in the uncropped image; of a map its own."""
        return self.item.origin_px if isinstance(self.item, Run) else (0, 0)

    def array(self, name: str) -> NDArray[Any] | None:
        """Give another array of a run; None where there is none."""
        return self.item.arrays.get(name) if isinstance(self.item, Run) else None

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give points [n, (col, row)] of what shapes are drawn on as pixels of the heights."""
        if isinstance(self.place, Placement):
            return np.stack(self.place.to_map(points[:, 0], points[:, 1]), axis=1)
        top, left = self.place
        moved: NDArray[np.float64] = points - (left, top)
        return moved


def surface_of(project: Project, run: Run | None) -> Surface | None:
    """Give the surface of a run, else of the selected height map in a project without images."""
    if run is not None:
        return Surface(run, run.origin_px)
    placed = project.get(HeightMap, project.selection.map_id)
    if placed is None or frame_map(project) is None:
        return None
    return Surface(placed, Placement.of(placed, image_pixel_size_nm(project) or 1.0))
