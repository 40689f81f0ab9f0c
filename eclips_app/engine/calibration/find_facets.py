"""Finds areas of even steep slope, as the sides of a stepped pyramid, a grating or terrace edges have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.calibration import Facets
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.find_flat import largest_rectangle
from eclips_app.engine.calibration.view import Area, Images, Mask, View

Float = NDArray[np.float64]

_STEEP = 0.4  #: of the certified slope; gains and black level make measured slopes too low rather than too high
_SAME_DEG = 15.0  #: deviation of the direction within an area
_MOST = 24  #: areas
_LEAST_EDGE_PX = 4  #: of an area, before it is drawn in
_LEAST_SHARE = 2e-4  #: of the image, of an area
_DIRECTIONS = 72  #: of the histogram


def find_facets(facets: Facets, view: View, context: Context) -> Facets:
    """Fill in areas of the crop, or the azimuths of given ones.

    Raises
    ------
    EclipsError
        If there is no such area.
    """
    slopes = scipy.ndimage.gaussian_filter(view.slopes, (0, 1.0, 1.0))
    if not facets.areas:
        areas = _areas(slopes, view.all_usable, np.tan(np.deg2rad(facets.tilt_deg)), context)
        if not areas:
            raise EclipsError(
                "no facets were found: nowhere are the images even and steep over more than a few pixels",
                hint="Check the certified tilt and the azimuths of the detector's segments, or draw the areas by hand.",
            )
        facets = replace(facets, areas=areas)
    if len(facets.azimuths_deg) != len(facets.areas):
        facets = replace(facets, azimuths_deg=tuple(_azimuth(slopes, area) for area in facets.areas))
    return facets


def _azimuth(slopes: Images, area: Area) -> float:
    """Azimuth of the normal of an area in degrees; the median of its slopes bears dust."""
    top, left, bottom, right = (max(0, x) for x in area)
    part = slopes[:, top:bottom, left:right]
    if part.size == 0:
        raise EclipsError("an area lies outside the image", hint="Draw it within the image.")
    p, q = np.median(part, axis=(1, 2))
    return round(float(np.rad2deg(np.arctan2(-q, -p))), 3)


def _areas(slopes: Images, usable: Mask, certified: float, context: Context) -> tuple[Area, ...]:
    """Give rectangles of one direction each, the largest first."""
    steep = usable & (np.hypot(*slopes) > _STEEP * certified)
    angle = np.rad2deg(np.arctan2(-slopes[1], -slopes[0])) % 360
    least = max(_LEAST_EDGE_PX**2, int(_LEAST_SHARE * usable.size))
    found: list[tuple[int, Area]] = []
    for direction in _directions(angle[steep]):
        context.check()
        near = np.abs((angle - direction + 180) % 360 - 180) < _SAME_DEG
        parts, count = scipy.ndimage.label(steep & near)
        for number, box in enumerate(scipy.ndimage.find_objects(parts, count), start=1):
            top, left, bottom, right = largest_rectangle(parts[box] == number)
            size = (bottom - top) * (right - left)
            if size >= least and min(bottom - top, right - left) >= _LEAST_EDGE_PX:
                row, column = box[0].start, box[1].start
                found.append((size, (top + row, left + column, bottom + row, right + column)))
    found.sort(key=lambda pair: -pair[0])
    return tuple(area for _, area in found[:_MOST])


def _directions(angles: Float) -> list[float]:
    """Give the directions (deg) that are most common, until less than a twentieth of the most common one is left."""
    width = 360 / _DIRECTIONS
    counts = np.bincount((angles / width).astype(int) % _DIRECTIONS, minlength=_DIRECTIONS).astype(float)
    counts = scipy.ndimage.gaussian_filter1d(counts, 1.0, mode="wrap")
    most, found = float(counts.max()), []
    reach = round(_SAME_DEG / width)
    while len(angles) and counts.max() > 0.05 * most:
        peak = int(counts.argmax())
        found.append((peak + 0.5) * width)
        counts[(peak + np.arange(-reach, reach + 1)) % _DIRECTIONS] = 0.0
    return found
