"""Finds the outline of a ball, or of the foot of a cap, and makes sure that what it encloses is shaded like one.

The outline is an edge in some segments on each side, dark or bright. So edges are taken from the gradients of all segments
together, without sign; every edge votes for circles that it could belong to (Hough), the best are fitted to the edge along
their radii, and the first whose inside is a smooth function of the normal of a ball is taken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.calibration import Sphere
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.circles import CIRCULAR, Circle, Edges, distance, fit
from eclips_app.engine.calibration.view import Images, Mask, View, normalised

Float = NDArray[np.float64]

_COARSE_PX = 256, 96  #: rows and columns in which circles are looked for; the fewer the less noise
_SUPPORT = 0.65  #: part of the outline inside the image that must be an edge
_VISIBLE = 0.3  #: part of the outline that must lie inside the image
_SHADED = 0.9  #: part of the signals' variance that a smooth function of the normal must explain
_ALL_ROUND, _CLEAR = (
    0.9,
    0.75,
)  #: parts of an outline in the image and on an edge, where one segment alone tells its place
_SMOOTH = 0.05  #: of the radius, over which noise is averaged before that
_DUST = 0.06  #: part of the pixels that may be odd
_LEAST_PIXELS = 100  #: of the coarse image inside a circle, from which on its shading says something
_TOO_LARGE = 0.05  #: by which an outline may exceed the ball's stated radius, beyond its deviation


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
                hint="Check the order of the images, show the whole ball or cap, or draw its outline by hand.",
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


def refined(sphere: Sphere, view: View, stated: Sphere) -> Sphere:
    """Fit what is not stated of a sphere that was found once more, to images moved since."""
    start = Circle(*(sphere.center_px or (0.0, 0.0)), sphere.radius_px or 0.0)
    circle = _sharpened(start, view, 1, (stated.center_px is not None, stated.radius_px is not None))
    return replace(sphere, center_px=(float(circle.row), float(circle.column)), radius_px=float(circle.radius))


def outline_shifts(sphere: Sphere, view: View) -> tuple[tuple[float, float], ...]:
    """Give by how much (rows, columns) each segment must move for all to show the ball in one place; empty: none, or not clear.

    Segments that were scanned one after another show their own outlines. Only that of a ball seen all round in every segment
    tells a shift from shading: where part of it is missing, a shift and another radius look alike.
    """
    images, seen = view.thinned(1)
    start = Circle(*(sphere.center_px or (0.0, 0.0)), sphere.radius_px or 0.0)
    alone = []
    for image in images:
        circle = start
        for reach in (0.08, 0.04, 0.03):
            circle = fit(image[None], seen, circle, max(4.0, reach * start.radius), (False, False))
        alone.append(circle)
    first = alone[0]
    clear = all(c.visible > _ALL_ROUND and c.support > _CLEAR for c in alone)
    equal = np.ptp([c.radius for c in alone]) < CIRCULAR * start.radius
    shifts = tuple((round(float(first.row - c.row), 3), round(float(first.column - c.column), 3)) for c in alone)
    needed = max(max(map(abs, shift)) for shift in shifts) > max(1.0, 0.2 * CIRCULAR * start.radius)
    return shifts if clear and equal and needed else ()


def _check_clipped(circle: Circle, view: View) -> None:
    inside = distance(view.shape, circle) < circle.radius
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
    is_hollow = False
    for largest in _COARSE_PX:
        coarse, seen, edge = view.coarse(largest)
        center = None if sphere.center_px is None else tuple((x + 0.5) / edge - 0.5 for x in sphere.center_px)
        radius = None if sphere.radius_px is None else sphere.radius_px / edge
        fixed = center is not None, radius is not None
        for circle in _outlines(coarse, seen, center, radius, allowed / edge, context):
            share, convex = shading(coarse, seen, circle, view.vectors)
            if share > _SHADED and convex:
                return _sharpened(circle.scaled(edge), view, edge, fixed)
            is_hollow = is_hollow or share > _SHADED
    if is_hollow:
        raise EclipsError(
            "a round object was found that is shaded like a hollow, not like a ball",
            hint="Check the order of the images and the azimuths of the detector's segments.",
        )
    return None


def _outlines(
    images: Images, seen: Mask, center: tuple[float, ...] | None, radius: float | None, allowed: float, context: Context
) -> list[Circle]:
    """Give circles that are edges for most of their length, the best first."""
    fixed = center is not None, radius is not None
    starts = Edges(images, seen).circles(center, radius, allowed, context)
    fitted = [fit(images, seen, each, max(3.0, 0.06 * each.radius), fixed) for each in starts]
    context.check()
    good = [c for c in fitted if c.support > _SUPPORT and c.visible > _VISIBLE and c.radius < allowed]
    return sorted(good, key=lambda c: -(c.support**2) * c.visible * c.radius)


def _sharpened(circle: Circle, view: View, edge: int, fixed: tuple[bool, bool]) -> Circle:
    """Fit a circle to the images at full resolution."""
    seen = view.all_seen
    images = normalised(view.signals, seen)
    for reach in (3.0 * edge + 3, 1.5 * edge + 3):
        circle = fit(images, seen, circle, reach, fixed)
    return circle


def shading(images: Images, seen: Mask, circle: Circle, vectors: Float) -> tuple[float, bool]:
    """Give what part of the variance inside a circle is a smooth function of place, and whether it bulges toward the detector.

    The smooth function is a cubic of row and column. What bulges is brightest where it turns toward a segment.
    """
    inside = (distance(images.shape[1:], circle) < 0.85 * circle.radius) & seen
    if np.count_nonzero(inside) < _LEAST_PIXELS:
        return 0.0, False
    rows, columns = np.nonzero(inside)
    x, y = (columns - circle.column) / circle.radius, (circle.row - rows) / circle.radius
    terms = np.stack([x**i * y**j for i in range(4) for j in range(4 - i)], axis=1)
    blur = _SMOOTH * circle.radius
    values = scipy.ndimage.gaussian_filter(images, (0, blur, blur), mode="nearest")[:, inside].T.astype(float)
    for _ in range(2):  # the second time without dust
        left = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
        off = (left**2 / np.maximum(left.var(axis=0), 1e-12)).sum(axis=1)
        kept = off <= np.quantile(off, 1 - _DUST)
        values, terms, left, x, y = (each[kept] for each in (values, terms, left, x, y))
    shares = 1 - left.var(axis=0) / np.maximum(values.var(axis=0), 1e-12)
    plane = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), values, rcond=None)[0][:2]
    return float(np.median(shares)), float((plane.T * vectors[:, :2]).sum()) > 0
