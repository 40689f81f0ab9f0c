"""How sure a reading is: the covariance of a height map, told part by part.

`core.deviations` says what the maps are. A reading that follows the heights linearly, as ``a.h``, changes by ``a.d_i`` with
map i; its variance is the sum of the squares of these *effects*, and each part of the budget has its own share of the sum.

The maps of the noise are random draws. The standard deviation from K of them has itself a relative error of about
``1 / sqrt(2 K)``: 18 % for 16 draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.deviations import PARTS
from eclips_app.core.errors import EclipsError

Floats = NDArray[np.float64]

_WORDS = {
    "distance_mm": "distance", "inner_radius_mm": "inner radius", "outer_radius_mm": "outer radius",
    "center_x_mm": "axis offset x", "center_y_mm": "axis offset y", "tilt_x_deg": "tilt about x",
    "tilt_y_deg": "tilt about y", "azimuth_deg": "azimuth", "samples": "size of the pixels",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Footprint:
    """How each point of a profile is averaged from pixels.

    Attributes
    ----------
    pixels : array [p]
        Indices into the flattened map of all pixels that the profile touches, each once.
    place : array [m, point]
        Indices into `pixels`; m is the same for all points, some with weight 0.
    weight : array [m, point]
        Weights; their sum is 1, or 0 where nothing was measured.
    """

    pixels: NDArray[np.intp]
    place: NDArray[np.intp]
    weight: NDArray[np.float32]

    @classmethod
    def bilinear(cls, shape: tuple[int, ...], columns: Floats, rows: Floats, known: NDArray[np.bool_]) -> Footprint:
        """Give the mean over the width of all samples [across, along] that are `known`, at points in the map's pixels."""
        c, r = np.clip(columns, 0, shape[1] - 1), np.clip(rows, 0, shape[0] - 1)
        c0, r0 = c.astype(np.intp), r.astype(np.intp)
        fc, fr = c - c0, r - r0
        corner, right, down = r0 * shape[1] + c0, (fc > 0).astype(np.intp), (fr > 0) * shape[1]
        index = np.stack([corner, corner + right, corner + down, corner + down + right])
        weight = np.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc])
        weight *= known / np.maximum(known.sum(axis=0), 1)
        points = columns.shape[1]
        # Samples share their pixels: turning each pixel's numbers into single precision once is what counts for time.
        first = int(index.min())
        touched = np.zeros(int(index.max()) - first + 1, bool)
        touched[index - first] = True
        pixels = np.flatnonzero(touched)
        place = np.empty(len(touched), np.intp)
        place[pixels] = np.arange(len(pixels))
        shared = place[index - first].reshape(-1, points)
        return cls(pixels + first, shared, weight.reshape(-1, points).astype(np.float32))

    def of(self, array: NDArray[np.floating]) -> Floats:
        """Average a map [row, col] as the profile does; gives [point]."""
        values = array.reshape(-1)[self.pixels].astype(np.float32)
        found: Floats = np.einsum("ij,ij->j", values[self.place], self.weight).astype(np.float64)
        return found

    def transposed(self, gradient: Floats, shape: tuple[int, int]) -> Floats:
        """Give the weights [row, col] of a functional of the map that weighs the profile's points by `gradient` [point]."""
        weights = np.zeros(shape[0] * shape[1])
        weights[self.pixels] = np.bincount(self.place.ravel(), (self.weight * gradient).ravel(), len(self.pixels))
        return weights.reshape(shape)


@dataclass(frozen=True, eq=False)
class Deviations:
    """The covariance of a height map as maps, and what each of them stands for.

    Attributes
    ----------
    maps : array [n, row, col]
        In units of the pixel size.
    parts : tuple of (str, str)
        Part of the budget (see `core.deviations.PARTS`) and name of each map.
    pixel_size_nm : float
        Pixel size in nm.
    lengths : array [n]
        Relative change of all lengths in the image plane that goes with each map: 0 but for the pixel size. A wrong pixel
        size changes heights and lengths alike, so that angles stay.
    not_stated : tuple of str
        Parts about which nothing is stated, and which are therefore in no standard deviation.
    """

    maps: NDArray[np.floating]
    parts: tuple[tuple[str, str], ...]
    pixel_size_nm: float
    lengths: Floats
    not_stated: tuple[str, ...] = ()

    @classmethod
    def of_run(
        cls, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], params: Mapping[str, Any]
    ) -> Deviations | None:
        """Give those of a run from its arrays, facts and parameters; None where it has none (linear and older runs).

        Raises
        ------
        EclipsError
            If the facts do not name a part for each map.
        """
        if "deviations" not in arrays:
            return None
        maps, named = arrays["deviations"], info.get("deviation_parts", [])
        if maps.ndim != 3 or len(named) != len(maps):
            raise EclipsError(f"{len(named)} parts are named for deviations of the shape {maps.shape}", where="run")
        parts = tuple((str(part), str(name)) for part, name in named)
        percent = (params.get("tolerances") or {}).get("pixel_size_percent") or 0.0
        lengths = np.array([0.01 * percent if part == "pixel size" else 0.0 for part, _ in parts])
        return cls(maps, parts, float(params["pixel_size_nm"]), lengths, tuple(info.get("not_stated", ())))

    def along(self, footprint: Footprint) -> Floats:
        """Give the deviations [n, point] of a profile in nm."""
        found: Floats = np.stack([footprint.of(each) for each in self.maps]) if len(self.maps) else np.zeros((0, 0))
        return found * self.pixel_size_nm

    def std_of_length(self, length_nm: float) -> float | None:
        """Give the standard deviation of a length in the image plane; None where nothing is stated about the pixel size."""
        relative = float(np.linalg.norm(self.lengths))
        return abs(length_nm) * relative if relative else None

    def at(self, row: int, column: int) -> Floats:
        """Give the effects [n] on the height of one pixel, in nm."""
        found: Floats = self.maps[:, row, column].astype(np.float64) * self.pixel_size_nm
        return found

    def budget(self, effects: Floats) -> Budget:
        """Give the budget of a reading from the effects [n] of the maps on it."""
        squares: dict[str, dict[str, float]] = {}
        for (part, name), effect in zip(self.parts, effects, strict=True):
            inside = squares.setdefault(part, {})
            kind = "" if name.startswith("draw ") else name  # a single draw means nothing
            inside[kind] = inside.get(kind, 0.0) + float(effect) ** 2
        total = sum(sum(inside.values()) for inside in squares.values())
        order = sorted(squares, key=lambda part: list(PARTS).index(part) if part in PARTS else len(PARTS))
        shares = tuple(_share(part, squares[part], total) for part in order)
        return Budget(math.sqrt(total), shares, self.not_stated)


@dataclass(frozen=True)
class Share:
    """What one part of the budget gives to a reading's variance."""

    part: str
    std: float  #: in the reading's unit, of this part alone
    percent: float  #: of the variance
    largest: str = ""  #: what gives most within the part, in words; empty where it is not divided

    @property
    def text(self) -> str:
        """The share in words: "geometry 60 % (distance)"."""
        return f"{self.part} {self.percent:.0f} %" + (f" ({self.largest})" if self.largest else "")


@dataclass(frozen=True)
class Budget:
    """Where a reading's standard deviation comes from."""

    std: float
    shares: tuple[Share, ...]  #: in the order of `core.deviations.PARTS`; percents add up to 100
    not_stated: tuple[str, ...] = ()

    @property
    def largest(self) -> Share | None:
        """The part that gives most; None where nothing gives anything."""
        share = max(self.shares, key=lambda each: each.percent, default=None)
        return share if share is not None and share.percent > 0 else None

    @property
    def text(self) -> str:
        """The shares in one line, those that round to nothing left out."""
        return ", ".join(share.text for share in self.shares if share.percent >= 0.5)

    @property
    def not_stated_text(self) -> str:
        """What the standard deviation does not hold: "not stated: geometry, pixel size"; empty where all is stated."""
        return f"not stated: {', '.join(self.not_stated)}" if self.not_stated else ""

    def to_json(self) -> list[dict[str, Any]]:
        """Give the shares as JSON values, fields as in `Share`."""
        return [asdict(share) for share in self.shares]


def name_in_words(name: str) -> str:
    """Say what the name of a map means: "distance_mm" is "distance", "gain:E" is "gain of E"."""
    kind, _, segment = name.partition(":")
    return _WORDS.get(name, f"{kind} of {segment}" if segment else name)


def _share(part: str, squares: dict[str, float], total: float) -> Share:
    variance = sum(squares.values())
    divided = len(squares) > 1 and variance > 0
    largest = name_in_words(max(squares, key=lambda name: squares[name])) if divided else ""
    return Share(part, math.sqrt(variance), 100 * variance / total if total > 0 else 0.0, largest)
