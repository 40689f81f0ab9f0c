"""A finished calibration as a document item: how it is kept, and what of its making has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.calibration import Calibrate, calibrated_detector
from eclips_app.core.steps import StepResult
from eclips_app.model.calibration import plan_of, reference_print, start_detector, title_of
from eclips_app.model.items import Calibration, CalibrationPlan, new_id
from eclips_app.model.project import Project
from eclips_app.model.snapshot import plain


def make_calibration(
    project: Project, name: str, plan: CalibrationPlan, prints: Mapping[str, str], params: Calibrate, result: StepResult
) -> Calibration:
    """Make the item of a finished calibration; its arrays become read-only."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    info = plain(result.info)
    detector = calibrated_detector(info, created)
    del info["detector"]
    info |= {"references": [each.id for each in plan.references if each.used], "prints": dict(prints)}
    arrays = {key.replace("/", "_"): array for key, array in result.arrays.items() if key.startswith("residual/")}
    for array in arrays.values():
        array.setflags(write=False)
    pinned = replace(plan, detector=params.detector)  # going back to it must not start from what came out of it
    return Calibration(new_id(), name, created, detector, pinned, schema.dump(params), info, arrays)


def residual_of(calibration: Calibration | None, reference_id: str) -> NDArray[Any] | None:
    """Give what a calibration left of an observation, [k, row, col] in % of the signal; None if it did not use it."""
    if calibration is None or reference_id not in calibration.info["references"]:
        return None
    return calibration.arrays.get(f"residual_{calibration.info['references'].index(reference_id)}")


def before(project: Project, calibration: Calibration | None) -> Calibration | None:
    """Give the calibration that was made before one; None if it is the first."""
    made = project.of_kind(Calibration)
    place = made.index(calibration) if calibration in made else 0
    return made[place - 1] if place else None


def parameters_by_name(calibration: Calibration | None) -> dict[str, dict[str, Any]]:
    """Give what a calibration found of each parameter."""
    return {each["name"]: each for each in calibration.info["parameters"]} if calibration else {}


def changed_since(project: Project, calibration: Calibration) -> list[str]:
    """Name what is not any more as it was when a calibration was made."""
    plan, then, found = plan_of(project), calibration.plan, []
    if start_detector(project) != then.detector:
        found.append("starting detector")
    ids = [each.id for each in plan.references if each.used]
    if ids != list(calibration.info["references"]):
        found.append("choice of observations")
    prints = calibration.info["prints"]
    found += [
        title_of(project, each)
        for each in plan.references
        if each.id in prints and each.used and reference_print(project, each) != prints[each.id]
    ]
    words = {"parameters": "parameters", "emission": "emission", "grey_per_electron": "noise"}
    return found + [word for name, word in words.items() if getattr(plan, name) != getattr(then, name)]
