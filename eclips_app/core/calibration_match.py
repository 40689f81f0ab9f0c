"""Whether images were taken as those that a detector was calibrated with."""

from __future__ import annotations

from typing import Any

_SAME_ENERGY = 0.01  #: relative
_SAME_DISTANCE_MM = 0.05
_SAME_SETTING = 1e-6  #: relative


def differences(calibration: dict[str, Any], acquisition: dict[str, Any]) -> list[str]:
    """Say in what an image differs from those of the calibration; what either does not tell is not compared.

    Parameters
    ----------
    calibration : dict
        Of the detector file; its ``acquisition`` holds what the microscope wrote.
    acquisition : dict
        Of the image: energy_kev, working_distance_mm, contrast, brightness.
    """
    then = calibration.get("acquisition") or {}
    found = []
    for name, word, unit, room, relative in (
        ("energy_kev", "beam energy", " keV", _SAME_ENERGY, True),
        ("working_distance_mm", "working distance", " mm", _SAME_DISTANCE_MM, False),
        ("contrast", "contrast", "", _SAME_SETTING, True),
        ("brightness", "brightness", "", _SAME_SETTING, True),
    ):
        old, new = then.get(name), acquisition.get(name)
        if old is not None and new is not None and abs(new - old) > room * (abs(old) if relative else 1.0):
            found.append(f"{word} {new:g}{unit}, calibrated at {old:g}{unit}")
    return found
