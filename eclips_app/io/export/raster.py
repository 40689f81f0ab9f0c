"""Height maps as grids and tables: TIFF, CSV, Gwyddion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.plugin_api.protocols import Surface

_BAND_POINTS = 1 << 18


def write_tiff(path: Path, surface: Surface, context: Context) -> None:
    """Write 32-bit heights in nm; ImageJ reads unit and pixel size, other programs the resolution in pixels per nm.

    TIFF of this kind holds up to 4 GiB, above the largest map that the program makes.
    """
    import tifffile

    context.progress(0.1, "Writing TIFF")
    height = np.ascontiguousarray(surface.height, dtype=np.float32)
    if height.nbytes >= 2**32 - 2**16:
        raise EclipsError("the height map is too large for TIFF", hint="Choose another format or a smaller area.")
    low, high = float(np.nanmin(height)), float(np.nanmax(height))
    facts = {"axes": "YX", "unit": "nm", "min": low, "max": high, "Info": _facts(surface)}
    size_x, size_y = surface.pixel_sizes_nm
    tifffile.imwrite(path, height, imagej=True, resolution=(1.0 / size_x, 1.0 / size_y), metadata=facts)


def write_csv(path: Path, surface: Surface, context: Context) -> None:
    """Write one line for each point: x, y, z and, where known, the standard deviation of z, in nm."""
    rows, columns = surface.height.shape
    (size_x, size_y), std = surface.pixel_sizes_nm, surface.height_std
    x = np.arange(columns) * size_x
    band = max(1, _BAND_POINTS // columns)
    names = "x_nm,y_nm,z_nm" + (",z_std_nm" if std is not None else "")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(names + "\n")
        for first in range(0, rows, band):
            context.progress(first / rows, "Writing table")
            z = surface.height[first : first + band]
            y = (rows - 1 - np.arange(first, first + len(z))) * size_y
            parts = [*np.broadcast_arrays(x[None, :], y[:, None]), z]
            if std is not None:
                parts.append(std[first : first + band])
            known = np.isfinite(z)
            np.savetxt(file, np.stack([part[known] for part in parts], axis=1), fmt="%.9g", delimiter=",")


def write_gwy(path: Path, surface: Surface, context: Context) -> None:
    """Write a Gwyddion file: heights in m, a mask where there is none, and the standard deviation as a second channel."""
    from gwyfile.objects import GwyContainer

    context.progress(0.1, "Writing Gwyddion file")
    missing = ~np.isfinite(surface.height)
    content = GwyContainer()
    content["/0/data"] = _gwy_field(surface.height, surface.pixel_sizes_nm, "m")
    content["/0/data/title"] = surface.title
    content["/0/data/realsquare"] = True
    if missing.any():
        content["/0/mask"] = _gwy_field(missing * 1e9, surface.pixel_sizes_nm, "")
    if surface.height_std is not None:
        content["/1/data"] = _gwy_field(surface.height_std, surface.pixel_sizes_nm, "m")
        content["/1/data/title"] = f"{surface.title}, standard deviation"
    if surface.provenance:
        content["/0/meta"] = GwyContainer({"ECLIPS": json.dumps(surface.provenance)})
    content.tofile(str(path))


def _gwy_field(values_nm: Any, pixel_sizes_nm: tuple[float, float], unit: str) -> Any:
    """Give a data field; Gwyddion knows no NaN, so missing values take the lowest height."""
    from gwyfile.objects import GwyDataField, GwySIUnit

    values = np.asarray(values_nm, dtype=np.float64) * 1e-9
    rows, columns = values.shape
    data = np.where(np.isfinite(values), values, np.nanmin(values))
    step_x, step_y = (size * 1e-9 for size in pixel_sizes_nm)
    return GwyDataField(
        data, xreal=columns * step_x, yreal=rows * step_y,
        si_unit_xy=GwySIUnit(unitstr="m"), si_unit_z=GwySIUnit(unitstr=unit),
    )  # fmt: skip


def _facts(surface: Surface) -> str:
    sizes = surface.pixel_sizes_nm
    size = sizes[0] if sizes[0] == sizes[1] else list(sizes)
    facts = {"title": surface.title, "unit": "nm", "pixel_size_nm": size, "made": surface.provenance}
    return json.dumps(facts)
