"""Finds the outline of a ball, or of the foot of a cap, and makes sure that what it encloses is shaded like one.

The outline is an edge in some segments on each side, dark or bright. So edges are taken from the gradients of all segments
together, without sign; every edge votes for circles that it could belong to (Hough), the best are fitted to the edge along
their radii, and the first whose inside is a smooth function of the normal of a ball is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.calibration import Sphere
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.view import Images, Mask, View, normalised

Float = NDArray[np.float64]

_COARSE_PX = 256  #: rows and columns in which circles are looked for
_SMALLEST_PX = 8.0  #: radius of the outline in the coarse image
_FINER = 1.04  #: ratio of one radius tried to the next
_TRIED = 24  #: circles with the most votes that are looked at closely
_ANGLES = 360
_SUPPORT = 0.5  #: part of the outline inside the image that must be an edge
_VISIBLE = 0.3  #: part of the outline that must lie inside the image
_SHADED = 0.85  #: part of the signals' variance that a smooth function of the normal must explain
_LEAST_PIXELS = 100  #: of the coarse image inside a circle, from which on its shading says something
_TOO_LARGE = 0.05  #: by which an outline may exceed the ball's stated radius, beyond its deviation


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


def find_sphere(sphere: Sphere, view: View, context: Context) -> Sphere:
    """Fill in centre and outline of a sphere; both are pixels of the crop.

    Raises
    ------
    EclipsError
        If there is no sphere, most of it is clipped, or its outline is larger than its stated radius.
    """
    ball = None if sphere.radius_nm is None else sphere.radius_nm / view.pixel_size_nm
    allowed = np.inf if ball is None else ball * (1 + _TOO_LARGE + 0.03 * sphere.radius_std_percent)
    if sphere.center_px is not None and sphere.radius_px is not None:
        circle = Circle(*sphere.center_px, sphere.radius_px)
    else:
        found = _search(sphere, view, allowed, context)
        if found is None and ball is not None:
            found = _search(sphere, view, np.inf, context)
        if found is None:
            raise EclipsError(
                "no sphere was found in the images: no circular edge encloses the shading of a ball",
                hint="Show the whole ball or cap, draw its outline by hand, or choose another kind of object.",
            )
        circle = found
    if circle.radius > allowed:
        raise EclipsError(
            f"the outline has a radius of {circle.radius:.1f} px ({circle.radius * view.pixel_size_nm:.4g} nm), more than the "
            f"sphere's stated {sphere.radius_nm:.4g} nm",
            hint="Check the radius and the pixel size.",
        )
    _check_clipped(circle, view)
    return replace(sphere, center_px=(float(circle.row), float(circle.column)), radius_px=float(circle.radius))


def _check_clipped(circle: Circle, view: View) -> None:
    inside = _distance(view.shape, circle) < circle.radius
    if not inside.any():
        raise EclipsError("the outline of the sphere lies outside the image", hint="Move it onto the sphere.")
    lost = 1 - float(view.all_usable[inside].mean())
    if lost > 0.5:
        raise EclipsError(
            f"{100 * lost:.0f} % of the sphere's pixels are clipped or excluded",
            hint="Take the images with lower contrast or brightness, or check the clip levels.",
        )


def _search(sphere: Sphere, view: View, allowed: float, context: Context) -> Circle | None:
    """Find the best circle in the crop that is shaded like a ball and not larger than `allowed` (px)."""
    coarse, seen, edge = view.coarse(_COARSE_PX)
    center = None if sphere.center_px is None else tuple((x + 0.5) / edge - 0.5 for x in sphere.center_px)
    radius = None if sphere.radius_px is None else sphere.radius_px / edge
    fixed = center is not None, radius is not None
    edges = Edges(coarse, seen)
    starts = edges.circles(center, radius, allowed / edge, context)
    fitted = [fit(coarse, seen, each, max(3.0, 0.06 * each.radius), fixed) for each in starts]
    good = [c for c in fitted if c.support > _SUPPORT and c.visible > _VISIBLE and c.radius < allowed / edge]
    hollow = False
    for circle in sorted(good, key=lambda c: -(c.support**2) * c.visible * c.radius):
        context.check()
        share, convex = shading(coarse, seen, circle, view.vectors)
        if share > _SHADED and convex:
            return _sharpened(circle.scaled(edge), view, edge, fixed)
        hollow = hollow or share > _SHADED
    if hollow:
        raise EclipsError(
            "a round object was found that is shaded like a hollow, not like a ball",
            hint="Check the order of the images and the azimuths of the detector's segments.",
        )
    return None


def _sharpened(circle: Circle, view: View, edge: int, fixed: tuple[bool, bool]) -> Circle:
    """Fit a circle to the images at full resolution."""
    seen = view.all_seen
    images = normalised(view.signals, seen)
    for reach in (3.0 * edge + 3, 1.5 * edge + 3):
        circle = fit(images, seen, circle, reach, fixed)
    return circle


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
    tolerance = max(1.0, 0.015 * start.radius)
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


def shading(images: Images, seen: Mask, circle: Circle, vectors: Float) -> tuple[float, bool]:
    """Give what part of the variance inside a circle is a smooth function of place, and whether it bulges toward the detector.

    The smooth function is a cubic of row and column. What bulges is brightest where it turns toward a segment.
    """
    distance = _distance(images.shape[1:], circle)
    inside = (distance < 0.85 * circle.radius) & seen
    if np.count_nonzero(inside) < _LEAST_PIXELS:
        return 0.0, False
    rows, columns = np.nonzero(inside)
    x, y = (columns - circle.column) / circle.radius, (circle.row - rows) / circle.radius
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=1)
    values = images[:, inside].T.astype(float)
    left = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    shares = 1 - left.var(axis=0) / np.maximum(values.var(axis=0), 1e-12)
    plane = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), values, rcond=None)[0][:2]
    return float(np.median(shares)), float((plane.T * vectors[:, :2]).sum()) > 0


def _distance(shape: tuple[int, ...], circle: Circle) -> Float:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(rows - circle.row, columns - circle.column))


def _gradients(images: Images, sigma: float) -> Images:
    """Give the gradients [2, k, row, col] (along rows, along columns) of smoothed images."""
    orders = ((0, 1, 0), (0, 0, 1))
    return np.stack(
        [scipy.ndimage.gaussian_filter(images, (0, sigma, sigma), order, mode="nearest") for order in orders]
    )
