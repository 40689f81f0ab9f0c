"""Reports as PDF, on sheets of A4 (`io.sheets`)."""

from __future__ import annotations

from pathlib import Path

from eclips_app.io.certificate_words import shortened
from eclips_app.io.report.content import Block, Content, Pairs, Picture, Table, Text
from eclips_app.version import VERSION

_MM_PER_LETTER = 1.45  #: mean, of the tables' 8 points


def write_pdf(path: Path, content: Content) -> None:
    """Write a report, whole or not at all; `EclipsError` if the file cannot be written."""
    from eclips_app.io import sheets  # late: Matplotlib takes half a second to import

    with sheets.drawn():
        made = sheets.Sheets()
        made.title(content.title, 18)
        made.text(content.subtitle, color=sheets.FAINT)
        for section in content.sections:
            if section.title:
                made.heading(section.title)
            for block in section.blocks:
                _put(made, block)
        made.finish(content.footer)
        sheets.write_pdf(path, made, content.title, f"ECLIPS {VERSION}", dpi=content.dpi)


def _put(made: object, block: Block) -> None:
    from eclips_app.io import sheets
    from eclips_app.io.report.figures import COLOR_BAR_MM

    assert isinstance(made, sheets.Sheets)
    match block:
        case Text(text, "code"):
            for line in text.splitlines():
                made.text(line, 7, font="mono")
        case Text(text, kind):
            made.text(text, 7.5 if kind == "note" else 8.5, color=sheets.ALERT if kind == "alert" else sheets.INK)
        case Pairs(rows, mono):
            made.pairs(rows, 7 if mono else 8.5, font="mono" if mono else "sans")
        case Table():
            _table(made, block)
        case Picture(kind="map"):
            block.draw(made.picture(block.width_mm - COLOR_BAR_MM, block.height_mm, block.caption))
        case Picture():
            block.draw(made.diagram(block.height_mm))
            made.text(block.caption, 7.5, color=sheets.FAINT)


def _table(made: object, table: Table) -> None:
    from eclips_app.io import sheets

    assert isinstance(made, sheets.Sheets)
    total, width = sum(column.share for column in table.columns), sheets.RIGHT - sheets.LEFT
    columns, at = [], 0.0
    for column in table.columns:
        share = column.share / total * width
        # Numbers end a little before the next column begins.
        columns.append(sheets.Column(column.title, at + share - 3.0 if column.right else at, column.right))
        at += share
    # Only the last column wraps.
    letters = [max(int(c.share / total * width / _MM_PER_LETTER) - 1, 3) for c in table.columns[:-1]] + [10_000]
    made.table(columns, [tuple(map(shortened, row, letters)) for row in table.rows])
