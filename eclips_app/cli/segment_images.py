"""Segment images that commands take as input: read in the order of the detector's segments, and made ready."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eclips_app.cli.common import four_whole_numbers, length_nm, warn
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadSegments, Register, run_step
from eclips_app.core.units import format_length
from eclips_app.model.items import SegmentSet
from eclips_app.model.runs import step_inputs

#: Azimuths that the images tell and that differ by more than this from the detector file's are told to the user.
_MISPLACED_DEG = 40.0
_SURE = 0.4


@dataclass(frozen=True)
class Preparation:
    """How images are made ready."""

    pixel_size_nm: float | None = None  #: None: what the images say
    crop: tuple[int, int, int, int] | None = None  #: None: as found when they were read
    register: bool = False
    drift: bool = False  #: with `register`: also undo the drift within each scan


def add_preparation(parser: argparse._ActionsContainer) -> None:
    """Declare ``--pixel-size``, ``--crop`` and ``--register``."""
    parser.add_argument("--pixel-size", type=length_nm, help="such as 2nm; default: what the images say")
    parser.add_argument(
        "--crop",
        type=four_whole_numbers,
        metavar="ROW,COL,ROW,COL",
        help="first row and column, end row and column (excluded)",
    )
    parser.add_argument("--register", action="store_true", help="align segments that were scanned one after another")


def read_sets(paths: Sequence[Path], detector: Detector, context: Context) -> tuple[SegmentSet, ...]:
    """Read the images of one or more frames, and warn of what looks wrong.

    Raises
    ------
    EclipsError
        A file cannot be read, or there is not one image for each segment.
    """
    from eclips_app.io.segments import sets_from_result

    names = tuple(str(path) for path in paths)
    count = len(detector.quadrants)
    result = run_step("read-segments", {}, ReadSegments(names, _segments(paths, count)), context)
    sets = tuple(_in_given_order(each, names) for each in sets_from_result(result))
    for each in sets:
        if len(each.images) != count:
            hint = "Give one image for each segment, in the order of the detector file."
            raise EclipsError(
                f"{len(each.images)} images for a detector of {count} segments", where=each.name, hint=hint
            )
    for warning in [*result.info["warnings"], *_misplaced(sets[0], result.info, detector)]:
        warn(warning)
    return sets


def _segments(paths: Sequence[Path], count: int) -> int:
    """Give the number of segments where it is needed to tell frames from segments; 0: the files tell by themselves."""
    return count if len(paths) == 1 or (len(paths) > count and len(paths) % count == 0) else 0


def _in_given_order(segment_set: SegmentSet, names: Sequence[str]) -> SegmentSet:
    images = sorted(segment_set.images, key=lambda image: (names.index(image.source), image.page))
    return replace(segment_set, images=tuple(images))


def _misplaced(segment_set: SegmentSet, info: dict[str, Any], detector: Detector) -> list[str]:
    """Say in one sentence which images seem to belong to another segment than the one at their place in the file."""
    sources = [(info["images"][n]["source"], info["images"][n]["page"]) for n in info["frames"][0]]
    guesses = dict(zip(sources, info["azimuths"], strict=True))
    found, turned = [], 0
    for image, segment in zip(segment_set.images, detector.quadrants, strict=True):
        guess = guesses[image.source, image.page]
        off = abs((guess["azimuth_deg"] - segment.azimuth_deg + 180) % 360 - 180)
        turned += guess["source"] == "shading" and off > 180 - _MISPLACED_DEG
        if guess["confidence"] >= _SURE and off > _MISPLACED_DEG:
            found.append(
                f"{segment.name} at {segment.azimuth_deg:g}° looks like {guess['azimuth_deg']:.0f}° ({guess['source']})"
            )
    if turned == len(segment_set.images):  # shading alone tells hills from hollows badly
        return []
    return [f"{'; '.join(found)}: check the order of the images and the scan rotation"] if found else []


def prepared(segment_set: SegmentSet, how: Preparation, context: Context) -> SegmentSet:
    """Settle pixel size and crop, and register the segments if asked to.

    Raises
    ------
    EclipsError
        Nobody says the pixel size.
    """
    stated, given = segment_set.pixel_size_nm, how.pixel_size_nm
    if given is None and stated is None:
        hint = "Give it, for example --pixel-size 2nm."
        raise EclipsError("the images do not say their pixel size", where=segment_set.name, hint=hint)
    if given is not None and stated is not None and abs(given / stated - 1) > 0.01:
        warn(f"the images say a pixel size of {format_length(stated)}; the given {format_length(given)} is used")
    source = segment_set.pixel_size_source if given is None else "typed"
    changed = replace(
        segment_set, pixel_size_nm=given or stated, pixel_size_source=source, crop=how.crop or segment_set.crop
    )
    if not how.register:
        return changed
    result = run_step("register", step_inputs(changed), Register(changed.crop, drift=how.drift), context)
    shifts = tuple((float(row), float(column)) for row, column in result.info["shifts_px"])
    quality = tuple(float(q) for q in result.info["quality"])
    return replace(changed, shifts_px=shifts, registration_quality=quality, drift_px=result.arrays.get("drift_px"))
