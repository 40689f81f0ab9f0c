"""Facets, steps, edges and imprint, on surfaces whose answers are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from eclips_app.cli.bench_figures import (
    Functional,
    find_faces,
    imprint_nm,
    lines_across,
    mean_over_faces,
    without_plane,
)
from eclips_app.cli.bench_known import normals

PIXEL_NM = 2.0
ANGLE_DEG = 40.0


def stairs(rise: float = 16.0) -> np.ndarray:
    """One straight face at `ANGLE_DEG` between two terraces, 64 x 64 pixels; climbs to the right and a little up."""
    rows, columns = np.indices((64, 64)) * PIXEL_NM
    across = (columns - 60.0) * np.cos(0.2) - (rows - 64.0) * np.sin(0.2)
    return np.clip(across * np.tan(np.deg2rad(ANGLE_DEG)), 0.0, rise)


def test_face_is_found_without_its_mixed_border() -> None:
    height = stairs()
    found = find_faces(normals(height, PIXEL_NM))
    assert found is not None
    labels, tilt = found
    assert tilt == pytest.approx(ANGLE_DEG, abs=0.05)
    assert labels.max() == 1
    inside = height[labels > 0]
    assert inside.min() > 0.0
    assert inside.max() < 16.0


def test_a_sphere_and_a_plane_have_no_face() -> None:
    rows, columns = np.indices((64, 64)) - 31.5
    sphere = np.sqrt(np.maximum(60.0**2 - rows**2 - columns**2, 0.0))
    assert find_faces(normals(sphere, 1.0)) is None
    assert find_faces(normals(np.zeros((64, 64)), 1.0)) is None
    assert lines_across(normals(np.zeros((64, 64)), 1.0)) == []


def test_lines_across_give_angle_and_step() -> None:
    height = stairs()
    lines = lines_across(normals(height, PIXEL_NM), 40)
    assert len(lines) == 40
    angles = np.array([line.angle_deg(height, PIXEL_NM) for line in lines])
    np.testing.assert_allclose(angles, ANGLE_DEG, atol=0.05)
    assert mean_over_faces(lines, angles) == pytest.approx(ANGLE_DEG, abs=0.05)
    steps = [line.step.of(height) for line in lines if line.step is not None]
    assert len(steps) > 10
    np.testing.assert_allclose(steps, 16.0, rtol=1e-6)


def test_edge_width_is_that_of_the_ramp_and_grows_with_blur() -> None:
    from scipy.ndimage import gaussian_filter

    height = stairs()
    line = next(line for line in lines_across(normals(height, PIXEL_NM), 40) if line.step is not None)
    ramp_px = 16.0 / np.tan(np.deg2rad(ANGLE_DEG)) / PIXEL_NM
    assert line.width_px(height) == pytest.approx(0.8 * ramp_px, abs=0.05)
    assert line.width_px(gaussian_filter(height, 4.0)) > 1.1 * line.width_px(height)
    assert np.isnan(line.width_px(np.zeros_like(height)))


def test_functional_is_the_sum_of_its_weights() -> None:
    rng = np.random.default_rng(1)
    height = rng.normal(size=(9, 11))
    functional = Functional(np.array([0.0, 3.25, 8.0]), np.array([10.0, 4.5, 0.0]), np.array([1.0, -2.0, 0.5]))
    assert float((functional.weights(height.shape) * height).sum()) == pytest.approx(functional.of(height))
    assert functional.weights(height.shape).sum() == pytest.approx(-0.5)


def test_imprint_is_the_step_at_the_border_of_the_material() -> None:
    material = np.zeros((40, 40), np.intp)
    material[10:30, 10:30] = 1
    material[:5, :5] = -1
    assert imprint_nm(0.3 * material, material) == pytest.approx(0.3)
    assert imprint_nm(np.full((40, 40), 2.0), material) == pytest.approx(0.0)


def test_without_plane_leaves_no_plane() -> None:
    rows, columns = np.indices((8, 9), float)
    np.testing.assert_allclose(without_plane(3.0 + 0.5 * rows - columns), 0.0, atol=1e-12)
