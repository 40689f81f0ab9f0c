"""What the images panel shows, worked out without widgets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.commands.edits import crop_of
from eclips_app.core.detector import Detector
from eclips_app.core.units import format_length
from eclips_app.gui.flows import segment_order
from eclips_app.gui.flows.segment_order import OrderGuess
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.model.items import Acquisition, SegmentImage, SegmentSet

Levels = tuple[float, float]

#: Values of the overlay of clipped pixels.
CLEAR, SATURATED, BLACK = 0, 1, 2


@dataclass(frozen=True)
class OrderText:
    """What to say of the order of the images.

    `reorder` and `turn` name the sources ("shading" …) by which the images could be put in another order, or the detector's
    segments turned to other azimuths; empty where nothing is to be gained.
    """

    text: str
    kind: str
    reorder: str = ""
    turn: str = ""


def order_text(segment_set: SegmentSet, known: OrderGuess, detector: Detector | None) -> OrderText:
    """Say on what the order of the images rests, and what speaks against it."""
    count = len(segment_set.images)
    if detector is None:
        return OrderText("Choose a detector to give each image its segment.", "warning")
    if len(detector.quadrants) != count:
        text = f"{count} images, but the detector has {len(detector.quadrants)} segments."
        return OrderText(text, "warning")
    against = segment_order.contradicting(segment_set, known, detector)
    told = [guess for guess in known.guesses if guess.source != "order"]
    turned = [guess for guess in told if segment_order.only_turned(segment_set, guess, detector)]
    for_it = [guess for guess in told if guess not in against and guess not in turned]
    sure = any(guess.confidence >= segment_order.SURE for guess in for_it)
    lines, kind = [_basis(segment_set, known, for_it, detector)], "good" if sure else "faint"
    if for_it and not sure:
        lines.append("It may be turned by half: check that hollows are hollow.")
    if known.guesses and not told:
        kind = "warning"
    for guess in against:
        places = segment_order.azimuths_text(segment_set, guess, detector)
        lines.append(f"But by {guess.text}, the segments lie elsewhere: {places}.")
        kind = "warning"
    if turned and not for_it:
        lines.append("The shading fits, but for half a turn that it cannot tell: check that hollows are hollow.")
    reorder = next((guess.source for guess in against if _differs(segment_set, guess, detector)), "")
    off = (
        g
        for g in told
        if g not in turned and not segment_order.agrees(segment_set, g, detector, segment_order.TURNED_DEG)
    )
    return OrderText(" ".join(lines), kind, reorder, next((guess.source for guess in off), ""))


def _basis(
    segment_set: SegmentSet, known: OrderGuess, for_it: Sequence[segment_order.Guess], detector: Detector
) -> str:
    if for_it:
        return f"Order from {' and '.join(guess.text for guess in for_it)}."
    if segment_order.order_by_name(segment_set.images, detector) == tuple(range(len(segment_set.images))):
        return "Order by the names of the segments."
    if not known.guesses:
        return "Order as saved."
    keys = [segment_order.image_key(image) for image in segment_set.images]
    given = all(list(guess.azimuths_deg) == keys for guess in known.guesses)
    return "Order as the files were given." if given else "Order set by hand."


def _differs(segment_set: SegmentSet, guess: segment_order.Guess, detector: Detector) -> bool:
    order = segment_order.order_by_azimuth(segment_set.images, guess, detector)
    return order is not None and order != tuple(range(len(order)))


def metadata_rows(segment_set: SegmentSet) -> list[tuple[str, str]]:
    """Give the table of what is known about the images; values that differ between segments stand side by side."""
    rows, columns = segment_set.shape
    data = segment_set.images[0].data
    kind = f"{8 * data.dtype.itemsize} bit {'float' if data.dtype.kind == 'f' else 'integer'}"
    table = [("Size", f"{columns} × {rows} px, {kind}")]
    if segment_set.pixel_size_nm is not None:
        field = (
            f"{format_length(columns * segment_set.pixel_size_nm)} × {format_length(rows * segment_set.pixel_size_nm)}"
        )
        table.append(("Field", field))
    table += [(label, text) for label, write in _ROWS if (text := _joined(segment_set.images, write))]
    return table


def _joined(images: Sequence[SegmentImage], write: Callable[[Acquisition], str]) -> str:
    texts = dict.fromkeys(write(image.acquisition) for image in images)
    return " / ".join(text for text in texts if text)


def _number(name: str, unit: str) -> Callable[[Acquisition], str]:
    def write(acquisition: Acquisition) -> str:
        value = getattr(acquisition, name)
        return "" if value is None else f"{value:.5g}{'' if unit in ('', '°') else ' '}{unit}"

    return write


def _text(name: str) -> Callable[[Acquisition], str]:
    def write(acquisition: Acquisition) -> str:
        return getattr(acquisition, name) or ""

    return write


_ROWS = (
    ("Beam energy", _number("energy_kev", "keV")),
    ("Working distance", _number("working_distance_mm", "mm")),
    ("Scan rotation", _number("scan_rotation_deg", "°")),
    ("Magnification", _number("magnification", "×")),
    ("Dwell time", _number("dwell_us", "µs")),
    ("Date", _text("date")),
    ("Instrument", _text("instrument")),
    ("Detector", _text("detector")),
    ("Contrast", _number("contrast", "")),
    ("Brightness", _number("brightness", "")),
    ("Gain", _number("gain", "")),
    ("Offset", _number("offset", "")),
)


def file_text(image: SegmentImage) -> str:
    """Give the file's name of an image, with its page in a stack."""
    name = Path(image.source).name or image.name
    return f"{name}, page {image.page + 1}" if image.page else name


def clipped_overlay(segment_set: SegmentSet, index: int) -> NDArray[np.uint8]:
    """Mark the pixels [row, col] of an image at or beyond the clip levels: `SATURATED`, `BLACK` or `CLEAR`.

    Nothing is marked outside the crop (which belongs to the common frame, from which the image is shifted).
    """
    data = segment_set.images[index].data
    marks = np.zeros(data.shape, np.uint8)
    top, left, bottom, right = crop_of(segment_set)
    rows, columns = (round(shift) for shift in shift_of(segment_set, index))
    window = slice(max(top - rows, 0), max(bottom - rows, 0)), slice(max(left - columns, 0), max(right - columns, 0))
    if segment_set.clip_high is not None:
        marks[window][data[window] >= segment_set.clip_high] = SATURATED
    if segment_set.clip_low is not None:
        marks[window][data[window] <= segment_set.clip_low] = BLACK
    return marks


def clipped_parts(segment_set: SegmentSet, index: int) -> tuple[float, float]:
    """Give the parts (0 to 1) of saturated and of black pixels within the crop of one image."""
    top, left, bottom, right = crop_of(segment_set)
    data = segment_set.images[index].data[top:bottom, left:right]
    high, low = segment_set.clip_high, segment_set.clip_low
    saturated = 0 if high is None else int(np.count_nonzero(data >= high))
    black = 0 if low is None else int(np.count_nonzero(data <= low))
    return saturated / data.size, black / data.size


def levels_of(segment_set: SegmentSet, mode: str, common: bool) -> list[Levels]:
    """Give the grey values drawn black and white in each image.

    Parameters
    ----------
    segment_set : SegmentSet
        Its crop is looked at, so that a data bar has no part in it.
    mode : str
        "auto" (0.5 and 99.5 percentiles) or "full" (smallest and largest value).
    common : bool
        The same for all, so that segments can be compared by brightness.
    """
    top, left, bottom, right = crop_of(segment_set)
    look = _extremes if mode == "full" else percentile_levels
    each = [look(image.data[top:bottom, left:right]) for image in segment_set.images]
    if common:
        each = [(min(pair[0] for pair in each), max(pair[1] for pair in each))] * len(each)
    return each


def _extremes(data: NDArray[Any]) -> Levels:
    low, high = float(np.nanmin(data)), float(np.nanmax(data))
    return (low, high) if high > low else (low, low + 1.0)


def names_of(segment_set: SegmentSet, detector: Detector | None) -> list[str]:
    """Give the names of the segments that the images belong to; the images' own while that is open."""
    if detector is None or len(detector.quadrants) != len(segment_set.images):
        return [image.name for image in segment_set.images]
    return [segment.name for segment in detector.quadrants]


def registration_rows(segment_set: SegmentSet, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Give name, shift (px right, up) and quality of each segment."""
    qualities = segment_set.registration_quality or (math.nan,) * len(names)
    return [
        (name, f"{columns + 0.0:+.2f}, {0.0 - rows:+.2f}", "" if math.isnan(quality) else f"{100 * quality:.0f} %")
        for name, (rows, columns), quality in zip(names, segment_set.shifts_px, qualities, strict=True)
    ]


def shift_of(segment_set: SegmentSet, index: int) -> tuple[float, float]:
    """Give the shift (rows, columns) of a segment in px, zero if the set is not registered."""
    return segment_set.shifts_px[index] if segment_set.shifts_px else (0.0, 0.0)
