"""Finding the data bar: the strip of text and scale bar that a microscope draws under (rarely above) the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A bar is at least this high, in rows, and at most this part of the image.
_LEAST_ROWS, _LARGEST_PART = 12, 0.25
#: Share of a row that has exactly the background's value, in the bar and in an image.
_FLAT_ROW, _IMAGE_ROW = 0.40, 0.25
#: Share of the bar's pixels that are letters.
_LETTERS = (0.003, 0.5)
#: JPEG (of the file or of an earlier copy) moves the flat background by up to this part of the full range.
_TOLERANCES = (0.0, 0.04)
#: A line of text has at least this many separate strokes.
_STROKES = 10


def find_data_bar(image: NDArray[Any]) -> tuple[int, int] | None:
    """Find the rows of a data bar drawn into an image [row, col].

    A data bar is a band over the full width whose background has one value near black or white and whose letters have
    values far from it, with many strokes and hardly anything between; the rows beside it are not flat. A dark or
    overexposed part of a real image fails at least one of these.

    Returns
    -------
    tuple of int or None
        First row and end row; None if there is no such band.
    """
    rows = image.shape[0]
    image = image[:, :: max(1, image.shape[1] // 2048)]  # letters grow with the image, so they are seen all the same
    low, high = float(image.min()), float(image.max())
    if high <= low or rows < 4 * _LEAST_ROWS:
        return None
    for tolerance in (part * (high - low) for part in _TOLERANCES):
        for background in _backgrounds(image, low, high, tolerance):
            flat = _share_of(image, background, tolerance)
            for first, end in _bands(flat):
                first = _with_frame(image, first, tolerance)
                fits = _LEAST_ROWS <= end - first <= _LARGEST_PART * rows
                if fits and _stands_out(flat, first, end) and _is_drawn(image[first:end], background, high - low):
                    return first, end
    return None


def image_rows(image: NDArray[Any], bar: tuple[int, int] | None) -> tuple[int, int]:
    """Give the first and end row of the larger part of the image beside the bar."""
    if bar is None:
        return 0, image.shape[0]
    above, below = bar[0], image.shape[0] - bar[1]
    return (0, bar[0]) if above >= below else (bar[1], image.shape[0])


def _backgrounds(image: NDArray[Any], low: float, high: float, tolerance: float) -> list[float]:
    """Values near black or white that fill much of a row in the outer quarters of the image, most frequent first."""
    part = max(_LEAST_ROWS, int(_LARGEST_PART * image.shape[0]))
    found: dict[float, int] = {}
    step = max(3, part // 100)
    for row in (*image[-part::step], *image[:part:step]):
        values, counts = np.unique(row, return_counts=True)
        value = float(values[counts.argmax()])
        extreme = min(value - low, high - value) <= 0.1 * (high - low)
        share = np.mean(np.abs(row.astype(np.float32) - value) <= tolerance)
        if extreme and share >= _FLAT_ROW:
            found[value] = found.get(value, 0) + 1
    return sorted(found, key=lambda value: -found[value])[:3]


def _share_of(image: NDArray[Any], value: float, tolerance: float) -> NDArray[np.float64]:
    """Share of each row that has the value."""
    near = image == value if tolerance == 0.0 else np.abs(image.astype(np.float32) - value) <= tolerance
    share: NDArray[np.float64] = near.mean(axis=1)
    return share


def _bands(flat: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Give the runs of flat rows that may be interrupted by up to three rows (drawn lines), longest first."""
    rows = np.flatnonzero(flat >= _FLAT_ROW)
    if rows.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(rows) > 4)
    firsts, ends = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, rows.size - 1]] + 1
    return sorted(zip(firsts.tolist(), ends.tolist(), strict=True), key=lambda run: run[0] - run[1])


def _with_frame(image: NDArray[Any], first: int, tolerance: float) -> int:
    """Move the first row up over a drawn line (up to three rows of nearly one value)."""
    for row in range(first - 1, max(first - 4, -1), -1):
        line = image[row].astype(np.float32)
        if np.mean(np.abs(line - np.median(line)) <= tolerance) < 0.9:
            break
        first = row
    return first


def _is_drawn(band: NDArray[Any], background: float, span: float) -> bool:
    """Tell text from an image: many strokes far from the background, and next to nothing close to it."""
    distance = np.abs(band.astype(np.float32) - background) / span
    inked = distance > 0.5
    strokes = np.sort(np.count_nonzero(np.diff(inked.astype(np.int8), axis=1) == 1, axis=1))
    near = float(np.mean((distance > 0.1) & (distance < 0.3)))
    return _LETTERS[0] <= float(inked.mean()) <= _LETTERS[1] and near < 0.08 and int(strokes[-4]) >= _STROKES


def _stands_out(flat: NDArray[np.float64], first: int, end: int) -> bool:
    """Tell whether the rows next to the band (beyond a drawn line) are an image and not more of the same flat value."""
    beside = np.r_[flat[max(0, first - 8) : first], flat[end + 3 : end + 8]]
    return bool(beside.size) and float(beside.max()) < _IMAGE_ROW and float(np.median(flat[first:end])) > 2 * _IMAGE_ROW
