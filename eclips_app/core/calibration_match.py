"""Whether images were taken under the conditions of a calibration, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_ENERGY_PART = 0.01  #: of the beam energy
_DISTANCE_MM = 0.05
_SETTING_PART = 0.005  #: of contrast, brightness and the like
_SLOPE_PER_DISTANCE = 0.8  #: part by which slopes change with the distance, for an annulus of usual size

#: Settings of the amplifiers, and what of the calibration goes with them.
_SETTINGS = {
    "contrast": "gains", "gain": "gains", "brightness": "offsets (black level)", "offset": "offsets (black level)",
}  # fmt: skip
#: What a calibration holds for one value of: words and unit.
_CONDITIONS = {
    "energy_kev": ("beam energy", "keV"), "working_distance_mm": ("working distance", "mm"), **{n: (n, "") for n in _SETTINGS},
}  # fmt: skip


def differences(calibration: dict[str, Any], acquisition: dict[str, Any]) -> list[str]:
    """Say how images differ from the calibration of their detector; what either does not say is passed over.

    Parameters
    ----------
    calibration : dict
        Of the detector file: its `acquisition`, and `values` for the distance.
    acquisition : dict
        Of the images, with the same keys: energy_kev, working_distance_mm, contrast, brightness, gain, offset.
    """
    then = calibration.get("acquisition")
    if not isinstance(then, dict):
        return []
    pairs = {name: (_number(then.get(name)), _number(acquisition.get(name))) for name in {*then, *acquisition}}
    known = {
        name: (was, now)
        for name, (was, now) in pairs.items()
        if was is not None and now is not None and _is_other(name, was, now)
    }
    found = []
    if "energy_kev" in known:
        found += _energy(*known["energy_kev"])
    if "working_distance_mm" in known:
        found += _working_distance(*known["working_distance_mm"], _distance_mm(calibration))
    for name, what in _SETTINGS.items():
        if name in known:
            found += _setting(name, what, *known[name])
    return found


def disagreements(observed: Sequence[tuple[str, str, dict[str, Any]]]) -> list[str]:
    """Say which observations of one calibration were taken under other conditions than those before them.

    Parameters
    ----------
    observed : sequence of (name, kind, acquisition)
        The acquisition as for `differences`. Of dark frames only the settings of the amplifiers count.
    """
    found = []
    for condition, (word, unit) in _CONDITIONS.items():
        said = [
            (name, value)
            for name, kind, acquisition in observed
            if (kind != "dark" or condition in _SETTINGS) and (value := _number(acquisition.get(condition))) is not None
        ]
        others = [each for each in said if _is_other(condition, said[0][1], each[1])]
        if others:
            (first, was), (other, now) = said[0], others[0]
            values = f"{was:.4g} {unit}".strip(), f"{now:.4g} {unit}".strip()
            found.append(
                f"The {word} is {values[0]} for {first}, but {values[1]} for {other}: one calibration holds for one {word}; "
                "take all its images alike, or leave one out."
            )
    return found


def _is_other(condition: str, was: float, now: float) -> bool:
    """Whether two values of a condition differ by more than does not matter."""
    limits = {"energy_kev": _ENERGY_PART * abs(was), "working_distance_mm": _DISTANCE_MM}
    return abs(now - was) > limits.get(condition, _SETTING_PART * max(abs(was), abs(now)))


def _energy(was: float, now: float) -> list[str]:
    return [
        f"The beam energy is {now:.4g} keV, but the detector was calibrated at {was:.4g} keV: electrons leave in other "
        "directions and numbers, so that angles are off by some percent; calibrate at this energy."
    ]


def _working_distance(was: float, now: float, distance_mm: float | None) -> list[str]:
    change = now - was
    lengths = was if distance_mm is None else distance_mm
    percent = 100 * _SLOPE_PER_DISTANCE * abs(change) / max(lengths, 1e-3)
    way = "steep" if change < 0 else "flat"
    return [
        f"The working distance is {now:.4g} mm, {abs(change):.2g} mm {'more' if change > 0 else 'less'} than in the calibration: "
        f"angles read some {percent:.2g} % too {way}; focus at {was:.4g} mm, or change the detector's distance by as much."
    ]


def _setting(name: str, what: str, was: float, now: float) -> list[str]:
    return [f"The {name} is {now:.4g}, but was {was:.4g} in the calibration: its {what} do not hold for these images."]


def _distance_mm(calibration: dict[str, Any]) -> float | None:
    """Give the calibrated distance from specimen to detector; None where the calibration does not say it."""
    values = calibration.get("values")
    listed = [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
    return next((_number(each.get("value")) for each in listed if each.get("name") == "distance_mm"), None)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None
