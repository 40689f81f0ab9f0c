"""What the loops of the forward model are given: NumPy arrays in the compiled ones, tensors in the others."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

A = TypeVar("A")


class Scene(NamedTuple, Generic[A]):
    """What is rendered: heights in pixels [row, col], slopes [2, row, col] (right, up), functions of the normal [j, row, col]."""

    height: A
    slopes: A
    weights: A


class Plan(NamedTuple, Generic[A]):
    """What a detector makes of it.

    ``taken`` [a, node, k, j]: tables; ``seen`` [a, 2]: first segment and end of those that a sector reaches; ``directions``
    [2, a] (right, up); ``bounds``: slopes below the first block nothing that is caught, at the second one nothing is left.
    """

    taken: A
    seen: NDArray[np.int64]
    directions: NDArray[np.float64]
    bounds: NDArray[np.float64]
