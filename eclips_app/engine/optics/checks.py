"""Figures that show how exact the electron optics is, against closed forms and against finer computation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from eclips_app.core.detector import Detector
from eclips_app.engine.optics import flight
from eclips_app.engine.optics.field import Annulus, Grid, solve
from eclips_app.engine.optics.trajectories import ELECTRON_REST_KEV, Potential, energy_drift, fly

Float = NDArray[np.float64]


def disc_capacitance_error() -> float:
    """Give the relative error of a lone disc's capacitance, ``8 eps0 a``."""
    charge = solve((Annulus(1e9, 0.0, 3.0),), 40).charge.sum()
    return float(abs(charge / (6.0 / np.pi) - 1))


def charge_convergence(detector: Detector) -> float:
    """Give the largest relative change of the electrodes' charges when their nodes are doubled."""
    electrodes = flight.electrodes(detector)
    few, many = (np.array([part.sum() for part in solve(electrodes, count).charge]) for count in (48, 96))
    return float(np.abs(few / many - 1).max())


def relativistic_parabola(angle: Float, energy_kev: Float, field_v_per_mm: float, z_mm: float) -> Float:
    """Give the radius in mm where electrons reach z in an even field along z.

    ``r = (u_r / g) [arcosh(gamma / m) - arcosh(gamma_0 / m)]`` with the constant u_r, gamma = gamma_0 + g z, m^2 = 1 + u_r^2 and
    g the field over m c^2 / e.
    """
    gamma = 1 + energy_kev / ELECTRON_REST_KEV
    across = np.sqrt(gamma**2 - 1) * np.sin(angle)
    gain = field_v_per_mm / (1e3 * ELECTRON_REST_KEV)
    mass = np.sqrt(1 + across**2)
    return np.asarray(across / gain * (np.arccosh((gamma + gain * z_mm) / mass) - np.arccosh(gamma / mass)))


def parabola_error(volts: float, height_mm: float = 8.0) -> float:
    """Give the largest relative error of the landing radius between even plates, 5 to 75 degrees, 0.5 to 30 keV."""
    unit = np.broadcast_to(np.linspace(0, 1, 65), (1, 128, 65))
    coefficients = Grid(60.0, height_mm, unit).coefficients(0.0, np.array([volts]))
    angle, energy = (a.ravel() for a in np.meshgrid(np.deg2rad(np.arange(5.0, 76.0, 5.0)), [0.5, 1.0, 3.0, 10.0, 30.0]))
    paths = fly(Potential(coefficients, 60.0, height_mm), torch.from_numpy(angle), torch.from_numpy(energy))
    there = paths.reached.numpy()
    expected = relativistic_parabola(angle[there], energy[there], volts / height_mm, height_mm)
    return float(np.abs(paths.state[-1, 0].numpy()[there] / expected - 1).max())


def energy_errors(detector: Detector, energies_kev: Float) -> tuple[float, float]:
    """Give the median and the largest relative error of energy along the paths to a detector."""
    drift = energy_drift(flight.potential(detector), flight.paths(detector, energies_kev))
    return float(drift.median()), float(drift.max())


def landing_radii(detector: Detector, energy_kev: float, effort: flight.Effort = flight.FULL) -> tuple[Float, Float]:
    """Give start angles in radians and radii in mm at the detector's height, for the angles that arrive there."""
    paths = flight.paths(detector, np.array([energy_kev]), effort=effort)
    there = paths.reached.numpy()
    count = there.size if there.all() else int(np.argmin(there))
    return np.linspace(0.0, np.pi / 2, there.size)[:count], paths.state[-1, 0].numpy()[:count]


def edge_angles_deg(detector: Detector, energy_kev: float, effort: flight.Effort = flight.FULL) -> tuple[float, float]:
    """Give the start angles in degrees that land on the inner and on the outer edge; NaN where none does."""
    angle, radius = landing_radii(detector, energy_kev, effort)
    start = CubicSpline(radius, angle, extrapolate=False)
    inner, outer = np.rad2deg(start([detector.inner_radius_mm, detector.outer_radius_mm]))
    return float(inner), float(outer)
