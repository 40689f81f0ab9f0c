"""Edges, critical dimensions and pitch from profiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import erfinv

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import CriticalDimension, Edge, Pitch
from eclips_app.core.units import Quantity
from eclips_app.metrology import spectra
from eclips_app.metrology.edges import crossing, feature, fit_edge
from eclips_app.metrology.forms import without_form
from eclips_app.metrology.linear_fit import fit
from eclips_app.metrology.reading import Floats, Line, Reading, Stretch

_LEAST_PERIODS = 2


def edge(lines: Sequence[Line], stretches: Sequence[Stretch], options: Edge) -> Reading:
    """Give position, width and height of an edge between two parallel levels, by a fit of its shape.

    ``z = a + b (x - x0) + h S((x - x0) / s)``, S the error function's or the logistic step from 0 to 1.
    """
    line = lines[0]
    x, z = line.within(stretches[0]) if stretches else line.within((line.distance_nm[0], line.distance_nm[-1]))
    if len(x) < 8:
        raise EclipsError("fewer than eight points are measured at the edge", hint="Mark a longer stretch.")
    found, covariance, rms = fit_edge(x, z, options.model)
    level, _, height, at, scale = (float(each) for each in found)
    part = options.low_percent / 100
    factor = 2 * (math.sqrt(2) * float(erfinv(1 - 2 * part)) if options.model == "erf" else math.log((1 - part) / part))
    scale_std = math.sqrt(covariance[4, 4])
    width = factor * abs(scale)
    steepest = height / (abs(scale) * (math.sqrt(2 * math.pi) if options.model == "erf" else 4.0))
    values = {
        "position": Quantity(at, "nm", math.sqrt(covariance[3, 3])),
        "width": Quantity(width, "nm", factor * scale_std),
        "height": Quantity(height, "nm", math.sqrt(covariance[2, 2])),
        "steepest angle": Quantity(math.degrees(math.atan(steepest)), "deg"),
        "level at the edge": Quantity(level + height / 2, "nm"),
        "rms residual": Quantity(rms, "nm"),
    }
    note = f"The width is that from {options.low_percent:g} to {100 - options.low_percent:g} % of the height."
    if abs(scale) < line.step_nm / 2:
        note += " The edge is sharper than the points lie apart: its width is an upper bound."
    return Reading(values, (note,))


def critical_dimension(lines: Sequence[Line], stretches: Sequence[Stretch], options: CriticalDimension) -> Reading:
    """Give widths, height and sidewall angles of a ridge or trench.

    Heights are from the line through the surface on both sides, in parts of the median height between the edges.
    """
    line = lines[0]
    known = np.isfinite(line.height_nm)
    if stretches:
        low, high = min(stretches[0]), max(stretches[0])
        known &= (line.distance_nm >= low) & (line.distance_nm <= high)
    x, z = line.distance_nm[known], line.height_nm[known]
    first, second = feature(Line(x, z))
    width = second - first
    beside = (x < first - 0.25 * width) | (x > second + 0.25 * width)
    if np.count_nonzero(beside & (x < first)) < 3 or np.count_nonzero(beside & (x > second)) < 3:
        raise EclipsError("the surface beside the feature is not measured", hint="Draw the profile beyond both edges.")
    base = np.polynomial.Polynomial.fit(x[beside], z[beside], 1)
    flat: Floats = z - base(x)
    inner = flat[(x > first + 0.25 * width) & (x < second - 0.25 * width)]
    if not len(inner):
        raise EclipsError(
            "the feature is narrower than the points lie apart", hint="Draw the profile with finer steps."
        )
    height = float(np.median(inner))
    relative = flat / height
    ends = [int(np.abs(x - each).argmin()) for each in (first, second)]
    at = {
        part: [crossing(x, relative, part, near) for near in ends]
        for part in (options.bottom_percent / 100, 0.5, options.top_percent / 100)
    }
    (b1, b2), (m1, m2), (t1, t2) = at.values()
    rise = abs(height) * (options.top_percent - options.bottom_percent) / 100
    values = {
        "width": Quantity(m2 - m1, "nm"),
        "top width": Quantity(t2 - t1, "nm"),
        "bottom width": Quantity(b2 - b1, "nm"),
        "height": Quantity(height, "nm"),
        "left sidewall angle": Quantity(math.degrees(math.atan2(rise, abs(t1 - b1))), "deg"),
        "right sidewall angle": Quantity(math.degrees(math.atan2(rise, abs(b2 - t2))), "deg"),
        "middle": Quantity((m1 + m2) / 2, "nm"),
    }
    top, bottom = options.top_percent, options.bottom_percent
    note = f"Width at 50 %, top at {top:g} %, bottom at {bottom:g} % of the height; sidewalls between top and bottom."
    return Reading(values, (note,))


def pitch(lines: Sequence[Line], stretches: Sequence[Stretch], options: Pitch) -> Reading:
    """Give the mean pitch of a grating along a profile, by centres of gravity of its ridges, Fourier and autocorrelation.

    The pitch is the slope of the line through the ridges' centres over their numbers (as in ISO 11952); a ridge is what lies
    above the middle between the grating's levels. Fourier: the sinusoid of least squares.
    """
    line = lines[0].part(stretches[0]) if stretches else lines[0]
    x, z = line.distance_nm, line.height_nm
    used, step = np.isfinite(z), line.step_nm
    z = np.where(used, without_form(z, used, "plane"), 0.0)
    guess = options.expected_nm or spectra.of_profile(z, step).dominant_wavelength_nm
    length = float(x[-1] - x[0])
    if not step * 4 <= guess <= length / _LEAST_PERIODS:
        raise EclipsError(
            f"a profile of {length:.4g} nm shows no {_LEAST_PERIODS} periods of {guess:.4g} nm",
            hint="Draw it over more periods, or give the expected pitch.",
        )
    fourier = _sinusoid(x, z, guess)
    lag = _lag(spectra.autocorrelation_of_profile(z, used), step, fourier)
    centres = _centres(x, z, fourier)
    values = {}
    if len(centres) > _LEAST_PERIODS:
        numbers = np.rint((centres - centres[0]) / fourier)
        design = np.stack([np.ones(len(centres)), numbers - numbers.mean()], axis=1)
        found, covariance, rms, _ = fit(design, [centres])
        values["pitch"] = Quantity(float(found[1]), "nm", math.sqrt(covariance[1, 1]))
        values["position deviation"] = Quantity(rms, "nm")
    values |= {"pitch (Fourier)": Quantity(fourier, "nm"), "pitch (autocorrelation)": Quantity(lag, "nm")}
    values["ridges"] = Quantity(float(len(centres)), "")
    note = "The pitch is measured along the profile: draw it across the grating's lines."
    few = () if "pitch" in values else ("Too few whole ridges for centres of gravity.",)
    return Reading(values, (note, *few))


def _sinusoid(x: Floats, z: Floats, guess: float) -> float:
    """Give the period of the sinusoid of least squares, near a guess."""
    x = x - x.mean()

    def rest(frequency: float) -> float:
        turn = 2 * np.pi * frequency * x
        design = np.stack([np.ones_like(x), np.cos(turn), np.sin(turn)], axis=1)
        found = np.linalg.lstsq(design, z, rcond=None)[0]
        residual = z - design @ found
        return float(residual @ residual)

    near = 1 / (x[-1] - x[0])  # a spectrum's peak is not further off than its resolution
    best = minimize_scalar(
        rest,
        bounds=(max(1 / guess - near, 0.2 / guess), 1 / guess + near),
        method="bounded",
        options={"xatol": 1e-9 / guess},
    )
    return 1 / float(best.x)


def _lag(correlation: Floats, step: float, guess: float) -> float:
    """Give the lag of the autocorrelation's peak farthest out, of whole periods, divided by their number."""
    best = math.nan
    for number in range(1, int((len(correlation) - 2) * step / guess) + 1):
        middle, half = number * guess / step, 0.25 * guess / step
        low, high = max(1, math.ceil(middle - half)), min(len(correlation) - 2, math.floor(middle + half))
        if low >= high:
            continue
        i = low + int(correlation[low : high + 1].argmax())
        a, b, c = correlation[i - 1 : i + 2]
        if b < max(a, c) or b < 0.2:
            break
        best = (i + (0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c < 0 else 0.0)) * step / number
    return best


def _centres(x: Floats, z: Floats, period: float) -> Floats:
    """Give the centres of gravity of the whole ridges: what lies above the middle of the levels, by how much it does."""
    low, high = np.percentile(z, [5, 95])
    middle = (low + high) / 2
    least = 0.15 * (high - low)
    ups = _passes(x, z, middle, least)
    found = []
    for start, end in ups:
        if end - start < 0.1 * period:
            continue
        inside = (x > start) & (x < end)
        u = np.concatenate([[start], x[inside], [end]])
        w = np.concatenate([[0.0], z[inside] - middle, [0.0]])
        found.append(float(np.trapezoid(u * w, u) / np.trapezoid(w, u)))
    return np.array(found)


def _passes(x: Floats, z: Floats, level: float, least: float) -> list[tuple[float, float]]:
    """Give from where to where the profile lies above a level; it has passed where it goes `least` beyond."""
    far = np.flatnonzero(np.abs(z - level) > least)
    above = z[far] > level
    turns = np.flatnonzero(above[1:] != above[:-1])
    places: list[tuple[float, bool]] = []
    for a, b in zip(far[turns], far[turns + 1], strict=True):
        part = z[a : b + 1] - level
        i = int(np.flatnonzero((part[1:] > 0) != (part[:-1] > 0))[0])
        at = x[a + i] + part[i] / (part[i] - part[i + 1]) * (x[a + i + 1] - x[a + i])
        places.append((float(at), bool(z[b] > level)))
    return [(start, end) for (start, rises), (end, _) in pairwise(places) if rises]
