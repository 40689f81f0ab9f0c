"""The step ``level``: a recipe of levelling applied to a height map, and to what is known of its uncertainty.

A step that is linear in the heights once its area is fixed (plane, three points, polynomial, mean and polynomial of lines,
terraces, scars) is applied to the maps of deviations as it is, facets by their derivative. Medians are not smooth: each map d
becomes ``(L(h + d) - L(h - d)) / 2``. So every later reading has the standard deviation of what was really read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.levelling import Level, LevelStep
from eclips_app.core.shapes import Point
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology.areas import inside
from eclips_app.metrology.level import Levelled, Plane, level_plane, level_three_points
from eclips_app.metrology.level_rows import fit_terraces, row_offsets, row_polynomials
from eclips_app.metrology.level_scars import fill_scars, find_scars
from eclips_app.metrology.level_surfaces import PolynomialFit, fit_facets, polynomial_terms

Bools = NDArray[np.bool_]
Map = NDArray[np.floating]  # [row, col]
Same = Callable[[Map], Map]


@dataclass(frozen=True, eq=False)
class Taken:
    """What one step made."""

    height: Map  #: levelled, in nm
    text: str  #: what was taken out, in words
    same: Same | None = None  #: gives what becomes of a small change of the heights; None: found by trying


def level_step(inputs: Arrays, params: Level, context: Context) -> StepResult:
    """Level a height map; the step ``level`` (see `core.levelling.Level`).

    Raises
    ------
    EclipsError
        If the heights that count do not suffice for a step; the message names the step.
    """
    raw = np.asarray(inputs["height"])
    _check(raw, inputs)
    counts = np.asarray(inputs["mask"], bool) if "mask" in inputs else np.ones(raw.shape, bool)
    height: Map = raw.astype(np.float64)
    texts = []
    size = params.pixel_size_nm
    deviations = inputs["deviations"].astype(np.float32) * np.float32(size[0]) if "deviations" in inputs else None
    for number, step in enumerate(params.steps):
        context.progress(number / len(params.steps), f"Levelling: {step.text}")
        try:
            taken = apply(height, step, params, counts)
        except EclipsError as error:
            raise EclipsError(error.what, where=f"step {number + 1}, {step.text}", hint=error.hint) from error
        if deviations is not None:
            deviations = _carried(deviations, height, taken, step, params, counts, context)
        height = taken.height
        texts.append(taken.text)
    info: dict[str, Any] = {"steps": texts, "range_nm": [float(np.nanmin(height)), float(np.nanmax(height))]}
    kind = raw.dtype if raw.dtype.kind == "f" else np.dtype(np.float64)
    context.progress(1.0, "Levelled")
    if params.preview_px:
        stride = max(1, -(-max(raw.shape) // params.preview_px))
        thin = (slice(None, None, stride), slice(None, None, stride))
        before, after = (np.ascontiguousarray(each[thin], np.float32) for each in (raw, height))
        return StepResult({"before": before, "after": after}, {**info, "stride_px": stride})
    arrays: dict[str, NDArray[Any]] = {"height": height.astype(kind)}
    if deviations is not None:
        arrays["deviations"] = (deviations / np.float32(size[0])).astype(inputs["deviations"].dtype)
        arrays["height_std"] = np.sqrt((deviations**2).sum(axis=0)).astype(np.float32)
    elif "height_std" in inputs:  # nothing is known of how errors go together, so they are left as they are
        arrays["height_std"] = np.asarray(inputs["height_std"])
    if "normals" in inputs:
        arrays["normals"] = _turned(np.asarray(inputs["normals"]), raw - height, size)
    return StepResult(arrays, info)


def apply(height: Map, step: LevelStep, params: Level, counts: Bools) -> Taken:
    """Apply one step of a recipe to heights [row, col] in nm; `counts` is True where a height may be used.

    Raises
    ------
    EclipsError
        If the heights that count do not suffice.
    """
    if step.direction == "vertical" and step.kind in ("rows", "steps", "scars"):
        turned = replace(params, pixel_size_nm=params.pixel_size_nm[::-1], areas=())
        used = _used(height, step, params, counts)
        taken = _apply(height.T, replace(step, direction="horizontal"), turned, used.T)
        same = taken.same
        return Taken(taken.height.T, taken.text, None if same is None else lambda z: same(z.T).T)
    return _apply(height, step, params, _used(height, step, params, counts))


def _apply(height: Map, step: LevelStep, params: Level, used: Bools) -> Taken:
    match step.kind:
        case "plane":
            return _plane_taken(height, level_plane(height, mask=used), params, partial(_without_plane, used=used))
        case "three-points":
            same = partial(_without_points, points=step.points_px, radius=step.radius_px)
            done = level_three_points(height, step.points_px, radius_px=step.radius_px)
            return _plane_taken(height, done, params, same)
        case "facet":
            facets = fit_facets(height, used, params.pixel_size_nm)
            done = Levelled(height - _on(facets.plane, height.shape), facets.plane)
            return _plane_taken(height, done, params, lambda z: z - _on(facets.moved(z), z.shape))
        case "polynomial":
            fit = PolynomialFit.make(used, polynomial_terms(step.degree_x, step.degree_y, step.total_degree))
            surface = fit.surface(height)
            return Taken(height - surface, f"surface of {np.ptp(surface):.4g} nm", lambda z: z - fit.surface(z))
        case "rows":
            return _rows(height, step, used)
        case "steps":
            return _steps(height, step, params, used)
        case _:
            return _scars(height, step)


def _without_plane(height: Map, used: Bools) -> Map:
    return level_plane(height, mask=used).height


def _without_points(height: Map, points: Sequence[Point], radius: float) -> Map:
    return level_three_points(height, points, radius_px=radius).height


def _rows(height: Map, step: LevelStep, used: Bools) -> Taken:
    if step.estimate in ("polynomial", "mean"):
        degree = step.row_degree if step.estimate == "polynomial" else 0
        surface = row_polynomials(height, used, degree)
        text = f"lines that differ by {np.ptp(surface):.4g} nm"
        return Taken(height - surface, text, lambda z: z - row_polynomials(z, used, degree))
    offsets = row_offsets(height, used, step.estimate)
    return Taken(height - offsets[:, None], f"lines that differ by {np.ptp(offsets):.4g} nm")


def _steps(height: Map, step: LevelStep, params: Level, used: Bools) -> Taken:
    found = fit_terraces(height, used, align_rows=step.align_rows, smoothing_px=step.smoothing_px, edge=step.edge)
    lines = f", lines that differ by {np.ptp(found.offsets):.4g} nm" if step.align_rows else ""
    text = f"plane tilted by {_tilt_deg(found.plane, params):.4g}°{lines}; {len(found.levels)} terraces kept"
    return Taken(height - found.removed(height), text, lambda z: z - found.removed(z))


def _scars(height: Map, step: LevelStep) -> Taken:
    scars = find_scars(
        height, width_px=step.scar_width_px, length_px=step.scar_length_px, threshold=step.scar_threshold
    )
    text = f"scars of {int(scars.sum())} pixels ({100 * scars.mean():.2g} %)"
    return Taken(fill_scars(height, scars), text, lambda z: fill_scars(z, scars))


def _plane_taken(height: Map, done: Levelled, params: Level, same: Same | None) -> Taken:
    return Taken(done.height, f"plane tilted by {_tilt_deg(done.removed, params):.4g}°", same)


def _tilt_deg(plane: Plane, params: Level) -> float:
    size_x, size_y = params.pixel_size_nm
    return float(np.degrees(np.arctan(np.hypot(plane.per_column_nm / size_x, plane.per_row_nm / size_y))))


def _used(height: Map, step: LevelStep, params: Level, counts: Bools) -> Bools:
    """Tell which heights a step looks at."""
    used = counts & np.isfinite(height)
    if step.area != "all":
        areas = [shape for shape in params.areas if shape.kind not in ("line", "polyline")]
        if not areas:
            raise EclipsError("no areas are given", hint="Draw a rectangle, a circle or a polygon.")
        drawn = np.logical_or.reduce([inside(shape, height.shape) for shape in areas])
        used &= drawn if step.area == "include" else ~drawn
    if (step.low_percent, step.high_percent) != (0.0, 100.0) and used.any():
        if step.low_percent >= step.high_percent:
            what = f"heights from {step.low_percent:g} % to {step.high_percent:g} % leave nothing"
            raise EclipsError(what, hint="Widen the range.")
        low, high = np.percentile(height[used], (step.low_percent, step.high_percent))
        used &= (height >= low) & (height <= high)
    return used


def _carried(
    deviations: NDArray[np.float32], height: Map, taken: Taken, step: LevelStep, params: Level, counts: Bools,
    context: Context,
) -> NDArray[np.float32]:  # fmt: skip
    """Give the deviations [n, row, col] of the levelled heights, in nm."""
    carried = np.empty_like(deviations)
    for number, each in enumerate(deviations):
        context.check()
        if taken.same is not None:
            carried[number] = taken.same(each.astype(np.float64))
        else:
            up, down = (apply(height + sign * each, step, params, counts).height for sign in (1.0, -1.0))
            carried[number] = (up - down) / 2
    return carried


def _turned(normals: NDArray[Any], removed: Map, pixel_size_nm: tuple[float, float]) -> NDArray[Any]:
    """Give normals [3, row, col] (x right, y up) of a surface that something was taken out of."""
    down, right = np.gradient(np.nan_to_num(removed))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope_x = -normals[0] / normals[2] - right / pixel_size_nm[0]
        slope_y = -normals[1] / normals[2] + down / pixel_size_nm[1]
    turned = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)])
    found: NDArray[Any] = (turned / np.linalg.norm(turned, axis=0)).astype(normals.dtype)
    return found


def _on(plane: Plane, shape: tuple[int, ...]) -> Map:
    return plane.at(np.arange(shape[1], dtype=float), np.arange(shape[0], dtype=float)[:, None])


def _check(height: NDArray[Any], inputs: Arrays) -> None:
    if height.ndim != 2 or min(height.shape) < 2:
        raise EclipsError(f"the height map has the shape {height.shape}", hint="Give two rows and columns or more.")
    if not np.isfinite(height).any():
        raise EclipsError("the height map holds no height anywhere")
    for name in ("mask", "deviations", "normals"):
        if name in inputs and inputs[name].shape[-2:] != height.shape:
            raise EclipsError(f"'{name}' has the shape {inputs[name].shape}, the height map {height.shape}")
