"""Step height and step angle of the reference cases through the full chain, beside the truth measured by the same recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.cli.bench_known import shared_cases
from eclips_app.cli.bench_metrology import measured
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.measuring import Measure, Recipe, Stretch
from eclips_app.core.schema import dump
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import ClosedLoop, run_step


@dataclass(frozen=True)
class StepCase:
    """Where a case's step is measured.

    Attributes
    ----------
    line : Shape
        Across the step, averaged along it.
    before, behind : (float, float)
        Stretches in nm of the levels on both sides.
    terrace, face : Shape
        Areas of a level and of the inclined face: the step angle is that between their planes.
    """

    line: Shape
    before: Stretch
    behind: Stretch
    terrace: Shape
    face: Shape


#: The steps of `steps46` run obliquely, those of `spiral45` almost along the columns; the lines cross them at right angles.
CASES = {
    "steps46": StepCase(
        Shape("line", ((54.0, 74.6), (110.0, 69.4)), 17.0), (4.0, 36.0), (76.0, 108.0),
        Shape("rectangle", ((62.0, 56.0), (73.0, 88.0))),
        Shape("polygon", ((78.0, 56.0), (83.5, 56.0), (86.0, 88.0), (81.0, 88.0))),
    ),
    "spiral45": StepCase(
        Shape("line", ((178.5, 127.75), (238.5, 132.25)), 21.0), (6.0, 40.0), (80.0, 114.0),
        Shape("rectangle", ((176.0, 110.0), (197.0, 150.0))),
        Shape("polygon", ((207.0, 105.0), (213.0, 105.0), (209.5, 155.0), (203.0, 155.0))),
    ),
}  # fmt: skip


def table(shared: Path, context: Context) -> Table:
    """Reconstruct the cases under ``shared/cases`` (closed loop, standard quality) and measure their steps."""
    rows: list[tuple[Any, ...]] = []
    notes = []
    for case in shared_cases(shared):
        if case.name not in CASES:
            continue
        facts = json.loads((shared / "cases" / case.name / "case.json").read_text(encoding="utf-8"))
        params = ClosedLoop(case.detector, case.pixel_size_nm, grey_per_electron=facts["grey_per_electron"])
        result = run_step("reconstruct-closed-loop", {"segments": case.segments}, params, context)
        rows += rows_of(case.name, result.arrays, result.info, params, case.height)
        notes.append(f"{case.name}: stated nothing of, so in no sigma: {', '.join(result.info.get('not_stated', ()))}.")
    missing = [name for name in CASES if name not in {row[0] for row in rows}]
    if missing:
        notes.append(f"Not there: {', '.join(missing)}; --shared names their folder.")
    columns = ("case", "figure", "unit", "ours", "sigma", "truth", "difference", "sigmas off")
    return Table("Steps of reference cases through the full chain", columns, tuple(rows), tuple(notes))


def rows_of(
    name: str, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], params: ClosedLoop, truth: NDArray[Any]
) -> list[tuple[Any, ...]]:
    """Measure step height and angle of a finished reconstruction of a case, and of the truth by the same recipe."""
    case = CASES[name]
    stretches = (case.before, case.behind)
    rows = []
    for kind, shapes, marked, quantity, figure in (
        ("step", (case.line,), stretches, "height", "step height"),
        ("plane-angle", (case.terrace, case.face), (), "angle", "step angle"),
    ):
        of_run = Measure.of_run(Recipe(kind, marked), shapes, info, dump(params))
        ours = run_step("measure", arrays, of_run, SilentContext()).info["values"][quantity]
        true = measured(kind, truth, params.pixel_size_nm, shapes, marked).info["values"][quantity]["value"]
        off, std = ours["value"] - true, ours["std"]
        rows.append((name, figure, ours["unit"], ours["value"], std, true, off, off / std if std else None))
    return rows
