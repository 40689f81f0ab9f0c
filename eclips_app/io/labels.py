"""What file names and metadata say about segments: labels such as ``A``, ``Q3`` and ``left``, and what is no segment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

#: Azimuth in degrees of words for a direction in the image.
DIRECTIONS_DEG = {
    "right": 0.0, "top": 90.0, "up": 90.0, "upper": 90.0, "left": 180.0, "bottom": 270.0, "down": 270.0, "lower": 270.0,
    "east": 0.0, "northeast": 45.0, "north": 90.0, "northwest": 135.0,
    "west": 180.0, "southwest": 225.0, "south": 270.0, "southeast": 315.0,
}  # fmt: skip
#: Letters for directions; they count as such only if all labels of a set are from one group.
_LETTER_GROUPS = (
    {"e": 0.0, "ne": 45.0, "n": 90.0, "nw": 135.0, "w": 180.0, "sw": 225.0, "s": 270.0, "se": 315.0},
    {"r": 0.0, "t": 90.0, "u": 90.0, "l": 180.0, "b": 270.0, "d": 270.0},
)
_ORDERED = re.compile(r"(?:[a-h]|(?:q|s|d|b|bse|bsd|qbsd|seg|segment|quad|quadrant|ch|channel)\d)\Z", re.IGNORECASE)
_SPLIT = re.compile(r"[^A-Za-z0-9+]+")
_NO_SEGMENT = {"se", "se1", "se2", "sed", "etd", "tld", "inlens", "lfd", "hese2"}
_COMBINED = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z]+)\d\s*[-+]\s*\1\d(?![A-Za-z0-9])|(?<![A-Za-z0-9])[A-D]\+[A-D](?![A-Za-z0-9])"
)


def not_a_segment(path: Path) -> str:
    """Say why a file is no segment image by its name (secondary electrons, sum or difference); empty if it may be one."""
    if _COMBINED.search(path.stem):
        return "a sum or difference of segments"
    words = {word.lower() for word in _SPLIT.split(path.stem)}
    directions = {word for word in words if word in _LETTER_GROUPS[0]} - {"se"}
    return "an image of another detector" if words & _NO_SEGMENT and not directions else ""


def label_texts(names: Sequence[str]) -> tuple[str, ...]:
    """Find the part of each name that labels the segment; empty texts where no part of all names is a label."""
    return _label_texts([_SPLIT.split(name) for name in names])


def numbers_and_labels(names: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """Find a frame number and a segment label in names that hold both, in a full grid of frames by segments.

    Returns
    -------
    numbers, labels : tuples, one entry for each name
        None if the names hold no such grid of two or more frames.
    """
    words = [_split_letters_off(_SPLIT.split(name)) for name in names]
    labels = _label_texts(words)
    if len({len(w) for w in words}) != 1 or not all(labels):
        return None
    for column in zip(*words, strict=True):
        digits = [re.search(r"\d+\Z", word) for word in column]
        if column == labels or len(set(column)) < 2 or not all(digits):
            continue
        numbers = tuple(int(match.group()) for match in digits if match)
        pairs = set(zip(numbers, labels, strict=True))
        if len(pairs) == len(names) == len(set(numbers)) * len(set(labels)) and len(set(numbers)) > 1:
            return numbers, labels
    return None


def directions_deg(labels: Sequence[str]) -> tuple[float, ...] | None:
    """Give the azimuths in degrees that the labels name; None unless all labels name different directions."""
    lowered = [label.lower() for label in labels]
    for known in (DIRECTIONS_DEG, *_LETTER_GROUPS):
        found = [known[label] for label in lowered if label in known]
        if len(found) == len(labels) == len(set(found)):
            return tuple(found)
    return None


def natural_key(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key by which ``t2`` comes before ``t10``."""
    parts = re.findall(r"\d+|\D+", text.lower())
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def _label_texts(words: Sequence[Sequence[str]]) -> tuple[str, ...]:
    nothing = ("",) * len(words)
    if len(words) < 3 or len({len(w) for w in words}) != 1:
        return nothing
    columns = [column for column in zip(*words, strict=True) if len(set(column)) >= 3]
    for column in reversed(columns):
        if _are_labels(column):
            return tuple(column)
    for column in reversed(columns):
        stripped = _without_common_start(column)
        if _are_labels(stripped):
            return stripped
    return nothing


def _are_labels(column: Sequence[str]) -> bool:
    return directions_deg(tuple(dict.fromkeys(column))) is not None or all(_ORDERED.match(word) for word in column)


def _without_common_start(column: Sequence[str]) -> tuple[str, ...]:
    first, last = min(column), max(column)
    common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return tuple(word[common:] for word in column)


def _split_letters_off(words: Sequence[str]) -> list[str]:
    """Split words like ``t03A`` into ``t03`` and ``A``."""
    return [part for word in words for part in re.sub(r"(?<=\d)(?=[A-Za-z]+\Z)", " ", word).split() or [""]]
