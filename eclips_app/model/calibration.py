"""What the next calibration is made of: observations, parameters, and the inputs of the steps."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.calibration import (
    KINDS,
    Calibrate,
    FindReference,
    Observation,
    Parameter,
    default_parameters,
    parameter_names,
)
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import CheckCalibration
from eclips_app.model.acquisition import acquisition_of
from eclips_app.model.items import CalibrationPlan, HeightMap, Reference, SegmentSet
from eclips_app.model.project import Project
from eclips_app.model.runs import drift_hash, exclude_hash, inputs_record

#: Id of the plan; a project has one, so that it needs no other.
PLAN_ID = "calibration-plan"
_prints: weakref.WeakKeyDictionary[SegmentSet, str] = weakref.WeakKeyDictionary()

ArrayInput = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Request:
    """What a step is started with."""

    params: Calibrate | FindReference
    inputs: dict[str, ArrayInput | Callable[[], NDArray[Any]]]  #: what takes long to make is a function


def ready(inputs: Mapping[str, ArrayInput | Callable[[], NDArray[Any]]]) -> dict[str, ArrayInput]:
    """Make the inputs of a request that were left for later; not for the window's thread."""
    return {name: array() if callable(array) else array for name, array in inputs.items()}


def plan_of(project: Project) -> CalibrationPlan:
    """Give the project's plan; an empty one if it has none yet."""
    return project.get(CalibrationPlan, PLAN_ID) or CalibrationPlan(PLAN_ID)


def start_detector(project: Project) -> Detector | None:
    """Give the detector that a calibration starts from."""
    return plan_of(project).detector or project.detector


def kinds_in_use(plan: CalibrationPlan) -> frozenset[str]:
    """Give the kinds of the observations that are used."""
    return frozenset(each.observation.kind for each in plan.references if each.used)


def effective_parameters(detector: Detector, plan: CalibrationPlan) -> tuple[Parameter, ...]:
    """Give how each parameter enters the next calibration; raises `EclipsError` if the detector's calibration is unsound."""
    chosen = {parameter.name: parameter for parameter in plan.parameters}
    return tuple(chosen.get(each.name, each) for each in default_parameters(detector, kinds_in_use(plan)))


# What goes in


def observation_of(reference: Reference, segment_set: SegmentSet) -> Observation:
    """Give an observation with what its set tells."""
    return replace(
        reference.observation,
        name=reference.observation.name or f"{KINDS[reference.observation.kind]}: {segment_set.name}",
        pixel_size_nm=segment_set.pixel_size_nm or 1.0,
        crop=segment_set.crop,
        shifts_px=segment_set.shifts_px,
        clip_low=segment_set.clip_low,
        clip_high=segment_set.clip_high,
        acquisition=acquisition_of(segment_set),
        sources=tuple(image.source for image in segment_set.images),
        sha256=tuple(image.sha256 for image in segment_set.images),
    )


def problem_of(project: Project, reference: Reference) -> str:
    """Say what keeps an observation from being used; empty if nothing does."""
    segment_set, detector = project.get(SegmentSet, reference.set_id), start_detector(project)
    if segment_set is None:
        return "Its images are not in the project any more"
    if detector is not None and len(segment_set.images) != len(detector.quadrants):
        return f"{len(segment_set.images)} images, but the detector has {len(detector.quadrants)} segments"
    if segment_set.pixel_size_nm is None and reference.observation.kind != "dark":
        return "The pixel size of its images is not known"
    if reference.observation.kind == "heights" and project.get(HeightMap, reference.map_id) is None:
        return "No height map is chosen"
    return ""


def is_found(observation: Observation) -> bool:
    """Whether everything that is looked for in the images is known."""
    kind = observation.kind
    if kind in ("dark", "heights", ""):
        return True
    if kind == "flat":
        return any(observation.flat.area)  # type: ignore[union-attr]
    if kind == "facets":
        return bool(observation.facets.areas and observation.facets.azimuths_deg)  # type: ignore[union-attr]
    return all(getattr(getattr(observation, kind), name) is not None for name in _looked_for(kind))


def unfound(observation: Observation) -> Observation:
    """Give an observation that has forgotten what was found, to look again."""
    kind = observation.kind
    blank: dict[str, Any] = dict.fromkeys(_looked_for(kind))
    if kind == "flat":
        blank = {"area": (0, 0, 0, 0)}
    elif kind == "facets":
        blank = {"areas": (), "azimuths_deg": ()}
    return replace(observation, **{kind: replace(getattr(observation, kind), **blank)}) if blank else observation


def _looked_for(kind: str) -> tuple[str, ...]:
    return {"sphere": ("center_px", "radius_px"), "indent": ("center_px", "radius_px", "rotation_deg")}.get(kind, ())


def missing(project: Project) -> str:
    """Say what a calibration still needs; empty if it can begin."""
    plan, detector = plan_of(project), start_detector(project)
    used = [each for each in plan.references if each.used]
    if detector is None:
        return "Choose the detector to start from"
    if not used or all(each.observation.kind == "dark" for each in used):
        return "Add images of an object of known shape"
    for each in used:
        if problem := problem_of(project, each):
            return f"{title_of(project, each)}: {problem[0].lower()}{problem[1:]}"
    if plan.emission.model == "tabulated" and detector.beam is None:
        return f"The emission of {plan.emission.material} needs the beam energy: enter it in the Detector panel"
    try:
        effective_parameters(detector, plan)
    except EclipsError as error:
        return str(error)
    return ""


def title_of(project: Project, reference: Reference) -> str:
    """Give kind and set of an observation, as it is named on screen."""
    segment_set = project.get(SegmentSet, reference.set_id)
    name = reference.observation.name or (segment_set.name if segment_set else "images removed")
    return f"{KINDS.get(reference.observation.kind, 'Observation')}: {name}"


def find_request(project: Project, reference: Reference) -> Request:
    """Give parameters and inputs of the step ``find-reference``; raises `EclipsError` with what is missing."""
    detector, segment_set = start_detector(project), project.get(SegmentSet, reference.set_id)
    problem = problem_of(project, reference)
    if detector is None or segment_set is None or problem:
        raise EclipsError(problem or "Choose the detector to start from")
    params = FindReference(detector, observation_of(reference, segment_set))
    return Request(params, _inputs(project, reference, segment_set))


def check_params(segment_set: SegmentSet, detector: Detector, emission: Emission) -> CheckCalibration:
    """Give the parameters of the step ``check-calibration`` for a set whose pixel size is known."""
    assert segment_set.pixel_size_nm is not None
    return CheckCalibration(
        detector, segment_set.pixel_size_nm, segment_set.crop, segment_set.shifts_px, segment_set.clip_low,
        segment_set.clip_high, emission=emission,
    )  # fmt: skip


def fit_request(project: Project, name: str) -> Request:
    """Give parameters and inputs of the step ``calibrate``; raises `EclipsError` with what is missing."""
    if text := missing(project):
        raise EclipsError(text)
    plan, detector = plan_of(project), start_detector(project)
    assert detector is not None  # else it would be missing
    observations: list[Observation] = []
    inputs: dict[str, Any] = {}
    for number, each in enumerate(each for each in plan.references if each.used):
        segment_set = project.get(SegmentSet, each.set_id)
        assert segment_set is not None  # likewise
        observations.append(observation_of(each, segment_set))
        inputs.update({f"{key}/{number}": array for key, array in _inputs(project, each, segment_set).items()})
    names = parameter_names(detector)
    chosen = tuple(parameter for parameter in plan.parameters if parameter.name in names)
    params = Calibrate(detector, tuple(observations), chosen, plan.emission, name, plan.grey_per_electron)
    return Request(params, inputs)


def _inputs(project: Project, reference: Reference, segment_set: SegmentSet) -> dict[str, Any]:
    found: dict[str, Any] = {"segments": [image.data for image in segment_set.images]}
    if segment_set.exclude is not None:
        found["exclude"] = segment_set.exclude
    placed = project.get(HeightMap, reference.map_id)
    if reference.observation.kind == "heights" and placed is not None:
        found["heights"] = partial(heights_on_pixels, placed, segment_set)
    return found


def heights_on_pixels(placed: HeightMap, segment_set: SegmentSet) -> NDArray[np.float32]:
    """Give a placed height map in nm on the pixels [row, col] of a set's images; NaN beyond it."""
    from eclips_app.metrology.map_pixels import on_pixels  # late: not needed to open a project

    assert segment_set.pixel_size_nm is not None  # without one it is not ready
    return on_pixels(placed, segment_set.shape, segment_set.pixel_size_nm).astype(np.float32)


def with_parameter(plan: CalibrationPlan, parameter: Parameter) -> CalibrationPlan:
    """Give the plan with a parameter chosen by hand."""
    others = tuple(each for each in plan.parameters if each.name != parameter.name)
    return replace(plan, parameters=(*others, parameter))


# What it was made of, in short


def images_print(segment_set: SegmentSet) -> str:
    """Give a hash of a set's images, crop, shifts and excluded pixels; the same as long as the item is."""
    if segment_set not in _prints:
        used = (segment_set.crop, segment_set.shifts_px, segment_set.clip_low, segment_set.clip_high)
        hashes = exclude_hash(segment_set), drift_hash(segment_set)
        _prints[segment_set] = _hash([inputs_record(segment_set), used, hashes, segment_set.pixel_size_nm])
    return _prints[segment_set]


def reference_print(project: Project, reference: Reference) -> str:
    """Give a hash of everything that an observation gives to a fit; empty without its images."""
    segment_set, placed = project.get(SegmentSet, reference.set_id), project.get(HeightMap, reference.map_id)
    if segment_set is None:
        return ""
    place = [placed.sha256, placed.center_px, placed.rotation_deg, placed.pixel_size_nm] if placed else []
    return _hash([schema.dump(reference.observation), images_print(segment_set), place])


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
