"""Files of no maker: OME and ImageJ state a pixel size with its unit; a plain TIFF resolution is for printing."""

from __future__ import annotations

import json
import re

from eclips_app.core.units import NM_PER_UNIT
from eclips_app.io.vendor.tags import Found, Tags, key_values, number, parse_xml, pixel_nm
from eclips_app.model.items import Acquisition

NAME = "TIFF"
DESCRIPTION, X_RESOLUTION, RESOLUTION_UNIT = 270, 282, 296
#: A resolution in inches or centimetres is one of the microscope only if a pixel is below this; printers are above it.
_LARGEST_NM = 2000.0
_NM_PER_RESOLUTION_UNIT = {2: 25.4e6, 3: 10e6}
_IMAGEJ_UNITS = NM_PER_UNIT | {"micron": 1e3, "microns": 1e3, "\\u00B5m": 1e3, "nanometer": 1.0, "nanometers": 1.0}


def read(tags: Tags) -> Found | None:
    """Read what OME, ImageJ, ECLIPS or the resolution tags state."""
    description = tags.text(DESCRIPTION)
    if "<OME" in description:
        size = _ome_nm(description)
    elif description.startswith("ImageJ="):
        size = _imagej_nm(description, tags)
    else:
        size = _json_nm(description) or _resolution_nm(tags)
    return None if size is None else Found(Acquisition(pixel_size_nm=size))


def _ome_nm(text: str) -> float | None:
    root = parse_xml(re.sub(r"^<\?xml[^>]*\?>", "", text))
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    return pixel_nm(pixels.get("PhysicalSizeX"), NM_PER_UNIT.get(pixels.get("PhysicalSizeXUnit", "µm"), 0.0))


def _imagej_nm(text: str, tags: Tags) -> float | None:
    per_unit = _x_resolution(tags)
    unit = _IMAGEJ_UNITS.get(key_values(text).get("unit", ""))
    return pixel_nm(unit, 1.0 / per_unit) if unit is not None and per_unit else None


def _json_nm(text: str) -> float | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return pixel_nm(values.get("pixel_size_nm")) if isinstance(values, dict) else None


def _resolution_nm(tags: Tags) -> float | None:
    per_unit = _x_resolution(tags)
    unit = _NM_PER_RESOLUTION_UNIT.get(int(number(tags.tiff.get(RESOLUTION_UNIT)) or 0))
    size = pixel_nm(unit, 1.0 / per_unit) if unit is not None and per_unit else None
    return size if size is not None and size < _LARGEST_NM else None


def _x_resolution(tags: Tags) -> float | None:
    """Give the pixels per unit, which TIFF stores as a fraction."""
    value = tags.tiff.get(X_RESOLUTION)
    if isinstance(value, tuple) and len(value) == 2:
        above, below = number(value[0]), number(value[1])
        return above / below if above and below else None
    return number(value)
