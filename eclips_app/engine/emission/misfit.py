"""What a model of the emission may be wrong by: random functions of a facet's orientation as seen from each segment.

They are the same for all segments, as what is wrong with an emission is, and alike over some 17 degrees of orientation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_ALIKE = 0.15  #: of tan(tilt / 2)


def misfits(slopes: Tensor, azimuths_deg: Sequence[float], count: int, seed: int) -> Tensor:
    """Give random functions [count, k, ...] of root mean square 1 for slopes [2, ...] (right, up).

    `azimuths_deg` [k] are those of the segments. Products of a random wave along a segment's azimuth and one across, in
    stereographic coordinates of the normal.
    """
    generator = torch.Generator().manual_seed(seed)
    leaning = -slopes / (1.0 + (1.0 + (slopes**2).sum(0)).sqrt())
    turns = torch.deg2rad(torch.tensor(list(azimuths_deg), dtype=torch.float64)).to(slopes)
    along, across = (
        torch.tensordot(torch.cos(turns), leaning[0], 0) + torch.tensordot(torch.sin(turns), leaning[1], 0),
        torch.tensordot(torch.cos(turns), leaning[1], 0) - torch.tensordot(torch.sin(turns), leaning[0], 0),
    )
    found = []
    for _ in range(count):
        first, second = (torch.randn(2, generator=generator) / _ALIKE).tolist()
        phase = float(2.0 * torch.pi * torch.rand(1, generator=generator))
        found.append(2.0 * torch.cos(first * along + phase) * torch.cos(second * across))
    return torch.stack(found)
