"""Hard-example mining: the samples with the largest loss come again."""

from __future__ import annotations

import numpy as np


class HardSamples:
    """The samples, by their indices, whose last loss was the largest.

    Samples are made anew from their index, so that remembering them costs nothing.
    """

    def __init__(self, room: int, kept: dict[int, float] | None = None) -> None:
        self._room = room
        self.kept: dict[int, float] = dict(kept or {})

    def draw(self, count: int, rng: np.random.Generator) -> list[int]:
        """Draw different samples, each with a chance in proportion to its loss; none before there are twice as many."""
        if count == 0 or len(self.kept) < 2 * count:
            return []
        indices = sorted(self.kept)
        chances = np.array([max(self.kept[i], 1e-12) for i in indices])
        return [int(i) for i in rng.choice(indices, count, replace=False, p=chances / chances.sum())]

    def learn(self, indices: list[int], losses: list[float]) -> None:
        """Remember the losses of a batch; the easiest samples beyond the room are forgotten."""
        self.kept.update(zip(indices, losses, strict=True))
        for index in sorted(self.kept, key=lambda i: (self.kept[i], i))[: max(len(self.kept) - self._room, 0)]:
            del self.kept[index]
