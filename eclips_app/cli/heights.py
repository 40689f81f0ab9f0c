"""Height maps that commands take as input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.common import warn
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap, StepResult, run_step
from eclips_app.core.units import format_length


def read_heights(path: Path, pixel_size_nm: float | None, context: Context) -> StepResult:
    """Read a height map without gaps on square pixels; plain floats are taken as nm.

    Gives what the step ``read-height-map`` gives, with the `pixel_size_nm` given before that of the file.

    Raises
    ------
    EclipsError
        The file cannot be read, its pixels are not square, or it has holes.
    """
    size = (pixel_size_nm, pixel_size_nm) if pixel_size_nm else None
    read = run_step("read-height-map", {}, ReadHeightMap(str(path), unit="nm", pixel_size_nm=size), context)
    x, y = read.info["pixel_size_nm"]
    if abs(x / y - 1) > 1e-3:
        raise EclipsError("the pixels are not square", where=str(path), hint="Resample the height map.")
    if not np.isfinite(read.arrays["height"]).all():
        raise EclipsError("the height map has holes", where=str(path), hint="Fill them first.")
    if pixel_size_nm and abs(pixel_size_nm / x - 1) > 1e-3:
        warn(f"the file says a pixel size of {format_length(x)}; the given {format_length(pixel_size_nm)} is used")
    return StepResult(read.arrays, {**read.info, "pixel_size_nm": [pixel_size_nm or x] * 2})


def read_factors(path: Path, context: Context) -> NDArray[np.float64]:
    """Read a map of plain numbers, such as material factors; its file needs no unit and no pixel size."""
    read = run_step("read-height-map", {}, ReadHeightMap(str(path), unit="nm", pixel_size_nm=(1.0, 1.0)), context)
    return read.arrays["height"]
