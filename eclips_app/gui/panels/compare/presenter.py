"""What the panel shows of a reconstruction and a height map, worked out without widgets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.deviations import OCCLUDED
from eclips_app.core.units import format_length
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import Source
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import interpolate
from eclips_app.model.items import Comparison, HeightMap, Run

Float = NDArray[np.floating]

DIVERGING = "CET-D1A"  #: colours of what has a sign
_STRIP_ROWS = 64  #: rows that are looked up at once


@dataclass(frozen=True, eq=False)
class Pictures:
    """Both height maps on the pixels of the run, ready to be drawn.

    Attributes
    ----------
    height, placed : array [row, col]
        Heights in nm of the reconstruction and of the map; NaN where nothing is known.
    levels : (float, float)
        Heights in nm at the ends of the colours, for both.
    """

    run: Run
    map: HeightMap
    height: Float
    placed: Float
    levels: tuple[float, float]

    def lower(self, height: Float | None = None, colormap: str | None = "viridis") -> Source:
        """Give the reconstruction, or another height map of its size, in the colours of both."""
        return self._source(self.height if height is None else height, self.levels, colormap)

    def upper(self, colormap: str | None = "viridis") -> Source:
        """Give the map in the colours of both."""
        return self._source(self.placed, self.levels, colormap)

    def difference(self, compared: Comparison | None, *, dilated: bool) -> tuple[Source, float]:
        """Give reconstruction (or what the tip makes of it) minus map, zero in the middle, and the colours' reach in nm."""
        found: Float = self.height - self.placed
        if compared is not None:
            found = compared.arrays["tip_difference" if dilated else "difference"]
        reach = max(abs(level) for level in percentile_levels(found, 1.0, 99.0))
        return self._source(found, (-reach, reach), DIVERGING), reach

    @property
    def overlap(self) -> float:
        """Part of the map's area that lies on the reconstruction, roughly."""
        known = np.isfinite(self.placed[::4, ::4]) & np.isfinite(self.height[::4, ::4])
        area = known.size and float(known.mean()) * self.height.size * self.run.pixel_size_nm**2
        own = self.map.height.size * self.map.pixel_size_nm[0] * self.map.pixel_size_nm[1]
        return min(area / own, 1.0) if own else 0.0

    def _source(self, field: Float, levels: tuple[float, float], colormap: str | None) -> Source:
        rows, columns = self.height.shape
        return Source(field.__getitem__, (rows, columns), levels, self.run.pixel_size_nm, self.run.origin_px, colormap)


def prepare(run: Run, placed: HeightMap) -> Pictures:
    """Bring both onto the pixels of the run; up to a second for large images, so not in the window's thread.

    The map is looked up between its pixels, not averaged over those of the run: this is to look at, and not to measure.
    """
    height = np.asarray(run.arrays["height"], np.float32)
    if "mask" in run.arrays:
        height = np.where(run.arrays["mask"], height, np.float32(np.nan))
    place, (top, left) = Placement.of(placed, run.pixel_size_nm), run.origin_px
    on_grid = np.empty(height.shape, np.float32)
    columns = np.arange(height.shape[1], dtype=float) + left
    for first in range(0, len(height), _STRIP_ROWS):
        rows = np.arange(first, min(first + _STRIP_ROWS, len(height)), dtype=float) + top
        at = np.meshgrid(columns, rows)
        on_grid[first : first + len(rows)] = interpolate(placed.height, *place.to_map(*at)) + place.height_added(*at)
    shared = np.where(np.isfinite(on_grid), height, np.float32(np.nan))
    levels = percentile_levels(shared if np.isfinite(shared[::4, ::4]).any() else height)
    return Pictures(run, placed, height, on_grid, levels)


def placed_low(placed: HeightMap) -> tuple[Float, int]:
    """Give a map's own heights thinned out for the screen, and the distance of the rows and columns kept."""
    step = max(1, math.ceil(max(placed.height.shape) / 1024))
    return np.asarray(placed.height[::step, ::step], np.float32), step


def uncertain_flags(compared: Comparison | None) -> NDArray[np.uint8] | None:
    """Give flags where the map shows its tip and not the surface; None without a model of the tip."""
    certain = compared.arrays.get("certain") if compared is not None else None
    if compared is None or certain is None:
        return None
    known = np.isfinite(compared.arrays["difference"])
    return np.where(known & ~certain, np.uint8(OCCLUDED), np.uint8(0))


def reading(pictures: Pictures, compared: Comparison | None, col: float, row: float) -> str:
    """Tell the values at a pixel of the uncropped image."""
    top, left = pictures.run.origin_px
    r, c = round(row) - top, round(col) - left
    rows, columns = pictures.height.shape
    if not (0 <= r < rows and 0 <= c < columns):
        return ""
    own, other = float(pictures.height[r, c]), float(pictures.placed[r, c])
    difference = float(compared.arrays["difference"][r, c]) if compared is not None else own - other
    words = (("reconstruction", own), ("map", other), ("difference", difference))
    told = [f"{name} {format_length(value)}" for name, value in words if math.isfinite(value)]
    return "   ".join([f"({c + left}, {r + top}) px", *told])


def scale_marks(reach_nm: float) -> list[tuple[float, str]]:
    """Give the words along the colours of a difference."""
    most = format_length(reach_nm, 3)
    return [(0.0, f"−{most}"), (0.5, "0"), (1.0, f"+{most}")]


def height_marks(levels: tuple[float, float]) -> list[tuple[float, str]]:
    """Give the words along the colours of heights."""
    return [(0.0, format_length(levels[0], 3)), (1.0, format_length(levels[1], 3))]


def quantity_words(quantity: Mapping[str, Any] | None) -> str:
    """Write a value with its standard deviation, as far as that is known."""
    if quantity is None or quantity.get("value") is None:
        return "–"
    value, std, unit = float(quantity["value"]), quantity.get("std"), str(quantity.get("unit", ""))
    sign = {"deg": "°"}.get(unit, f" {unit}" if unit else "")
    if not std:
        return f"{value:.4g}{sign}"
    digits = max(0, min(6, 1 - math.floor(math.log10(std))))
    return f"{value:.{digits}f} ± {std:.{digits}f}{sign}"
