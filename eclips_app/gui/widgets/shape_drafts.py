"""A polyline or an area while its corners are being set, one click each."""

from __future__ import annotations

import math

from eclips_app.core.shapes import SHAPES
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.line_geometry import Point

_APART_PX = 0.5  #: corners nearer to the last one are not meant


class Draft:
    """Corners set so far, and where the mouse would set the next one; all in image pixels (col, row)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.points: shapes.Points = ()
        self.next: Point | None = None

    @property
    def is_possible(self) -> bool:
        """Whether the corners make a shape."""
        return shapes.is_possible(self.kind, self.points)

    def add(self, point: Point, snap: bool) -> bool:
        """Set a corner; gives whether there is a shape now."""
        point = self._placed(point, snap)
        if not self.points or math.dist(self.points[-1], point) >= _APART_PX:
            self.points = (*self.points, point)
        self.next = None
        return self.is_possible

    def hover(self, point: Point, snap: bool) -> None:
        """Remember where the next corner would be."""
        self.next = self._placed(point, snap)

    def take_back(self) -> bool:
        """Take back the last corner, if that leaves a shape or there has not been any; gives whether there is a shape."""
        if len(self.points) != SHAPES[self.kind][0]:
            self.points = self.points[:-1]
        return self.is_possible

    def _placed(self, point: Point, snap: bool) -> Point:
        return shapes.snapped_next(self.kind, self.points[-1], point) if snap and self.points else point
