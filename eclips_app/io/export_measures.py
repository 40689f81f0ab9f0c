"""Tables and curves of measurements as files: CSV, XLSX, and a CSV file for each curve."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.io.atomic import whole_file

COLUMNS = ("input", "source", "measurement", "shapes", "quantity", "value", "std", "unit", "budget", "notes")


def write_table(path: Path, measurements: Sequence[Mapping[str, Any]]) -> None:
    """Write one row for each quantity of each measurement; the suffix says how (.csv or .xlsx).

    Parameters
    ----------
    measurements : sequence of mappings
        With `input`, `source`, `name`, `on` (texts), `values` (see `core.measuring.Measure`), `notes` and `problem`.

    Raises
    ------
    EclipsError
        If the suffix is another.
    """
    rows = [row for each in measurements for row in _rows(each)]
    kind = path.suffix.lower()
    if kind == ".csv":
        with whole_file(path) as target, target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([_plain(cell) for cell in row] for row in rows)
    elif kind == ".xlsx":
        _write_workbook(path, rows)
    else:
        raise EclipsError(f"a table is not written as '{kind}'", where=str(path), hint="Give .csv or .xlsx.")


def write_curves(folder: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> list[Path]:
    """Write each curve (``NAME/x`` with ``NAME/y``) and each map of a measurement as CSV; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for key, array in arrays.items():
        curve, _, axis = key.rpartition("/")
        if axis == "y" and curve:
            table, title = np.stack([arrays[f"{curve}/x"], array], axis=1), curve
        elif array.ndim == 2:
            table, title = array, key
        else:
            continue
        path = folder / (re.sub(r"[^\w.-]+", "-", f"{name}-{title}").strip("-") + ".csv")
        with whole_file(path) as target:
            np.savetxt(target, table, delimiter=",", fmt="%.10g")
        written.append(path)
    return written


def _rows(measurement: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    head = (measurement["input"], measurement["source"], measurement["name"], "; ".join(measurement["on"]))
    notes = " ".join(measurement.get("notes", ()))
    if measurement.get("problem"):
        return [(*head, "", None, None, "", "", measurement["problem"])]
    return [
        (*head, name, value["value"], value["std"], value["unit"], _budget(value), notes)
        for name, value in measurement["values"].items()
    ]


def _budget(value: Mapping[str, Any]) -> str:
    shares = [share for share in value.get("budget", ()) if share["percent"] >= 0.5]
    return ", ".join(f"{share['part']} {share['percent']:.0f} %" for share in shares)


def _plain(cell: Any) -> Any:
    return "" if cell is None else repr(cell) if isinstance(cell, float) else cell


def _write_workbook(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    sheet.title = "Measurements"
    sheet.append(COLUMNS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in rows:
        sheet.append(row)
    # A text that begins with "=" (a name of a shape) is text, not a formula.
    for line in sheet.iter_rows(min_row=2):
        for cell in line:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    for number, name in enumerate(COLUMNS, 1):
        widest = max([len(name), *(len(str(row[number - 1])) for row in rows)])
        sheet.column_dimensions[get_column_letter(number)].width = min(widest + 2, 60)
    sheet.freeze_panes = "A2"
    with whole_file(path) as target:
        book.save(target)
