"""Emission models for the ray tracer: density of the electrons on the unit disc, as Zernike polynomials by tilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.engine.compiled import compiled

Float = NDArray[np.float64]


@dataclass(frozen=True)
class DiscEmission:
    """``D(n, w) = (n.w) y(alpha) G(x', y')`` with ``G = Sum_z c_z(alpha) Z_z``, linear in the tilt between its nodes.

    x' and y' are the components of w in the surface, x' along the beam's direction projected on it (downhill). Beyond the
    last tilt the last node holds. Where a truncated G is negative the electrons weigh negative, as in the expansion.

    Attributes
    ----------
    tilts_deg : array [a]
        Surface tilts alpha, rising.
    relative_yield : array [a]
        Yield y relative to that of normal incidence.
    coefficients : array [a, z]
        c_z, those of the uniform disc being (1, 0, 0 …).
    nm : int array [z, 2]
        Order n and m >= 0 of each polynomial, ``Z = N R_n^m(r) cos(m phi')`` with ``N^2 = n + 1`` for m = 0 and
        ``2 (n + 1)`` else, orthonormal over the uniform disc (Born and Wolf, Principles of Optics, 9.2).
    """

    tilts_deg: Float
    relative_yield: Float
    coefficients: Float
    nm: NDArray[np.integer]


class Shape(NamedTuple):
    """An emission model for the loops: tilts in radians [a] and polynomials [a, m, j] (see `_weight` of the tracer)."""

    tilts: Float
    polynomials: Float


def shape(emission: DiscEmission | None) -> Shape:
    """Prepare an emission model; None is Lambert's.

    Raises
    ------
    EclipsError
        Arrays that do not belong together, or orders that are no Zernike polynomial.
    """
    if emission is None:
        return Shape(np.zeros(1), np.ones((1, 1, 1)))
    tilts = np.deg2rad(np.asarray(emission.tilts_deg, dtype=np.float64))
    coefficients, nm = np.asarray(emission.coefficients, dtype=np.float64), np.asarray(emission.nm)
    if coefficients.shape != (len(tilts), len(nm)) or np.shape(emission.relative_yield) != tilts.shape:
        raise EclipsError(
            f"emission coefficients of shape {coefficients.shape} for {len(tilts)} tilts, {len(nm)} orders"
        )
    if len(tilts) == 0 or (np.diff(tilts) <= 0).any():
        raise EclipsError("the tilts of the emission model do not rise", hint="Sort them.")
    polynomials = np.einsum("az,zmj->amj", coefficients, _basis(nm))
    return Shape(tilts, polynomials * np.asarray(emission.relative_yield)[:, None, None])


def from_density(density: Callable[[Float, Float, Float], Float], order: int = 8) -> DiscEmission:
    """Expand any density D at every degree of tilt: ``D / (n.w)`` projected on the polynomials up to `order`.

    `density` takes the tilt, the polar angle of w and its azimuth from the normal's one, in radians, as arrays of one shape.
    """
    nm = np.array([(n, m) for n in range(order + 1) for m in range(n % 2, n + 1, 2)])
    nodes, weights = np.polynomial.legendre.leggauss(order + 4)
    rho, turn = np.sqrt(0.5 * (nodes + 1.0)), (np.arange(4 * order + 8) + 0.5) * 2.0 * np.pi / (4 * order + 8)
    x, y = rho[:, None] * np.cos(turn), rho[:, None] * np.sin(turn)
    out, tilts = np.sqrt(1.0 - x**2 - y**2), np.deg2rad(np.arange(90.0))[:, None, None]
    right, up = x * np.cos(tilts) + out * np.sin(tilts), out * np.cos(tilts) - x * np.sin(tilts)
    relative = np.asarray(density(*np.broadcast_arrays(tilts, np.arccos(up), np.arctan2(y, right)))) / out
    modes = np.einsum("zmj,mjrt->zrt", _basis(nm), _monomials(order, x, y))
    coefficients = np.einsum("art,zrt,r->az", relative, modes, 0.5 * weights) / turn.size
    return DiscEmission(np.arange(90.0), coefficients[:, 0], coefficients / coefficients[:, :1], nm)


def _basis(nm: NDArray[np.integer]) -> Float:
    """Give the coefficients of ``r^m cos(m phi) (r^2)^j`` that make up each polynomial, [z, m, j]."""
    basis = np.zeros((len(nm), int(nm[:, 1].max()) + 1, int(nm[:, 0].max()) // 2 + 1))
    for z, (n, m) in enumerate(nm.tolist()):
        if m < 0 or m > n or (n - m) % 2:
            raise EclipsError(f"there is no Zernike polynomial of order n = {n}, m = {m}")
        scale = np.sqrt((n + 1.0) * (2 if m else 1))
        for s in range((n - m) // 2 + 1):
            below = factorial(s) * factorial((n + m) // 2 - s) * factorial((n - m) // 2 - s)
            basis[z, m, (n - m) // 2 - s] = scale * (-1) ** s * factorial(n - s) / below
    return basis


def _monomials(order: int, x: Float, y: Float) -> Float:
    """Give ``r^m cos(m phi) (r^2)^j`` at points of the disc, [m, j, ...]."""
    angular = [((x + 1j * y) ** m).real for m in range(order + 1)]
    radial = [(x**2 + y**2) ** j for j in range(order // 2 + 1)]
    return np.asarray([[a * r for r in radial] for a in angular])


@compiled(error_model="numpy")
def density(shape: Shape, tilt: float) -> Float:
    """Give the polynomials [m, j] at a tilt in radians."""
    tilts, nodes = shape.tilts, shape.polynomials
    own = np.empty((nodes.shape[1], nodes.shape[2]))
    low = 0
    while low < len(tilts) - 1 and tilts[low + 1] <= tilt:
        low += 1
    high = min(low + 1, len(tilts) - 1)
    part = max((tilt - tilts[low]) / (tilts[high] - tilts[low]), 0.0) if high > low else 0.0
    for m in range(own.shape[0]):
        for j in range(own.shape[1]):
            own[m, j] = (1.0 - part) * nodes[low, m, j] + part * nodes[high, m, j]
    return own
