"""Every measurement on surfaces of known values, and beside independent libraries on random and real ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eclips_app.cli import bench_metrology_known as known
from eclips_app.cli.bench_metrology import measured
from eclips_app.cli.bench_metrology_libraries import FILES, beside_surface_topography, beside_surfalize, read
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS
from eclips_app.core.shapes import Shape

#: Where the definitions differ: largest difference from a library in %; None: not compared. The bench tells the reasons.
LOOSE = {
    "Sal": 1.0, "Str": 1.5, "Sk": 0.05, "Spk": 0.3, "Svk": 0.3, "Smr1": 0.2, "Smr2": 0.05, "Sxp": 0.02, "Vmp": 0.3, "Vmc": 0.2,
    "Vvc": 0.05, "Vvv": 0.1, "Spd": 1.3, "Svd": 1.3, "Std": None, "Sq, S-filter of 20 pixels": 0.2, "Rdq": 6.0, "Rk": 0.1,
    "Rpk": 2.0, "Rvk": 0.5, "Rv": None, "Smr(0 nm)": 1.0,
}  # fmt: skip
TIGHT = 1e-6


def test_known_surfaces():
    rows = known.table().to_json()["rows"]
    assert [row for row in rows if row["within tolerance"] != "yes"] == []
    assert {row["kind"] for row in rows} == set(KINDS)


def off(rows):
    """Give the rows that differ by more than they may."""
    wrong = []
    for _, quantity, _, ours, theirs, _, difference, _ in rows:
        limit = LOOSE.get(quantity, TIGHT)
        if limit is None or theirs is None:
            continue
        if ours is None or (difference is None and abs(ours - theirs) > 1e-9) or abs(difference or 0) > limit:
            wrong.append((quantity, ours, theirs, difference))
    return wrong


def test_a_random_surface_beside_the_libraries():
    z = known.gaussian_surface(256, 10.0, 5.0, 60.0, seed=7) + 0.3 * np.arange(256)
    z += np.random.default_rng(1).normal(0, 0.3, z.shape)
    assert off(beside_surfalize("random", z, (10.0, 10.0))) == []
    assert off(beside_surface_topography("random", z, (10.0, 10.0))) == []


@pytest.mark.parametrize("name", FILES[:3])
def test_real_files_beside_the_libraries(shared_data, name):
    height, size = read(shared_data / "data" / "afm" / name)
    assert off(beside_surfalize(name, height, size)) == []
    assert off(beside_surface_topography(name, height, size)) == []


def test_pixels_that_are_not_square_beside_surfalize():
    z = known.gaussian_surface(256, 10.0, 5.0, 80.0, seed=3)[::2]
    assert off(beside_surfalize("random", z, (10.0, 20.0))) == []


def test_holes_change_areal_parameters_little():
    z = known.gaussian_surface(256, 10.0, 5.0, 60.0, seed=7)
    holed = z.copy()
    holed[100:130, 50:90] = np.nan
    whole, part = (measured("roughness-area", each, 10.0).info["values"] for each in (z, holed))
    for name in ("Sq", "Sk", "Sdq", "Sal", "Vvc"):
        assert part[name]["value"] == pytest.approx(whole[name]["value"], rel=0.05)


def test_texture_direction_and_aspect_of_a_turned_grating():
    r, c = np.mgrid[:200, :200].astype(float)
    turn = math.radians(30.0)
    z = 10 * np.sin(2 * np.pi * (c * math.cos(turn) - r * math.sin(turn)) / 16.0)
    found = measured("roughness-area", z, 5.0)
    assert found.info["values"]["Std texture direction"]["value"] == pytest.approx(30.0, abs=0.5)
    assert found.info["values"]["Sal"]["value"] == pytest.approx(80 * math.acos(0.2) / (2 * math.pi), rel=0.02)
    assert found.info["values"]["Str"]["value"] is None  # along the lay the autocorrelation never falls
    assert any("Str is not defined" in note for note in found.info["notes"])


def test_parsevals_theorem_holds_for_odd_and_even_numbers():
    rng = np.random.default_rng(0)
    for columns in (200, 201):
        z = rng.normal(0, 2, (51, columns))
        line = Shape("line", ((0.0, 20.0), (columns - 1.0, 20.0)))
        for kind, shapes in (("spectrum-area", ()), ("spectrum-profile", (line,))):
            values = measured(kind, z, 3.0, shapes, form="none", window="none").info["values"]
            assert values["rms of the spectrum"]["value"] == pytest.approx(values["rms"]["value"], rel=1e-9)


def test_the_density_of_a_random_surface_is_the_transform_of_its_autocorrelation():
    # exp(-(r/L)²) transforms to pi L² rms² exp(-(q L)² / 4)
    z = known.gaussian_surface(512, 10.0, 5.0, 100.0, seed=3)
    found = measured("spectrum-area", z, 10.0, form="none", window="none").arrays
    q, density = found["psd/x"], found["psd/y"]
    expected = math.pi * 100.0**2 * 25 * np.exp(-((q * 100.0) ** 2) / 4)
    part = slice(3, 15)
    assert np.mean(density[part] / expected[part]) == pytest.approx(1, abs=0.1)
    middle = found["autocorrelation"][found["autocorrelation"].shape[0] // 2]
    lags = (np.arange(len(middle)) - len(middle) // 2) * 10.0
    np.testing.assert_allclose(middle[abs(lags) < 200], np.exp(-((lags[abs(lags) < 200] / 100.0) ** 2)), atol=0.08)


def test_spectra_refuse_areas_with_many_holes():
    z = known.gaussian_surface(64, 10.0, 5.0, 60.0, seed=7)
    circle = Shape("circle", ((32.0, 32.0), (60.0, 32.0)))
    with pytest.raises(EclipsError, match="24 % of the heights are missing"):
        measured("spectrum-area", z, 10.0, (circle,))


def test_edges_of_known_shape_in_noise_keep_to_their_standard_deviation():
    from scipy.special import expit

    x = np.arange(200) * 5.0
    rng = np.random.default_rng(5)
    line = Shape("line", ((0.0, 2.0), (199.0, 2.0)))
    offs = []
    for _ in range(60):
        z = 30 * expit((x - 512) / 20.0) + rng.normal(0, 1, x.size)
        found = measured("edge", np.broadcast_to(z, (5, 200)).copy(), 5.0, (line,), model="logistic").info["values"]
        offs.append([(found[name]["value"] - true) / found[name]["std"]
                     for name, true in (("position", 512.0), ("width", 2 * math.log(9) * 20), ("height", 30.0))])  # fmt: skip
    assert np.sqrt(np.mean(np.square(offs), axis=0)) == pytest.approx([1, 1, 1], abs=0.35)


def test_a_falling_edge_and_a_flat():
    x = np.arange(200) * 5.0
    falling = np.broadcast_to(np.where(x > 507, -40.0, 0.0), (5, 200)).copy()
    line = Shape("line", ((0.0, 2.0), (199.0, 2.0)))
    found = measured("edge", falling, 5.0, (line,)).info
    assert found["values"]["height"]["value"] == pytest.approx(-40, abs=1e-3)
    assert found["values"]["position"]["value"] == pytest.approx(507, abs=3)
    assert "upper bound" in found["notes"][0]
    with pytest.raises(EclipsError, match="edge"):
        measured("edge", np.zeros((5, 200)), 5.0, (line,))


@pytest.mark.parametrize("pitch", [61.3, 100.0, 240.7])
def test_pitch_of_noisy_gratings(pitch):
    x = np.arange(600) * 5.0
    rng = np.random.default_rng(9)
    line = Shape("line", ((0.0, 10.0), (599.0, 10.0)), 9.0)
    z = 20 * (np.sin(2 * np.pi * x / pitch) > 0.2) + rng.normal(0, 1, (21, 600)) + 0.02 * x
    values = measured("pitch", z, 5.0, (line,)).info["values"]
    assert values["pitch"]["value"] == pytest.approx(pitch, abs=max(4 * values["pitch"]["std"], 0.05))
    assert values["pitch (Fourier)"]["value"] == pytest.approx(pitch, rel=2e-3)
    assert values["pitch (autocorrelation)"]["value"] == pytest.approx(pitch, rel=5e-3)
    given = measured("pitch", z, 5.0, (line,), expected_nm=pitch * 1.02).info["values"]
    assert given["pitch"]["value"] == pytest.approx(values["pitch"]["value"], rel=1e-6)


def test_no_pitch_without_periods():
    line = Shape("line", ((0.0, 10.0), (199.0, 10.0)))
    ramp = np.broadcast_to(np.sin(np.arange(200) / 50.0), (21, 200)).copy()
    with pytest.raises(EclipsError, match="periods"):
        measured("pitch", ramp, 5.0, (line,))


def test_a_trench_on_a_slope():
    x = np.arange(400) * 2.5
    wall = 80 / math.tan(math.radians(70.0))
    trench = -80 * np.clip((100 + wall / 2 - np.abs(x - 500)) / wall, 0, 1) + 0.05 * x
    line = Shape("line", ((0.0, 2.0), (399.0, 2.0)))
    values = measured("cd", np.broadcast_to(trench, (5, 400)).copy(), 2.5, (line,)).info["values"]
    assert values["height"]["value"] == pytest.approx(-80, abs=0.1)
    assert values["width"]["value"] == pytest.approx(200, abs=0.3)
    assert values["left sidewall angle"]["value"] == pytest.approx(70, abs=0.5)


def test_volumes_above_a_tilted_rim_and_a_level():
    r, c = np.mgrid[:101, :101].astype(float)
    block = np.where((abs(r - 50) < 20) & (abs(c - 50) < 20), 30.0, 0.0)  # 39 x 39 pixels
    area = Shape("rectangle", ((10.0, 10.0), (90.0, 90.0)))
    by_rim = measured("volume", block + 0.3 * c - 0.1 * r, 2.0, (area,)).info["values"]
    assert by_rim["volume above"]["value"] == pytest.approx(39 * 39 * 30 * 4)
    by_level = measured("volume", block, 2.0, (area,), reference="level", level_nm=10.0).info["values"]
    assert by_level["volume above"]["value"] == pytest.approx(39 * 39 * 20 * 4)
    assert by_level["volume below"]["value"] == pytest.approx((81 * 81 - 39 * 39) * 10 * 4)


def test_a_step_by_histogram_needs_two_levels():
    rng = np.random.default_rng(0)
    with pytest.raises(EclipsError, match="two levels"):
        measured("step-histogram", rng.normal(0, 1, (80, 80)), 2.0)
    uneven = np.where(np.arange(80) > 70, 12.0, 0.0) + rng.normal(0, 1, (80, 80))
    found = measured("step-histogram", uneven, 2.0).info["values"]
    assert found["height"]["value"] == pytest.approx(12, abs=0.2)
    assert found["upper part"]["value"] == pytest.approx(100 * 9 / 80, abs=0.5)


def test_surface_texture_of_a_flat_is_refused():
    with pytest.raises(EclipsError, match="no roughness"):
        measured("roughness-area", np.zeros((40, 40)), 2.0)


def test_peaks_are_counted_and_pruned():
    r, c = np.mgrid[:240, :240].astype(float)
    box = 10 * np.sin(2 * np.pi * c / 24) * np.sin(2 * np.pi * r / 24)
    rough = box + 0.3 * np.random.default_rng(1).normal(size=box.shape)
    found = measured("features", rough, 5.0, form="none").info["values"]
    area = (240 * 5e-3) ** 2
    assert found["Spd"]["value"] * area == pytest.approx(200, abs=45)  # those at the border do not count
    assert found["Spd"]["value"] * area == pytest.approx(round(found["Spd"]["value"] * area))
    few = measured("features", rough[:60, :60], 5.0, form="none").info["notes"]
    assert any("Fewer than the standard's five" in note for note in few)


def test_a_real_grating_has_the_pitch_and_depth_that_others_measured(shared_data):
    height, size = read(shared_data / "data" / "afm" / "si_grooves_10um.txt")
    line = Shape("line", ((2.0, 64.0), (125.0, 64.0)), 11.0)
    assert measured("pitch", height, size, (line,)).info["values"]["pitch"]["value"] == pytest.approx(2880, rel=0.01)
    assert measured("pitch-area", height, size).info["values"]["pitch"]["value"] == pytest.approx(2880, rel=0.01)
    assert measured("step-histogram", height, size).info["values"]["height"]["value"] == pytest.approx(540, abs=3)
