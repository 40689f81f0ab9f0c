"""The step that refines the linear reconstruction through the forward model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.errors import Cancelled
from eclips_app.core.steps import ClosedLoop, Reconstruct, Simulate, StepResult, run_step
from eclips_app.core.tolerance import Tolerances
from eclips_app.engine.surfaces import rough, steps

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0 + 0.05 * i, 40.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0


def images(height: NDArray[Any], **more: Any) -> NDArray[Any]:
    params = Simulate(FOUR, PIXEL_NM, 8000.0, 1.5, azimuths=64, subpixels=2, seed=3, **more)
    return run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]


def solved(segments: NDArray[Any], **more: Any) -> dict[str, NDArray[Any]]:
    params = ClosedLoop(FOUR, PIXEL_NM, device="cpu", **more)
    return run_step("reconstruct-closed-loop", {"segments": segments}, params, SilentContext()).arrays


def off_nm(height: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Difference of two height maps without its plane."""
    difference = (height - truth).astype(float)
    rows, columns = np.indices(truth.shape)
    plane = np.stack([rows.ravel(), columns.ravel(), np.ones(truth.size)], axis=1)
    fitted = plane @ np.linalg.lstsq(plane, difference.ravel(), rcond=None)[0]
    return np.asarray(difference - fitted.reshape(truth.shape))


def pixels(height: NDArray[Any]) -> NDArray[Any]:
    return height.reshape(height.shape[0] // 2, 2, height.shape[1] // 2, 2).mean(axis=(1, 3))


def test_steps_are_better_than_linear_and_the_result_is_whole() -> None:
    fine = steps((192, 256), PIXEL_NM / 2, 1)
    segments, truth = images(fine), pixels(fine)
    linear = run_step(
        "reconstruct-linear", {"segments": segments}, Reconstruct(FOUR, PIXEL_NM, device="cpu"), SilentContext()
    ).arrays
    found = solved(segments, quality="metrology", scan_parallax=False)
    assert off_nm(found["height"], truth).std() < off_nm(linear["height"], truth).std() / 2
    shapes = {name: array.shape for name, array in found.items()}
    assert {name: shapes[name] for name in linear} == {name: array.shape for name, array in linear.items()}
    assert shapes["chi2_known"] == shapes["flags"] == shapes["deviations"][1:] == truth.shape
    total = np.sqrt((found["deviations"].astype(float) ** 2).sum(axis=0)) * PIXEL_NM
    np.testing.assert_allclose(total, found["height_std"], rtol=1e-2)
    np.testing.assert_allclose(np.linalg.norm(found["normals"], axis=0), 1.0, rtol=1e-5)
    assert abs(np.nanmedian(found["chi2"]) - 1.0) < 0.25
    assert np.nanmedian(found["rho"]) == pytest.approx(1.0, abs=0.01)


def test_the_standard_deviation_is_that_of_repeated_images() -> None:
    height = np.kron(rough((48, 56), PIXEL_NM, 2), np.ones((2, 2)))
    params = Simulate(FOUR, PIXEL_NM, 3000.0, azimuths=32, subpixels=2)
    seen = [
        run_step("simulate", {"height": height}, replace(params, seed=seed), SilentContext()).arrays["segments"]
        for seed in range(6)
    ]
    params = ClosedLoop(FOUR, PIXEL_NM, device="cpu", scan_parallax=False)
    found = [run_step("reconstruct-closed-loop", {"segments": each}, params, SilentContext()) for each in seen]
    heights = np.stack([each.arrays["height"] - each.arrays["height"].mean() for each in found])
    scatter = np.sqrt(heights.var(axis=0, ddof=1).mean())
    stated = np.sqrt(np.mean([noise_variance(each) for each in found]))
    assert stated == pytest.approx(scatter, rel=0.35)  # six maps, whose long waves are few


def noise_variance(found: StepResult) -> float:
    """Mean variance of the heights from noise alone, in nm^2."""
    noise = [part == "noise" for part, _ in found.info["deviation_parts"]]
    return float((found.arrays["deviations"][noise].astype(float) ** 2).sum(axis=0).mean()) * PIXEL_NM**2


def test_scan_parallax_is_taken_away() -> None:
    flat = np.zeros((96, 128))
    bent = images(flat, scan_parallax=True, field_center_mm=(0.05, 0.0))
    offset = {"axis_px": (23.5, 31.5 - 0.05e6 / PIXEL_NM)}
    corrected = solved(bent, **offset)
    assert off_nm(corrected["height"], pixels(flat)).std() < 4 * float(np.median(corrected["height_std"]))


def test_clipped_and_excluded_pixels_do_not_count() -> None:
    fine = steps((96, 128), PIXEL_NM / 2, 1)
    segments = images(fine).copy()
    segments[1, 20:24, 30:34] = 65535
    found = solved(segments, clip_high=65535.0)
    assert np.isnan(found["residual"][1, 20:24, 30:34]).all()
    assert np.isfinite(found["height"]).all()
    clean = solved(images(fine))
    assert np.abs(off_nm(found["height"], clean["height"])[10:34, 20:44]).max() < 5 * float(
        np.median(clean["height_std"])
    )


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    segments = images(steps((96, 128), PIXEL_NM / 2, 1))
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, numba.config.NUMBA_NUM_THREADS):
            numba.set_num_threads(threads)
            found.append(solved(segments, tolerances=Tolerances(distance_mm=0.1, gain_percent=0.5), draws=2))
    finally:
        numba.set_num_threads(before)
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_wrong_gains_are_found_within_what_is_stated() -> None:
    fine = steps((192, 256), PIXEL_NM / 2, 1)
    segments, truth = images(fine), pixels(fine)
    wrong = (0.01, -0.01, 0.006, -0.006)
    quadrants = tuple(replace(q, gain=q.gain / (1 + error)) for q, error in zip(FOUR.quadrants, wrong, strict=True))
    given = replace(FOUR, quadrants=quadrants)

    def found(**more: Any) -> StepResult:
        params = ClosedLoop(given, PIXEL_NM, scan_parallax=False, device="cpu", **more)
        return run_step("reconstruct-closed-loop", {"segments": segments}, params, SilentContext())

    plain, fitted = found(), found(tolerances=Tolerances(gain_percent=1.0))
    east, north, west, south = (fitted.info["channels"][f"gain:{q.name}"] for q in FOUR.quadrants)
    # What opposite segments differ by reads as a tilt and is left as stated; what the pairs differ by does not.
    assert (east + west - north - south) / 4 == pytest.approx(0.008, abs=0.001)
    assert fitted.info["chi2"] < 0.95 * plain.info["chi2"]
    assert off_nm(fitted.arrays["height"], truth).std() < 1.1 * off_nm(plain.arrays["height"], truth).std()
    assert {part for part, _ in fitted.info["deviation_parts"]} >= {"noise", "gains"}
    assert "gains" not in fitted.info["not_stated"]


def test_the_wrong_emission_reads_other_angles() -> None:
    # A plane of 20 degrees of copper, read as Lambert's, comes out too steep; with copper's table it does not.
    height = np.broadcast_to(np.arange(96) * np.tan(np.deg2rad(20.0)) * PIXEL_NM / 2, (96, 96))
    segments = images(np.ascontiguousarray(height), emission=Emission("tabulated", "Cu"))

    def angle(emission: Emission) -> float:
        found = solved(segments, emission=emission, scan_parallax=False)["height"]
        return float(np.rad2deg(np.arctan(np.gradient(found, axis=1)[:, 10:-10].mean() / PIXEL_NM)))

    assert angle(Emission()) > 23.0
    assert angle(Emission("tabulated", "Cu")) == pytest.approx(20.0, abs=0.4)


class Impatient(SilentContext):
    """Asks to stop once a part is done."""

    def __init__(self, part: float) -> None:
        self.part, self.done = part, 0.0

    def progress(self, fraction: float, text: str = "") -> None:
        self.done = max(self.done, fraction)
        self.check()

    def check(self) -> None:
        if self.done > self.part:
            raise Cancelled


def test_stopping_before_the_first_step_gives_nothing() -> None:
    segments = images(steps((96, 128), PIXEL_NM / 2, 1))
    with pytest.raises(Cancelled):
        run_step("reconstruct-closed-loop", {"segments": segments}, ClosedLoop(FOUR, PIXEL_NM), Impatient(0.05))


def test_stopping_gives_the_best_so_far() -> None:
    fine = steps((192, 256), PIXEL_NM / 2, 1)
    segments, truth = images(fine), pixels(fine)
    params = ClosedLoop(FOUR, PIXEL_NM, scan_parallax=False, device="cpu", least_fall=1e-6)
    found = run_step("reconstruct-closed-loop", {"segments": segments}, params, Impatient(0.35))
    linear = run_step(
        "reconstruct-linear", {"segments": segments}, Reconstruct(FOUR, PIXEL_NM, scan_parallax=False), SilentContext()
    )
    assert found.info["stopped"]
    assert "user" in found.info["stopping"]
    assert "deviations" not in found.arrays
    assert off_nm(found.arrays["height"], truth).std() < off_nm(linear.arrays["height"], truth).std()
