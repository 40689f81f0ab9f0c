from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from eclips_app.core.detector import Beam, Bias, Detector, PolePiece, Response, Segment
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.engine.acceptance import (
    GEOMETRY,
    Acceptance,
    Coverage,
    acceptance,
    coverage,
    coverage_slope,
    geometry_vector,
    incidence,
    parallax_radius_mm,
    table_gradients,
    turn_gradients,
    vector_gradients,
    vectors,
    with_geometry,
)
from eclips_app.engine.device import one_thread
from eclips_app.engine.optics import cache, flight
from eclips_app.engine.optics.watch import watched

CELLS = 120, 192
ONE_ENERGY = np.array([0.8]), np.array([1.0])


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with one_thread():
        yield


def annulus(count: int = 4, span: float = 86.0, **geometry: object) -> Detector:
    segments = tuple(Segment(f"S{k}", 360.0 * k / count, span, 1.0, 0.0) for k in range(count))
    return replace(Detector(quadrants=segments), **geometry)


def closed_form(detector: Detector) -> np.ndarray:
    """Acceptance vectors of a level, centred annulus: elementary integrals over t and f."""
    found = []
    for segment in detector.quadrants:
        t1, t2 = (np.arctan(r / detector.distance_mm) for r in detector.radii_mm(segment))
        half, middle = np.deg2rad(segment.span_deg) / 2, np.deg2rad(segment.azimuth_deg)
        side = (t2 / 2 - np.sin(2 * t2) / 4) - (t1 / 2 - np.sin(2 * t1) / 4)
        up = (np.sin(t2) ** 2 - np.sin(t1) ** 2) / 2
        found.append(
            [2 * np.sin(half) * np.cos(middle) * side, 2 * np.sin(half) * np.sin(middle) * side, 2 * half * up]
        )
    return np.array(found) / np.pi


@pytest.mark.parametrize("detector", [annulus(), annulus(3, 116.0, distance_mm=5.0, inner_radius_mm=1.5)])
def test_level_centred_annulus_has_its_closed_form(detector: Detector) -> None:
    np.testing.assert_allclose(vectors(detector), closed_form(detector), atol=1e-12)
    np.testing.assert_allclose(acceptance(detector).vectors(), closed_form(detector), atol=3e-6)


def test_two_rings_of_eight_segments() -> None:
    inner = tuple(Segment(f"i{k}", 90.0 * k, 84.0, 1.0, 0.0, 1.5, 3.0) for k in range(4))
    outer = tuple(Segment(f"o{k}", 90.0 * k, 84.0, 1.0, 0.0, 3.2, 7.0) for k in range(4))
    detector = Detector(quadrants=inner + outer)
    np.testing.assert_allclose(vectors(detector), closed_form(detector), atol=1e-12)


@pytest.mark.parametrize(
    ("center", "tilt"), [((1.5, -0.7), (0.0, 0.0)), ((0.0, 0.0), (8.0, -5.0)), ((2.0, 1.0), (-6.0, 9.0))]
)
def test_table_and_quadrature_agree_off_axis_and_tilted(center: tuple, tilt: tuple) -> None:
    detector = annulus(center_mm=center, tilt_deg=tilt)
    np.testing.assert_allclose(acceptance(detector).vectors(), vectors(detector), atol=2e-5)


def test_moments_of_sectors_add_up_to_the_vectors() -> None:
    table = acceptance(annulus(center_mm=(0.5, 0.2)))
    np.testing.assert_allclose(table.moments(64)[:, -1].sum(axis=0), table.vectors(), atol=1e-14)


def test_turning_the_segments_turns_the_vectors() -> None:
    detector, angle = annulus(), np.deg2rad(30.0)
    turned = replace(detector, quadrants=tuple(replace(s, azimuth_deg=s.azimuth_deg + 30) for s in detector.quadrants))
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    np.testing.assert_allclose(vectors(turned), vectors(detector) @ rotation.T, atol=1e-13)


def test_offset_toward_a_segment_takes_signal_from_it_on_the_axis() -> None:
    # A detector moved toward +x is farther away on the east side and comes closer with its west side.
    east, _, west, _ = vectors(annulus(center_mm=(1.0, 0.0)))
    assert west[2] > vectors(annulus())[2][2] > east[2]


def test_far_small_detector_is_a_point_source() -> None:
    detector = annulus(distance_mm=200.0, inner_radius_mm=0.0, outer_radius_mm=1.0, span=90.0)
    solid_angle = np.pi / 4 / 200.0**2
    np.testing.assert_allclose(vectors(detector)[:, 2], solid_angle / np.pi, rtol=2e-4)


def test_tilt_about_x_lifts_the_north_side() -> None:
    # Turned about +x by a positive angle, the +y side moves up and away.
    _, north, _, south = vectors(annulus(tilt_deg=(10.0, 0.0)))
    assert south[2] > north[2]


def test_gradients_equal_differences_of_a_moved_detector() -> None:
    detector = annulus(center_mm=(0.4, -0.3), tilt_deg=(4.0, -7.0))
    step = 1e-4
    for axis, gradient in enumerate(vector_gradients(detector)):
        center = np.array(detector.center_mm)
        ahead, behind = center.copy(), center.copy()
        ahead[axis] -= step
        behind[axis] += step
        slope = vectors(replace(detector, center_mm=tuple(ahead))) - vectors(replace(detector, center_mm=tuple(behind)))
        np.testing.assert_allclose(gradient, slope / (2 * step), atol=1e-8)


@pytest.mark.parametrize(
    ("inner", "outer", "distance", "radius"),
    [(1.5, 5.0, 4.0, 1.70), (2.0, 6.0, 5.0, 2.09), (1.5, 6.5, 3.5, 1.87), (2.0, 7.0, 10.0, 3.16)],
)
def test_flat_specimen_reads_as_a_cap_of_known_radius(
    inner: float, outer: float, distance: float, radius: float
) -> None:
    detector = annulus(span=90.0, inner_radius_mm=inner, outer_radius_mm=outer, distance_mm=distance)
    np.testing.assert_allclose(parallax_radius_mm(detector), -radius, rtol=5e-3)


def test_face_turned_away_is_an_error() -> None:
    with pytest.raises(EclipsError, match="points away"):
        vectors(annulus(distance_mm=1.0, center_mm=(20.0, 0.0), tilt_deg=(0.0, -60.0)))


def biased(specimen_v: float, **geometry: object) -> Detector:
    return annulus(beam=Beam(10.0, 2.0), bias=Bias(specimen_v, 0.0), pole_piece=PolePiece(9.0, 1.0, 15.0), **geometry)


OFF_AXIS = {"center_mm": (1.5, -0.7), "tilt_deg": (6.0, -4.0)}


@pytest.mark.parametrize("geometry", [{}, OFF_AXIS])
def test_without_bias_curved_flight_is_straight(geometry: dict) -> None:
    straight, curved = (acceptance(biased(volts, **geometry)) for volts in (0.0, 1e-6))
    np.testing.assert_allclose(curved.T, straight.T, atol=3e-5)
    np.testing.assert_allclose(curved.vectors(), straight.vectors(), atol=1e-6)


@pytest.mark.parametrize("specimen_v", [-2000.0, 800.0])
def test_level_detector_catches_what_its_landing_radii_say(specimen_v: float) -> None:
    detector = biased(specimen_v)
    energy = np.array([0.8 * (10.0 + 1e-3 * specimen_v)])
    paths = flight.paths(detector, energy)
    count = int((~paths.reached).to(torch.uint8).argmax())
    radius = paths.state[-1, 0, :count].numpy()
    start = CubicSpline(radius, np.linspace(0, np.pi / 2, paths.reached.numel())[:count])
    seen_straight = replace(  # the annulus on which straight electrons of the same start angles would land
        detector,
        inner_radius_mm=8.0 * np.tan(start(2.0)),
        outer_radius_mm=8.0 * np.tan(start(9.0)),
    )
    np.testing.assert_allclose(
        acceptance(detector, spectrum=ONE_ENERGY).vectors(), closed_form(seen_straight), atol=2e-5
    )


def test_attraction_toward_the_detector_widens_the_acceptance() -> None:
    tables = [acceptance(biased(volts), *CELLS, ONE_ENERGY) for volts in (500.0, 0.0, -500.0, -3000.0)]
    assert np.all(np.diff([table.limits()[1] for table in tables]) > 0)
    assert np.all(np.diff([table.vectors()[:, 2].mean() for table in tables]) > 0)
    assert all(table.T.max() <= 1 + 1e-12 and table.T.min() >= -1e-12 for table in tables)


def test_a_spectrum_is_averaged() -> None:
    detector = biased(-1500.0)
    parts = [acceptance(detector, *CELLS, (np.array([x]), np.array([1.0]))).T for x in (0.4, 0.9)]
    both = acceptance(detector, *CELLS, (np.array([0.4, 0.9]), np.array([1.0, 3.0]))).T
    np.testing.assert_allclose(both, 0.25 * parts[0] + 0.75 * parts[1], atol=1e-12)
    fractions, weights = flight.default_spectrum()
    assert fractions @ weights == pytest.approx(0.7, abs=0.005)


def test_threshold_keeps_the_part_of_the_spectrum_above_it() -> None:
    plain = annulus(beam=Beam(10.0, 2.0))
    spectrum = np.array([0.25, 0.75]), np.array([1.0, 1.0])  # even from 0 to 10 keV
    half = replace(plain, response=Response(4.0))
    np.testing.assert_allclose(acceptance(half, *CELLS, spectrum).T, 0.6 * acceptance(plain, *CELLS).T, atol=1e-12)
    # 2 kV toward the detector lift every electron: emitted with 0 to 8 keV, they arrive with 2 to 10.
    lifted = replace(half, bias=Bias(-2000.0, 0.0))
    assert flight.response(lifted, spectrum) == pytest.approx(0.75)
    without_beam = replace(half, beam=None)
    np.testing.assert_array_equal(acceptance(without_beam, *CELLS).T, acceptance(plain, *CELLS).T)


def test_pole_piece_in_front_of_the_detector_shades_it() -> None:
    shaded = annulus(pole_piece=PolePiece(4.0, 0.5, 2.0))  # up to 26.6 degrees; the detector begins at 14
    np.testing.assert_allclose(vectors(shaded), closed_form(annulus(inner_radius_mm=4.0)), atol=1e-5)
    np.testing.assert_array_equal(vectors(annulus(pole_piece=PolePiece(8.5, 0.5, 20.0))), vectors(annulus()))


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated"
)  # Torch's own, on its first forward-mode derivative
@pytest.mark.parametrize("volts", [0.0, -2000.0])
@pytest.mark.parametrize("component", GEOMETRY)
def test_derivatives_by_the_geometry_equal_differences(volts: float, component: str) -> None:
    detector = biased(volts, center_mm=(0.4, -0.3), tilt_deg=(4.0, -7.0))
    function = Coverage(detector, 60, 96)
    start = function.geometry
    tangent = torch.tensor([float(name == component) for name in GEOMETRY], dtype=torch.float64)
    value, slope = torch.func.jvp(function, (start,), (tangent,))
    np.testing.assert_allclose(value, function.table().T, atol=1e-12)
    step = 3e-6
    difference = (function(start + step * tangent) - function(start - step * tangent)) / (2 * step)
    assert float((slope - difference).norm() / slope.norm()) < 1e-6
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=value.shape))
    leaf = start.clone().requires_grad_()
    (coverage(detector, leaf, 60, 96) * weight).sum().backward()
    np.testing.assert_allclose(leaf.grad @ tangent, (slope * weight).sum(), rtol=1e-9)


def test_level_centred_detector_has_finite_derivatives() -> None:
    detector = annulus(inner_radius_mm=0.0)
    leaf = torch.from_numpy(geometry_vector(detector)).requires_grad_()
    coverage(detector, leaf, 30, 48).square().sum().backward()
    assert leaf.grad.isfinite().all()
    assert leaf.grad[0] < 0 < leaf.grad[2]


def test_geometry_vector_and_back() -> None:
    rings = tuple(Segment(f"r{k}", 90.0 * k, 84.0, 1.0, 0.0, 1.5, 3.0) for k in range(4))
    detector = Detector(quadrants=rings, center_mm=(0.3, 0.1), tilt_deg=(2.0, 3.0))
    moved = geometry_vector(detector) + np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    changed = with_geometry(detector, moved)
    np.testing.assert_allclose(geometry_vector(changed)[:7], moved[:7])
    assert changed.radii_mm(changed.quadrants[0]) == pytest.approx((1.7, 3.3))
    np.testing.assert_allclose(
        acceptance(changed, 60, 96).T, coverage(detector, torch.from_numpy(moved), 60, 96).numpy(), atol=1e-12
    )


def test_whole_derivative_holds_how_the_field_changes() -> None:
    plain, strong = biased(0.0), biased(-2000.0)
    for detector, share in ((plain, 0.0), (strong, 0.1)):
        function = Coverage(detector, *CELLS)
        table = function.table()
        fixed, whole = (
            replace(table, T=slope).vectors()[0]
            for slope in (function.moved("distance_mm", 0.02), coverage_slope(detector, "distance_mm", CELLS))
        )
        assert np.abs(whole[[0, 2]] / fixed[[0, 2]] - 1).min() >= share
        if share == 0.0:
            np.testing.assert_allclose(whole, fixed, rtol=1e-6)


@pytest.mark.parametrize("volts", [0.0, -1000.0])
def test_table_gradients_hold_the_scan_parallax(volts: float) -> None:
    detector = biased(volts, center_mm=(0.4, -0.3))
    table = acceptance(detector, 360, 384)
    along_x, along_y = table_gradients(detector, 360, 384)
    for along, gradient, axis in zip((along_x, along_y), vector_gradients(detector), (0, 1), strict=True):
        np.testing.assert_allclose(replace(table, T=along).vectors(), gradient, atol=1e-5)
        shift = np.eye(2)[axis] * 0.05
        ahead, behind = (
            vectors(replace(detector, center_mm=tuple(np.array((0.4, -0.3)) + s * shift))) for s in (-1, 1)
        )
        np.testing.assert_allclose(gradient, (ahead - behind) / 0.1, atol=4e-5)


def test_bias_changes_the_curvature_a_flat_specimen_reads_as() -> None:
    curved, straight = (parallax_radius_mm(biased(volts))[0] for volts in (-1500.0, 0.0))
    assert curved < 0
    assert abs(curved / straight - 1) > 0.02


def test_turning_the_column_turns_the_vectors() -> None:
    table = acceptance(annulus(center_mm=(0.5, 0.2)), 360, 384)
    for axis, slope in zip(np.eye(3), turn_gradients(table), strict=False):
        turned = Acceptance(table.theta, table.phi, slope).vectors()
        np.testing.assert_allclose(turned, np.cross(axis, table.vectors()), atol=1e-4)


def test_beam_from_the_pivot_is_turned_straight_down() -> None:
    x, y, pivot = 0.3, -0.2, 20.0
    about_x, about_y = incidence(x, y, pivot)
    beam = np.array([x / pivot, y / pivot, -1.0])
    turned = beam + np.cross([about_x, about_y, 0.0], beam)
    np.testing.assert_allclose(turned[:2], 0.0, atol=1e-15)
    assert incidence(x, y, None) == (0.0, 0.0)


def test_bias_without_beam_energy_or_beyond_it_is_an_error() -> None:
    with pytest.raises(EclipsError, match="need the beam energy"):
        acceptance(annulus(bias=Bias(-500.0, 0.0)), *CELLS)
    with pytest.raises(EclipsError, match="turns a beam of 2 keV back"):
        acceptance(annulus(bias=Bias(-2500.0, 0.0), beam=Beam(2.0, 1.0)), *CELLS)
    with pytest.raises(EclipsError, match="no electron arrives"):
        acceptance(annulus(bias=Bias(-500.0, 0.0), beam=Beam(2.0, 1.0), response=Response(5.0)), *CELLS)


def test_results_are_kept_on_disk_and_a_damaged_file_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECLIPS_CACHE", str(tmp_path / "new"))
    detector = biased(-700.0)
    first = acceptance(detector, *CELLS, ONE_ENERGY).T
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name.split("-")[0].rstrip("0123456789") for file in files] == ["field", "landing"]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(flight, "fly", refuse)
        patch.setattr(flight, "tabulate", refuse)
        np.testing.assert_array_equal(acceptance(detector, *CELLS, ONE_ENERGY).T, first)
    for file in files:
        file.write_bytes(file.read_bytes()[:200])
    np.testing.assert_array_equal(acceptance(detector, *CELLS, ONE_ENERGY).T, first)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ECLIPS_CACHE", str(tmp_path / "file"))
    np.testing.assert_array_equal(acceptance(detector, *CELLS, ONE_ENERGY).T, first)


def test_cache_stays_within_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECLIPS_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "_LIMIT_BYTES", 30_000)
    for number in range(6):
        cache.kept("test1", number, ("a",), lambda: {"a": np.zeros(1000)})
        os.utime(next(iter(sorted(tmp_path.iterdir(), key=lambda f: f.stat().st_mtime_ns))), (number, number))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 30_000
    assert len(list(tmp_path.iterdir())) == 3


def test_electrons_near_the_axis_may_turn_back_while_others_land() -> None:
    detector = annulus(beam=Beam(1.0, 2.0), pole_piece=PolePiece(9.0, 1.0, 15.0, -6000.0))
    spectrum = np.array([0.5]), np.array([1.0])
    found = flight.at_edges(flight.landing(detector, spectrum), np.deg2rad([0.0, 1.0, 30.0, 31.0]), detector)
    assert found.lands[0, 0, 0] == 0.0
    assert found.lands[0, 2, 0] == 1.0
    assert acceptance(detector, *CELLS, spectrum).T.max() > 0.9


def test_flight_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECLIPS_CACHE", str(tmp_path))
    calls = []

    def stop_later() -> None:
        calls.append(None)
        if len(calls) > 40:
            raise Cancelled

    with watched(stop_later), pytest.raises(Cancelled):
        acceptance(biased(-300.0), *CELLS, ONE_ENERGY)
    assert acceptance(biased(-300.0), *CELLS, ONE_ENERGY).T.max() > 0.9  # nobody watches any more
