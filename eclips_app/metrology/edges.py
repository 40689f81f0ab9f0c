"""Edges of one feature (groove, trench, ridge or line) of a profile."""

from __future__ import annotations

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.reading import Floats, Line, Stretch

_HINT = "Mark the stretch that holds it."


def feature(line: Line) -> Stretch:
    """Find the two edges of a feature at half its height above the surface beside it, to a fraction of a step.

    The edges are where the slope differs most, up and down, from the median slope; the half height is that between the
    line through both sides and the median of what lies between the edges.

    Raises
    ------
    EclipsError
        If there is none, or a side of it is missing.
    """
    known = np.isfinite(line.height_nm)
    x, z = line.distance_nm[known], line.height_nm[known]
    if len(x) < 12:
        raise EclipsError("the profile is too short to find a feature", hint=_HINT)
    span = max(1, len(x) // 100)
    rise = (z[2 * span :] - z[: -2 * span]) / (x[2 * span :] - x[: -2 * span])
    rise = rise - np.median(rise)
    first, second = sorted((int(rise.argmax()) + span, int(rise.argmin()) + span))
    off = max(span, (second - first) // 5)
    beside = np.r_[0 : max(first - off, 0), min(second + off, len(x)) : len(x)]
    inner = z[first + off : second - off + 1]
    if first - off < 3 or len(x) - second - off < 3 or len(inner) < 1:
        raise EclipsError("the profile shows no groove or ridge with a level on both sides", hint=_HINT)
    level = np.polynomial.Polynomial.fit(x[beside], z[beside], 1)
    flat: Floats = z - level(x)
    height = float(np.median(flat[first + off : second - off + 1]))
    if abs(height) <= 3 * float(np.median(np.abs(flat[beside]))):
        raise EclipsError("the profile shows no groove or ridge that stands out of its roughness", hint=_HINT)
    relative = flat / height
    return crossing(x, relative, 0.5, first), crossing(x, relative, 0.5, second)


def crossing(x: Floats, values: Floats, level: float, near: int) -> float:
    """Give where values cross a level, nearest to an index, by linear interpolation.

    Raises
    ------
    EclipsError
        If they never do.
    """
    above = values >= level
    turns = np.flatnonzero(above[1:] != above[:-1])
    if not len(turns):
        raise EclipsError("the profile does not cross the level that is looked for", hint=_HINT)
    at = int(turns[np.abs(turns + 0.5 - near).argmin()])
    part = (level - values[at]) / (values[at + 1] - values[at])
    return float(x[at] + part * (x[at + 1] - x[at]))
