"""Which number of a fit is what: free parameters, unknowns of the objects, brightnesses; and between which limits they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.engine.calibration.seen import Seen
from eclips_app.engine.calibration.shapes import FOUND_RADIUS, TILTS
from eclips_app.engine.calibration.state import State

Float = NDArray[np.float64]

_FEW = 8.0  #: deviations of what is known beforehand
_ROOM = 0.4  #: of the distance, or of the width of the ring
_STEEPEST_FOOT = 1.12  #: radius of a ball over the outline of a cap whose foot is as steep as 63 degrees
_BLACKEST, _LIGHT = 4.0, 0.02  #: of the median grey value: black level at the least, and signal at the least


class Layout:
    """Names, starts, earlier deviations (infinite: none) and steps for derivatives, as they are added one by one."""

    def __init__(self, initial: State) -> None:
        self._initial = initial
        self.names: list[str] = []
        self.start: list[float] = []
        self.std: list[float] = []
        self.steps: list[float] = []

    def add(self, name: str, start: float, std: float | None, step: float) -> int:
        """Give the place of a name, which is new or is there."""
        if name not in self.names:
            self.names.append(name)
            self.start.append(start)
            self.std.append(std or np.inf)
            self.steps.append(step)
        return self.names.index(name)

    def unknowns(self, number: int, each: Seen) -> list[int]:
        """Give the places of an observation's unknowns; tilts of a series are the same for all of it."""
        if each.shape is None:
            return []
        series = each.observation.series
        return [
            self.add(f"{series}:{u.name}" if series and u.name in TILTS else f"{number + 1}:{u.name}", u.start, u.std, u.step)
            for u in each.shape.unknowns
        ]  # fmt: skip

    def brightness(self, number: int, each: Seen) -> int:
        """Give the place of the logarithm of an observation's brightness, that of its series if it is in one; -1 for none."""
        if each.shape is None:
            return -1
        signal = each.patches.grey - self._initial.offsets
        start = float(np.log(max(np.median(signal / self._initial.gains), 1e-9) / (each.observation.current or 1.0)))
        return self.add(f"{each.observation.series or number + 1}:brightness", start, None, 0.0)


def limits(
    names: Sequence[str], start: Float, std: Float, detector: Detector, seen: Sequence[Seen]
) -> tuple[Float, Float]:
    """Keep lengths and gains above zero, radii apart, black levels below the images, and tilts where a detector can be."""
    lower, upper = start - _FEW * std, start + _FEW * std
    grey = _grey(seen)
    segments = [segment.name for segment in detector.quadrants]
    for i, name in enumerate(names):
        low, high = _range(name, float(start[i]), detector)
        kind, _, rest = name.partition(":")
        if kind == "offset" and grey is not None:
            dark, middle = (float(each[segments.index(rest)]) for each in grey)
            low, high = -_BLACKEST * middle, dark - _LIGHT * middle
        lower[i], upper[i] = max(lower[i], low), min(upper[i], high)
    return lower, upper


def _range(name: str, start: float, detector: Detector) -> tuple[float, float]:
    """Give where a detector can be."""
    if name.startswith("gain:") or name == "pixel_aspect":
        return 0.05 * start, 20.0 * start
    if name.startswith("tilt_"):
        return -30.0, 30.0
    if name.endswith("radius_mm"):
        room = _ROOM * (detector.outer_radius_mm - detector.inner_radius_mm)
        return max(start - room, 0.0), start + room
    if name.endswith("_mm"):
        return start - _ROOM * detector.distance_mm, start + _ROOM * detector.distance_mm
    if name.endswith(f":{FOUND_RADIUS}"):
        return 0.99 * start, _STEEPEST_FOOT * start
    return -np.inf, np.inf


def _grey(seen: Sequence[Seen]) -> tuple[Float, Float] | None:
    """Give the lowest and the median grey value [k] of each segment on objects; None without any."""
    grey = [each.patches.grey for each in seen if each.shape is not None]
    return (np.concatenate(grey).min(axis=0), np.median(np.concatenate(grey), axis=0)) if grey else None
