from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.forward.model import density, forward_model
from eclips_app.engine.raytrace.disc import DiscEmission, from_density
from eclips_app.engine.raytrace.image import trace_image
from eclips_app.engine.surfaces import KINDS

Float = NDArray[np.float64]

DETECTOR = Detector(
    quadrants=tuple(Segment(f"S{k}", 90.0 * k, 86.0, 1.0, 0.0) for k in range(4)),
    beam=Beam(15.0, 1.0), distance_mm=3.5, inner_radius_mm=1.0,
)  # fmt: skip
EVERYTHING = replace(
    DETECTOR,
    quadrants=(Segment("all", 0.0, 360.0, 1.0, 0.0),),
    distance_mm=0.1,
    inner_radius_mm=0.0,
    outer_radius_mm=200.0,
)
LEVEL = np.zeros((6, 6))


def deviation(signal: Float, error: Float, expected: Float | float) -> float:
    """Largest deviation of a segment's mean over the image, in standard errors."""
    spread = np.sqrt((error**2).sum(axis=(1, 2))) / error[0].size
    return float(np.abs((signal.mean(axis=(1, 2)) - expected) / spread).max())


def test_field_beside_the_axis_sees_the_detector_from_there() -> None:
    signal, error = trace_image(LEVEL, 10.0, DETECTOR, 4000, center_mm=(0.4, -0.2))
    moved = vectors(replace(DETECTOR, center_mm=(-0.4, 0.2)))[:, 2]
    assert deviation(signal, error, moved) < 4
    assert deviation(signal, error, vectors(DETECTOR)[:, 2]) > 20


def test_samples_lie_about_the_middle_of_the_field_with_y_up() -> None:
    signal, _ = trace_image(LEVEL, 2e5, DETECTOR, 20000, center_mm=(0.0, 0.0))
    x_mm = (np.arange(6) - 2.5) * 0.2
    east = [vectors(replace(DETECTOR, center_mm=(-x, 0.1)))[0, 2] for x in x_mm]
    np.testing.assert_allclose(signal[0, 3], east, atol=0.01)
    north = [vectors(replace(DETECTOR, center_mm=(0.1, x)))[1, 2] for x in x_mm]
    np.testing.assert_allclose(signal[1, :, 2], north, atol=0.01)


def test_inclined_beam_matters_for_yield_and_not_for_lambert() -> None:
    grown = DiscEmission(np.array([0.0, 10.0]), np.array([1.0, 3.0]), np.ones((2, 1)), np.array([[0, 0]]))
    aside = float(10.0 * np.tan(np.deg2rad(5.0)))
    signal, error = trace_image(LEVEL, 1.0, EVERYTHING, 500, emission=grown, center_mm=(0.0, aside), pivot_mm=10.0)
    seen = 0.99999  # the rim, 200 mm away, is lifted 0.03 degrees
    assert signal.mean() == pytest.approx(2.0 * seen, abs=2e-3)
    plain, _ = trace_image(LEVEL, 1.0, EVERYTHING, 500, center_mm=(0.0, aside), pivot_mm=10.0)
    assert plain.mean() == pytest.approx(seen, abs=1e-3)
    assert error.max() < 0.02


@pytest.mark.parametrize("emission", [Emission("lambert"), Emission("parametric", "Cu"), Emission("tabulated", "Cu")])
def test_fast_model_agrees_for_every_emission(emission: Emission) -> None:
    height = KINDS["particles"]((40, 40), 10.0, 2)
    rendered = forward_model(DETECTOR, 10.0, emission=emission, azimuths=128).samples(height).numpy()
    shape = None if emission.model == "lambert" else from_density(density(DETECTOR, emission))
    signal, error = trace_image(height, 10.0, DETECTOR, 300, 1, emission=shape)
    assert deviation(signal, error, rendered.mean(axis=(1, 2))) < 4
    assert ((signal - rendered) ** 2).sum() / (error**2).sum() == pytest.approx(1.0, abs=0.12)
