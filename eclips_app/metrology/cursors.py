"""Readings from a profile: between two cursors, the slope of a stretch, the height of a step between two stretches.

Where the profile has deviations, standard deviations are those of the whole budget, with all that goes together along the
profile: noise that is integrated, and errors common to the whole map. Noise of random draws: see `metrology.deviations`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.linear_fit import fit
from eclips_app.metrology.profile import Profile

Floats = NDArray[np.float64]
Stretch = tuple[float, float]  #: two distances from the profile's start in nm, in any order


@dataclass(frozen=True, eq=False)
class Influence:
    """What a reading is made of."""

    gradient: Floats  #: [point], change of the reading with the height of each point, per nm
    effects: Floats | None  #: [map], change of the reading with each map of deviations; None where the profile has none

    @property
    def std(self) -> float | None:
        """Standard deviation of the reading; None where the profile has no deviations."""
        return None if self.effects is None else float(np.sqrt(self.effects @ self.effects))


@dataclass(frozen=True, eq=False)
class Reading:
    """What two cursors on a profile show."""

    dx_nm: Quantity  #: second cursor minus first
    dz_nm: Quantity
    angle_deg: Quantity  #: of the straight line through both points; positive where the profile rises to the right
    dz_from: Influence
    angle_from: Influence


@dataclass(frozen=True, eq=False)
class Slope:
    """A straight line fitted to a stretch of a profile."""

    angle_deg: Quantity  #: positive where the profile rises to the right
    rms_nm: Quantity  #: root mean square of the residuals
    level_nm: float  #: height of the line at the middle of the stretch
    middle_nm: float  #: distance of that middle from the profile's start
    points: int
    angle_from: Influence


@dataclass(frozen=True, eq=False)
class Step:
    """Two parallel lines fitted to two stretches of a profile."""

    height_nm: Quantity  #: level of the second line above the first
    angle_deg: Quantity  #: common slope of both lines
    rms_nm: Quantity
    height_from: Influence


def between(profile: Profile, first_nm: float, second_nm: float) -> Reading:
    """Read the height difference and angle between two distances (nm) from the profile's start.

    A cursor beyond the profile or on a hole gives NaN. Without deviations the standard deviations combine `profile.std_nm`
    at both cursors as independent errors; they are None where it is not known.
    """
    ends = np.array([first_nm, second_nm])
    z = _at(profile, profile.height_nm, ends)
    dx, dz = second_nm - first_nm, float(z[1] - z[0])
    slope = dz / dx if dx else math.nan
    gradient = _weights_at(profile, second_nm) - _weights_at(profile, first_nm)
    dz_from = _influence(profile, gradient)
    angle_from = _of_angle(profile, gradient / dx if dx else gradient, slope)
    dz_std, angle_std = dz_from.std, angle_from.std
    if dz_std is None and profile.std_nm is not None:
        dz_std = float(np.hypot(*_at(profile, profile.std_nm, ends)))
        angle_std = math.degrees(dz_std / abs(dx) / (1 + slope * slope)) if dx else None
    dx_std = profile.covariance.std_of_length(dx) if profile.covariance is not None else None
    return Reading(
        Quantity(dx, "nm", dx_std), Quantity(dz, "nm", dz_std),
        Quantity(math.degrees(math.atan(slope)), "deg", angle_std), dz_from, angle_from,
    )  # fmt: skip


def fit_slope(profile: Profile, stretch: Stretch) -> Slope:
    """Fit a straight line by least squares to the points of a stretch.

    Without deviations the standard deviation comes from the residuals, and takes into account that those of neighbouring
    points go together (see `linear_fit`); it does not hold what shifts or tilts the whole profile, such as a wrong calibration.

    Raises
    ------
    EclipsError
        If fewer than three points of the stretch hold data.
    """
    inside = _points(profile, stretch)
    x, z = profile.distance_nm[inside], profile.height_nm[inside]
    middle = (min(stretch) + max(stretch)) / 2
    design = np.stack([np.ones_like(x), x - middle], axis=1)
    found, covariance, rms, gradient = fit(design, [z])
    angle_from = _of_angle(profile, _spread(profile, inside, gradient[1]), found[1])
    angle = _angle(found[1], covariance[1, 1], angle_from)
    return Slope(angle, Quantity(rms, "nm"), float(found[0]), middle, len(x), angle_from)


def step_height(profile: Profile, first: Stretch, second: Stretch) -> Step:
    """Give the level difference of two parallel lines fitted together to two stretches.

    This is the plain fit to any two stretches, not the step height of a standard. Standard deviations are those of `fit_slope`.

    Raises
    ------
    EclipsError
        If fewer than three points of a stretch hold data.
    """
    a, b = _points(profile, first), _points(profile, second)
    both = np.concatenate([a, b])
    x, z = profile.distance_nm[both], profile.height_nm
    second_only = np.arange(len(x)) >= len(a)
    design = np.stack([np.ones_like(x), second_only.astype(float), x - x.mean()], axis=1)
    found, covariance, rms, gradient = fit(design, [z[a], z[b]])
    height_from = _influence(profile, _spread(profile, both, gradient[1]))
    angle_from = _of_angle(profile, _spread(profile, both, gradient[2]), found[2])
    std = height_from.std if height_from.std is not None else math.sqrt(covariance[1, 1])
    angle = _angle(found[2], covariance[2, 2], angle_from)
    return Step(Quantity(float(found[1]), "nm", std), angle, Quantity(rms, "nm"), height_from)


def _influence(profile: Profile, gradient: Floats) -> Influence:
    along = profile.deviations_nm
    return Influence(gradient, None if along is None else along @ gradient)


def _of_angle(profile: Profile, gradient: Floats, slope: float) -> Influence:
    """Give the influence on an angle in degrees from the `gradient` of its slope.

    The effects are difference quotients, (f(h + d) - f(h - d)) / 2, with the lengths that change along with the heights.
    """
    of_slope = _influence(profile, gradient)
    effects = None
    if of_slope.effects is not None and profile.covariance is not None:
        more, less = 1 + profile.covariance.lengths, 1 - profile.covariance.lengths
        up, down = np.arctan((slope + of_slope.effects) / more), np.arctan((slope - of_slope.effects) / less)
        effects = np.degrees(up - down) / 2
    return Influence(np.degrees(gradient / (1 + slope * slope)), effects)


def _weights_at(profile: Profile, distance_nm: float) -> Floats:
    """Give the weights [point] of linear interpolation at a distance; zeros outside the profile."""
    x = profile.distance_nm
    weights = np.zeros(len(x))
    if x[0] <= distance_nm <= x[-1]:
        right = min(max(int(np.searchsorted(x, distance_nm)), 1), len(x) - 1)
        part = (distance_nm - x[right - 1]) / (x[right] - x[right - 1])
        weights[right - 1 : right + 1] = 1 - part, part
    return weights


def _spread(profile: Profile, inside: NDArray[np.intp], gradient: Floats) -> Floats:
    """Give a gradient by the points `inside` as one by all points of the profile."""
    spread = np.zeros(len(profile))
    spread[inside] = gradient
    return spread


def _at(profile: Profile, values: Floats, distance_nm: Floats) -> Floats:
    found: Floats = np.interp(distance_nm, profile.distance_nm, values, left=np.nan, right=np.nan)
    return found


def _points(profile: Profile, stretch: Stretch) -> NDArray[np.intp]:
    """Give the indices of the measured points of a stretch."""
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
    return np.flatnonzero(inside)


def _angle(slope: float, variance: float, angle_from: Influence) -> Quantity:
    """Give the angle of a slope; `variance` is that of the fit, for where there are no deviations."""
    std = angle_from.std
    if std is None:
        std = math.degrees(math.sqrt(variance) / (1 + slope * slope))
    return Quantity(math.degrees(math.atan(slope)), "deg", std)
