"""What becomes of registrations and comparisons in the document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eclips_app.core import schema
from eclips_app.core.registration import RegisterMap, TipModel
from eclips_app.core.steps import StepResult
from eclips_app.model import comparing, placing
from eclips_app.model.items import Comparison, HeightMap, ProfileLine, Run

HEIGHT = np.zeros((40, 50), np.float32)
RUN = Run("r", "Live", "s", "reconstruct-linear", 1, {"pixel_size_nm": 2.0, "crop": [10, 20, 50, 70]}, {"height": HEIGHT},
          {}, (), "", 1.0)  # fmt: skip
MAP = HeightMap("m", "AFM", np.zeros((20, 20)), (2.0, 2.0), center_px=(40.0, 30.0))


def quantity(value: float | None, std: float | None = 0.1, unit: str = "nm") -> dict[str, Any]:
    return {"value": value, "std": std, "unit": unit}


def found(**changes: Any) -> dict[str, Any]:
    agreement = {
        "bias": quantity(0.05), "std": quantity(1.0), "rms": quantity(1.0), "lower": quantity(-1.9), "upper": quantity(2.0),
        "height_scale": quantity(1.001, 0.001, ""), "chi2": quantity(4.0, 0.2, ""), "resolution": None, "tilts": [],
    } | changes  # fmt: skip
    return {"agreement": agreement, "verdict": ["bias", "scale", "chi"], "profiles": []}


def made(info: dict[str, Any], placed: HeightMap = MAP) -> Comparison:
    params, _ = comparing.comparison_request(RUN, placed, TipModel())
    difference = np.linspace(-1, 1, HEIGHT.size, dtype=np.float32).reshape(HEIGHT.shape)
    arrays = {"difference": difference, "map": difference}
    return comparing.comparison_of(RUN, placed, params, StepResult(arrays, info))


def test_a_comparison_is_json_with_named_values_and_read_only_arrays() -> None:
    compared = made(found())
    json.dumps(compared.params, allow_nan=False)
    json.dumps(compared.info, allow_nan=False)
    assert list(compared.arrays) == ["difference"]
    assert not compared.arrays["difference"].flags.writeable
    assert compared.info["values"]["Chi of the differences"] == {"value": 2.0, "std": pytest.approx(0.05), "unit": ""}
    assert compared.name == "Live with AFM"


@pytest.mark.parametrize(
    ("changes", "tones"),
    [
        ({}, ["good", "good", "warning"]),
        ({"bias": quantity(0.5), "chi2": quantity(1.1, 0.1, "")}, ["warning", "good", "good"]),
        ({"height_scale": quantity(1.004, 0.0001, "")}, ["good", "info", "warning"]),
        ({"height_scale": quantity(0.97, 0.001, "")}, ["good", "warning", "warning"]),
        ({"height_scale": quantity(0.9, 0.001, "")}, ["good", "error", "warning"]),
        ({"height_scale": quantity(None, None, "")}, ["good", "warning", "warning"]),
    ],
)
def test_sentences_have_the_tone_of_their_numbers(changes: dict[str, Any], tones: list[str]) -> None:
    sure = replace(MAP, placement={"quality": {"found": True, "sentence": "Found."}})
    assert [said.tone for said in comparing.sentences(made(found(**changes), sure))] == tones
    by_hand = comparing.sentences(made(found(**changes)))
    assert by_hand[0].text.startswith("Placed by hand")


def test_a_comparison_holds_for_one_place_and_levelling() -> None:
    compared = made(found())
    assert comparing.is_current(compared, RUN, MAP)
    stored = {name: json.loads(json.dumps(getattr(compared, name))) for name in ("params", "info")}
    assert comparing.is_current(replace(compared, **stored), RUN, MAP)
    assert comparing.is_current(compared, RUN, replace(MAP, name="Other name"))
    assert not comparing.is_current(compared, RUN, replace(MAP, center_px=(40.0, 30.1)))
    assert not comparing.is_current(compared, RUN, replace(MAP, levelling=({"kind": "plane"},)))


@pytest.mark.parametrize(
    ("line", "is_used"),
    [
        (ProfileLine("l", "L", (32.0, 25.0), (48.0, 30.0)), True),
        (ProfileLine("l", "L", (5.0, 25.0), (19.0, 30.0)), False),  # beyond the crop
        (ProfileLine("l", "L", (52.0, 25.0), (69.0, 45.0)), False),  # beyond the map
        (ProfileLine("l", "L", (32.0, 25.0), (48.0, 30.0), kind="circle"), False),
    ],
)
def test_a_line_is_compared_where_it_lies_on_both(line: ProfileLine, is_used: bool) -> None:
    assert bool(comparing.comparison_request(RUN, MAP, TipModel(), line)[0].lines) == is_used


def test_a_registration_becomes_fields_of_the_map_that_survive_json() -> None:
    params, inputs = placing.registration_request(RUN, MAP, RegisterMap(model="drift"), ((1.0, 2.0, 3.0, 4.0),))
    assert (params.start, params.origin_px, set(inputs)) == ("landmarks", (10, 20), {"height", "map"})
    schema.check(params)
    info = {
        "placement": {"center_px": [1.0, 2.0], "drift_nm": [[0.0, 1.0]], "z_slope": [0.0, 0.1]},
        "quality": {"found": False, "sentence": "Not sure."}, "method": "landmarks", "position_std_nm": 1.5,
        "parameters": [{"name": "rotation_deg", "value": 3.0, "std": 0.25}], "candidates": [],
    }  # fmt: skip
    registered = placing.registration_of(params, json.loads(json.dumps(info)))
    placed = replace(MAP, rotation_deg=3.0, **registered.fields)
    assert placed.drift_nm == ((0.0, 1.0),)
    assert placing.landmarks_of(placed) == ((1.0, 2.0, 3.0, 4.0),)
    assert placing.placement_sentence(placed) == ("Not sure.", False)
    assert dict(placing.placement_words(placed))["Rotation"] == "3.00 ± 0.25°"
    assert comparing.comparison_request(RUN, placed, TipModel())[0].position_std_nm == 1.5
