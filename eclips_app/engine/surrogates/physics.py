"""From horizons to segments: the layer in which the detector enters, the same tables as the exact model's, in plain Torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding

from eclips_app.engine.forward.tables import Sectors


def signal(horizon: Tensor, weights: Tensor, sectors: Sectors) -> Tensor:
    """Give the signal of each segment for unit brightness, [k, ...]; Torch differentiates it by horizons, weights and tables.

    Parameters
    ----------
    horizon : tensor [a, ...]
        Slope of the horizon in the middle of each sector, the tangent plane included.
    weights : tensor [j, ...]
        Functions of the normal (`Expansion.weights`).
    sectors : Sectors
        Tables on the same device and of the same type.
    """
    flat = weights.flatten(1)
    parts = list(sectors.total @ flat)
    for a, (first, end) in enumerate(sectors.seen.tolist()):
        if first == end:
            continue
        slope = horizon[a].flatten()
        blocked = torch.nonzero(slope.detach() > float(sectors.bounds[0]))[:, 0]  # elsewhere nothing is taken away
        taken = _taken(slope[blocked], sectors.taken[a, :, first:end], float(sectors.bounds[1]))
        lost = (taken * flat[:, blocked].T[:, None]).sum(-1)
        for k in range(first, end):
            parts[k] = parts[k].index_add(0, blocked, lost[:, k - first], alpha=-1)
    return torch.stack(parts).reshape(-1, *weights.shape[1:])


def _taken(slope: Tensor, table: Tensor, highest: float) -> Tensor:
    """Look up what horizons take away, [n, k, j], in a table [node, k, j] by their slope."""
    nodes = table.shape[0]
    m = slope.clamp(max=highest)
    place = m / (1.0 + m) * (nodes - 1)
    node = place.detach().long().clamp(max=nodes - 2)
    low_and_rise = torch.stack([table[:-1], table[1:] - table[:-1]], 1)
    found: Tensor = embedding(node, low_and_rise.flatten(1)).reshape(-1, *low_and_rise.shape[1:])
    return found[:, 0] + (place - node)[:, None, None] * found[:, 1]
