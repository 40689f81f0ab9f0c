"""Collisions with single electrons of the target that cost more than 50 eV: energy straggling, deflection, fast secondaries.

Møller's cross-section for energy transfers W (ICRU Report 37; gamma = 1 + E/mc²)

    d sigma/dW = 2 pi r_e² m c² / beta² [ 1/W² + 1/(E - W)² + ((gamma - 1)/gamma)²/E² - (2 gamma - 1)/gamma² / (W (E - W)) ]

up to E/2, times the number of electrons bound by less than W. That number is semi-classical (Thomas and Fermi): where
the potential is V, momenta fill a sphere up to the kinetic energy |V|, so that ``1 - (1 - W/|V|)^(3/2)`` of the electrons are
bound by less than W; density and potential are those of `elastic`. Smaller losses stay continuous, and the mean loss remains
that of `stopping`. Angles are those of collisions with free electrons at rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.emission.elastic import HARTREE_KEV
from eclips_app.engine.emission.materials import Element, Material, element
from eclips_app.engine.emission.stopping import REST_KEV, TWO_PI_RE2_MC2_KEV_NM2

Float = NDArray[np.float64]

LEAST_KEV = 0.05  #: smallest transfer that is followed: the usual border between secondary and backscattered electrons
NODES = 128  #: quantiles of the transfer


def loose_electrons(atom: Element, energies_kev: Float) -> Float:
    """Give the number of electrons bound by less than each energy [keV]."""
    radii = np.geomspace(1e-5, 60.0, 1200)
    amplitudes, decays = np.array(atom.amplitudes), np.array(atom.decays_per_bohr)
    falling = np.exp(-np.outer(radii, decays))
    density = np.maximum(
        atom.z * radii * (falling @ (amplitudes * decays**2)), 0.0
    )  # 4 pi r² times the electrons' density
    depth = atom.z / radii * (falling @ amplitudes) * HARTREE_KEV
    bound = np.clip(1.0 - np.asarray(energies_kev)[:, None] / np.maximum(depth, 1e-12), 0.0, 1.0) ** 1.5
    whole = np.trapezoid(density, radii)
    return np.asarray(np.trapezoid(density * (1.0 - bound), radii, axis=1) * atom.z / whole)


def moller(energy_kev: float, transfer_kev: Float) -> Float:
    """Give Møller's cross-section per electron [nm²/keV] by transfer."""
    gamma = 1.0 + energy_kev / REST_KEV
    beta2, rest = 1.0 - 1.0 / gamma**2, energy_kev - transfer_kev
    shape = 1 / transfer_kev**2 + 1 / rest**2 + ((gamma - 1) / gamma / energy_kev) ** 2
    return np.asarray(TWO_PI_RE2_MC2_KEV_NM2 / beta2 * (shape - (2 * gamma - 1) / gamma**2 / (transfer_kev * rest)))


def knock_ons(material: Material, energies_kev: Float) -> tuple[Float, Float, Float]:
    """Give rate, loss and quantiles of the transfers above `LEAST_KEV`.

    Returns
    -------
    rate : array [e]
        Collisions per nm.
    loss : array [e]
        Their energy loss in keV/nm.
    transfers : array [e, NODES]
        Transfers [keV] that are exceeded with the probabilities 1, …, 0, evenly spaced.
    """
    grid = np.geomspace(LEAST_KEV, max(float(np.max(energies_kev)) / 2, 2 * LEAST_KEV), 400)
    counts = {symbol: loose_electrons(element(symbol), grid) for symbol in material.atoms_per_nm3}
    density = np.sum([n * counts[symbol] for symbol, n in material.atoms_per_nm3.items()], axis=0)
    rate, loss = np.zeros(len(energies_kev)), np.zeros(len(energies_kev))
    transfers = np.full((len(energies_kev), NODES), LEAST_KEV)
    for i, energy in enumerate(energies_kev):
        if energy <= 2.02 * LEAST_KEV:
            continue
        w = np.geomspace(LEAST_KEV, energy / 2, 240)
        per_log = np.interp(w, grid, density) * moller(float(energy), w) * w
        steps = np.diff(np.log(w))
        above = np.concatenate([np.cumsum((steps * (per_log[1:] + per_log[:-1]) / 2)[::-1])[::-1], [0.0]])
        rate[i] = above[0]
        loss[i] = np.sum(steps * (per_log[1:] * w[1:] + per_log[:-1] * w[:-1]) / 2)
        wanted = np.linspace(1.0, 0.0, NODES) * above[0]
        transfers[i] = 1.0 / np.interp(wanted, above[::-1], 1.0 / w[::-1])
    return rate, loss, transfers
