"""The project as JSON and arrays by key: what is saved, sent to another process, and read back.

Arrays keep their place in the keys: ``sets/<id>/quadrants/<k>``, ``sets/<id>/exclude``, ``runs/<id>/<name>``,
``maps/<id>/height``, ``calibrations/<id>/<name>``, ``facets/<id>/<name>`` and ``comparisons/<id>/<name>``. In the JSON,
``{"$array": key}`` stands for them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.model.items import (
    Calibration,
    CalibrationPlan,
    Comparison,
    CrystalItem,
    DetectorItem,
    FacetSet,
    HeightMap,
    Item,
    Measurement,
    ProfileLine,
    Run,
    SegmentSet,
)
from eclips_app.model.project import Project, Selection

#: Version of the JSON that `to_state` gives.
VERSION = 1

#: How to bring a state of version n to version n + 1, by n.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_KINDS: dict[str, type[Item]] = {
    "set": SegmentSet,
    "detector": DetectorItem,
    "run": Run,
    "map": HeightMap,
    "line": ProfileLine,
    "measurement": Measurement,
    "calibration-plan": CalibrationPlan,
    "calibration": Calibration,
    "crystal": CrystalItem,
    "facets": FacetSet,
    "comparison": Comparison,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_SHAPE = "shape"  #: what the kind of a `ProfileLine` is called in a state


@dataclass(frozen=True)
class Snapshot:
    """What `from_state` gives: the items in their order, what was selected, and free facts of the window."""

    items: tuple[Item, ...]
    selection: Selection = field(default_factory=Selection)
    view: dict[str, Any] = field(default_factory=dict)


def to_state(project: Project, view: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Give the project as JSON and its arrays by key; the arrays are shared, not copied.

    Parameters
    ----------
    project : Project
        What is saved.
    view : mapping, optional
        Facts of the window that belong to the project (camera, colour maps), as JSON values.
    """
    return state_of(project, project.selection, view)


def state_of(
    items: Iterable[Item], selection: Selection | None = None, view: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Give items as JSON and their arrays by key, as `to_state`."""
    arrays: dict[str, NDArray[Any]] = {}
    entries = []
    for item in items:
        content = _take_arrays(schema.dump(item), (), item, arrays)
        if isinstance(item, ProfileLine):  # its own kind has the name of that of items
            content[_SHAPE] = content.pop("kind")
        entries.append({"kind": _NAMES[type(item)], **content})
    chosen = dataclasses.asdict(selection or Selection())
    state = {"version": VERSION, "items": entries, "selection": chosen, "view": plain(dict(view or {}))}
    return state, arrays


def from_state(state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Snapshot:
    """Build the items again; their arrays are those given, made read-only.

    Raises
    ------
    EclipsError
        If the state is from a newer program, breaks the schema, or names an array that is not there.
    """
    state = migrate(state)
    if not isinstance(state.get("items"), list):
        raise EclipsError("the list 'items' is missing", where="project")
    items = tuple(_item(entry, arrays, f"project.items[{i}]") for i, entry in enumerate(state["items"]))
    if len({item.id for item in items}) < len(items):
        raise EclipsError("two items have the same id", where="project.items")
    selection = schema.load(Selection, state.get("selection", {}), "project.selection")
    return Snapshot(items, selection, dict(state.get("view") or {}))


def fill(project: Project, snapshot: Snapshot) -> None:
    """Put the items of a snapshot into a project and select what was selected."""
    project.apply({item.id: item for item in snapshot.items})
    known = {item.id for item in project}
    chosen = dataclasses.asdict(snapshot.selection)
    project.select(**{name: item_id for name, item_id in chosen.items() if item_id in known or not item_id})


def migrate(state: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a state of an earlier version to the present one.

    Raises
    ------
    EclipsError
        If the state has no version, or one that this program does not know.
    """
    migrated = dict(state)
    version = migrated.get("version")
    while isinstance(version, int) and version in MIGRATIONS and version < VERSION:
        migrated = MIGRATIONS[version](migrated)
        version = migrated["version"]
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        hint = "Open it with a newer version of ECLIPS." if newer else ""
        raise EclipsError(f"version {version} of the project is not known", where="project", hint=hint)
    return migrated


def plain(value: Any) -> Any:
    """Turn a value into strict JSON values: numpy scalars become numbers, what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _take_arrays(value: Any, path: tuple[str, ...], item: Item, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        key = _array_key(item, path)
        arrays[key] = value
        return {"$array": key}
    if isinstance(value, dict):
        return {name: _take_arrays(part, (*path, name), item, arrays) for name, part in value.items()}
    if isinstance(value, list):
        return [_take_arrays(part, (*path, str(i)), item, arrays) for i, part in enumerate(value)]
    return plain(value)


def _array_key(item: Item, path: tuple[str, ...]) -> str:
    match item, path:
        case SegmentSet(), ("images", index, "data"):
            place: tuple[str, ...] = ("sets", item.id, "quadrants", index)
        case SegmentSet(), _:
            place = ("sets", item.id, *path)
        case Run(), ("arrays", name):
            place = ("runs", item.id, name)
        case HeightMap(), _:
            place = ("maps", item.id, *path)
        case Calibration(), ("arrays", name):
            place = ("calibrations", item.id, name)
        case FacetSet(), ("arrays", name):
            place = ("facets", item.id, name)
        case Comparison(), ("arrays", name):
            place = ("comparisons", item.id, name)
        case _:
            raise TypeError(f"{type(item).__name__}.{'.'.join(path)} is an array that no key is known for")
    return "/".join(place)


def _item(entry: Any, arrays: Mapping[str, NDArray[Any]], where: str) -> Item:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if kind not in _KINDS:
        raise EclipsError(f"items of the kind '{kind}' are not known", where=where)
    content = {name: _put_arrays(value, arrays, where) for name, value in entry.items() if name != "kind"}
    if _SHAPE in content:
        content["kind"] = content.pop(_SHAPE)
    return schema.load(_KINDS[kind], content, where)


def _put_arrays(value: Any, arrays: Mapping[str, NDArray[Any]], where: str) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$array"} and isinstance(value["$array"], str):
            return _array(value["$array"], arrays, where)
        return {name: _put_arrays(part, arrays, where) for name, part in value.items()}
    if isinstance(value, list):
        return [_put_arrays(part, arrays, where) for part in value]
    return value


def _array(key: str, arrays: Mapping[str, NDArray[Any]], where: str) -> NDArray[Any]:
    if key not in arrays:
        raise EclipsError(f"the array '{key}' is missing", where=where)
    array = arrays[key].view()
    array.setflags(write=False)
    return array
