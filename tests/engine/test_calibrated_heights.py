"""What a calibration knows of emission and model reaches the deviations of the heights measured with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from calibration_objects import PIXEL_NM, images, place, sheet

from eclips_app.core.context import SilentContext
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.steps import ClosedLoop, Reconstruct, StepResult, run_step

BENT = Emission("parametric", coefficients=(0.5, 0.0, 0.0, 0.6, 0.0, 0.3))


def calibrated(**content: Any) -> StepResult:
    """Reconstruct a ridge with a detector whose calibration holds some content."""
    x, _ = place()
    ridge = -0.6 * np.abs(x) + 10.0
    segments = images(sheet(), np.maximum(ridge, 0.0), emission=BENT)[:, 24:72, 24:72]
    detector = replace(sheet(), calibration={"method": "fit", **content})
    params = ClosedLoop(detector, PIXEL_NM, emission=BENT, draws=2, device="cpu", subpixels=1, scan_parallax=False)
    return run_step("reconstruct-closed-loop", {"segments": np.ascontiguousarray(segments)}, params, SilentContext())


def parts(result: StepResult) -> list[str]:
    return [name for part, name in result.info["deviation_parts"] if part == "emission"]


def test_coefficients_and_misfit_of_a_calibration_are_in_the_budget() -> None:
    plain = calibrated()
    assert parts(plain) == []
    known = calibrated(parameters=[EMISSION[3]], covariance=[[0.01]])
    assert parts(known) == [EMISSION[3]]
    off = calibrated(model_error_percent=1.0)
    assert parts(off) == [f"misfit {n}" for n in range(1, 5)]
    assert np.median(off.arrays["height_std"]) > 1.1 * np.median(plain.arrays["height_std"])


def test_coefficients_say_nothing_of_heights_by_lamberts_law() -> None:
    x, _ = place()
    segments = images(sheet(), 0.2 * x)[:, 24:72, 24:72]
    detector = replace(sheet(), calibration={"parameters": [EMISSION[3]], "covariance": [[0.01]]})
    params = ClosedLoop(detector, PIXEL_NM, draws=2, device="cpu", subpixels=1, scan_parallax=False)
    result = run_step("reconstruct-closed-loop", {"segments": np.ascontiguousarray(segments)}, params, SilentContext())
    assert parts(result) == []


def test_the_linear_reconstruction_reads_facets_as_calibrated() -> None:
    x, y = place()
    ridge = np.where(y > 0, -0.9 * np.abs(x), -0.3 * np.abs(x - 3.0))
    segments = images(sheet(), ridge, emission=BENT, dose=None)
    knows = {"emission": {"model": "parametric", "material": "Cu", "coefficients": list(BENT.coefficients)}}
    tilts = []
    for calibration in (None, knows):
        params = Reconstruct(replace(sheet(), calibration=calibration), PIXEL_NM, device="cpu")
        result = run_step("reconstruct-linear", {"segments": segments}, params, SilentContext())
        normals, rho = result.arrays["normals"], result.arrays["rho"]
        tilts.append(
            [np.rad2deg(np.arccos(np.median(normals[2, rows, 60:88]))) for rows in (slice(10, 40), slice(56, 86))]
        )
        flat_rho = [np.median(rho[rows, 60:88]) for rows in (slice(10, 40), slice(56, 86))]
    true = np.rad2deg(np.arctan([0.9, 0.3]))
    assert np.abs(np.array(tilts[0]) - true).max() > 1.0  # as Lambert's law has it
    assert np.abs(np.array(tilts[1]) - true).max() < 0.15
    assert np.ptp(flat_rho) < 0.01  # one material
    assert result.info["emission_model"] == "as calibrated"
