"""Energy loss of electrons in a solid: Bethe's stopping power, relativistic, with the low-energy correction of Joy and Luo.

For an atom of mean excitation energy I and kinetic energy E = tau m c² (Berger and Seltzer; ICRU Report 37, 1984)

    S = 2 pi r_e² m c² n Z / beta² [ 2 ln(E/I') + ln(1 + tau/2) + F(tau) ] ,
    F = (1 - beta²) [ 1 + tau²/8 - (2 tau + 1) ln 2 ]

with ``I' = I / (1 + k I/E)``, ``k = 0.731 + 0.0688 log10 Z``, which keeps the loss positive below I (Joy and Luo, Scanning 11
(1989) 176; k after Gauvin and Drouin 1993). Compounds add up their atoms (Bragg). Below 2 keV the correction matters, above
5 keV it is about 1 %. The density effect is nothing at these energies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.emission.materials import Material, element

Float = NDArray[np.float64]

REST_KEV = 510.99895069
TWO_PI_RE2_MC2_KEV_NM2 = 2 * np.pi * 2.8179403205e-6**2 * REST_KEV


def stopping_kev_per_nm(material: Material, energy_kev: Float) -> Float:
    """Give the stopping power [keV/nm] at kinetic energies [keV]."""
    energy = np.asarray(energy_kev, dtype=np.float64)
    tau = energy / REST_KEV
    beta2 = tau * (tau + 2) / (tau + 1) ** 2
    free = np.log1p(tau / 2) + (1 - beta2) * (1 + tau**2 / 8 - (2 * tau + 1) * np.log(2.0))
    total = np.zeros_like(energy)
    for symbol, density in material.atoms_per_nm3.items():
        atom = element(symbol)
        corrected = atom.mean_excitation_kev / (
            1 + (0.731 + 0.0688 * np.log10(atom.z)) * atom.mean_excitation_kev / energy
        )
        total += density * atom.z * (2 * np.log(energy / corrected) + free)
    return np.asarray(TWO_PI_RE2_MC2_KEV_NM2 / beta2 * total)


def residual_ranges_nm(energies_kev: Float, stopping: Float) -> Float:
    """Give the path [nm] on which electrons slow down from each of the rising energies to the first (continuously)."""
    inverse = energies_kev / stopping  # dE/S = E/S d(ln E)
    steps = np.diff(np.log(energies_kev)) * (inverse[1:] + inverse[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])
