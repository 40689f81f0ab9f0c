"""Where the images of a mosaic stand: around a compass, each on the side from which its segment sees the specimen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from eclips_app.commands.edits import rings
from eclips_app.core.detector import Detector


@dataclass(frozen=True)
class Cell:
    """A place in units of the mosaic's width and height."""

    x: float
    y: float
    width: float
    height: float


#: Middles of the cells (column, row; right and down) and size of arrangements, in cells.
_Arrangement = tuple[tuple[tuple[float, float], ...], float, float]
_TRIANGLES: tuple[_Arrangement, ...] = (
    (((0.0, -0.5), (-0.5, 0.5), (0.5, 0.5)), 2, 2),
    (((0.0, 0.5), (-0.5, -0.5), (0.5, -0.5)), 2, 2),
    (((0.5, 0.0), (-0.5, -0.5), (-0.5, 0.5)), 2, 2),
    (((-0.5, 0.0), (0.5, -0.5), (0.5, 0.5)), 2, 2),
)
_FOURS: tuple[_Arrangement, ...] = (
    (((-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)), 2, 2),
    (((0.0, -0.5), (0.0, 0.5), (-1.0, 0.0), (1.0, 0.0)), 3, 2),  # bricks: left and right between the rows
    (((0.0, -1.0), (0.0, 1.0), (-0.5, 0.0), (0.5, 0.0)), 2, 3),
)
_RING: tuple[_Arrangement, ...] = (
    (tuple((float(x), float(y)) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y), 3, 3),
)
_SMALL_DEG = 12.0  #: arrangements whose directions are this much alike (rms) are chosen by the size of the images


def mosaic_cells(detector: Detector | None, count: int, aspect: float, image_aspect: float = 1.0) -> list[Cell]:
    """Give the place of each image.

    Parameters
    ----------
    detector : Detector or None
        With as many segments as there are images it decides where they stand; else they stand in a grid in their order.
    count : int
        Number of images.
    aspect, image_aspect : float
        Width over height of the mosaic and of an image.
    """
    if detector is None or len(detector.quadrants) != count:
        return _grid(count, aspect, image_aspect)
    by_ring = rings(detector)
    if any(len(ring) > 8 or len(ring) < 3 for ring in by_ring):
        return _grid(count, aspect, image_aspect)
    wide = aspect >= 1.0
    share = len(by_ring)
    found: dict[int, Cell] = {}
    for place, ring in enumerate(by_ring):
        azimuths = [detector.quadrants[k].azimuth_deg for k in ring]
        cells = ring_cells(azimuths, aspect / share if wide else aspect * share, image_aspect)
        for k, cell in zip(ring, cells, strict=True):
            if wide:
                found[k] = Cell((place + cell.x) / share, cell.y, cell.width / share, cell.height)
            else:
                found[k] = Cell(cell.x, (place + cell.y) / share, cell.width, cell.height / share)
    return [found[k] for k in range(count)]


def ring_cells(azimuths_deg: Sequence[float], aspect: float, image_aspect: float = 1.0) -> list[Cell]:
    """Give the cells of one ring of 3 to 8 segments by their azimuths (0 right, 90 up)."""
    arrangements = {3: _TRIANGLES, 4: _FOURS}.get(len(azimuths_deg), _RING)
    best: tuple[tuple[float, float], list[Cell]] | None = None
    for middles, columns, rows in arrangements:
        cost, chosen = _assign(azimuths_deg, middles)
        size = min(aspect / columns / image_aspect, 1.0 / rows)  # height of an image in the mosaic's heights
        rank = (0.0 if cost < _SMALL_DEG else cost, -size)
        if best is None or rank < best[0]:
            best = rank, [_cell(*middles[i], columns, rows) for i in chosen]
    assert best is not None
    return best[1]


def _assign(azimuths_deg: Sequence[float], middles: Sequence[tuple[float, float]]) -> tuple[float, list[int]]:
    """Give each azimuth a cell in that direction: rms difference in degrees, and the cells' indices."""
    count = len(azimuths_deg)
    angles = [math.degrees(math.atan2(-y, x)) for x, y in middles]
    around = sorted(range(len(middles)), key=lambda i: angles[i] % 360.0)
    segments = sorted(range(count), key=lambda k: azimuths_deg[k] % 360.0)
    best: tuple[float, list[int]] = (math.inf, [])
    for subset in itertools.combinations(around, count):
        for turn in range(count):
            pairs = [(segments[i], subset[(i + turn) % count]) for i in range(count)]
            cost = math.sqrt(sum(_apart(azimuths_deg[k], angles[c]) ** 2 for k, c in pairs) / count)
            if cost < best[0] - 1e-9:
                best = cost, [c for _, c in sorted(pairs)]
    return best


def _cell(x: float, y: float, columns: float, rows: float) -> Cell:
    return Cell((x - 0.5) / columns + 0.5, (y - 0.5) / rows + 0.5, 1 / columns, 1 / rows)


def _grid(count: int, aspect: float, image_aspect: float) -> list[Cell]:
    """Place images row by row, in as many columns as make them largest."""
    shapes = [(columns, math.ceil(count / columns)) for columns in range(1, count + 1)]
    columns, rows = max(shapes, key=lambda shape: min(aspect / shape[0] / image_aspect, 1.0 / shape[1]))
    return [Cell(k % columns / columns, k // columns / rows, 1 / columns, 1 / rows) for k in range(count)]


def _apart(one_deg: float, other_deg: float) -> float:
    return abs((one_deg - other_deg + 180.0) % 360.0 - 180.0)
