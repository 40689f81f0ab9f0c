"""Pitch and direction of gratings and lattices on areas, by their Fourier transform."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.fft import fft2, fftfreq
from scipy.optimize import minimize

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import NoOptions
from eclips_app.core.units import Quantity
from eclips_app.metrology.forms import without_form
from eclips_app.metrology.reading import Floats, Patch, Reading, Stretch

_LEAST_PERIODS = 2.0
_SECOND = 0.3  #: least part of the first amplitude that the second of a lattice has
_APART_DEG = 20.0  #: least angle between both; what lies nearer is the first's own


def pitch(patches: Sequence[Patch], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the pitch of a grating and its direction across the lines; of a lattice, also those of the second grating.

    Each is the wave that the heights under a Hann window hold most of, found between the wavenumbers of the transform.
    """
    patch = patches[0]
    z = np.where(patch.inside, without_form(patch.height, patch.inside, "plane"), 0.0)
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in z.shape))
    shown = z * window
    amplitude, waves = _spectrum(shown, patch.axes)
    first = _refined(shown, *_highest(amplitude))
    values = _told(_wave(first, patch.axes), "")
    q = _wave(first, patch.axes)
    with np.errstate(invalid="ignore"):
        turn = np.degrees(np.arccos(np.clip(np.abs(waves @ q) / (np.hypot(*waves.T) * np.hypot(*q)), 0, 1)))
    rest = np.where(turn.reshape(z.shape) >= _APART_DEG, amplitude, 0.0)
    if rest.max() >= _SECOND * amplitude.max():
        other = _wave(_refined(shown, *_highest(rest)), patch.axes)
        values |= _told(other, "second ")
        between = (values["second direction"].value - values["direction"].value) % 180.0
        values["angle between"] = Quantity(min(between, 180.0 - between), "deg")
    note = "Directions are those across the lines: 0° image right, 90° up."
    return Reading(values, (note,))


def _spectrum(z: Floats, axes: Floats) -> tuple[Floats, Floats]:
    """Give the amplitude [row, col] of what has some periods within the area, and the wave vectors [row * col, 2] in 1/nm."""
    rows, columns = z.shape
    amplitude = np.abs(fft2(z))
    per_row, per_column = np.abs(fftfreq(rows, 1 / rows)), np.abs(fftfreq(columns, 1 / columns))
    amplitude[np.hypot(per_row[:, None], per_column) < _LEAST_PERIODS] = 0.0
    if not amplitude.max() > 0:
        raise EclipsError("the area shows no period", hint="Draw it over more periods.")
    c, r = np.meshgrid(fftfreq(columns), fftfreq(rows))
    return amplitude, np.stack([c.ravel(), r.ravel()], axis=1) @ np.linalg.inv(axes)


def _highest(amplitude: Floats) -> tuple[float, float]:
    """Give the frequencies (per column, per row) of the highest amplitude."""
    row, column = np.unravel_index(int(amplitude.argmax()), amplitude.shape)
    return float(fftfreq(amplitude.shape[1])[column]), float(fftfreq(amplitude.shape[0])[row])


def _refined(z: Floats, per_column: float, per_row: float) -> tuple[float, float]:
    """Give the frequencies at which the amplitude is highest, near those of the transform."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in z.shape)
    cells = np.array([1 / z.shape[1], 1 / z.shape[0]])

    def less(shift: Floats) -> float:
        f = np.array([per_column, per_row]) + shift * cells
        wave = np.exp(-2j * np.pi * f[1] * rows) @ z @ np.exp(-2j * np.pi * f[0] * columns)
        return -float(abs(wave))

    start = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 0.3]])
    found = minimize(less, start[0], method="Nelder-Mead", options={"initial_simplex": start, "xatol": 1e-5, "fatol": 0.0,
                                                                    "maxiter": 200})  # fmt: skip
    return per_column + float(found.x[0]) * cells[0], per_row + float(found.x[1]) * cells[1]


def _wave(frequencies: tuple[float, float], axes: Floats) -> Floats:
    """Give the wave vector (right, up) in 1/nm of frequencies per column and row."""
    q: Floats = np.asarray(frequencies) @ np.linalg.inv(axes)
    return q


def _told(q: Floats, which: str) -> dict[str, Quantity]:
    direction = math.degrees(math.atan2(q[1], q[0])) % 180.0
    return {
        f"{which}pitch": Quantity(1 / float(np.hypot(*q)), "nm"),
        f"{which}direction": Quantity(direction, "deg"),
    }
