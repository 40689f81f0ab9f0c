"""The tables of a report: what was measured, and where its uncertainty comes from."""

from __future__ import annotations

from collections.abc import Iterator

from eclips_app.core.report import Report
from eclips_app.core.units import capital
from eclips_app.io.report.content import Block, Column, Table, Text
from eclips_app.io.report.numbers import written
from eclips_app.io.report.subject import Subject
from eclips_app.metrology.deviations import Share
from eclips_app.model.items import Measurement

_COLUMNS = (
    Column("Measurement", 48), Column("Quantity", 36), Column("Value", 20, True), Column("u", 15, True),
    Column("U", 15, True), Column("Unit", 14), Column("On", 30),
)  # fmt: skip
_SHARES = (
    Column("Measurement", 48), Column("Quantity", 36), Column("Part", 28), Column("u", 26, True), Column("%", 12, True),
    Column("Mostly", 30),
)  # fmt: skip


def measurements(subject: Subject, params: Report) -> Iterator[Block]:
    """Give the results table; what follows the first row of a measurement does not name it again."""
    rows: list[tuple[str, ...]] = []
    for each in subject.of_kind(Measurement):
        told = [(each.problem, "–", "–", "–", "")] if each.problem else []
        told += [
            (capital(name), *written(quantity, params.template.coverage_factor))
            for name, quantity in each.values.items()
        ]
        rows += [(each.name, *row, each.source) if i == 0 else ("", *row, "") for i, row in enumerate(told)]
    if rows:
        yield Table(_COLUMNS, tuple(rows))
        yield Text(
            f"u: standard uncertainty (k = 1); U = {params.template.coverage_factor:g} u: expanded uncertainty. "
            "A dash: not known, which is not the same as zero.",
            "note",
        )


def budgets(subject: Subject, params: Report) -> Iterator[Block]:
    """Give the shares of each reading's variance."""
    rows: list[tuple[str, ...]] = []
    before = ("", "")
    for each in subject.of_kind(Measurement):
        for name, quantity in each.values.items():
            for share in (Share(**said) for said in quantity.get("budget") or ()):
                if share.percent >= 0.5:
                    std, _, _, unit = written({"value": share.std, "std": share.std, "unit": quantity["unit"]}, 1.0)
                    mine = each.id, name
                    named = ("" if each.id == before[0] else each.name, "" if mine == before else capital(name))
                    rows.append((*named, share.part, f"{std} {unit}", f"{share.percent:.0f}", share.largest))
                    before = mine
    if rows:
        yield Table(_SHARES, tuple(rows))
