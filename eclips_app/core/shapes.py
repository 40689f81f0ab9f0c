"""Shapes drawn on an image: where profiles run, and which areas are measured.

Points are (col, row) in pixels of the uncropped image, counted from the centre of its top-left pixel, rows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import choice, quantity

Point = tuple[float, float]

#: Fewest points of each kind, and what they are.
SHAPES: dict[str, tuple[int, str]] = {
    "line": (2, "start and end"),
    "polyline": (2, "corners from start to end"),
    "circle": (2, "centre, and where the profile starts on the circle; it runs counter-clockwise as seen"),
    "rectangle": (2, "opposite corners; the profile runs along the longer side, averaged over the other"),
    "polygon": (3, "corners of an area, which is closed from the last to the first"),
}


@dataclass(frozen=True)
class Shape:
    """A line, a polyline, a circle, a rectangle along the axes, or a polygon (an area only, without a profile)."""

    kind: str = choice("line", *SHAPES, label="Shape")
    points_px: tuple[Point, ...] = ()
    width_px: float = quantity(
        1.0, label="Width", unit="px", low=0, high=1e6, help="Averaged over, across the profile."
    )

    def __post_init__(self) -> None:
        """Refuse a wrong number of points."""
        fewest, words = SHAPES.get(self.kind, (0, ""))
        exact = self.kind in ("line", "circle", "rectangle")
        if len(self.points_px) < fewest or (exact and len(self.points_px) > fewest):
            raise EclipsError(f"a {self.kind} of {len(self.points_px)} points is not possible", hint=f"Give {words}.")
