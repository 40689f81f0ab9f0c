from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eclips_app.core.detector import Beam, Bias, Detector, PolePiece, Response, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.engine.acceptance import acceptance
from eclips_app.engine.raytrace import tracer
from eclips_app.engine.raytrace.column import column_flight
from eclips_app.engine.raytrace.mesh import Mesh

DETECTOR = Detector(
    quadrants=tuple(Segment(f"S{k}", 90.0 * k, 86.0, 1.0, 0.0) for k in range(4)),
    beam=Beam(5.0, 1.0),
    outer_radius_mm=7.0,
)
SPECTRUM = np.array([0.6, 0.9]), np.array([0.3, 0.7])
AWAY = Mesh(np.array([[0.0, 0, -100], [1, 0, -100], [0, 1, -100]]), np.array([[0, 1, 2]], np.int32))


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECLIPS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize(
    "detector",
    [
        replace(DETECTOR, bias=Bias(-2000.0, 0.0), tilt_deg=(6.0, -9.0), center_mm=(0.5, 0.3)),
        replace(DETECTOR, bias=Bias(1000.0, 0.0), response=Response(2.5)),
        replace(DETECTOR, response=Response(4.2)),
    ],
    ids=["pulled-tilted", "held-back-threshold", "straight-threshold"],
)
def test_electrons_in_the_field_of_the_column_land_as_the_valid_solid_angle_says(detector: Detector) -> None:
    expected = acceptance(detector, spectrum=SPECTRUM).vectors() @ [0.0, 0.0, 1.0]
    assert abs(expected / acceptance(replace(DETECTOR, beam=None)).vectors()[:, 2] - 1).max() > 0.05
    points = np.zeros((40, 3))
    signal, error = tracer.trace(
        AWAY, points, np.tile([0.0, 0.0, 1.0], (40, 1)), detector, 4096, 1, flight=column_flight(detector, SPECTRUM)
    )
    deviation = (signal.mean(axis=1) - expected) / (np.sqrt((error**2).sum(axis=1)) / 40)
    assert np.abs(deviation).max() < 4


def test_field_at_the_specimen_pulls_what_its_bias_pushes_off() -> None:
    pushed, held = (column_flight(replace(DETECTOR, bias=Bias(v, 0.0)), SPECTRUM) for v in (-500.0, 500.0))
    assert pushed is not None
    assert held is not None
    assert pushed.field_v_per_mm == pytest.approx(-held.field_v_per_mm)
    assert 0 < pushed.field_v_per_mm < 2 * 500.0 / DETECTOR.distance_mm
    assert pushed.energies_ev == pytest.approx([0.6 * 4500.0, 0.9 * 4500.0])


@pytest.mark.parametrize("change", [{"bias": Bias(-100.0, 0.0)}, {"beam": None}], ids=["curved", "straight"])
def test_a_ring_below_the_detector_stops_its_electrons(change: dict[str, Any]) -> None:
    ring = replace(DETECTOR, pole_piece=PolePiece(4.0, 2.0, 3.0), **change)
    expected = acceptance(ring, spectrum=SPECTRUM).vectors()[:, 2]
    points = np.zeros((20, 3))
    signal, _ = tracer.trace(
        AWAY, points, np.tile([0.0, 0.0, 1.0], (20, 1)), ring, 4096, 1, flight=column_flight(ring, SPECTRUM)
    )
    np.testing.assert_allclose(signal.mean(axis=1), expected, rtol=0.01)
    free = acceptance(replace(ring, pole_piece=None), spectrum=SPECTRUM).vectors()[:, 2]
    assert (expected < 0.8 * free).all()


def test_without_potentials_flight_is_straight_and_with_them_needs_the_beam() -> None:
    assert column_flight(DETECTOR) is None
    with pytest.raises(EclipsError, match="beam energy"):
        column_flight(replace(DETECTOR, beam=None, bias=Bias(-500.0, 0.0)))
