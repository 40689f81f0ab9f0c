"""What the makers' readers share: the raw tags of a file, what is found in them, and small parsers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from eclips_app.core.units import NM_PER_UNIT
from eclips_app.model.items import Acquisition

#: Pixel sizes outside 1 pm to 1 mm are no electron micrographs.
PIXEL_RANGE_NM = (1e-3, 1e6)
#: Texts longer than this are not metadata.
LONGEST_TEXT = 4_000_000

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)")


@dataclass(frozen=True)
class Tags:
    """The raw metadata of one image: TIFF tags by number, text of the file beside it, and the stored size in pixels."""

    rows: int
    columns: int
    tiff: Mapping[int, Any] = field(default_factory=dict)
    sidecar: str = ""

    def text(self, code: int) -> str:
        """Give a TIFF tag as text; empty if there is none."""
        return as_text(self.tiff.get(code))


@dataclass(frozen=True)
class Found:
    """What a maker's reader found; `image_shape` (rows, columns) is the scanned part above the data bar, if stated."""

    acquisition: Acquisition = field(default_factory=Acquisition)
    image_shape: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()


def as_text(value: Any) -> str:
    """Turn bytes or text into text without zero bytes; anything else becomes empty."""
    if isinstance(value, bytes):
        value = value[:LONGEST_TEXT].decode("utf-8", errors="replace")
    return value[:LONGEST_TEXT].replace("\x00", "").strip() if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """Read the number at the start of a value; None if there is none or it is not finite."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        match = _NUMBER.match(value)
        value = match.group(1) if match else None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def scaled(value: Any, factor: float) -> float | None:
    """Read a number and multiply it; None stays None."""
    found = number(value)
    return None if found is None else found * factor


def pixel_nm(value: Any, factor: float = 1.0) -> float | None:
    """Read a pixel size and turn it into nm; None if it is missing or no size that a micrograph can have."""
    size = scaled(value, factor)
    return size if size is not None and PIXEL_RANGE_NM[0] <= size <= PIXEL_RANGE_NM[1] else None


def length_nm(text: str) -> float | None:
    """Read a length with its unit, such as ``10um``; None if it is none."""
    match = _NUMBER.match(text)
    return float(match.group(1)) * NM_PER_UNIT[match.group(2)] if match and match.group(2) in NM_PER_UNIT else None


def key_values(text: str) -> dict[str, str]:
    """Read lines of ``key=value``; section heads and everything else are passed over, the first of equal keys counts."""
    found: dict[str, str] = {}
    for line in text[:LONGEST_TEXT].splitlines():
        key, equals, value = line.partition("=")
        if equals and value.strip():
            found.setdefault(key.strip(), value.strip())
    return found


def parse_xml(text: str) -> ElementTree.Element:
    """Parse XML whose declarations of entities are refused, since they can grow without bound.

    Raises
    ------
    ValueError
        If the text declares entities or is no XML.
    """
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise ValueError("it declares XML entities")
    try:
        return ElementTree.fromstring(text.encode("utf-8"))
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no valid XML: {error}") from error


def find_text(root: ElementTree.Element, path: str) -> str | None:
    """Give the text of an element; None if it is missing or empty."""
    text = (root.findtext(path) or "").strip()
    return text or None
