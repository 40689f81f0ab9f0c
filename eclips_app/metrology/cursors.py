"""Readings from a profile: between two cursors, the slope of a stretch, the height of a step between two stretches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.profile import Profile

Floats = NDArray[np.float64]
Stretch = tuple[float, float]  #: two distances from the profile's start in nm, in any order


@dataclass(frozen=True)
class Reading:
    """What two cursors on a profile show."""

    dx_nm: Quantity  #: second cursor minus first
    dz_nm: Quantity
    angle_deg: Quantity  #: of the straight line through both points; positive where the profile rises to the right


@dataclass(frozen=True)
class Slope:
    """A straight line fitted to a stretch of a profile."""

    angle_deg: Quantity  #: positive where the profile rises to the right
    rms_nm: Quantity  #: root mean square of the residuals
    level_nm: float  #: height of the line at the middle of the stretch
    middle_nm: float  #: distance of that middle from the profile's start
    points: int


@dataclass(frozen=True)
class Step:
    """Two parallel lines fitted to two stretches of a profile."""

    height_nm: Quantity  #: level of the second line above the first
    angle_deg: Quantity  #: common slope of both lines
    rms_nm: Quantity


def between(profile: Profile, first_nm: float, second_nm: float) -> Reading:
    """Read the height difference and angle between two distances (nm) from the profile's start.

    A cursor beyond the profile or on a hole gives NaN. The standard deviations combine `profile.std_nm` at both
    cursors as independent errors; they are None where it is not known.
    """
    ends = np.array([first_nm, second_nm])
    z = _at(profile, profile.height_nm, ends)
    dx, dz = second_nm - first_nm, float(z[1] - z[0])
    std = None if profile.std_nm is None else float(np.hypot(*_at(profile, profile.std_nm, ends)))
    slope = dz / dx if dx else math.nan
    angle_std = None if std is None or not dx else math.degrees(std / abs(dx) / (1 + slope * slope))
    return Reading(
        Quantity(dx, "nm"), Quantity(dz, "nm", std), Quantity(math.degrees(math.atan(slope)), "deg", angle_std)
    )


def fit_slope(profile: Profile, stretch: Stretch) -> Slope:
    """Fit a straight line by least squares to the points of a stretch.

    The standard deviation comes from the residuals, and takes into account that those of neighbouring points
    go together (see `_solve`); it does not hold what shifts or tilts the whole profile, such as a wrong calibration.

    Raises
    ------
    EclipsError
        If fewer than three points of the stretch hold data.
    """
    x, z = _points(profile, stretch)
    middle = (min(stretch) + max(stretch)) / 2
    coefficients, covariance, rms = _solve(np.stack([np.ones_like(x), x - middle], axis=1), [z])
    return Slope(_angle(coefficients[1], covariance[1, 1]), Quantity(rms, "nm"), coefficients[0], middle, len(x))


def step_height(profile: Profile, first: Stretch, second: Stretch) -> Step:
    """Give the level difference of two parallel lines fitted together to two stretches.

    This is the plain fit to any two stretches, not the step height of a standard. Standard deviations are those of `fit_slope`.

    Raises
    ------
    EclipsError
        If fewer than three points of a stretch hold data.
    """
    (xa, za), (xb, zb) = _points(profile, first), _points(profile, second)
    x = np.concatenate([xa, xb])
    ones, second_only = np.ones_like(x), np.arange(len(x)) >= len(xa)
    design = np.stack([ones, second_only.astype(float), x - x.mean()], axis=1)
    coefficients, covariance, rms = _solve(design, [za, zb])
    height = Quantity(coefficients[1], "nm", math.sqrt(covariance[1, 1]))
    return Step(height, _angle(coefficients[2], covariance[2, 2]), Quantity(rms, "nm"))


def _at(profile: Profile, values: Floats, distance_nm: Floats) -> Floats:
    found: Floats = np.interp(distance_nm, profile.distance_nm, values, left=np.nan, right=np.nan)
    return found


def _points(profile: Profile, stretch: Stretch) -> tuple[Floats, Floats]:
    low, high = min(stretch), max(stretch)
    x, z = profile.distance_nm, profile.height_nm
    # The tolerance keeps a point that a cursor stands on, whatever the rounding.
    slack = 1e-9 * (abs(low) + abs(high))
    inside = (x >= low - slack) & (x <= high + slack) & np.isfinite(z)
    if np.count_nonzero(inside) < 3:
        raise EclipsError(
            f"the stretch from {low:.6g} to {high:.6g} nm holds fewer than three measured points",
            hint="Make it longer or move it off the hole.",
        )
    return x[inside], z[inside]


def _angle(slope: float, variance: float) -> Quantity:
    return Quantity(math.degrees(math.atan(slope)), "deg", math.degrees(math.sqrt(variance) / (1 + slope * slope)))


def _solve(design: Floats, parts: list[Floats]) -> tuple[list[float], Floats, float]:
    """Solve a linear fit; give coefficients, their covariance and the rms residual.

    `parts` are the heights of each run of neighbouring points. The covariance of ordinary least squares is widened by
    (1 + r) / (1 - r), r the correlation of neighbouring residuals (first-order autoregressive errors;
    Bayley & Hammersley, J. R. Stat. Soc. Suppl. 8 (1946) 184).
    """
    z = np.concatenate(parts)
    coefficients, *_ = np.linalg.lstsq(design, z, rcond=None)
    residual = z - design @ coefficients
    square = float(residual @ residual)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    lagged = sum(float(run[1:] @ run[:-1]) for run in np.split(residual, ends))
    r = min(max(lagged / square, 0.0), 0.99) if square > 0 else 0.0
    variance = square / max(len(z) - design.shape[1], 1) * (1 + r) / (1 - r)
    covariance = variance * np.linalg.inv(design.T @ design)
    return [float(c) for c in coefficients], covariance, math.sqrt(square / len(z))
