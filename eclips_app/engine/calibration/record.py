"""What a calibration found, as JSON: for the window, the command line, and the detector file."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from eclips_app.core import schema
from eclips_app.core.calibration import FREE, Calibrate, Parameter, parameter_names, unit_of
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.tolerance import SCAN, gain_names
from eclips_app.engine.calibration.curve import gain_curve
from eclips_app.engine.calibration.fit import Fit
from eclips_app.engine.calibration.orientation import measured_azimuths
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.seen import Seen
from eclips_app.engine.calibration.state import packed
from eclips_app.engine.calibration.words import wanted_change, warnings_of
from eclips_app.version import VERSION


def told(problem: Problem, number: int, found: Fit, step: int, each: Seen) -> dict[str, Any]:
    """Say what was measured of one observation."""
    values, black = problem.modelled(found.x)[number], problem.state(found.x).offsets
    used = np.isfinite(each.patches.variance[:, 0])
    off = (each.patches.grey - values)[used]
    signal = np.maximum(each.patches.grey[used] - black, 1e-9)
    percent = 100.0 * float(np.sqrt(np.mean((off / signal) ** 2))) if each.shape is not None else None
    chi2 = float(np.mean(off**2 / each.patches.variance[used]))
    std = np.sqrt(np.diag(found.covariance))
    places = [place for _, place in problem.unknowns_of(number)]
    facts: dict[str, Any] = {name: float(found.x[place]) for name, place in problem.unknowns_of(number)} | {
        f"{name}_std": float(std[place]) for name, place in problem.unknowns_of(number)
    }
    for name, place in problem.unknowns_of(number):
        if problem.certified[place]:
            change, deviation = wanted_change(problem, found, place)
            facts |= {f"{name}_asked": float(found.x[place] + change), f"{name}_asked_std": float(deviation)}
    if each.shape is not None:
        facts["azimuths_deg"] = measured_azimuths(each.patches, each.shape, found.x[places])
    left = f", {percent:.2g} % of the signal left over" if percent is not None else ""
    dropped = int((~used).sum())
    text = (
        f"{each.observation.name}: {each.patches.pixels} pixels in {used.size} patches{left}"
        f"{f'; {dropped} of them left out as dirt' if dropped else ''}."
    )
    return {
        "name": each.observation.name, "kind": each.observation.kind, "step": step, "used": int(used.sum()), "chi2": chi2,
        "residual_percent": percent, "found": facts, "text": text, "observation": schema.dump(each.observation),
    }  # fmt: skip


def report(
    params: Calibrate, parameters: list[Parameter], problem: Problem, found: Fit, observations: list[dict[str, Any]]
) -> dict[str, Any]:
    """Put everything together."""
    count = len(problem.free)
    emission = problem.emission_at(found.x)
    std = np.sqrt(np.diag(found.covariance))[:count]
    held = np.isfinite(std)
    safe = np.where(held & (std > 0), std, 1.0)
    covariance = np.where(np.outer(held, held), found.covariance[:count, :count], 0.0)
    values = _table(parameters, problem, found)
    info = {
        "parameters": values, "free": problem.free, "covariance": covariance.tolist(),
        "correlation": (covariance / np.outer(safe, safe)).tolist(), "observations": observations, "chi2": found.chi2,
        "degrees_of_freedom": found.freedom, "model_error_percent": 100.0 * problem.model_error,
        "warnings": warnings_of(problem, found), "curve": gain_curve(problem, found.x, emission),
    }  # fmt: skip
    detector = replace(problem.detector_at(found.x), calibration=_record(params, problem, found, emission, info))
    return {"detector": detector.to_json(), **info}


def _table(parameters: list[Parameter], problem: Problem, found: Fit) -> list[dict[str, Any]]:
    """Give value, deviation and source of every parameter that matters."""
    rows = []
    start, end = problem.initial, problem.state(found.x)
    std = np.sqrt(np.diag(found.covariance))
    before, after = (dict(zip(parameter_names(problem.detector), packed(each), strict=True)) for each in (start, end))
    for parameter in parameters:
        name = parameter.name
        if name in EMISSION and not problem.response.is_parametric:
            continue
        place = problem.free.index(name) if name in problem.free else None
        own = None if place is None or not np.isfinite(std[place]) else float(std[place])
        at_limit = place is not None and _at_limit(problem, found, place)
        rows.append({
            "name": name, "unit": unit_of(name), "mode": FREE if place is not None else parameter.mode,
            "start": float(before[name]), "prior_std": parameter.std, "value": float(after[name]), "std": own,
            "source": _source(own, parameter, place), "at_limit": at_limit,
        })  # fmt: skip
    return rows


def _at_limit(problem: Problem, found: Fit, place: int) -> bool:
    """Tell whether a fit stopped at the end of what is allowed."""
    value, limits = found.x[place], (problem.lower[place], problem.upper[place])
    return any(abs(value - limit) <= 1e-6 * max(abs(limit), 1.0) for limit in limits if np.isfinite(limit))


def _source(std: float | None, parameter: Parameter, place: int | None) -> str:
    """Say where a value comes from."""
    if place is None:
        return "typed" if parameter.value is not None else "detector file"
    if std is None:
        return "not determined"
    if parameter.std is not None and std > 0.97 * parameter.std:
        return "known before"
    return "fit and known before" if parameter.std is not None and std > 0.5 * parameter.std else "fit"


def _record(
    params: Calibrate, problem: Problem, found: Fit, emission: Emission, info: dict[str, Any]
) -> dict[str, Any]:
    """Give the detector file's ``calibration``: what is known, how well, and from what."""
    state = problem.state(found.x)
    keep = [i for i, row in enumerate(np.diag(found.covariance)[: len(problem.free)]) if np.isfinite(row)]
    covariance = np.array(info["covariance"])[np.ix_(keep, keep)]
    gains = gain_names(params.detector)
    scale = np.array([1.0 / state.gains[gains.index(n)] if n in gains else 1.0 for n in problem.free])[keep]
    observations = [
        {**{key: each[key] for key in ("name", "kind", "text", "chi2", "residual_percent", "found")},
         "sources": [{"path": path, "sha256": digest} for path, digest in zip_longest(given.sources, given.sha256, fillvalue="")],
         "acquisition": given.acquisition}
        for each, given in zip(info["observations"], params.observations, strict=True)
    ]  # fmt: skip
    return {
        "method": "fit", "name": params.name, "program": f"ECLIPS {VERSION}",
        "parameters": [problem.free[i] for i in keep], "covariance": (covariance * np.outer(scale, scale)).tolist(),
        "values": info["parameters"],
        "emission": {"model": emission.model, "material": emission.material, "coefficients": list(emission.coefficients)},
        "scan": dict(zip(SCAN, state.scan.tolist(), strict=True)), "observations": observations,
        "acquisition": next((o.acquisition for o in params.observations if o.kind != "dark" and o.acquisition), {}),
        **{key: info[key] for key in ("chi2", "degrees_of_freedom", "model_error_percent", "warnings", "curve")},
    }  # fmt: skip
