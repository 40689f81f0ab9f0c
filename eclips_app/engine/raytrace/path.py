"""The way of an electron past the surface in a uniform field along z."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.compiled import compiled
from eclips_app.engine.raytrace.bvh import Bvh, hit
from eclips_app.engine.raytrace.detection import Paths

Float = NDArray[np.float64]
Int = NDArray[np.int32]

_REST_EV = 510998.95  #: rest energy of the electron in eV (CODATA 2018)


@compiled(error_model="numpy")
def advance(direction: Float, energy_ev: float, force_ev_per_nm: float, way_nm: float) -> tuple[float, float]:
    """Give how far aside and up an electron is, in nm, after the proper time in which it would go `way_nm` without force.

    Motion in a uniform field (Landau and Lifshitz, The classical theory of fields, section 20): with total energy W and
    momentum p at the start, ``a = F s / (p c)``, ``aside = s sin t``, ``up = s (cos t sinh(a)/a + W/(p c) (cosh(a) - 1)/a)``.
    The parabola of a slow electron of energy T, ``up = s cos t + F s^2 / (4 T)``, is its limit.
    """
    total = energy_ev + _REST_EV
    momentum = math.sqrt(energy_ev * (energy_ev + 2.0 * _REST_EV))
    a = force_ev_per_nm * way_nm / momentum
    if abs(a) < 1e-3:
        odd, even = 1.0 + a * a / 6.0, 0.5 * a * (1.0 + a * a / 12.0)
    else:
        odd, even = math.sinh(a) / a, (math.cosh(a) - 1.0) / a
    aside = way_nm * math.hypot(direction[0], direction[1])
    return aside, way_nm * (direction[2] * odd + total / momentum * even)


@compiled(error_model="numpy")
def blocked(bvh: Bvh, stack: Int, start: Float, direction: Float, paths: Paths, energy: int) -> bool:
    """Whether the path meets the surface before it is above all of it or beside it; one that falls back below it is lost."""
    box = bvh.boxes[0]
    energy_ev = paths.energies[energy]
    bend = abs(paths.force) * (energy_ev + _REST_EV) / (energy_ev * (energy_ev + 2.0 * _REST_EV))
    piece = math.sqrt(paths.step / bend)
    flat = math.hypot(direction[0], direction[1])
    cosine, sine = (direction[0] / flat, direction[1] / flat) if flat > 0.0 else (1.0, 0.0)
    here, chord, way = start.copy(), np.empty(3), 0.0
    while True:
        way += piece
        aside, up = advance(direction, energy_ev, paths.force, way)
        chord[0], chord[1] = start[0] + aside * cosine - here[0], start[1] + aside * sine - here[1]
        chord[2] = start[2] + up - here[2]
        if hit(bvh, stack, here, chord, 1.0, True)[0] >= 0:
            return True
        here += chord
        if here[2] > box[5] and chord[2] > 0.0:
            return False
        if here[2] < box[2]:
            return True
        if here[0] < box[0] or here[0] > box[3] or here[1] < box[1] or here[1] > box[4]:
            return False
