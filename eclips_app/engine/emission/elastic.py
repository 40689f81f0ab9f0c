"""Elastic scattering of electrons by atoms: relativistic partial waves (Mott cross-sections) in a screened potential.

The atom is the analytical Dirac-Hartree-Fock-Slater potential of Salvat, Martinez, Mayol and Parellada, Phys. Rev. A 36 (1987)
467: ``V(r) = -(Z/r) sum_i A_i exp(-alpha_i r)``. For each spin-angular number kappa the radial Dirac equations

    P' = -(kappa/r) P + ((E - V)/c + 2 c) Q ,    Q' = -((E - V)/c) P + (kappa/r) Q

are integrated outward by the fourth-order Magnus method (the exact exponential of a 2 x 2 matrix each step) and matched to free
waves, which gives the phase shifts; shifts too small to matter otherwise follow the first Born approximation. They are summed
to the amplitudes f and g of Mott (1929) as in Salvat, Jablonski and Powell, Comput. Phys. Commun. 165 (2005) 157. Exchange,
polarisation and the neighbours of the atom in the solid, which matter below about 0.5 keV, are left out. Atomic units within.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import k0

from eclips_app.engine.compiled import compiled
from eclips_app.engine.emission.materials import Element, element

Float = NDArray[np.float64]

HARTREE_KEV = 27.211386246e-3
BOHR_NM = 0.0529177210544
LIGHT_SPEED = 137.035999177  #: in atomic units

_BORN_BELOW = 2e-3  #: phase shift [rad] below which the Born approximation, joined smoothly, takes over
_NEGLIGIBLE = 1e-8  #: phase shift [rad] at which the sum ends
_TAIL = 1e-7  #: |r V| [hartree bohr] beyond which flight is free


@dataclass(frozen=True)
class CrossSections:
    """Elastic cross-sections of an atom by energy.

    Attributes
    ----------
    energies_kev : array [e]
    cosines : array [c]
        Cosines of the scattering angle, from 1 to -1.
    differential_nm2 : array [e, c]
        Differential cross-section in nm²/sr.
    total_nm2, transport_nm2 : array [e]
        Total and first transport cross-section (weighted with 1 - cosine) from the phase shifts.
    """

    energies_kev: Float
    cosines: Float
    differential_nm2: Float
    total_nm2: Float
    transport_nm2: Float


#: Energies of the calculation [keV]; between them the tables are interpolated.
ENERGIES_KEV: tuple[float, ...] = tuple(np.geomspace(0.05, 40.0, 48))


def cross_sections(
    symbol: str, energies_kev: tuple[float, ...] = ENERGIES_KEV, check: Callable[[], None] | None = None
) -> CrossSections:
    """Compute the elastic cross-sections of an atom (half a second for all of `ENERGIES_KEV`, kept for the next call).

    `check` is called between the energies and may raise to stop.

    Raises
    ------
    EclipsError
        If there is no such element.
    """
    rows = []
    for energy in energies_kev:
        if check is not None:
            check()
        rows.append(_at_energy(symbol, energy))
    differential, total, transport = (np.array(each) * BOHR_NM**2 for each in zip(*rows, strict=True))
    return CrossSections(np.array(energies_kev), _cosines(), differential, total, transport)


def _cosines(count: int = 640) -> Float:
    """Give cosines dense about the forward direction, where the cross-section varies within some milliradians."""
    angle = np.pi * np.linspace(0.0, 1.0, count) ** 2.5
    return np.asarray(np.cos(angle))


@cache
def _at_energy(symbol: str, energy_kev: float) -> tuple[Float, float, float]:
    """Give differential, total and transport cross-section [bohr²]."""
    energy = energy_kev / HARTREE_KEV
    up, down = phase_shifts(element(symbol), energy)
    k = math.sqrt(energy * (energy + 2 * LIGHT_SPEED**2)) / LIGHT_SPEED
    total, transport = _totals(up, down)
    return _differential(*_amplitudes(up, down), _cosines()) / k**2, total / k**2, transport / k**2


def _amplitudes(up: Float, down: Float) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Give the coefficients of k f in Legendre polynomials and of k g in associated ones of order 1."""
    n = np.arange(len(up))
    a, b = np.sin(up) * np.exp(1j * up), np.sin(down) * np.exp(1j * down)  # (exp(2 i delta) - 1)/2i
    return (n + 1) * a + n * b, b - a


def _totals(up: Float, down: Float) -> tuple[float, float]:
    """Give k² times the total and the transport cross-section, by the integrals of two neighbouring Legendre polynomials."""
    f, g = _amplitudes(up, down)
    n = np.arange(len(up))
    total = 4 * np.pi * float(np.sum((n + 1) * np.sin(up) ** 2 + n * np.sin(down) ** 2))
    n = n[:-1]
    near_f, near_g = (np.real(each[:-1] * np.conj(each[1:])) for each in (f, g))
    forward = 8 * np.pi * np.sum((n + 1) / ((2 * n + 1) * (2 * n + 3)) * (near_f + n * (n + 2) * near_g))
    return total, total - float(forward)


def phase_shifts(atom: Element, energy: float) -> tuple[Float, Float]:
    """Give the phase shifts [rad] by orbital number l, for total angular momentum l + 1/2 and l - 1/2.

    Parameters
    ----------
    atom : Element
        Its screening is used.
    energy : float
        Kinetic energy in hartree.
    """
    amplitudes, decays = np.array(atom.amplitudes), np.array(atom.decays_per_bohr)
    k = math.sqrt(energy * (energy + 2 * LIGHT_SPEED**2)) / LIGHT_SPEED
    charge = float(atom.z)
    reach = _reach(charge, amplitudes, decays)
    radii = _grid(reach, k, charge)
    first, second = _gauss_points(radii, charge, amplitudes, decays)
    most = int(k * reach)
    up, down = _integrate(energy, charge, radii, first, second, most, _BORN_BELOW)
    return _with_born_tail(up, down, energy, charge, amplitudes, decays)


def _reach(charge: float, amplitudes: Float, decays: Float) -> float:
    radii = np.linspace(2.0, 60.0, 600)
    tail = charge * np.abs(np.exp(-np.outer(radii, decays)) @ amplitudes)
    return float(radii[np.argmax(tail < _TAIL)])


def _grid(reach: float, k: float, charge: float) -> Float:
    """Give radii [bohr]: 4 % apart near the nucleus, at most an eighth of a radian of phase apart outside."""
    radii = [1e-8 / charge**0.5]
    while radii[-1] < reach:
        radii.append(radii[-1] + min(0.04 * radii[-1], 0.125 / k))
    return np.array(radii)


def _gauss_points(radii: Float, charge: float, amplitudes: Float, decays: Float) -> tuple[Float, Float]:
    """Give radius and potential [2, step] at the two Gauss points of each step."""
    middle, half = (radii[1:] + radii[:-1]) / 2, np.diff(radii) / (2 * math.sqrt(3.0))
    points = [middle - half, middle + half]
    first, second = (np.array([r, -charge / r * (np.exp(-np.outer(r, decays)) @ amplitudes)]) for r in points)
    return first, second


@compiled(error_model="numpy")
def _integrate(
    energy: float, charge: float, radii: Float, first: Float, second: Float, most: int, enough: float
) -> tuple[Float, Float]:
    """Integrate for l = 0, 1, … until both shifts are small or the wave no longer reaches the atom."""
    up, down = np.zeros(most + 1), np.zeros(most + 1)
    k = math.sqrt(energy * (energy + 2 * LIGHT_SPEED**2)) / LIGHT_SPEED
    regular, irregular = _bessel(k * radii[-1], most + 1)
    small, count = 0, 0
    for degree in range(most + 1):
        up[degree] = _shift(-degree - 1, energy, charge, radii, first, second, regular, irregular)
        if degree > 0:
            down[degree] = _shift(degree, energy, charge, radii, first, second, regular, irregular)
        count = degree + 1
        small = small + 1 if max(abs(up[degree]), abs(down[degree])) < enough else 0
        if degree > 3 and small == 3:
            break
    return up[:count], down[:count]


@compiled(error_model="numpy")
def _shift(
    kappa: int,
    energy: float,
    charge: float,
    radii: Float,
    first: Float,
    second: Float,
    regular: Float,
    irregular: Float,
) -> float:
    c = LIGHT_SPEED
    k = math.sqrt(energy * (energy + 2 * c * c)) / c
    # Start inside the centrifugal barrier, where the irregular solution dies out over exp(-2 x 25) before the turning point.
    turn = max(abs(kappa) - 1.0, 0.1) ** 2 / (2 * charge + k * max(abs(kappa) - 1.0, 0.1))
    start = int(np.searchsorted(radii, turn * math.exp(-25.0 / abs(kappa))))
    start = min(max(start - 1, 0), len(radii) - 2)
    r = radii[start]
    inner = energy + charge / r
    p, q = 1.0, 0.0
    if kappa < 0:
        q = -inner * r / (c * (1 - 2 * kappa))
        if charge / r > 2 * c * c:  # the Dirac-Coulomb start right at the nucleus
            q = -(charge / c) / (math.sqrt(kappa * kappa - (charge / c) ** 2) - kappa)
    else:
        q = (2 * kappa + 1) * c / (r * (inner + 2 * c * c))
        if charge / r > 2 * c * c:
            q = (math.sqrt(kappa * kappa - (charge / c) ** 2) + kappa) * c / charge
    for i in range(start, len(radii) - 1):
        h = radii[i + 1] - radii[i]
        d1, d2 = -kappa / first[0, i], -kappa / second[0, i]
        l1, l2 = (energy - first[1, i]) / c, (energy - second[1, i]) / c
        u1, u2 = l1 + 2 * c, l2 + 2 * c
        half, twist = 0.5 * h, h * h * math.sqrt(3.0) / 12.0
        # Omega = h (A1 + A2)/2 + twist [A2, A1] with A = ((d, u), (-l, -d))
        a = half * (d1 + d2) + twist * (l2 * u1 - u2 * l1)
        b = half * (u1 + u2) + twist * 2 * (d2 * u1 - u2 * d1)
        e = -half * (l1 + l2) + twist * 2 * (d2 * l1 - l2 * d1)
        root = a * a + b * e
        if root < 0.0:
            angle = math.sqrt(-root)
            even, odd = math.cos(angle), math.sin(angle) / angle
        else:
            angle = math.sqrt(root)
            even = math.cosh(angle)
            odd = math.sinh(angle) / angle if angle > 1e-9 else 1.0
        p, q = (even + odd * a) * p + odd * b * q, odd * e * p + (even - odd * a) * q
        size = abs(p) + abs(q)
        if size > 1e100:
            p /= size
            q /= size
    degree = kappa if kappa > 0 else -kappa - 1
    partner, sign = (degree - 1, 1.0) if kappa > 0 else (degree + 1, -1.0)
    ratio = sign * c * k / (energy + 2 * c * c)
    above = q * regular[degree] - p * ratio * regular[partner]
    below = q * irregular[degree] - p * ratio * irregular[partner]
    return math.atan(above / below)


@compiled(error_model="numpy")
def _bessel(x: float, most: int) -> tuple[Float, Float]:
    """Give the spherical Bessel functions j_l(x) and y_l(x), l = 0 … `most`, by Miller's and by upward recursion."""
    irregular = np.empty(most + 1)
    irregular[0] = -math.cos(x) / x
    irregular[1] = -math.cos(x) / x**2 - math.sin(x) / x
    for n in range(1, most):
        irregular[n + 1] = (2 * n + 1) / x * irregular[n] - irregular[n - 1]
    regular = np.zeros(most + 1)
    high, low = 0.0, 1e-200
    top = most + 40 + int(2 * math.sqrt(most + 40.0) + x**0.5)
    for n in range(top, 0, -1):
        high, low = low, (2 * n + 1) / x * low - high
        if n - 1 <= most:
            regular[n - 1] = low
        if abs(low) > 1e200:
            high, low = high * 1e-200, low * 1e-200
            for m in range(n - 1, most + 1):
                regular[m] *= 1e-200
    scale = math.sin(x) / x / regular[0]
    if abs(regular[0]) < abs(regular[1]):
        scale = (math.sin(x) / x**2 - math.cos(x) / x) / regular[1]
    return regular * scale, irregular


def _with_born_tail(
    up: Float, down: Float, energy: float, charge: float, amplitudes: Float, decays: Float
) -> tuple[Float, Float]:
    """Add the first Born shifts, scaled to join the integrated ones, until they are negligible.

    ``delta_l = (1 + E/c²) (Z/k) sum_i A_i Q_l(1 + alpha_i²/2k²)``, with the uniform expansion of the Legendre function Q_l
    (Abramowitz and Stegun 9.7; exact to 1/l²): ``Q_l(cosh x) = sqrt(x/sinh x) K_0((l + 1/2) x)``.
    """
    k = math.sqrt(energy * (energy + 2 * LIGHT_SPEED**2)) / LIGHT_SPEED
    slow = np.arccosh(1 + decays**2 / (2 * k**2))
    degrees = np.arange(len(up) - 1, len(up) + int(30.0 / slow.min()) + 10)
    legendre = np.sqrt(slow / np.sinh(slow)) * k0((degrees[:, None] + 0.5) * slow)
    born = (1 + energy / LIGHT_SPEED**2) * charge / k * (legendre @ amplitudes)
    born = born[: max(int(np.argmax(np.abs(born) < _NEGLIGIBLE)), 1)]
    if born[0] == 0.0:
        return up, down
    joined = (np.concatenate([each, each[-1] * born[1:] / born[0]]) for each in (up, down))
    first, second = joined
    return first, second


@compiled(error_model="numpy")
def _differential(direct: NDArray[np.complex128], flip: NDArray[np.complex128], cosines: Float) -> Float:
    """Give k² (|f|² + |g|²) by cosine of the scattering angle."""
    out = np.empty(len(cosines))
    for i in range(len(cosines)):
        x = cosines[i]
        low, high = 1.0, x  # P_n-1, P_n
        slope_low, slope_high = 0.0, 1.0  # their derivatives
        f, g = direct[0], 0.0j
        for n in range(1, len(direct)):
            f += direct[n] * high
            g += flip[n] * slope_high
            low, high = high, ((2 * n + 1) * x * high - n * low) / (n + 1)
            slope_low, slope_high = slope_high, slope_low + (2 * n + 1) * low
        out[i] = f.real**2 + f.imag**2 + max(1.0 - x * x, 0.0) * (g.real**2 + g.imag**2)
    return out
