"""What is known of surfaces beforehand: they are smooth but for edges (pseudo-Huber norm of the second differences)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

_ROOT2 = math.sqrt(2.0)
_ADAPTED = 0.5


@dataclass(frozen=True)
class Curvature:
    """``weight * Sum (sqrt(|H|^2 + softening^2) - softening)`` over samples, H being the second differences of the heights.

    Attributes
    ----------
    weight : float
        Cost per unit of curvature (heights and distances in samples), where one unit of cost is half a squared standard
        deviation of the data.
    softening : float
        Curvature above which an edge is spared.
    """

    weight: float
    softening: float = 0.02

    def cost(self, height: Tensor) -> float:
        """Give the cost of heights [row, col]."""
        size = self._size(second_differences(height))
        return self.weight * float((size - self.softening).double().sum())

    def stiffness(self, height: Tensor) -> Tensor:
        """Give the weights [row, col] with which squared second differences stand for the cost near these heights."""
        return self.weight / self._size(second_differences(height))

    def adapted(self, height: Tensor) -> Curvature:
        """Give the prior with the weight that a surface's own mean curvature asks for.

        Curvatures that are distributed as the prior says have the mean ``1 / weight``; half of that weight did best on rendered
        surfaces from flat to rough, a first estimate being rougher than the surface and an edge costing too much else.
        """
        size = self._size(second_differences(height))
        return replace(self, weight=_ADAPTED / float(size.double().mean()))

    def _size(self, differences: Tensor) -> Tensor:
        return ((differences * differences).sum(0) + self.softening**2).sqrt()


def second_differences(height: Tensor) -> Tensor:
    """Give the second differences [3, row, col] (across, down, root 2 times mixed); 0 where a neighbour is missing."""
    found = height.new_zeros((3, *height.shape))
    found[0, :, 1:-1] = height[:, 2:] - 2 * height[:, 1:-1] + height[:, :-2]
    found[1, 1:-1] = height[2:] - 2 * height[1:-1] + height[:-2]
    found[2, :-1, :-1] = _ROOT2 * (height[1:, 1:] - height[1:, :-1] - height[:-1, 1:] + height[:-1, :-1])
    return found


def second_differences_adjoint(values: Tensor) -> Tensor:
    """Give the adjoint of `second_differences`, [row, col]."""
    found = torch.zeros_like(values[0])
    across, down, mixed = values[0, :, 1:-1], values[1, 1:-1], _ROOT2 * values[2, :-1, :-1]
    found[:, 2:] += across
    found[:, 1:-1] -= 2 * across
    found[:, :-2] += across
    found[2:] += down
    found[1:-1] -= 2 * down
    found[:-2] += down
    found[1:, 1:] += mixed
    found[1:, :-1] -= mixed
    found[:-1, 1:] -= mixed
    found[:-1, :-1] += mixed
    return found
