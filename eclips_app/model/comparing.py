"""Comparisons of a reconstruction with a placed height map: the request to the step, and what it found, for the document."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.registration import CompareMap, TipModel
from eclips_app.core.steps import StepResult
from eclips_app.metrology.profile import sample, sample_map
from eclips_app.model.items import Comparison, HeightMap, ProfileLine, Run, new_id
from eclips_app.model.placing import Arrays, place_of, placement_sentence

Quantity = dict[str, Any]  #: "value", "std", "unit"

_SURE = 2.0  #: standard deviations up to which a deviation counts as none
_SLIGHT, _WRONG = 0.005, 0.05  #: parts by which the scale of heights is off a little, and too much
_FEWEST = 12  #: points of a line
_BINS = 81
_HISTOGRAM_STD = 4.0  #: reach of the histogram, in standard deviations


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
    before = _values(found["agreement"]) | _angle_values(found["profiles"]) if "tip_agreement" in found else {}
    info = {
        "values": _values(seen) | _angle_values(found.get("tip_profiles", found["profiles"])),
        "before": before,
        "sentences": [{"tone": said.tone, "text": said.text} for said in _told(placed, found)],
        "histogram": _histogram(arrays.get("tip_difference", arrays["difference"]), seen),
        "by_slope": _by_slope(seen["tilts"]),
        "resolution": seen["resolution"],
        "profiles": found.get("tip_profiles", found["profiles"]),
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
        found |= {"Blur to match (FWHM)": resolution["blur"], "Alike down to": resolution["cutoff"]}
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
    """Give the sentences of the step with their tones: with a tip its own, then those of `Agreement.sentences`."""
    sentence, is_sure = placement_sentence(placed)
    if not is_sure:
        yield Said("warning" if is_sure is False else "info", sentence)
    with_tip = "tip_agreement" in found
    tones = ["info", *_tones(found["tip_agreement"])] if with_tip else _tones(found["agreement"])
    for number, text in enumerate(found["verdict"]):
        yield Said(tones[number] if number < len(tones) else "info", text)
    for each in found.get("tip_profiles", found["profiles"]):
        yield Said("good" if _is_small(each["angle_difference"]) else "warning", each["sentence"].capitalize())


def _tones(agreement: Mapping[str, Any]) -> list[str]:
    scale, chi2 = agreement["height_scale"], agreement["chi2"]
    off = None if scale["value"] is None else {**scale, "value": scale["value"] - 1.0}
    tones = ["good" if _is_small(agreement["bias"]) else "warning"]
    if off is None:
        tones.append("warning")
    else:
        far = abs(off["value"])
        tones.append("good" if _is_small(off) else "info" if far < _SLIGHT else "warning" if far < _WRONG else "error")
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
