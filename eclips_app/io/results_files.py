"""The results table as text and files.

It has a row for each measurement, and for each quantity a column and one for its standard deviation.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS
from eclips_app.io.atomic import whole_file
from eclips_app.model.items import Measurement
from eclips_app.model.measurements import shapes_of
from eclips_app.model.project import Project


def quantities(rows: Sequence[Measurement]) -> list[tuple[str, str]]:
    """Give name and unit of every quantity that occurs, in order."""
    seen: dict[tuple[str, str], None] = {}
    for row in rows:
        for name, quantity in row.values.items():
            seen[name, str(quantity["unit"])] = None
    return list(seen)


def kind_title(row: Measurement) -> str:
    """Say what a row measures; empty where it was read once and has no recipe."""
    kind = KINDS.get(str(row.recipe.get("kind", "")))
    return kind.title if kind is not None else ""


def table(project: Project) -> list[list[Any]]:
    """Give head and rows; numbers and their standard deviations in columns of their own, None where there is none."""
    rows = project.of_kind(Measurement)
    names = quantities(rows)
    heads = [f"{name} ({unit})" if unit else name for name, unit in names]
    found: list[list[Any]] = [
        [
            "name",
            "measurement",
            "source",
            "shape",
            *(each for head in heads for each in (head, f"{head} std")),
            "problem",
        ]
    ]
    for row in rows:
        shape = ", ".join(line.name for line in shapes_of(project, row))
        cells: list[Any] = [row.name, kind_title(row), row.source, shape]
        for name, unit in names:
            quantity = row.values.get(name)
            mine = quantity if quantity and quantity["unit"] == unit else {}
            cells += [mine.get("value"), mine.get("std")]
        found.append([*cells, row.problem])
    return found


def results_text(project: Project, separator: str = ",") -> str:
    """Give the table as text with a head."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    for row in table(project):
        writer.writerow(["" if cell is None else cell for cell in row])
    return out.getvalue()


def write_results(project: Project, path: Path) -> None:
    """Write the table as CSV or XLSX, whole or not at all.

    Raises
    ------
    EclipsError
        If there is no row, the suffix is another one, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise EclipsError(f"results are not written as '{suffix}'", where=str(path), hint="Use .csv or .xlsx.")
    if not project.of_kind(Measurement):
        raise EclipsError("there are no results to write", where=str(path))
    with whole_file(path) as temporary:
        if suffix == ".csv":
            temporary.write_text(results_text(project), encoding="utf-8")
        else:
            _write_workbook(project, temporary)


def _write_workbook(project: Project, path: Path) -> None:
    from openpyxl import Workbook  # late: only for writing

    from eclips_app.io.profile_workbook import add_row

    book = Workbook()
    book.remove(book.active)
    sheet = book.create_sheet("Results")
    for number, row in enumerate(table(project)):
        add_row(sheet, row, bold=number == 0)
    sheet.freeze_panes = "B2"
    for column in "ABCD":
        sheet.column_dimensions[column].width = 26
    facts = book.create_sheet("How measured")
    add_row(facts, ["name", "recipe", "notes", "source id", "shape ids"], bold=True)
    for each in project.of_kind(Measurement):
        recipe = json.dumps(each.recipe, ensure_ascii=False) if each.recipe else "read once"
        ids = ", ".join([each.line_id, *each.more_line_ids])
        add_row(facts, [each.name, recipe, " ".join(each.notes), each.run_id, ids])
    book.save(path)
