"""What is asked of the closed loop, and whether the figures meet it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eclips_app.cli.tables import Table

_METHODS = ("standard", "metrology", "standard, table")
_NOTES = (
    "The size of a figure is compared, whatever its sign. Edges may be a hundredth wider: so far noise moves them.",
)


@dataclass(frozen=True)
class Target:
    """A limit on the size of a figure in the cases whose name ends with one of some words; no words: in all."""

    figure: str
    limit: float
    words: tuple[str, ...] = ()

    def of(self, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Give case, figure, limit and, for each method, its value and whether it keeps to the limit."""
        found = []
        for case in dict.fromkeys(row["case"] for row in rows):
            if self.words and not case.endswith(self.words):
                continue
            values = [_value(rows, case, method, self.figure) for method in _METHODS]
            if any(value is not None for value in values):
                found.append((case, self.figure, self.limit, *(part for v in values for part in (v, self._kept(v)))))
        return found

    def _kept(self, value: float | None) -> str | None:
        return None if value is None else "yes" if abs(value) <= self.limit else "NO"


_STEPS = ("steps", "steps46", "steps46_lowdose", "spiral45", "spiral", "composition")
TARGETS = (
    Target("facet_bias_deg", 0.1, _STEPS),
    Target("scatter_over_bound", 1.25, _STEPS),
    Target("edge_over_true", 1.01, _STEPS),
    Target("imprint_percent", 0.5),
    Target("over_linear", 1 / 12, ("grating78",)),
    Target("over_linear", 1 / 6, ("particles",)),
    Target("over_linear", 0.75, ("rough25", "rough")),
    Target("over_linear", 1 / 3, ("steps46",)),
    Target("over_linear", 1.0, ("flat_relief",)),
)


def _value(rows: Sequence[dict[str, Any]], case: str, method: str, figure: str) -> float | None:
    return next((row[figure] for row in rows if (row["case"], row["method"]) == (case, method)), None)


def targets_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Put the figures beside what is asked of them; `rows` as in the table of figures."""
    columns = ("case", "figure", "limit", *(part for name in _METHODS for part in (name, f"{name}: met")))
    lines = tuple(line for target in TARGETS for line in target.of(rows))
    return Table("Targets of the closed loop", columns, lines, _NOTES)
