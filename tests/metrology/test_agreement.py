"""The AFM verdict: biases, limits, scales, resolutions and angles that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import CompareMap, TipModel
from eclips_app.core.steps import run_step
from eclips_app.metrology import agreement_profiles, tip
from eclips_app.metrology.agreement import agreement
from eclips_app.metrology.profile import sample

SILENT = SilentContext()


def rough(grain=3.0, seed=1, rms=8.0, shape=(128, 140)):
    height = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), grain)
    return rms * height / height.std()


def test_white_noise_has_the_textbook_limits_of_agreement():
    height = rough()
    noise = np.random.default_rng(3).normal(0, 0.5, height.shape)
    found = agreement(height + 2.0 + noise, height, 2.0, np.full(height.shape, 0.25))
    assert found.independent == pytest.approx(height.size, rel=0.1)
    assert found.bias.value == pytest.approx(2.0, abs=4 * found.bias.std)
    assert found.bias.std == pytest.approx(0.5 / np.sqrt(height.size), rel=0.1)
    assert found.lower.value == pytest.approx(2.0 - 1.96 * 0.5, abs=0.02)
    assert found.upper.value == pytest.approx(2.0 + 1.96 * 0.5, abs=0.02)
    # Bland & Altman: the standard error of a limit is about sqrt(3 s² / n).
    assert found.lower.std == pytest.approx(np.sqrt(3 * 0.25 / height.size), rel=0.1)
    assert found.chi2.value == pytest.approx(17.0, rel=0.05)  # (2² + 0.25) / 0.25
    assert found.sentences()[0].startswith("Biased: the reconstruction is 2")


def test_correlated_noise_has_fewer_independent_points():
    height = rough(6.0)
    rng = np.random.default_rng(0)
    biases, stated = [], []
    for _ in range(60):
        noise = ndimage.gaussian_filter(rng.normal(size=height.shape), 4.0, mode="wrap")
        noise /= 0.07
        found = agreement(height + noise, height, 2.0)
        biases.append(found.bias.value)
        stated.append(found.bias.std)
    # 4 pi sigma² pixels count as one.
    assert found.independent == pytest.approx(height.size / (4 * np.pi * 16), rel=0.4)
    assert np.std(biases) == pytest.approx(np.mean(stated), rel=0.35)


def test_a_wrong_scale_of_heights_is_told_with_its_angle_bins():
    height = rough(4.0)
    rng = np.random.default_rng(4)
    off = agreement(0.9 * height + rng.normal(0, 0.1, height.shape), height + rng.normal(0, 0.1, height.shape), 2.0)
    assert off.height_scale.value == pytest.approx(0.9, abs=3 * off.height_scale.std)
    assert off.height_scale.std < 0.01
    assert "10.0 % flatter" in off.sentences()[1]
    steep = [each for each in off.tilts if each.from_deg > 20]
    assert steep
    assert all(each.tilt_deg.value < -2 * each.tilt_deg.std for each in steep)
    same = agreement(height + rng.normal(0, 0.1, height.shape), height + rng.normal(0, 0.1, height.shape), 2.0)
    assert "agrees within" in same.sentences()[1]


def test_a_scale_that_is_off_by_nothing_that_matters_is_not_called_wrong():
    height = rough(4.0)
    found = agreement(1.001 * height, height, 2.0)
    assert found.height_scale.std < 1e-4
    assert found.sentences()[1] == "The scale of heights, and with it of angles, agrees to 0.1 %."


@pytest.mark.parametrize("blurred", ["map", "reconstruction"])
def test_the_blur_between_two_maps_is_found(blurred):
    sharp = rough(1.5, shape=(200, 200))
    rng = np.random.default_rng(5)
    soft = ndimage.gaussian_filter(sharp, 2.0) + rng.normal(0, 0.02, sharp.shape)
    sharp = sharp + rng.normal(0, 0.02, sharp.shape)
    pair = (sharp, soft) if blurred == "map" else (soft, sharp)
    found = agreement(*pair, 2.0).resolution
    width = 2.355 * 2.0 * 2.0 * (1 if blurred == "reconstruction" else -1)
    assert found.blur.value == pytest.approx(width, rel=0.1)
    assert ("map must be blurred" in found.sentence()) == (blurred == "reconstruction")


def test_flanks_of_both_profiles_are_compared_at_the_same_stretch():
    columns = np.arange(200.0)
    ramp = np.clip(columns - 80, 0, 40) * 2.0
    height = np.tile(ramp * np.tan(np.radians(40)), (30, 1))
    other = np.tile(ramp * np.tan(np.radians(37)), (30, 1))
    rng = np.random.default_rng(0)
    lines = [
        sample(each + rng.normal(0, 0.3, each.shape), (5, 15), (195, 15), pixel_size_nm=2.0, step_px=1.0)
        for each in (height, other)
    ]
    found = agreement_profiles.compare(*lines)
    assert found.flank_nm[0] == pytest.approx(2.0 * 75, abs=6)
    assert found.angle.value == pytest.approx(40, abs=4 * found.angle.std + 0.3)
    assert found.angle_difference.value == pytest.approx(3.0, abs=0.6)
    assert "differ by" in found.sentence()


def test_with_the_tip_the_differences_become_smaller():
    surface = np.zeros((80, 120))
    surface[:, 40:70] = 40.0
    shape = tip.cone(8.0, 30.0, (2.0, 2.0), 60.0)
    rng = np.random.default_rng(0)
    seen = tip.dilated(surface, shape) + rng.normal(0, 0.05, surface.shape)
    inputs = {"height": surface + rng.normal(0, 0.05, surface.shape), "map": seen}
    place = {"center_px": [59.5 + 30, 39.5 + 20], "rotation_deg": 0.0}
    params = CompareMap(
        2.0, (20, 30), (2.0, 2.0), place, tip=TipModel("cone", 8.0, 30.0), lines=((35.0, 60.0, 145.0, 60.0),)
    )
    result = run_step("compare-map", inputs, params, SILENT)
    assert result.info["agreement"]["std"]["value"] > 2.0
    assert result.info["tip_agreement"]["std"]["value"] < 0.5
    assert set(result.arrays) == {"difference", "map", "dilated", "tip_difference", "certain"}
    assert result.arrays["certain"].any()
    certain = result.arrays["certain"]
    assert certain[:, 30:39].mean() < certain[:, 45:65].mean() / 2  # beside the ridge the tip touched its edge alone
    (line,) = result.info["profiles"]
    assert line["points"] > 80
    assert "Seen with the tip" in result.info["verdict"][0]
    (seen,) = result.info["tip_profiles"]
    assert abs(seen["angle_difference"]["value"]) < abs(line["angle_difference"]["value"])
    blind = run_step("compare-map", inputs, CompareMap(2.0, (20, 30), (2.0, 2.0), place, tip=TipModel("blind")), SILENT)
    assert blind.info["tip_agreement"]["std"]["value"] < result.info["agreement"]["std"]["value"]
    measured = {**inputs, "tip": -shape.heights}
    params = CompareMap(2.0, (20, 30), (2.0, 2.0), place, tip=TipModel("measured"), tip_pixel_size_nm=(2.0, 2.0))
    assert run_step("compare-map", measured, params, SILENT).info["tip_agreement"]["std"]["value"] < 0.5


def test_the_placement_of_the_comparison_is_that_of_the_window():
    """A map shifted by its placement onto a crop gives no difference."""
    whole = rough(5.0, shape=(100, 120))
    inputs = {"height": whole[20:80, 30:90], "map": whole[10:90, 40:110]}
    place = {"center_px": [40 + 69 / 2, 10 + 79 / 2], "z_offset_nm": 3.0}
    found = run_step("compare-map", inputs, CompareMap(2.0, (20, 30), (2.0, 2.0), place), SILENT)
    assert found.info["agreement"]["bias"]["value"] == pytest.approx(-3.0, abs=1e-5)
    assert found.info["agreement"]["std"]["value"] == pytest.approx(0.0, abs=1e-5)


def test_maps_beside_each_other_are_refused():
    inputs = {"height": rough(), "map": rough()}
    with pytest.raises(EclipsError, match="share 0 pixels"):
        run_step("compare-map", inputs, CompareMap(2.0, (0, 0), (2.0, 2.0), {"center_px": [5000, 0]}), SILENT)
    params = CompareMap(2.0, (0, 0), (2.0, 2.0), {"center_px": [69.5, 63.5]}, tip=TipModel("measured"))
    with pytest.raises(EclipsError, match="map of the tip"):
        run_step("compare-map", inputs, params, SILENT)
