"""A line on both maps: how its heights and its steepest flank agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.cursors import Stretch, fit_slope
from eclips_app.metrology.profile import Floats, Profile

_FEWEST = 8
_STEEP = 0.5  #: part of the largest slope up to which a flank reaches


@dataclass(frozen=True)
class Pair:
    """A profile of the reconstruction beside that of the map."""

    bias: Quantity  #: reconstruction minus map
    rms: Quantity  #: of the differences without their mean
    flank_nm: Stretch  #: the steepest stretch of the reconstruction
    angle: Quantity  #: of its flank
    map_angle: Quantity  #: of the map along the same stretch
    angle_difference: Quantity
    points: int

    def to_json(self) -> dict[str, Any]:
        """Give all as JSON values."""
        quantities = ("bias", "rms", "angle", "map_angle", "angle_difference")
        return {
            **{name: getattr(self, name).to_json() for name in quantities},
            "flank_nm": list(self.flank_nm), "points": self.points,
        }  # fmt: skip

    def sentence(self) -> str:
        """Say what the angles mean."""
        off, std = self.angle_difference.value, self.angle_difference.std or 0.0
        both = f"flank of {abs(self.angle.value):.2f}°, on the map {abs(self.map_angle.value):.2f}°"
        sigmas = abs(off) / std if std > 0 else math.inf
        return f"{both}: they differ by {abs(off):.2f}°, {sigmas:.1f} standard deviations."


def compare(own: Profile, other: Profile) -> Pair:
    """Compare two profiles at the same points.

    Raises
    ------
    EclipsError
        If fewer than eight points are known to both.
    """
    both = np.isfinite(own.height_nm) & np.isfinite(other.height_nm)
    count = int(both.sum())
    if count < _FEWEST:
        raise EclipsError(
            f"{count} points of the line lie on both maps", hint="Draw it where the map covers the reconstruction."
        )
    difference = own.height_nm[both] - other.height_nm[both]
    spread = float(difference.std(ddof=1))
    alike = max(count / _correlated(difference), 2.0)
    flank = steepest(own.distance_nm, np.where(both, own.height_nm, np.nan))
    angles = [fit_slope(each, flank).angle_deg for each in (own, other)]
    off = Quantity(
        angles[0].value - angles[1].value, "deg", math.hypot(*(angle.std or 0.0 for angle in angles))
    )  # fmt: skip
    return Pair(
        Quantity(float(difference.mean()), "nm", spread / math.sqrt(alike)),
        Quantity(spread, "nm", spread / math.sqrt(2 * alike)), flank, angles[0], angles[1], off, count,
    )  # fmt: skip


def steepest(distance_nm: Floats, height_nm: Floats) -> Stretch:
    """Give the stretch around the largest slope along which it stays above half of it; the whole line where that is short."""
    known = np.isfinite(height_nm)
    whole = float(distance_nm[known][0]), float(distance_nm[known][-1])
    heights = np.interp(distance_nm, distance_nm[known], height_nm[known])
    smooth = ndimage.gaussian_filter1d(heights, max(1.0, len(heights) / 100), mode="nearest")
    slope = np.where(known, np.gradient(smooth, distance_nm), 0.0)
    top = int(np.argmax(np.abs(slope)))
    labels, _ = ndimage.label((slope * np.sign(slope[top]) >= _STEEP * abs(slope[top])) & known)
    inside = np.flatnonzero(labels == labels[top])
    if labels[top] == 0 or len(inside) < 4:
        return whole
    return float(distance_nm[inside[0]]), float(distance_nm[inside[-1]])


def _correlated(values: Floats) -> float:
    """Give how many neighbouring points count as one (first-order autoregression, as in `metrology.cursors`)."""
    rest = values - values.mean()
    square = float(rest @ rest)
    r = min(max(float(rest[1:] @ rest[:-1]) / square, 0.0), 0.99) if square > 0 else 0.0
    return (1 + r) / (1 - r)
