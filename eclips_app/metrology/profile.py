"""Profiles: the height along a straight line, averaged over a width across it.

Points are (col, row) in pixels of the uncropped image, counted from the centre of its top-left pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.deviations import Deviations, Footprint
from eclips_app.metrology.placement import PlacedMap as PlacedMap
from eclips_app.metrology.placement import Placement

Floats = NDArray[np.float64]
Point = tuple[float, float]
Method = Literal["linear", "cubic"]

#: Most points along and across a line; far beyond any screen, it bounds memory when a map's pixels are tiny.
MAX_POINTS = 20_000
MAX_ACROSS = 512

SHORTEST_PX = 1e-6  #: length below which a line is a click without a drag: no slope along it can be told


@dataclass(frozen=True, eq=False)
class Profile:
    """Heights along a line; all arrays have one value per point, NaN where nothing was measured.

    Where the height map has `metrology.deviations`, `deviations_nm` [map, point] holds those of the averaged height, and
    `std_nm` is the root of the sum of their squares: averaging over a width lowers it as far as the errors are independent.
    """

    distance_nm: Floats  #: from the line's start, in equal steps
    height_nm: Floats  #: mean over the width
    spread_nm: Floats  #: standard deviation (n - 1) of the samples across the width; NaN below two samples
    std_nm: Floats | None  #: standard deviation of `height_nm` from the height map's own; None while not known
    count: NDArray[np.intp]  #: samples across the width that hold data
    x_px: Floats  #: column of the uncropped image
    y_px: Floats  #: row of the uncropped image
    deviations_nm: Floats | None = None  #: [map, point]; 0 where nothing was measured
    covariance: Deviations | None = None  #: the maps that `deviations_nm` was sampled from
    footprint: Footprint | None = None  #: how; None without `covariance`

    def __len__(self) -> int:
        return len(self.distance_nm)


def sample(
    height: NDArray[np.floating],
    start_px: Point,
    end_px: Point,
    *,
    pixel_size_nm: float,
    width_px: float = 1.0,
    step_px: float | None = None,
    origin_px: tuple[float, float] = (0, 0),
    mask: NDArray[np.bool_] | None = None,
    std: NDArray[np.floating] | None = None,
    deviations: Deviations | None = None,
    method: Method = "linear",
) -> Profile:
    """Sample a height map along a line.

    Parameters
    ----------
    height : array [row, col]
        Height in nm; NaN where nothing was measured.
    start_px, end_px : (col, row)
        Ends of the line in pixels of the uncropped image.
    pixel_size_nm : float
        Pixel size of the image in nm.
    width_px : float
        Width of the averaged band. It is cut into strips of at most one pixel, and the height is taken along the middle
        of each; a width up to 1 is the line alone.
    step_px : float, optional
        Distance of the points. The first point is the start; the last lies less than a step before the end, or on it.
        If not given, both ends are points, and between them are as few equal steps of at most 1 px as it takes.
    origin_px : (row, col)
        Pixel of the uncropped image that is ``height[0, 0]``.
    mask : bool array [row, col], optional
        True where the height may be used.
    std : array [row, col], optional
        Standard deviation of the height in nm; not looked at where there are `deviations`.
    deviations : Deviations, optional
        Covariance of the height; its maps have the height's shape and are interpolated linearly.
    method : "linear" or "cubic"
        Bilinear, or cubic convolution (Keys, IEEE Trans. ASSP 29 (1981) 1153, a = -1/2), which is exact for parabolas;
        next to a border or hole the cubic is replaced by the bilinear.

    Returns
    -------
    Profile
        A sample whose neighbouring pixels do not all hold data counts as missing. Without `deviations`, `std_nm` is the mean
        of `std` over the width: the errors of neighbouring pixels of an integrated surface go together, so averaging is
        not taken to lower them (an upper bound).

    Raises
    ------
    EclipsError
        If the line has no length, or an array's shape or a number makes no sense.
    """
    along, columns, rows = _grid(start_px, end_px, step_px, width_px, finest_px=1.0)
    check_arrays(height, mask, std, pixel_size_nm)
    if deviations is not None and deviations.maps.shape[1:] != height.shape:
        raise EclipsError(f"the deviations have the shape {deviations.maps.shape[1:]}, the height map {height.shape}")
    local = columns - origin_px[1], rows - origin_px[0]
    values = interpolate(height, *local, mask=mask, method=method)
    if deviations is not None:
        profile = averaged(along * pixel_size_nm, values, None, columns, rows)
        return with_deviations(profile, deviations, Footprint.bilinear(height.shape, *local, ~np.isnan(values)))
    sigma = None if std is None else np.where(np.isnan(values), np.nan, interpolate(std, *local))
    return averaged(along * pixel_size_nm, values, sigma, columns, rows)


def sample_map(
    placed: PlacedMap,
    start_px: Point,
    end_px: Point,
    *,
    pixel_size_nm: float,
    width_px: float = 1.0,
    step_px: float | None = None,
    method: Method = "linear",
) -> Profile:
    """Sample a placed height map along a line drawn in the image.

    Parameters
    ----------
    placed : PlacedMap
        The map and its place.
    start_px, end_px, width_px, step_px, method
        As in `sample`, in pixels of the *image*. Without `step_px` the step is at most one pixel of the image or
        of the map, whichever is smaller.
    pixel_size_nm : float
        Pixel size of the image in nm.

    Returns
    -------
    Profile
        `distance_nm` runs from the line's start, so it can be drawn over a profile of the image's own height map.

    Raises
    ------
    EclipsError
        As in `sample`.
    """
    check_arrays(placed.height, None, None, pixel_size_nm)
    finest = min(1.0, *(size / pixel_size_nm for size in placed.pixel_size_nm))
    along, columns, rows = _grid(start_px, end_px, step_px, width_px, finest_px=finest)
    place = Placement.of(placed, pixel_size_nm)
    values = interpolate(placed.height, *place.to_map(columns, rows), method=method)
    values += place.height_added(columns, rows)
    return averaged(along * pixel_size_nm, values, None, columns, rows)


def interpolate(
    array: NDArray[np.floating],
    columns: NDArray[np.floating],
    rows: NDArray[np.floating],
    *,
    mask: NDArray[np.bool_] | None = None,
    method: Method = "linear",
) -> Floats:
    """Interpolate an array [row, col] at points given in its own pixels; NaN outside the pixel centres and at holes.

    Parameters are those of `sample`; `columns` and `rows` have one shape, which the result has too.
    """
    height, width = array.shape
    # A point computed to lie on the border may miss it by rounding.
    inside = (columns > -1e-6) & (columns < width - 1 + 1e-6) & (rows > -1e-6) & (rows < height - 1 + 1e-6)
    # NaN, which is nowhere inside, becomes a border.
    c, r = np.fmax(np.fmin(columns, width - 1), 0), np.fmax(np.fmin(rows, height - 1), 0)
    c0, r0 = c.astype(np.intp), r.astype(np.intp)
    if mask is not None and c0.size:
        around = mask[r0.min() : r0.max() + 2, c0.min() : c0.max() + 2]
        mask = (
            None if method == "linear" and around.all() else mask
        )  # no hole near: it need not be looked up point by point
    fc, fr = c - c0, r - r0
    values = _bilinear(array, mask, (r0, c0), fr, fc)
    if method == "cubic":
        cubic = _bicubic(array, mask, (r0, c0), fr, fc)
        values = np.where(np.isnan(cubic), values, cubic)
    if not inside.all():
        values[~inside] = np.nan
    return values


def _grid(
    start: Point, end: Point, step: float | None, width: float, finest_px: float
) -> tuple[Floats, Floats, Floats]:
    """Give the distances along the line in px, and the columns and rows [across, along] of all samples.

    `finest_px` is the largest distance of the samples across the line, and along it where no `step` is given.
    """
    length = math.dist(start, end)
    if not (math.isfinite(length) and length >= SHORTEST_PX):
        raise EclipsError("the profile line has no length", hint="Draw it between two different points.")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise EclipsError(f"a step of {step:g} px along the profile is not possible", hint="Give a number above 0.")
    if not (math.isfinite(width) and width >= 0):
        raise EclipsError(f"a profile width of {width:g} px is not possible", hint="Give a number of 0 or more.")
    if step is None:
        steps = min(max(math.ceil(length / finest_px - 1e-9), 1), MAX_POINTS)
        along = np.linspace(0.0, length, steps + 1)
    else:
        step = max(step, length / MAX_POINTS)
        along = np.arange(math.floor(length / step + 1e-9) + 1, dtype=np.float64) * step
    strips = min(max(math.ceil(width / finest_px - 1e-9), 1), MAX_ACROSS)
    across = (np.arange(strips) - (strips - 1) / 2)[:, None] * (width / strips)
    ux, uy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    return along, start[0] + ux * along - uy * across, start[1] + uy * along + ux * across


def check_arrays(
    height: NDArray[np.floating], mask: NDArray[np.bool_] | None, std: NDArray[np.floating] | None, pixel_size_nm: float
) -> None:
    """Refuse arrays that are no height map or do not go together, and an unknown pixel size."""
    if height.ndim != 2 or not height.size:
        raise EclipsError(f"a profile needs a height map of rows and columns, not the shape {height.shape}")
    for name, other in (("mask", mask), ("standard deviation", std)):
        if other is not None and other.shape != height.shape:
            raise EclipsError(f"the {name} has the shape {other.shape}, the height map {height.shape}")
    if not (math.isfinite(pixel_size_nm) and pixel_size_nm > 0):
        raise EclipsError("the pixel size is not known", hint="Enter the pixel size of the images.")


def averaged(distance_nm: Floats, values: Floats, sigma: Floats | None, columns: Floats, rows: Floats) -> Profile:
    """Give the profile of samples [across, along] and their standard deviations, at points in pixels of the image."""
    mean, count, spread = _mean(values)
    std = None if sigma is None else _mean(sigma)[0]
    return Profile(distance_nm, mean, spread, std, count, columns.mean(axis=0), rows.mean(axis=0))


def with_deviations(profile: Profile, deviations: Deviations, footprint: Footprint) -> Profile:
    """Give the profile with the deviations of what it averages."""
    along = deviations.along(footprint)
    sigma = np.where(profile.count > 0, np.sqrt((along * along).sum(axis=0)), np.nan)
    return replace(profile, std_nm=sigma, deviations_nm=along, covariance=deviations, footprint=footprint)


def _mean(values: Floats) -> tuple[Floats, NDArray[np.intp], Floats]:
    """Give mean, number and standard deviation of what is no NaN along the first axis."""
    missing = np.isnan(values)
    count: NDArray[np.intp] = len(values) - missing.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.where(missing, 0.0, values).sum(axis=0) / count
        rest = np.where(missing, 0.0, values - mean)
        spread: Floats = np.sqrt((rest * rest).sum(axis=0) / np.where(count > 1, count - 1, np.nan))
    return mean, count, spread


def _take(array: NDArray[np.floating], mask: NDArray[np.bool_] | None, index: NDArray[np.intp]) -> Floats:
    values = array.ravel()[index].astype(np.float64)
    if mask is not None:
        values[~mask.ravel()[index]] = np.nan
    return values


def _bilinear(
    array: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    corner: tuple[NDArray[np.intp], NDArray[np.intp]],
    fr: Floats,
    fc: Floats,
) -> Floats:
    columns = array.shape[1]
    index = corner[0] * columns + corner[1]
    # A neighbour of weight zero is not looked at: it may be a hole or lie beyond the border.
    right, down = (fc > 0).astype(np.intp), (fr > 0) * columns
    upper = _take(array, mask, index)
    upper += fc * (_take(array, mask, index + right) - upper)
    lower = _take(array, mask, index + down)
    lower += fc * (_take(array, mask, index + down + right) - lower)
    return upper + fr * (lower - upper)


def _bicubic(
    array: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    corner: tuple[NDArray[np.intp], NDArray[np.intp]],
    fr: Floats,
    fc: Floats,
) -> Floats:
    height, width = array.shape
    total = np.zeros(fr.shape)
    for i, wr in zip(range(-1, 3), _keys(fr), strict=True):
        for j, wc in zip(range(-1, 3), _keys(fc), strict=True):
            r, c = corner[0] + i, corner[1] + j
            weight = wr * wc
            outside = (r < 0) | (r >= height) | (c < 0) | (c >= width)
            index = np.clip(r, 0, height - 1) * width + np.clip(c, 0, width - 1)
            value = np.where(outside, np.nan, _take(array, mask, index))
            total += np.where(weight == 0, 0.0, weight * value)
    return total


def _keys(t: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights of the four neighbours for a fraction `t` between the middle two (cubic convolution, a = -1/2)."""
    t2, t3 = t * t, t * t * t
    return (
        (-t3 + 2 * t2 - t) / 2,
        (3 * t3 - 5 * t2 + 2) / 2,
        (-3 * t3 + 4 * t2 + t) / 2,
        (t3 - t2) / 2,
    )
