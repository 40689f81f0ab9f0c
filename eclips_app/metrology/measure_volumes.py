"""Volumes, areas and the two levels of an area."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter1d

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import HistogramStep, NoOptions, Volume
from eclips_app.core.units import Quantity
from eclips_app.metrology.measure_planes import fit_plane
from eclips_app.metrology.reading import Floats, Patch, Reading, Stretch
from eclips_app.metrology.roughness import developed

_MOST_BINS = 2048
_ROUNDING = 1e-9
_DIP = 0.5  #: of the density of both levels, that between them must be lower than


def volume(patches: Sequence[Patch], stretches: Sequence[Stretch], options: Volume) -> Reading:
    """Give the volumes of an area above and below a reference: a level, its lowest point, or the plane through its rim."""
    patch = patches[0]
    above = (patch.height - _reference(patch, options))[patch.inside]
    pixel = patch.pixel_area_nm2
    up, down = float(above[above > 0].sum()) * pixel, -float(above[above < 0].sum()) * pixel
    values = {
        "volume above": Quantity(up, "nm³"),
        "volume below": Quantity(down, "nm³"),
        "net volume": Quantity(up - down, "nm³"),
        "highest": Quantity(float(above.max()), "nm"),
        "lowest": Quantity(float(above.min()), "nm"),
        "projected area": Quantity(len(above) * pixel, "nm²"),
    }
    words = {
        "rim": f"the plane through the area's rim, {options.rim_px:g} px wide",
        "level": f"the level {options.level_nm:g} nm",
        "minimum": "the area's lowest point",
    }
    return Reading(values, (f"The reference is {words[options.reference]}.",))


def area(patches: Sequence[Patch], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the projected area and the area of the surface itself (ISO 25178-2:2021, D.3)."""
    patch = patches[0]
    projected = float(np.count_nonzero(patch.inside)) * patch.pixel_area_nm2
    ratio = developed(patch.height, patch.inside, patch.axes)
    values = {
        "projected area": Quantity(projected, "nm²"),
        "surface area": Quantity(projected * (1 + ratio), "nm²"),
        "developed ratio": Quantity(100 * ratio, "%"),
        "equivalent diameter": Quantity(2 * math.sqrt(projected / math.pi), "nm"),
    }
    return Reading(values)


def histogram_step(patches: Sequence[Patch], stretches: Sequence[Stretch], options: HistogramStep) -> Reading:
    """Give the height between the two levels of an area, each the mean around a mode of its heights.

    With the form "plane", one plane is taken out that lies parallel under both levels.
    """
    patch = patches[0]
    height = _upright(patch) if options.form == "plane" else patch.height
    base = float(np.median(height[patch.inside]))
    values = height[patch.inside] - base
    edges, counts = _histogram(values, options.bins)
    border = _otsu(edges, counts)
    levels = []
    for part in (values[values < border], values[values >= border]):
        if len(part) < 3:
            raise EclipsError("the area shows no two levels", hint="Draw it over both sides of the step.")
        levels.append(_level(part))
    (low, low_half, low_count), (high, high_half, high_count) = levels
    reach = min(low_half, high_half)
    between = np.count_nonzero(np.abs(values - border) <= reach) / reach
    if between > _DIP * min(low_count / low_half, high_count / high_half):
        raise EclipsError("the area's two levels do not stand out of its roughness", hint="Draw it over one step only.")
    middles = (edges[1:] + edges[:-1]) / 2 + base
    share = 100 * float(np.count_nonzero(values >= border)) / len(values)
    found = {
        "height": Quantity(high - low, "nm"),
        "lower level": Quantity(low + base, "nm"),
        "upper level": Quantity(high + base, "nm"),
        "upper part": Quantity(share, "%"),
    }
    note = f"Levels are means of {low_count} and {high_count} heights around the mode of each level."
    return Reading(found, (note,), {"histogram/x": middles, "histogram/y": counts.astype(np.float64)})


def _reference(patch: Patch, options: Volume) -> Floats | float:
    if options.reference == "level":
        return options.level_nm
    if options.reference == "minimum":
        return float(patch.height[patch.inside].min())
    inner = binary_erosion(patch.inside, iterations=max(1, round(options.rim_px)))
    rim = Patch(patch.height, patch.inside & ~inner, patch.axes, patch.middle_nm)
    plane = fit_plane(rim)
    x, y = patch.positions()
    level: Floats = plane.level + plane.gradient[0] * (x - plane.middle[0]) + plane.gradient[1] * (y - plane.middle[1])
    return level


def _upright(patch: Patch) -> Floats:
    """Take out the plane that lies parallel under two levels: levels and plane are fitted in turn."""
    x, y = patch.positions()
    z = patch.height[patch.inside]
    x, y = x[patch.inside] - x[patch.inside].mean(), y[patch.inside] - y[patch.inside].mean()
    scale = max(float(np.abs(x).max()), float(np.abs(y).max()))
    x, y = x / scale, y / scale
    upper, slope = np.zeros(len(z), dtype=bool), np.zeros(2)
    for _ in range(30):
        flat = z - slope[0] * x - slope[1] * y
        edges, counts = _histogram(flat, 0)
        now = flat >= _otsu(edges, counts)
        if np.array_equal(now, upper):
            break
        upper = now
        design = np.stack([np.ones_like(x), upper.astype(float), x, y], axis=1)
        slope = np.linalg.lstsq(design, z, rcond=None)[0][2:]
    found = patch.height.copy()
    found[patch.inside] = z - slope[0] * x - slope[1] * y
    return found


def _histogram(values: Floats, bins: int) -> tuple[Floats, NDArray[np.intp]]:
    """Give edges and counts; without a number of bins their width is 2 IQR / n^(1/3) (Freedman & Diaconis 1981)."""
    span = float(np.ptp(values))
    if span <= _ROUNDING * float(np.abs(values).max()):
        raise EclipsError(
            "all heights are equal, so there is no step", hint="Draw the area over both sides of the step."
        )
    quarter = np.subtract(*np.percentile(values, [75, 25]))
    width = 2 * float(quarter) / len(values) ** (1 / 3)
    number = bins or (min(max(math.ceil(span / width), 16), _MOST_BINS) if width > 0 else 256)
    counts, edges = np.histogram(values, number)
    return edges, counts


def _otsu(edges: Floats, counts: NDArray[np.intp]) -> float:
    """Give the height that parts two classes with the largest variance between them (Otsu 1979)."""
    middles = (edges[1:] + edges[:-1]) / 2
    below, moment = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    best = np.flatnonzero(apart >= np.nanmax(apart) * (1 - 1e-12))
    return float(edges[1:][best].mean())  # an empty gap has many equal borders: its middle


def _level(part: Floats) -> tuple[float, float, int]:
    """Give the mean of a class's heights around their mode, the half width of their window, and their number.

    The mode is that of the density smoothed by Silverman's rule (1986, eq. 3.31). The window reaches as far to both sides as
    the density stays above its half on the steeper one, and moves with its mean: sidewalls on one side do not pull it.
    """
    spread = min(float(part.std()), float(np.subtract(*np.percentile(part, [75, 25]))) / 1.34) or float(part.std())
    if spread <= _ROUNDING * float(np.abs(part).max()):
        return float(part.mean()), 1e-12, len(part)
    width = 0.9 * spread * len(part) ** -0.2
    counts, edges = np.histogram(part, min(math.ceil(4 * float(np.ptp(part)) / width), _MOST_BINS))
    step = float(edges[1] - edges[0])
    density = gaussian_filter1d(np.pad(counts.astype(float), 1), width / step, mode="constant")
    top = int(density.argmax())
    low = np.flatnonzero(density[:top] < density[top] / 2)
    high = np.flatnonzero(density[top:] < density[top] / 2)
    reach = min(
        [top - int(each[-1]) for each in (low,) if len(each)] + [int(each[0]) for each in (high,) if len(each)],
        default=1,
    )
    level, half = float(edges[0]) + (top - 0.5) * step, max(reach * step, 1e-12)
    near = part
    for _ in range(50):
        now = part[np.abs(part - level) <= half]
        if not len(now):
            break
        near, before, level = now, level, float(now.mean())
        if abs(level - before) <= 1e-6 * half:
            break
    return level, half, len(near)
