"""The project: all items by id, what is selected, and notices of change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from eclips_app.core.detector import Detector
from eclips_app.core.signal import Signal
from eclips_app.model.items import DetectorItem, FacetSet, HeightMap, Item, ProfileLine, Run, SegmentSet

ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True)
class Selection:
    """What the panels show, by id; never part of an undo step. Empty text: nothing."""

    set_id: str = ""
    run_id: str = ""
    compared_run_id: str = ""  #: the B of an A/B comparison
    line_id: str = ""
    map_id: str = ""


class Project:
    """Items in insertion order. Only `apply` changes them; views keep ids and listen to `changed`."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self.selection = Selection()
        self.changed: Signal[[frozenset[str]]] = Signal()  #: ids of the items that came, went or changed
        self.selection_changed: Signal[[Selection]] = Signal()

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def get(self, kind: type[ItemT], item_id: str) -> ItemT | None:
        """Give the item with this id, or None if there is none of this kind."""
        item = self._items.get(item_id)
        return item if isinstance(item, kind) else None

    def of_kind(self, kind: type[ItemT]) -> tuple[ItemT, ...]:
        """Give all items of a kind in their order."""
        return tuple(item for item in self._items.values() if isinstance(item, kind))

    def apply(self, changes: Mapping[str, Item | None]) -> dict[str, Item | None]:
        """Put in, replace or (None) take out items; gives what stood there before, which undoes it."""
        before = {item_id: self._items.get(item_id) for item_id in changes}
        for item_id, item in changes.items():
            if item is None:
                self._items.pop(item_id, None)
            else:
                self._items[item_id] = item
        self._mend_selection()
        self.changed.emit(frozenset(changes))
        return before

    def select(self, **ids: str) -> None:
        """Change what the panels show; keywords are the fields of `Selection`."""
        chosen = replace(self.selection, **ids)
        if chosen != self.selection:
            self.selection = chosen
            self.selection_changed.emit(chosen)

    # What most views ask for

    @property
    def segment_set(self) -> SegmentSet | None:
        """The selected set of images."""
        return self.get(SegmentSet, self.selection.set_id)

    @property
    def run(self) -> Run | None:
        """The selected reconstruction."""
        return self.get(Run, self.selection.run_id)

    @property
    def line(self) -> ProfileLine | None:
        """The selected profile line."""
        return self.get(ProfileLine, self.selection.line_id)

    @property
    def detector_item(self) -> DetectorItem | None:
        """The detector in use; None in an empty project."""
        return next(iter(self.of_kind(DetectorItem)), None)

    @property
    def detector(self) -> Detector | None:
        """The description of the detector in use."""
        item = self.detector_item
        return item.detector if item else None

    def runs_of(self, set_id: str) -> tuple[Run, ...]:
        """Give the reconstructions of a set in their order."""
        return tuple(run for run in self.of_kind(Run) if run.set_id == set_id)

    def facets_of(self, source_id: str) -> tuple[FacetSet, ...]:
        """Give the facets found on a run or height map; they go with it."""
        return tuple(each for each in self.of_kind(FacetSet) if each.source_id == source_id)

    def _mend_selection(self) -> None:
        """Let go of ids whose item is gone, and select the first of a kind where nothing is selected."""
        sets, maps = self.of_kind(SegmentSet), self.of_kind(HeightMap)
        chosen = self.selection
        set_id = chosen.set_id if chosen.set_id in self._items else (sets[0].id if sets else "")
        runs = self.runs_of(set_id)
        keep = self.get(Run, chosen.run_id)
        run_id = chosen.run_id if keep and keep.set_id == set_id else (runs[-1].id if runs else "")
        self.select(
            set_id=set_id,
            run_id=run_id,
            compared_run_id=chosen.compared_run_id if chosen.compared_run_id in self._items else "",
            line_id=chosen.line_id if chosen.line_id in self._items else "",
            map_id=chosen.map_id if chosen.map_id in self._items else (maps[0].id if maps else ""),
        )
