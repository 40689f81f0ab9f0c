"""Figures of a height map beside the truth: height error, facets of known angle, steps, edges, imprint of the material.

A facet is found in the true normals. Lines one pixel wide across it, straight uphill, give its angle (a line fitted to the points
on its interior), the step (mean levels beyond both ends) and the width of its edge. Each of the first two is a `Functional`, a
weighted sum of heights, so that its error, its stated deviation and its bound are those of the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float = NDArray[np.float64]

_INCLINED_DEG = 10.0  #: what is less is no face
_SAME_DEG = 1.5  #: tilts of one face: mixed pixels and a wavy edge spread them
_COMMON = 0.3  #: of the inclined pixels that must have the tilt of a face: spheres and roughness have no such tilt
_LEAST_PX = 12
_LEVEL_DEG = 3.5
_STEP_PX = 0.5
_GAP_PX = 4.0  #: from a face's interior to the terrace: mixed pixels, and the probe
_LEVEL_PX = 5.0
_REACH_PX = 8  #: from the border between materials


@dataclass(frozen=True)
class Functional:
    """A weighted sum of heights at points between pixels (bilinear)."""

    rows: Float
    columns: Float
    coefficients: Float

    def of(self, height: NDArray[Any]) -> float:
        """Give its value on a map [row, col]."""
        taken = ndimage.map_coordinates(np.asarray(height, float), (self.rows, self.columns), order=1, mode="nearest")
        return float(self.coefficients @ taken)

    def weights(self, shape: tuple[int, ...]) -> Float:
        """Give the weight of each pixel [row, col]."""
        found = np.zeros(shape)
        top, left = np.floor(self.rows).astype(int), np.floor(self.columns).astype(int)
        down, right = self.rows - top, self.columns - left
        for i, part_i in ((0, 1 - down), (1, down)):
            for j, part_j in ((0, 1 - right), (1, right)):
                place = np.minimum(top + i, shape[0] - 1), np.minimum(left + j, shape[1] - 1)
                np.add.at(found, place, self.coefficients * part_i * part_j)
        return found


@dataclass(frozen=True)
class Across:
    """A line across a face.

    Attributes
    ----------
    face : int
        Number of the face.
    slope : Functional
        Uphill slope of the line fitted to its interior, in units of height per pixel.
    step : Functional or None
        Mean level above minus mean level below; None where the neighbours are not level.
    edge : tuple of arrays
        Rows and columns from the middle of one level to that of the other; empty without `step`.
    """

    face: int
    slope: Functional
    step: Functional | None
    edge: tuple[Float, Float]

    def angle_deg(self, height: NDArray[Any], pixel_size_nm: float) -> float:
        """Give the angle of the face on a height map in nm."""
        return float(np.rad2deg(np.arctan(self.slope.of(height) / pixel_size_nm)))

    def width_px(self, height: NDArray[Any]) -> float:
        """Give the distance between 10 and 90 % of the way from level to level; NaN where it is not gone."""
        taken = ndimage.map_coordinates(np.asarray(height, float), self.edge, order=1)
        ends = max(1, round(_LEVEL_PX / 2 / _STEP_PX))
        low, high = taken[:ends].mean(), taken[-ends:].mean()
        if high <= low:
            return float("nan")
        gone = (taken - low) / (high - low)
        places = [_first_above(gone, level) for level in (0.1, 0.9)]
        return _STEP_PX * (places[1] - places[0])


def _first_above(values: Float, level: float) -> float:
    """Give the place, in points, where values first rise through a level."""
    above = np.flatnonzero((values[1:] >= level) & (values[:-1] < level))
    if not above.size:
        return float("nan")
    i = int(above[0])
    return i + float((level - values[i]) / (values[i + 1] - values[i]))


def find_faces(normals: Float) -> tuple[NDArray[np.intp], float] | None:
    """Find the faces of the steepest common tilt in true normals [3, row, col].

    Returns
    -------
    tuple or None
        Numbers of the faces [row, col], 0 for none, without a border of a pixel; and their tilt in degrees. None where no
        tilt is common enough.
    """
    tilt = np.rad2deg(np.arccos(np.clip(normals[2], -1.0, 1.0)))
    inclined = tilt[tilt > _INCLINED_DEG]
    candidates = np.arange(_INCLINED_DEG, 85.0, 0.5)
    shares = [float((np.abs(inclined - each) < _SAME_DEG).mean()) if inclined.size else 0.0 for each in candidates]
    common = candidates[np.array(shares) >= _COMMON]
    if not common.size:
        return None
    near = inclined[np.abs(inclined - (common.max() - _SAME_DEG)) < _SAME_DEG]
    steepest = float(np.median(near))
    core = ndimage.binary_erosion(np.abs(tilt - steepest) < _SAME_DEG, np.ones((3, 3)))
    labels, count = ndimage.label(core, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = np.flatnonzero(sizes >= _LEAST_PX)
    return (np.where(np.isin(labels, kept), labels, 0), steepest) if kept.size else None


def lines_across(normals: Float, count: int = 300, seed: int = 0) -> list[Across]:
    """Draw lines across the faces of a surface with the true normals [3, row, col]; none where there are no faces."""
    found = find_faces(normals)
    if found is None:
        return []
    labels, _ = found
    places = np.argwhere(labels > 0)
    rng = np.random.default_rng(seed)
    chosen = places[rng.choice(len(places), min(count, len(places)), replace=False)]
    lines = (_line(normals, labels, (int(row), int(column))) for row, column in chosen)
    return [line for line in lines if line is not None]


def _line(normals: Float, labels: NDArray[np.intp], place: tuple[int, int]) -> Across | None:
    """Lay a line uphill through a pixel of a face; None where fewer than three points are on the interior."""
    x, y = normals[0][place], normals[1][place]
    uphill = np.array([y, -x]) / np.hypot(x, y)  # rows run down
    first, last = (_end(labels, place, sign * uphill) for sign in (-1, 1))
    if first + last < 2.0:
        return None
    at = np.linspace(-first, last, 1 + int((first + last) / _STEP_PX))
    lever = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    slope = Functional(*_points(place, uphill, at), lever)
    step, edge = _step(normals, place, uphill, (-first, last))
    return Across(int(labels[place]), slope, step, edge)


def _end(labels: NDArray[np.intp], place: tuple[int, int], direction: Float) -> float:
    """Give how far a face goes on from a pixel, in pixels."""
    at = np.arange(0.0, sum(labels.shape), _STEP_PX)
    rows, columns = (np.rint(each).astype(int) for each in _points(place, direction, at))
    inside = (rows >= 0) & (columns >= 0) & (rows < labels.shape[0]) & (columns < labels.shape[1])
    there = inside.copy()
    there[inside] = labels[rows[inside], columns[inside]] == labels[place]
    return float(at[int(np.argmin(there)) - 1])


def _step(
    normals: Float, place: tuple[int, int], uphill: Float, ends: tuple[float, float]
) -> tuple[Functional | None, tuple[Float, Float]]:
    """Give the step functional and the points of the edge, where both sides are level."""
    low = np.arange(ends[0] - _GAP_PX - _LEVEL_PX, ends[0] - _GAP_PX + 0.01, _STEP_PX)
    high = np.arange(ends[1] + _GAP_PX, ends[1] + _GAP_PX + _LEVEL_PX + 0.01, _STEP_PX)
    rows, columns = _points(place, uphill, np.concatenate([low, high]))
    nothing = np.zeros(0)
    shape = normals.shape[1:]
    if min(rows.min(), columns.min()) < 0 or rows.max() > shape[0] - 1 or columns.max() > shape[1] - 1:
        return None, (nothing, nothing)
    upright = normals[2][np.rint(rows).astype(int), np.rint(columns).astype(int)]
    if upright.min() < np.cos(np.deg2rad(_LEVEL_DEG)):
        return None, (nothing, nothing)
    parts = np.concatenate([np.full(len(low), -1 / len(low)), np.full(len(high), 1 / len(high))])
    way = np.arange(low[0] + _LEVEL_PX / 2, high[-1] - _LEVEL_PX / 2 + 0.01, _STEP_PX)
    return Functional(rows, columns, parts), _points(place, uphill, way)


def _points(place: tuple[int, int], direction: Float, at: Float) -> tuple[Float, Float]:
    return place[0] + at * direction[0], place[1] + at * direction[1]


# Of a whole map


def without_plane(field: NDArray[Any]) -> Float:
    """Give a map [row, col] less the plane fitted to it."""
    rows, columns = np.indices(field.shape, float)
    design = np.column_stack([rows.ravel(), columns.ravel(), np.ones(field.size)])
    flat = np.asarray(field, float).ravel()
    return np.asarray((flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]).reshape(field.shape))


def mean_angle_deg(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Give the mean angle between unit normals [3, row, col]."""
    return float(np.rad2deg(np.arccos(np.clip(np.sum(a * b, axis=0), -1.0, 1.0))).mean())


def imprint_nm(error: Float, material: NDArray[np.intp]) -> float:
    """Give by how much the mean height error changes with the distance from the border of a material.

    `error` [row, col] in nm, `material` [row, col], 0 the commonest. For each other one the means are over all pixels at equal
    distance (in whole pixels, up to 8 on each side); given is the largest less the smallest, of the material where it is most.
    """
    others = np.unique(material[material != 0])
    return max(_across_border(error, material == each, (material == each) | (material == 0)) for each in others)


def _across_border(error: Float, there: NDArray[np.bool_], used: NDArray[np.bool_]) -> float:
    inside, outside = (ndimage.distance_transform_edt(part) for part in (there, ~there))
    distance = np.rint(np.where(there, inside - 0.5, 0.5 - outside)).astype(int)
    distance[~used] = _REACH_PX + 1
    near = np.intersect1d(distance, np.arange(-_REACH_PX, _REACH_PX + 1))
    return float(np.ptp(ndimage.mean(error, distance, near)))


def mean_over_faces(lines: Sequence[Across], values: Float) -> float:
    """Give the mean of the faces' means of a value for each line."""
    faces = np.array([line.face for line in lines])
    return float(np.mean([values[faces == face].mean() for face in np.unique(faces)]))
