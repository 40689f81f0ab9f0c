"""The self-check of a calibration on images of which nothing is known: the right detector passes, a wrong one is caught."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import CheckCalibration, Simulate, run_step
from eclips_app.metrology.calibration_check import Opinion, judge

SEGMENTS = tuple(Segment(name, 90.0 * i, 86.0, 1.0, 0.0) for i, name in enumerate("ENWS"))
FOUR = Detector(distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0), quadrants=SEGMENTS)
THREE = replace(FOUR, quadrants=tuple(Segment(str(i), 120.0 * i, 116.0, 1.0, 0.0) for i in range(3)))
COPPER = Emission("tabulated", "Cu")
PIXEL_NM = 2.0


def surface() -> NDArray[np.float64]:
    """A hill with ripples on it, up to some 45 degrees steep, in 128 x 128 pixels."""
    row, column = np.mgrid[:128, :128] - 63.5
    height: NDArray[np.float64] = 64 * np.exp(-(row**2 + column**2) / 800) + 5 * np.sin(column / 8) * np.cos(row / 9)
    return height


@cache
def images(detector: Detector = FOUR, emission: Emission = Emission()) -> NDArray[Any]:  # noqa: B008
    params = Simulate(detector, PIXEL_NM, 8000.0, 1.5, azimuths=32, seed=3, emission=emission)
    return run_step("simulate", {"height": surface()}, params, SilentContext()).arrays["segments"]


def opinion(
    segments: NDArray[Any], detector: Detector, emission: Emission | None = None, pixel_nm: float = PIXEL_NM
) -> Opinion:
    params = CheckCalibration(detector, pixel_nm, device="cpu", emission=emission or Emission())
    return judge(run_step("check-calibration", {"segments": segments}, params, SilentContext()).info)


def tones(found: Opinion) -> dict[str, str]:
    return {each.check: each.tone for each in found.findings}


@pytest.mark.parametrize("emission", [Emission(), COPPER, Emission("parametric", "Cu")])
def test_the_right_detector_passes(emission: Emission) -> None:
    found = opinion(images(FOUR, emission), FOUR, emission)
    assert found.tone == "good", found
    assert tones(found)["gains"] == tones(found)["sum"] == "good"


def test_given_coefficients_are_used() -> None:
    emission = Emission("parametric", "Cu", (0.5, 0.0, 0.2, 0.3, 0.0, 0.1))
    segments = images(FOUR, emission)
    assert opinion(segments, FOUR, emission).tone == "good"
    assert tones(opinion(segments, FOUR))["sum"] == "error"


def test_a_wrong_distance_is_seen_by_the_sum() -> None:
    far = opinion(images(), replace(FOUR, distance_mm=7.5))
    assert far.tone == "error"
    assert "too steep" in far.findings[-2].text
    near = opinion(images(), replace(FOUR, distance_mm=4.8))
    assert tones(near)["sum"] == "error"
    assert "too flat" in near.findings[-2].text
    assert "cannot be right" in near.text


def test_a_small_error_of_the_distance_is_a_warning() -> None:
    assert opinion(images(), replace(FOUR, distance_mm=6.4)).tone == "warning"


def test_lamberts_law_is_refused_for_copper() -> None:
    assert tones(opinion(images(FOUR, COPPER), FOUR))["sum"] == "error"


def test_wrong_gains_are_seen_as_such() -> None:
    wrong = replace(FOUR, quadrants=(replace(SEGMENTS[0], gain=1.15), *SEGMENTS[1:]))
    found = opinion(images(), wrong)
    assert found.tone == "error"
    (gains,) = [each for each in found.findings if each.check == "gains"]
    assert gains.tone == "error"
    assert "gains that level" in gains.text


def test_exchanged_segments_are_named() -> None:
    found = opinion(images()[[1, 0, 2, 3]], FOUR)
    assert found.tone == "error"
    (order,) = [each for each in found.findings if each.check == "order"]
    assert "E and N" in order.text


def test_an_offset_that_is_left_out_is_seen() -> None:
    lifted = images() + np.uint16(3000)
    assert tones(opinion(lifted, FOUR))["sum"] == "error"


def test_three_segments_are_tested_by_their_sum_alone() -> None:
    segments = images(THREE)
    found = opinion(segments, THREE)
    assert found.tone == "good"
    assert tones(found)["gains"] == "info"
    assert opinion(segments, replace(THREE, distance_mm=7.5)).tone == "error"


def test_a_flat_field_tests_no_scale_but_sees_gains_and_bowl() -> None:
    params = Simulate(FOUR, 2000.0, 20000.0, 1.0, azimuths=16, seed=3, scan_parallax=True)
    segments = run_step("simulate", {"height": np.zeros((128, 128))}, params, SilentContext()).arrays["segments"]
    found = opinion(segments, FOUR, pixel_nm=2000.0)
    assert found.tone == "info"
    assert tones(found) == {"gains": "good", "balance": "good", "flat": "good", "sum": "info", "bowl": "good"}
    wrong = tones(opinion(segments, replace(FOUR, distance_mm=3.0), pixel_nm=2000.0))
    assert wrong["bowl"] == "warning"
    tilted = replace(
        FOUR, quadrants=(replace(SEGMENTS[0], gain=1.15), SEGMENTS[1], replace(SEGMENTS[2], gain=0.85), SEGMENTS[3])
    )
    assert tones(opinion(segments, tilted, pixel_nm=2000.0))["flat"] == "warning"


def test_conditions_are_told_first() -> None:
    info = {
        "segments": ["A", "B", "C"], "misfit": None, "balance": {"tilt_deg": 0.1, "azimuth_deg": 0.0, "left_percent": [0.0] * 3},
        "flat": None, "sum": None, "bowl": {"predicted_per_m": -300.0, "left_per_m": 0.0, "std_per_m": 1e6},
    }  # fmt: skip
    found = judge(info, ["The beam energy is 5 keV."])
    assert (found.tone, found.findings[0].check) == ("warning", "conditions")
    assert judge(info).tone == "info"


def test_too_little_to_see_is_refused() -> None:
    exclude = np.ones((128, 128), bool)
    exclude[60:66, 60:66] = False
    with pytest.raises(EclipsError, match="too little of the images is even"):
        run_step(
            "check-calibration", {"segments": images(), "exclude": exclude}, CheckCalibration(FOUR), SilentContext()
        )
