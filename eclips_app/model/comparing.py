"""Registrations and comparisons of height maps: requests to the steps, and what becomes of their answers in the document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.registration import CompareMap, RegisterMap, TipModel
from eclips_app.core.steps import StepResult
from eclips_app.core.units import format_length
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import sample, sample_map
from eclips_app.model.items import Comparison, HeightMap, ProfileLine, Run, new_id

Quantity = dict[str, Any]  #: "value", "std", "unit"
Arrays = dict[str, NDArray[Any]]
Landmark = tuple[float, float, float, float]  #: map column, map row, image column, image row

_SURE = 2.0  #: standard deviations up to which a deviation counts as none
_FEWEST = 12  #: points of a line
_BINS = 81
_HISTOGRAM_STD = 4.0  #: reach of the histogram, in standard deviations


# Registration


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
    fields = {name: _tupled(value) for name, value in info["placement"].items()}
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
    return {each["name"]: float(each["std"]) for each in placed.placement.get("parameters") or ()}


def _with_std(value: float, std: float | None, unit: str = "") -> str:
    if not std:
        return f"{value:.5g}{unit}"
    digits = max(0, min(6, 1 - math.floor(math.log10(std))))
    return f"{value:.{digits}f} ± {std:.{digits}f}{unit}"


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, (list, tuple)) else value


# Comparison


@dataclass(frozen=True)
class Said:
    """A sentence; `tone` is "good", "info", "warning" or "error"."""

    tone: str
    text: str
    title: str = "Verdict"
    bbox: tuple[int, int, int, int] | None = None


def comparison_request(
    run: Run, placed: HeightMap, tip: TipModel, line: ProfileLine | None = None
) -> tuple[CompareMap, Arrays]:
    """Give parameters and inputs of the step ``compare-map``.

    Angles are compared along a straight `line`, if enough of it lies on both maps.
    """
    params = CompareMap(
        pixel_size_nm=run.pixel_size_nm,
        origin_px=run.origin_px,
        map_pixel_size_nm=placed.pixel_size_nm,
        placed=schema.dump(place_of(placed, run)),
        position_std_nm=float(placed.placement.get("position_std_nm") or 0.0),
        tip=tip,
        lines=((*line.start_px, *line.end_px),) if line is not None and lies_on_both(line, placed, run) else (),
        deviation_parts=tuple((str(part), str(name)) for part, name in run.info.get("deviation_parts", ())),
    )
    inputs: Arrays = {
        name: run.arrays[name] for name in ("height", "mask", "height_std", "deviations") if name in run.arrays
    }
    return params, {**inputs, "map": placed.height}


def lies_on_both(line: ProfileLine, placed: HeightMap, run: Run) -> bool:
    """Whether a straight line has a tenth of its length or more where both maps hold data."""
    if line.kind != "line":
        return False
    on_run = sample(
        run.arrays["height"], line.start_px, line.end_px, pixel_size_nm=run.pixel_size_nm, step_px=1.0,
        origin_px=run.origin_px, mask=run.arrays.get("mask"),
    )  # fmt: skip
    on_map = sample_map(placed, line.start_px, line.end_px, pixel_size_nm=run.pixel_size_nm, step_px=1.0)
    both = np.isfinite(on_run.height_nm) & np.isfinite(on_map.height_nm)
    return bool(both.sum() >= max(_FEWEST, 0.1 * len(both)))


def comparison_of(run: Run, placed: HeightMap, params: CompareMap, result: StepResult) -> Comparison:
    """Make the item of a finished comparison; its arrays become read-only. A tenth of a second for large maps."""
    arrays = {name: array for name, array in result.arrays.items() if name != "map"}
    for array in arrays.values():
        array.setflags(write=False)
    found = result.info
    seen = found.get("tip_agreement") or found["agreement"]
    angles = _angle_values(found["profiles"])
    info = {
        "values": _values(seen) | angles,
        "before": _values(found["agreement"]) | angles if "tip_agreement" in found else {},
        "sentences": [{"tone": said.tone, "text": said.text} for said in _told(placed, found)],
        "histogram": _histogram(arrays.get("tip_difference", arrays["difference"]), seen),
        "by_slope": _by_slope(seen["tilts"]),
        "resolution": seen["resolution"],
        "profiles": found["profiles"],
        "tip": {name: found[name] for name in ("tip", "tip_radius_nm", "certain_percent") if name in found},
        "map_sha256": placed.sha256,
        "levelling": list(placed.levelling),
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name = f"{run.name} with {placed.name}"
    return Comparison(new_id(), name, run.id, placed.id, now, schema.dump(params), info, arrays)


def is_current(compared: Comparison, run: Run, placed: HeightMap) -> bool:
    """Whether a comparison was made of the map as it lies and is levelled now."""
    same_place = compared.params.get("placed") == schema.dump(place_of(placed, run))
    return same_place and list(compared.info.get("levelling", [])) == list(placed.levelling)


def sentences(compared: Comparison) -> tuple[Said, ...]:
    """Give what a comparison says in words."""
    return tuple(Said(str(each["tone"]), str(each["text"])) for each in compared.info.get("sentences", ()))


def value_rows(compared: Comparison) -> list[tuple[str, Quantity | None, Quantity]]:
    """Give name, value without the tip (None where no tip was known) and value of all that was compared."""
    before = compared.info.get("before") or {}
    return [(name, before.get(name), value) for name, value in compared.info["values"].items()]


def result_rows(compared: Comparison) -> Iterator[tuple[str, dict[str, Quantity]]]:
    """Give the rows of the results table: name and values; with a tip also those without it."""
    before = compared.info.get("before")
    if before:
        yield f"{compared.name}, as it is", dict(before)
    yield f"{compared.name}, dilated by the tip" if before else compared.name, dict(compared.info["values"])


def _values(agreement: Mapping[str, Any]) -> dict[str, Quantity]:
    """Give the numbers of a `metrology.agreement.Agreement` under their names."""
    names = {
        "Bias": "bias", "Lower limit of agreement": "lower", "Upper limit of agreement": "upper", "Rms difference": "rms",
        "Scale of heights": "height_scale",
    }  # fmt: skip
    found = {name: agreement[key] for name, key in names.items()}
    resolution, chi2 = agreement["resolution"], agreement["chi2"]
    if resolution is not None:
        found |= {"Blur between both (FWHM)": resolution["blur"], "Alike down to": resolution["cutoff"]}
    if chi2 is not None:
        chi = math.sqrt(max(chi2["value"], 0.0))
        std = chi2["std"] / (2 * chi) if chi and chi2["std"] is not None else None
        found["Chi of the differences"] = {"value": chi, "std": std, "unit": ""}
    return found


def _angle_values(profiles: Sequence[Mapping[str, Any]]) -> dict[str, Quantity]:
    if not profiles:
        return {}
    names = {"Angle of the flank": "angle", "Angle on the map": "map_angle", "Angle deviation": "angle_difference"}
    return {name: profiles[0][key] for name, key in names.items()}


def _told(placed: HeightMap, found: Mapping[str, Any]) -> Iterator[Said]:
    """Give the sentences of the step with their tones: those of `Agreement.sentences` in their order, then the tip's."""
    sentence, is_sure = placement_sentence(placed)
    if not is_sure:
        yield Said("warning" if is_sure is False else "info", sentence)
    tones = _tones(found["agreement"])
    for number, text in enumerate(found["verdict"]):
        yield Said(tones[number] if number < len(tones) else "info", text)
    for each in found["profiles"]:
        yield Said("good" if _is_small(each["angle_difference"]) else "warning", each["sentence"].capitalize())


def _tones(agreement: Mapping[str, Any]) -> list[str]:
    scale, chi2 = agreement["height_scale"], agreement["chi2"]
    off = None if scale["value"] is None else {**scale, "value": scale["value"] - 1.0}
    tones = ["good" if _is_small(agreement["bias"]) else "warning"]
    tones.append("warning" if off is None else "good" if _is_small(off) else "error")
    if chi2 is not None:
        tones.append("good" if chi2["value"] <= 1 + _SURE * (chi2["std"] or 0.0) else "warning")
    return [*tones, "info"]


def _is_small(quantity: Quantity) -> bool:
    return abs(float(quantity["value"])) <= _SURE * float(quantity["std"] or 0.0)


def _histogram(difference: NDArray[Any], agreement: Mapping[str, Any]) -> dict[str, list[float]]:
    """Count the differences within twice the limits of agreement."""
    bias, std = agreement["bias"]["value"], agreement["std"]["value"]
    reach = max(_HISTOGRAM_STD * std, 1e-6)
    counts, edges = np.histogram(difference[np.isfinite(difference)], _BINS, (bias - reach, bias + reach))
    return {"edges_nm": edges.tolist(), "counts": counts.tolist()}


def _by_slope(tilts: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Give the columns of the diagrams: middle of the tilts, and the bias of heights and of tilts with deviations."""
    return {
        "slope_deg": [(each["from_deg"] + each["to_deg"]) / 2 for each in tilts],
        "bias_nm": [each["height_nm"]["value"] for each in tilts],
        "std_nm": [each["height_nm"]["std"] for each in tilts],
        "bias_deg": [each["tilt_deg"]["value"] for each in tilts],
        "std_deg": [each["tilt_deg"]["std"] for each in tilts],
    }
