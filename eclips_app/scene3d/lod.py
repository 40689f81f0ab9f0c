"""Level of detail: how coarse a mesh may be drawn in a given time, learnt from the frames drawn so far.

Only the geometry gets coarse; colours and slopes are textures of full resolution (`surface`).
"""

from __future__ import annotations

import math

#: Mesh strides in pixels from coarse to fine; each has four times the triangles of the one before.
STRIDES = (64, 32, 16, 8, 4, 2, 1)

MOVING_BUDGET_S = 0.033  #: a frame while the mouse drags
STILL_BUDGET_S = 0.25  #: a frame at rest; bounds how long drawing in software holds up the window
SLOW_S = 0.05  #: a moving frame that would take longer is drawn with fewer pixels and enlarged
REST_S = 0.2  #: pause after which a moving view is drawn finely


class LevelOfDetail:
    """Chooses strides for a height map of `shape` (rows, columns) from measured frame times."""

    def __init__(self, shape: tuple[int, int]) -> None:
        size = max(shape)
        self.strides = tuple(s for s in STRIDES if size / s >= 32) or (1,)
        #: The first picture: some 128 x 128 points, which every machine draws at once.
        self.first = next((s for s in self.strides if size / s >= 100), 1)
        self._seconds: dict[int, float] = {}

    def record(self, stride: int, seconds: float, divisor: int = 1) -> None:
        """Note how long a frame took; the fastest counts at once, slower ones gradually (uploads, other programs).

        Half of a frame's time is taken to go with its pixels, which were measured to be fewer by `divisor` squared.
        """
        seconds *= 2.0 / (1.0 + 1.0 / divisor**2)
        known = self._seconds.get(stride, seconds)
        self._seconds[stride] = seconds if seconds < known else 0.7 * known + 0.3 * seconds

    def forget(self) -> None:
        """Start to learn anew: the picture's size changed."""
        self._seconds.clear()

    def is_known(self, stride: int) -> bool:
        """Whether a frame at `stride` was measured."""
        return stride in self._seconds

    def predict_s(self, stride: int) -> float:
        """Time for a frame at `stride`: measured, or from the nearest measured one by the count of triangles.

        The guess is cautious: part of a frame is for pixels and does not grow with the triangles.
        """
        if stride in self._seconds:
            return self._seconds[stride]
        if not self._seconds:
            return 0.0 if stride >= self.first else float("inf")
        near = min(self._seconds, key=lambda known: abs(self.strides.index(known) - self.strides.index(stride)))
        return self._seconds[near] * (near / stride) ** 2 if stride < near else self._seconds[near]

    def moving(self) -> int:
        """Stride to draw with while something moves."""
        # Coarser than this would be seen, and hardly be faster: the rest of the time is for pixels (`divisor`).
        coarsest = self.strides[max(self.strides.index(self.first) - 1, 0)]
        usable = [s for s in self.strides if s <= coarsest]
        return next((s for s in reversed(usable) if self.predict_s(s) <= MOVING_BUDGET_S), coarsest)

    def divisor(self) -> int:
        """Factor by which a moving picture has fewer pixels along each edge; 2 while nothing is known."""
        if not self._seconds:
            return 2
        return min(3, max(1, math.ceil(math.sqrt(self.predict_s(self.moving()) / SLOW_S))))

    def finer(self, stride: int) -> int:
        """Next finer stride for the picture at rest; `stride` itself if it is the finest within the budget."""
        position = self.strides.index(stride)
        following = self.strides[position + 1 : position + 2]
        return following[0] if following and self.predict_s(following[0]) <= STILL_BUDGET_S else stride
