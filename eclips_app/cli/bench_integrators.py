"""Integrators side by side: errors of heights, facets and steps with their times, and whether they keep to what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.bench_figures import Across, lines_across, mean_angle_deg, mean_over_faces, without_plane
from eclips_app.cli.bench_known import normals
from eclips_app.cli.bench_surrogates import measured_maps
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import Reconstruct

Float = NDArray[np.float64]
Row = dict[str, Any]

METHODS = rule_of(Reconstruct, "integrator").choices
NOISES_DEG = (0.0, 1.0, 3.0)
_FACE_DEG, _STEP_PERCENT = 0.15, 0.1  #: largest biases accepted, up to `_QUIET_DEG`
_QUIET_DEG = 1.0
_EQUAL = 1.002  #: errors that differ by less are equal
_NOTES = (
    "Normals are off by Gaussian angles of `noise` in two directions. RMSE: without planes, in percent of the height range; "
    "/Wiener: over that of wiener. Normal: mean angle between normals. Facet and step: mean over faces of what lines across them "
    "read, less what they read on the true heights. Seconds: one thread.",
    f"Accepted: RMSE at most Wiener's (within {100 * (_EQUAL - 1):.1f} %) and, up to {_QUIET_DEG:g}° of noise, facets within "
    f"{_FACE_DEG:g}° and steps within {_STEP_PERCENT:g} %.",
)


def tables(shared: Path, context: Context, *, quick: bool = False) -> Iterable[Table]:
    """Measure; measured maps and the vase are used where the shared folder has them. `quick` takes fewer and smaller ones."""
    from eclips_app.engine.integrators import figures

    sizes, seeds = ((96,), 1) if quick else ((256, 512), 3)
    rows: list[Row] = []
    cases = [(size, name) for size in sizes for name in figures.SURFACES]
    for number, (size, name) in enumerate(cases):
        context.progress(0.7 * number / len(cases), f"{name}, {size} px")
        rows += _rows(figures.surface(name, size), f"{name} {size}", seeds, context)
    yield _table("Known surfaces", rows, _NOTES)
    yield _summary(rows)
    context.progress(0.7, "Measured maps")
    maps = measured_maps(shared / "data" / "afm", 2 if quick else 12)
    if maps:
        yield _of_maps([figures.measured_surface(each) for each in maps], context)
    vase = shared / "data" / "normals" / "vase.mat"
    if vase.is_file():
        context.progress(0.9, "Vase")
        yield _table(
            "Vase (Queau et al. 2018), masked, steep towards its outline", _rows(_vase(vase), "vase", 1, context)
        )


def _rows(given: Any, name: str, seeds: int, context: Context) -> list[Row]:
    """Give a row for each noise and method."""
    lines = lines_across(given.normals) if name.startswith("stepped") else []
    found: list[Row] = []
    for degrees in NOISES_DEG:
        rows = [_row(given, name, degrees, method, seeds, lines, context) for method in METHODS]
        wiener = next(row["RMSE %"] for row in rows if row["method"] == "wiener")
        for row in rows:
            row["/Wiener"] = row["RMSE %"] / wiener
            row["accepted"] = "yes" if _is_accepted(row) else "no"
        found += rows
    return found


def _row(
    given: Any, name: str, degrees: float, method: str, seeds: int, lines: Sequence[Across], context: Context
) -> Row:
    from eclips_app.engine.integrators.figures import heights

    inside = np.ones(given.height.shape, bool) if given.mask is None else given.mask
    parts = []
    for seed in range(seeds):
        context.check()
        height, seconds = heights(method, given, degrees, seed)
        parts.append((*_errors(height, given, inside), *_biases(height, given.height, lines), seconds))
    rmse, normal, face, step, seconds = (float(np.mean(column)) for column in zip(*parts, strict=True))
    return {
        "surface": name, "noise deg": degrees, "method": method, "RMSE %": rmse, "/Wiener": 1.0, "normal deg": normal,
        "facet deg": face if lines else None, "step %": step if lines else None, "s": seconds, "accepted": "",
    }  # fmt: skip


def _errors(height: Float, given: Any, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the error of heights in percent of their range, without planes, and the mean angle between normals in degrees."""
    error = height - given.height
    missed = without_plane(error)[inside] if inside.all() else error[inside] - error[inside].mean()
    angle = mean_angle_deg(normals(height, 1.0)[:, inside], given.normals[:, inside])
    return 100.0 * float(np.std(missed)) / float(np.ptp(given.height[inside])), angle


def _biases(height: Float, truth: Float, lines: Sequence[Across]) -> tuple[float, float]:
    """Give the bias of facet angles in degrees and of steps in percent; NaN without."""
    if not lines:
        return float("nan"), float("nan")
    angles = np.array([line.angle_deg(height, 1.0) - line.angle_deg(truth, 1.0) for line in lines])
    stepped = [line for line in lines if line.step is not None]
    steps = np.array([line.step.of(height) / line.step.of(truth) - 1.0 for line in stepped if line.step is not None])
    return mean_over_faces(lines, angles), 100.0 * mean_over_faces(stepped, steps) if stepped else float("nan")


def _is_accepted(row: Row) -> bool:
    if row["/Wiener"] > _EQUAL:
        return False
    if row["noise deg"] > _QUIET_DEG or row["facet deg"] is None:
        return True
    return bool(abs(row["facet deg"]) <= _FACE_DEG and abs(row["step %"]) <= _STEP_PERCENT)


def _summary(rows: Sequence[Row]) -> Table:
    """Count for each method what it keeps to."""
    found = []
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        kept = sum(row["accepted"] == "yes" for row in own)
        best = sum(
            row["RMSE %"] <= min(r["RMSE %"] for r in rows if _case(r) == _case(row)) * _EQUAL for row in own
        )  # fmt: skip
        quiet = [row for row in own if row["noise deg"] <= _QUIET_DEG and row["facet deg"] is not None]
        face, step = (max(abs(row[name]) for row in quiet) for name in ("facet deg", "step %"))
        found.append((method, len(own), best, kept, "yes" if kept == len(own) else "no", face, step))
    columns = ("method", "cases", "least error", "accepted", "all", "largest facet bias deg", "largest step bias %")
    return Table("Acceptance", columns, tuple(found), (f"Biases: up to {_QUIET_DEG:g}° of noise.",))


def _case(row: Row) -> tuple[Any, ...]:
    return row["surface"], row["noise deg"]


def _of_maps(surfaces: Sequence[Any], context: Context) -> Table:
    """Give means over measured maps."""
    each = [_rows(given, "map", 1, context) for given in surfaces]
    found = []
    for i, first in enumerate(each[0]):
        rows = [rows[i] for rows in each]
        rmse, over, normal = (np.array([row[name] for row in rows]) for name in ("RMSE %", "/Wiener", "normal deg"))
        better = sum(row["accepted"] == "yes" for row in rows)
        found.append(
            (first["noise deg"], first["method"], rmse.mean(), np.exp(np.log(over).mean()), better, normal.mean())
        )
    columns = ("noise deg", "method", "RMSE %", "/Wiener", "maps within Wiener's", "normal deg")
    note = "Means over maps (/Wiener: geometric), levelled, of pixels of 2 x 2 of theirs; no weights have seen them."
    return Table(f"{len(surfaces)} measured maps (AFM)", columns, tuple(found), (note,))


def _table(title: str, rows: Sequence[Row], notes: tuple[str, ...] = ()) -> Table:
    columns = tuple(rows[0])
    return Table(title, columns, tuple(tuple(row.values()) for row in rows), notes)


def _vase(path: Path) -> Any:
    """Read the vase: its p runs down the rows, its q along the columns."""
    from scipy.io import loadmat  # late

    from eclips_app.engine.integrators.figures import Surface

    read = loadmat(path, variable_names=("u", "p", "q", "mask"))
    mask = read["mask"] > 0
    return Surface("vase", read["u"] * mask, np.stack([read["q"], -read["p"]]) * mask, mask)
