"""Finetune beside a fitted emission: taught by a reference sphere, judged by the facets of steps of the same series."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eclips_app.cli.bench_accuracy import Known, figures, height_error_nm, settings
from eclips_app.cli.bench_calibration import radius_nm
from eclips_app.cli.bench_figures import lines_across
from eclips_app.cli.bench_known import Case, shared_cases
from eclips_app.cli.tables import Table
from eclips_app.core.calibration import Calibrate, Observation, Sphere, calibrated_detector
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.emission import calibrated_emission
from eclips_app.core.steps import ClosedLoop, StepResult, TrainFinetune, run_step

_SPHERE, _STEPS = "copper10_sphere", "copper10_steps"
_CERTIFIED = 0.05  #: percent, of the sphere's radius
_COLUMNS = ("method", "facet_bias_deg", "facet_scatter_deg", "rms_error_percent", "chi2")
_NOTES = (
    "Facets of copper10_steps by Gauss-Newton, Standard. Finetune: trained on copper10_sphere, whose shape is known; images are "
    "divided by its factors at the surface found, three times. Parametric: emission and geometry calibrated on the same sphere. "
    "Finetune, own: trained on the steps as Lambert's law gives them, three times over: what it explains away is lost to the "
    "facets.",
)


def tables(shared: Path, context: Context) -> list[Table]:
    """Give the table, where the reference cases are there."""
    found = rows(shared, context)
    return [Table("Finetune beside emission", _COLUMNS, tuple(found), _NOTES)] if found else []


def rows(shared: Path, context: Context) -> list[tuple[Any, ...]]:
    """Give a row for each way: see `_COLUMNS`."""
    cases = {case.name: case for case in shared_cases(shared)}
    if _SPHERE not in cases or _STEPS not in cases:
        return []
    sphere, steps = cases[_SPHERE], cases[_STEPS]
    known = Known(steps, lines_across(steps.normals), None, {"linear": height_error_nm(steps)})
    found: list[tuple[Any, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "finetune.safetensors"
        ways = _ways(sphere, steps, weights)
        for number, (name, way) in enumerate(ways.items()):
            context.progress(number / len(ways), name)
            result = way()
            made = figures(known, name, result.arrays)
            found.append((name, *(made[column] for column in _COLUMNS[1:-1]), result.info["chi2"]))
    return found


def _ways(sphere: Case, steps: Case, weights: Path) -> dict[str, Callable[[], StepResult]]:
    params = settings(steps, "standard")
    plain = partial(run_step, "reconstruct-closed-loop", {"segments": steps.segments})
    found: dict[str, Callable[[], StepResult]] = {
        "Lambert": partial(plain, params, SilentContext()),
        "Lambert + Finetune": partial(_finetuned, sphere, steps, params, weights),
        "Lambert + Finetune, own": partial(_own, steps, params, weights),
        "parametric": lambda: plain(_calibrated(sphere, params), SilentContext()),
    }
    if steps.emission is not None:
        found["table"] = partial(plain, replace(params, emission=steps.emission), SilentContext())
    return found


def train_on(case: Case, height: Any, params: ClosedLoop, weights: Path) -> dict[str, Any]:
    """Train on a case with a height in nm taken as known; gives chi-square with and without, and sizes."""
    chosen = {**vars(params), "detector": case.detector, "pixel_size_nm": case.pixel_size_nm}
    training = TrainFinetune(**chosen, output=str(weights))
    return run_step("train-finetune", {"segments": case.segments, "height": height}, training, SilentContext()).info


def _finetuned(known: Case, steps: Case, params: ClosedLoop, weights: Path, height: Any = None) -> StepResult:
    from eclips_app.engine.learned.finetune_file import read_finetune  # late: Torch
    from eclips_app.engine.learned.finetune_solve import reconstruct_corrected

    train_on(known, known.height if height is None else height, params, weights)
    network = read_finetune(weights).network
    return reconstruct_corrected({"segments": steps.segments}, params, network, SilentContext())


def _own(steps: Case, params: ClosedLoop, weights: Path) -> StepResult:
    """Train on the case itself, as it is reconstructed, alternately."""
    found = run_step("reconstruct-closed-loop", {"segments": steps.segments}, params, SilentContext())
    for _ in range(3):
        found = _finetuned(steps, steps, params, weights, found.arrays["height"])
    return found


def _calibrated(sphere: Case, params: ClosedLoop) -> ClosedLoop:
    known = Sphere(radius_nm=radius_nm(sphere.height, sphere.pixel_size_nm), radius_std_percent=_CERTIFIED)
    given = Calibrate(sphere.detector, (Observation(sphere.name, sphere.pixel_size_nm, sphere=known),))
    info = run_step("calibrate", {"segments/0": sphere.segments}, given, SilentContext()).info
    fitted = calibrated_detector(info, "2000-01-01")
    emission = calibrated_emission(fitted)
    assert emission is not None
    return replace(params, detector=fitted, emission=emission)
