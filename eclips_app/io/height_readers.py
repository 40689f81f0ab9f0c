"""One reader for each kind of height file; all give a `Surface` with row 0 at the top. Libraries are imported late."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import NM_PER_UNIT
from eclips_app.io.height_tiff import PARK_TAGS

#: Words in the names of channels that are no topography.
_NO_HEIGHT = ("amplitude", "phase", "deflection", "friction", "error", "potential", "current")


@dataclass(frozen=True)
class Surface:
    """A channel of a height file in the file's own unit."""

    values: NDArray[np.float64]  #: [row, col], row 0 at the top, NaN where nothing was measured
    unit: str = ""  #: of the values; empty: the file does not say
    pixel_size_nm: tuple[float, float] | None = None  #: x, y; None: the file does not say
    channel: str = "height"
    channels: tuple[str, ...] = ("height",)  #: all channels of the file that may be read


def pick(names: Sequence[str], wanted: str, where: str) -> int:
    """Give the number of the channel called `wanted`, or of the first; raises `EclipsError` naming all if it is not there."""
    if not names:
        raise EclipsError(
            "the file holds no height channel", where=where, hint="Grey values of an image are no heights."
        )
    if not wanted:
        return 0
    for number, name in enumerate(names):
        if name.casefold() == wanted.casefold():
            return number
    raise EclipsError(f"there is no height channel '{wanted}'", where=where, hint=f"It holds: {', '.join(names)}.")


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Tell equal names apart by a number ("Height", "Height 2"): trace and retrace often have one name."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(result)


def to_floats(values: Any) -> NDArray[np.float64]:
    """Turn numbers, or a masked array of them, into float64 with NaN where masked or infinite."""
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise EclipsError(f"the values are of the type {array.dtype}, not real numbers")
    floats = array.astype(np.float64)
    floats[np.isinf(floats)] = np.nan
    return floats


def read_numpy(path: Path, channel: str) -> Surface:
    """Read a ``.npy`` array [row, col], or a 2-D array of an ``.npz`` archive; neither says units."""
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return Surface(to_floats(loaded))
    with loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    maps = {name: a for name, a in arrays.items() if a.ndim == 2 and a.dtype.kind in "iuf" and min(a.shape) > 1}
    names = sorted(maps, key=lambda name: name != "height")
    name = names[pick(names, channel, path.name)]
    return Surface(to_floats(maps[name]), channel=name, channels=tuple(names))


def read_tiff(path: Path, channel: str) -> Surface:
    """Read a TIFF of plain heights; those of instruments (Park, Olympus) go to `read_instrument`.

    A JSON image description (or ImageJ info, as our own export has) with ``unit`` and ``pixel_size_nm`` is understood, and
    the pixel size of ImageJ.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        if any(tag.code in PARK_TAGS for tag in page.tags):
            return read_instrument(path, channel)
        if page.dtype is None or page.dtype.kind != "f" or page.samplesperpixel != 1:
            return read_instrument(path, channel)  # JPK and LEXT files are TIFFs too
        if len(file.pages) > 1:
            raise EclipsError(
                f"the TIFF holds {len(file.pages)} pages, not one height map",
                where=path.name,
                hint="Give single frames.",
            )
        said = _json_object(page.description) or _json_object(str((file.imagej_metadata or {}).get("Info", "")))
        size = _pair(said.get("pixel_size_nm")) or _imagej_pixel_nm(file, page)
        return Surface(to_floats(page.asarray()), str(said.get("unit", "")), size)


def read_gwyddion(path: Path, channel: str) -> Surface:
    """Read a native Gwyddion file; its channels are called by their titles.

    A mask selects points in Gwyddion and says nothing of them; in our own exports it marks where there is no height.
    """
    import gwyfile

    fields = gwyfile.load(str(path))
    keys = sorted((key for key in fields if _is_field_key(key)), key=lambda key: int(key.split("/")[1]))
    names = distinct([str(fields.get(f"{key}/title", f"Channel {key.split('/')[1]}")) for key in keys])
    number = pick(names, channel, path.name)
    field = fields[keys[number]]
    rows, columns = int(field["yres"]), int(field["xres"])
    per_unit = NM_PER_UNIT.get(_unit_text(field.get("si_unit_xy")))
    size = (float(field["xreal"]) / columns, float(field["yreal"]) / rows)
    values = to_floats(np.asarray(field["data"]).reshape(rows, columns))
    index = keys[number].split("/")[1]
    if "ECLIPS" in fields.get(f"/{index}/meta", ()) and f"/{index}/mask" in fields:
        values[np.asarray(fields[f"/{index}/mask"]["data"]).reshape(rows, columns) > 0] = np.nan
    return Surface(
        values,
        _unit_text(field.get("si_unit_z")),
        None if per_unit is None else (size[0] * per_unit, size[1] * per_unit),
        names[number],
        names,
    )


def read_project(path: Path, channel: str) -> Surface:
    """Read the reconstruction of a project file; what does not rest on data is NaN."""
    import h5py

    with h5py.File(path, "r") as file:
        if "reconstruction/height" not in file:
            raise EclipsError("the project holds no reconstruction", where=path.name, hint="Reconstruct it first.")
        height = file["reconstruction/height"]
        if height.ndim != 2:
            raise EclipsError(
                "the project is a time series, not one height map", where=path.name, hint="Open it as project."
            )
        values = to_floats(height[...])
        if "reconstruction/mask" in file:
            values[~file["reconstruction/mask"][...].astype(bool)] = np.nan
        size = float(height.attrs["pixel_size_nm"])
    pick(("height",), channel, path.name)
    return Surface(values, "nm", (size, size))


def read_instrument(path: Path, channel: str) -> Surface:
    """Read the file of an AFM or profilometer with SurfaceTopography."""
    from SurfaceTopography.Exceptions import CannotDetectFileFormat
    from SurfaceTopography.IO import open_topography

    try:
        reader = open_topography(str(path))
    except CannotDetectFileFormat as error:
        raise EclipsError(
            "this kind of file is not known", where=path.name, hint="Export it as .gwy or text."
        ) from error
    with reader:
        found = [c for c in reader.channels if _is_height(c)]
        names = distinct([c.name or f"Channel {c.index}" for c in found])
        number = pick(names, channel, path.name)
        info = found[number]
        topography = info.topography()
        # The library's arrays are [x, y] with y downwards.
        values = to_floats(topography.heights()).T
        if info.unit is None or info.physical_sizes is None or values.ndim != 2:
            return Surface(values, "", None, names[number], names)
        per_unit = NM_PER_UNIT[topography.unit]
        size = tuple(
            float(s) * per_unit / n for s, n in zip(topography.physical_sizes, values.shape[::-1], strict=True)
        )
    return Surface(values, topography.unit, (size[0], size[1]), names[number], names)


def _is_height(channel: Any) -> bool:
    """Tell whether a channel of SurfaceTopography holds heights; cantilever signals may come in units of length too."""
    other = any(word in (channel.name or "").casefold() for word in _NO_HEIGHT)
    return channel.is_height_channel and not isinstance(channel.unit, tuple) and not other


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _pair(value: Any) -> tuple[float, float] | None:
    """Give (x, y) of a number or two numbers."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), float(value)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, (int, float)) for item in value):
        return float(value[0]), float(value[1])
    return None


def _imagej_pixel_nm(file: Any, page: Any) -> tuple[float, float] | None:
    unit = str((file.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ").replace("micron", "µm")
    per_unit = NM_PER_UNIT.get(unit)
    tags = [page.tags.get(name) for name in ("XResolution", "YResolution")]
    if per_unit is None or any(tag is None or not tag.value[0] for tag in tags):
        return None
    x, y = (tag.value[1] / tag.value[0] * per_unit for tag in tags)
    return x, y


def _is_field_key(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 3 and parts[0] == "" and parts[1].isdigit() and parts[2] == "data"


def _unit_text(unit: Any) -> str:
    return "" if unit is None else str(unit.get("unitstr", "")).strip()
