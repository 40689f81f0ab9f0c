"""Heights to images to heights: what comes back, on which grid, and what the numbers say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Cycle, Reconstruct, Simulate, StepResult, run_step
from eclips_app.engine.surfaces import rough

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0,
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0 + 0.05 * i, 40.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0
SHAPE = (60, 72)


def gentle() -> NDArray[np.float64]:
    """A hill without any shadow."""
    rows, columns = np.indices(SHAPE)
    return np.asarray(12.0 * np.exp(-((rows - 30.0) ** 2 + (columns - 36.0) ** 2) / 200.0))


def cycled(height: NDArray[Any], **more: Any) -> StepResult:
    """The cycle of a surface, with factor 1 and no gaps unless `rho` and `mask` say otherwise."""
    inputs = {
        "height": height.astype(np.float32), "rho": more.pop("rho", np.ones(height.shape, np.float32)),
        "mask": more.pop("mask", np.ones(height.shape, bool)),
    }  # fmt: skip
    params = Cycle(FOUR, PIXEL_NM, **{"device": "cpu", "method": "linear", "scan_parallax": False, **more})
    return run_step("cycle", inputs, params, SilentContext())


def test_a_gentle_surface_comes_back_and_the_caveat_is_told() -> None:
    found = cycled(gentle())
    assert set(found.arrays) == {"height", "difference"}
    assert found.arrays["difference"].shape == SHAPE
    assert found.info["rms_percent"] < 2.0
    assert found.info["rms_nm"] == pytest.approx(
        np.sqrt(np.mean(found.arrays["difference"].astype(float) ** 2)), rel=1e-4
    )
    assert found.info["largest_nm"] >= found.info["rms_nm"]
    assert found.info["normal_error_deg"] < 0.5
    assert "does not prove" in found.info["caveat"]


def test_shadows_show_in_the_cycle_of_a_linear_run_and_not_in_that_of_a_fit() -> None:
    steep = 3.0 * rough(SHAPE, PIXEL_NM, 1)
    linear = cycled(steep).info["normal_error_deg"]
    fitted = cycled(steep, method="closed-loop", azimuths=32, grey_per_electron=1e-4).info["normal_error_deg"]
    assert linear > 1.0
    assert fitted < 0.6 * linear


def test_a_wrong_model_passes_as_the_caveat_says() -> None:
    # Images of one distance, read with another, cycled with the other: nothing is noticed.
    params = Simulate(FOUR, PIXEL_NM, azimuths=32)
    segments = run_step("simulate", {"height": gentle()}, params, SilentContext()).arrays["segments"]
    wrong = Reconstruct(replace(FOUR, distance_mm=8.0), PIXEL_NM, device="cpu", scan_parallax=False)
    run = run_step("reconstruct-linear", {"segments": segments}, wrong, SilentContext())
    assert np.ptp(run.arrays["height"]) > 1.1 * np.ptp(gentle())
    same = {f.name: getattr(wrong, f.name) for f in fields(wrong)}
    found = run_step("cycle", run.arrays, Cycle(**same, method="linear"), SilentContext())
    assert found.info["rms_percent"] < 2.0


def test_material_and_gaps_do_no_harm() -> None:
    rho, mask = np.ones(SHAPE, np.float32), np.ones(SHAPE, bool)
    rho[:, 40:] = 0.6
    mask[10:20, 10:24] = False
    rho[~mask] = np.nan
    found = cycled(gentle(), rho=rho, mask=mask)
    assert np.isfinite(found.arrays["height"]).all()
    assert found.info["rms_percent"] < 3.0


def test_noise_is_that_of_the_dose_and_the_same_each_time() -> None:
    flat = np.zeros(SHAPE)
    rho = np.full(SHAPE, 8000.0, np.float32)  # grey values of a flat
    quiet = cycled(flat, rho=rho).info
    few, many = (cycled(flat, rho=rho, dose_grey=grey).info for grey in (20.0, 1.0))
    assert quiet["rms_nm"] < 1e-3
    assert quiet["rms_percent"] is None  # a flat has no relief to compare with
    assert few["normal_error_deg"] == pytest.approx(np.sqrt(20.0) * many["normal_error_deg"], rel=0.1)
    again = cycled(flat, rho=rho, dose_grey=1.0)
    assert again.info["rms_nm"] == many["rms_nm"]


def test_parallax_is_that_of_the_crop() -> None:
    # A field 0.3 mm beside the axis; rendered and read at the same place it comes back.
    axis = {"scan_parallax": True, "crop": (100, 200, 160, 272), "axis_px": (130.0, 236.0 - 0.3e6 / PIXEL_NM)}
    found = cycled(gentle(), **axis)
    assert found.info["rms_percent"] < 2.0
    with pytest.raises(EclipsError, match="axis"):
        cycled(gentle(), **{**axis, "axis_px": None})


def test_inputs_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(EclipsError, match="belong together"):
        cycled(gentle(), mask=np.ones((3, 3), bool))
    with pytest.raises(EclipsError, match="no surface"):
        cycled(gentle(), rho=np.full(SHAPE, np.nan))
