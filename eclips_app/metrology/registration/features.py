"""Poses from point pairs: features of both maps are matched, and similarities that many pairs agree on are kept.

Pairs come from SIFT [Lowe, Int. J. Comput. Vis. 60 (2004) 91] on heights and on slope magnitudes, or from any other matcher of
grey images. All hypotheses come from two pairs each (RANSAC; Fischler & Bolles, Commun. ACM 24 (1981) 381), drawn with a
fixed seed, so that equal maps give equal results.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Pose

Floats = NDArray[np.float64]

#: Takes two grey images [row, col] in 0 to 1 and gives points (col, row) [n, 2] of both and scores [n], best 1.
Matcher = Callable[[NDArray[np.float32], NDArray[np.float32]], tuple[Floats, Floats, Floats]]

_TRIALS = 20_000
_TOLERANCE_PX = 3.0
_FEWEST = 5  #: pairs that must agree on a pose beside its own two
_MOST_PAIRS = 600


@dataclass(frozen=True, eq=False)
class Pairs:
    """Points of the map and of the image that may be the same, in nm, as complex numbers x + iy."""

    map_points: NDArray[np.complex128]
    image_points: NDArray[np.complex128]
    scores: Floats


@dataclass(frozen=True)
class Limits:
    """How far a pose may turn and scale."""

    rotation_deg: float = 180.0
    scale: float = 1.3  #: largest; its inverse is the smallest

    def allow(self, factor: NDArray[np.complex128]) -> NDArray[np.bool_]:
        """Say which of complex factors (scale and turn) lie inside."""
        size = np.abs(factor)
        turn = np.abs(np.angle(factor, deg=True))
        inside: NDArray[np.bool_] = (size < self.scale) & (size > 1 / self.scale) & (turn <= self.rotation_deg)
        return inside


def match(image: Grid, placed: Grid, cutoff_nm: float, matcher: Matcher | None = None) -> Pairs:
    """Match points of two maps on the same pixels; with the built-in SIFT or another matcher."""
    found = []
    for make in (lambda grid: grid, grids.steepness):
        pictures = [_picture(grids.clipped(grids.high_passed(make(grid), cutoff_nm))) for grid in (image, placed)]
        found.append((matcher or _sift)(*pictures))
    on_image, on_map, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    best = np.argsort(-scores, kind="stable")[:_MOST_PAIRS]
    return Pairs(_places(placed, on_map[best]), _places(image, on_image[best]), scores[best])


def poses(pairs: Pairs, limits: Limits, pixel_nm: float, most: int = 3) -> list[tuple[Pose, int]]:
    """Give poses that many pairs agree on, with their number, best first; a pair serves one pose only."""
    left = np.ones(len(pairs.scores), bool)
    found = []
    for _ in range(most):
        best = _consensus(pairs.map_points[left], pairs.image_points[left], limits, _TOLERANCE_PX * pixel_nm)
        if best is None:
            break
        factor, shift, agreeing = best
        turn = float(np.angle(factor, deg=True))
        found.append((Pose.similar(shift.real, shift.imag, turn, float(abs(factor))), int(agreeing.sum())))
        left[np.flatnonzero(left)[agreeing]] = False
    return found


def _consensus(
    source: NDArray[np.complex128], target: NDArray[np.complex128], limits: Limits, tolerance_nm: float
) -> tuple[complex, complex, NDArray[np.bool_]] | None:
    if len(source) < _FEWEST:
        return None
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(source), (2, _TRIALS))
    apart = np.abs(source[first] - source[second]) > 8 * tolerance_nm
    first, second = first[apart], second[apart]
    factor = (target[first] - target[second]) / (source[first] - source[second])
    allowed = limits.allow(factor)
    factor, first = factor[allowed], first[allowed]
    shift = target[first] - factor * source[first]
    counts = np.zeros(len(factor), int)
    for start in range(0, len(factor), 2000):
        part = slice(start, start + 2000)
        counts[part] = (
            np.abs(target - factor[part, None] * source - shift[part, None]) < tolerance_nm
        ).sum(axis=1)  # fmt: skip
    if not len(counts) or counts.max() < _FEWEST + 2:
        return None
    best = int(np.argmax(counts))
    return _polished(source, target, complex(factor[best]), complex(shift[best]), tolerance_nm)


def _polished(
    source: NDArray[np.complex128], target: NDArray[np.complex128], factor: complex, shift: complex, tolerance_nm: float
) -> tuple[complex, complex, NDArray[np.bool_]]:
    """Fit by least squares to the pairs that agree, twice."""
    agreeing = np.abs(target - factor * source - shift) < tolerance_nm
    for _ in range(2):
        factor, shift = similarity(source[agreeing], target[agreeing])
        agreeing = np.abs(target - factor * source - shift) < 1.5 * tolerance_nm
    return factor, shift, agreeing


def similarity(source: NDArray[np.complex128], target: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Fit ``target = factor * source + shift`` by least squares; the complex factor turns and scales."""
    s, t = source - source.mean(), target - target.mean()
    factor = complex((s.conj() * t).sum() / max(float((np.abs(s) ** 2).sum()), math.ulp(1.0)))
    return factor, complex(target.mean() - factor * source.mean())


def _picture(grid: Grid) -> NDArray[np.float32]:
    return ((grid.heights + 1.0) / 2.0).astype(np.float32)


def _places(grid: Grid, points: Floats) -> NDArray[np.complex128]:
    rows, columns = grid.heights.shape
    x, y = points[:, 0] - (columns - 1) / 2, (rows - 1) / 2 - points[:, 1]
    found: NDArray[np.complex128] = (x + 1j * y) * grid.pixel_nm
    return found


def _sift(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Match by SIFT; the score is one less the ratio of the distances to the best and second-best descriptor."""
    from skimage.feature import SIFT

    points, descriptors = [], []
    for picture in (first, second):
        sift = SIFT(upsampling=1, c_dog=0.006)
        try:
            sift.detect_and_extract(picture)
        except RuntimeError:  # nothing was found
            return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)
        points.append(sift.keypoints[:, ::-1].astype(np.float64))
        descriptors.append(_unit(sift.descriptors.astype(np.float64)))
    return _mutual(points, descriptors)


def _unit(descriptors: Floats) -> Floats:
    """Scale to length one after a square root, which compares histograms better (Arandjelovic & Zisserman, CVPR 2012)."""
    rooted = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12))
    return np.asarray(rooted, np.float64)


def _mutual(points: list[Floats], descriptors: list[Floats]) -> tuple[Floats, Floats, Floats]:
    alike = descriptors[0] @ descriptors[1].T
    if min(alike.shape) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)
    nearest = alike.argmax(axis=1)
    mutual = alike.argmax(axis=0)[nearest] == np.arange(len(alike))
    top = np.sort(alike, axis=1)[:, -2:]
    distance = np.sqrt(np.maximum(2.0 - 2.0 * top, 0.0))
    score = 1.0 - distance[:, 1] / np.maximum(distance[:, 0], 1e-12)
    kept = mutual & (score > 0.05)
    return points[0][kept], points[1][nearest[kept]], score[kept]
