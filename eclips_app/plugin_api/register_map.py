"""The step ``register-map``: it stands here because it may ask a plugin to match the maps."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import CompareMap, RegisterMap
from eclips_app.core.schema import tupled
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology.agreement_step import as_the_tip_shows
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.registration.features import Limits, Matcher
from eclips_app.metrology.registration.pose import Frames, Pose
from eclips_app.metrology.registration.register import Registration, Task, register_map
from eclips_app.metrology.registration.search import Candidate
from eclips_app.plugin_api import registry


def register_step(inputs: Arrays, params: RegisterMap, context: Context) -> StepResult:
    """Find where a map lies; the step ``register-map`` (see `core.registration.RegisterMap`)."""
    height, placed = _heights(inputs)
    frames = Frames(_shape(placed), params.map_pixel_size_nm, _shape(height), params.pixel_size_nm, params.origin_px)
    task = task_of(params, frames)
    found = register_map(height, placed, frames, task, context, matcher_of(params))
    vouched = found.quality.found or found.method in ("landmarks", "placed")
    if params.tip.kind != "none" and vouched and (task.dense or not task.landmarks):
        found = _with_tip(inputs, found, params, task, context)
    return StepResult(info=info_of(found))


def _with_tip(inputs: Arrays, found: Registration, params: RegisterMap, task: Task, context: Context) -> Registration:
    """Refine the place against the reconstruction as the tip shows it; how sure it is was told by what was found."""
    compare = CompareMap(
        params.pixel_size_nm, params.origin_px, params.map_pixel_size_nm, info_of(found)["placement"], tip=params.tip,
        tip_pixel_size_nm=params.tip_pixel_size_nm,
    )  # fmt: skip
    context.progress(0.5, "Dilating the reconstruction by the tip")
    seen = as_the_tip_shows(inputs, compare, context)
    again = replace(task, start=found.pose, landmarks=())
    better = register_map(seen, np.asarray(inputs["map"], np.float64), found.frames, again, context)
    return replace(better, quality=found.quality, method=found.method, candidates=found.candidates)


def task_of(params: RegisterMap, frames: Frames) -> Task:
    """Give what the registration is asked for."""
    if params.start == "landmarks" and not params.landmarks:
        raise EclipsError("there are no landmarks to start from", hint="Set two or more pairs of points.")
    start = None
    if params.start == "placed":
        start = Pose.of_placement(placement_of(params.placed, frames), frames)
    return Task(
        params.model,  # type: ignore[arg-type]  # checked by its rule
        Limits(params.max_rotation_deg, params.max_scale), params.knots, params.background, params.height_scale,
        params.landmarks if params.start == "landmarks" else (), start, params.refine,
    )  # fmt: skip


def placement_of(fields: dict[str, Any], frames: Frames) -> Placement:
    """Give a placement from fields of `model.items.HeightMap`, which may have come as JSON; others are left out."""
    names = Placement(frames.map_shape, frames.map_pixel_nm, frames.image_pixel_nm).fields
    given = {name: tupled(value) for name, value in fields.items() if name in names}
    return Placement(frames.map_shape, frames.map_pixel_nm, frames.image_pixel_nm, **given)


def matcher_of(params: RegisterMap) -> Matcher | None:
    """Give the plugin that matches; None for the built-in one."""
    if not params.matcher:
        return None
    folder = Path(params.matcher_folder) if params.matcher_folder else None
    return functools.partial(registry.matcher(params.matcher).match, folder=folder)


def info_of(found: Registration) -> dict[str, Any]:
    """Give a registration as JSON values."""
    place = found.pose.placement(found.frames)
    fields = {**place.fields, "z_offset_nm": found.z_offset_nm, "z_slope": found.z_slope}
    info: dict[str, Any] = {
        "placement": fields,
        "height_scale": found.height_scale,
        "residual_rms_nm": found.residual_rms_nm,
        "quality": found.quality.to_json(),
        "method": found.method,
        "candidates": [_candidate(each, found.frames) for each in found.candidates],
        "parameters": [],
        "covariance": [],
        "position_std_nm": None,
    }
    if (spread := found.spread) is not None:
        std = np.sqrt(np.clip(np.diag(spread.covariance), 0.0, None))
        info["parameters"] = [
            {"name": name, "value": float(value), "std": float(sigma)}
            for name, value, sigma in zip(spread.names, spread.values, std, strict=True)
        ]
        info |= {"covariance": spread.covariance.tolist(), "position_std_nm": spread.position_std_nm}
    return info


def _candidate(candidate: Candidate, frames: Frames) -> dict[str, Any]:
    place = candidate.pose.placement(frames)
    return {
        "center_px": place.center_px, "rotation_deg": place.rotation_deg, "stretch": place.stretch,
        "correlation": candidate.correlation, "overlap": candidate.overlap, "score": candidate.score,
    }  # fmt: skip


def _heights(inputs: Arrays) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    height, placed = (np.asarray(inputs[name], np.float64) for name in ("height", "map"))
    mask = inputs.get("mask")
    if mask is not None:
        if mask.shape != height.shape:
            raise EclipsError(f"the mask has the shape {mask.shape}, the height map {height.shape}")
        height = np.where(mask, height, np.nan)
    return height, placed


def _shape(array: NDArray[Any]) -> tuple[int, int]:
    if array.ndim != 2:
        raise EclipsError(f"a height map has rows and columns, not the shape {array.shape}")
    return int(array.shape[0]), int(array.shape[1])
