"""Connected parts of a map, merged where they nearly touch, the small ones counted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label, maximum_filter

_DIAGONALS_TOO = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Region:
    """A part of a map.

    Attributes
    ----------
    box : (slice, slice)
        Rows and columns that hold it.
    inside : bool array
        Of the box: which pixels belong to it.
    """

    box: tuple[slice, slice]
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))

    def of(self, field: NDArray[np.generic]) -> NDArray[np.generic]:
        """Give the values [..., n] of a map [..., row, col] in the region."""
        return field[(..., *self.box)][..., self.inside]


@dataclass(frozen=True)
class Regions:
    """Regions from large to small, and how many pixels are in pieces too small to be told."""

    large: tuple[Region, ...]
    crumbs: int


def regions_of(found: NDArray[np.bool_], *, reach: int = 0, least: int = 1) -> Regions:
    """Give the connected regions of a map.

    Parameters
    ----------
    found : bool array [row, col]
    reach : int
        Pieces at most twice as many pixels apart are one region.
    least : int
        Pixels that a region has at least.
    """
    grown = maximum_filter(found, 2 * reach + 1) if reach else found
    labels, _ = label(grown, _DIAGONALS_TOO)
    labels[~found] = 0
    areas = np.bincount(labels.ravel())
    boxes = find_objects(labels)
    numbers = [number for number in np.argsort(-areas, kind="stable").tolist() if number and areas[number]]
    large = [number for number in numbers if areas[number] >= least]
    crumbs = sum(int(areas[number]) for number in numbers if areas[number] < least)
    return Regions(tuple(Region(b, labels[b] == n) for n in large if (b := boxes[n - 1]) is not None), crumbs)
