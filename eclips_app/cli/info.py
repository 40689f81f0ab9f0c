"""Tell what is in files: projects, segment images, height maps and detector files."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length

#: Suffixes of pictures, which are no heights unless nothing else can read them.
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".img", ".elid", ".h5", ".hdf5"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--table", action="store_true", help="print the height maps among the files as one table")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Look at each file; one that cannot be read is told and the others still are."""
    found = []
    for number, path in enumerate(args.files):
        context.progress(number / len(args.files), path.name)
        try:
            found.append({"path": str(path), **_look(path)})
        except EclipsError as error:
            found.append({"path": str(path), "kind": "unknown", "error": str(error)})
    return {"files": found, "table": args.table, "exit_status": 1 if any("error" in each for each in found) else 0}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    if result["table"]:
        return "\n".join(_table(result["files"]))
    return "\n".join(line for each in result["files"] for line in _lines(each))


def _look(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EclipsError("there is no such file", where=str(path))
    suffix = path.suffix.lower()
    if suffix == ".eclips":
        return _project(path)
    if suffix == ".json":
        return _detector(path)
    if suffix in _PICTURES:
        return _first_that_reads(path, _images, _height_map)
    readers = (_images, _height_map) if suffix in (".tif", ".tiff") else (_height_map, _images)
    return _first_that_reads(path, _stated_height_map, *readers)


def _first_that_reads(path: Path, *readers: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Try readers in turn; if none can, the last but one, which such files are most often for, gives the reason."""
    errors = []
    for reader in readers:
        try:
            return reader(path)
        except EclipsError as error:
            errors.append(error)
    raise errors[-2]


def _project(path: Path) -> dict[str, Any]:
    from eclips_app.io.project_file import array_shapes, read_state

    state, shapes = read_state(path), array_shapes(path)
    items = state["items"]
    sets = [_set(item, shapes) for item in items if item["kind"] == "set"]
    runs = [_run(item, shapes) for item in items if item["kind"] == "run"]
    maps = [{"name": item["name"], "shape": _shape(item["height"], shapes)} for item in items if item["kind"] == "map"]
    lines = [item["name"] for item in items if item["kind"] == "line"]
    detectors = [item["detector"]["name"] for item in items if item["kind"] == "detector"]
    return {
        "kind": "project", "sets": sets, "runs": runs, "height_maps": maps, "lines": lines,
        "measurements": sum(item["kind"] == "measurement" for item in items), "detector": next(iter(detectors), None),
    }  # fmt: skip


def _shape(reference: dict[str, str], shapes: dict[str, tuple[tuple[int, ...], str]]) -> list[int]:
    return list(shapes[reference["$array"]][0])


def _set(item: dict[str, Any], shapes: dict[str, tuple[tuple[int, ...], str]]) -> dict[str, Any]:
    first = item["images"][0]["data"]
    return {
        "name": item["name"], "segments": [image["name"] for image in item["images"]], "shape": _shape(first, shapes),
        "dtype": shapes[first["$array"]][1], "pixel_size_nm": item.get("pixel_size_nm"), "crop": item["crop"],
        "time_s": item.get("time_s"), "sources": [image["source"] for image in item["images"]],
    }  # fmt: skip


def _run(item: dict[str, Any], shapes: dict[str, tuple[tuple[int, ...], str]]) -> dict[str, Any]:
    return {
        "name": item["name"], "id": item["id"], "method": item["step"], "starred": item["starred"], "created": item["created"],
        "shape": _shape(item["arrays"]["height"], shapes) if "height" in item["arrays"] else None,
        "pixel_size_nm": item["params"].get("pixel_size_nm"), "software": item["info"].get("software"),
    }  # fmt: skip


def _detector(path: Path) -> dict[str, Any]:
    from eclips_app.core.detector import read_detector

    detector = read_detector(path)
    low, high = zip(*(detector.take_off_angles_deg(segment) for segment in detector.quadrants), strict=True)
    return {
        "kind": "detector", "name": detector.name, "segments": [segment.name for segment in detector.quadrants],
        "distance_mm": detector.distance_mm, "take_off_angles_deg": [min(low), max(high)],
        "beam_energy_kev": detector.beam.energy_kev if detector.beam else None,
    }  # fmt: skip


def _images(path: Path) -> dict[str, Any]:
    from eclips_app.io.readers import read_file

    raw = read_file(path)
    facts = {k: v for k, v in dataclasses.asdict(raw.acquisitions[0]).items() if v is not None}
    image = raw.images[0]
    return {
        "kind": "images", "count": len(raw.images), "shape": list(image.shape), "dtype": str(image.dtype),
        "range": [image.min(), image.max()], "names": list(raw.names), "acquisition": facts,
        "image_rows": raw.image_shape[0] if raw.image_shape else None, "sha256": raw.sha256, "warnings": list(raw.warnings),
    }  # fmt: skip


def _stated_height_map(path: Path) -> dict[str, Any]:
    """Look at a file that states a unit of length: heights, though it could perhaps be read as an image too."""
    found = _height_map(path)
    if found["range_nm"] is None:
        raise EclipsError("the file states no unit of length", where=path.name)
    return found


def _height_map(path: Path) -> dict[str, Any]:
    import numpy as np

    from eclips_app.core.units import NM_PER_UNIT
    from eclips_app.io.height_maps import read_surface

    surface = read_surface(path)
    low, high = float(np.nanmin(surface.values)), float(np.nanmax(surface.values))
    per_unit = NM_PER_UNIT.get(surface.unit) if surface.unit != "A" else None  # that is ampere
    (rows, columns), size = surface.values.shape, surface.pixel_size_nm
    return {
        "kind": "height map", "shape": [rows, columns], "unit": surface.unit or None,
        "pixel_size_nm": size, "size_nm": [columns * size[0], rows * size[1]] if size else None,
        "range": [low, high], "range_nm": [low * per_unit, high * per_unit] if per_unit else None,
        "not_measured": int(np.isnan(surface.values).sum()), "channel": surface.channel, "channels": list(surface.channels),
    }  # fmt: skip


def _lines(each: dict[str, Any]) -> list[str]:
    path, kind = each["path"], each["kind"]
    if "error" in each:
        return [f"{path}: cannot be read: {each['error']}"]
    if kind == "project":
        return [f"{path}: project, detector {each['detector'] or 'none'}", *_project_lines(each)]
    if kind == "detector":
        low, high = each["take_off_angles_deg"]
        text = f"{each['name']}, segments {' '.join(each['segments'])}, take-off angles {low:.1f} to {high:.1f}°"
        return [f"{path}: detector: {text}"]
    rows, columns = each["shape"]
    if kind == "height map":
        _, pixels, pixel, size, unit, heights, channels = _row(each)
        return [
            f"{path}: height map, {pixels}, pixels of {pixel}, field {size}, heights {heights}, unit {unit}, channels {channels}"
        ]
    facts = [f"  {name}: {value}" for name, value in each["acquisition"].items()]
    low, high = each["range"]
    unknown = ", which may be heights of a unit that is not stated" if each["dtype"].startswith("float") else ""
    head = (
        f"{path}: {each['count']} images, {columns} x {rows}, {each['dtype']}, grey values {low:g} to {high:g}{unknown}"
    )
    return [head, *facts, *(f"  warning: {warning}" for warning in each["warnings"])]


def _row(each: dict[str, Any]) -> list[str]:
    """Give what a table says of a height map."""
    (rows, columns), size, unit = each["shape"], each["pixel_size_nm"], each["unit"]
    pixel = field = "not stated"
    if size:
        pixel = " x ".join(format_length(value) for value in dict.fromkeys(size))
        field = " x ".join(format_length(value) for value in each["size_nm"])
    low, high = each["range_nm"] or each["range"]
    heights = f"{low:.5g} to {high:.5g}{' nm' if each['range_nm'] else ''}"
    channels = ", ".join(each["channels"])
    return [Path(each["path"]).name, f"{columns} x {rows}", pixel, field, unit or "not stated", heights, channels]


def _table(files: list[dict[str, Any]]) -> list[str]:
    """Give the height maps as aligned columns, what is none with the reason below them."""
    rows = [["file", "pixels", "pixel", "field", "unit", "heights", "channels"]]
    rows += [_row(each) for each in files if each["kind"] == "height map"]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines + [line for each in files if each["kind"] != "height map" for line in _lines(each)]


def _project_lines(each: dict[str, Any]) -> list[str]:
    lines = []
    for s in each["sets"]:
        size = format_length(s["pixel_size_nm"]) if s["pixel_size_nm"] else "unknown size"
        lines.append(
            f"  images {s['name']}: {s['shape'][1]} x {s['shape'][0]}, {s['dtype']}, pixels of {size}, {' '.join(s['segments'])}"
        )
    for r in each["runs"]:
        star = ", starred" if r["starred"] else ""
        lines.append(f"  reconstruction {r['name']} ({r['id']}): {r['method']}, {r['created']}{star}")
    lines += [f"  height map {m['name']}: {m['shape'][1]} x {m['shape'][0]}" for m in each["height_maps"]]
    lines += [f"  line {name}" for name in each["lines"]]
    return [*lines, f"  measurements: {each['measurements']}"]
