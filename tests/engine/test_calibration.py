"""A calibration finds the detector that rendered the images, with deviations that hold, and says what images cannot tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from calibration_objects import (
    PIXEL_NM,
    RADIUS,
    SIZE,
    ball,
    calibrate,
    cap,
    facets,
    flat,
    images,
    indent,
    place,
    plane,
    pyramid_pit,
    sheet,
    value,
    with_channels,
)  # fmt: skip

from eclips_app.core.calibration import (
    FIXED,
    Calibrate,
    Dark,
    Heights,
    Observation,
    Parameter,
    Sphere,
    calibrated_detector,
    default_parameters,
)  # fmt: skip
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import read_detector
from eclips_app.core.emission import COEFFICIENTS, EMISSION, Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.core.tolerance import GEOMETRY, stated, std_of
from eclips_app.engine.acceptance import geometry_vector, vectors
from eclips_app.engine.calibration.curve import slope_gains
from eclips_app.engine.calibration.patches import patches
from eclips_app.engine.calibration.response import Response, facet_signals
from eclips_app.engine.forward.model import forward_model

SHEET = sheet()
NONE = np.zeros(len(COEFFICIENTS))
BENT = (0.3, 0.2, 0.1, 0.5, -0.3, 0.2)


# Response


@pytest.mark.parametrize(
    "emission", [Emission(), Emission("parametric", coefficients=BENT), Emission("tabulated", "Cu")]
)
def test_response_is_that_of_the_forward_model_on_a_plane(emission: Emission) -> None:
    model = forward_model(SHEET, PIXEL_NM, emission=emission, azimuths=64)
    along = np.arange(9.0) * PIXEL_NM
    slopes = np.array([(0.0, 0.0), (0.3, 0.1), (-0.5, 0.4), (1.6, -0.7)]).T
    coefficients = np.array(emission.coefficients or NONE)
    found = Response(SHEET, emission).at(geometry_vector(SHEET), coefficients, slopes).signal
    # A table is expanded in functions that depend a little on the range of directions.
    near = 4e-3 if emission.model == "tabulated" else 3e-4
    for (right, up), signal in zip(slopes.T, found, strict=True):
        height = right * along[None, :] - up * along[:, None]
        expected = model.images(torch.from_numpy(height))[:, 4, 4].numpy() * model.flat
        assert signal == pytest.approx(expected, abs=near * expected.max())


def test_lambert_response_of_gentle_slopes_is_linear_in_the_acceptance_vectors() -> None:
    slopes = np.array([[0.2, -0.1], [0.05, 0.3]])
    normals = np.array([[-0.2, 0.1], [-0.05, -0.3], [1.0, 1.0]]) / np.sqrt(1 + (slopes**2).sum(axis=0))
    found = Response(SHEET, Emission()).at(geometry_vector(SHEET), NONE, slopes).signal
    assert found == pytest.approx((vectors(SHEET) @ normals).T, rel=2e-4)


def test_derivatives_of_the_response() -> None:
    emission, at = Emission("parametric", coefficients=BENT), geometry_vector(SHEET)
    response, bare = Response(SHEET, emission), Response(SHEET, emission, ())
    slopes, bent = np.array([[0.3, 1.4], [-0.2, 0.6]]), np.array(BENT)
    answer = response.at(at, bent, slopes)
    rng = np.random.default_rng(0)
    for along in rng.normal(
        size=(2, 8)
    ):  # directions, for a new geometry takes long; over some cells, as edges are rough within one
        ahead, behind = (bare.at(at + s * along, bent, slopes).signal for s in (0.05, -0.05))
        change = (ahead - behind) / 0.1
        assert answer.by_geometry @ along == pytest.approx(change, abs=0.01 * np.abs(change).max())
    for along in rng.normal(size=(3, 6)):
        ahead, behind = (response.at(at, bent + s * along, slopes).signal for s in (1e-5, -1e-5))
        assert answer.by_emission @ along == pytest.approx((ahead - behind) / 2e-5, abs=1e-7)
    for place_, step in ((i, 1e-5 * np.eye(2)[i][:, None]) for i in range(2)):
        ahead, behind = (response.at(at, bent, slopes + s * step).signal for s in (1, -1))
        assert answer.by_slope[..., place_] == pytest.approx((ahead - behind) / 2e-5, abs=1e-6)


def test_slope_gain_of_four_segments_is_that_of_opposite_ones() -> None:
    response, tilt = Response(SHEET, Emission()), np.array([20.0])
    slope = np.array([[-np.tan(np.deg2rad(20.0))], [0.0]])
    a, _, c, _ = response.at(geometry_vector(SHEET), NONE, slope).signal[0]
    assert slope_gains(SHEET, facet_signals(SHEET, Emission()), tilt)[0] == pytest.approx(
        (a - c) / (a + c) / np.tan(np.deg2rad(20.0)), rel=1e-4
    )


# Patches


def test_patches_keep_the_mean_and_know_the_noise() -> None:
    rng = np.random.default_rng(0)
    grey = (1000.0 + 3.0 * np.arange(64) + 20.0 * rng.normal(size=(3, 64, 64))).astype(np.float32)
    labels = np.zeros((64, 64), int)
    labels[:, :8] = -1
    found = patches(flat(crop=(5, 7, 69, 71)), grey, np.ones_like(grey, bool), labels)
    assert found.grey.mean(axis=0) == pytest.approx(grey[:, :, 8:].mean(axis=(1, 2)), rel=5e-3)
    assert found.columns.min() >= 7 + 8
    assert found.averaged(np.ones(len(found.rows))) == pytest.approx(1.0)
    pixels = found.pixels / len(found.grey)
    assert np.sqrt(found.variance * pixels) == pytest.approx(20.0, rel=0.15)


# Fits


@pytest.fixture(scope="module")
def truth():
    moved = replace(SHEET, distance_mm=8.25, center_mm=(0.15, -0.1), tilt_deg=(0.6, -0.8))
    return with_channels(moved, [1.04, 0.97, 1.02, 0.97], [120.0, -80.0, 60.0, 10.0])


SPREADS = {"distance_mm": 0.3, "center_x_mm": 0.2, "center_y_mm": 0.2, "tilt_x_deg": 1.0, "tilt_y_deg": 1.0}
FREE = tuple(Parameter(n, std=s) for n, s in SPREADS.items()) + tuple(
    Parameter(f"offset:{n}", std=200.0) for n in "ABCD"
)


@pytest.fixture(scope="module")
def found(truth):
    seen = [
        (ball(), images(truth, cap())),
        (flat(pixel_size_nm=1500.0, tilt_std_deg=0.1), images(truth, plane(), pixel_nm=1500.0)),
    ]
    return calibrate(SHEET, seen, parameters=FREE)


def test_finds_geometry_gains_and_black_levels_within_their_deviations(found, truth) -> None:
    expected = dict(zip(GEOMETRY, geometry_vector(truth), strict=True))
    expected |= {f"gain:{s.name}": s.gain for s in truth.quadrants} | {
        f"offset:{s.name}": s.offset for s in truth.quadrants
    }
    free = found.info["free"]
    assert {*SPREADS, "gain:A", "offset:D"} <= set(free)
    for name in free:
        measured, std = value(found, name)
        assert abs(measured - expected[name]) < 3.5 * std, name
    assert value(found, "distance_mm")[1] < 0.05
    assert abs(value(found, "distance_mm")[0] - 8.25) < 0.08
    assert found.info["model_error_percent"] < 0.5


def test_covariance_belongs_to_the_deviations(found) -> None:
    covariance, free = np.array(found.info["covariance"]), found.info["free"]
    assert covariance == pytest.approx(covariance.T)
    assert np.linalg.eigvalsh(np.array(found.info["correlation"])).min() > -1e-9
    assert np.sqrt(np.diag(covariance)) == pytest.approx([value(found, name)[1] for name in free])


def test_detector_file_carries_what_is_known(found) -> None:
    detector = calibrated_detector(found.info, "2026-01-02T03:04:05")
    assert detector.distance_mm == value(found, "distance_mm")[0]
    assert detector.calibration["date"] == "2026-01-02T03:04:05"
    known = stated(detector)
    assert std_of(known, "distance_mm") == pytest.approx(value(found, "distance_mm")[1])
    gain, std = value(found, "gain:B")
    assert std_of(known, "gain:B") == pytest.approx(std / gain, rel=1e-6)


def test_residuals_are_images_of_noise(found) -> None:
    residual = found.arrays["residual/0"]
    step = found.info["observations"][0]["step"]
    assert residual.shape == (4, SIZE // step, SIZE // step)
    inside = np.isfinite(residual)
    assert 0.2 < inside.mean() < 0.8
    assert np.abs(np.nanmean(residual, axis=(1, 2))).max() < 0.1
    assert np.nanstd(residual) == pytest.approx(100 / np.sqrt(2e4) / step, rel=0.4)


def test_curve_has_the_measured_points_on_the_fitted_line(found) -> None:
    curve = found.info["curve"]
    assert len(curve["measured"]) > 4
    for point in curve["measured"]:
        line = np.interp(point["tilt_deg"], curve["tilt_deg"], curve["fitted"])
        assert point["value"] == pytest.approx(line, abs=5 * point["std"] + 0.01)
    assert curve["lambert"] == pytest.approx(curve["fitted"], rel=0.05)  # the images are Lambert's
    assert curve["tabulated"][5] > curve["lambert"][5]


def test_emission_is_found_on_a_ball() -> None:
    bent = Emission("parametric", coefficients=(0.5, 0.0, 0.0, 0.6, 0.0, 0.3))
    seen = [(ball(), images(SHEET, cap(), emission=bent))]
    result = calibrate(SHEET, seen, emission=Emission("parametric"))
    slopes = -np.tan(np.deg2rad(np.array([[22.0, 45.0], [0.0, 0.0]])))
    coefficients = np.array([value(result, name)[0] for name in EMISSION])
    response = Response(SHEET, Emission("parametric", coefficients=bent.coefficients))
    expected, measured = (
        response.at(geometry_vector(SHEET), np.array(c), slopes).signal for c in (bent.coefficients, coefficients)
    )
    assert measured / measured.sum() == pytest.approx(expected / expected.sum(), rel=0.01)
    assert result.info["detector"]["calibration"]["emission"]["model"] == "parametric"


def test_an_indent_tells_the_distance() -> None:
    true = replace(SHEET, distance_mm=8.4)
    result = calibrate(
        SHEET, [(indent(), images(true, pyramid_pit(22.0)))], parameters=(Parameter("distance_mm", std=0.5),)
    )
    distance, std = value(result, "distance_mm")
    assert distance == pytest.approx(8.4, abs=max(3 * std, 0.05))
    assert std < 0.2
    assert result.info["observations"][0]["found"]["rotation_deg"] == pytest.approx(20.0, abs=0.5)


def test_two_faces_do_as_well() -> None:
    true = replace(SHEET, distance_mm=8.4)
    seen = [(indent((0, 2)), images(true, pyramid_pit(22.0)))]
    result = calibrate(SHEET, seen, parameters=(Parameter("distance_mm", std=0.5),))
    assert value(result, "distance_mm")[0] == pytest.approx(8.4, abs=0.1)


def test_facets_of_certified_tilt() -> None:
    true = replace(SHEET, distance_mm=8.3)
    _, y = place()
    seen = [(facets(35.0), images(true, -np.abs(y) * np.tan(np.deg2rad(35.0))))]
    result = calibrate(SHEET, seen, parameters=(Parameter("distance_mm", std=0.5),))
    assert value(result, "distance_mm")[0] == pytest.approx(8.3, abs=0.06)


def test_a_tilt_series_of_a_flat_tells_the_distance() -> None:
    true = replace(SHEET, distance_mm=8.3)
    seen = [
        (
            flat(series="stage", tilt_deg=(0.0, angle), tilt_std_deg=0.3),
            images(true, plane(0.1, angle + 0.2), seed=int(angle)),
        )
        for angle in (0.0, 8.0, 16.0)
    ]
    result = calibrate(SHEET, seen, parameters=(Parameter("distance_mm", std=0.5),))
    distance, std = value(result, "distance_mm")
    assert distance == pytest.approx(8.3, abs=max(3 * std, 0.05))
    assert result.info["observations"][1]["found"]["tilt_y_deg"] == pytest.approx(0.2, abs=0.1)


def test_heights_of_the_same_place_that_lie_off_by_two_pixels() -> None:
    true, rng = replace(SHEET, distance_mm=8.3), np.random.default_rng(1)
    from scipy.ndimage import gaussian_filter

    rough = 40.0 * gaussian_filter(rng.normal(size=(2 * SIZE, 2 * SIZE)), 8, mode="wrap")
    rough *= 0.25 / np.hypot(*np.gradient(rough)).std() / 2
    fine = rough.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3)) * PIXEL_NM
    moved = np.roll(fine, (2, -1), axis=(0, 1))
    observation = Observation("map", PIXEL_NM, heights=Heights(4.0, 0.5), tilt_std_deg=0.05)
    seen = [(observation, images(true, rough))]
    result = calibrate(SHEET, seen, parameters=(Parameter("distance_mm", std=0.5),), heights={"heights/0": moved})
    facts = result.info["observations"][0]["found"]
    assert (facts["shift_row_px"], facts["shift_column_px"]) == pytest.approx((-2.0, 1.0), abs=0.15)
    assert value(result, "distance_mm")[0] == pytest.approx(8.3, abs=0.15)


def test_dark_frames_and_current_steps_tell_black_levels() -> None:
    true = with_channels(SHEET, None, [150.0, 90.0, 300.0, 30.0])
    rng = np.random.default_rng(2)
    dark = np.round(rng.normal([[[150.0]], [[90.0]], [[300.0]], [[30.0]]], 5.0, (4, SIZE, SIZE)))
    result = calibrate(SHEET, [(Observation("dark", PIXEL_NM, dark=Dark()), dark), (flat(), images(true, plane()))])
    assert value(result, "offset:C") == pytest.approx((300.0, 0.05), abs=0.3)
    steps = [
        (flat(series="current", current=c), images(true, plane(), dose=2e4 * c, seed=int(10 * c)))
        for c in (0.25, 0.5, 1.0)
    ]
    free = tuple(Parameter(f"offset:{n}") for n in "ABCD")
    result = calibrate(SHEET, steps, parameters=free)
    offset, std = value(result, "offset:C")
    assert offset == pytest.approx(300.0, abs=4 * std)
    assert std < 20


# What images cannot tell, and what contradicts


def test_gain_and_black_level_of_a_flat_cannot_be_told_apart() -> None:
    free = tuple(Parameter(f"offset:{n}", std=2000.0) for n in "ABCD")
    result = calibrate(SHEET, [(flat(tilt_std_deg=0.01), images(SHEET, plane()))], parameters=free)
    assert any(w.startswith("These images say next to nothing of black level of A") for w in result.info["warnings"])
    free = tuple(Parameter(f"offset:{n}", std=8000.0) for n in "ABCD")
    tilted = [
        (flat(tilt_std_deg=0.01, name=f"{c}", series="s", current=c), images(SHEET, plane(), dose=2e4 * c))
        for c in (0.9, 1.0)
    ]
    result = calibrate(SHEET, tilted, parameters=free)
    assert any(w.startswith("Gains and black levels can hardly be told apart") for w in result.info["warnings"])


def test_what_nothing_holds_is_named() -> None:
    result = calibrate(SHEET, [(flat(), images(SHEET, plane()))], parameters=(Parameter("pixel_aspect"),))
    assert value(result, "pixel_aspect")[1] is None
    assert any("Nothing holds pixel aspect" in w for w in result.info["warnings"])
    assert "pixel_aspect" not in result.info["detector"]["calibration"]["parameters"]


def test_a_wrong_radius_is_noticed(truth) -> None:
    result = calibrate(SHEET, [(ball(radius_nm=1.06 * RADIUS * PIXEL_NM), images(SHEET, cap()))])
    assert any("radius of ball" in w and "shading asks" in w for w in result.info["warnings"])


def test_the_foot_of_a_cap_is_no_equator() -> None:
    seen = [
        (ball(radius_nm=None, radius_px=RADIUS * np.sin(np.deg2rad(66.0)), max_tilt_deg=55.0), images(SHEET, cap()))
    ]
    result = calibrate(SHEET, seen)
    assert any("is not its equator" in w for w in result.info["warnings"])
    assert result.info["observations"][0]["found"]["found_radius_px"] == pytest.approx(RADIUS, rel=0.02)


def test_a_radius_that_is_not_stated() -> None:
    x, y = place()
    whole = np.sqrt(np.maximum(40.0**2 - x**2 - y**2, 0.0))
    result = calibrate(SHEET, [(ball(radius_nm=None, radius_px=40.0, max_tilt_deg=50.0), images(SHEET, whole))])
    assert any(w.startswith("The radius of ball is not stated") for w in result.info["warnings"])
    assert result.info["observations"][0]["found"]["radius_px_std"] == pytest.approx(0.8)


def test_observations_that_contradict_each_other() -> None:
    near, far = replace(SHEET, distance_mm=7.0), replace(SHEET, distance_mm=9.0)
    seen = [(ball(), images(near, cap())), (ball(), images(far, cap()))]
    result = calibrate(SHEET, seen, parameters=(Parameter("distance_mm", std=0.5),))
    assert any("contradict" in w for w in result.info["warnings"])
    assert value(result, "distance_mm")[1] > 0.05  # the contradiction is in the deviation


@pytest.mark.parametrize(
    ("order", "words"), [([0, 3, 2, 1], "another order"), ([1, 2, 3, 0], "all segments are brightest")]
)
def test_segments_in_the_wrong_order(order: list[int], words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        calibrate(SHEET, [(ball(), images(SHEET, cap())[order])])


def test_saturated_images() -> None:
    seen = np.full((4, SIZE, SIZE), 65535.0)
    with pytest.raises(EclipsError, match="clipped"):
        calibrate(SHEET, [(ball(clip_high=65535.0), seen)])


def test_nothing_to_calibrate_with() -> None:
    with pytest.raises(EclipsError, match="no observation"):
        run_step("calibrate", {}, Calibrate(SHEET), SilentContext())
    with pytest.raises(EclipsError, match="observation 1 does not say what it shows"):
        calibrate(SHEET, [(Observation(), images(SHEET, plane()))])
    seen = [(Observation("map", PIXEL_NM, heights=Heights()), images(SHEET, plane()))]
    with pytest.raises(EclipsError, match=r"height map has \(5, 5\) pixels"):
        calibrate(SHEET, seen, heights={"heights/0": np.zeros((5, 5))})
    with pytest.raises(EclipsError, match="no parameter 'distance'"):
        calibrate(SHEET, [(flat(), images(SHEET, plane()))], parameters=(Parameter("distance"),))


def test_usual_parameters() -> None:
    modes = {p.name: p.mode for p in default_parameters(SHEET, frozenset({"flat"}))}
    assert modes["gain:A"] == "free"
    assert modes["offset:A"] == modes["distance_mm"] == modes["emission:peak"] == FIXED
    assert {p.name: p.mode for p in default_parameters(SHEET, frozenset({"sphere", "dark"}))}["offset:A"] == "free"


# The reference cases


def test_calibrated_emission_explains_the_sphere_of_another_simulator(shared_data: Path) -> None:
    folder = shared_data / "cases" / "copper10_sphere"
    detector = read_detector(folder / "detector.json")
    segments = tifffile.imread(folder / "quadrants.tif")
    observation = Observation("sphere", 2.0, clip_high=40000.0, sphere=Sphere(radius_nm=230.0, radius_std_percent=0.1))
    params = Calibrate(detector, (observation,))
    info = run_step("calibrate", {"segments/0": segments}, params, SilentContext()).info
    assert info["model_error_percent"] < 1.0
    assert info["observations"][0]["residual_percent"] < 1.0
    assert (
        info["curve"]["fitted"][10] > 1.05 * info["curve"]["lambert"][10]
    )  # some 11 % above Lambert's law at 22 degrees
