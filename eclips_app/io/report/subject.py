"""What a report is about: the items of a project, and the one run that is told of in detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from eclips_app.core.errors import EclipsError
from eclips_app.core.report import Report
from eclips_app.core.steps import Arrays
from eclips_app.io import project_layout as layout
from eclips_app.model.items import HeightMap, Item, ProfileLine, Run, SegmentSet
from eclips_app.model.snapshot import from_state

ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True, eq=False)
class Subject:
    """A project as a report sees it."""

    items: tuple[Item, ...]
    run: Run | None
    set: SegmentSet | None

    def of_kind(self, kind: type[ItemT]) -> tuple[ItemT, ...]:
        """Give all items of a kind in their order."""
        return tuple(item for item in self.items if isinstance(item, kind))

    def name_of(self, item_id: str) -> str:
        """Give the name of an item; empty where it is not there any more."""
        return next((str(getattr(item, "name", "")) for item in self.items if item.id == item_id), "")

    @property
    def pixel_size_nm(self) -> float | None:
        """Pixel size in nm of what shapes are drawn on: the images, or the first height map where there are none."""
        if self.run is not None or self.set is not None:
            return self.run.pixel_size_nm if self.run else self.set.pixel_size_nm if self.set else None
        alone = self.of_kind(HeightMap)
        return alone[0].pixel_size_nm[0] if alone and not self.of_kind(SegmentSet) else None

    @property
    def lines(self) -> tuple[ProfileLine, ...]:
        """The shapes that are shown."""
        return tuple(line for line in self.of_kind(ProfileLine) if line.visible)


def subject_of(arrays: Arrays, params: Report) -> Subject:
    """Build the items again and choose the run.

    Raises
    ------
    EclipsError
        If the project is empty or the run is not in it.
    """
    items = from_state(params.state, arrays).items
    by_id = {item.id: item for item in items}
    shown, entry = layout.presented(params.state)
    run = by_id.get(params.run_id or (entry["id"] if entry else ""))
    if params.run_id and not isinstance(run, Run):
        raise EclipsError(f"the project holds no reconstruction '{params.run_id}'", hint="Choose another one.")
    run = run if isinstance(run, Run) else None
    chosen = by_id.get(run.set_id if run else shown["id"] if shown else "")
    segment_set = chosen if isinstance(chosen, SegmentSet) else None
    if run is None and segment_set is None and not any(isinstance(item, HeightMap) for item in items):
        raise EclipsError("the project holds nothing to report", hint="Open images or a height map first.")
    return Subject(items, run, segment_set)
