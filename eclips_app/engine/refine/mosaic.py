"""Tiles of an image put together: height differences averaged where tiles overlap, and integrated over the whole."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.integrators.poisson import solve_poisson
from eclips_app.engine.refine.window import Window

Float = NDArray[np.float32]
OVERLAP_PX = 64


@dataclass(frozen=True)
class Tile:
    """A window of an image; the weights [row, col] of all tiles are 1 together at each pixel."""

    rows: slice
    columns: slice
    weight: Float

    @property
    def spot(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return self.rows, self.columns


def tiles(shape: tuple[int, int], size: int) -> list[Tile]:
    """Give tiles of about a size that cover an image and overlap by `OVERLAP_PX` or a little more."""
    down, across = (_stretches(count, size) for count in shape)
    return [Tile(rows, columns, np.outer(u, v)) for rows, u in down for columns, v in across]


class Heights:
    """Sums of the weighted height differences of tiles."""

    def __init__(self, shape: tuple[int, int]) -> None:
        rows, columns = shape
        self._across, self._down = np.zeros((rows, columns - 1), np.float32), np.zeros((rows - 1, columns), np.float32)

    def add(self, tile: Tile, height: Float) -> None:
        """Take a tile."""
        rows, columns, weight = tile.rows, tile.columns, tile.weight
        # A tile that begins between two pixels does not know their difference; its weight begins with zero.
        self._across[rows, columns.start : columns.stop - 1] += np.diff(height, axis=1) * weight[:, 1:]
        self._down[rows.start : rows.stop - 1, columns] += np.diff(height, axis=0) * weight[1:]

    def integrated(self) -> Float:
        """Give the heights [row, col] whose differences come nearest to these, of mean zero."""
        right = np.zeros((len(self._across), self._down.shape[1]), np.float32)
        right[:, :-1] -= self._across
        right[:, 1:] += self._across
        right[:-1] -= self._down
        right[1:] += self._down
        return np.asarray(solve_poisson(torch.from_numpy(right)).numpy())


@dataclass
class Mosaic:
    """What tiles have found so far: their windows, and how far the last step of each has moved its heights, in nm."""

    window: Window
    heights: Heights
    moved: Heights

    @staticmethod
    def empty(segments: int, shape: tuple[int, int]) -> Mosaic:
        """Give one that holds nothing yet."""
        layers = {"normals": (3, *shape), "residual": (segments, *shape)}
        arrays = {f.name: np.zeros(layers.get(f.name, shape), np.float32) for f in fields(Window)}
        return Mosaic(Window(**arrays), Heights(shape), Heights(shape))

    def add(self, tile: Tile, found: Window, moved: Float) -> None:
        """Take a tile."""
        for field in fields(Window):
            getattr(self.window, field.name)[..., tile.rows, tile.columns] += tile.weight * getattr(found, field.name)
        self.heights.add(tile, found.height)
        self.moved.add(tile, moved)

    def together(self) -> tuple[Window, Float]:
        """Give the whole, and its last step, in nm."""
        normals = self.window.normals / np.linalg.norm(self.window.normals, axis=0)
        values = {f.name: getattr(self.window, f.name) for f in fields(Window)}
        return Window(**{**values, "height": self.heights.integrated(), "normals": normals}), self.moved.integrated()


def _stretches(count: int, size: int) -> list[tuple[slice, Float]]:
    """Cut a line into equal stretches that overlap, with weights that fall to zero where another one goes on."""
    number = max(1, -(-(count - OVERLAP_PX) // max(size - OVERLAP_PX, 1)))
    length = -(-(count + (number - 1) * OVERLAP_PX) // number)
    starts = [min(i * (length - OVERLAP_PX), count - length) for i in range(number)]
    place = np.arange(length)
    ramps = []
    for start in starts:
        before = np.minimum(place / OVERLAP_PX, 1.0) if start else np.ones(length)
        after = np.minimum((length - 1 - place) / OVERLAP_PX, 1.0) if start + length < count else np.ones(length)
        ramps.append(np.minimum(before, after))
    total = np.zeros(count)
    for start, ramp in zip(starts, ramps, strict=True):
        total[start : start + length] += ramp
    return [
        (slice(a, a + length), (ramp / total[a : a + length]).astype(np.float32))
        for a, ramp in zip(starts, ramps, strict=True)
    ]
