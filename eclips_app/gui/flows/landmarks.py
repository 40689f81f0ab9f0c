"""Pairs of points that match in an image and a height map, as they are being set."""

from __future__ import annotations

from collections.abc import Iterable

from eclips_app.gui.qt import QtCore, Signal

Point = tuple[float, float]
Pair = tuple[Point | None, Point | None]  #: (col, row) in the image and in the map


class Landmarks(QtCore.QObject):
    """The pairs in their order; `chosen` is the number of the one that was set or grabbed last, -1 for none.

    A point completes the first pair that lacks it, so that one may click to and fro or one image after the other.
    """

    changed = Signal()

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self.pairs: list[Pair] = []
        self.chosen = -1

    @property
    def complete(self) -> tuple[tuple[float, float, float, float], ...]:
        """The pairs that have both points: column and row in the map, column and row in the image."""
        return tuple((*there, *here) for here, there in self.pairs if here is not None and there is not None)

    @property
    def hint(self) -> str:
        """What to do next."""
        alone = [i + 1 for i, (here, there) in enumerate(self.pairs) if here is None or there is None]
        if alone:
            missing = "reconstruction" if self.pairs[alone[0] - 1][0] is None else "height map"
            return f"Click point {alone[0]} in the {missing}."
        count = len(self.pairs)
        if count < 2:
            return (
                "Click a point in one image, then the same point in the other. Two pairs turn and scale the map, three shear "
                "it too."
            )
        model = "shift, rotation and scale" if count == 2 else "shift, rotation, stretch and shear"
        return f"{count} pairs: {model}. Drag a point to move it, Delete takes it out."

    def add_to_image(self, point: Point) -> None:
        """Set a point in the image."""
        self._add(point, 0)

    def add_to_map(self, point: Point) -> None:
        """Set a point in the map."""
        self._add(point, 1)

    def move_in_image(self, number: int, point: Point) -> None:
        """Move a point of the image."""
        self._put(number, (point, self.pairs[number][1]))

    def move_in_map(self, number: int, point: Point) -> None:
        """Move a point of the map."""
        self._put(number, (self.pairs[number][0], point))

    def remove(self, number: int) -> None:
        """Take a pair out."""
        if 0 <= number < len(self.pairs):
            del self.pairs[number]
            self.chosen = min(number, len(self.pairs) - 1)
            self.changed.emit()

    def choose(self, number: int) -> None:
        """Mark a pair."""
        if number != self.chosen:
            self.chosen = number
            self.changed.emit()

    def set_complete(self, pairs: Iterable[tuple[float, float, float, float]]) -> None:
        """Take over pairs as `complete` gives them."""
        self.pairs = [((x, y), (u, v)) for u, v, x, y in pairs]
        self.chosen = -1
        self.changed.emit()

    def _add(self, point: Point, side: int) -> None:
        number = next((i for i, pair in enumerate(self.pairs) if pair[side] is None), len(self.pairs))
        if number == len(self.pairs):
            self.pairs.append((None, None))
        here, there = self.pairs[number]
        self._put(number, (point, there) if side == 0 else (here, point))

    def _put(self, number: int, pair: Pair) -> None:
        self.pairs[number], self.chosen = pair, number
        self.changed.emit()
