"""Expansion of an emission density in a few functions of the normal times functions of the direction.

``D(n, w) = Sum_r Re[(n_x + i n_y)^m exp(-i m f)] P_r(n_z) v_r(t)`` with polynomials P in n_z. The Fourier orders m follow from
the density's mirror symmetry about the plane of incidence; the pairs (P, v) of each order from a singular value
decomposition. A sector of azimuth then holds two numbers for each pair (cosine and sine), and the renderer sums over
sectors. Lambert emission needs exactly one pair of order 0 and one of order 1: ``n_z cos t`` and
``(n_x cos f + n_y sin f) sin t``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import legendre
from numpy.typing import NDArray

from eclips_app.engine.emission.model import Density, lambert

Float = NDArray[np.float64]

_ORDERS = 8  #: Fourier orders looked at
_DEGREE = 7  #: of the polynomials in n_z
_STEEPEST = np.deg2rad(86.0)  #: tilt up to which the expansion is fitted


@dataclass(frozen=True)
class Expansion:
    """Pairs of a function of the normal and one of the direction.

    Attributes
    ----------
    orders : array [r]
        Fourier order m of each pair.
    normal : array [r, d]
        Coefficients of the polynomials in n_z, lowest power first.
    theta : array [t]
        Polar angles in radians at which the functions of the direction are known.
    direction : array [r, t]
        Their values v_r(t).
    error : float
        Largest deviation from the density above the tangent plane, over tilts up to 86 degrees.
    """

    orders: NDArray[np.int64]
    normal: Float
    theta: Float
    direction: Float
    error: float

    @property
    def functions(self) -> list[tuple[int, int, bool]]:
        """The weights in order: (pair, Fourier order, whether it is the sine part)."""
        return [(r, int(m), sine) for r, m in enumerate(self.orders) for sine in ((False, True) if m else (False,))]

    def weights(self, slopes: torch.Tensor) -> torch.Tensor:
        """Give the functions of the normal, [j, ...], for slopes [2, ...] (right, up); differentiable."""
        inverse = torch.rsqrt(1.0 + (slopes * slopes).sum(0))
        across = -slopes * inverse  # n_x, n_y
        powers = _powers(across[0], across[1], int(self.orders.max(initial=0)))
        polynomials = [_horner(inverse, row) for row in self.normal]
        return torch.stack([polynomials[r] * powers[m][1 if sine else 0] for r, m, sine in self.functions])


def expand(density: Density, limits: tuple[float, float] = (0.0, np.pi / 2), tolerance: float = 3e-3) -> Expansion:
    """Expand a density over the polar angles (in radians) between `limits`, outside of which nothing is caught.

    `tolerance` is the part of its root mean square below which a pair is left out. The fit counts even steps of n_z and of solid
    angle alike.
    """
    nodes, area = legendre.leggauss(40)
    alpha = np.arccos(np.cos(_STEEPEST) + (1 - np.cos(_STEEPEST)) * (nodes + 1) / 2)
    theta = np.linspace(*limits, 121)
    turn: Float = np.linspace(0.0, 2 * np.pi, 4 * _ORDERS, endpoint=False)
    angles = np.broadcast_arrays(alpha[:, None, None], theta[:, None], turn)
    values = density(*angles)
    spectrum = np.fft.rfft(values, axis=2).real / turn.size
    weight = np.sqrt(area), np.sqrt(np.sin(np.maximum(theta, (theta[1] - theta[0]) / 2)))
    smallest = tolerance * float(np.linalg.norm(np.sqrt((values**2).mean(axis=2)) * weight[0][:, None] * weight[1]))
    found = [_order(m, spectrum[:, :, m] * (2 if m else 1), alpha, weight, smallest) for m in range(_ORDERS)]
    orders = np.concatenate([np.full(len(p), m) for m, (p, _) in enumerate(found)])
    normal, direction = (np.concatenate([pair[i] for pair in found]) for i in (0, 1))
    wrong = np.abs(_evaluate(orders, normal, direction, alpha, turn) - values)
    return Expansion(orders, normal, theta, direction, float(wrong[lambert(*angles) > 0].max()))


def _order(m: int, part: Float, alpha: Float, weight: tuple[Float, Float], smallest: float) -> tuple[Float, Float]:
    """Give polynomials [r, d] and functions of t [r, t] of one Fourier order, largest first."""
    over_alpha, over_theta = weight
    basis = np.cos(alpha)[:, None] ** np.arange(_DEGREE + 1) * np.sin(alpha)[:, None] ** m
    orthogonal, triangle = np.linalg.qr(basis * over_alpha[:, None])
    projected = orthogonal.T @ (part * over_alpha[:, None] * over_theta)
    left, sizes, right = np.linalg.svd(projected, full_matrices=False)
    kept = int(np.count_nonzero(sizes > smallest))
    polynomials = np.linalg.solve(triangle, left[:, :kept] * np.sqrt(sizes[:kept])).T
    return polynomials, right[:kept] * np.sqrt(sizes[:kept])[:, None] / over_theta


def _evaluate(orders: NDArray[np.int64], normal: Float, direction: Float, alpha: Float, turn: Float) -> Float:
    powers = np.cos(alpha)[:, None] ** np.arange(normal.shape[1])
    pairs = (powers @ normal.T) * np.sin(alpha)[:, None] ** orders
    return np.asarray(np.einsum("ir,rt,rf->itf", pairs, direction, np.cos(orders[:, None] * turn)))


def _powers(x: torch.Tensor, y: torch.Tensor, highest: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Give real and imaginary part of (x + i y)^m for m = 0 … highest."""
    found = [(torch.ones_like(x), torch.zeros_like(x))]
    for _ in range(highest):
        a, b = found[-1]
        found.append((a * x - b * y, a * y + b * x))
    return found


def _horner(x: torch.Tensor, coefficients: Float) -> torch.Tensor:
    value = torch.full_like(x, float(coefficients[-1]))
    for c in coefficients[-2::-1]:
        value = value * x + float(c)
    return value
