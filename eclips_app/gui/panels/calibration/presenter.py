"""What the panel says, worked out without widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from eclips_app.core.calibration import FREE, Parameter, start_values, unit_of
from eclips_app.core.calibration_match import disagreements
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION
from eclips_app.core.tolerance import GEOMETRY, SCAN
from eclips_app.gui.flows.readiness import differing
from eclips_app.model.acquisition import acquisition_of
from eclips_app.model.calibration import (
    effective_parameters,
    images_print,
    is_found,
    missing,
    plan_of,
    problem_of,
    reference_print,
    start_detector,
    title_of,
)
from eclips_app.model.calibrations import changed_since, parameters_by_name
from eclips_app.model.items import Calibration, CalibrationPlan, Reference, SegmentSet
from eclips_app.model.project import Project

POOR_PERCENT = 3.0  #: of the signal; an observation that leaves more does not fit
MISSING, DONE, STALE = "missing", "done", "stale"  #: lights
#: Kinds of observations under the task that adds them.
TASK_KINDS = {"dark": ("dark",), "flat": ("flat",), "object": ("sphere", "indent", "facets", "heights")}
_LABELS = {
    "distance_mm": "Distance", "inner_radius_mm": "Inner radius", "outer_radius_mm": "Outer radius",
    "center_x_mm": "Offset x", "center_y_mm": "Offset y", "tilt_x_deg": "Tilt x", "tilt_y_deg": "Tilt y",
    "azimuth_deg": "Turn", "scan_curvature_per_m": "Scan curvature", "pixel_aspect": "Pixel aspect",
}  # fmt: skip
_GROUPS = {"gain": "Gains", "offset": "Offsets", "emission": "Emission"}


@dataclass(frozen=True)
class Step:
    """A task of the list, with its light and what is to say of it."""

    key: str
    title: str
    light: str
    text: str


@dataclass(frozen=True)
class Row:
    """A parameter as the table shows it."""

    parameter: Parameter
    group: str
    label: str
    unit: str
    start: float
    found: dict[str, Any]  #: as in `core.calibration.Calibrate`, empty before a fit
    is_by_hand: bool = False

    @property
    def is_chosen(self) -> bool:
        """Whether it is free."""
        return self.parameter.mode == FREE


def steps(project: Project, shown: Calibration | None, *, is_fitting: bool) -> tuple[Step, ...]:
    """Give the tasks in their order."""
    plan, detector = plan_of(project), start_detector(project)
    lights = {key: _worst([light(project, each, shown) for each in of_task(plan, key)]) for key in TASK_KINDS}
    changes = changed_since(project, shown) if shown else []
    fit = MISSING if shown is None else STALE if changes else DONE
    lack = missing(project)
    fit_text = "running" if is_fitting else f"{lack[0].lower()}{lack[1:]}" if lack else _fit_text(shown, changes)
    return (
        Step("detector", "1  Starting detector", DONE if detector else MISSING, _detector_text(plan, detector)),
        Step("dark", "2  Dark frame", lights["dark"], "optional: the black level"),
        Step("flat", "3  Flat area", lights["flat"], "optional: gains against each other"),
        Step("object", "4  Reference objects", lights["object"], "sphere, indent, facets, AFM map; tilts or currents"),
        Step("fit", "5  Fit", fit, fit_text),
        Step("check", "6  Check the residuals", fit, check_text(shown)),
        Step("use", "7  Use and save", _use_light(project, shown), _use_text(project, shown)),
    )


def of_task(plan: CalibrationPlan, key: str) -> tuple[Reference, ...]:
    """Give the observations that stand under a task."""
    return tuple(each for each in plan.references if each.observation.kind in TASK_KINDS.get(key, ()))


def light(project: Project, reference: Reference, shown: Calibration | None) -> str:
    """Give the light of an observation."""
    segment_set = project.get(SegmentSet, reference.set_id)
    if problem_of(project, reference) or segment_set is None or not is_found(reference.observation):
        return MISSING
    if shown is not None and reference.used:
        same = shown.info["prints"].get(reference.id) == reference_print(project, reference)
        return DONE if same and start_detector(project) == shown.plan.detector else STALE
    return DONE if reference.seen in ("", images_print(segment_set)) else STALE


def light_text(project: Project, reference: Reference, shown: Calibration | None) -> str:
    """Say what the light of an observation means."""
    state = light(project, reference, shown)
    if state == MISSING:
        return problem_of(project, reference) or "Not found yet: find it, or draw it in the image"
    if state == STALE:
        return "Images, crop, detector or the object changed since it was found or fitted"
    return reference.text or "Ready"


def check_text(shown: Calibration | None) -> str:
    """Say how well a calibration explains its observations."""
    if shown is None:
        return "after the fit"
    told = f"model error {shown.info['model_error_percent']:.2g} % of the signal"
    warnings = len(shown.info.get("warnings", ()))
    return told + (f"; {warnings} warning{'s' if warnings > 1 else ''}" if warnings else "")


def chi2_text(shown: Calibration) -> str:
    """Say what chi-square tells beside the error of the model."""
    each = shown.info["chi2"] / max(shown.info["degrees_of_freedom"], 1)
    return (
        "The model error is what the model misses of the images beyond noise; it counts in every height that is measured with "
        f"this calibration. Chi-square is {each:.3g} for each degree of freedom: 1 is what noise alone would leave."
    )


def residual_percent(shown: Calibration | None, reference: Reference) -> float | None:
    """Give what a calibration left of an observation, rms in % of the signal; None if it did not use it, or of dark frames."""
    if shown is None or reference.id not in shown.info["references"]:
        return None
    value = shown.info["observations"][shown.info["references"].index(reference.id)].get("residual_percent")
    return None if value is None else float(value)


def conditions_apart(project: Project) -> list[str]:
    """Say which observations that the next fit uses were taken under other conditions than the rest."""
    observed = []
    for each in plan_of(project).references:
        segment_set = project.get(SegmentSet, each.set_id)
        if each.used and segment_set is not None:
            observed.append((title_of(project, each), each.observation.kind, acquisition_of(segment_set)))
    return disagreements(observed)


def rows(project: Project, shown: Calibration | None) -> list[Row]:
    """Give all parameters with what a calibration found of them; raises `EclipsError` for an unsound detector file."""
    plan, detector = plan_of(project), start_detector(project)
    if detector is None:
        return []
    found, by_hand = parameters_by_name(shown), {each.name for each in plan.parameters}
    starts, made = start_values(detector, plan.emission), []
    for each in effective_parameters(detector, plan):
        name = each.name
        start = starts[name] if each.value is None else each.value
        by_fit = found.get(name, {})
        made.append(Row(each, group_of(name), label_of(name), unit_of(name), start, by_fit, name in by_hand))
    return made


def group_of(name: str) -> str:
    """Give the heading that a parameter stands under."""
    if name in GEOMETRY:
        return "Geometry"
    return "Scan" if name in SCAN else _GROUPS[name.partition(":")[0]]


def label_of(name: str) -> str:
    """Name a parameter in words."""
    if name in EMISSION:
        return name.partition(":")[2].replace("_", " ").capitalize()
    head, _, tail = name.partition(":")
    return f"{head.capitalize()} {tail}" if tail else _LABELS[name]


def number(value: float | None, std: float | None = None) -> str:
    """Write a number with the digits that its standard deviation leaves it."""
    if value is None or not math.isfinite(value):
        return "–"
    if std is None or not std > 0 or not math.isfinite(std):
        return f"{value:.5g}"
    digits = max(0, min(9, 1 - math.floor(math.log10(std))))
    return f"{value:.{digits}f}"


def match_warnings(project: Project, shown: Calibration | None) -> list[str]:
    """Say in what the selected images differ from those of the calibration that is shown, else of the detector in use."""
    segment_set, detector = project.segment_set, shown.detector if shown else project.detector
    return differing(detector, segment_set) if detector is not None and segment_set is not None else []


def _fit_text(shown: Calibration | None, changes: list[str]) -> str:
    if shown is None:
        return "ready to begin"
    return f"changed since: {', '.join(changes)}" if changes else f"{shown.name}, {shown.created[:10]}"


def _detector_text(plan: CalibrationPlan, detector: Detector | None) -> str:
    if detector is None:
        return "choose the data sheet that is nearest"
    kind = "typical dimensions" if detector.is_typical else "calibrated" if detector.calibration else "as described"
    return f"{detector.name}, {kind}" + (", kept for this calibration" if plan.detector is not None else "")


def _use_light(project: Project, shown: Calibration | None) -> str:
    if shown is None:
        return MISSING
    return DONE if project.detector == shown.detector else STALE


def _use_text(project: Project, shown: Calibration | None) -> str:
    if shown is None:
        return "after the fit"
    return f"{shown.name} is in use" if project.detector == shown.detector else f"{shown.name} is not in use"


def _worst(lights: list[str]) -> str:
    return MISSING if MISSING in lights or not lights else STALE if STALE in lights else DONE
