from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.engine.acceptance import acceptance, parallax_radius_mm, vector_gradients, vectors


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
