"""The step "measure": a recipe on shapes of a height map gives values with their standard deviations."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import Kind, Measure, Placement, check_recipe, kind_of, options_of
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology import path, placement, profile
from eclips_app.metrology.areas import outline, within
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.propagate import Source, budgeted, propagate
from eclips_app.metrology.reading import Floats, Line, Patch, Read, Reading

_NO_HEIGHTS = {"grey": "a grey image", "normals": "a map of normals", "other": "not a map of heights"}


@dataclass(frozen=True, eq=False)
class _Placed:
    """A height map with its placement, as `metrology.placement` takes it."""

    height: NDArray[np.floating]
    pixel_size_nm: tuple[float, float]
    center_px: tuple[float, float]
    rotation_deg: float
    z_offset_nm: float
    stretch: tuple[float, float, float]
    drift_nm: tuple[tuple[float, float], ...]
    z_slope: tuple[float, float]


@dataclass(frozen=True, eq=False)
class _Sampled:
    """A line or patch, and what gives its deviations."""

    data: Line | Patch
    maps: Callable[[int], NDArray[np.floating]] | None = None

    def deviation(self, number: int) -> NDArray[np.floating]:
        if self.maps is None:
            raise EclipsError("the height map has no deviations")
        return self.maps(number)


def measure_step(inputs: Arrays, params: Measure, context: Context) -> StepResult:
    """Measure; see `core.measuring.Measure`.

    Raises
    ------
    EclipsError
        If the data are no heights, the recipe lacks something, or what it measures is not there.
    """
    kind = kind_of(params.recipe)
    if params.content != "height":
        what = _NO_HEIGHTS[params.content]
        raise EclipsError(
            f"{kind.title} is measured on heights, and this is {what}", hint="Choose a reconstruction or a height map."
        )
    check_recipe(params.recipe, len(params.shapes))
    deviations = _deviations(inputs, params)
    sources = _sources(inputs, params, kind, deviations)
    reader = _reader(params, kind)
    if deviations is None:
        reading = reader([each.data for each in sources], 1.0)
        values = {name: value.to_json() for name, value in reading.values.items()}
    else:
        reading, effects = propagate(reader, sources, deviations, context)
        values = budgeted(reading, effects, deviations)
    context.progress(1.0, kind.title)
    info: dict[str, Any] = {"values": values, "notes": [*reading.notes, *_about_std(values, deviations)]}
    return StepResult(dict(reading.arrays), {**info, "not_stated": list(params.not_stated)})


def _reader(params: Measure, kind: Kind) -> Callable[[Sequence[Any], float], Reading]:
    module, _, name = kind.function.partition(":")
    function: Read = getattr(importlib.import_module(module), name)
    options = options_of(params.recipe)

    def read(data: Sequence[Any], length: float) -> Reading:
        stretches = [(a * length, b * length) for a, b in params.recipe.stretches_nm]
        return function(data, stretches, options)

    return read


def _about_std(values: dict[str, dict[str, Any]], deviations: Deviations | None) -> list[str]:
    if deviations is not None:
        return []
    if any(value["std"] is not None for value in values.values()):
        return [
            "The heights come without a covariance: standard deviations are those of the fit alone, from its residuals."
        ]
    return ["The heights come without a covariance, so these values have no standard deviation."]


def _deviations(inputs: Arrays, params: Measure) -> Deviations | None:
    if "deviations" not in inputs or not len(inputs["deviations"]):
        return None
    facts = {"deviation_parts": params.deviation_parts, "not_stated": params.not_stated}
    percent = {
        "tolerances": {"pixel_size_percent": params.pixel_size_percent},
        "pixel_size_nm": params.pixel_size_nm[0],
    }
    return Deviations.of_run(inputs, facts, percent)


def _sources(inputs: Arrays, params: Measure, kind: Kind, deviations: Deviations | None) -> list[Source]:
    height, mask = inputs["height"], inputs.get("mask")
    profile.check_arrays(height, mask, None, min(params.pixel_size_nm))
    if kind.data == "profile":
        return [_line(height, mask, shape, params, deviations) for shape in params.shapes]
    shapes: tuple[Shape | None, ...] = params.shapes or (None,)
    return [_patch(height, mask, shape, params, deviations) for shape in shapes]


def _line(
    height: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    shape: Shape,
    params: Measure,
    deviations: Deviations | None,
) -> Source:
    if params.placement is not None:
        placed = _placed(height, params.placement)
        size = params.pixel_size_nm[0]
        found = path.sample_map_shape(placed, shape, pixel_size_nm=size, step_px=params.step_px)
    else:
        found = path.sample_shape(
            height, shape, pixel_size_nm=params.pixel_size_nm, step_px=params.step_px, origin_px=params.origin_px,
            mask=mask, deviations=deviations,
        )  # fmt: skip
    known = np.flatnonzero(np.isfinite(found.height_nm))
    if len(known) < 3:
        raise EclipsError("fewer than three points of the profile have a height", hint="Move it onto the height map.")
    part = slice(int(known[0]), int(known[-1]) + 1)  # what runs beyond the map is no hole in it
    along = None if found.deviations_nm is None else found.deviations_nm[:, part]
    line = Line(found.distance_nm[part], found.height_nm[part])
    return _Sampled(line, None if along is None else along.__getitem__)


def _patch(
    height: NDArray[np.floating],
    mask: NDArray[np.bool_] | None,
    shape: Shape | None,
    params: Measure,
    deviations: Deviations | None,
) -> Source:
    size = height.shape[0], height.shape[1]
    axes, corners, added = _frame(height, shape, params)
    inside = np.ones(size, dtype=bool) if corners is None else within(corners, size)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        raise EclipsError("the area lies beside the height map", hint="Move it onto the map.")
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    heights = height[box].astype(np.float64)
    inside = inside[box] & np.isfinite(heights)
    if mask is not None:
        inside &= mask[box]
    if np.count_nonzero(inside) < 3:
        raise EclipsError("the area holds fewer than three measured heights", hint="Draw it larger or move it.")
    from_middle = np.array([(columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2])
    right, up = (float(each) for each in axes @ (from_middle - (np.array(size[::-1]) - 1) / 2))
    patch = Patch(heights, inside, axes, (right, up))
    if added != (0.0, 0.0, 0.0):
        x, y = patch.positions()
        patch = patch.moved(added[0] + added[1] * x + added[2] * y, 1.0)
    return _Sampled(patch, None if deviations is None else _cut(deviations, box))


def _cut(deviations: Deviations, box: tuple[slice, slice]) -> Callable[[int], NDArray[np.floating]]:
    return lambda number: deviations.maps[number][box].astype(np.float64) * deviations.pixel_size_nm


def _frame(
    height: NDArray[np.floating], shape: Shape | None, params: Measure
) -> tuple[Floats, Floats | None, tuple[float, float, float]]:
    """Give the patch's axes, the area's corners in pixels of the map, and the offset and slope added to its heights.

    On a placed map the area is looked up pixel by pixel of the map itself: nothing is resampled. Drift of rows is followed
    at the corners; the axes are those of the map's middle.
    """
    size = params.pixel_size_nm
    corners = None if shape is None else outline(shape)
    if params.placement is None:
        if corners is not None:
            corners = corners - np.array([params.origin_px[1], params.origin_px[0]])
        return np.array([[size[0], 0.0], [0.0, -size[1]]]), corners, (0.0, 0.0, 0.0)
    placed = _placed(height, params.placement)
    x, y = placed.center_px
    place = placement.Placement.of(placed, size[0])
    columns, rows = place.to_map(np.array([x, x + 1, x]), np.array([y, y, y + 1]))
    turned = np.array([[columns[1] - columns[0], columns[2] - columns[0]], [rows[1] - rows[0], rows[2] - rows[0]]])
    axes = size[0] * np.array([[1.0, 0.0], [0.0, -1.0]]) @ np.linalg.inv(turned)
    if corners is not None:
        corners = np.stack(place.to_map(corners[:, 0], corners[:, 1]), axis=1)
    return axes, corners, (placed.z_offset_nm, *placed.z_slope)


def _placed(height: NDArray[np.floating], placement: Placement) -> _Placed:
    return _Placed(height, **{name: getattr(placement, name) for name in Placement.__dataclass_fields__})
