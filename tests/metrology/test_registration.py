"""Registration of height maps: search, features, refinement and covariance on surfaces whose place is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from eclips_app.cli import bench_registration as bench
from eclips_app.core import paths
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import RegisterMap
from eclips_app.core.steps import run_step
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.registration import features, grids, search
from eclips_app.metrology.registration.covariance import placement_parameters
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Frames, Pose, free_drift
from eclips_app.metrology.registration.register import Task, register_map

SILENT = SilentContext()
AFM = paths.root().parent / "shared" / "data" / "afm"


def surface(rows=150, columns=170, seed=3, grain=4.0):
    height = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(rows, columns)), grain)
    return 30.0 * height / height.std() / 5


def scene(truth, map_shape=(90, 100), map_nm=2.5, noise=0.2, seed=1, height=None):
    """A surface of 2 nm pixels and what a scan under a pose sees of it."""
    height = surface() if height is None else height
    frames = Frames(map_shape, (map_nm, map_nm), height.shape, 2.0, (10.0, 20.0))
    rng = np.random.default_rng(seed)
    placed = bench.scanned(height, 2.0, (0, 0), truth, frames) + rng.normal(0, noise, map_shape)
    return height + rng.normal(0, noise, height.shape), placed, frames


def error_px(pose, truth, frames):
    y, x = np.mgrid[-1:1:9j, -1:1:9j]
    x, y = x * frames.map_shape[1] * frames.map_pixel_nm[0] / 2, y * frames.map_shape[0] * frames.map_pixel_nm[1] / 2
    away = np.stack(pose.moved(x, y, frames)) - np.stack(truth.moved(x, y, frames))
    return float(np.sqrt((away**2).sum(axis=0).mean())) / frames.image_pixel_nm


def test_the_correlation_of_shifted_maps_peaks_at_the_shift():
    height = surface(80, 80, grain=2.0)
    image = Grid(height[:60, :60].copy(), np.ones((60, 60), bool), 2.0)
    image.known[:10, :7] = False
    own = Grid(height[12:62, 20:70].copy(), np.ones((50, 50), bool), 2.0)
    best = search.Correlator(image, own, 20.0).peaks(0.0, 1.0)[0]
    # The map's middle lies 12 - 5 rows below and 20 - 5 columns right of the image's.
    assert best.pose.shift_nm == pytest.approx([2.0 * 15, -2.0 * 7])
    assert best.correlation > 0.95
    assert best.overlap == pytest.approx(48 * 40 / 2500, abs=0.02)


def test_pairs_that_agree_give_the_pose_among_outliers():
    rng = np.random.default_rng(0)
    source = rng.uniform(-100, 100, 60) + 1j * rng.uniform(-100, 100, 60)
    factor = 1.1 * np.exp(0.5j)
    target = factor * source + (20 - 5j) + 0.3 * rng.normal(size=60)
    target[15:] = rng.uniform(-150, 150, 45) + 1j * rng.uniform(-150, 150, 45)
    pairs = features.Pairs(source, target, np.ones(60))
    (pose, agreeing), *_ = features.poses(pairs, features.Limits(), 1.0)
    assert agreeing >= 15
    assert pose.rotation_deg == pytest.approx(np.degrees(0.5), abs=0.3)
    assert pose.scale == pytest.approx(1.1, abs=0.01)
    assert not features.poses(pairs, features.Limits(rotation_deg=10), 1.0) or (
        abs(features.poses(pairs, features.Limits(rotation_deg=10), 1.0)[0][0].rotation_deg) <= 10.5
    )


@pytest.mark.parametrize(
    ("model", "stretch", "drift"),
    [
        ("similarity", np.eye(2), None),
        ("affine", np.array([[1.03, 0.02], [0.0, 0.97]]), None),
        ("drift", np.eye(2), 3.0),
    ],
)
def test_a_map_is_found_wherever_it_lies(model, stretch, drift):
    pose = Pose.similar(30.0, -25.0, 140.0, 1.08)
    knots = free_drift(7) @ np.random.default_rng(5).normal(0, drift, (5, 2)) if drift else np.zeros((0, 2))
    truth = Pose(pose.shift_nm, pose.matrix @ stretch, knots)
    height, placed, frames = scene(truth)
    v = np.linspace(-1, 1, placed.shape[1])
    found = register_map(height, 0.9 * placed + 8 * v + 3 * v**2, frames, Task(model), SILENT)
    assert found.quality.found, found.quality.sentence
    assert error_px(found.pose, truth, frames) < (0.35 if drift else 0.1)
    assert found.height_scale == pytest.approx(1 / 0.9, rel=0.03)
    assert found.spread is not None
    assert 0 < found.spread.position_std_nm < 1.0


def test_heights_are_brought_together_by_offset_and_slope():
    truth = Pose.similar(10.0, 5.0, 10.0)
    height, placed, frames = scene(truth, noise=0.05)
    x, y = (each * 0.0 + each for each in np.meshgrid(np.arange(100.0), np.arange(90.0)))
    column, row = truth.placement(frames).to_image(x, y)
    middle = truth.placement(frames).center_px
    tilted = placed - 7.0 - 0.03 * (column - middle[0]) * 2.0 + 0.02 * (middle[1] - row) * 2.0
    found = register_map(height, tilted, frames, Task("similarity"), SILENT)
    assert found.z_offset_nm == pytest.approx(7.0, abs=0.05)
    assert found.z_slope == pytest.approx((0.03, -0.02), abs=5e-4)
    assert found.residual_rms_nm < 0.2


def test_the_stated_covariance_holds_the_truth():
    chi2 = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        pose = Pose.similar(*rng.uniform(-20, 20, 2), rng.uniform(-5, 5))
        truth = Pose(pose.shift_nm, pose.matrix @ np.array([[1.02, 0.01], [0.0, 0.99]]))
        height, placed, frames = scene(truth, noise=1.0, seed=seed)
        found = register_map(height, placed, frames, Task("affine", start=pose), SILENT)
        away = found.spread.values - placement_parameters(truth, frames)[1]
        chi2.append(away @ np.linalg.solve(found.spread.covariance, away))
    # 36 degrees of freedom; interpolation and the estimate of the covariance itself widen the plain 99.9 % of 18 to 67.
    assert 10 < sum(chi2) < 90


def test_a_grating_is_said_to_be_ambiguous():
    columns = np.arange(160.0)
    height = np.tile(20 * np.sin(2 * np.pi * columns / 16), (150, 1))
    rng = np.random.default_rng(0)
    placed = height[30:110, 30:120] + rng.normal(0, 1, (80, 90))
    frames = Frames((80, 90), (2.0, 2.0), height.shape, 2.0)
    found = register_map(height + rng.normal(0, 1, height.shape), placed, frames, Task("similarity"), SILENT)
    assert not found.quality.found
    assert "Ambiguous" in found.quality.sentence
    assert len(found.candidates) > 1


def test_what_does_not_belong_together_is_not_found():
    frames = Frames((90, 100), (2.0, 2.0), (150, 170), 2.0)
    try:
        found = register_map(surface(), surface(90, 100, seed=77), frames, Task("similarity"), SILENT)
    except EclipsError as error:
        assert "not found" in str(error)  # noqa: PT017
        return
    assert not found.quality.found
    assert "landmarks" in found.quality.sentence


def test_bad_input_is_told_in_a_sentence():
    frames = Frames((30, 30), (2.0, 2.0), (40, 40), 2.0)
    with pytest.raises(EclipsError, match="flat"):
        register_map(np.zeros((40, 40)), surface(30, 30), frames, Task(), SILENT)
    with pytest.raises(EclipsError, match="too few"):
        register_map(surface(40, 40), np.full((30, 30), np.nan), frames, Task(), SILENT)


def test_landmarks_place_a_map_and_can_be_refined():
    truth = Pose.similar(20.0, 10.0, 30.0, 1.05)
    height, placed, frames = scene(truth)
    place = truth.placement(frames)
    points = np.array([(10.0, 12.0), (90.0, 20.0), (50.0, 80.0)])
    on_image = np.stack(place.to_image(points[:, 0], points[:, 1]), axis=1)
    params = {"pixel_size_nm": 2.0, "origin_px": (10, 20), "map_pixel_size_nm": (2.5, 2.5), "start": "landmarks"}
    for count, model in ((2, "similarity"), (3, "affine")):
        marks = tuple((*p, *q) for p, q in zip(points[:count], on_image[:count], strict=True))
        plain = run_step(
            "register-map", {"height": height, "map": placed},
            RegisterMap(**params, model=model, landmarks=marks, refine=False), SILENT,
        )  # fmt: skip
        assert plain.info["placement"]["center_px"] == pytest.approx(place.center_px, abs=1e-6)
        assert plain.info["position_std_nm"] is None
        off = tuple((a, b, c + 1.0, d - 0.8) for a, b, c, d in marks)
        fine = run_step(
            "register-map", {"height": height, "map": placed}, RegisterMap(**params, model=model, landmarks=off), SILENT
        )
        assert fine.info["method"] == "landmarks"
        assert fine.info["placement"]["center_px"] == pytest.approx(place.center_px, abs=0.1)
    with pytest.raises(EclipsError, match="no landmarks"):
        run_step("register-map", {"height": height, "map": placed}, RegisterMap(**params), SILENT)
    for wrong, word in (
        (((1, 1, 2, 2),), "too few"), (((1, 1, 2, 2),) * 2, "one point"),
        (((0, 0, 0, 0), (10, 0, 10, 0), (0, 10, 0, -10)), "mirror"), (((0, 0, 0, 0), (9, 9, 9, 9), (5, 5, 5, 5)), "one line"),
    ):  # fmt: skip
        with pytest.raises(EclipsError, match=word):
            run_step("register-map", {"height": height, "map": placed}, RegisterMap(**params, landmarks=wrong), SILENT)


def test_the_step_gives_a_placement_that_is_the_pose_and_can_go_on_from_it():
    truth = Pose.similar(20.0, 10.0, -15.0)
    height, placed, frames = scene(truth)
    mask = np.ones(height.shape, bool)
    mask[:20] = False
    inputs = {"height": height, "map": placed, "mask": mask}
    params = RegisterMap(2.0, (10, 20), (2.5, 2.5), "similarity")
    info = run_step("register-map", inputs, params, SILENT).info
    assert info["quality"]["found"]
    expected = truth.placement(frames)
    assert info["placement"]["center_px"] == pytest.approx(expected.center_px, abs=0.1)
    assert info["placement"]["rotation_deg"] == pytest.approx(-15.0, abs=0.1)
    names = [each["name"] for each in info["parameters"]]
    assert names[:3] == ["center_x_px", "center_y_px", "rotation_deg"]
    assert np.shape(info["covariance"]) == (len(names), len(names))
    again = RegisterMap(2.0, (10, 20), (2.5, 2.5), "drift", start="placed", placed=info["placement"])
    refined = run_step("register-map", inputs, again, SILENT).info
    assert refined["method"] == "placed"
    assert len(refined["placement"]["drift_nm"]) == again.knots
    with pytest.raises(EclipsError, match="mask"):
        run_step("register-map", {**inputs, "mask": mask[1:]}, params, SILENT)


def test_a_placement_and_its_pose_are_the_same():
    frames = Frames((40, 60), (3.0, 5.0), (100, 120), 2.0, (7.0, 9.0))
    drift = ((0.0, 4.0), (9.0, -5.0), (-6.0, 3.0), (2.0, -2.0), (-5.0, 1.0))
    place = Placement((40, 60), (3.0, 5.0), 2.0, (70.0, 55.0), 25.0, (1.1, 0.9, 0.05), drift)
    back = Pose.of_placement(place, frames).placement(frames)
    columns, rows = np.meshgrid(np.linspace(0, 59, 7), np.linspace(0, 39, 40))
    np.testing.assert_allclose(back.to_image(columns, rows), place.to_image(columns, rows), atol=1e-6)
    assert np.mean(back.drift_nm, axis=0) == pytest.approx(0, abs=1e-9)  # told by the centre


def test_another_matcher_takes_the_place_of_the_built_in_one():
    truth = Pose.similar(12.0, -8.0, 25.0)
    height, placed, frames = scene(truth)
    asked = []

    def matcher(first, second):
        """True correspondences of the map's pixels beside as many outliers."""
        asked.append((first.shape, second.shape, float(first.min()), float(second.max())))
        rng = np.random.default_rng(len(asked))
        pixel = 2.5
        on_map = np.stack([rng.uniform(0, n - 1, 40) for n in reversed(second.shape)], axis=1)
        x = (on_map[:, 0] - (second.shape[1] - 1) / 2) * pixel
        y = ((second.shape[0] - 1) / 2 - on_map[:, 1]) * pixel
        u, v = truth.moved(x, y, frames)
        on_image = np.stack([u / pixel + (first.shape[1] - 1) / 2, (first.shape[0] - 1) / 2 - v / pixel], axis=1)
        on_image[::2] = rng.uniform(0, 100, (20, 2))
        return on_image, on_map, np.ones(40)

    found = register_map(height, placed, frames, Task("similarity"), SILENT, matcher)
    assert asked
    assert all(low >= 0 and high <= 1 for *_, low, high in asked)
    assert found.quality.found
    assert error_px(found.pose, truth, frames) < 0.1


def test_resampling_keeps_a_plane_and_its_holes():
    columns, rows = np.meshgrid(np.arange(60.0), np.arange(40.0))
    plane = 0.5 * columns + 0.2 * rows
    plane[10:14, 10:14] = np.nan
    grid = grids.resampled(plane, (2.0, 2.0), 4.0)
    x, y = grid.places()
    assert grid.heights.shape == (20, 30)
    inside = ndimage.binary_erosion(grid.known, iterations=3)
    middle = 0.5 * 29.5 + 0.2 * 19.5
    np.testing.assert_allclose(grid.heights[inside], (middle + 0.25 * x - 0.1 * y)[inside], atol=0.01)
    assert 0 < (~grid.known).sum() < 20
    flat = grids.levelled(grid)
    assert np.abs(flat.heights[inside]).max() < 0.02


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("name", ["pn_junction_park.tiff", "Park_20210916_034.tiff"])
def test_pairs_of_real_maps_are_found(name):
    pair = next(bench.pairs(Path(AFM / name), 1, 1))
    found = register_map(pair.image, pair.placed, pair.frames, Task("drift"), SILENT)
    assert found.quality.found
    assert bench.position_error_px(pair, found) < 0.6


def test_a_tip_is_not_taken_for_another_scale():
    """A blunt tip makes an island wider on the map; only with the tip the map has its own size."""
    from eclips_app.core.registration import TipModel
    from eclips_app.metrology import tip

    row, column = np.mgrid[0:150, 0:170] * 2.0
    away = np.hypot(row - 150.0, 1.2 * (column - 170.0)) + 15.0 * np.cos(3 * np.arctan2(row - 150.0, column - 150.0))
    height = np.clip(110.0 - away, 0.0, 60.0) + surface()
    blunt = tip.parabola(20.0, (2.0, 2.0), float(np.ptp(height)))
    frames = Frames((110, 120), (2.5, 2.5), height.shape, 2.0, (0, 0))
    seen = tip.dilated(height, blunt, SILENT)
    scan = bench.scanned(seen, 2.0, (0, 0), Pose.similar(3.0, -4.0, 12.0), frames)
    found = {}
    for model in (TipModel(), TipModel("parabola", 20.0)):
        params = RegisterMap(2.0, (0, 0), (2.5, 2.5), "similarity", tip=model)
        info = run_step("register-map", {"height": height, "map": scan}, params, SILENT).info
        found[model.kind] = info["placement"]["stretch"][0]
    assert abs(found["none"] - 1.0) > 0.02
    assert abs(found["parabola"] - 1.0) < 0.003
