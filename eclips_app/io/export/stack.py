"""Segment images as one TIFF with a page for each segment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.io.atomic import whole_file


def write_segments(path: str | Path, segments: NDArray[Any], pixel_size_nm: float, names: Sequence[str]) -> None:
    """Write segments [k, row, col] (uint16 or float32), whole or not at all; ImageJ reads names, unit and pixel size.

    Raises
    ------
    EclipsError
        If the file cannot be written.
    """
    import tifffile

    facts = {"axes": "CYX", "unit": "nm", "Labels": list(names)}
    per_nm = 1.0 / pixel_size_nm
    with whole_file(path) as temporary:
        tifffile.imwrite(
            temporary, np.ascontiguousarray(segments), imagej=True, resolution=(per_nm, per_nm), metadata=facts
        )
