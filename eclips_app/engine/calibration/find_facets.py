"""Finds areas of even steep slope, as the sides of a stepped pyramid, a grating or terrace edges have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.ndimage

from eclips_app.core.calibration import Facets
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.find_flat import largest_rectangle
from eclips_app.engine.calibration.view import Area, Images, Mask, View

_STEEP = 0.4  #: of the certified slope; gains and black level make measured slopes too low rather than too high
_PLATEAU = 0.85  #: of the facet's own slope, that its pixels have at least
_ONE_TILT = 0.3  #: by which slopes of areas of one tilt may differ, as measured with unknown gains
_SHARE_OF_STEEP = 0.08  #: of all that is steep, that areas make up where it is facets
_SAME_DEG = 15.0  #: deviation of the direction within an area
_MOST = 24  #: areas
_LEAST_EDGE_PX = 4  #: of an area, before it is drawn in
_LEAST_SHARE = 2e-4  #: of the image, of an area
_DIRECTIONS = 72  #: of the histogram
_RARE = 0.05  #: frequency of a direction, of that of the most common one, that no longer counts
_LONG = 3  #: times longer than wide: an area whose course tells its direction
_TRUSTED_DEG = 30.0  #: between course and slopes; more is not the course of the facet


def find_facets(facets: Facets, view: View, context: Context) -> Facets:
    """Fill in areas of the crop, or the azimuths of given ones.

    Raises
    ------
    EclipsError
        If there is no such area.
    """
    slopes = scipy.ndimage.gaussian_filter(view.slopes, (0, 1.0, 1.0))
    steepness = np.hypot(*slopes)
    steep: Mask = view.all_usable & (steepness > _STEEP * np.tan(np.deg2rad(facets.tilt_deg)))
    towards = np.rad2deg(np.arctan2(-slopes[1], -slopes[0]))
    if not facets.areas:
        facets = replace(facets, areas=_areas(steep, steepness, towards, context), azimuths_deg=())
        if not facets.areas:
            raise no_facets()
    if len(facets.azimuths_deg) != len(facets.areas):
        found = tuple(_azimuth(slopes, steep, towards, area) for area in facets.areas)
        facets = replace(facets, azimuths_deg=found)
    return facets


def no_facets() -> EclipsError:
    """Give the error where there are none."""
    return EclipsError(
        "no facets were found: nowhere are the images even and steep over more than a few pixels",
        hint="Check the certified tilt and the azimuths of the detector's segments, or draw the areas by hand.",
    )


def _azimuth(slopes: Images, steep: Mask, towards: Images, area: Area) -> float:
    """Azimuth of the normal of an area in degrees.

    Across the course of a long facet, for that does not lean on what is known of the detector; else as the slopes say.
    """
    top, left, bottom, right = (max(0, x) for x in area)
    part = slopes[:, top:bottom, left:right]
    if part.size == 0:
        raise EclipsError("an area lies outside the image", hint="Draw it within the image.")
    p, q = np.median(part, axis=(1, 2))  # bears dust
    read = float(np.rad2deg(np.arctan2(-q, -p)))
    across = _across(steep & (apart(towards, read) < _SAME_DEG), (top, left, bottom, right))
    if across is None:
        return round(read, 3)
    across += 180.0 * round((read - across) / 180.0)
    return round(across if abs(across - read) < _TRUSTED_DEG else read, 3)


def _across(mask: Mask, area: Area) -> float | None:
    """Azimuth (deg, or the opposite one) across the middle line of a long area's part of a mask; None if it is not long."""
    top, left, bottom, right = area
    is_tall = bottom - top > right - left
    if not is_tall:
        mask, (left, top, right, bottom) = mask.T, area
    wide = right - left
    if bottom - top < _LONG * wide:
        return None
    left = max(0, left - wide)
    strip = mask[top:bottom, left : right + wide]
    count = strip.sum(axis=1)
    good = count > 0
    if np.count_nonzero(good) < _LONG:
        return None
    middle = strip[good] @ np.arange(strip.shape[1]) / count[good]
    slope = float(np.polyfit(np.flatnonzero(good), middle, 1)[0])
    return float(np.rad2deg(np.arctan(slope) if is_tall else np.arctan2(1.0, slope)))


def apart(angle: Images, direction: float) -> Images:
    """Give how far angles are from a direction, 0 to 180 degrees."""
    return np.asarray(np.abs((angle - direction + 180) % 360 - 180), np.float32)


def _areas(steep: Mask, steepness: Images, towards: Images, context: Context) -> tuple[Area, ...]:
    """Give rectangles of one direction each, the largest first."""
    least = max(_LEAST_EDGE_PX**2, int(_LEAST_SHARE * steep.size))
    found: list[tuple[int, float, Area]] = []
    left = steep.copy()
    for direction in _directions(towards[steep]):
        context.check()
        here = left & (apart(towards, direction) < _SAME_DEG)
        left &= ~here
        parts, count = scipy.ndimage.label(here)
        for number, box in enumerate(scipy.ndimage.find_objects(parts, count), start=1):
            part = parts[box] == number
            # Edges are blurred: what belongs to the facet is nearly as steep as most of it.
            limit = float(np.percentile(steepness[box][part], 75))
            top, start, bottom, end = largest_rectangle(part & (steepness[box] > _PLATEAU * limit))
            size = (bottom - top) * (end - start)
            if size >= least and min(bottom - top, end - start) >= _LEAST_EDGE_PX:
                row, column = box[0].start, box[1].start
                found.append((size, limit, (top + row, start + column, bottom + row, end + column)))
    return _alike(found, int(np.count_nonzero(steep)))


def _alike(found: list[tuple[int, float, Area]], steep: int) -> tuple[Area, ...]:
    """Give the areas, largest first, as steep as most of them; none if they are but a small part of what is steep."""
    if not found:
        return ()
    found = sorted(found, key=lambda each: -each[0])[:_MOST]
    usual = float(np.median(np.repeat([each[1] for each in found], [each[0] for each in found])))
    kept = [each for each in found if abs(each[1] / usual - 1) < _ONE_TILT]
    return tuple(area for _, _, area in kept) if sum(each[0] for each in kept) > _SHARE_OF_STEEP * steep else ()


def _directions(angles: Images) -> list[float]:
    """Give the directions (deg), the most common first, down to a twentieth of its frequency."""
    width = 360 / _DIRECTIONS
    counts = np.bincount((angles % 360 / width).astype(int) % _DIRECTIONS, minlength=_DIRECTIONS).astype(float)
    counts = scipy.ndimage.gaussian_filter1d(counts, 1.0, mode="wrap")
    most, found = float(counts.max()), []
    reach = round(_SAME_DEG / width)
    while len(angles) and counts.max() > _RARE * most:
        peak = int(counts.argmax())
        found.append((peak + 0.5) * width)
        counts[(peak + np.arange(-reach, reach + 1)) % _DIRECTIONS] = 0.0
    return found
