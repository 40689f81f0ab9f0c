"""Levelling as a recipe: steps that are taken in their order, each by a dataclass from which files and forms are made.

A recipe is kept beside what it made, so that the levelled heights can be made again from the raw ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eclips_app.core import schema
from eclips_app.core.schema import choice, quantity
from eclips_app.core.shapes import Point, Shape


@dataclass(frozen=True)
class Kind:
    """What a kind of levelling is called, what it does, and which fields of `LevelStep` it looks at."""

    text: str
    help: str
    fields: tuple[str, ...] = ()
    masked: bool = True  #: whether it looks at areas and the range of heights


KINDS: dict[str, Kind] = {
    "plane": Kind("Plane", "Takes out the plane of least squares."),
    "three-points": Kind(
        "Three points", "Takes out the plane through three points.", ("points_px", "radius_px"), masked=False
    ),
    "facet": Kind("Facets", "Makes the facets that are most frequent horizontal: for terraces and flat tops."),
    "polynomial": Kind(
        "Polynomial", "Takes out a polynomial of least squares: for bows.", ("degree_x", "degree_y", "total_degree")
    ),
    "rows": Kind(
        "Line by line", "Takes out what the scan lines differ by.", ("estimate", "row_degree", "direction")
    ),
    "steps": Kind(
        "Step-aware",
        "Levels terraces and keeps the steps between them: one plane, one height for each terrace, one offset for each line. "
        "The largest terrace becomes zero.",
        ("align_rows", "smoothing_px", "edge", "direction"),
    ),
    "scars": Kind(
        "Scars", "Replaces strokes along the scan lines by what lies above and below them.",
        ("scar_width_px", "scar_length_px", "scar_threshold", "direction"), masked=False,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class LevelStep:
    """One step. Which fields count depends on the kind (`KINDS`); points and lengths are pixels of the array levelled."""

    kind: str = choice("plane", *KINDS, label="Levelling")
    area: str = choice(
        "all", "all", "include", "exclude", label="Areas",
        help="all: the whole map counts. include: only the areas drawn. exclude: all but them.",
    )  # fmt: skip
    low_percent: float = quantity(
        0.0, label="Heights from", unit="%", low=0, high=100, help="Only heights above this percentile count."
    )
    high_percent: float = quantity(
        100.0, label="Heights to", unit="%", low=0, high=100, help="Only heights below this percentile count."
    )
    points_px: tuple[Point, ...] = ()  #: (col, row) of three points
    radius_px: float = quantity(
        2.0, label="Radius", unit="px", low=0, high=1000, help="The height at a point is the mean within this radius."
    )
    degree_x: int = quantity(2, label="Degree along x", low=0, high=10)
    degree_y: int = quantity(2, label="Degree along y", low=0, high=10)
    total_degree: int | None = quantity(
        None, label="Total degree", low=1, high=20, help="Largest sum of both exponents; empty: no limit."
    )
    estimate: str = choice(
        "median", "median", "mean", "difference", "polynomial", label="Offset of a line",
        help="median, mean: of the line. difference: median of the differences of neighbouring lines, which steps across the "
        "lines do not mislead. polynomial: fitted to each line.",
    )  # fmt: skip
    row_degree: int = quantity(1, label="Degree", low=0, high=5, help="Of the polynomial.")
    direction: str = choice(
        "horizontal", "horizontal", "vertical", label="Scan lines", help="The direction of the fast scan."
    )
    align_rows: bool = field(default=True, metadata={"rule": schema.Rule("Lines have offsets")})
    smoothing_px: float = quantity(
        1.5, label="Smoothing", unit="px", low=0, high=50, help="Of slopes, before edges are told from terraces."
    )
    edge: float = quantity(
        4.0,
        label="Edges from",
        low=1,
        high=100,
        help="Slopes that differ from the usual one by this many of its spreads.",
    )
    scar_width_px: int = quantity(4, label="Largest width", unit="px", low=1, high=32)
    scar_length_px: int = quantity(16, label="Least length", unit="px", low=2, high=10000)
    scar_threshold: float = quantity(
        4.0, label="Threshold", low=0.5, high=100, help="Height of a stroke in spreads of the difference of two lines."
    )

    @property
    def text(self) -> str:
        """The step in words, with the options that are not as usual."""
        known = KINDS[self.kind]
        names = [*known.fields, *(("area", "low_percent", "high_percent") if known.masked else ())]
        told = []
        for name in names:
            value = getattr(self, name)
            if name != "points_px" and value != getattr(LevelStep, name, None):
                told.append(f"{schema.rule_of(LevelStep, name).label.lower()} {_word(value)}")
        return f"{known.text} ({', '.join(told)})" if told else known.text


@dataclass(frozen=True)
class Level:
    """Level a height map.

    Input ``height`` [row, col] in nm, optional ``mask`` (True: the height counts), and of a reconstruction ``deviations``,
    ``height_std`` and ``normals`` (see `core.steps.Reconstruct`).

    Gives ``height`` and what of the others was given, as they are for the levelled heights, and ``info["steps"]``: what each
    step took out, in words. With `preview_px` instead ``before`` and ``after``, thinned out to that many pixels along an edge,
    and ``info["stride_px"]``.
    """

    steps: tuple[LevelStep, ...] = ()
    pixel_size_nm: tuple[float, float] = quantity((1.0, 1.0), label="Pixel size (x, y)", unit="nm", low=1e-3, high=1e7)
    areas: tuple[Shape, ...] = ()  #: in pixels of the array; lines have no area
    preview_px: int = quantity(0, label="Preview", unit="px", low=0, high=4096)


def levels_of(recipe: Sequence[dict[str, Any]]) -> tuple[Level, ...]:
    """Give the parameters that a kept recipe stands for: one `Level` as JSON for each time that was levelled.

    Raises
    ------
    EclipsError
        If the recipe is unsound.
    """
    return tuple(schema.load(Level, entry, "levelling") for entry in recipe)


def recipe_text(recipe: Sequence[dict[str, Any]]) -> str:
    """Put a kept recipe into words: "Plane, then Line by line"."""
    return ", then ".join(step.text for level in levels_of(recipe) for step in level.steps)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
