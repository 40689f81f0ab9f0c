"""Height maps in the formats that surface texture is exchanged in: SDF (ISO 25178-71) and SUR (Digital Surf).

Both hold whole numbers of 32 bits times a step in height. The first row is the top of the image, as Gwyddion,
SurfaceTopography and surfalize read it.
"""

from __future__ import annotations

import datetime
import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.plugin_api.protocols import Surface
from eclips_app.version import VERSION

_LARGEST = 2**31 - 8  #: what lies beyond marks points without a height
_FINEST = 1e-6  #: a step in height is at most this part of the range of heights
_SDF_INT32 = 6
_SUR_SURFACE = 2


def write_sdf(path: Path, surface: Surface, context: Context) -> None:
    """Write binary SDF, revision ISO-1.0, with heights in m; points that were not measured are -2^31, as the standard says."""
    context.progress(0.1, "Writing SDF")
    rows, columns = surface.height.shape
    if max(rows, columns) >= 2**16:
        raise EclipsError("SDF holds at most 65535 rows and columns", hint="Choose another format or a smaller area.")
    steps, step_nm = quantised(surface.height, single=False)
    steps[~np.isfinite(surface.height)] = -(2**31)
    now = f"{datetime.datetime.now(datetime.UTC):%d%m%Y%H%M}".encode()
    size_x, size_y = surface.pixel_sizes_nm
    header = struct.pack(
        "<8s10s12s12sHHddddBBB", b"bISO-1.0", b"ECLIPS".ljust(10), now, now, columns, rows, size_x * 1e-9, size_y * 1e-9,
        step_nm * 1e-9, -1.0, 0, _SDF_INT32, 0,
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(header)
        file.write(np.ascontiguousarray(steps, "<i4").tobytes())


def write_sur(path: Path, surface: Surface, context: Context) -> None:
    """Write SUR, uncompressed, with lengths in nm and how the heights were made as comment."""
    context.progress(0.1, "Writing SUR")
    steps, step_nm = quantised(surface.height, single=True)
    missing = ~np.isfinite(surface.height)
    low, high = int(steps[~missing].min()), int(steps[~missing].max())
    steps[missing] = low - 2  # what the format marks them by
    comment = json.dumps({"title": surface.title, "made": surface.provenance}).encode("ascii")[: 2**15 - 1]
    header = _sur_header(surface, (low, high, step_nm), len(comment), bool(missing.any()))
    with path.open("wb") as file:
        file.write(header + comment)
        file.write(np.ascontiguousarray(steps, "<i4").tobytes())


def quantised(height_nm: NDArray[np.floating], *, single: bool) -> tuple[NDArray[np.int64], float]:
    """Give heights as whole numbers of a step, and the step in nm.

    Parameters
    ----------
    height_nm : array [row, col]
        Height in nm; what is not finite becomes 0.
    single : bool
        Whether the step is a number of single precision, which the file keeps exactly.

    Raises
    ------
    EclipsError
        If the step is more than a millionth of the range of heights: they lie too far from zero.
    """
    height = np.where(np.isfinite(height_nm), height_nm, 0.0).astype(np.float64)
    step = float(np.abs(height).max()) / _LARGEST or 1.0
    if single:
        step = float(np.nextafter(np.float32(step), np.float32(np.inf)))
    spread = float(np.nanmax(height_nm) - np.nanmin(height_nm))
    if spread > 0 and step > _FINEST * spread:
        raise EclipsError("the heights lie too far from zero for this format", hint="Level them, or write another one.")
    return np.rint(height / step).astype(np.int64), step


def _sur_header(surface: Surface, z: tuple[int, int, float], comment: int, missing: bool) -> bytes:
    """Give the 512 bytes; names of the fields are those of Digital Surf's description of the format."""
    rows, columns = surface.height.shape
    size_x, size_y = surface.pixel_sizes_nm
    low, high, step_nm = z
    now = datetime.datetime.now(datetime.UTC)
    text = [name.encode("ascii").ljust(16) for name in ("X", "Y", "Z", *6 * ("nm",))]
    parts = [
        struct.pack("<12s4h", b"DIGITAL SURF", 0, 1, 1, _SUR_SURFACE),
        struct.pack(
            "<30s30s", surface.title.encode("ascii", "replace").ljust(30), f"ECLIPS {VERSION}".encode().ljust(30)
        ),
        struct.pack("<5hf4xh", 0, 0, 0, int(missing), 1, 0.0, 32),
        struct.pack("<5i", low, high, columns, rows, rows * columns),
        struct.pack("<3f", size_x, size_y, step_nm),
        *text,
        struct.pack("<3f", 1.0, 1.0, 1.0),
        struct.pack("<3h12x", 1, 0, 0),
        struct.pack("<7h", now.second, now.minute, now.hour, now.day, now.month, now.year, now.weekday()),
        struct.pack("<fI6x2h", 0.0, 0, comment, 0),
        bytes(128),
        struct.pack("<3f", 0.0, 0.0, 0.0),
    ]
    header = b"".join(parts)
    return header.ljust(512, b"\0")
