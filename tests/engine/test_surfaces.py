from __future__ import annotations

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Specimen
from eclips_app.engine.surfaces import KINDS, rough, specimen_step, sphere, vickers


def tilt_deg(height: np.ndarray, pixel_size_nm: float) -> np.ndarray:
    down, right = np.gradient(height, pixel_size_nm)
    return np.rad2deg(np.arctan(np.hypot(down, right)))


@pytest.mark.parametrize("kind", list(KINDS))
def test_surfaces_are_finite_reproducible_and_scale_with_the_pixel(kind: str) -> None:
    first = KINDS[kind]((96, 128), 2.0, 5)
    assert first.shape == (96, 128)
    assert np.isfinite(first).all()
    assert np.ptp(first) > 0
    np.testing.assert_array_equal(first, KINDS[kind]((96, 128), 2.0, 5))
    np.testing.assert_allclose(KINDS[kind]((96, 128), 20.0, 5), 10 * first, rtol=1e-9, atol=1e-9)


def test_vickers_faces_are_inclined_by_22_degrees() -> None:
    height = vickers((256, 256), 10.0, 0)
    inside = height < 0.35 * height.min()
    assert np.median(tilt_deg(height, 10.0)[inside]) == pytest.approx(22.0, abs=0.2)


def test_sphere_has_its_radius() -> None:
    height = sphere((200, 200), 1.0, 0)
    radius = 70 / np.sin(np.deg2rad(50))
    middle = height[99:101, 99:101].mean()
    assert middle - height[100, 140] == pytest.approx(radius - np.sqrt(radius**2 - 40.5**2 - 0.5**2), abs=0.05)


def test_the_spiral_has_no_cliff() -> None:
    assert tilt_deg(KINDS["spiral"]((128, 128), 1.0, 0)[:, :50], 1.0).max() < 45.0


def test_rough_surface_has_the_stated_slope() -> None:
    down, right = np.gradient(rough((256, 256), 3.0, 1), 3.0)
    assert np.sqrt((down**2 + right**2).mean()) == pytest.approx(0.3, rel=1e-6)


def test_the_step_gives_the_surface_or_names_those_that_exist() -> None:
    made = specimen_step({}, Specimen("steps", 32, 40, 2.0, 3), SilentContext())
    assert made.arrays["height"].shape == (32, 40)
    with pytest.raises(EclipsError, match="vickers"):
        specimen_step({}, Specimen("moon"), SilentContext())
