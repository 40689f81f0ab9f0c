"""Profiles as a workbook: a sheet for each line, and one of facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eclips_app.io.profile_files import HEADS, LineProfiles, rows_of

_LONGEST_TITLE = 31  #: characters that a sheet's name may have


def write_workbook(path: Path, lines: Sequence[LineProfiles], facts: Mapping[str, str]) -> None:
    """Write a workbook (XLSX).

    Each line's sheet has the columns of `profile_files.HEADS` once for each curve, units in the heads, below the curve's name.
    """
    from openpyxl import Workbook  # late: only for writing

    book = Workbook()
    book.remove(book.active)
    titles: list[str] = []
    for line in lines:
        titles.append(sheet_title(line.name, [*titles, "Facts"]))
        _fill(book.create_sheet(titles[-1]), line)
    sheet = book.create_sheet("Facts")
    for name, value in [*facts.items(), *_facts_of(lines, titles)]:
        add_row(sheet, [name, value])
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 26, 80
    book.save(path)


def sheet_title(name: str, taken: Sequence[str]) -> str:
    """Give a name that a sheet may have and no other one has."""
    base = re.sub(r"[\[\]:*?/\\]", "_", name).strip("'")[:_LONGEST_TITLE] or "Line"
    title, number, used = base, 1, {each.lower() for each in taken}
    while title.lower() in used:
        number += 1
        ending = f" ({number})"
        title = base[: _LONGEST_TITLE - len(ending)] + ending
    return title


def add_row(sheet: Any, values: Sequence[object], *, bold: bool = False) -> None:
    """Append a row; a text stays a text, whatever it begins with."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    cells = []
    for value in values:
        cell = WriteOnlyCell(sheet, None if value is None else value)
        if isinstance(value, str):
            cell.data_type = "s"
        if bold:
            cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)


def _fill(sheet: Any, line: LineProfiles) -> None:
    columns = len(HEADS)
    add_row(sheet, [text for curve in line.curves for text in (curve.title, *[None] * (columns - 1))], bold=True)
    add_row(sheet, [head for _ in line.curves for head in HEADS], bold=True)
    blocks = [rows_of(curve.profile) for curve in line.curves]
    empty = (None,) * columns
    for i in range(max(map(len, blocks))):
        sheet.append([value for block in blocks for value in (block[i] if i < len(block) else empty)])
    sheet.freeze_panes = "A3"
    for number in range(columns * len(blocks)):
        sheet.column_dimensions[sheet.cell(2, number + 1).column_letter].width = 14


def _facts_of(lines: Sequence[LineProfiles], titles: Sequence[str]) -> list[tuple[str, str]]:
    found = [
        ("Points of shapes", "column, row in pixels of the uncropped image, from the centre of its top left pixel")
    ]
    for line, title in zip(lines, titles, strict=True):
        points = "; ".join(f"{x:.9g}, {y:.9g}" for x, y in line.shape.points_px)
        found += [
            (f"{title}: shape", line.shape.kind), (f"{title}: points (px)", points),
            (f"{title}: width (px)", f"{line.shape.width_px:g}"),
        ]  # fmt: skip
        found += [(f"{title}: {curve.role}", f"{curve.source} (id {curve.source_id})") for curve in line.curves]
    return found
