"""What is said of a pixel: its budget, flags, chi-square, tilt, and what helps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from eclips_app.core.deviations import FLAGS
from eclips_app.core.errors import EclipsError
from eclips_app.metrology.pixel_report import PixelReport, pixel_report

SIZE_NM = 2.0


def report(
    row: int = 12, column: int = 25, *, share: str = "noise", stopped: bool = False, **changed: Any
) -> PixelReport:
    """Report on pixel (5, 2) of a map that begins at column 20, row 10."""
    height = np.broadcast_to(SIZE_NM * np.arange(9.0), (6, 9))
    maps = np.zeros((4, 6, 9), np.float16)
    maps[:, 2, 5] = {"noise": (1, 0.5, 0.25, 0), "geometry": (0.25, 0, 0.5, 1)}[share]
    arrays = {"height": height, "deviations": maps, "chi2": np.full((6, 9), 1.1), "flags": np.zeros((6, 9), np.uint8)}
    arrays |= {name: np.full((6, 9), value) for name, value in changed.items() if value is not None}
    for name in [name for name, value in changed.items() if value is None]:
        del arrays[name]
    names = [["noise", "draw 1"], ["noise", "draw 2"], ["geometry", "tilt_x_deg"], ["geometry", "distance_mm"]]
    info = {"deviation_parts": names, "not_stated": ["gains"], "stopped": stopped}
    return pixel_report(arrays, info, {"pixel_size_nm": SIZE_NM, "crop": (10, 20, 16, 29)}, column, row)


def test_height_tilt_and_budget_of_a_pixel() -> None:
    found = report()
    assert (found.height_nm.value, found.tilt_deg) == pytest.approx((10.0, 45.0))
    assert found.height_nm.std == pytest.approx(SIZE_NM * math.sqrt(1 + 0.25 + 0.0625))
    assert found.budget is not None
    assert [round(share.percent) for share in found.budget.shares] == [95, 5]
    assert "not stated: gains" in found.budget.not_stated_text
    assert found.flags == ()
    with pytest.raises(EclipsError, match="does not cover"):
        report(column=29)


def test_tilt_comes_from_the_normals_where_there_are_any() -> None:
    arrays = {"height": np.zeros((3, 3)), "normals": np.zeros((3, 3, 3))}
    arrays["normals"][:, 1, 1] = (0.6, 0.0, 0.8)
    found = pixel_report(arrays, {}, {"pixel_size_nm": 1.0, "crop": (0, 0, 0, 0)}, 1, 1)
    assert found.tilt_deg == pytest.approx(math.degrees(math.atan(0.75)))
    assert found.height_nm.std is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "More dose, or averaging over a width"),
        ({"share": "geometry"}, "geometry, first its distance"),
        ({"flags": 1}, "Nothing was measured here"),
        ({"flags": 2}, "clipped"),
        ({"flags": 4 + 2}, "turned or tilted"),
        ({"flags": 8}, "Check panel"),
        ({"deviations": None, "height_std": 0.3}, "Standard or Metrology"),
    ],
)
def test_the_advice_is_about_what_weighs_most(changed: dict[str, Any], said: str) -> None:
    assert said in report(**changed).advice


def test_a_run_without_deviations_has_its_noise_alone() -> None:
    found = report(deviations=None, height_std=0.3)
    assert found.budget is None
    assert found.height_nm.std == pytest.approx(0.3)


def test_a_stopped_fit_is_no_linear_run() -> None:
    found = report(deviations=None, stopped=True, chi2=1.4)
    assert "was stopped" in found.advice
    assert "single pixel" not in found.chi2


def test_flags_and_chi_square_in_words() -> None:
    found = report(flags=9, chi2=3.4)
    assert found.flags == (FLAGS[1], FLAGS[8])
    assert found.chi2 == "χ² is 3.4: the images differ from the model by more than noise."
    assert "is noise" in report().chi2
    assert "taken too high" in report(chi2=0.2).chi2
    assert "passes for a brightness" in report(chi2_known=4.0).chi2
    assert "four usable segments" in report(chi2=np.nan).chi2
    assert report(chi2=None).chi2 == ""


def test_chi_square_of_a_linear_run_is_that_of_a_single_pixel() -> None:
    assert "single pixel" in report(deviations=None, chi2=0.05).chi2
    assert "single pixel" in report(deviations=None, chi2=5.0).chi2
    assert "more than noise" in report(deviations=None, chi2=25.0).chi2
