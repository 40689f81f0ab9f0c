"""Registrations and comparisons of height maps as a document sees them: requests to the steps, and what becomes of their answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.comparing import CompareMaps
from eclips_app.core.comparing import TipModel as Tip
from eclips_app.core.registration import RegisterMap
from eclips_app.core.steps import StepResult
from eclips_app.core.units import format_length
from eclips_app.metrology.placement import Placement
from eclips_app.model.items import Comparison, HeightMap, ProfileLine, Run, new_id

__all__ = ["Tip"]

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Said:
    """A sentence; `tone` is "good", "info", "warning" or "error"."""

    tone: str
    text: str
    title: str = "Verdict"
    bbox: tuple[int, int, int, int] | None = None


def changed(choices: T, **fields: Any) -> T:
    """Replace fields of a frozen dataclass and check the result; raises `EclipsError`."""
    made: T = replace(choices, **fields)  # type: ignore[type-var]
    schema.check(made)
    return made


# Comparison


def comparison_request(
    run: Run,
    placed: HeightMap,
    tip: Tip,
    line: ProfileLine | None = None,
    stretch_nm: tuple[float, float] | None = None,
) -> tuple[CompareMaps, Arrays]:
    """Give parameters and inputs of the step ``compare-maps``; angles are compared along a straight `line`."""
    is_straight = line is not None and line.kind == "line"
    params = CompareMaps(
        pixel_size_nm=run.pixel_size_nm,
        origin_px=run.origin_px,
        map_pixel_nm=placed.pixel_size_nm,
        **Placement.of(placed, run.pixel_size_nm).fields,
        tip=tip,
        line_px=(line.start_px, line.end_px) if line is not None and is_straight else (),
        line_width_px=line.width_px if line is not None and is_straight else 1.0,
        stretch_nm=stretch_nm if is_straight else None,
    )
    inputs = {name: run.arrays[name] for name in ("height", "mask", "height_std", "deviations") if name in run.arrays}
    return params, {**inputs, "map": placed.height}


def comparison_of(run: Run, placed: HeightMap, params: CompareMaps, result: StepResult) -> Comparison:
    """Make the item of a finished comparison; its arrays become read-only."""
    for array in result.arrays.values():
        array.setflags(write=False)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name = f"{run.name} with {placed.name}"
    info = {**result.info, "map_sha256": placed.sha256, "levelling": list(placed.levelling)}
    return Comparison(new_id(), name, run.id, placed.id, now, schema.dump(params), info, dict(result.arrays))


def is_current(compared: Comparison, run: Run, placed: HeightMap) -> bool:
    """Whether a comparison was made of the map as it lies and is levelled now."""
    now = schema.dump(comparison_request(run, placed, Tip())[0])
    was = compared.params
    kept = ("pixel_size_nm", "origin_px", "map_pixel_nm", *Placement.of(placed, run.pixel_size_nm).fields)
    same_place = all(schema.dump(was.get(name)) == schema.dump(now.get(name)) for name in kept)
    return same_place and list(compared.info.get("levelling", [])) == list(placed.levelling)


def sentences(compared: Comparison) -> tuple[Said, ...]:
    """Give what a comparison says in words."""
    said = compared.info.get("sentences", ())
    return tuple(Said(str(each.get("tone", "info")), str(each["text"])) for each in said)


def value_rows(compared: Comparison) -> list[tuple[str, Mapping[str, Any] | None, Mapping[str, Any]]]:
    """Give name, value without the tip (None where no tip was known) and value of all that was compared."""
    before: Mapping[str, Any] = compared.info.get("before") or {}
    return [(name, before.get(name), value) for name, value in compared.info["values"].items()]


def result_rows(compared: Comparison) -> Iterable[tuple[str, dict[str, dict[str, Any]]]]:
    """Give the rows of the results table: name and values; with a tip also those without it."""
    before = compared.info.get("before")
    if before:
        yield f"{compared.name}, as it is", _quantities(before)
    yield f"{compared.name}, dilated by the tip" if before else compared.name, _quantities(compared.info["values"])


def _quantities(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {key: value.get(key) for key in ("value", "std", "unit")} for name, value in values.items()}


# Registration


@dataclass(frozen=True)
class Registering:
    """How a map is to be registered; see `core.registration.RegisterMap`."""

    model: str = "affine"
    matcher: str = ""
    weights: str = ""
    dense: bool = True


@dataclass(frozen=True)
class Registered:
    """What a registration found."""

    fields: dict[str, Any]  #: of `model.items.HeightMap`
    sentence: str
    is_sure: bool


def registration_request(
    run: Run, placed: HeightMap, choices: Registering, landmarks: tuple[tuple[float, float, float, float], ...] = ()
) -> tuple[RegisterMap, Arrays]:
    """Give parameters and inputs of the step ``register-map``."""
    params = RegisterMap(
        model=choices.model, pixel_size_nm=run.pixel_size_nm, origin_px=run.origin_px, map_pixel_nm=placed.pixel_size_nm,
        landmarks=landmarks, dense=choices.dense, matcher=choices.matcher, weights=choices.weights,
    )  # fmt: skip
    inputs = {name: run.arrays[name] for name in ("height", "mask") if name in run.arrays}
    return params, {**inputs, "map": placed.height}


def registration_of(info: Mapping[str, Any]) -> Registered:
    """Read what the step found."""
    raise NotImplementedError


def landmarks_of(placed: HeightMap) -> tuple[tuple[float, float, float, float], ...]:
    """Give the landmarks that a map was placed by."""
    pairs = placed.placement.get("landmarks", ())
    return tuple((float(u), float(v), float(x), float(y)) for u, v, x, y in pairs)


def placement_sentence(placed: HeightMap) -> tuple[str, bool | None]:
    """Say how a map was placed, and whether that is sure; None where it was placed by hand."""
    quality = placed.placement.get("quality")
    if not quality:
        return "Placed by hand: no uncertainty is known.", None
    return str(quality.get("sentence", "")), bool(quality.get("found"))


def placement_words(placed: HeightMap) -> list[tuple[str, str]]:
    """Give where a map lies, each number with its standard deviation as far as it is known."""
    std = _stds(placed)
    x, y = placed.center_px
    rows = [
        ("Centre", f"{_with_std(x, std.get('center_x_px'), ' px')}, {_with_std(y, std.get('center_y_px'), ' px')}"),
        ("Rotation", _with_std(placed.rotation_deg, std.get("rotation_deg"), "°")),
    ]
    if placed.stretch != (1.0, 1.0, 0.0):
        along, up, shear = placed.stretch
        rows += [
            (
                "Stretch",
                f"{_with_std(along, std.get('stretch_x'))} along x, {_with_std(up, std.get('stretch_y'))} along y",
            ),
            ("Shear", _with_std(shear, std.get("shear"))),
        ]
    if placed.drift_nm:
        reach = max(math.hypot(*knot) for knot in placed.drift_nm)
        rows.append(("Drift", f"up to {format_length(reach, 3)}"))
    rows.append(("Height offset", format_length(placed.z_offset_nm)))
    if any(placed.z_slope):
        rows.append(("Tilt", ", ".join(f"{math.degrees(math.atan(slope)):.3g}°" for slope in placed.z_slope)))
    return rows


def _stds(placed: HeightMap) -> dict[str, float]:
    names, covariance = placed.placement.get("names") or (), placed.placement.get("covariance") or ()
    return {name: math.sqrt(max(row[i], 0.0)) for i, (name, row) in enumerate(zip(names, covariance, strict=False))}


def _with_std(value: float, std: float | None, unit: str = "") -> str:
    if not std:
        return f"{value:.5g}{unit}"
    digits = max(0, min(6, 1 - math.floor(math.log10(std))))
    return f"{value:.{digits}f} ± {std:.{digits}f}{unit}"


def matchers() -> tuple[str, ...]:
    return ()
