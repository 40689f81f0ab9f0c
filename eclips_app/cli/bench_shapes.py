"""Shapes fitted to height maps of which they are known: a square pyramid and a sphere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float = NDArray[np.float64]

_FACE_DEG = 8.0  #: what is tilted less is no face of an indent
_FACE_WIDTH_DEG = 15.0  #: azimuths that count as one face
_FACE_BORDER_PX = 5
_SPHERE_SHARE = 0.4  #: of the field's edge: radius of the disc in its middle that a sphere is fitted to


def sphere_diameter_nm(height: NDArray[Any], pixel_nm: float) -> float:
    """Give the diameter of the sphere fitted to the middle of a height map [row, col] in nm."""
    rows, columns = (np.indices(height.shape) - (np.array(height.shape).reshape(2, 1, 1) - 1) / 2) * pixel_nm
    there = np.hypot(rows, columns) < _SPHERE_SHARE * min(height.shape) * pixel_nm
    points = np.column_stack([rows[there], columns[there], np.asarray(height, float)[there]])
    points -= points.mean(axis=0)
    design = np.column_stack([2 * points, np.ones(len(points))])
    middle = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0]
    return 2 * float(np.sqrt(middle[3] + (middle[:3] ** 2).sum()))


def face_tilts(height: NDArray[Any], pixel_nm: float) -> tuple[float, ...]:
    """Give the tilts in degrees of the four faces of a square pyramid in a height map, and their mean."""
    found = [tilt for tilt, _ in face_planes(height, pixel_nm)]
    return (*found, float(np.mean(found)))


def face_planes(height: NDArray[Any], pixel_nm: float) -> list[tuple[float, float]]:
    """Give tilt in degrees and root mean square deviation in nm of planes fitted to the four faces of a square pyramid.

    The faces lie 90 degrees apart; of each the largest connected part, less a border, is fitted.
    """
    height = np.asarray(height, float)
    down, right = np.gradient(ndimage.gaussian_filter(height, 2.0), pixel_nm)
    inclined = np.hypot(right, down) > np.tan(np.deg2rad(_FACE_DEG))
    azimuth = np.arctan2(-down, right)
    first = float(np.angle(np.exp(4j * azimuth[inclined]).sum())) / 4
    found = []
    for turn in first + np.arange(4) * np.pi / 2:
        apart = np.abs(np.angle(np.exp(1j * (azimuth - turn))))
        found.append(_plane(height, pixel_nm, inclined & (apart < np.deg2rad(_FACE_WIDTH_DEG))))
    return found


def _plane(height: Float, pixel_nm: float, there: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit a plane to the largest connected part, less a border; NaN where nothing is left."""
    labels, count = ndimage.label(ndimage.binary_erosion(there, iterations=_FACE_BORDER_PX))
    if not count:
        return float("nan"), float("nan")
    rows, columns = np.nonzero(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))
    design = np.column_stack([rows * pixel_nm, columns * pixel_nm, np.ones(len(rows))])
    plane = np.linalg.lstsq(design, height[rows, columns], rcond=None)[0]
    left = float(np.std(height[rows, columns] - design @ plane))
    return float(np.rad2deg(np.arctan(np.hypot(*plane[:2])))), left
