"""The step "calibrate": observations to a detector file with uncertainties (see `core.calibration.Calibrate`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from eclips_app.core.calibration import KINDS, Calibrate, Observation, Parameter, default_parameters, parameter_names
from eclips_app.core.context import Context
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.engine.calibration.find import complete
from eclips_app.engine.calibration.fit import Fit, fit
from eclips_app.engine.calibration.orientation import check_orientation
from eclips_app.engine.calibration.patches import patches, raw_signals
from eclips_app.engine.calibration.picture import picture
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.record import report, told
from eclips_app.engine.calibration.regions import labels
from eclips_app.engine.calibration.seen import Seen
from eclips_app.engine.calibration.shapes import FOUND_RADIUS, shape_of
from eclips_app.engine.device import one_thread
from eclips_app.engine.prepare import resolve_crop

#: The model's error above which an outline may not be an equator, and the part of it that is left where it is not.
_FAR_OFF, _FAR_BETTER = 0.03, 0.3


def calibrate_step(inputs: Arrays, params: Calibrate, context: Context) -> StepResult:
    """Calibrate a detector.

    Raises
    ------
    EclipsError
        If there is nothing to fit, an object is not found, or images do not fit the detector.
    """
    if not params.observations:
        raise EclipsError("there is no observation to calibrate with", hint="Add images of a known object.")
    for number, observation in enumerate(params.observations, 1):
        if not observation.kind:
            raise EclipsError(f"observation {number} does not say what it shows", hint=f"One of {', '.join(KINDS)}.")
    with one_thread():
        return _calibrate(inputs, params, context)


def _calibrate(inputs: Arrays, params: Calibrate, context: Context) -> StepResult:
    seen = []
    for number, observation in enumerate(params.observations):
        context.progress(0.4 * number / len(params.observations), f"looking at {_name(observation, number)}")
        seen.append(_seen(observation, number, inputs, params, context))
    parameters = _parameters(params)
    problem, found = _fitted(seen, parameters, params, context)
    arrays, observations = {}, []
    for number, each in enumerate(problem.seen):
        context.progress(0.8 + 0.15 * number / len(seen), "residuals")
        shown = picture(problem, number, found.x, _inputs_of(inputs, number))
        arrays[f"residual/{number}"] = shown.residual
        observations.append(told(problem, number, found, shown.step, each))
    context.progress(0.96, "slope gain")
    return StepResult(arrays, report(params, parameters, problem, found, observations))


def _fitted(seen: list[Seen], parameters: list[Parameter], params: Calibrate, context: Context) -> tuple[Problem, Fit]:
    """Fit with the outlines of spheres as their equators, and if that is far off, as those of caps."""
    emission = _emission(params)
    problem = Problem(params.detector, emission, parameters, seen)
    found = fit(problem, context)
    unknown = [
        n for n, each in enumerate(seen) if each.observation.sphere and each.observation.sphere.radius_nm is None
    ]
    if not unknown or problem.model_error < _FAR_OFF:
        return problem, found
    caps = list(seen)
    for n in unknown:
        each = seen[n]
        caps[n] = replace(each, shape=shape_of(each.observation, each.patches, cap=True), is_cap=True)
    other = Problem(params.detector, emission, parameters, caps)
    tried = fit(other, context)
    inside = tried.x < 0.999 * other.upper
    is_cap = all(inside[i] for i, name in enumerate(other.names) if name.endswith(FOUND_RADIUS))
    return (other, tried) if is_cap and other.model_error < _FAR_BETTER * problem.model_error else (problem, found)


def _name(observation: Observation, number: int) -> str:
    return observation.name or f"{KINDS[observation.kind].lower()} {number + 1}"


def _inputs_of(inputs: Arrays, number: int) -> dict[str, NDArray[Any]]:
    return {name.rsplit("/", 1)[0]: array for name, array in inputs.items() if name.endswith(f"/{number}")}


def _seen(observation: Observation, number: int, inputs: Arrays, params: Calibrate, context: Context) -> Seen:
    """Find the object of an observation and average its images."""
    own = _inputs_of(inputs, number)
    named = replace(observation, name=_name(observation, number))
    found = complete(named, own, params.detector, context)
    if found.axis_px is None:
        rows, columns = own["segments"].shape[1:]
        found = replace(found, axis_px=((rows - 1) / 2, (columns - 1) / 2))
    signals = raw_signals(found, own, params.detector)
    grey, usable = signals.rows(0, signals.shape[0])
    where = labels(found, grey, usable, context.check)
    if found.heights is not None:
        where = np.where(_known(own.get("heights"), found, own["segments"].shape[1:]), where, -1)
    at = patches(found, grey, usable, where, params.grey_per_electron)
    if found.kind == "dark":
        return Seen(found, where, at, None)
    shape = shape_of(found, at, own.get("heights"))
    check_orientation(found, at, shape, params.detector)
    return Seen(found, where, at, shape)


def _known(heights: NDArray[Any] | None, observation: Observation, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell where a height map is known [row, col] of the crop, also after the largest shift; `shape` is that of the images.

    Raises
    ------
    EclipsError
        If there is no map, or it is not of the images' size.
    """
    assert observation.heights is not None
    if heights is None:
        raise EclipsError("the height map of the same place is missing", where=observation.name, hint="Give it.")
    if heights.shape != shape:
        raise EclipsError(
            f"the height map has {heights.shape} pixels, the images {shape}", where=observation.name,
            hint="Give it on the pixels of the images.",
        )  # fmt: skip
    margin = 2 * int(np.ceil(observation.heights.max_shift_px)) + 5
    far = minimum_filter(np.isfinite(heights), margin, mode="constant", cval=False)
    crop = resolve_crop(observation.crop, heights.shape)
    return np.asarray(far[crop.first_row : crop.end_row, crop.first_column : crop.end_column])


def _parameters(params: Calibrate) -> list[Parameter]:
    """Give every parameter as chosen, or as usual."""
    kinds = frozenset(observation.kind for observation in params.observations)
    chosen = {parameter.name: parameter for parameter in params.parameters}
    if unknown := sorted(set(chosen) - set(parameter_names(params.detector))):
        raise EclipsError(
            f"there is no parameter '{unknown[0]}'", hint=f"Known ones: {', '.join(parameter_names(params.detector))}."
        )
    return [chosen.get(usual.name, usual) for usual in default_parameters(params.detector, kinds)]


def _emission(params: Calibrate) -> Emission:
    """Give the emission model to fit with; a parametric one starts at its coefficients, else at Lambert's law."""
    emission = params.emission
    if emission.model == "parametric" and not emission.coefficients:
        return replace(emission, coefficients=(0.0,) * len(EMISSION))
    return emission
