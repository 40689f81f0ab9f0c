"""The recipe of levelling that is being put together: its steps, which of them is shown, and the areas that they look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eclips_app.core.levelling import LevelStep
from eclips_app.core.shapes import Point, Shape
from eclips_app.core.signal import Signal

_POINTS = 3


class LevelRecipe:
    """Steps in their order; `changed` tells of everything."""

    def __init__(self) -> None:
        self.steps: tuple[LevelStep, ...] = (LevelStep(),)
        self.current = 0  #: number of the step whose options are shown
        self.areas: tuple[Shape, ...] = ()  #: in pixels of the map that is levelled
        self.changed: Signal[[]] = Signal()

    @property
    def step(self) -> LevelStep | None:
        """The step that is shown."""
        return self.steps[self.current] if self.steps else None

    @property
    def missing(self) -> str:
        """What a step still lacks; empty where all are complete."""
        for number, step in enumerate(self.steps):
            if step.kind == "three-points" and len(step.points_px) != _POINTS:
                return f"Step {number + 1}: click {_POINTS - len(step.points_px)} more points on the left map."
        return ""

    def add(self, kind: str) -> None:
        """Add a step behind the one that is shown."""
        at = self.current + 1 if self.steps else 0
        self._set((*self.steps[:at], LevelStep(kind), *self.steps[at:]), at)

    def remove(self) -> None:
        """Take the step that is shown out."""
        if self.steps:
            rest = tuple(step for n, step in enumerate(self.steps) if n != self.current)
            self._set(rest, max(0, min(self.current, len(rest) - 1)))

    def move(self, by: int) -> None:
        """Move the step that is shown forwards or backwards."""
        to = self.current + by
        if self.steps and 0 <= to < len(self.steps):
            steps = list(self.steps)
            steps[self.current], steps[to] = steps[to], steps[self.current]
            self._set(tuple(steps), to)

    def select(self, number: int) -> None:
        """Show the options of another step."""
        if 0 <= number < len(self.steps) and number != self.current:
            self._set(self.steps, number)

    def change(self, **fields: Any) -> None:
        """Change options of the step that is shown."""
        if self.step is not None and any(getattr(self.step, name) != value for name, value in fields.items()):
            steps = list(self.steps)
            steps[self.current] = replace(self.step, **fields)
            self._set(tuple(steps), self.current)

    def add_point(self, point: Point) -> None:
        """Set the next of three points (col, row); a fourth one begins anew."""
        if self.step is not None:
            points = self.step.points_px if len(self.step.points_px) < _POINTS else ()
            self.change(points_px=(*points, point))

    def add_areas(self, *shapes: Shape) -> None:
        """Add areas; the step that is shown leaves them out unless it says what to do with areas."""
        self.areas += shapes
        if self.step is not None and self.step.area == "all":
            self.change(area="exclude")
        else:
            self.changed.emit()

    def clear_areas(self) -> None:
        """Forget all areas."""
        self.areas = ()
        self._set(tuple(replace(step, area="all") for step in self.steps), self.current)

    def forget_places(self) -> None:
        """Forget areas and points, which lie elsewhere on another map."""
        self.areas = ()
        self._set(tuple(replace(step, area="all", points_px=()) for step in self.steps), self.current)

    def use_up(self) -> None:
        """Begin anew after the recipe was applied, so that it is not taken a second time unawares."""
        self.areas = ()
        self._set((), 0)

    def _set(self, steps: tuple[LevelStep, ...], current: int) -> None:
        self.steps, self.current = steps, current
        self.changed.emit()
