from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.specimen import SURFACE_TITLES, surface_defaults
from eclips_app.core.steps import Specimen
from eclips_app.engine.surfaces import KINDS, grating, pits, rough, specimen_step, sphere, surface_parameters, vickers


def slopes(height: np.ndarray, pixel_size_nm: float) -> np.ndarray:
    down, right = np.gradient(height, pixel_size_nm)
    return np.hypot(down, right)


def tilt_deg(height: np.ndarray, pixel_size_nm: float) -> np.ndarray:
    return np.rad2deg(np.arctan(slopes(height, pixel_size_nm)))


def made(params: Specimen) -> np.ndarray:
    return specimen_step({}, params, SilentContext()).arrays["height"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_surfaces_are_finite_reproducible_and_scale_with_the_pixel(kind: str) -> None:
    first = KINDS[kind]((96, 128), 2.0, 5)
    assert first.shape == (96, 128)
    assert np.isfinite(first).all()
    assert np.ptp(first) > 0
    np.testing.assert_array_equal(first, KINDS[kind]((96, 128), 2.0, 5))
    np.testing.assert_allclose(KINDS[kind]((96, 128), 20.0, 5), 10 * first, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", list(KINDS))
def test_defaults_are_what_a_kind_has_unless_told_and_each_parameter_shapes_it(kind: str) -> None:
    plain = Specimen(kind, 96, 128, 2.0, 5)
    defaults = surface_defaults(kind, 96, 128, 2.0)
    assert [*defaults, *(["seed"] if "seed" in surface_parameters(kind) else [])] == surface_parameters(kind)
    given = schema.load(Specimen, schema.dump(plain) | defaults)  # every default lies within the limits of its field
    np.testing.assert_array_equal(made(given), made(plain))
    for name in surface_parameters(kind):
        value = getattr(given, name)
        other = value * 0.9 if isinstance(value, float) and value else value + 1
        if name == "longest_nm":
            other = value / 4  # the crop's mean slope hardly feels the very longest waves
        assert not np.allclose(made(dataclasses.replace(given, **{name: other})), made(plain)), name


def test_kinds_are_the_same_everywhere() -> None:
    assert set(KINDS) == set(SURFACE_TITLES) == set(schema.rule_of(Specimen, "kind").choices)


def test_parameters_survive_a_file_and_those_of_other_kinds_do_nothing() -> None:
    params = Specimen("grating", 64, 64, 2.0, pitch_nm=40.0, hurst=0.5)
    again = schema.load(Specimen, json.loads(json.dumps(schema.dump(params))))
    assert again == params
    np.testing.assert_array_equal(made(again), made(Specimen("grating", 64, 64, 2.0, pitch_nm=40.0)))
    with pytest.raises(EclipsError, match="hurst"):
        grating((64, 64), 2.0, hurst=0.5)


def test_vickers_faces_are_inclined_by_22_degrees_and_its_width_is_kept() -> None:
    height = vickers((256, 256), 10.0, 0)
    inside = height < 0.35 * height.min()
    assert np.median(tilt_deg(height, 10.0)[inside]) == pytest.approx(22.0, abs=0.2)
    small = vickers((257, 257), 10.0, width_nm=1000.0, azimuth_deg=0.0, rms_slope=0.0)
    assert small.min() == pytest.approx(-500 * np.tan(np.deg2rad(22)), rel=1e-9)
    assert (small < 0).sum() == 99**2


def test_sphere_has_its_radius() -> None:
    height = sphere((200, 200), 1.0, 0)
    radius = 70 / np.sin(np.deg2rad(50))
    middle = height[99:101, 99:101].mean()
    assert middle - height[100, 140] == pytest.approx(radius - np.sqrt(radius**2 - 40.5**2 - 0.5**2), abs=0.05)
    low = sphere((201, 201), 1.0, radius_nm=60.0, slope_angle_deg=60.0)
    assert low.max() == pytest.approx(60 * (1 - np.cos(np.deg2rad(60))))


def test_the_spiral_has_no_cliff_and_says_when_its_face_does_not_fit() -> None:
    assert tilt_deg(KINDS["spiral"]((128, 128), 1.0, 0)[:, :50], 1.0).max() < 45.0
    with pytest.raises(EclipsError, match="pitch"):
        KINDS["spiral"]((64, 64), 1.0, 0, slope_angle_deg=5.0)


def test_steps_have_the_stated_height_terrace_and_angle() -> None:
    height = KINDS["steps"](
        (8, 1500), 1.0, 1, step_height_nm=20.0, terrace_nm=100.0, slope_angle_deg=45.0, azimuth_deg=0.0, spread=0.0
    )
    levels, counts = np.unique(height[4].round(9), return_counts=True)
    flats = levels[counts > 50]
    np.testing.assert_allclose(np.diff(flats), 20.0, atol=1e-6)
    assert len(flats) == 12  # the first face begins at 20 nm: 1480 nm hold twelve periods of 120 nm
    inclined = tilt_deg(height, 1.0)[4]
    assert np.median(inclined[inclined > 40]) == pytest.approx(45.0, abs=0.1)  # the edges are wavy
    with pytest.raises(EclipsError, match="narrower than a pixel"):
        KINDS["steps"]((16, 16), 1.0, 0, terrace_nm=0.1, step_height_nm=0.1)


def test_grating_has_its_pitch_line_width_and_side_angle() -> None:
    height = grating((16, 1200), 1.0, pitch_nm=120.0, step_height_nm=30.0, line_share=0.4, slope_angle_deg=60.0)
    line = height[8]
    spectrum = np.abs(np.fft.rfft(line - line.mean()))
    assert spectrum.argmax() == 10  # periods in the field
    assert (line > 15.0).mean() == pytest.approx(0.4, abs=0.01)
    assert np.max(tilt_deg(height, 1.0)) == pytest.approx(60.0, abs=1e-6)
    turned = grating(
        (400, 400), 1.0, pitch_nm=120.0, azimuth_deg=90.0
    )  # across is up: the rows differ, the columns do not
    assert np.ptp(turned, axis=1).max() < 1e-9
    assert np.ptp(turned) == pytest.approx(12.0)


def test_pits_have_flat_bottoms_at_their_depth_and_inclined_sides() -> None:
    height = pits((256, 256), 2.0, 3, width_nm=100.0, depth_nm=20.0, slope_angle_deg=55.0, count=4, rms_slope=0.0)
    assert height.max() == 0.0
    assert height.min() == -20.0
    assert 0.01 < (height == -20.0).mean() < 0.2
    inclined = tilt_deg(height, 2.0)
    assert np.median(inclined[(height < -4) & (height > -16)]) == pytest.approx(55.0, abs=0.5)


def test_rough_surface_has_the_stated_slope_and_hurst_exponent() -> None:
    assert np.sqrt((slopes(rough((256, 256), 3.0, 1), 3.0) ** 2).mean()) == pytest.approx(0.3, rel=1e-6)
    height = rough((512, 512), 3.0, 1, rms_slope=0.5, hurst=0.6, cutoff_nm=3.0)
    assert np.sqrt((slopes(height, 3.0) ** 2).mean()) == pytest.approx(0.5, rel=1e-6)
    lags = np.array([8, 16, 32])
    squares = [np.mean((height[:, lag:] - height[:, :-lag]) ** 2) for lag in lags]
    exponent = np.polyfit(np.log(lags), np.log(squares), 1)[0] / 2  # S(r) grows as r**(2 H)
    assert exponent == pytest.approx(0.6, abs=0.08)
    with pytest.raises(EclipsError, match="cut-off"):
        rough((64, 64), 1.0, cutoff_nm=1e6)


def test_waves_longer_than_the_longest_grow_no_higher() -> None:
    height = rough((512, 512), 1.0, 2, longest_nm=32.0)
    far = [np.mean((height[:, lag:] - height[:, :-lag]) ** 2) for lag in (64, 128)]
    assert far[1] == pytest.approx(far[0], rel=0.1)  # no correlation left


def test_the_step_gives_the_surface_names_those_that_exist_and_can_be_stopped() -> None:
    assert made(Specimen("steps", 32, 40, 2.0, 3)).shape == (32, 40)
    with pytest.raises(EclipsError, match="vickers"):
        made(Specimen("moon"))

    class Stopping(SilentContext):
        calls = 0

        def check(self) -> None:
            self.calls += 1
            if self.calls > 3:
                raise Cancelled

    for kind in ("particles", "steps", "pits"):
        with pytest.raises(Cancelled):
            specimen_step({}, Specimen(kind, 256, 256), Stopping())
