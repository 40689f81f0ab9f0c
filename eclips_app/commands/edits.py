"""The edits that actions make, each as a function that gives an `Edit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from eclips_app.commands.history import Edit
from eclips_app.core.detector import Detector
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
    """Take out a set of images and its reconstructions."""
    return remove(f"Remove {segment_set.name}", (segment_set, *project.runs_of(segment_set.id)))


def change(text: str, item: ItemT, merge_key: str = "", **fields: Any) -> Edit:
    """Replace some fields of an item."""
    return Edit(text, {item.id: replace(item, **fields)}, merge_key)


def set_detector(project: Project, detector: Detector, *, path: str = "", merge_key: str = "") -> Edit:
    """Put another detector description in use."""
    item = project.detector_item
    item_id = item.id if item else new_id()
    return Edit(f"Detector: {detector.name}", {item_id: DetectorItem(item_id, detector, path)}, merge_key)


def order_segments(segment_set: SegmentSet, order: tuple[int, ...]) -> Edit:
    """Give the images, in a new order, to the detector's segments; shifts go along."""
    moved: dict[str, Any] = {"images": tuple(segment_set.images[i] for i in order)}
    for name in ("shifts_px", "registration_quality"):
        values = getattr(segment_set, name)
        moved[name] = tuple(values[i] for i in order) if values else ()
    return change("Reorder segments", segment_set, **moved)


def star_run(project: Project, run: Run) -> Edit:
    """Star a reconstruction, and it alone among those of its set."""
    runs = project.runs_of(run.set_id)
    return Edit(f"Star {run.name}", {other.id: replace(other, starred=other.id == run.id) for other in runs})
