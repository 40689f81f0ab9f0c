"""Reading height maps of AFMs and profilometers, and plain arrays and texts of heights.

Everything comes out as height in nm [row, col], row 0 at the top of the image as the instrument's own program shows it,
with the pixel size (x, y) in nm. Where a file does not say a unit or a pixel size, the caller must: nothing is guessed.
"""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, ReadHeightMap, StepResult
from eclips_app.core.units import NM_PER_UNIT
from eclips_app.io import height_readers as readers
from eclips_app.io.height_readers import Surface
from eclips_app.io.height_text import read_text
from eclips_app.plugin_api import registry
from eclips_app.plugin_api.protocols import HeightMapReader

Reader = Callable[[Path, str], Surface]


def read_step(inputs: Arrays, params: ReadHeightMap, context: Context) -> StepResult:
    """Read a height map; the step ``read-height-map``.

    Returns
    -------
    StepResult
        Array ``height`` (float64, nm, NaN where nothing was measured); info ``pixel_size_nm`` [x, y], ``name``, ``channel``,
        ``channels`` (the names of all height channels of the file), ``source`` and ``sha256``.

    Raises
    ------
    EclipsError
        If the file cannot be read, holds no heights, or says no unit or pixel size and `params` give none.
    """
    path = Path(params.path)
    context.progress(0.0, f"Reading {path.name}")
    surface = read_surface(path, params.channel)
    context.progress(0.8, "Converting")
    height = to_nm(surface, params.unit, path.name)
    size_x, size_y = _pixel_size(surface, params, path.name)
    info = {
        "pixel_size_nm": [size_x, size_y],
        "name": path.name if len(surface.channels) < 2 else f"{path.name}: {surface.channel}",
        "channel": surface.channel,
        "channels": list(surface.channels),
        "source": str(path),
        "sha256": _sha256(path),
    }
    context.progress(1.0, f"Read {path.name}")
    return StepResult({"height": height}, info)


def read_surface(path: Path, channel: str = "") -> Surface:
    """Read one height channel in the file's own unit; raises `EclipsError` if that is not possible."""
    start = _start_of(path)
    reader = _reader_for(path, start)
    try:
        # The libraries warn of what does not concern heights (time zones, unknown tags).
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            surface = reader(path, channel)
    except EclipsError:
        raise
    except Exception as error:  # a damaged file makes the format libraries raise anything at all
        raise EclipsError(
            "the height map cannot be read: the file is damaged or of a kind that is not known here",
            where=path.name,
            hint="Export it in another format, such as GWY, SDF or float TIFF.",
        ) from error  # its words are in the details
    _check(surface, path.name)
    return surface


def to_nm(surface: Surface, unit: str, where: str) -> NDArray[np.float64]:
    """Give the heights in nm; `unit` is taken where the file says none. Raises `EclipsError` without any."""
    said = surface.unit or unit
    if not said:
        raise EclipsError(
            "the file does not say the unit of its heights",
            where=where,
            hint="Give it (unit: nm, µm, …), and the pixel size if that is missing too.",
        )
    # "A" means ampere in these files.
    if said not in NM_PER_UNIT or said == "A":
        raise EclipsError(
            f"the channel '{surface.channel}' is in {said}, which is no height",
            where=where,
            hint=f"Choose another channel: {', '.join(surface.channels)}.",
        )
    height: NDArray[np.float64] = surface.values * NM_PER_UNIT[said]
    return height


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise EclipsError(f"the file cannot be read ({error.strerror})", where=str(path)) from error
    if not start:
        raise EclipsError("the file is empty", where=path.name)
    return start


def _reader_for(path: Path, start: bytes) -> Reader:
    """Choose by the file's first bytes; the suffix decides only between texts and unknown binary files."""
    suffix = path.suffix.lower()
    if start.startswith(b"\x93NUMPY") or suffix == ".npz":
        return readers.read_numpy
    if start.startswith(b"GWYP"):
        return readers.read_gwyddion
    if start.startswith(b"\x89HDF") and suffix == ".eclips":
        return readers.read_project
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return readers.read_tiff
    if suffix in (".csv", ".txt", ".tsv", ".asc", ".dat", ".xyz") and _is_text(start):
        return read_text
    plugin = registry.height_map_reader_for(path)
    return functools.partial(_read_with, plugin) if plugin is not None else readers.read_instrument


def _read_with(plugin: HeightMapReader, path: Path, channel: str) -> Surface:
    """Read a file of a kind that a plugin knows."""
    found = plugin.read_height_map(path)
    return Surface(readers.to_floats(found.height), "nm", found.pixel_size_nm, found.name)


def _is_text(start: bytes) -> bool:
    return b"\0" not in start or start.startswith((b"\xff\xfe", b"\xfe\xff"))


def _check(surface: Surface, where: str) -> None:
    if surface.values.ndim != 2 or min(surface.values.shape) < 2:
        shape = " x ".join(map(str, surface.values.shape))
        raise EclipsError(f"the file holds {shape} values where rows and columns of heights are needed", where=where)
    if not np.isfinite(surface.values).any():
        raise EclipsError("the height map holds no measured height", where=where)


def _pixel_size(surface: Surface, params: ReadHeightMap, where: str) -> tuple[float, float]:
    found = surface.pixel_size_nm or params.pixel_size_nm
    if found is None:
        raise EclipsError(
            "the file does not say the size of its pixels", where=where, hint="Give it (pixel size in nm)."
        )
    if not all(np.isfinite(size) and size > 0 for size in found):
        raise EclipsError(f"a pixel size of {found[0]:g} x {found[1]:g} nm is not possible", where=where)
    return float(found[0]), float(found[1])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
