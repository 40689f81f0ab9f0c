"""Flight in the field of a column for the ray tracer: the paths of `optics.flight` as plain radii by angle and height.

Only the paths are taken from there. Which segment they meet, on a plane with offset and tilt, the ray tracer finds by itself.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from eclips_app.core.detector import Detector
from eclips_app.engine.device import one_thread
from eclips_app.engine.optics import flight
from eclips_app.engine.optics.trajectories import ELECTRON_REST_KEV
from eclips_app.engine.raytrace.detection import Flight

Float = NDArray[np.float64]

_POLAR = np.linspace(0.0, np.pi / 2, 2881)
_LEVELS = 9  #: heights between the lowest and the highest point of a tilted face
_EV_PER_KEV = 1e3


def column_flight(detector: Detector, spectrum: flight.Spectrum | None = None) -> Flight | None:
    """Give the flight of electrons from specimen to detector; None where it is straight, free, and all count.

    Parameters
    ----------
    detector : Detector
        With the beam, its potentials and its threshold.
    spectrum : (array [b], array [b]), optional
        Middles of the energy bins as fractions of the energy at the specimen, rising, and their weights; by default
        `optics.flight.default_spectrum`.

    Raises
    ------
    EclipsError
        If potentials are given without a beam energy, or turn the beam back.
    """
    # As in `flight.detected`: without a beam energy every electron counts.
    threshold = detector.response.threshold_kev if detector.response and detector.beam else 0.0
    pole = detector.pole_piece
    stops = pole is not None and pole.distance_mm < detector.distance_mm
    straight = flight.is_straight(detector)
    if straight and threshold <= 0 and not stops:
        return None
    fractions, weights = spectrum or flight.default_spectrum()
    counted, share = flight.detected(detector, (fractions, weights)), np.asarray(weights / np.sum(weights))
    energies_kev = np.asarray(fractions) * (
        1.0 if straight and detector.beam is None else flight.landing_energy_kev(detector)
    )
    heights, level = _heights(detector), np.array([pole.distance_mm if pole else detector.distance_mm])
    if straight:
        field_per_mm = 0.0
        radii, passing = (np.repeat(np.tan(_POLAR)[None, :, None] * z, len(share), axis=0) for z in (heights, level))
    else:
        flown, field_per_mm = _flown(detector, energies_kev)
        radii, passing = (_finer(_radii(*flown, z), z, len(share)) for z in (heights, level))
    if pole is not None and stops:
        stopped = (passing >= pole.bore_radius_mm) & (passing <= pole.outer_radius_mm)
        radii[stopped & (heights > pole.distance_mm)] = np.nan
    return Flight(
        _EV_PER_KEV * energies_kev,
        share,
        np.divide(counted, share, out=np.zeros_like(share), where=share > 0),
        field_per_mm * _EV_PER_KEV * ELECTRON_REST_KEV,
        _POLAR,
        heights,
        radii,
    )


def _flown(detector: Detector, energies_kev: Float) -> tuple[tuple[Float, NDArray[np.bool_]], float]:
    """Give states [steps + 1, 4, n] and who reached the detector's height, and dPhi/dz at the specimen in 1/mm."""
    with one_thread(), torch.no_grad():
        found = flight.paths(detector, energies_kev)
        zero = torch.zeros(1, dtype=torch.float64)
        along_z = flight.potential(detector).gradient(zero, zero)[1]
    return (found.state.numpy(), found.reached.numpy()), float(along_z[0])


def _heights(detector: Detector) -> Float:
    """Give heights in mm that enclose the face; a level one has a single height."""
    ax, ay = np.deg2rad(detector.tilt_deg)
    lean = np.sqrt(1.0 - (np.cos(ax) * np.cos(ay)) ** 2)  # sine of the angle between face and specimen
    reach = lean * max(detector.radii_mm(segment)[1] for segment in detector.quadrants)
    if reach == 0.0:
        return np.array([detector.distance_mm])
    low = max(detector.distance_mm - reach, 1e-3 * detector.distance_mm)
    return np.linspace(low, detector.distance_mm + 1.001 * reach, _LEVELS)


def _radii(state: Float, reached: NDArray[np.bool_], heights: Float) -> Float:
    """Give where paths [steps + 1, 4, n] first pass each height, [n, height] in mm; straight on behind their end if `reached`.

    NaN where they do not get there.
    """
    radii = np.full((state.shape[2], len(heights)), np.nan)
    number = np.arange(state.shape[2])
    r, z, ur, uz = state[-1]
    for level, height in enumerate(heights):
        above = state[:, 1] >= height
        step = above.argmax(axis=0)
        crosses = above[step, number] & (step > 0)
        before, after = state[step - 1, :, number], state[step, :, number]
        part = (height - before[:, 1]) / np.where(crosses, after[:, 1] - before[:, 1], 1.0)
        on_path = before[:, 0] + part * (after[:, 0] - before[:, 0])
        beyond = np.where(reached & (uz > 0), r + (height - z) * ur / np.where(uz > 0, uz, 1.0), np.nan)
        radii[:, level] = np.where(crosses, on_path, beyond)
    return radii


def _finer(radii: Float, heights: Float, energies: int) -> Float:
    """Interpolate radii [path, height] to `_POLAR`, [energy, angle, height], each run of angles by itself."""
    angles = np.arctan2(radii, heights).reshape(energies, -1, len(heights))
    start = np.linspace(0.0, np.pi / 2, angles.shape[1])
    found = np.full((angles.shape[0], len(_POLAR), angles.shape[2]), np.nan)
    for energy, level in np.ndindex(angles.shape[0], angles.shape[2]):
        values = angles[energy, :, level]
        lands = np.flatnonzero(np.isfinite(values))
        for run in np.split(lands, np.flatnonzero(np.diff(lands) > 1) + 1):
            if len(run) >= 4:
                inside = (start[run[0]] - 1e-12 <= _POLAR) & (start[run[-1]] + 1e-12 >= _POLAR)
                found[energy, inside, level] = CubicSpline(start[run], values[run])(_POLAR[inside])
    return np.asarray(np.tan(found) * heights)
