"""The tables of a report: what was measured, and where its uncertainty comes from."""

from __future__ import annotations

from collections.abc import Iterator

from eclips_app.core.report import Report
from eclips_app.io.report.content import Block, Column, Table, Text
from eclips_app.io.report.numbers import written
from eclips_app.io.report.subject import Subject
from eclips_app.metrology.deviations import Share
from eclips_app.model.items import Measurement

_COLUMNS = (
    Column("Measurement", 38), Column("Quantity", 40), Column("Value", 22, True), Column("u", 17, True),
    Column("U", 17, True), Column("Unit", 10), Column("On", 34),
)  # fmt: skip
_SHARES = (
    Column("Measurement", 38), Column("Quantity", 40), Column("Part", 34), Column("u", 17, True), Column("%", 14, True),
    Column("Mostly", 30),
)  # fmt: skip


def measurements(subject: Subject, params: Report) -> Iterator[Block]:
    """Give the results table."""
    rows = []
    for each in subject.of_kind(Measurement):
        if each.problem:
            rows.append((each.name, each.problem, "–", "–", "–", "", each.source))
        for name, quantity in each.values.items():
            rows.append((each.name, name, *written(quantity, params.template.coverage_factor), each.source))
    if rows:
        yield Table(_COLUMNS, tuple(rows))
        yield Text(
            f"u: standard uncertainty (k = 1); U = {params.template.coverage_factor:g} u: expanded uncertainty. "
            "A dash: not known, which is not the same as zero.",
            "note",
        )


def budgets(subject: Subject, params: Report) -> Iterator[Block]:
    """Give the shares of each reading's variance."""
    rows = []
    for each in subject.of_kind(Measurement):
        for name, quantity in each.values.items():
            for share in (Share(**said) for said in quantity.get("budget") or ()):
                if share.percent >= 0.5:
                    std, _, _, unit = written({"value": share.std, "std": share.std, "unit": quantity["unit"]}, 1.0)
                    rows.append((each.name, name, share.part, f"{std} {unit}", f"{share.percent:.0f}", share.largest))
    if rows:
        yield Table(_SHARES, tuple(rows))
