"""Edges of profiles: those of one feature (groove, trench, ridge or line), and the shape of a single edge."""

from __future__ import annotations

import math
import warnings
from functools import partial

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import erf, expit

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.linear_fit import fit
from eclips_app.metrology.reading import Floats, Line, Stretch

_HINT = "Mark the stretch that holds it."
_ONE_EDGE = "Mark a stretch with one edge and a level on both sides."
_FINEST = 20.0  #: logarithm of how much shorter or longer than the stretch an edge's scale may get while it is fitted
_HIGHEST = 100.0  #: level, rise and height of an edge by the height of its stretch; beyond it, it is none


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


def fit_edge(x: Floats, z: Floats, model: str) -> tuple[Floats, Floats, float]:
    """Fit ``level + slope (x - position) + height S((x - position) / scale)``, S the step "erf" or "logistic" from 0 to 1.

    Gives level, slope, height, position and scale (nm), their covariance (see `linear_fit.fit`) and the rms residual.

    Raises
    ------
    EclipsError
        If no edge within the stretch fits.
    """
    size, base = float(x[-1] - x[0]), float(z.mean())
    height, at = _guess(x, z)
    unit = abs(height)
    u, v = (x - x[0]) / size, (z - base) / unit  # all parameters of the size of one
    shape = partial(_edge, model=model)
    n = max(2, len(x) // 5)
    start = [float(v[:n].mean()), 0.0, height / unit, (at - x[0]) / size, math.log(0.05)]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # what runs away is refused below
            # A perfect edge between two points has no finite covariance; it is not used.
            warnings.simplefilter("ignore", OptimizeWarning)
            found, _ = curve_fit(shape, u, v, start, maxfev=4000)
    except RuntimeError as error:
        raise EclipsError("no edge fits the profile", hint=_ONE_EDGE) from error
    if not 0 <= found[3] <= 1 or abs(found[2]) < 1e-9 or np.abs(found[:3]).max() > _HIGHEST:
        raise EclipsError("the profile shows no edge", hint=_ONE_EDGE)
    changes = np.eye(5) * 1e-5
    jacobian = np.stack([(shape(u, *(found + each)) - shape(u, *(found - each))) / 2e-5 for each in changes], axis=1)
    _, covariance, rms, _ = fit(jacobian, [v - shape(u, *found)])
    scale = _scale(float(found[4])) * size
    back = np.array([unit, unit / size, unit, size, scale])
    values = np.array([base + found[0] * unit, *(found[1:3] * back[1:3]), x[0] + found[3] * size, scale])
    return values, covariance * np.outer(back, back), rms * unit


def _edge(u: Floats, level: float, slope: float, height: float, at: float, log_scale: float, *, model: str) -> Floats:
    v = (u - at) / _scale(log_scale)
    step = 0.5 * (1 + erf(v / math.sqrt(2))) if model == "erf" else expit(v)
    found: Floats = level + slope * (u - at) + height * step
    return found


def _scale(log_scale: float) -> float:
    return math.exp(min(max(log_scale, -_FINEST), _FINEST))


def _guess(x: Floats, z: Floats) -> tuple[float, float]:
    """Give height and position of an edge to start from: between the means of both ends, where the middle is passed."""
    n = max(2, len(x) // 5)
    first = float(z[:n].mean())
    height = float(z[-n:].mean()) - first or float(np.ptp(z)) or 1.0
    above = z > first + height / 2
    turns = np.flatnonzero(above[1:] != above[:-1])
    steepest = int(np.abs(np.gradient(z, x)).argmax())
    return height, float(x[turns[len(turns) // 2]] if len(turns) else x[steepest])
