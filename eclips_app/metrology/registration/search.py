"""Exhaustive search: normalised cross-correlation of coarse maps for every shift, over a grid of rotations and scales.

Masked pixels count nowhere [Padfield, IEEE Trans. Image Process. 21 (2012) 2706]. Heights without their slow parts and slope
magnitudes are correlated each, and the mean of both is ranked by its significance, so that a small overlap, where any two
maps look alike, does not win.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from eclips_app.core.context import Context
from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Pose

Floats = NDArray[np.float64]

_LARGEST = 0.995  #: correlations count as no better


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pose with how well it fits on the coarse maps."""

    pose: Pose
    correlation: float
    overlap: float  #: part of the smaller map's area
    score: float  #: correlation in standard deviations of none (Fisher's z)
    method: str = "search"


class Correlator:
    """Correlates an image with turned and scaled copies of a map for all shifts."""

    def __init__(self, image: Grid, placed: Grid, cutoff_nm: float, least_overlap: float = 0.2) -> None:
        self._image, self._map, self._least = image, placed, least_overlap
        self._fields = [grids.clipped(field) for field in _fields(image, cutoff_nm)]
        self._patterns = [grids.clipped(field) for field in _fields(placed, cutoff_nm)]
        self.area_px = max(
            grids.correlation_area_px(a, b) for a, b in zip(self._fields, self._patterns, strict=True)
        )  #: pixels that count as one

    def peaks(self, rotation_deg: float, scale: float, most: int = 3) -> list[Candidate]:
        """Give the best shifts for one rotation and scale, no two next to each other."""
        turned = [_turned(pattern, rotation_deg, scale) for pattern in self._patterns]
        maps = [_correlation(field, pattern) for field, pattern in zip(self._fields, turned, strict=True)]
        correlation = np.mean([each[0] for each in maps], axis=0)
        overlap = maps[0][1]
        area = min(self._fields[0].known.sum(), turned[0].known.sum())
        freedom = np.maximum(overlap / self.area_px - 3.0, 0.0)
        score = np.arctanh(np.clip(correlation, -_LARGEST, _LARGEST)) * np.sqrt(freedom)
        score[overlap < self._least * area] = -np.inf
        reach = 2 * max(2, round(math.sqrt(self.area_px))) + 1
        local = (score == ndimage.maximum_filter(score, reach, mode="constant", cval=-np.inf)) & (score > 0)
        best = sorted(zip(*np.nonzero(local), strict=True), key=lambda at: -score[at])[:most]
        found = []
        for row, column in best:
            pose = self._pose(row, column, rotation_deg, scale, turned[0].known.shape)
            value = float(correlation[row, column])
            found.append(Candidate(pose, value, float(overlap[row, column] / area), float(score[row, column])))
        return found

    def _pose(self, row: int, column: int, rotation: float, scale: float, shape: tuple[int, ...]) -> Pose:
        """Turn a place in the correlation map into the shift of the map's middle."""
        rows, columns = self._image.heights.shape
        top, left = row - (shape[0] - 1), column - (shape[1] - 1)  # of the pattern, in the image's pixels
        x = left + (shape[1] - 1) / 2 - (columns - 1) / 2
        y = (rows - 1) / 2 - (top + (shape[0] - 1) / 2)
        return Pose.similar(x * self._image.pixel_nm, y * self._image.pixel_nm, rotation, scale)


def search(
    correlator: Correlator, rotations_deg: Sequence[float], scales: Sequence[float], context: Context, most: int = 8
) -> list[Candidate]:
    """Give the best poses over a grid of rotations and scales, best first, no two alike."""
    found: list[Candidate] = []
    for number, rotation in enumerate(rotations_deg):
        context.progress(number / len(rotations_deg), "Searching all rotations")
        for scale in scales:
            found += correlator.peaks(rotation, scale)
    return distinct(found, math.sqrt(correlator.area_px) * correlator._image.pixel_nm)[:most]


def distinct(candidates: Iterable[Candidate], apart_nm: float, apart_deg: float = 12.0) -> list[Candidate]:
    """Give the candidates, best first, without those that say nearly what a better one says."""
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda candidate: -candidate.score):
        if not any(is_same(each.pose, other.pose, apart_nm, apart_deg) for other in kept):
            kept.append(each)
    return kept


def is_same(a: Pose, b: Pose, apart_nm: float, apart_deg: float) -> bool:
    """Say whether two poses differ by less than a distance of the middle and an angle."""
    turn = abs((a.rotation_deg - b.rotation_deg + 180.0) % 360.0 - 180.0)
    return bool(np.hypot(*(a.shift_nm - b.shift_nm)) < 3 * apart_nm and turn < apart_deg)


def _fields(grid: Grid, cutoff_nm: float) -> tuple[Grid, Grid]:
    height = grids.high_passed(grid, cutoff_nm)
    return height, grids.high_passed(grids.steepness(grid), cutoff_nm)


def _turned(pattern: Grid, rotation_deg: float, scale: float) -> Grid:
    """Give a map turned and scaled on pixels of the same size, in an array that just holds it."""
    matrix = Pose.similar(0.0, 0.0, rotation_deg, scale).matrix
    extent = np.abs(matrix) @ np.array(pattern.size_nm) / pattern.pixel_nm
    rows, columns = math.ceil(extent[1]), math.ceil(extent[0])
    frame = Grid(np.zeros((rows, columns)), np.zeros((rows, columns), bool), pattern.pixel_nm)
    x, y = frame.places()
    (a, b), (c, d) = np.linalg.inv(matrix)
    at = pattern.index(a * x + b * y, c * x + d * y)
    heights = ndimage.map_coordinates(pattern.heights, at, order=1, mode="constant")
    known = ndimage.map_coordinates(pattern.known.astype(np.float32), at, order=1, mode="constant") > 0.9
    return Grid(np.where(known, heights, 0.0), known, pattern.pixel_nm)


def _correlation(field: Grid, pattern: Grid) -> tuple[Floats, Floats]:
    """Give correlation and overlap in pixels for all shifts [row + rows of the pattern - 1, ...]."""
    size = [a + b - 1 for a, b in zip(field.known.shape, pattern.known.shape, strict=True)]
    shape = [fft.next_fast_len(n, real=True) for n in size]

    def forward(values: Floats, *, reverse: bool = False) -> NDArray[np.complexfloating]:
        found: NDArray[np.complexfloating] = fft.rfft2(values[::-1, ::-1] if reverse else values, shape)
        return found

    def back(product: NDArray[np.complexfloating]) -> Floats:
        found: Floats = fft.irfft2(product, shape)[: size[0], : size[1]]
        return found

    f, m = forward(field.heights), forward(field.known.astype(np.float64))
    g, n = forward(pattern.heights, reverse=True), forward(pattern.known.astype(np.float64), reverse=True)
    count = np.maximum(np.round(back(m * n)), 1.0)
    sum_f, sum_g = back(f * n), back(m * g)
    square_f = back(forward(field.heights**2) * n) - sum_f**2 / count
    square_g = back(m * forward(pattern.heights**2, reverse=True)) - sum_g**2 / count
    power = np.sqrt(np.maximum(square_f, 0.0) * np.maximum(square_g, 0.0))
    floor = 1e-6 * float(power.max())
    correlation = np.where(power > floor, (back(f * g) - sum_f * sum_g / count) / np.maximum(power, floor or 1.0), 0.0)
    return correlation, count
