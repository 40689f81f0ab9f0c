"""What the panel shows of each frame, worked out without widgets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.sampling import Sampled, read_cursors, sample_run
from eclips_app.model.items import ProfileLine, Run, SegmentSet

#: What can be followed over the frames: key, words, short word for the axis, unit.
READINGS = (
    ("Height difference", "Height difference between the cursors", "Difference", "nm"),
    ("Fitted angle", "Fitted angle between the cursors", "Angle", "°"),
    ("range", "Lowest to highest along the line", "Range", "nm"),
    ("mean", "Mean height along the line", "Height", "nm"),
)
_SAMPLE_PX = 1 << 14


def reading(run: Run, line: ProfileLine, cursors_nm: tuple[float, float], key: str) -> float:
    """Give a reading of a line on a run, NaN where there is none; nm or degrees."""
    try:
        profile = sample_run(run, line, quick=True)  # the curve over the frames shows no standard deviation
    except EclipsError:  # the line has no length
        return math.nan
    known = profile.height_nm[np.isfinite(profile.height_nm)]
    if not known.size:
        return math.nan
    if key == "range":
        return float(np.ptp(known))
    if key == "mean":
        return float(known.mean())
    found = read_cursors(Sampled("A", run.name, run.id, profile), *cursors_nm).values.get(key)
    return found.value if found is not None else math.nan


def frame_text(index: int, count: int, frame: SegmentSet) -> str:
    """Say which frame is shown and when it was taken."""
    time = f", t = {frame.time_s:g} s" if frame.time_s is not None else ""
    return f"Frame {index + 1} of {count}{time}"


def height_levels(height: NDArray[np.floating]) -> tuple[float, float]:
    """Give the 0.5 and 99.5 percentiles of a sparse sample of a map; quick enough for every frame of a series."""
    step = max(1, math.isqrt(height.size // _SAMPLE_PX))
    sample = height[::step, ::step]
    known = sample[np.isfinite(sample)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, (0.5, 99.5))
    return float(low), float(high)


def common_levels(levels: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Give the range that holds those of all frames; None without any."""
    if not levels:
        return None
    low, high = min(low for low, _ in levels), max(high for _, high in levels)
    return (low, high) if high > low else (low, low + 1.0)


def even_times(count: int, interval_s: float) -> list[float]:
    """Give times in seconds from 0 in equal steps, rounded to where the steps can be told apart."""
    digits = max(0, 6 - math.floor(math.log10(interval_s))) if interval_s > 0 else 6
    return [round(i * interval_s, digits) for i in range(count)]
