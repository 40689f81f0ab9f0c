"""Whether images were taken under the conditions of a calibration."""

from __future__ import annotations

from typing import Any

import pytest

from eclips_app.core.calibration_match import differences, disagreements

CALIBRATION: dict[str, Any] = {
    "acquisition": {
        "energy_kev": 10.0, "working_distance_mm": 9.0, "contrast": 40.0, "brightness": 52.0, "detector": "ABS",
    },
    "values": [{"name": "distance_mm", "value": 8.0}],
}  # fmt: skip
SAME = {"energy_kev": 10.05, "working_distance_mm": 9.04, "contrast": 40.0, "brightness": 52.1, "detector": "CBS"}


def test_small_differences_are_none() -> None:
    assert differences(CALIBRATION, SAME) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"energy_kev": 5.0}, ("5 keV", "10 keV")),
        ({"working_distance_mm": 9.8}, ("0.8 mm more", "8 %", "flat")),
        ({"working_distance_mm": 8.2}, ("0.8 mm less", "8 %", "steep")),
        ({"contrast": 41.0}, ("contrast is 41", "gains")),
        ({"brightness": 50.0}, ("brightness is 50", "offsets")),
    ],
)
def test_each_difference_is_told_with_what_it_does(change: dict[str, float], words: tuple[str, ...]) -> None:
    (text,) = differences(CALIBRATION, {**SAME, **change})
    assert all(word in text for word in words)
    assert "\n" not in text


@pytest.mark.parametrize(
    "calibration",
    [
        {}, {"acquisition": None}, {"acquisition": {"energy_kev": "ten", "working_distance_mm": True}},
        {"acquisition": {"energy_kev": float("nan")}},
    ],
)  # fmt: skip
def test_what_is_not_said_is_passed_over(calibration: dict[str, Any]) -> None:
    assert differences(calibration, {**SAME, "energy_kev": 1.0}) == []
    assert differences(CALIBRATION, {}) == []


def test_a_distance_that_cannot_be_read_is_no_obstacle() -> None:
    for values in (None, [3], [{"name": "distance_mm", "value": "far"}]):
        (text,) = differences({**CALIBRATION, "values": values}, {"working_distance_mm": 10.0})
        assert "1 mm more" in text


def test_observations_of_one_calibration_must_be_taken_alike() -> None:
    sphere, indent = ("Sphere: a", "sphere", SAME), ("Vickers indent: b", "indent", {**SAME, "energy_kev": 15.0})
    assert disagreements([sphere, sphere]) == []
    (text,) = disagreements([sphere, indent, indent])
    assert text.startswith("The beam energy is 10.05 keV for Sphere: a, but 15 keV for Vickers indent: b")
    assert disagreements([sphere, ("Dark frame: d", "dark", {"energy_kev": 1.0, "working_distance_mm": 4.0})]) == []
    (text,) = disagreements([("Dark frame: d", "dark", {"brightness": 40.0}), sphere])
    assert "brightness is 40 for Dark frame: d, but 52.1 for Sphere: a" in text
