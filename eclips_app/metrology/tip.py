"""The tip of an AFM: what it makes of a surface, what its image still tells, and how the tip is found from the image alone.

A tip is told by the height ``t(d) >= 0`` of its surface over its apex at the offset d. Scanning it over a surface s gives the
image ``i(x) = max_d s(x + d) - t(d)`` (dilation); the erosion ``min_d i(x - d) + t(d)`` is the lowest bound of s from above that
i allows, and is s wherever the tip touched [Villarrubia, J. Res. Natl. Inst. Stand. Technol. 102 (1997) 425].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError

Floats = NDArray[np.float64]

_TILE = 32
_LARGEST_PX = 200  #: half width of a tip array
_PEAKS = 400  #: image points that a partial blind estimate looks at


@dataclass(frozen=True, eq=False)
class Tip:
    """A tip on pixels; `heights` [2 m + 1, 2 n + 1] in nm over the apex, which is the middle and 0."""

    heights: Floats
    pixel_nm: tuple[float, float]  #: x, y
    name: str = "tip"

    def __post_init__(self) -> None:
        """Refuse what is no tip."""
        shape = self.heights.shape
        if len(shape) != 2 or not all(n % 2 for n in shape):
            raise EclipsError(f"a tip of the shape {shape} has no middle pixel", hint="Give odd numbers of pixels.")
        if not np.isfinite(self.heights).all() or self.heights[shape[0] // 2, shape[1] // 2] != 0:
            raise EclipsError("the apex in the middle of a tip must have height 0, and no pixel may be a hole")

    @property
    def radius_nm(self) -> float:
        """Radius of curvature of the apex, from a parabola through the pixels next to it; 0: sharper than they tell."""
        rows, columns = (n // 2 for n in self.heights.shape)
        near = self.heights[rows - 1 : rows + 2, columns - 1 : columns + 2]
        if near.shape != (3, 3):
            return 0.0
        along = (near[1, 0] + near[1, 2]) / 2, (near[0, 1] + near[2, 1]) / 2
        curvature = np.mean([2 * z / size**2 for z, size in zip(along, self.pixel_nm, strict=True)])
        return float(1 / curvature) if curvature > 0 else math.inf


def cone(radius_nm: float, half_angle_deg: float, pixel_nm: tuple[float, float], depth_nm: float) -> Tip:
    """Give a sphere that goes over into a cone without a kink.

    Parameters
    ----------
    radius_nm, half_angle_deg : float
        Of the sphere; of the cone, from its axis.
    pixel_nm : (x, y)
        Pixel size.
    depth_nm : float
        Height up to which the tip is needed: the height range of the surface.
    """
    if not (0 <= radius_nm < math.inf and 0 < half_angle_deg < 90):
        raise EclipsError(
            f"a tip of radius {radius_nm:g} nm and half angle {half_angle_deg:g}° is not possible",
            hint="Give a radius of 0 or more and an angle between 0 and 90°.",
        )
    angle = math.radians(half_angle_deg)
    edge, foot = radius_nm * math.cos(angle), radius_nm * (1 - math.sin(angle))
    if depth_nm > foot:
        reach = edge + (depth_nm - foot) * math.tan(angle)
    else:
        reach = math.sqrt(max(2 * radius_nm * depth_nm - depth_nm**2, 0.0))
    r = _radii(reach, pixel_nm)
    ball = radius_nm - np.sqrt(np.maximum(radius_nm**2 - r**2, 0.0))
    heights = np.where(r <= edge, ball, foot + (r - edge) / math.tan(angle))
    return Tip(heights, pixel_nm, f"cone, radius {radius_nm:g} nm, half angle {half_angle_deg:g}°")


def parabola(radius_nm: float, pixel_nm: tuple[float, float], depth_nm: float) -> Tip:
    """Give a paraboloid of an apex radius; the other parameters are those of `cone`."""
    if not 0 < radius_nm < math.inf:
        raise EclipsError(f"a tip of radius {radius_nm:g} nm is not possible", hint="Give a radius above 0.")
    r = _radii(math.sqrt(2 * radius_nm * max(depth_nm, 0.0)), pixel_nm)
    return Tip(r**2 / (2 * radius_nm), pixel_nm, f"parabola, radius {radius_nm:g} nm")


def measured(heights: NDArray[np.floating], pixel_nm: tuple[float, float], to_pixel_nm: tuple[float, float]) -> Tip:
    """Take a tip from a height map of it, apex up (as tip estimators save it), and bring it to other pixels."""
    values = np.asarray(heights, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise EclipsError("the map of the tip has holes", hint="Fill or crop them.")
    row, column = np.unravel_index(int(np.argmax(values)), values.shape)
    down, right = min(row, values.shape[0] - 1 - row), min(column, values.shape[1] - 1 - column)
    if min(down, right) < 1:
        raise EclipsError("the highest point of the tip's map lies on its border", hint="Give the whole tip, apex up.")
    own = values[row, column] - values[row - down : row + down + 1, column - right : column + right + 1]
    reach = [min(int(n * size / to), _LARGEST_PX) for n, size, to in
             zip((down, right), reversed(pixel_nm), reversed(to_pixel_nm), strict=True)]  # fmt: skip
    at = [np.arange(-n, n + 1) * to / size + middle for n, to, size, middle in
          zip(reach, reversed(to_pixel_nm), reversed(pixel_nm), (down, right), strict=True)]  # fmt: skip
    resampled = ndimage.map_coordinates(own, np.meshgrid(*at, indexing="ij"), order=1)
    # The map shows the tip from below: an offset of the tip is the opposite one of the surface it touches.
    return Tip(np.maximum(resampled, 0.0), to_pixel_nm, "measured tip")


def dilated(surface: NDArray[np.floating], tip: Tip, context: Context | None = None) -> Floats:
    """Give the image that a tip makes of a surface [row, col] in nm; NaN where the surface has a hole.

    Work goes tile by tile; offsets at which the tip cannot reach a tile's surface are left out, so that a large tip on a
    gentle surface costs no more than a small one.
    """
    return _extremum(np.asarray(surface, np.float64), tip, context or SilentContext())


def eroded(image: NDArray[np.floating], tip: Tip, context: Context | None = None) -> Floats:
    """Give the surface that an image leaves possible (morphological reconstruction); NaN at holes."""
    turned = Tip(tip.heights[::-1, ::-1], tip.pixel_nm, tip.name)
    return -_extremum(-np.asarray(image, np.float64), turned, context or SilentContext())


def _extremum(surface: Floats, tip: Tip, context: Context) -> Floats:
    """Give ``max_d s(x + d) - t(d)``."""
    half_rows, half_columns = (n // 2 for n in tip.heights.shape)
    rows, columns = surface.shape
    known = np.isfinite(surface)
    padded = np.full((rows + 2 * half_rows, columns + 2 * half_columns), -np.inf)
    padded[half_rows : half_rows + rows, half_columns : half_columns + columns] = np.where(known, surface, -np.inf)
    order = np.argsort(tip.heights, axis=None, kind="stable")
    down, right = np.unravel_index(order, tip.heights.shape)
    cost = tip.heights.ravel()[order]
    found = np.where(known, surface, np.nan)
    for top in range(0, rows, _TILE):
        context.check()
        for left in range(0, columns, _TILE):
            tile = found[top : top + _TILE, left : left + _TILE]
            around = padded[top : top + tile.shape[0] + 2 * half_rows, left : left + tile.shape[1] + 2 * half_columns]
            _one_tile(tile, around, down, right, cost)
    return found


def _one_tile(tile: Floats, around: Floats, down: NDArray[np.intp], right: NDArray[np.intp], cost: Floats) -> None:
    """Fill one tile in place; `around` reaches as far as the tip on every side."""
    known = np.isfinite(tile)
    if not known.any():
        return
    best = np.where(known, tile, -np.inf)
    rows, columns = tile.shape
    # The highest that the surface is under the tile at each offset.
    highest = _window_maximum(around, rows, columns)[down, right]
    for k in np.flatnonzero(highest - cost > best[known].min()):
        if highest[k] - cost[k] <= best.min(where=known, initial=np.inf):
            continue
        i, j = down[k], right[k]
        np.maximum(best, around[i : i + rows, j : j + columns] - cost[k], out=best)
    tile[known] = best[known]


def _window_maximum(values: Floats, rows: int, columns: int) -> Floats:
    """Give the maximum of every window [rows, columns] inside an array, by its first row and column."""
    along = np.lib.stride_tricks.sliding_window_view(values, rows, axis=0).max(axis=-1)
    found: Floats = np.lib.stride_tricks.sliding_window_view(along, columns, axis=1).max(axis=-1)
    return found


def certain(image: NDArray[np.floating], tip: Tip, tolerance_nm: float) -> NDArray[np.bool_]:
    """Say where the surface is known from an image: where the tip touched in one point only [Villarrubia 1997, sec. 5].

    Parameters
    ----------
    tolerance_nm : float
        Gap up to which a point counts as touched; the noise of the image.
    """
    surface = eroded(image, tip)
    rows, columns = surface.shape
    half_rows, half_columns = (n // 2 for n in tip.heights.shape)
    touching = np.zeros(surface.shape, np.intp)
    where = np.zeros(surface.shape, np.intp)
    reach = float(np.nanmax(image) - np.nanmin(image)) + tolerance_nm
    for i, j in zip(*np.nonzero(tip.heights <= reach), strict=True):
        own, other = _overlap(rows, i - half_rows), _overlap(columns, j - half_columns)
        gap = image[own[0], other[0]] - surface[own[1], other[1]] + tip.heights[i, j]
        touch = np.abs(gap) <= tolerance_nm
        touching[own[0], other[0]] += touch
        place = np.arange(rows)[own[1], None] * columns + np.arange(columns)[None, other[1]]
        where[own[0], other[0]] = np.where(touch, place, where[own[0], other[0]])
    sure = np.zeros(surface.size, bool)
    sure[where[touching == 1]] = True
    return sure.reshape(surface.shape) & np.isfinite(surface)


def blind(
    image: NDArray[np.floating],
    pixel_nm: tuple[float, float],
    *,
    half_width_px: int = 12,
    threshold_nm: float = 0.0,
    all_points: bool = False,
    context: Context | None = None,
) -> Tip:
    """Estimate the bluntest tip that can have made an image [Villarrubia 1997, sec. 4].

    Parameters
    ----------
    image : array [row, col]
        Heights in nm, levelled; NaN at holes.
    half_width_px : int
        Half width of the estimated tip.
    threshold_nm : float
        What the image may contradict a tip by: its noise, peak to peak. Too small a value makes the tip too sharp.
    all_points : bool
        Look at every pixel ("full") instead of the peaks ("partial").

    Returns
    -------
    Tip
        Nowhere sharper than the true tip, if the threshold covers the noise.
    """
    context = context or SilentContext()
    m = half_width_px
    if not (1 <= m <= 60 and min(image.shape) > 4 * m):
        raise EclipsError(f"a tip of {2 * m + 1} pixels cannot be estimated from this image", hint="Make it smaller.")
    values = np.where(np.isfinite(image), image, np.inf)
    values = np.pad(values, 2 * m, constant_values=np.inf)  # beyond the border nothing contradicts
    points = _points_to_look_at(image, m, all_points) + 2 * m
    tip = np.zeros((2 * m + 1, 2 * m + 1))
    for sweep in range(20):
        changed = False
        for number, (row, column) in enumerate(points):
            if number % 50 == 0:
                context.progress(min(0.95, (sweep + number / len(points)) / 8), "Estimating the tip")
            window = values[row - 2 * m : row + 2 * m + 1, column - 2 * m : column + 2 * m + 1]
            changed |= _contradict(tip, window - values[row, column], m, threshold_nm)
        if not changed:
            break
    return Tip(tip, pixel_nm, "blind estimate")


def _points_to_look_at(image: NDArray[np.floating], m: int, every: bool) -> NDArray[np.intp]:
    known = np.isfinite(image)
    if every:
        return np.argwhere(known)
    solid = np.where(known, image, -np.inf)
    peaks = (solid == ndimage.maximum_filter(solid, 3)) & known
    found = np.argwhere(peaks)
    # The sharpest peaks say most.
    curvature = ndimage.gaussian_laplace(np.where(known, image, np.nanmedian(image)), max(1.0, m / 6))
    order = np.argsort(curvature[peaks], kind="stable")
    return np.asarray(found[order[:_PEAKS]], np.intp)


def _contradict(tip: Floats, window: Floats, m: int, threshold: float) -> bool:
    """Raise a tip where the neighbourhood of an image point, in heights over it, contradicts it; say whether it did.

    If the tip touched the surface at the offset d, ``s(x + d) = i(x) + t(d)``, and i is nowhere below s: only offsets with
    ``i(x + d) >= i(x) + t(d)`` are possible. With the apex at ``x + d - e`` it would touch there with its part e, so that
    ``t(e) >= i(x) + t(d) - i(x + d - e)`` for at least one possible d.
    """
    size = 2 * m + 1
    possible = np.argwhere(window[m : 3 * m + 1, m : 3 * m + 1] >= tip)
    least = np.full((size, size), np.inf)
    for i, j in possible:
        # Offsets e run against the window: i(x + d - e) for e from -m to m.
        seen = window[i : i + size, j : j + size][::-1, ::-1]
        np.minimum(least, tip[i, j] - seen, out=least)
    raised = np.isfinite(least) & (least > tip + threshold)
    tip[raised] = least[raised] - threshold
    tip[m, m] = 0.0
    return bool(raised.any())


def _radii(reach_nm: float, pixel_nm: tuple[float, float]) -> Floats:
    """Give the distance from the apex on pixels up to a reach."""
    half = [min(max(math.ceil(reach_nm / size), 1), _LARGEST_PX) for size in reversed(pixel_nm)]
    y, x = (np.arange(-n, n + 1) * size for n, size in zip(half, reversed(pixel_nm), strict=True))
    distance: Floats = np.hypot(x[None, :], y[:, None])
    return distance


def _overlap(length: int, offset: int) -> tuple[slice, slice]:
    """Give the indices x and x + offset that both lie inside."""
    return slice(max(0, -offset), min(length, length - offset)), slice(max(0, offset), min(length, length + offset))
