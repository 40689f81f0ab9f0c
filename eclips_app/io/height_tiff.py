"""Which TIFF files are height maps of an instrument: told by their first tags alone, so that a drop can ask."""

from __future__ import annotations

import struct
from pathlib import Path

#: Private TIFF tags of Park Systems; the page beside them is a thumbnail.
PARK_TAGS = range(50432, 50440)

_CLASSIC = 42  #: TIFF's version number; BigTIFF has another, and Park writes none


def is_park_tiff(path: Path) -> bool:
    """Whether a file is a TIFF of Park Systems, whose heights stand in tags of its own; False for what cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            order = {b"II": "<", b"MM": ">"}.get(head[:2])
            if order is None:
                return False
            version, start = struct.unpack(f"{order}HI", head[2:])
            if version != _CLASSIC:
                return False
            file.seek(start)
            (count,) = struct.unpack(f"{order}H", file.read(2))
            entries = file.read(12 * count)
            codes = [struct.unpack_from(f"{order}H", entries, 12 * i)[0] for i in range(count)]
    except (OSError, struct.error):
        return False
    return any(code in PARK_TAGS for code in codes)
