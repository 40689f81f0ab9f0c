"""The step ``compare-map``: a placed map against a reconstruction, as they are and as a tip would show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import CompareMap, TipModel
from eclips_app.core.schema import tupled
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology import agreement_profiles, tip, tip_blind
from eclips_app.metrology.agreement import Agreement, agreement
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.map_pixels import on_pixels
from eclips_app.metrology.placement import PlacedMap, Placement
from eclips_app.metrology.profile import Floats, sample, sample_map
from eclips_app.metrology.registration.grids import filled, robust_sigma


@dataclass(frozen=True, eq=False)
class _Placed:
    """A map with its place, as `metrology.profile` samples it."""

    height: Floats
    pixel_size_nm: tuple[float, float]
    center_px: tuple[float, float]
    rotation_deg: float
    z_offset_nm: float
    stretch: tuple[float, float, float]
    drift_nm: tuple[tuple[float, float], ...]
    z_slope: tuple[float, float]


def compare_step(inputs: Arrays, params: CompareMap, context: Context) -> StepResult:
    """Compare a placed map with a reconstruction; the step ``compare-map`` (see `core.registration.CompareMap`)."""
    context.progress(0.0, "Bringing the map to the pixels of the reconstruction")
    height = _masked(inputs)
    placed = _placed(np.asarray(inputs["map"], np.float64), params)
    other = _on_pixels(placed, height.shape, params)
    context.check()
    context.progress(0.3, "Comparing")
    variance = _variance(inputs, other, params)
    plain = agreement(height, other, params.pixel_size_nm, variance)
    arrays = {"difference": (height - other).astype(np.float32), "map": other.astype(np.float32)}
    info: dict[str, Any] = {"agreement": plain.to_json(), "verdict": list(plain.sentences())}
    info["profiles"] = _profiles(inputs, height, placed, params)
    if params.tip.kind != "none":
        context.progress(0.5, "Dilating the reconstruction by the tip")
        _with_tip(inputs, height, other, variance, params, context, arrays, info)
    context.progress(1.0, "Compared")
    return StepResult(arrays, info)


def _masked(inputs: Arrays) -> Floats:
    height = np.asarray(inputs["height"], np.float64)
    mask = inputs.get("mask")
    return height if mask is None else np.where(mask, height, np.nan)


def _placed(values: Floats, params: CompareMap) -> _Placed:
    rows, columns = values.shape
    default = Placement((rows, columns), params.map_pixel_size_nm, params.pixel_size_nm).fields
    given = {name: tupled(params.placed.get(name, value)) for name, value in default.items()}
    return _Placed(values, params.map_pixel_size_nm, **given)


def _on_pixels(placed: _Placed, shape: tuple[int, ...], params: CompareMap) -> Floats:
    """Give the map on the pixels of the reconstruction, which begins at `origin_px` of the image."""
    row, column = params.origin_px
    moved = _Placed(
        placed.height, placed.pixel_size_nm, (placed.center_px[0] - column, placed.center_px[1] - row),
        placed.rotation_deg, placed.z_offset_nm, placed.stretch, placed.drift_nm, placed.z_slope,
    )  # fmt: skip
    return on_pixels(moved, (shape[0], shape[1]), params.pixel_size_nm)


def _variance(inputs: Arrays, other: Floats, params: CompareMap) -> Floats | None:
    """Give the variance of the difference: that of the reconstruction, and of the place times the slope."""
    std = inputs.get("height_std")
    if std is None:
        return None
    down, right = np.gradient(filled(np.nan_to_num(other), np.isfinite(other)), params.pixel_size_nm)
    # The standard deviation of the place is that of a distance: either direction has half its square.
    variance: Floats = np.asarray(std, np.float64) ** 2 + (right**2 + down**2) * params.position_std_nm**2 / 2
    return variance


def _profiles(inputs: Arrays, height: Floats, placed: PlacedMap, params: CompareMap) -> list[dict[str, Any]]:
    deviations = None
    if "deviations" in inputs:
        parts = params.deviation_parts
        deviations = Deviations(inputs["deviations"], parts, params.pixel_size_nm, np.zeros(len(parts)))
    found = []
    for start_col, start_row, end_col, end_row in params.lines:
        ends = (start_col, start_row), (end_col, end_row)
        own = sample(
            height, *ends, pixel_size_nm=params.pixel_size_nm, step_px=1.0, origin_px=params.origin_px,
            std=inputs.get("height_std"), deviations=deviations,
        )  # fmt: skip
        other = sample_map(placed, *ends, pixel_size_nm=params.pixel_size_nm, step_px=1.0)
        pair = agreement_profiles.compare(own, other)
        found.append(
            {"from_px": list(ends[0]), "to_px": list(ends[1]), **pair.to_json(), "sentence": pair.sentence(),
             "distance_nm": own.distance_nm.tolist(), "height_nm": own.height_nm.tolist(),
             "map_nm": other.height_nm.tolist()}
        )  # fmt: skip
    return found


def _with_tip(
    inputs: Arrays,
    height: Floats,
    other: Floats,
    variance: Floats | None,
    params: CompareMap,
    context: Context,
    arrays: dict[str, Any],
    info: dict[str, Any],
) -> None:
    """Add what compares with the reconstruction as the tip would show it."""
    used = _tip(inputs, height, other, params, context)
    dilated = _dilated(height, used, context)
    # The tip lifts the whole image by what no map can tell; only the shape counts.
    rise = float(np.nanmedian(dilated - other) - np.nanmedian(height - other))
    dilated -= rise
    with_tip = agreement(dilated, other, params.pixel_size_nm, variance)
    context.progress(0.8, "Looking where the tip touched")
    known = np.isfinite(other)
    certain = tip.certain(filled(np.nan_to_num(other), known), used, _noise(other)) & known
    info["tip_profiles"] = _profiles(inputs, dilated, _placed(np.asarray(inputs["map"], np.float64), params), params)
    arrays |= {
        "dilated": dilated.astype(np.float32), "tip_difference": (dilated - other).astype(np.float32), "certain": certain
    }  # fmt: skip
    info |= {
        "tip": used.name, "tip_radius_nm": used.radius_nm, "tip_agreement": with_tip.to_json(),
        "certain_percent": 100 * float(certain.sum() / max(known.sum(), 1)),
    }  # fmt: skip
    info["verdict"] = [_tip_sentence(info, used, with_tip), *with_tip.sentences()]


def as_the_tip_shows(inputs: Arrays, params: CompareMap, context: Context) -> Floats:
    """Give the reconstruction [row, col] in nm as the tip of a placed map would show it; inputs as of `compare_step`."""
    height = _masked(inputs)
    other = _on_pixels(_placed(np.asarray(inputs["map"], np.float64), params), height.shape, params)
    return _dilated(height, _tip(inputs, height, other, params, context), context)


def _dilated(height: Floats, used: tip.Tip, context: Context) -> Floats:
    known = np.isfinite(height)
    return np.where(known, tip.dilated(filled(np.nan_to_num(height), known), used, context), np.nan)


def _tip_sentence(info: dict[str, Any], used: tip.Tip, found: Agreement) -> str:
    before, after = float(info["agreement"]["std"]["value"]), found.std.value
    change = "smaller" if after < before else "larger"
    return (
        f"Seen with the tip ({used.name}) the differences have a standard deviation of {after:.3g} nm, {change} than the "
        f"{before:.3g} nm without; the tip reached {info['certain_percent']:.0f} % of the map's pixels."
    )


def _tip(inputs: Arrays, height: Floats, other: Floats, params: CompareMap, context: Context) -> tip.Tip:
    """Give the tip on the pixels of the reconstruction."""
    model: TipModel = params.tip
    pixel = params.pixel_size_nm, params.pixel_size_nm
    depth = float(np.nanmax(height) - np.nanmin(height))
    if model.kind == "cone":
        return tip.cone(model.radius_nm, model.half_angle_deg, pixel, depth)
    if model.kind == "parabola":
        return tip.parabola(model.radius_nm, pixel, depth)
    if model.kind == "measured":
        if "tip" not in inputs:
            raise EclipsError("there is no map of the tip", hint="Give a height map of it.")
        return tip.measured(inputs["tip"], params.tip_pixel_size_nm, pixel)
    threshold = 3 * _noise(other) if model.threshold_nm is None else model.threshold_nm
    return tip_blind.blind(other, pixel, half_width_px=model.half_width_px, threshold_nm=threshold, context=context)


def _noise(values: Floats) -> float:
    """Give the standard deviation of the noise of single pixels, from second differences along rows (weights 1, -2, 1)."""
    second = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
    known = second[np.isfinite(second)]
    return robust_sigma(known) / 6**0.5 if known.size else 0.0
