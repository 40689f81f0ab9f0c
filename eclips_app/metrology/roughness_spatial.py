"""Spatial parameters of areas: Sal, Str and Std (ISO 25178-2:2021, 4.3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from eclips_app.core.units import Quantity
from eclips_app.metrology.spectra import angular_amplitude, autocorrelation_of_area

Floats = NDArray[np.float64]

_DIRECTIONS = 360  #: over half a turn: the autocorrelation is even
_PER_PIXEL = 4


def spatial(height: Floats, inside: NDArray[np.bool_], axes: Floats, level: float) -> tuple[dict[str, Quantity], str]:
    """Give Sal, Str and Std of heights from their mean plane, and a sentence about what is not defined.

    Sal is the shortest distance at which the autocorrelation falls to `level`, Str that by the longest; along each direction
    it is the first. Distances reach to half of the area's sides. Std is the direction of the largest angular amplitude:
    that across the lay. `axes`: see `reading.Patch`.
    """
    shortest, longest = decay_lengths(autocorrelation_of_area(height, inside), axes, level)
    note = ""
    if not math.isfinite(longest):
        note = f"The autocorrelation does not fall to {level:g} within half of the area in every direction: Str is not defined."
    values = {"Sal": Quantity(shortest, "nm"), "Str": Quantity(shortest / longest, "")}
    size = float(np.hypot(*axes[:, 0])), float(np.hypot(*axes[:, 1]))
    angles, amplitude = angular_amplitude(np.where(inside, height, 0.0), size)
    turned = math.degrees(math.atan2(axes[1, 0], axes[0, 0]))
    values["Std texture direction"] = Quantity((_peak(angles, amplitude) + turned) % 180.0, "deg")
    return values, note


def _peak(angles: Floats, amplitude: Floats) -> float:
    """Give the angle of the highest amplitude, between the angles by a parabola; half a turn closes."""
    at = int(amplitude.argmax())
    a, b, c = (float(amplitude[(at + off) % len(amplitude)]) for off in (-1, 0, 1))
    shift = 0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c < 0 else 0.0
    return float(angles[at]) + shift * float(angles[1] - angles[0])


def decay_lengths(correlation: Floats, axes: Floats, level: float) -> tuple[float, float]:
    """Give the shortest and longest distance in nm at which an autocorrelation first falls to a level.

    NaN for both where it never does, for the longest where it does not in some direction.
    """
    half_r, half_c = (n // 2 for n in correlation.shape)
    turn = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    steps = np.linalg.solve(axes, np.stack([np.cos(turn), np.sin(turn)]))  # columns, rows for 1 nm in each direction
    fine = float(min(np.hypot(*axes[:, 0]), np.hypot(*axes[:, 1]))) / _PER_PIXEL
    found = np.full(_DIRECTIONS, np.nan)
    with np.errstate(divide="ignore"):
        reach = np.minimum(half_c / np.abs(steps[0]), half_r / np.abs(steps[1]))
    for number, ((c, r), far) in enumerate(zip(steps.T, reach, strict=True)):
        away = np.arange(int(far / fine) + 1) * fine
        along = map_coordinates(correlation, [half_r + r * away, half_c + c * away], order=1)
        below = np.flatnonzero(along <= level)
        if len(below) and below[0] > 0:
            i = int(below[0])
            found[number] = away[i] - fine * (level - along[i]) / (along[i - 1] - along[i])
    if np.isnan(found).all():
        return math.nan, math.nan
    return float(np.nanmin(found)), math.nan if np.isnan(found).any() else float(found.max())
