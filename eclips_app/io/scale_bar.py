"""Finding the scale bar in a data bar, as a suggestion for measuring it by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A scale bar covers at least this part of the image's width; a frame covers more than the largest part.
_PART = (0.02, 0.9)


@dataclass(frozen=True)
class ScaleBar:
    """A drawn horizontal bar: its row, first and end column, and the width of the strokes that end it, in pixels."""

    row: int
    first_column: int
    end_column: int
    stroke_px: int = 0

    @property
    def length_px(self) -> int:
        """Length in pixels, from the middle of one end stroke to the middle of the other."""
        return self.end_column - self.first_column - self.stroke_px


def find_scale_bar(image: NDArray[Any], bar: tuple[int, int]) -> ScaleBar | None:
    """Find the longest horizontal line drawn between the rows `bar` (first, end) of an image [row, col].

    Lines that touch the edge of the image or of a framed field of the data bar are frames, not scale bars. A label may
    stand in the middle of a scale bar: two equally high lines on one row with text between count as one.

    Returns
    -------
    ScaleBar or None
        None if there is no line of a plausible length.
    """
    band = image[bar[0] : bar[1]].astype(np.float32)
    if band.size == 0 or band.max() <= band.min():
        return None
    background = float(np.median(band))
    drawn = np.abs(band - background) > 0.5 * max(float(band.max()) - background, background - float(band.min()))
    fields = _fields(drawn)
    width = image.shape[1]
    found: list[ScaleBar] = []
    for left, right in fields:
        found += _bars_in(drawn[:, left:right], bar[0], left, right - left == width)
    found = [b for b in found if _PART[0] * width <= b.length_px <= _PART[1] * width]
    longest = max(found, key=lambda b: b.length_px, default=None)
    return None if longest is None else replace(longest, stroke_px=_stroke_px(drawn, longest, bar[0]))


def _stroke_px(drawn: NDArray[np.bool_], bar: ScaleBar, first_row: int) -> int:
    """Width of the upright strokes at both ends, which are taller than the bar is thick; 0 without them."""
    row = bar.row - first_row
    # Just above and just below the bar only the strokes are drawn, except for the label in its middle.
    heights = drawn[max(0, row - 6) : row + 7, bar.first_column : bar.end_column].sum(axis=0)
    quarter = max(2, len(heights) // 8)
    thick = float(np.median(np.r_[heights[quarter // 2 : quarter], heights[-quarter : -quarter // 2]]))
    tall = heights >= thick + 2
    left = int(np.argmin(tall)) if tall[0] else 0
    right = int(np.argmin(tall[::-1])) if tall[-1] else 0
    return round((left + right) / 2) if left and right else 0


def _fields(drawn: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Split the band at vertical lines over (nearly) its whole height."""
    walls = np.flatnonzero(drawn.mean(axis=0) > 0.85)
    edges = [-1, *walls.tolist(), drawn.shape[1]]
    return [(a + 1, b) for a, b in pairwise(edges) if b - a > 8]


def _bars_in(field: NDArray[np.bool_], first_row: int, left: int, unframed: bool) -> list[ScaleBar]:
    bars = []
    for row, line in enumerate(field):
        runs = _runs(line)
        if not unframed:  # lines from wall to wall are the frame of the field
            runs = [run for run in runs if run[0] > 1 and run[1] < line.size - 1]
        runs = [run for run in runs if run[1] - run[0] >= 8]
        joined = _join_around_label(runs, field, row)
        bars += [ScaleBar(first_row + row, left + a, left + b) for a, b in joined]
    return bars


def _join_around_label(runs: list[tuple[int, int]], field: NDArray[np.bool_], row: int) -> list[tuple[int, int]]:
    """Join two lines of equal length with a label between them to one bar, of which the label hides the middle."""
    if len(runs) == 2:
        (a, b), (c, d) = runs
        alike = abs((b - a) - (d - c)) <= 0.15 * max(b - a, d - c) + 3
        if alike and c - b <= 2.5 * (b - a) and field[:, b + 1 : c - 1].any():
            return [(a, d)]
    return runs


def _runs(line: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give the first and end index of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, line.astype(np.int8), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
