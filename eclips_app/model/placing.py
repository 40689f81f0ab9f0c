"""Where height maps lie on a reconstruction: the request to the step that finds it, and what it found, as fields and words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.registration import RegisterMap
from eclips_app.core.units import format_length
from eclips_app.metrology.placement import Placement
from eclips_app.model.items import HeightMap, Run, SegmentSet
from eclips_app.model.project import Project

Arrays = dict[str, NDArray[Any]]
Landmark = tuple[float, float, float, float]  #: map column, map row, image column, image row


def frame_map(project: Project) -> HeightMap | None:
    """Give the height map that shapes are drawn on: the first one, in a project without images; else None."""
    if project.of_kind(SegmentSet):
        return None
    return next(iter(project.of_kind(HeightMap)), None)


def frame_shape(map_shape: tuple[int, ...], pixel_size_nm: tuple[float, float]) -> tuple[int, int]:
    """Give rows and columns of a map seen on square pixels, as wide as its own."""
    return max(1, round(map_shape[0] * pixel_size_nm[1] / pixel_size_nm[0])), map_shape[1]


@dataclass(frozen=True)
class Registered:
    """What a registration found."""

    fields: dict[str, Any]  #: of `model.items.HeightMap`
    sentence: str
    is_sure: bool


def registration_request(
    run: Run,
    placed: HeightMap,
    choices: RegisterMap,
    landmarks: tuple[Landmark, ...] = (),
    start: Mapping[str, Any] | None = None,
) -> tuple[RegisterMap, Arrays]:
    """Give parameters and inputs of the step ``register-map``.

    It starts from `landmarks`, or from a placement (`start`, fields of `model.items.HeightMap`), or finds the place by itself.
    """
    params = replace(
        choices, pixel_size_nm=run.pixel_size_nm, origin_px=run.origin_px, map_pixel_size_nm=placed.pixel_size_nm,
        start="landmarks" if landmarks else "automatic" if start is None else "placed", landmarks=landmarks,
        placed=schema.dump(dict(start or {})),
    )  # fmt: skip
    inputs: Arrays = {name: run.arrays[name] for name in ("height", "mask") if name in run.arrays}
    return params, {**inputs, "map": placed.height}


def registration_of(params: RegisterMap, info: Mapping[str, Any]) -> Registered:
    """Read what the step found."""
    quality = info["quality"]
    fields = {name: schema.tupled(value) for name, value in info["placement"].items()}
    kept = (
        "quality",
        "method",
        "parameters",
        "covariance",
        "position_std_nm",
        "height_scale",
        "residual_rms_nm",
        "candidates",
    )
    found = {name: info[name] for name in kept if name in info}
    found |= {"model": params.model, "landmarks": schema.dump(params.landmarks), "matcher": params.matcher}
    return Registered({**fields, "placement": found}, str(quality["sentence"]), bool(quality["found"]))


def landmarks_of(placed: HeightMap) -> tuple[Landmark, ...]:
    """Give the landmarks that a map was placed by."""
    pairs = placed.placement.get("landmarks") or ()
    return tuple((float(u), float(v), float(x), float(y)) for u, v, x, y in pairs)


def place_of(placed: HeightMap, run: Run) -> dict[str, Any]:
    """Give the fields that say where a map lies."""
    return Placement.of(placed, run.pixel_size_nm).fields


def other_places(placed: HeightMap) -> list[tuple[str, dict[str, Any]]]:
    """Give, in words and as fields of a height map, the other places at which it fits nearly as well."""
    found = []
    for each in placed.placement.get("candidates") or ():
        fields = {name: each[name] for name in ("center_px", "rotation_deg", "stretch")}
        column, row = each["center_px"]
        words = f"({column:.0f}, {row:.0f}) px, {each['rotation_deg']:.0f}°, correlation {each['correlation']:.2f}"
        found.append((words, fields))
    return found


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
            ("Stretch", f"x {_with_std(along, std.get('stretch_x'))}, y {_with_std(up, std.get('stretch_y'))}"),
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
    return {each["name"]: float(each["std"]) for each in placed.placement.get("parameters") or ()}


def _with_std(value: float, std: float | None, unit: str = "") -> str:
    if not std:
        return f"{value:.5g}{unit}"
    digits = max(0, min(6, 1 - math.floor(math.log10(std))))
    return f"{value:.{digits}f} ± {std:.{digits}f}{unit}"
