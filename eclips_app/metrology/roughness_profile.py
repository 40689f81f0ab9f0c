"""What is read from a profile by its sections, elements and slopes (ISO 21920-2:2021)."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.units import Quantity

Floats = NDArray[np.float64]

#: Least height of a profile element's hill, and depth of its dale, as a part of Rz (ISO 21920-2: height discrimination).
_LEAST = 0.1


def sections(z: Floats, number: int, letter: str = "R") -> dict[str, Quantity]:
    """Give p, v and z, each the mean over `number` sections of equal length, and t, over the whole length.

    Heights [point] are from the profile's mean line.
    """
    parts = [part for part in np.array_split(z, number) if np.isfinite(part).any()]
    p = float(np.mean([np.nanmax(part) for part in parts]))
    v = -float(np.mean([np.nanmin(part) for part in parts]))
    names = {"p": p, "v": v, "z": p + v, "t": float(np.nanmax(z) - np.nanmin(z))}
    return {f"{letter}{name}": Quantity(value, "nm") for name, value in names.items()}


def elements(z: Floats, step_nm: float, least_nm: float, letter: str = "R") -> dict[str, Quantity]:
    """Give the mean spacing sm and the mean height c of the profile elements: a hill and the dale next to it.

    The profile [point] is cut where it crosses its mean line; what rises or falls less than `least_nm` is no hill or dale.
    NaN where there is no whole element.
    """
    crossings, peaks = _crossings(z, least_nm)
    same = crossings[::2], crossings[1::2]
    spans = [np.diff(each) for each in same if len(each) > 1]
    if not spans:
        return {f"{letter}sm": Quantity(math.nan, "nm"), f"{letter}c": Quantity(math.nan, "nm")}
    # Both ways to pair hills with dales are as good: their mean uses all that is there.
    spacing = float(np.concatenate(spans).mean()) * step_nm
    height = float(np.mean(np.abs(np.diff(peaks))))
    return {f"{letter}sm": Quantity(spacing, "nm"), f"{letter}c": Quantity(height, "nm")}


def _crossings(z: Floats, least: float) -> tuple[Floats, Floats]:
    """Give where hills and dales of some height meet (in steps), and the extreme of each between two such places."""
    z = z[np.isfinite(z)]
    tall = np.flatnonzero(np.abs(z) >= least)
    turns = np.flatnonzero(np.sign(z[tall[1:]]) != np.sign(z[tall[:-1]]))
    places = []
    for before, after in zip(tall[turns], tall[turns + 1], strict=True):
        part = z[before : after + 1]
        cross = np.flatnonzero((part[1:] > 0) != (part[:-1] > 0))
        exact = [i + part[i] / (part[i] - part[i + 1]) for i in cross]
        places.append(before + float(np.mean(exact)))
    bounds = [math.ceil(place) for place in places]
    runs = [z[a:b] for a, b in pairwise(bounds)]
    return np.array(places), np.array([run[np.abs(run).argmax()] for run in runs])


def slope(z: Floats, step_nm: float, letter: str = "R") -> dict[str, Quantity]:
    """Give the root mean square gradient dq, by differences over seven points (ISO 21920-2; exact to the sixth order)."""
    if len(z) < 7:
        return {f"{letter}dq": Quantity(math.nan, "")}
    weights = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60
    rise = np.convolve(z, weights[::-1], "valid") / step_nm
    rise = rise[np.isfinite(rise)]
    return {f"{letter}dq": Quantity(math.sqrt(float((rise * rise).mean())) if len(rise) else math.nan, "")}


def height_discrimination(rz_nm: float) -> float:
    """Give the least height of a hill or dale of a profile element."""
    return _LEAST * rz_nm
