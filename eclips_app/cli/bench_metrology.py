"""Benchmark of the measurements: on surfaces of known values, beside independent libraries, and on reconstructed steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.measuring import Measure, Recipe, Stretch
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import StepResult, run_step


def tables(shared: Path, context: Context, *, quick: bool = False) -> list[Table]:
    """Give all tables; the quick version leaves out the reconstructions and takes three AFM files."""
    from eclips_app.cli import bench_metrology_cases, bench_metrology_known, bench_metrology_libraries

    found = [bench_metrology_known.table()]
    context.progress(0.2, "Known surfaces")
    found += bench_metrology_libraries.tables(shared / "data" / "afm", quick=quick)
    context.progress(0.5, "Independent libraries")
    if not quick:
        found.append(bench_metrology_cases.table(shared, context))
    return found


def measured(
    kind: str,
    height: NDArray[Any],
    size_nm: float | tuple[float, float],
    shapes: Sequence[Shape] = (),
    stretches: Sequence[Stretch] = (),
    **options: Any,
) -> StepResult:
    """Measure a height map [row, col] in nm by the step."""
    size = size_nm if isinstance(size_nm, tuple) else (size_nm, size_nm)
    params = Measure(Recipe(kind, tuple(stretches), options), tuple(shapes), size)
    return run_step("measure", {"height": height}, params, SilentContext())


def difference_percent(ours: float | None, theirs: float) -> float | None:
    """Give by how many % ours differs; None where there is nothing to divide by."""
    return None if ours is None or not theirs else 100 * (ours / theirs - 1)
