"""JEOL: the .txt file beside the image, with lines ``$CM_MAG 1000`` and ``$$SM_MICRON_BAR 120``."""

from __future__ import annotations

import re

from eclips_app.io.vendor.tags import Found, Tags, length_nm, number, pixel_nm
from eclips_app.model.items import Acquisition

NAME = "JEOL"
_LINE = re.compile(r"^\$+((?:CM|SM)_\w+)[ \t]+(.+?)\s*$", re.MULTILINE)


def read(tags: Tags) -> Found | None:
    """Read the lines; the pixel size is the stated length of the scale bar divided by its pixels."""
    values = dict(_LINE.findall(tags.sidecar))
    if not any(key in values for key in ("CM_FORMAT", "CM_MAG", "SM_MICRON_BAR")):
        return None
    bar_px, bar_nm = number(values.get("SM_MICRON_BAR")), length_nm(values.get("SM_MICRON_MARKER", ""))
    size = [number(part) for part in values.get("CM_FULL_SIZE", "").split()]
    columns, rows = (size[0], size[1]) if len(size) == 2 else (None, None)
    fits = columns == tags.columns and rows is not None and 0 < rows <= tags.rows
    return Found(
        Acquisition(
            instrument=" ".join(("JEOL", values.get("CM_INSTRUMENT", ""))).strip(),
            detector=values.get("CM_SIGNAL"),
            # The bar counts pixels of the full-size image; a copy of another width has other pixels.
            pixel_size_nm=pixel_nm(bar_nm, 1.0 / bar_px) if bar_nm and bar_px and (fits or columns is None) else None,
            energy_kev=number(values.get("CM_ACCEL_VOLT")),
            working_distance_mm=number(values.get("SM_WD")),
            magnification=number(values.get("CM_MAG")),
            contrast=number(values.get("CM_CONTRAST")),
            brightness=number(values.get("CM_BRIGHTNESS")),
            date=f"{values.get('CM_DATE', '')} {values.get('CM_TIME', '')}".strip() or None,
        ),
        image_shape=(int(rows), tags.columns) if fits and rows else None,
    )
