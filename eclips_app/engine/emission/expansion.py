"""Expansion of an emission density in a few functions of the normal times functions of the direction.

``D(n, w) = exp(Q(n_z)) Sum_r Re[(n_x + i n_y)^m exp(-i m f)] P_r(n_z) v_r(t)`` with polynomials Q and P. The Fourier orders m
follow from the density's mirror symmetry about the plane of incidence; the pairs (P, v) of each order from a singular value
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

from eclips_app.engine.emission.model import STEEPEST, Density, lambert

Float = NDArray[np.float64]

_ORDERS = 4  #: Fourier orders
_DEGREE = 5  #: of the polynomials in n_z
_BELOW = 0.3  #: weight of directions below the tangent plane
_RIDGE = 1e-14  #: keeps the polynomials apart; far below what the densities are known to
_FITTED = np.deg2rad(80.0)  #: tilt up to which the expansion is fitted
_EXACT = 1e-6  #: error below which it holds at any tilt


@dataclass(frozen=True)
class Expansion:
    """Pairs of a function of the normal and one of the direction.

    Attributes
    ----------
    orders : array [r]
        Fourier order m of each pair.
    growth : array [d]
        Coefficients of a polynomial in n_z, lowest power first, whose exponential multiplies all of it.
    normal : array [r, d]
        Coefficients of the polynomials P_r in n_z.
    theta : array [t]
        Polar angles in radians at which the functions of the direction are known.
    direction : array [r, t]
        Their values v_r(t).
    error : float
        Largest deviation from the density above the tangent plane, over tilts up to 80 degrees, in units of its growth.
    steepest : float
        Slope beyond which a surface emits as one of this slope that falls the same way (the horizon still cuts that off at its
        own tangent plane): polynomials run away where nothing holds them. Infinite for what is exact, as Lambert's law is.
    """

    orders: NDArray[np.int64]
    growth: Float
    normal: Float
    theta: Float
    direction: Float
    error: float
    steepest: float = np.inf

    @property
    def functions(self) -> list[tuple[int, int, bool]]:
        """The weights in order: (pair, Fourier order, whether it is the sine part)."""
        return [(r, int(m), sine) for r, m in enumerate(self.orders) for sine in ((False, True) if m else (False,))]

    def weights(self, slopes: torch.Tensor) -> torch.Tensor:
        """Give the functions of the normal, [j, ...], for slopes [2, ...] (right, up); differentiable."""
        slopes, _ = self._held(slopes)
        inverse = torch.rsqrt(1.0 + (slopes * slopes).sum(0))
        across = -slopes * inverse  # n_x, n_y
        powers = _powers(across[0], across[1], int(self.orders.max(initial=0)))
        polynomials = [value for value, _ in self._polynomials(inverse)]
        return torch.stack([polynomials[r] * powers[m][1 if sine else 0] for r, m, sine in self.functions])

    def bends(self, slopes: torch.Tensor) -> torch.Tensor:
        """Give the derivatives of `weights` by the slopes, [2, j, ...]."""
        held, stretch = self._held(slopes)
        inverse = torch.rsqrt(1.0 + (held * held).sum(0))
        across = -held * inverse
        powers = _powers(across[0], across[1], int(self.orders.max(initial=0)))
        polynomials = self._polynomials(inverse)
        found = []
        for i in (0, 1):
            # du/ds_i = -s_i u^3 and dn_a/ds_i = -u (a == i) + s_a s_i u^3 for u = n_z.
            fall = -held[i] * inverse**3
            turn = [-held[a] * fall - (inverse if a == i else 0.0) for a in (0, 1)]
            found.append(torch.stack([
                slope * fall * powers[m][sine] + value * _power_change(powers, m, sine, turn)
                for (r, m, sine) in self.functions for value, slope in (polynomials[r],)
            ]))  # fmt: skip
        bends = torch.stack(found)
        if stretch is None:
            return bends
        # Beyond the steepest slope only the direction counts: what goes along it changes nothing.
        along = held / self.steepest
        radial = (bends * along[:, None]).sum(0)
        return torch.where(stretch < 1.0, stretch * (bends - along[:, None] * radial), bends)

    def _held(self, slopes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Give slopes no steeper than the steepest, and by what they were made gentler; None where nothing can be too steep."""
        if self.steepest == np.inf:
            return slopes, None
        stretch = self.steepest * torch.rsqrt((slopes * slopes).sum(0).clamp(min=self.steepest**2))
        return slopes * stretch, stretch

    def _polynomials(self, inverse: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Give ``exp(Q) P_r`` and its derivative by n_z for each pair."""
        values = [(_horner(inverse, row), _horner(inverse, _derivative(row))) for row in self.normal]
        if not self.growth.any():
            return values
        growth, steepening = torch.exp(_horner(inverse, self.growth)), _horner(inverse, _derivative(self.growth))
        return [(value * growth, (slope + value * steepening) * growth) for value, slope in values]


def expand(density: Density, limits: tuple[float, float] = (0.0, np.pi / 2), tolerance: float = 5e-3) -> Expansion:
    """Expand a density over the polar angles (in radians) between `limits`, outside of which nothing is caught.

    `tolerance` is the part of its root mean square below which a pair is left out. Small tilts count most (n_z^3), on which
    metrology rests; and directions below the tangent plane, where the horizon cuts all off, count little: a table's
    continuation there is wild, and following it would cost most of the functions.
    """
    nodes, area = legendre.leggauss(32)
    alpha = np.arccos(np.cos(_FITTED) + (1 - np.cos(_FITTED)) * (nodes + 1) / 2)
    theta, turn = np.linspace(*limits, 91), np.linspace(0.0, np.pi, 25)
    angles = np.broadcast_arrays(alpha[:, None, None], theta[:, None], turn)
    area = area * np.cos(alpha) ** 3
    values, cosine = density(*angles), lambert(*angles)
    above = cosine > 0
    growth = _growth(values * above, cosine * above, alpha)
    brightness = np.exp(legendre.legval(np.cos(alpha), growth))[:, None, None]
    values = values / brightness
    weight = np.sqrt(area)[:, None, None] * np.where(above, 1.0, _BELOW)
    fitted = _fit(values, weight, alpha, turn)
    across = np.sqrt(np.sin(np.maximum(theta, theta[1] - theta[0])))
    smallest = tolerance * float(np.linalg.norm(values * weight * across[:, None]) / np.sqrt(turn.size))
    found = [_order(m, part, alpha, (np.sqrt(area), across), smallest) for m, part in enumerate(fitted)]
    orders = np.concatenate([np.full(len(p), m) for m, (p, _) in enumerate(found)])
    normal, direction = (np.concatenate([pair[i] for pair in found]) for i in (0, 1))
    wrong = np.abs(_evaluate(orders, normal, direction, alpha, turn) - values)
    error = float(wrong[above].max())
    bends = np.asarray(legendre.leg2poly(growth))
    if error < _EXACT:  # what is left of the other powers is rounding, and would cost as much as they
        return Expansion(orders, _cleared(bends[None])[0], _cleared(normal), theta, direction, error)
    return Expansion(orders, np.asarray(bends, np.float64), normal, theta, direction, error, float(np.tan(STEEPEST)))


def _cleared(coefficients: NDArray[np.floating]) -> Float:
    """Give rows of coefficients without those that are nothing beside the largest."""
    largest = np.maximum(np.abs(coefficients).max(axis=1, keepdims=True), 1.0)
    return np.asarray(np.where(np.abs(coefficients) > _EXACT * largest, coefficients, 0.0), np.float64)


def _growth(values: Float, cosine: Float, alpha: Float) -> Float:
    """Give the Legendre series in n_z of the logarithm by which the density grows with the tilt over Lambert's.

    Yields grow several times; as a factor of its own that growth costs no function.
    """
    ratio = np.sqrt((values**2).sum(axis=(1, 2)) / (cosine**2).sum(axis=(1, 2)))
    return np.asarray(legendre.legfit(np.cos(alpha), np.log(ratio), _DEGREE))


def _basis(m: int, alpha: Float) -> Float:
    """Give ``sin^m n_z^d`` [alpha, d]."""
    return np.asarray(np.sin(alpha)[:, None] ** m * np.cos(alpha)[:, None] ** np.arange(_DEGREE + 1))


def _fit(values: Float, weight: Float, alpha: Float, turn: Float) -> Float:
    """Fit polynomials in n_z of each Fourier order at each polar angle, [m, d, t], to values [alpha, t, turn]."""
    terms = np.concatenate([_basis(m, alpha)[:, None, :] * np.cos(m * turn)[:, None] for m in range(_ORDERS)], axis=2)
    scale = np.sqrt((terms**2).mean(axis=(0, 1)))
    matrix = (terms / scale).reshape(-1, terms.shape[2])
    weights, data = (np.moveaxis(x, 1, 0).reshape(values.shape[1], -1) for x in (weight, values))
    weights = weights**2
    normal = np.einsum("ni,tn,nj->tij", matrix, weights, matrix, optimize=True)
    normal += _RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] / len(scale) * np.eye(len(scale))
    solved = np.linalg.solve(normal, np.einsum("ni,tn->ti", matrix, weights * data)[..., None])[..., 0] / scale
    return np.asarray(np.moveaxis(solved.reshape(-1, _ORDERS, _DEGREE + 1), 0, 2))


def _order(m: int, part: Float, alpha: Float, weight: tuple[Float, Float], smallest: float) -> tuple[Float, Float]:
    """Give polynomials [r, d] and functions of t [r, t] of one Fourier order [d, t], largest first."""
    over_alpha, over_theta = weight
    triangle = np.linalg.qr(_basis(m, alpha) * over_alpha[:, None], mode="r")
    left, sizes, right = np.linalg.svd(triangle @ part * over_theta, full_matrices=False)
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


def _power_change(
    powers: list[tuple[torch.Tensor, torch.Tensor]], m: int, sine: bool, turn: list[torch.Tensor]
) -> torch.Tensor | float:
    """Give the change of the real or imaginary part of (x + i y)^m with a change (dx, dy)."""
    if m == 0:
        return 0.0
    real, imaginary = powers[m - 1]
    return m * (real * turn[1] + imaginary * turn[0] if sine else real * turn[0] - imaginary * turn[1])


def _derivative(coefficients: Float) -> Float:
    """Give the coefficients of a polynomial's derivative."""
    return np.asarray(coefficients[1:] * np.arange(1, len(coefficients)))


def _horner(x: torch.Tensor, coefficients: Float) -> torch.Tensor:
    kept = np.trim_zeros(coefficients, "b")
    if kept.size < 2:
        return torch.full_like(x, float(kept[0]) if kept.size else 0.0)
    value = float(kept[-1]) * x + float(kept[-2])
    for c in kept[-3::-1]:
        value = value * x + float(c)
    return value
