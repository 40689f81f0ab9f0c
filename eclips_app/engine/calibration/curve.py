"""Slope gain: by how much the images answer to a slope, for Lambert's law, the material's table, the fit, and as measured.

``k = Sum_k cos(f_k - f) S_k / (Sum_k |cos(f_k - f)| S_k tan alpha)`` for a facet of tilt alpha that leans toward the azimuth f of
a segment, with the azimuths f_k of all. With four segments that is (A - C) / (A + C) / tan alpha; means over all segments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.response import facet_signals

Float = NDArray[np.float64]

TILTS_DEG = np.arange(2.0, 64.1, 2.0)
_BIN_DEG = 5.0
_FLATTEST_DEG = 4.0  #: below it the noise of a ratio to the slope says nothing
_LEAST = 3  #: patches of a point


def slope_gains(detector: Detector, signals_of: Callable[[Float], Float], tilts_deg: Float) -> Float:
    """Give k for tilts [n] in degrees; `signals_of` as `response.facet_signals` gives it."""
    azimuths = np.deg2rad([segment.azimuth_deg for segment in detector.quadrants])
    tilt = np.tan(np.deg2rad(tilts_deg))
    found = []
    for azimuth in azimuths:
        slopes = -tilt * np.array([[np.cos(azimuth)], [np.sin(azimuth)]])
        found.append(_asymmetry(signals_of(slopes), np.cos(azimuths - azimuth)) / tilt)
    return np.asarray(np.mean(found, axis=0))


def gain_curve(problem: Problem, x: Float, emission: Emission) -> dict[str, Any]:
    """Give the curves and the measured points as JSON (see `core.calibration.Calibrate`).

    `tabulated` is None where there is no table for the material and beam. A measured point is the fitted curve times the ratio
    of the measured asymmetry to the fitted one, over patches of alike tilt.
    """
    detector, state = problem.detector_at(x), problem.state(x)
    fitted = slope_gains(
        detector, lambda slopes: problem.response.at(state.geometry, state.emission, slopes).signal, TILTS_DEG
    )
    return {
        "tilt_deg": TILTS_DEG.tolist(),
        "lambert": slope_gains(detector, facet_signals(detector, Emission()), TILTS_DEG).tolist(),
        "tabulated": _tabulated(detector, emission.material),
        "fitted": fitted.tolist(),
        "measured": [point for number in range(len(problem.seen)) for point in _measured(problem, x, number, fitted)],
    }


def _tabulated(detector: Detector, material: str) -> list[float] | None:
    try:
        signals_of = facet_signals(detector, Emission("tabulated", material))
    except EclipsError:
        return None
    return [float(k) for k in slope_gains(detector, signals_of, TILTS_DEG)]


def _measured(problem: Problem, x: Float, number: int, fitted: Float) -> list[dict[str, Any]]:
    """Give points of one observation: bins of tilt."""
    seen, state = problem.seen[number], problem.state(x)
    if seen.shape is None:
        return []
    slopes = problem.slopes(number, x)
    tilt, lean = np.rad2deg(np.arctan(np.hypot(*slopes))), np.arctan2(-slopes[1], -slopes[0])
    azimuths = np.deg2rad([s.azimuth_deg for s in problem.detector_at(x).quadrants])
    turns = np.cos(azimuths - lean[:, None])
    grey = seen.patches.grey, problem.modelled(x)[number]
    measured, modelled = (_asymmetry((each - state.offsets) / state.gains, turns) for each in grey)
    used = np.isfinite(seen.patches.variance[:, 0]) & (tilt >= _FLATTEST_DEG) & (np.abs(modelled) > 1e-6)
    ratio = measured / np.where(used, modelled, 1.0)
    name, points = seen.observation.name or seen.observation.kind, []
    for first in np.arange(_FLATTEST_DEG, 75.0, _BIN_DEG):
        inside = used & (tilt >= first) & (tilt < first + _BIN_DEG)
        count = int(np.count_nonzero(inside))
        if count < _LEAST:
            continue
        at = float(tilt[inside].mean())
        gain = float(np.interp(at, TILTS_DEG, fitted))
        spread = float(ratio[inside].std(ddof=1)) / count**0.5
        points.append({"tilt_deg": at, "value": gain * float(ratio[inside].mean()), "std": gain * spread, "name": name})
    return points


def _asymmetry(signal: Float, turns: Float) -> Float:
    """Weigh the segments [.., k] by the cosine of their azimuth from where a facet leans."""
    return np.asarray((signal * turns).sum(axis=-1) / (signal * np.abs(turns)).sum(axis=-1))
