"""Circles in images of several segments: edges vote for them (Hough), and their places are fitted along their radii."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.engine.calibration.view import Images, Mask

Float = NDArray[np.float64]

CIRCULAR = 0.015  #: of the radius, by which an outline may leave the circle
_DRAWN = 0.06  #: the same where the user stated centre or radius
_SMALLEST_PX = 8.0  #: radius of the outline
_FINER = 1.04  #: ratio of one radius tried to the next
_TRIED = 24  #: circles with the most votes that are looked at closely
_ANGLES = 360


@dataclass(frozen=True)
class Circle:
    """A circle in the image, with the parts of it that lie in the image (`visible`) and on an edge (`support`)."""

    row: float
    column: float
    radius: float
    support: float = 0.0
    visible: float = 0.0

    def scaled(self, edge: int) -> Circle:
        """Give the circle in pixels of the full image if this is one of blocks of `edge` pixels."""
        return replace(
            self, row=(self.row + 0.5) * edge - 0.5, column=(self.column + 0.5) * edge - 0.5, radius=self.radius * edge
        )


class Edges:
    """Edges of all segments together: points, the direction across them, and how much they stand out."""

    def __init__(self, images: Images, seen: Mask) -> None:
        across = _gradients(images, 1.2)
        xx, yy, xy = ((across[i] * across[j]).sum(axis=0) for i, j in ((1, 1), (0, 0), (0, 1)))
        strength = np.sqrt(xx + yy)
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)  # of the column axis toward the row axis
        nearby = scipy.ndimage.gaussian_filter(strength, 8.0) + 0.05 * float(strength.mean()) + 1e-12
        clear = strength / nearby
        grid = np.indices(strength.shape).astype(float)
        along = np.stack([np.sin(angle), np.cos(angle)])
        peak = clear > 1.2
        for side in (1.0, -1.0):
            peak &= strength >= scipy.ndimage.map_coordinates(strength, grid + side * along, order=1, mode="nearest")
        peak &= scipy.ndimage.binary_erosion(seen, iterations=3)
        self.shape = strength.shape
        self.points: Float = np.argwhere(peak).astype(float)
        self.along: Float = along[:, peak].T
        self.weight: Float = np.minimum(clear[peak], 3.0) / 3.0

    def circles(
        self, center: tuple[float, ...] | None, radius: float | None, allowed: float, context: Context
    ) -> list[Circle]:
        """Give for each radius the circle that most edges vote for, or those about a given centre."""
        largest = min(1.0 * max(self.shape), allowed)
        count = max(1, int(np.log(max(largest / _SMALLEST_PX, 1.0)) / np.log(_FINER)) + 1)
        radii = _SMALLEST_PX * _FINER ** np.arange(count) if radius is None else np.array([radius])
        if center is not None:
            return [Circle(center[0], center[1], float(each)) for each in radii]
        found = []
        for each in radii:
            context.check()
            found.append(self._best(float(each)))
        found.sort(key=lambda pair: -pair[0])
        return [circle for _, circle in found[:_TRIED]]

    def _best(self, radius: float) -> tuple[float, Circle]:
        """Give the circle of a radius that most edges vote for, after its votes; its centre may lie half an image outside."""
        margin = [n // 2 for n in self.shape]
        size = [n + 2 * m for n, m in zip(self.shape, margin, strict=True)]
        votes = np.zeros(size)
        for side in (1.0, -1.0):
            at = np.rint(self.points + side * radius * self.along).astype(int) + margin
            good = ((at >= 0) & (at < size)).all(axis=1)
            flat = at[good, 0] * size[1] + at[good, 1]
            votes += np.bincount(flat, self.weight[good], minlength=votes.size).reshape(size)
        blur = max(1.0, 0.03 * radius)
        votes = scipy.ndimage.gaussian_filter(votes, blur, mode="constant", truncate=3.0)
        row, column = np.unravel_index(int(votes.argmax()), votes.shape)
        # What an edge votes for spreads over the blur, and a larger outline has more edges: both are made up for.
        rank = float(votes.max()) * blur**2 / radius**0.5
        return rank, Circle(float(row - margin[0]), float(column - margin[1]), radius)


def fit(images: Images, seen: Mask, start: Circle, reach: float, fixed: tuple[bool, bool]) -> Circle:
    """Fit a circle to the strongest edge within `reach` px along its radii; centre or radius may be fixed."""
    circle = start
    phi = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    free = np.array([not fixed[0], not fixed[0], not fixed[1]])
    design = np.stack([np.sin(phi), np.cos(phi), np.ones(_ANGLES)], axis=1)[:, free]
    tolerance = max(1.0, (_DRAWN if any(fixed) else CIRCULAR) * start.radius)
    near = np.zeros(_ANGLES, bool)
    inside = near
    for _ in range(4):
        offset, clear, inside = _radial_edges(images, seen, circle, phi, reach)
        weight = (clear & inside).astype(float)
        if weight.sum() < 12:
            return replace(circle, support=0.0, visible=float(inside.mean()))
        change = np.zeros(free.sum())
        for width in (4 * tolerance, 2 * tolerance, tolerance, tolerance):
            left = offset - design @ change
            robust = weight * np.maximum(0, 1 - (left / (2 * width)) ** 2) ** 2
            change += _least_squares(design, left, robust)
        full = np.zeros(3)
        full[free] = change
        near = weight.astype(bool) & (np.abs(offset - design @ change) < tolerance)
        circle = Circle(circle.row + full[0], circle.column + full[1], max(3.0, circle.radius + full[2]))
    return replace(circle, support=float(near.sum() / max(1, inside.sum())), visible=float(inside.mean()))


def _least_squares(design: Float, values: Float, weight: Float) -> Float:
    if design.shape[1] == 0:
        return np.zeros(0)
    normal = design.T @ (weight[:, None] * design) + 1e-6 * max(weight.sum(), 1e-9) * np.eye(design.shape[1])
    return np.asarray(np.linalg.solve(normal, design.T @ (weight * values)))


def _radial_edges(images: Images, seen: Mask, circle: Circle, phi: Float, reach: float) -> tuple[Float, Mask, Mask]:
    """Give where along each radius the edge lies (px from the circle), whether it stands out, and whether it is in the image."""
    steps = np.arange(-reach, reach + 0.25, 0.5)
    r = circle.radius + steps
    at = np.stack([circle.row + np.sin(phi)[:, None] * r, circle.column + np.cos(phi)[:, None] * r])
    profiles = np.stack([scipy.ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in images])
    slope = scipy.ndimage.gaussian_filter1d(profiles, 2.0, axis=2, order=1)
    energy = np.sqrt((scipy.ndimage.gaussian_filter1d(slope, 1.5, axis=1, mode="wrap") ** 2).sum(axis=0))
    covered = scipy.ndimage.map_coordinates(seen.astype(np.float32), at, order=1, mode="constant", cval=0.0) > 0.99
    whole = covered.all(axis=1)
    best = energy.argmax(axis=1)
    window = np.clip(best[:, None] + np.arange(-3, 4), 0, len(steps) - 1)
    local = np.take_along_axis(energy, window, axis=1) ** 2
    offset = (local * steps[window]).sum(axis=1) / np.maximum(local.sum(axis=1), 1e-30)
    clear = energy.max(axis=1) > 2.0 * np.median(energy, axis=1)
    return offset, clear, whole


def distance(shape: tuple[int, ...], circle: Circle) -> Float:
    """Give the distances of pixels from the middle of a circle, [row, col] in px."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(rows - circle.row, columns - circle.column))


def _gradients(images: Images, sigma: float) -> Images:
    """Give the gradients [2, k, row, col] (along rows, along columns) of smoothed images."""
    orders = ((0, 1, 0), (0, 0, 1))
    return np.stack(
        [scipy.ndimage.gaussian_filter(images, (0, sigma, sigma), order, mode="nearest") for order in orders]
    )
