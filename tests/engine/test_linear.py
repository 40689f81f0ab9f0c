from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Bias, Detector, Segment
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import Reconstruct, Register, StepResult, run_step
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.surfaces import rough

PIXEL_NM = 5.0
FOUR = Detector(quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")))
THREE = Detector(quadrants=tuple(Segment(name, 60 + 120.0 * k, 116.0, 1.0, 0.0) for k, name in enumerate("ABC")))
EIGHT = Detector(
    quadrants=tuple(
        Segment(f"{ring}{k}", 90.0 * k, 84.0, 1.0, 0.0, *radii)
        for ring, radii in (("i", (2.0, 4.0)), ("o", (4.5, 9.0)))
        for k in range(4)
    )
)
DETECTORS = {"four": FOUR, "three": THREE, "eight": EIGHT}


def hills(shape: tuple[int, int] = (120, 150)) -> tuple[np.ndarray, np.ndarray]:
    """A smooth surface: height in nm, normals [3, row, col] from its exact slopes."""
    row, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    height = 6 * np.sin(x / 21) * np.cos(row / 17)
    p, dh_drow = 6 / 21 * np.cos(x / 21) * np.cos(row / 17), -6 / 17 * np.sin(x / 21) * np.sin(row / 17)
    normals = np.stack([-p, dh_drow, np.ones(shape)]) / np.sqrt(1 + p**2 + dh_drow**2)
    return (height - height.mean()) * PIXEL_NM, normals


def images(detector: Detector, normals: np.ndarray, brightness: float | np.ndarray = 1.0) -> np.ndarray:
    """Grey values of the linear model, some thousands, with the detector's gains and offsets."""
    signal = np.einsum("ki,irc->krc", vectors(detector), normals) * brightness * 4e4
    gain, offset = (
        np.array([getattr(s, key) for s in detector.quadrants])[:, None, None] for key in ("gain", "offset")
    )
    return signal * gain + offset


def reconstruct(
    segments: np.ndarray, detector: Detector = FOUR, extra: dict | None = None, **params: object
) -> StepResult:
    params = {"scan_parallax": False, "device": "cpu"} | params
    wanted = Reconstruct(detector=detector, pixel_size_nm=PIXEL_NM, **params)
    return run_step("reconstruct-linear", {"segments": segments} | (extra or {}), wanted, SilentContext())


@pytest.mark.parametrize("name", list(DETECTORS))
def test_surface_of_uneven_brightness_comes_back(name: str) -> None:
    height, normals = hills()
    brightness = 1 + 0.3 * np.sin(np.arange(150) / 9)
    result = reconstruct(images(DETECTORS[name], normals, brightness), DETECTORS[name])
    np.testing.assert_allclose(result.arrays["normals"], normals, atol=2e-6)
    np.testing.assert_allclose(
        result.arrays["height"], height, atol=0.05
    )  # 0.1 % of the relief: border of second order
    np.testing.assert_allclose(
        result.arrays["rho"], (brightness / np.median(brightness))[None].repeat(120, 0), rtol=1e-5
    )
    np.testing.assert_allclose(result.arrays["residual"], 0.0, atol=0.02)
    assert result.arrays["mask"].all()
    assert np.isnan(result.arrays["chi2"]).all() == (name == "three")
    assert {a.dtype for key, a in result.arrays.items() if key != "mask"} == {np.dtype(np.float32)}


def test_north_facing_slope_falls_toward_the_top_of_the_image() -> None:
    tilt = np.deg2rad(20.0)
    normals = np.broadcast_to(np.array([0.0, np.sin(tilt), np.cos(tilt)])[:, None, None], (3, 40, 50))
    height = reconstruct(images(FOUR, normals)).arrays["height"]
    np.testing.assert_allclose(np.diff(height, axis=0), np.tan(tilt) * PIXEL_NM, rtol=1e-4)  # higher with each row down
    np.testing.assert_allclose(np.diff(height, axis=1), 0.0, atol=1e-3)


def test_gains_and_offsets_of_the_file_are_taken_out() -> None:
    _, normals = hills()
    uneven = replace(
        FOUR, quadrants=tuple(replace(s, gain=1 + 0.2 * k, offset=100.0 * k) for k, s in enumerate(FOUR.quadrants))
    )
    result = reconstruct(images(uneven, normals), uneven)
    np.testing.assert_allclose(result.arrays["normals"], normals, atol=1e-5)
    np.testing.assert_allclose(result.arrays["residual"], 0.0, atol=0.05)


def test_level_balance_finds_the_gains() -> None:
    _, normals = hills((200, 264))  # as many up as down: its median is level
    true = np.array([1.3, 0.8, 1.0, 0.9])
    segments = images(FOUR, normals) * true[:, None, None]
    result = reconstruct(segments, balance="level")
    np.testing.assert_allclose(
        np.array(result.info["gains"]) / np.mean(result.info["gains"]), true / true.mean(), rtol=0.02
    )
    tilt = reconstruct(segments).arrays["normals"][:2].mean(axis=(1, 2))
    levelled = result.arrays["normals"][:2].mean(axis=(1, 2))
    assert np.abs(levelled).max() < 0.01 < np.abs(tilt).max()


def test_one_clipped_segment_of_four_does_not_matter() -> None:
    height, normals = hills()
    segments = np.rint(images(FOUR, normals))
    top = np.sort(segments[0], axis=None)[-800]
    clipped = segments.copy()
    clipped[0] = np.minimum(segments[0], top)
    result = reconstruct(clipped, clip_high=top)
    assert result.info["clipped_px"][0] >= 800
    assert result.info["masked_px"] == 0
    np.testing.assert_allclose(result.arrays["height"], height, atol=0.3)
    assert np.isnan(result.arrays["residual"][0][clipped[0] >= top]).all()


def test_two_segments_suffice_where_the_material_is_known_from_around() -> None:
    _, normals = hills()
    segments = images(THREE, normals)
    top = np.sort(segments[1], axis=None)[-900]
    result = reconstruct(
        np.minimum(segments, np.array([np.inf, top, np.inf])[:, None, None]), THREE, clip_high=float(top)
    )
    assert result.info["two_segment_px"] >= 900
    assert result.arrays["mask"].all()
    angle = np.rad2deg(np.arccos(np.clip((result.arrays["normals"] * normals).sum(axis=0), -1, 1)))
    assert angle[segments[1] >= top].mean() < 0.5


def test_excluded_and_lost_pixels_are_masked_and_bridged() -> None:
    height, normals = hills()
    segments = images(FOUR, normals)
    segments[:, 30:40, 50:60] = 0.0
    segments[1, 5, 5] = np.nan
    exclude = np.zeros(segments.shape[1:], bool)
    exclude[80:90, 20:50] = True
    result = reconstruct(segments, extra={"exclude": exclude}, clip_low=0.0)
    mask = result.arrays["mask"]
    assert not mask[30:40, 50:60].any()
    assert not mask[80:90, 20:50].any()
    assert np.count_nonzero(~mask) == 400
    assert np.isfinite(result.arrays["height"]).all()
    assert np.isnan(result.arrays["rho"][~mask]).all()
    error = (result.arrays["height"] - height)[mask]
    assert np.std(error) < 0.1


def test_moved_segments_are_moved_back() -> None:
    _, normals = hills((160, 180))
    segments = images(FOUR, normals)
    moves = [(0.0, 0.0), (2.4, -3.7), (-1.2, 0.8), (0.0, 5.0)]
    moved = np.stack([scipy.ndimage.shift(s, m, order=5, mode="nearest") for s, m in zip(segments, moves, strict=True)])
    back = tuple((-a, -b) for a, b in moves)
    result = reconstruct(moved, shifts_px=back)
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(result.arrays["normals"][:, 8:-8, 8:-8], normals[:, 8:-8, 8:-8], atol=1e-3)
    assert result.arrays["mask"][inner].all()
    drift = np.array(back, np.float32)[:, None, :].repeat(160, axis=1)
    same = reconstruct(moved, extra={"drift_px": drift})
    np.testing.assert_allclose(same.arrays["height"], result.arrays["height"], atol=1e-2)


def test_what_moved_out_of_the_image_does_not_count() -> None:
    _, normals = hills()
    result = reconstruct(images(FOUR, normals), shifts_px=((0, 0), (0, 0), (0, 0), (4.0, 0)))
    assert np.isnan(result.arrays["residual"][3, :4]).all()
    assert result.arrays["mask"].all()  # three segments are left there


def test_registration_feeds_the_reconstruction() -> None:
    surface = rough((220, 240), PIXEL_NM, 4)
    down, right = np.gradient(surface / PIXEL_NM)
    normals = np.stack([-right, down, np.ones_like(surface)]) / np.sqrt(1 + right**2 + down**2)
    segments = images(FOUR, normals)
    segments[2] = scipy.ndimage.shift(segments[2], (3.0, -2.0), order=3, mode="nearest")
    shifts = run_step("register", {"segments": segments}, Register(max_shift_px=8.0), SilentContext()).info["shifts_px"]
    result = reconstruct(segments, shifts_px=tuple(map(tuple, shifts)))
    angle = np.rad2deg(np.arccos(np.clip((result.arrays["normals"] * normals).sum(axis=0), -1, 1)))[10:-10, 10:-10]
    assert angle.mean() < 1.0


def parallax_images(shape: tuple[int, int], pixel_nm: float) -> np.ndarray:
    """A flat specimen, each pixel seen by a detector whose axis has moved against the beam."""
    rows, columns = shape
    found = np.empty((4, *shape))
    for row in range(0, rows):
        y = ((rows - 1) / 2 - row) * pixel_nm * 1e-6
        for column in range(0, columns):
            x = (column - (columns - 1) / 2) * pixel_nm * 1e-6
            found[:, row, column] = vectors(replace(FOUR, center_mm=(-x, -y)))[:, 2]
    return found * 1e5


def test_flat_specimen_stays_flat_over_a_large_field() -> None:
    pixel_nm = 20000.0  # 0.64 mm wide
    segments = parallax_images((24, 32), pixel_nm)
    params = {"detector": FOUR, "pixel_size_nm": pixel_nm, "device": "cpu"}
    with_it, without = (
        run_step("reconstruct-linear", {"segments": segments}, Reconstruct(**params, scan_parallax=on), SilentContext())
        for on in (True, False)
    )
    assert np.ptp(without.arrays["height"]) > 15000  # nm: a cap of radius 3 mm
    assert without.arrays["height"][12, 16] > without.arrays["height"][0, 0]
    assert np.ptp(with_it.arrays["height"]) < 0.02 * np.ptp(without.arrays["height"])


def test_crop_keeps_the_axis_where_it_was() -> None:
    segments = parallax_images((24, 32), 20000.0)
    params = {"detector": FOUR, "pixel_size_nm": 20000.0, "device": "cpu"}
    whole = run_step("reconstruct-linear", {"segments": segments}, Reconstruct(**params), SilentContext())
    part = run_step(
        "reconstruct-linear", {"segments": segments}, Reconstruct(**params, crop=(2, 5, 20, 30)), SilentContext()
    )
    np.testing.assert_allclose(part.arrays["normals"], whole.arrays["normals"][:, 2:20, 5:30], atol=1e-6)
    moved = Reconstruct(**params, axis_px=(11.5 + 4, 15.5))
    tilted = run_step("reconstruct-linear", {"segments": segments}, moved, SilentContext())
    assert abs(tilted.arrays["normals"][1].mean()) > 0.02


def test_noise_is_measured_and_carried_to_the_height() -> None:
    height, normals = hills((160, 160))
    rng = np.random.default_rng(2)
    electrons = images(FOUR, normals) / 4
    results = [reconstruct(rng.poisson(electrons) * 3.0) for _ in range(12)]
    assert results[0].info["grey_per_electron"] == pytest.approx(3.0, rel=0.06)
    assert results[0].info["chi2_median"] == pytest.approx(
        0.455, abs=0.04
    )  # median of chi-square with one degree of freedom
    assert np.nanmean(results[0].arrays["chi2"]) == pytest.approx(1.0, abs=0.06)
    errors = np.stack([r.arrays["height"] - height for r in results])
    ratio = errors.std(axis=0).mean() / results[0].arrays["height_std"].mean()
    assert ratio == pytest.approx(1.0, abs=0.15)


def test_chi_square_tells_a_shadow() -> None:
    _, normals = hills()
    segments = np.random.default_rng(0).poisson(images(FOUR, normals)).astype(float)
    segments[2, 40:60, 40:60] *= 0.8
    chi2 = reconstruct(segments).arrays["chi2"]
    assert np.median(chi2[40:60, 40:60]) > 20 > 3 > np.median(chi2[80:110, 80:110])


def test_equal_inputs_give_equal_bits_with_one_and_two_threads() -> None:
    _, normals = hills((333, 290))
    segments = np.random.default_rng(1).poisson(images(FOUR, normals)).astype(np.uint16)
    segments[0, 100:120, 100:140] = segments[1, 110:130, 90:150] = 65535
    segments[:, 200:210, 200:205] = 65535
    threads = torch.get_num_threads()
    found = []
    for count in (1, 2, 2):
        torch.set_num_threads(count)
        arrays = reconstruct(
            segments, clip_high=65535, balance="level", shifts_px=((0, 0), (0.3, 0), (0, -0.7), (1, 1))
        ).arrays
        found.append({key: a.tobytes() for key, a in arrays.items()})
    torch.set_num_threads(threads)
    assert found[0] == found[1] == found[2]


class Watcher(SilentContext):
    def __init__(self, stop_at: float = 2.0) -> None:
        self.stop_at, self.fractions, self.previews = stop_at, [0.0], []

    def progress(self, fraction: float, text: str = "") -> None:
        self.fractions.append(fraction)
        self.check()

    def check(self) -> None:
        if self.fractions[-1] >= self.stop_at:
            raise Cancelled

    def preview(self, name: str, array: np.ndarray, **info: float) -> None:
        self.previews.append((name, array.shape, info))


def test_progress_rises_and_a_small_preview_comes_before_the_end() -> None:
    _, normals = hills((600, 700))
    watcher = Watcher()
    run_step(
        "reconstruct-linear", {"segments": images(FOUR, normals)}, Reconstruct(detector=FOUR, device="cpu"), watcher
    )
    assert watcher.fractions == sorted(watcher.fractions)
    assert watcher.fractions[-1] == 1.0
    name, shape, info = watcher.previews[0]
    assert name == "height"
    assert max(shape) <= 512
    assert info["pixel_size_nm"] > 1.0


def test_it_stops_when_asked() -> None:
    _, normals = hills()
    with pytest.raises(Cancelled):
        run_step("reconstruct-linear", {"segments": images(FOUR, normals)}, Reconstruct(detector=FOUR), Watcher(0.3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop": (0, 0, 500, 500)}, "does not fit into an image of 120 rows"),
        ({"shifts_px": ((0.0, 0.0),)}, "1 shifts for 4 segments"),
        ({"clip_high": 1.0}, "no pixel"),
        ({"detector": THREE}, "4 images for a detector of 3 segments"),
    ],
)
def test_bad_input_is_explained(change: dict, message: str) -> None:
    _, normals = hills()
    with pytest.raises(EclipsError, match=message):
        reconstruct(images(FOUR, normals), **({"detector": FOUR} | change))


def test_segments_in_one_direction_are_refused() -> None:
    blind = Detector(quadrants=tuple(Segment(str(k), 0.0, 60.0, 1.0, 0.0, 2.0 + k, 3.0 + k) for k in range(3)))
    with pytest.raises(EclipsError, match="do not tell the two slopes apart"):
        reconstruct(np.ones((3, 20, 20)), blind)


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EclipsError, match="no CUDA device"):
        reconstruct(np.ones((4, 20, 20)), device="cuda")
    assert reconstruct(np.ones((4, 20, 20)), device="auto").info["device"] == "cpu"


def test_biased_specimen_is_read_with_the_curved_flight() -> None:
    height, normals = hills((60, 70))
    biased = replace(FOUR, beam=Beam(8.0, 2.0), bias=Bias(-3000.0, 0.0))
    segments = images(biased, normals)
    np.testing.assert_allclose(reconstruct(segments, biased).arrays["height"], height, atol=0.1)
    straight = reconstruct(segments, replace(biased, bias=None)).arrays["height"]
    assert np.std(straight) > 1.05 * np.std(height)  # the slope signal of a biased specimen is larger
