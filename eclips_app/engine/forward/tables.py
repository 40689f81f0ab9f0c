"""What the sectors of a detector catch, and what a horizon of given slope takes away from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from eclips_app.engine.emission.expansion import Expansion

Float = NDArray[np.float64]

_NOTHING = 1e-9  #: parts of a cell below this are rounding
NODES = 1025  #: of the tables, even in m / (1 + m) of the horizon's slope m


@dataclass(frozen=True)
class Sectors:
    """Tables of a detector and an emission expansion.

    Attributes
    ----------
    total : tensor [k, j]
        ``(1/pi) Int T_k phi_j dw`` with nothing in the way.
    taken : tensor [a, node, k, j]
        The part of it that lies in sector a below a horizon of slope m, at even steps of ``m / (1 + m)`` from 0 to 1.
    seen : array [a, 2]
        First segment and end of the segments that a sector reaches.
    directions : array [2, a]
        Cosine (right) and sine (up) of the sectors' middles.
    bounds : array [2]
        Slopes between which a horizon changes anything.
    """

    total: torch.Tensor
    taken: torch.Tensor
    seen: NDArray[np.int64]
    directions: Float
    bounds: Float

    @property
    def plan(self) -> tuple[NDArray[np.int64], Float, Float]:
        """What the loops need beside the tables."""
        return self.seen, self.directions, self.bounds

    def to(self, device: torch.device, dtype: torch.dtype) -> Sectors:
        """Give the same tables on another device and in another precision."""
        return Sectors(
            self.total.to(device, dtype), self.taken.to(device, dtype), self.seen, self.directions, self.bounds
        )


def sectors(
    T: torch.Tensor, theta: Float, phi: Float, expansion: Expansion, azimuths: int, nodes: int = NODES
) -> Sectors:
    """Cumulate a valid solid angle over sectors of azimuth; differentiable in T.

    Parameters
    ----------
    T : tensor [k, t, f], float64
        Means over cells of polar angle and azimuth.
    theta, phi : arrays [t + 1], [f + 1]
        Edges of the cells in radians; `azimuths` divides f.
    expansion : Expansion
        Functions of the direction.
    azimuths : int
        Number of sectors.
    nodes : int
        Length of the tables.
    """
    around, pairs = _azimuth_sums(T, phi, expansion, azimuths)  # [u, a, k, t], and for each j its (u, r)
    w = np.arange(nodes) / (nodes - 1)
    horizon = np.arctan2(1.0 - w, w)  # polar angle of slope m = w / (1 - w)
    cell = np.clip(np.searchsorted(theta, horizon, side="right") - 1, 0, theta.size - 2)
    at_edges, at_nodes = (_radial(expansion, angles) for angles in (theta, horizon))
    inside = torch.as_tensor(at_nodes - at_edges[:, cell])
    steps = torch.as_tensor(np.diff(at_edges))
    total, taken = [], []
    for u, r in pairs:
        open_to = torch.cumsum(around[u] * steps[r], dim=-1)  # up to the upper edge of each cell
        whole = open_to[..., -1]
        below = torch.nn.functional.pad(open_to, (1, 0))[..., cell] + around[u][..., cell] * inside[r]
        total.append(whole.sum(0) / np.pi)
        taken.append((whole[..., None] - below).movedim(-1, 1) / np.pi)
    middles = (np.arange(azimuths) + 0.5) * (2 * np.pi / azimuths)
    reached = (T.detach().abs() > _NOTHING).reshape(T.shape[0], T.shape[1], azimuths, -1).any(dim=3)
    seen = np.array([_range(np.asarray(reached[:, :, a].any(dim=1).cpu())) for a in range(azimuths)])
    return Sectors(
        torch.stack(total, -1), torch.stack(taken, -1).contiguous(), seen,
        np.stack([np.cos(middles), np.sin(middles)]), _bounds(np.asarray(reached.any(dim=2).any(dim=0).cpu()), theta),
    )  # fmt: skip


def _azimuth_sums(
    T: torch.Tensor, phi: Float, expansion: Expansion, azimuths: int
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """Integrate T times cos m f and sin m f over the sectors, and say which of them belong to each function."""
    kinds = sorted({(m, sine) for _, m, sine in expansion.functions})
    integrals = [_integral(phi, m, sine) for m, sine in kinds]
    split = T.reshape(*T.shape[:2], azimuths, -1)
    factors = torch.as_tensor(np.stack(integrals).reshape(len(kinds), azimuths, -1))
    around = torch.einsum("ktac,uac->uakt", split, factors)
    return around, [(kinds.index((m, sine)), r) for r, m, sine in expansion.functions]


def _integral(phi: Float, m: int, sine: bool) -> Float:
    """Integrate cos m f or sin m f over each cell."""
    if m == 0:
        return np.diff(phi)
    primitive = -np.cos(m * phi) / m if sine else np.sin(m * phi) / m
    return np.diff(primitive)


def _radial(expansion: Expansion, angles: Float) -> Float:
    """Give ``Int_0^t v_r sin t' dt'`` [r, t]; beyond the expansion's range nothing is caught and it stays constant."""
    low, high = expansion.theta[0], expansion.theta[-1]
    density = CubicSpline(expansion.theta, expansion.direction * np.sin(expansion.theta), axis=1)
    return np.asarray(density.antiderivative()(np.clip(angles, low, high)))


def _range(caught: NDArray[np.bool_]) -> tuple[int, int]:
    """Give the first segment that catches anything and the one after the last; (0, 0) if there is none."""
    found = np.flatnonzero(caught)
    return (int(found[0]), int(found[-1]) + 1) if found.size else (0, 0)


def _bounds(reached: NDArray[np.bool_], theta: Float) -> Float:
    """Give the slopes of the lowest and highest direction caught, some cells wider for tables that move."""
    found = np.flatnonzero(reached)
    last, first = min(int(found[-1]) + 5, theta.size - 1), max(int(found[0]) - 4, 0)
    return np.array([1.0 / np.tan(theta[last]) if theta[last] < 1.57 else 0.0, 1.0 / np.tan(max(theta[first], 1e-3))])
