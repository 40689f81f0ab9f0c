"""Relativistic flight of electrons in the meridional plane, many at once on Torch.

With the proper time tau and momentum u in units of m c, ``dx/dtau = u`` and ``du/dtau = gamma grad(Phi)``, where Phi is the
potential in units of m c^2 / e and gamma = sqrt(1 + u^2) (Jackson, Classical Electrodynamics, 12.1, without magnetic field);
tau is in mm (times c). The field has no component around the axis and the electrons start on it, so that they stay in their
plane. ``gamma - Phi`` is conserved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine.optics.watch import check

#: Rest energy of the electron (CODATA 2018).
ELECTRON_REST_KEV = 510.99895

STEPS_UP = 32  #: a step is at most this part of the way up
_MOST_STEPS = 3000
#: A step may change an electron's energy by this part of it, unless the step is down to the smallest part of a whole one.
TOLERANCE = 1e-8
_SMALLEST_PART = 2.0**-12


class Potential:
    """Tensor spline of the potential in units of m c^2 / e."""

    def __init__(
        self,
        coefficients_v: NDArray[np.float64],
        radius_mm: float,
        height_mm: float,
        device: torch.device | None = None,
    ) -> None:
        """Take the polynomials of `field.Grid.coefficients`, in V, and the size of their grid."""
        self.radius, self.height = radius_mm, height_mm
        self.cells = coefficients_v.shape[:2]
        self.size = radius_mm / self.cells[0], height_mm / self.cells[1]
        self._table = torch.from_numpy(coefficients_v.reshape(-1, 16) / (1e3 * ELECTRON_REST_KEV)).to(device)

    def __call__(self, r: Tensor, z: Tensor) -> Tensor:
        """Give the potential at points [n] in mm."""
        cubic, x, y = self._cell(r, z)
        return _value(_value(cubic, y), x)

    def gradient(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Give the derivatives along r and z in 1/mm at points [n] in mm."""
        cubic, x, y = self._cell(r, z)
        return _slope(_value(cubic, y), x), _value(_slope(cubic, y), x)

    def _cell(self, r: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Polynomials [power of z, power of r, n] of the cells and places within; beyond the grid the last cell's goes on."""
        i = (r / self.size[0]).floor().clamp(0, self.cells[0] - 1)
        j = (z / self.size[1]).floor().clamp(0, self.cells[1] - 1)
        rows = self._table.index_select(0, (i * self.cells[1] + j).long())
        cubic = rows.t().contiguous().view(4, 4, -1).transpose(0, 1)
        return cubic, r - i * self.size[0], z - j * self.size[1]


@dataclass(frozen=True)
class Paths:
    """Flight of n electrons from the origin: states [steps + 1, 4, n] of (r, z, u_r, u_z), lengths in mm.

    An electron that has ended keeps its last state. `step` [steps, n] is the proper time in mm from state to state.
    """

    state: Tensor
    step: Tensor
    reached: Tensor  #: [n] bool: ended at the height of the detector, with its state exactly there


def momentum(energy_kev: Tensor) -> Tensor:
    """Give |u| of electrons with this kinetic energy."""
    gamma = 1 + energy_kev / ELECTRON_REST_KEV
    return (gamma.square() - 1).sqrt()


def fly(
    potential: Potential, angle: Tensor, energy_kev: Tensor, steps_up: int = STEPS_UP, tolerance: float = TOLERANCE
) -> Paths:
    """Follow electrons from the origin until they reach the detector's height, return to the specimen or leave sideways.

    Steps of the classical Runge-Kutta method, of even length in space: no longer than the way up over `steps_up`, whether the
    electron flies or is turned around; and halved until the energy is kept, which matters next to edges of electrodes.

    Parameters
    ----------
    potential : Potential
        Field between specimen (z = 0) and detector.
    angle, energy_kev : tensors [n], float64
        Polar angle in radians and kinetic energy at the start.
    steps_up : int
        Steps on the way up, at least.
    tolerance : float
        Error of the energy in a step, as a part of the kinetic energy.
    """
    start = momentum(energy_kev)
    zero = torch.zeros_like(start)
    state = torch.stack([zero, zero, start * torch.sin(angle), start * torch.cos(angle)])
    states, steps = [state], list[Tensor]()
    reached = torch.zeros_like(angle, dtype=torch.bool)
    active = torch.arange(angle.numel(), device=angle.device)
    part = torch.ones_like(angle)
    energy = _energy(potential, state)
    while active.numel() and len(steps) < _MOST_STEPS:
        check()
        before = state[:, active]
        rate = _rate(potential, before)
        dt = part[active] * _step_time(before, rate, potential.height / steps_up)
        after = _advance(potential, before, rate, dt)
        up = after[1] >= potential.height
        if up.any():
            dt[up], after[:, up] = _stop_at(potential, before[:, up], rate[:, up], dt[up])
        error = (_energy(potential, after) - energy[active]).abs() / torch.maximum(_kinetic(before), _kinetic(after))
        refused = (error > tolerance) & (part[active] > _SMALLEST_PART)
        part[active] = torch.where(refused, part[active] / 2, (part[active] * 2).clamp(max=1.0))
        kept = active[~refused]
        state = state.clone()
        state[:, kept] = after[:, ~refused]
        energy[kept] = _energy(potential, after[:, ~refused])
        step = torch.zeros_like(angle)
        step[kept] = dt[~refused]
        states.append(state)
        steps.append(step)
        reached[active[up & ~refused]] = True
        active = active[refused | (~up & (after[1] >= 0) & (after[0] <= potential.radius))]
    return Paths(torch.stack(states), torch.stack(steps), reached)


def energy_drift(potential: Potential, paths: Paths) -> Tensor:
    """Give the largest error of each electron's energy along its path [n], as a part of its largest kinetic energy so far."""
    kinetic = torch.stack([_kinetic(state) for state in paths.state])
    energy = torch.stack([_energy(potential, state) for state in paths.state])
    return ((energy - energy[0]).abs() / kinetic.cummax(dim=0).values).amax(dim=0)


def _kinetic(state: Tensor) -> Tensor:
    """Kinetic energy in units of m c^2, without cancellation."""
    square = state[2].square() + state[3].square()
    return square / ((1 + square).sqrt() + 1)


def _energy(potential: Potential, state: Tensor) -> Tensor:
    return _kinetic(state) - potential(state[0], state[1])


def _step_time(state: Tensor, rate: Tensor, longest: float) -> Tensor:
    """Proper time in which neither the momentum nor the force moves an electron by more than `longest`."""
    speed, force = torch.hypot(state[2], state[3]), torch.hypot(rate[2], rate[3])
    return torch.minimum(longest / speed, (longest / force.clamp(min=1e-300)).sqrt())


def _rate(potential: Potential, state: Tensor) -> Tensor:
    ur, uz = state[2], state[3]
    gamma = (1 + ur * ur + uz * uz).sqrt()
    along_r, along_z = potential.gradient(state[0], state[1])
    return torch.stack([ur, uz, gamma * along_r, gamma * along_z])


def _advance(potential: Potential, state: Tensor, rate: Tensor, dt: Tensor) -> Tensor:
    """One step of the classical Runge-Kutta method of fourth order, from a state and its rate of change."""
    k2 = _rate(potential, state + dt / 2 * rate)
    k3 = _rate(potential, state + dt / 2 * k2)
    k4 = _rate(potential, state + dt * k3)
    return state + dt / 6 * (rate + 2 * (k2 + k3) + k4)


def _stop_at(potential: Potential, before: Tensor, rate: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """Shorten the steps of electrons that pass the detector's height so that they end there."""
    low, high = torch.zeros_like(dt), dt
    found, after = dt, _advance(potential, before, rate, dt)
    for _ in range(5):
        off = potential.height - after[1]
        low, high = torch.where(off > 0, found, low), torch.where(off > 0, high, found)
        newton = found + off / after[3]
        found = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        after = _advance(potential, before, rate, found)
    return found, after


def _value(cubic: Tensor, x: Tensor) -> Tensor:
    """Give the value of polynomials [4, …, n], highest power first."""
    return torch.addcmul(cubic[3], torch.addcmul(cubic[2], torch.addcmul(cubic[1], cubic[0], x), x), x)


def _slope(cubic: Tensor, x: Tensor) -> Tensor:
    """Give the derivative of polynomials [4, …, n], highest power first."""
    return torch.addcmul(cubic[2], torch.addcmul(2 * cubic[1], 3 * cubic[0], x), x)
