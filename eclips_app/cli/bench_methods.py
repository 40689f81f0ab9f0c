"""Learned and exact reconstruction side by side, on reference cases and on fresh surfaces at three doses."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli import bench_finetune, bench_methods_cost
from eclips_app.cli.bench_accuracy import Known, figures
from eclips_app.cli.bench_figures import lines_across
from eclips_app.cli.bench_known import AZIMUTHS, SUBPIXELS, Case, fresh_recipes, shared_cases
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.steps import STEPS, Cycle, Reconstruct, StepResult, run_step

DOSES = (1e3, 1e4, 1e5)  #: electrons on a flat, per pixel and segment
ROUNDS = 60  #: of the self-supervised loop
COLUMNS = (
    "case", "dose", "method", "rms_error_nm", "over_linear", "normal_error_deg", "normal_over_linear", "facet_bias_deg", "chi2",
    "outer_steps", "cpu_s",
)  # fmt: skip
_CYCLE = ("method", "rms_percent", "largest_nm", "normal_error_deg")
_SUMMARY = ("cases", "method", "count", "over_linear", "normal_over_linear", "cpu_s")
_SHADOWED = ("grating78", "particles", "spiral45", "steps46", "three_segments", "nonlambert_steps", "composition")
#: Surfaces that loops, which take a minute each, are run on, and doses; all others get the methods without rounds.
_LOOPED = ("steps46", "grating78", "rough", "fresh steps46", "fresh grating78", "fresh rough")
_LOOPED_DOSES = (None, 1e3, 1e4)
_QUICK = ("fresh steps46",), 96, (1e3,)


@dataclass(frozen=True)
class Way:
    """A way to reconstruct: the step's name, and what its parameters have beside those of the case."""

    name: str
    step: str
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def is_looped(self) -> bool:
        """Whether it takes a minute."""
        return bool(self.given.get("rounds"))

    def params(self, case: Case) -> Reconstruct:
        """Give the parameters for a case, whose images hold no scan parallax; what it needs no draws for has few."""
        kind = STEPS[self.step].params
        shared: dict[str, Any] = {"scan_parallax": False, "device": "cpu"}
        if self.step != "reconstruct-linear":
            shared["draws"] = 2
        made: Reconstruct = kind(case.detector, case.pixel_size_nm, **shared, **self.given)
        return made

    def run(self, case: Case) -> StepResult:
        """Reconstruct a case."""
        return run_step(self.step, {"segments": case.segments}, self.params(case), SilentContext())


def ways(*, rounds: int = ROUNDS) -> tuple[Way, ...]:
    """Give all ways, the linear one first."""
    loop = {"rounds": rounds}
    return (
        Way("linear", "reconstruct-linear"),
        Way("U-Net", "reconstruct-learned"),
        Way("U-Net + loop, exact", "reconstruct-learned", loop),
        Way("U-Net + loop, VFT", "reconstruct-learned", {**loop, "renderer": "vft"}),
        Way("U-Net + loop, Finetune", "reconstruct-learned", {**loop, "finetune": True}),
        Way("paper", "reconstruct-learned", {**loop, "renderer": "vft", "finetune": True, "integrator": "pinn"}),
        Way("Gauss-Newton", "reconstruct-closed-loop"),
        Way("U-Net + Gauss-Newton", "reconstruct-closed-loop", {"starter": "unet"}),
    )


def tables(
    shared: Path | None, context: Context, *, quick: bool = False, seed: int = 1, only: Sequence[str] = ()
) -> Iterable[Table]:
    """Measure; `only`: cases of these names."""
    chosen = list(_cases(shared, quick=quick, seed=seed, only=only))
    rows: list[dict[str, Any]] = []
    for number, (dose, case) in enumerate(chosen):
        rows += _rows(case, dose, ways(rounds=2 if quick else ROUNDS), context, number / len(chosen))
    notes = (
        "Height error: root mean square less a plane. Over linear: the same over that of linear. Normal error: mean angle. "
        "Facets: bias of the steepest common tilt on single lines. Lambert emission is assumed whatever rendered the images.",
        f"Loops: {2 if quick else ROUNDS} rounds, on some cases. 'fresh …': surfaces drawn with seed {seed}, rendered at "
        f"{SUBPIXELS}x with {AZIMUTHS} azimuths. CPU seconds of all threads, with standard deviations from 2 draws.",
    )
    yield Table("Methods on known surfaces", COLUMNS, tuple(tuple(row[n] for n in COLUMNS) for row in rows), notes)
    yield _summary(rows)
    if only:
        return
    seen = [case for dose, case in chosen if case.name == _QUICK[0][0] and dose in (DOSES[1], _QUICK[2][0])][-1]
    yield _cycles(seen, ways(rounds=2 if quick else ROUNDS), context)
    if shared is not None and not quick:
        yield from bench_finetune.tables(shared, context)
    yield from bench_methods_cost.tables(context, quick=quick)


def _cases(shared: Path | None, *, quick: bool, seed: int, only: Sequence[str]) -> Iterator[tuple[float | None, Case]]:
    """Give cases and their doses; None: as they are."""
    names, pixels, doses = _QUICK if quick else ((), 256, DOSES)
    if not quick:
        yield from ((None, case) for case in shared_cases(shared) if not only or case.name in only)
    wanted = only or names
    for recipe in fresh_recipes(seed, pixels):
        if not wanted or recipe.name in wanted:
            yield from ((dose, replace(recipe, dose=dose).made()) for dose in doses)


def _rows(
    case: Case, dose: float | None, methods: Sequence[Way], context: Context, done: float
) -> Iterator[dict[str, Any]]:
    known = Known(case, lines_across(case.normals), None)
    linear_deg = 1.0
    for way in methods:
        if way.is_looped and (case.name not in _LOOPED or dose not in _LOOPED_DOSES):
            continue
        context.progress(done, f"{case.name}: {way.name}")
        start = time.process_time()
        result = way.run(case)
        row = figures(known, way.name, result.arrays)
        linear_deg = row["normal_error_deg"] if way.name == "linear" else linear_deg
        yield row | {
            "dose": dose, "normal_over_linear": row["normal_error_deg"] / linear_deg,
            "chi2": result.info.get("chi2", result.info.get("chi2_median")),
            "outer_steps": len(result.info["inner_steps"]) if result.info.get("inner_steps") else None,
            "cpu_s": time.process_time() - start,
        }  # fmt: skip


def _cycles(case: Case, methods: Sequence[Way], context: Context) -> Table:
    """Render what each method has found, have it reconstruct the images, and compare."""
    rows = []
    for way in methods:
        context.progress(0.9, f"cycle: {way.name}")
        params, result = way.params(case), way.run(case)
        same = {f.name: getattr(params, f.name) for f in fields(params)}
        if way.step != "reconstruct-linear":
            same["grey_per_electron"] = result.info["grey_per_electron"]  # images without noise tell none
        flat = float(np.median(case.segments))
        inputs = {name: result.arrays[name] for name in ("height", "mask")} | {"rho": result.arrays["rho"] * flat}
        request = Cycle(**same, method=way.step.removeprefix("reconstruct-"))
        info = run_step("cycle", inputs, request, SilentContext()).info
        rows.append((way.name, *(info[column] for column in _CYCLE[1:])))
    note = f"Of {case.name}. A small cycle error does not prove a method: any that is wrong and consistent passes."
    return Table("Cycle consistency", _CYCLE, tuple(rows), (note,))


def _summary(rows: Sequence[dict[str, Any]]) -> Table:
    """Give geometric means over groups of cases; time as median."""
    groups = {
        "all": list(rows), "dose 1e3": [row for row in rows if row["dose"] == 1e3],
        "shadowed": [row for row in rows if row["case"].removeprefix("fresh ") in _SHADOWED],
    }  # fmt: skip
    found = []
    for group, members in groups.items():
        for name in dict.fromkeys(row["method"] for row in rows):
            here = [row for row in members if row["method"] == name]
            if here:
                means = (
                    float(np.exp(np.mean(np.log([row[key] for row in here]))))
                    for key in ("over_linear", "normal_over_linear")
                )
                found.append((group, name, len(here), *means, float(np.median([row["cpu_s"] for row in here]))))
    note = "Geometric means over the cases of the group on which a method ran; median CPU seconds."
    return Table("Methods beside linear", _SUMMARY, tuple(found), (note,))
