"""The edits that actions make, each as a function that gives an `Edit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from eclips_app.commands.history import Edit
from eclips_app.core.detector import Detector
from eclips_app.core.units import format_length
from eclips_app.model.items import DetectorItem, Item, Run, SegmentSet, new_id
from eclips_app.model.project import Project

ItemT = TypeVar("ItemT", bound=Item)


def add(text: str, *items: Item) -> Edit:
    """Put new items into the project."""
    return Edit(text, {item.id: item for item in items})


def remove(text: str, items: Iterable[Item]) -> Edit:
    """Take items out of the project."""
    return Edit(text, {item.id: None for item in items})


def remove_set(project: Project, segment_set: SegmentSet) -> Edit:
    """Take out a set of images, its reconstructions and their facets."""
    runs = project.runs_of(segment_set.id)
    facets = [each for run in runs for each in project.facets_of(run.id)]
    return remove(f"Remove {segment_set.name}", (segment_set, *runs, *facets))


def change(text: str, item: ItemT, merge_key: str = "", **fields: Any) -> Edit:
    """Replace some fields of an item."""
    return Edit(text, {item.id: replace(item, **fields)}, merge_key)


def set_detector(project: Project, detector: Detector, *, path: str = "", merge_key: str = "", text: str = "") -> Edit:
    """Put another detector description in use."""
    item = project.detector_item
    item_id = item.id if item else new_id()
    return Edit(text or f"Detector: {detector.name}", {item_id: DetectorItem(item_id, detector, path)}, merge_key)


def order_segments(segment_set: SegmentSet, order: tuple[int, ...]) -> Edit:
    """Give the images, in a new order, to the detector's segments; shifts go along."""
    moved: dict[str, Any] = {"images": tuple(segment_set.images[i] for i in order)}
    for name in ("shifts_px", "registration_quality"):
        values = getattr(segment_set, name)
        moved[name] = tuple(values[i] for i in order) if values else ()
    if segment_set.drift_px is not None:
        moved["drift_px"] = segment_set.drift_px[list(order)]
    return change("Reorder segments", segment_set, **moved)


def order_frames(text: str, project: Project, segment_set: SegmentSet, order: tuple[int, ...]) -> Edit:
    """Give the images of a set and of all frames of its series, in a new order, to the segments."""
    changes: dict[str, Item | None] = {}
    for frame in frames_of(project, segment_set):
        changes.update(order_segments(frame, order).changes)
    return Edit(text, changes)


def swap_segments(project: Project, segment_set: SegmentSet, one: int, other: int) -> Edit:
    """Exchange the images of two segments."""
    order = list(range(len(segment_set.images)))
    order[one], order[other] = order[other], order[one]
    return order_frames("Swap segments", project, segment_set, tuple(order))


def rotate_segments(project: Project, segment_set: SegmentSet, detector: Detector, *, clockwise: bool) -> Edit:
    """Give each image to the next segment of its ring, clockwise or counter-clockwise as seen in the image."""
    order = list(range(len(segment_set.images)))
    for ring in rings(detector):
        for place, index in enumerate(ring):
            order[ring[(place + (-1 if clockwise else 1)) % len(ring)]] = index
    text = f"Rotate segments {'clockwise' if clockwise else 'counter-clockwise'}"
    return order_frames(text, project, segment_set, tuple(order))


def mirror_segments(project: Project, segment_set: SegmentSet, detector: Detector, *, left_right: bool) -> Edit:
    """Exchange the images across the vertical (left with right) or the horizontal axis.

    Where the segments do not lie symmetrically, the nearest arrangement that keeps the reversed cycle is taken.
    """
    order = list(range(len(segment_set.images)))
    for ring in rings(detector):
        azimuths = [detector.quadrants[i].azimuth_deg for i in ring]
        mirrored = [(180.0 if left_right else 0.0) - azimuth for azimuth in azimuths]
        size = len(ring)
        turns = {t: sum(_angle(mirrored[i], azimuths[(t - i) % size]) ** 2 for i in range(size)) for t in range(size)}
        best = min(turns, key=turns.__getitem__)
        for i in range(size):
            order[ring[(best - i) % size]] = ring[i]
    text = f"Mirror segments {'left to right' if left_right else 'top to bottom'}"
    return order_frames(text, project, segment_set, tuple(order))


def rings(detector: Detector) -> list[list[int]]:
    """Give the indices of the segments by ring, the outermost first, each ring in the order of its azimuths."""
    groups: dict[tuple[float, float], list[int]] = {}
    for index, segment in enumerate(detector.quadrants):
        groups.setdefault(detector.radii_mm(segment), []).append(index)
    ordered = [groups[radii] for radii in sorted(groups, key=lambda radii: -radii[1])]
    return [sorted(ring, key=lambda i: detector.quadrants[i].azimuth_deg % 360.0) for ring in ordered]


def frames_of(project: Project, segment_set: SegmentSet) -> tuple[SegmentSet, ...]:
    """Give all frames of the time series that a set belongs to; the set alone if it is no frame."""
    if segment_set.time_s is None:
        return (segment_set,)
    alike = (
        other
        for other in project.of_kind(SegmentSet)
        if other.time_s is not None
        and other.shape == segment_set.shape
        and len(other.images) == len(segment_set.images)
    )
    return tuple(alike)


def crop_of(segment_set: SegmentSet) -> tuple[int, int, int, int]:
    """Give first row, first column, end row and end column of what is used; the whole image where no crop is set."""
    top, left, bottom, right = segment_set.crop
    rows, columns = segment_set.shape
    return (top, left, bottom, right) if bottom > top and right > left else (0, 0, rows, columns)


def set_pixel_size(project: Project, segment_set: SegmentSet, pixel_size_nm: float, source: str) -> Edit:
    """Give a set, with all frames of its series, its pixel size in nm; `source` says where it is from."""
    changes = {
        frame.id: replace(frame, pixel_size_nm=pixel_size_nm, pixel_size_source=source)
        for frame in frames_of(project, segment_set)
    }
    return Edit(f"Pixel size {format_length(pixel_size_nm)}", changes)


def crop_images(
    project: Project, segment_set: SegmentSet, crop: tuple[int, int, int, int], merge_key: str = ""
) -> Edit:
    """Use only first row, first column, end row, end column of a set and of all frames of its series.

    A drift that was measured row by row of the former crop goes.
    """
    changes = {frame.id: replace(frame, crop=crop, drift_px=None) for frame in frames_of(project, segment_set)}
    return Edit("Crop images", changes, merge_key)


def set_clip_levels(project: Project, segment_set: SegmentSet, clip_low: float | None, clip_high: float | None) -> Edit:
    """Say at which grey values and beyond a pixel counts as clipped, for a set and all frames of its series."""
    changes = {
        frame.id: replace(frame, clip_low=clip_low, clip_high=clip_high) for frame in frames_of(project, segment_set)
    }
    return Edit("Clip levels", changes)


def exclude_pixels(segment_set: SegmentSet, exclude: NDArray[np.bool_] | None, text: str = "Exclude pixels") -> Edit:
    """Say which pixels [row, col] of the uncropped image are not used; the array becomes read-only."""
    if exclude is not None and not exclude.any():
        exclude = None
    if exclude is not None:
        exclude.setflags(write=False)
    return change(text, segment_set, exclude=exclude)


def register_set(
    segment_set: SegmentSet,
    shifts_px: tuple[tuple[float, float], ...],
    quality: tuple[float, ...],
    drift_px: NDArray[Any] | None = None,
) -> Edit:
    """Move each segment by its shift (rows, columns) and each of its rows by the drift; no shifts clear the registration."""
    text = "Register segments" if shifts_px else "Clear registration"
    return change(text, segment_set, shifts_px=shifts_px, registration_quality=quality, drift_px=drift_px)


def set_frame_times(frames: Iterable[SegmentSet], times_s: Iterable[float | None]) -> Edit:
    """Say when each frame of a time series was taken, in seconds; None takes the time away."""
    pairs = zip(frames, times_s, strict=True)
    return Edit("Frame times", {frame.id: replace(frame, time_s=time_s) for frame, time_s in pairs})


def star_run(project: Project, run: Run) -> Edit:
    """Star a reconstruction, and it alone among those of its set."""
    runs = project.runs_of(run.set_id)
    return Edit(f"Star {run.name}", {other.id: replace(other, starred=other.id == run.id) for other in runs})


def _angle(one_deg: float, other_deg: float) -> float:
    return abs((one_deg - other_deg + 180.0) % 360.0 - 180.0)
