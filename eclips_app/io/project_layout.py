"""Where things are inside a project file, and how they are written.

Arrays are stored once, under ``/sets/<id>``, ``/runs/<id>``, ``/maps/<id>``, ``/calibrations/<id>``, ``/facets/<id>`` and
``/comparisons/<id>``; ``/state`` is the JSON of `model.snapshot`, with the arrays by key. ``/input`` and ``/reconstruction`` are
hard links to the selected set and its starred (else selected, else last) run. Two or more sets of one shape are a time series:
then both are groups of virtual datasets over the frames, in the order of time, within the same file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.version import VERSION

SCHEMA = "eclips-project"
LAYOUT_VERSION = 1

_ARRAYS_OF = "sets|runs|maps|calibrations|facets|comparisons"
_KEY = re.compile(rf"(sets/[\w-]+/quadrants/\d{{1,3}}|({_ARRAYS_OF})/[\w-]+/[\w-]+)\Z")
_UNITS = {
    "height": "nm", "height_std": "nm", "residual": "grey value", "normals": "1", "rho": "1", "chi2": "1", "chi2_known": "1",
    "normal_error": "degree", "deviations": "pixel size", "difference": "nm", "dilated": "nm", "tip_difference": "nm",
}  # fmt: skip
_LABELS = {
    "quadrants": "segment images as read [segment, row, column]",
    "exclude": "not used [row, column]",
    "drift_px": "rows and columns in pixels to move each row of the crop by [segment, row, 2]",
    "height": "height, up is positive [row, column]",
    "height_std": "standard deviation of the height [row, column]",
    "normals": "surface normal, components x (right), y (up), z [component, row, column]",
    "rho": "material factor [row, column]",
    "residual": "measured minus model [segment, row, column]",
    "mask": "height rests on data [row, column]",
    "chi2": "chi-square over what noise leaves on average [row, column]",
    "chi2_known": "chi-square with the brightness of the material [row, column]",
    "normal_error": "angle by which a network says that its normals may err [row, column]",
    "deviations": "covariance of the height: sum of the products of these maps [map, row, column]",
    "labels": "number of the facet, 0 for none [row, column]",
    "planes": "height in nm at the centre, slopes p and q of each facet; the first is the mean plane [facet, 3]",
    "effects": "change of the planes with each map of deviations [map, facet, 3]",
    "scatter": "covariance of the planes by the scatter about them: sum of the products of the columns [facet, 3, 3]",
    "histogram": "orientations on the equal-area disc, multiples of a uniform distribution [y, x]",
    "flags": "not to be trusted: sum of 1 no data, 2 clipped, 4 occluded, 8 out of model [row, column]",
    "difference": "reconstruction minus height map [row, column]",
    "dilated": "reconstruction as the tip of the height map shows it [row, column]",
    "tip_difference": "dilated reconstruction minus height map [row, column]",
    "certain": "the height map shows the surface itself, not its tip [row, column]",
}


def array_keys(value: Any) -> list[str]:
    """Give the keys of all arrays that a state names, in its order."""
    if isinstance(value, dict):
        if isinstance(value.get("$array"), str):
            return [value["$array"]]
        return [key for part in value.values() for key in array_keys(part)]
    if isinstance(value, list):
        return [key for part in value for key in array_keys(part)]
    return []


def check_key(key: str) -> list[str]:
    """Give the parts of an array's key; raises `EclipsError` if it is not one that this layout makes."""
    if not _KEY.match(key):
        raise EclipsError(f"'{key[:80]}' is no key of an array", where="project")
    return key.split("/")


def write_content(
    file: h5py.File, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], context: Context
) -> dict[str, str]:
    """Write state and arrays into an empty file; gives the SHA-256 of each array by key."""
    stamp_software(state)
    file.attrs["schema"] = f"{SCHEMA}/{LAYOUT_VERSION}"
    file.attrs["software"] = f"ECLIPS {VERSION}"
    file.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = _write_arrays(file, state, arrays, context)
    _describe(file, state)
    _link_selected(file, state)
    text = json.dumps(state, allow_nan=False)
    file.create_dataset("state", data=text).attrs["sha256"] = text_hash(text)
    return hashes


def stamp_software(state: dict[str, Any]) -> None:
    """Note in each run that does not say so yet which program made it."""
    for run in _of_kind(state, "run"):
        run["info"] = {"software": f"ECLIPS {VERSION}", **run["info"]}


def text_hash(text: str) -> str:
    """Give the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def array_hash(array: NDArray[Any]) -> str:
    """Give the SHA-256 of an array's values in row order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _write_arrays(
    file: h5py.File, state: dict[str, Any], arrays: Mapping[str, NDArray[Any]], context: Context
) -> dict[str, str]:
    keys = array_keys(state)
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise EclipsError(f"the array '{missing[0]}' was not given", where="project")
    total = max(1, sum(arrays[key].nbytes for key in keys))
    hashes, done = {}, 0
    for key in keys:
        context.progress(0.7 * done / total, "Writing")
        parts, array = check_key(key), arrays[key]
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise EclipsError(f"the array {key!r} has the type {array.dtype}", hint="Store numbers of up to 64 bits.")
        if len(parts) == 4:
            _write_segment(file, parts, array, _siblings(keys, parts, arrays))
        else:
            _create(file, key, array.shape, array.dtype)[...] = array
        hashes[key] = array_hash(array)
        done += array.nbytes
    return hashes


def _siblings(keys: list[str], parts: list[str], arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    prefix = "/".join(parts[:3]) + "/"
    return [arrays[key] for key in keys if key.startswith(prefix)]


def _write_segment(file: h5py.File, parts: list[str], array: NDArray[Any], all_segments: list[NDArray[Any]]) -> None:
    """Write one segment into ``quadrants [k, row, col]``; segments of unlike types are stored apart, in ``segments``."""
    stack, index = "/".join(parts[:3]), int(parts[3])
    if len({segment.dtype for segment in all_segments}) == 1:
        if stack not in file:
            _create(file, stack, (len(all_segments), *array.shape), array.dtype)
        file[stack][index] = array
        return
    _create(file, f"{parts[0]}/{parts[1]}/segments/{index}", array.shape, array.dtype)[...] = array
    if index == len(all_segments) - 1:
        layout = h5py.VirtualLayout((index + 1, *array.shape), np.result_type(*(s.dtype for s in all_segments)))
        for k, segment in enumerate(all_segments):
            path = f"/{parts[0]}/{parts[1]}/segments/{k}"
            layout[k] = h5py.VirtualSource(".", path, segment.shape, segment.dtype)
        file.create_virtual_dataset(stack, layout)


def _create(file: h5py.File, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> h5py.Dataset:
    if len(shape) < 2 or 0 in shape:
        return file.create_dataset(path, shape, dtype)
    chunks = (*(1 for _ in shape[:-2]), *(min(256, n) for n in shape[-2:]))
    return file.create_dataset(
        path, shape, dtype, chunks=chunks, shuffle=True, compression="gzip", compression_opts=1, fletcher32=True
    )


def _of_kind(state: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [item for item in state["items"] if item["kind"] == kind]


def _describe(file: h5py.File, state: dict[str, Any]) -> None:
    """Give groups and arrays the attributes that other programs read."""
    for item in _of_kind(state, "set"):
        group = file[f"sets/{item['id']}"]
        group.attrs["name"] = _text(item["name"])
        group.attrs["segments"] = [_text(image["name"]) for image in item["images"]]
        group.attrs["sha256"] = [_text(image.get("sha256", "")) for image in item["images"]]
        _label(group, item.get("pixel_size_nm"))
    for item in _of_kind(state, "map"):
        group = file[f"maps/{item['id']}"]
        group.attrs["name"] = _text(item["name"])
        _label(group, item["pixel_size_nm"])
    for item in _of_kind(state, "calibration"):
        group = file.require_group(f"calibrations/{item['id']}")
        group.attrs["name"], group.attrs["created"] = _text(item["name"]), item["created"]
        group.attrs["detector"] = json.dumps(item["detector"], allow_nan=False)
        for array in group.values():
            array.attrs["long_name"], array.attrs["unit"] = (
                "measured minus calibrated model [segment, row, column]",
                "%",
            )
    for item in _of_kind(state, "facets"):
        group = file.require_group(f"facets/{item['id']}")
        group.attrs["name"], group.attrs["source"] = _text(item["name"]), item["source_id"]
        group.attrs["parameters"] = json.dumps(item["params"], allow_nan=False)
        _label(group, item["params"]["pixel_size_nm"])
    for item in _of_kind(state, "comparison"):
        group = file.require_group(f"comparisons/{item['id']}")
        for name in ("name", "run_id", "map_id", "created"):
            group.attrs[name] = _text(item[name])
        group.attrs["parameters"] = json.dumps(item["params"], allow_nan=False)
        group.attrs["values"] = json.dumps(item["info"].get("values", {}), allow_nan=False)
        _label(group, item["params"].get("pixel_size_nm"))
    for item in _of_kind(state, "run"):
        group = file.require_group(f"runs/{item['id']}")
        for name, value in provenance(item).items():
            group.attrs[name] = _text(value) if isinstance(value, str) else value
        _label(group, item["params"].get("pixel_size_nm"))


def _text(text: str) -> str:
    """Give a text that HDF5 can hold: without NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _label(group: h5py.Group, pixel_size_nm: Any) -> None:
    for name, array in group.items():
        if not isinstance(array, h5py.Dataset):
            continue
        array.attrs["long_name"] = _LABELS.get(name, name)
        if name in _UNITS:
            array.attrs["unit"] = _UNITS[name]
        if pixel_size_nm is not None:
            array.attrs["pixel_size_nm"] = pixel_size_nm


def provenance(run: Mapping[str, Any]) -> dict[str, Any]:
    """Give what made a run (an entry of the state) as attributes: text, numbers, and JSON for what is nested."""
    params, info = run["params"], run["info"]
    seeds = {name: value for name, value in params.items() if name.endswith("seed")}
    return {
        "name": run["name"],
        "software": info["software"],
        "method": run["step"],
        "method_version": run["step_version"],
        "parameters": json.dumps(params, allow_nan=False),
        **({"levelling": json.dumps(info["levelling"], allow_nan=False)} if "levelling" in info else {}),
        "device": str(info.get("device", params.get("device", ""))),
        "seeds": json.dumps(seeds | info.get("seeds", {}), allow_nan=False),
        "model_files": json.dumps(info.get("model_files", {}), allow_nan=False),
        "time": run["created"],
        "duration_s": run["duration_s"],
        "input_sha256": list(run["input_sha256"]),
    }


def presented(state: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Give the set that ``/input`` shows and the run that ``/reconstruction`` shows; None for what is not there."""
    sets, selection = _of_kind(state, "set"), state.get("selection", {})
    chosen = next((s for s in sets if s["id"] == selection.get("set_id")), sets[0] if sets else None)
    return chosen, run_of(state, chosen["id"]) if chosen else None


def run_of(state: Mapping[str, Any], set_id: str) -> dict[str, Any] | None:
    """Give the starred run of a set, else the selected one, else the last; None if there is none."""
    runs = [run for run in _of_kind(state, "run") if run["set_id"] == set_id]
    starred = [run for run in runs if run["starred"]]
    selected = [run for run in runs if run["id"] == state.get("selection", {}).get("run_id")]
    return next(iter([*starred, *selected, *runs[::-1]]), None)


def frames_of(state: Mapping[str, Any], file: h5py.File, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the sets of the size of `chosen`, by time where all times are known, else in their order."""
    like = file[f"sets/{chosen['id']}/quadrants"].shape
    alike = [s for s in _of_kind(state, "set") if file[f"sets/{s['id']}/quadrants"].shape == like]
    timed = all(s.get("time_s") is not None for s in alike)
    return sorted(alike, key=lambda s: float(s["time_s"])) if timed else alike


def _link_selected(file: h5py.File, state: dict[str, Any]) -> None:
    chosen, run = presented(state)
    detectors = [d["detector"] for d in _of_kind(state, "detector")]
    detector = run["params"].get("detector") if run else None
    if detector or detectors:
        file.create_dataset("detector", data=json.dumps(detector or detectors[0], allow_nan=False))
    frames = frames_of(state, file, chosen) if chosen else []
    if len(frames) > 1:
        _write_series(file, state, frames, run)
        return
    if chosen:
        file["input"] = file[f"sets/{chosen['id']}"]
    if run:
        file["reconstruction"] = file[f"runs/{run['id']}"]


def _write_series(
    file: h5py.File, state: dict[str, Any], frames: list[dict[str, Any]], run: dict[str, Any] | None
) -> None:
    sets = [f"/sets/{s['id']}" for s in frames]
    _join_frames(file, "input", sets, "quadrants")
    file.create_dataset("series/time_s", data=[float(s.get("time_s", np.nan)) for s in frames]).attrs.update(
        unit="s", long_name="time of each frame; NaN where it is not known"
    )
    if run is None:
        return
    found = [run_of(state, s["id"]) for s in frames]
    runs = [f"/runs/{r['id']}" if r else "" for r in found]
    for name in file[f"runs/{run['id']}"]:
        _join_frames(file, "reconstruction", runs, name, like=f"/runs/{run['id']}/{name}")
    group = file.require_group("reconstruction")
    for name, value in file[f"runs/{run['id']}"].attrs.items():
        group.attrs[name] = value
    group.attrs["runs"] = [r["id"] if r else "" for r in found]
    drift = [(r or {"info": {}})["info"].get("drift_px", (np.nan, np.nan)) for r in found]
    shifts = file.create_dataset("series/drift_px", data=np.asarray(drift, np.float64))
    shifts.attrs["long_name"] = "rows, columns that each frame moved by; NaN where it was not determined"
    shifts.attrs["unit"] = "px"


def _join_frames(file: h5py.File, group: str, sources: list[str], name: str, like: str = "") -> None:
    """Make ``/<group>/<name> [frame, …]`` over the arrays of this name; frames without one, or of another shape, are empty."""
    first = file[like or f"{sources[0]}/{name}"]
    layout = h5py.VirtualLayout((len(sources), *first.shape), first.dtype)
    for frame, source in enumerate(sources):
        path = f"{source}/{name}"
        if source and path in file and file[path].shape == first.shape:
            layout[frame] = h5py.VirtualSource(".", path, first.shape, file[path].dtype)
    fill = np.nan if first.dtype.kind == "f" else 0
    joined = file.create_virtual_dataset(f"{group}/{name}", layout, fillvalue=fill)
    for attribute, value in first.attrs.items():
        joined.attrs[attribute] = value
