"""Height maps as text: rows of numbers, with or without a header such as Gwyddion, Park and others write it."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import NM_PER_UNIT
from eclips_app.io.height_readers import Surface, pick, read_instrument

_MISSING = {"nan", "bad", "inf", "-inf", "--"}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_POINTS = "x_nm,y_nm,z_nm"  # the first line of our own tables
_PAIR = re.compile(r"[#\s]*([^:=]+?)\s*[:=]\s*(.*?)\s*\Z")
_LENGTH = re.compile(rf"({_NUMBER})\s*([^\W\d_]+)\Z")

#: Words of a header (small letters) by what they mean; every other word of a header is only looked at by the library.
_KEYS = {
    "width": "width", "real width": "width", "height": "height", "real height": "height",
    "value units": "unit", "z unit": "unit", "z-unit": "unit", "unit": "unit",
    "image width": "columns", "image height": "rows", "pixel size": "pixel", "channel": "channel",
}  # fmt: skip


def read_text(path: Path, channel: str) -> Surface:
    """Read a text of heights: one row of the image in each line, the top row first.

    Columns are separated by blanks, tabs, commas or semicolons (then a comma is a decimal comma). A header that is not
    understood here is left to the library. A header that gives rows and columns may be followed by one long line. Our own
    tables of points (x right, y up) are put back on their grid.
    """
    text = _decode(path)
    if text.startswith(_POINTS):
        return _read_points(text, path.name)
    header, numbers, widths = _parse(text, path.name)
    if header is None:
        return read_instrument(path, channel)
    if not numbers:
        raise EclipsError(
            "the text holds no numbers", where=path.name, hint="Give a height map, or images as TIFF or PNG."
        )
    values = _arrange(numbers, widths, header, path.name)
    name = header.get("channel", "height")
    pick((name,), channel, path.name)
    return Surface(values, header.get("unit", ""), _pixel_size_nm(header, values.shape), name, (name,))


def _read_points(text: str, where: str) -> Surface:
    lines = text.splitlines()[1:]
    x, y, z = np.loadtxt(lines, delimiter=",", usecols=(0, 1, 2), ndmin=2).T
    size_x, size_y = _spacing(x, "columns", where), _spacing(y, "rows", where)
    columns, rows = (x - x.min()) / size_x, (y - y.min()) / size_y
    if not (np.abs(columns - np.rint(columns)) < 0.01).all() or not (np.abs(rows - np.rint(rows)) < 0.01).all():
        raise EclipsError("the points do not lie on one grid", where=where, hint="Export the heights as .tif.")
    col, up = np.rint(columns).astype(np.intp), np.rint(rows).astype(np.intp)
    values = np.full((up.max() + 1, col.max() + 1), np.nan)
    values[up.max() - up, col] = z
    return Surface(values, "nm", (size_x, size_y))


def _spacing(places: NDArray[np.float64], what: str, where: str) -> float:
    steps = np.diff(np.unique(places))
    if not steps.size:
        raise EclipsError(f"the table holds fewer than two {what} of points", where=where)
    return float(np.ptp(places) / np.rint(np.ptp(places) / steps.min()))  # rounded coordinates spoil a single step


def _decode(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # older instruments' programs: µ in one byte


def _parse(text: str, where: str) -> tuple[dict[str, str] | None, list[float], list[int]]:
    """Give the header's values by meaning (None: not understood), all numbers, and how many stand in each line."""
    header: dict[str, str] = {}
    numbers: list[float] = []
    widths: list[int] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        row = None if line.startswith("#") else _row(line)
        if row is not None:
            numbers += row
            widths.append(len(row))
        elif numbers:
            return None, [], []  # several blocks in one file
        else:
            pair = _PAIR.match(line)
            meaning = _KEYS.get(pair.group(1).casefold()) if pair else None
            if pair and meaning:
                header[meaning] = pair.group(2)
            elif pair and not _is_note(pair.group(1)):
                return None, [], []
            elif not pair:
                _refuse_broken_row(line, where)
    return header, numbers, widths


def _is_note(key: str) -> bool:
    return key.casefold() in ("name", "title", "comment", "date", "text file create date")


def _row(line: str) -> list[float] | None:
    """Give the numbers of a line; None if it is no row of heights."""
    parts = _split(line)
    try:
        return [math.nan if part.casefold() in _MISSING else float(part) for part in parts]
    except ValueError:
        return None


def _split(line: str) -> list[str]:
    if ";" in line:
        parts = line.replace(",", ".").split(";")
    elif "," in line:
        parts = line.split(",")
    else:
        parts = line.split()
    if not parts[-1].strip():
        parts.pop()  # a separator at the end of the line
    return [part.strip() for part in parts]


def _refuse_broken_row(line: str, where: str) -> None:
    """Raise `EclipsError` if a line that is no row holds mostly numbers: skipping it would shift the image."""
    parts = _split(line)
    numbers = sum(re.fullmatch(_NUMBER, part) is not None for part in parts)
    if len(parts) > 1 and 2 * numbers >= len(parts):
        raise EclipsError(
            f"the row '{line[:30]}…' holds something that is no number",
            where=where,
            hint="Write nan where nothing was measured.",
        )


def _arrange(numbers: list[float], widths: list[int], header: dict[str, str], where: str) -> NDArray[np.float64]:
    rows, columns = len(widths), widths[0]
    if "rows" in header and "columns" in header:
        rows, columns = int(header["rows"]), int(header["columns"])
        if rows * columns != len(numbers):
            raise EclipsError(
                f"the header says {columns} x {rows} values, the text holds {len(numbers)}",
                where=where,
                hint="The file may be cut off.",
            )
    elif len(set(widths)) > 1:
        odd = next(n for n, width in enumerate(widths) if width != columns)
        raise EclipsError(
            f"row {odd + 1} of the heights has {widths[odd]} values, the first has {columns}",
            where=where,
            hint="The file may be cut off.",
        )
    if columns <= 3 < rows:
        raise EclipsError(
            f"the text has {columns} columns, which may be lists of coordinates and no rows of an image",
            where=where,
            hint="Export the heights as a matrix.",
        )
    return np.array(numbers).reshape(rows, columns)


def _pixel_size_nm(header: dict[str, str], shape: tuple[int, ...]) -> tuple[float, float] | None:
    pixel = _length_nm(header.get("pixel", ""))
    if pixel is not None:
        return pixel, pixel
    width, height = _length_nm(header.get("width", "")), _length_nm(header.get("height", ""))
    if width is None or height is None:
        return None
    return width / shape[1], height / shape[0]


def _length_nm(text: str) -> float | None:
    match = _LENGTH.match(text)
    if match is None or match.group(2) not in NM_PER_UNIT:
        return None
    return float(match.group(1)) * NM_PER_UNIT[match.group(2)]
