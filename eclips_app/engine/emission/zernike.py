"""Zernike polynomials that are even across the plane of incidence, of a mean square of 1 over the unit disc."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def radial(n: int, m: int) -> list[float]:
    """Give the radial part over rho^m in powers of rho^2, lowest first (Born and Wolf, Principles of Optics, 9.2.1)."""
    f, k = math.factorial, (n - m) // 2
    norm = math.sqrt((n + 1) * (2 if m else 1))
    terms = [(-1) ** s * f(n - s) / (f(s) * f((n + m) // 2 - s) * f(k - s)) for s in range(k + 1)]
    return [norm * term for term in terms[::-1]]


def zernike(n: int, m: int, x: Float, y: Float) -> Float:
    """Give the polynomial of degree n and order m (cosine) at points of the disc."""
    powers = np.polynomial.polynomial.polyval(x**2 + y**2, radial(n, m))
    return np.asarray(powers * ((x + 1j * y) ** m).real)
