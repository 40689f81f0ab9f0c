"""Shapes and stretches as texts: ``line:10,20:300,40:width=5``, ``circle:1.2um,1um:1.5um,1um``, ``10nm:200nm``.

Points are column,row in pixels of the uncropped image (of a height file: its own), counted from the centre of the top-left
pixel; with units they are lengths to the right and down from there.
"""

from __future__ import annotations

import re

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import Stretch
from eclips_app.core.shapes import SHAPES, Shape
from eclips_app.core.units import parse_length_nm

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*\Z")
HELP = (
    "line:X,Y:X,Y, polyline:X,Y:X,Y:…, circle:centre:point on it, rectangle:corner:corner or polygon:X,Y:X,Y:X,Y…; "
    "ends with :width=W for an average over W across it"
)


def parse_shape(text: str, pixel_size_nm: tuple[float, float]) -> Shape:
    """Read a shape.

    Raises
    ------
    EclipsError
        If the text is none; the message says how it is written.
    """
    kind, *parts = (part.strip() for part in text.split(":"))
    if kind not in SHAPES:
        raise EclipsError(f"'{text}' is no shape", hint=f"Write {HELP}.")
    width = 1.0
    points = []
    for part in parts:
        if part.startswith("width="):
            width = in_pixels(part.removeprefix("width="), pixel_size_nm[0])
        else:
            points.append(parse_point(part, pixel_size_nm))
    return Shape(kind, tuple(points), width)


def parse_point(text: str, pixel_size_nm: tuple[float, float]) -> tuple[float, float]:
    """Read ``column,row``; gives pixels.

    Raises
    ------
    EclipsError
        If the text is no point.
    """
    parts = text.split(",")
    if len(parts) != 2:
        raise EclipsError(f"'{text}' is no point", hint="Write column,row, for example 10,20 or 1.2um,300nm.")
    return in_pixels(parts[0], pixel_size_nm[0]), in_pixels(parts[1], pixel_size_nm[1])


def in_pixels(text: str, pixel_size_nm: float) -> float:
    """Read a number of pixels or a length with its unit; gives pixels."""
    return float(text) if _NUMBER.match(text) else parse_length_nm(text) / pixel_size_nm


def parse_stretch(text: str) -> Stretch:
    """Read ``10nm:200nm``, two distances from the profile's start; gives nm.

    Raises
    ------
    EclipsError
        If the text is none.
    """
    parts = text.split(":")
    if len(parts) != 2:
        raise EclipsError(f"'{text}' is no stretch", hint="Write two distances from the profile's start: 10nm:200nm.")
    first, second = (parse_length_nm(part) for part in parts)
    return first, second
