from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import tifffile

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Register, StepResult
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.register import Pair, combine, features, pair_shift, register_step
from eclips_app.engine.surfaces import particles, rough, spiral

MARGIN = 24


def lit(height: np.ndarray, seed: int = 0, dose: float = 4000.0) -> np.ndarray:
    """Images of four quadrants: opposite ones show every slope with opposite contrast."""
    detector = Detector(quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")))
    down, right = np.gradient(height)
    normals = np.stack([-right, down, np.ones_like(height)]) / np.sqrt(1 + right**2 + down**2)
    signal = np.maximum(np.einsum("ki,irc->krc", vectors(detector), normals), 0)
    return np.random.default_rng(seed).poisson(signal / signal.mean() * dose).astype(float)


def displaced(images: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Cut the field out of larger images, each displaced by (rows, columns) or by [row, 2]."""
    size = [n - 2 * MARGIN for n in images.shape[1:]]
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    out = []
    for image, by in zip(images, displacement, strict=True):
        by = np.broadcast_to(by, (size[0], 2))
        at = [rows + MARGIN - by[:, :1], columns + MARGIN - by[:, 1:]]
        out.append(scipy.ndimage.map_coordinates(image, at, order=5))
    return np.stack(out)


def register(segments: np.ndarray, **params: object) -> StepResult:
    return register_step({"segments": segments}, Register(**params), SilentContext())


def test_reversed_contrast_alone_changes_nothing() -> None:
    image = lit(rough((256 + 2 * MARGIN, 300 + 2 * MARGIN), 1.0, 3))[0]
    moved = np.array([[0.0, 0.0], [3.37, -7.81], [-12.6, 4.25]])
    found = register(displaced(np.stack([image, -image, image]), moved), max_shift_px=24.0).info["shifts_px"]
    np.testing.assert_allclose(found, -moved, atol=0.02)


@pytest.mark.parametrize(
    ("surface", "steepness", "error_px"), [(rough, 0.5, 0.1), (rough, 1.0, 0.15), (spiral, 1.0, 0.1)]
)
def test_shifts_between_segments_are_found_to_about_a_tenth_of_a_pixel(surface, steepness, error_px) -> None:
    # On steep surfaces the segments do not see quite the same edges.
    images = lit(steepness * surface((300 + 2 * MARGIN, 340 + 2 * MARGIN), 1.0, 3))
    moved = np.array([[0.0, 0.0], [3.37, -7.81], [-12.6, 4.25], [0.42, 17.9]])
    result = register(displaced(images, moved), max_shift_px=24.0)
    np.testing.assert_allclose(result.info["shifts_px"], -moved, atol=error_px)
    assert min(result.info["quality"]) > 0.2
    assert result.info["closure_px"] < 0.2


def test_round_particles_are_found_to_a_pixel() -> None:
    # Each segment sees another part of a particle's rim, which no comparison of edges can undo.
    images = lit(particles((256 + 2 * MARGIN, 300 + 2 * MARGIN), 1.0, 3))
    moved = np.array([[0.0, 0.0], [3.37, -7.81], [-12.6, 4.25], [0.42, 17.9]])
    np.testing.assert_allclose(
        register(displaced(images, moved), max_shift_px=24.0).info["shifts_px"], -moved, atol=1.0
    )


def test_one_pair_that_locked_onto_something_else_is_outvoted() -> None:
    true = np.array([[0.0, 0.0], [1.0, 2.0], [-3.0, 0.5], [4.0, -2.0]])
    pairs = {(i, j): Pair(true[j] - true[i], 0.6) for i in range(4) for j in range(i + 1, 4)}
    pairs[0, 2] = Pair(np.array([9.0, -7.0]), 0.6)
    shifts, quality, closure = combine(pairs, 4, 0)
    np.testing.assert_allclose(shifts, true, atol=0.05)
    assert quality.min() > 0.5
    assert closure < 0.2


def test_reference_stays_and_the_others_follow() -> None:
    images = lit(rough((180, 180), 1.0, 5))
    moved = np.array([[0.0, 0.0], [2.0, 1.0], [-3.0, 0.0], [0.0, -4.0]])
    found = np.array(register(displaced(images, moved), reference=2, max_shift_px=12.0).info["shifts_px"])
    assert found[2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found, moved[2] - moved, atol=0.15)


def test_straight_steps_leave_the_shift_along_them_open_and_say_so() -> None:
    turn = np.deg2rad(20.0)
    row, column = np.mgrid[:260, :300].astype(float)
    across = column * np.cos(turn) - row * np.sin(turn)
    images = lit(np.interp(across, [60, 66, 120, 124, 190, 198], [0, 6, 6, 2, 2, 10]))
    moved = np.array([[0.0, 0.0], [3.0, -2.0], [-4.0, 1.0], [0.0, 5.0]])
    info = register(displaced(images, moved), max_shift_px=12.0).info
    error = np.array(info["shifts_px"]) + moved
    np.testing.assert_allclose(error[:, 1] * np.cos(turn) - error[:, 0] * np.sin(turn), 0.0, atol=0.15)
    assert "one direction" in info["warnings"][0]
    assert max(info["quality"]) < 0.5


def test_drift_within_the_scan_is_followed() -> None:
    images = lit(rough((512 + 2 * MARGIN, 256 + 2 * MARGIN), 1.0, 7), dose=20000.0)
    at = np.linspace(-1, 1, 512)
    drift = np.zeros((4, 512, 2))
    drift[1, :, 1] = 1.5 * at
    drift[2, :, 0] = 1.0 * at**2
    drift[3, :, 1] = -1.2 * np.sin(2 * at)
    result = register(displaced(images, drift), max_shift_px=8.0, drift=True)
    total = result.arrays["drift_px"] + np.array(result.info["shifts_px"])[:, None, :]
    error = (total + drift)[:, 40:-40]
    assert np.sqrt((error**2).mean()) < 0.1
    assert np.abs(error).max() < 0.35


def test_bar_under_the_image_and_excluded_areas_play_no_part() -> None:
    images = displaced(lit(rough((220, 220), 1.0, 9)), np.array([[0.0, 0.0], [2.5, -1.5], [0.0, 3.0], [-2.0, 0.0]]))
    bar = np.zeros((4, 40, images.shape[2]))
    bar[:, 8:30, ::3] = images.max() * 2  # the same in all segments: seen alone it says that nothing has moved
    segments = np.concatenate([images, bar], axis=1)
    by_crop = register(segments, crop=(0, 0, images.shape[1], images.shape[2]), max_shift_px=10.0)
    exclude = np.zeros(segments.shape[1:], bool)
    exclude[images.shape[1] :] = True
    by_mask = register_step({"segments": segments, "exclude": exclude}, Register(max_shift_px=10.0), SilentContext())
    expected = [[0.0, 0.0], [-2.5, 1.5], [0.0, -3.0], [2.0, 0.0]]
    np.testing.assert_allclose(by_crop.info["shifts_px"], expected, atol=0.15)
    np.testing.assert_allclose(by_mask.info["shifts_px"], expected, atol=0.2)


def test_images_without_anything_in_common_have_no_quality() -> None:
    noise = np.random.default_rng(0).poisson(1000.0, (3, 128, 128))
    assert max(register(noise, max_shift_px=16.0).info["quality"]) < 0.2


def test_wrong_reference_and_tiny_images_are_explained() -> None:
    with pytest.raises(EclipsError, match="no segment 5 of 3"):
        register(np.zeros((3, 64, 64)), reference=4)
    with pytest.raises(EclipsError, match="too few"):
        register(np.zeros((3, 16, 64)))


def test_stepped_pyramid_agrees_with_its_markers(shared_data: Path) -> None:
    # Left, right, top and bottom segment see opposite faces; the ring markers beside the pyramid look alike in all.
    folder = shared_data / "data" / "4q" / "quanta_4q_steppyramid"
    images = [tifffile.imread(folder / f"P{name}.tif")[:860] for name in "ABCD"]
    info = register(np.stack(images)).info
    markers = [(slice(60, 240), slice(140, 300)), (slice(640, 830), slice(140, 300)), (slice(60, 240), slice(700, 870))]
    at_markers = [
        [pair_shift(features(images[0][m]), features(image[m]), 30.0).shift for image in images] for m in markers
    ]
    np.testing.assert_allclose(info["shifts_px"], np.mean(at_markers, axis=0), atol=1.0)
    np.testing.assert_allclose(info["shifts_px"][3], [-18.1, -17.8], atol=1.0)
    a, c, d = (features(images[k]) for k in (0, 2, 3))
    via = pair_shift(a, c, 40.0).shift + pair_shift(c, d, 40.0).shift
    np.testing.assert_allclose(pair_shift(a, d, 40.0).shift, via, atol=0.5)


@pytest.mark.parametrize(("folder", "rows", "most"), [("zeiss_qbsd_sphere", 690, 3.5), ("fei_abs3_vickers", 1024, 2.5)])
def test_real_sets_with_small_shifts(shared_data: Path, folder: str, rows: int, most: float) -> None:
    files = sorted((shared_data / "data" / "4q" / folder).glob("*.tif"))
    segments = np.stack([tifffile.imread(file)[:rows] for file in files])
    info = register(segments).info
    assert np.abs(info["shifts_px"]).max() < most
    assert info["closure_px"] < 0.3
