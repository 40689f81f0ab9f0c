from __future__ import annotations

import dataclasses

import numba
import numpy as np
import pytest
from numba.core import caching

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Bias, Detector, Response, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.compiled import compiled
from eclips_app.engine.forward.model import forward_model
from eclips_app.engine.simulate import simulate_step
from eclips_app.engine.surfaces import rough, vickers

FOUR = Detector(quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")))


def render(height: np.ndarray, detector: Detector, azimuths: int) -> np.ndarray:
    return forward_model(detector, 1.0, azimuths=azimuths).samples(height).numpy()


def plane(p: float, q: float, size: int = 24) -> np.ndarray:
    y, x = np.mgrid[0:size, 0:size].astype(float)
    return p * x - q * y


@pytest.mark.parametrize(("p", "q"), [(0.0, 0.0), (0.3, 0.0), (0.0, -0.4), (0.2, 0.3)])
def test_an_unshadowed_plane_gives_its_normal_times_the_acceptance_vector(p: float, q: float) -> None:
    signal = render(plane(p, q), FOUR, 64)
    normal = np.array([-p, -q, 1.0]) / np.sqrt(1 + p * p + q * q)
    expected = vectors(FOUR) @ normal
    np.testing.assert_allclose(signal[:, 12, 12], expected, rtol=2e-4)


def test_the_segment_toward_which_a_face_turns_is_brighter() -> None:
    down_to_the_right = render(plane(-0.4, 0.0), FOUR, 16)[:, 12, 12]
    assert down_to_the_right.argmax() == 0  # E
    falling_upward = render(plane(0.0, -0.4), FOUR, 16)[:, 12, 12]
    assert falling_upward.argmax() == 1  # N, image up


@numba.njit
def _trace(height, p, q, rays, seed, distance, inner, outer, half_span):  # type: ignore[no-untyped-def]
    """Monte Carlo: cosine rays about the normal, marched in small steps over the bilinear surface, counted per quadrant."""
    np.random.seed(seed)
    rows, columns = height.shape
    counts = np.zeros((4, rows, columns))
    top = height.max()
    for row in range(8, rows - 8):
        for col in range(8, columns - 8):
            norm = 1 / np.sqrt(1 + p[row, col] ** 2 + q[row, col] ** 2)
            n = np.array([-p[row, col] * norm, -q[row, col] * norm, norm])
            for _ in range(rays):
                g = np.random.normal(0.0, 1.0, 3)
                w = n + g / np.sqrt((g * g).sum())  # Lambert's law: normal plus a random unit vector
                w /= np.sqrt((w * w).sum())
                if w[2] <= 0.01:
                    continue
                x, y = w[0] / w[2] * distance, w[1] / w[2] * distance
                r = np.hypot(x, y)
                if r < inner or r > outer:
                    continue
                azimuth = np.arctan2(y, x)
                quadrant = int(np.round(azimuth / (np.pi / 2))) % 4
                off = azimuth - quadrant * np.pi / 2
                if abs((off + np.pi) % (2 * np.pi) - np.pi) > half_span:
                    continue
                flat = np.hypot(w[0], w[1])
                s, free = 0.25, True
                while free:
                    cx, ry, z = col + s * w[0] / flat, row - s * w[1] / flat, height[row, col] + s * w[2] / flat
                    if z > top or cx < 0 or ry < 0 or cx > columns - 1.001 or ry > rows - 1.001:
                        break
                    i, j = int(ry), int(cx)
                    a, b = ry - i, cx - j
                    there = (1 - a) * ((1 - b) * height[i, j] + b * height[i, j + 1]) + a * (
                        (1 - b) * height[i + 1, j] + b * height[i + 1, j + 1]
                    )
                    # Within the first pixel the tangent plane holds, not the facets beside it.
                    free = there <= z or s < 1.0
                    s += 0.25
                if free:
                    counts[quadrant, row, col] += 1
    return counts / rays


def test_shadows_agree_with_an_independent_ray_tracer() -> None:
    height = rough((40, 40), 1.0, 3) * 4.0  # root-mean-square slope 1.2: much of the field is shadowed
    down, right = np.gradient(height)
    rays = 1500
    traced = _trace(height, right, -down, rays, 1, 8.0, 2.0, 9.0, np.deg2rad(43.0))
    ours = render(height, FOUR, 64)
    inside = (slice(None), slice(8, 32), slice(8, 32))
    difference = (ours - traced)[inside]
    shot = np.sqrt(ours[inside] * (1 - ours[inside]) / rays)
    assert abs(difference.mean()) < 4 * shot.mean() / np.sqrt(difference.size) + 1e-3
    assert difference.std() == pytest.approx(np.sqrt((shot**2).mean()), rel=0.25)
    free = np.einsum(
        "ka,aij->kij", vectors(FOUR), np.stack([-right, down, np.ones_like(down)]) / np.sqrt(1 + right**2 + down**2)
    )
    assert (free[inside] - traced[inside]).std() > 1.5 * difference.std()  # without shadows it would not agree


def test_electrons_grey_values_gain_and_offset() -> None:
    segments = tuple(dataclasses.replace(s, gain=2.0, offset=100.0) for s in FOUR.quadrants)
    detector = dataclasses.replace(FOUR, quadrants=segments)
    params = Simulate(detector, 2.0, dose=400.0, grey_per_electron=3.0, seed=4, azimuths=16)
    made = simulate_step({"height": np.zeros((64, 64))}, params, SilentContext()).arrays["segments"]
    assert made.dtype == np.uint16
    electrons = (made.astype(float) - 100.0) / 6.0
    assert electrons.mean() == pytest.approx(400.0, rel=0.01)
    assert electrons.var() == pytest.approx(400.0, rel=0.06)
    again = simulate_step({"height": np.zeros((64, 64))}, params, SilentContext()).arrays["segments"]
    np.testing.assert_array_equal(made, again)


def test_without_dose_a_flat_has_the_signal_one() -> None:
    made = simulate_step({"height": np.zeros((16, 16))}, Simulate(FOUR, 2.0, azimuths=16), SilentContext()).arrays[
        "segments"
    ]
    np.testing.assert_allclose(made, 1.0, rtol=1e-3)


def test_subpixels_average_signals_and_the_probe_blurs_them() -> None:
    fine = vickers((128, 128), 1.0, 0)
    sharp = simulate_step({"height": fine}, Simulate(FOUR, 2.0, subpixels=2, azimuths=16), SilentContext()).arrays[
        "segments"
    ]
    whole = simulate_step({"height": fine}, Simulate(FOUR, 1.0, azimuths=16), SilentContext()).arrays["segments"]
    np.testing.assert_allclose(sharp, whole.reshape(4, 64, 2, 64, 2).mean(axis=(2, 4)), rtol=1e-5)
    wide = dataclasses.replace(FOUR, beam=Beam(15.0, 6.0))
    blurred = simulate_step({"height": fine}, Simulate(wide, 2.0, subpixels=2, azimuths=16), SilentContext()).arrays[
        "segments"
    ]
    assert np.abs(np.diff(blurred, axis=2)).max() < 0.8 * np.abs(np.diff(sharp, axis=2)).max()


@pytest.mark.parametrize("height", [np.full((8, 8), np.nan), np.zeros((3, 3, 3)), np.zeros((9, 8))])
def test_heights_that_cannot_be_rendered_are_refused(height: np.ndarray) -> None:
    with pytest.raises(EclipsError):
        simulate_step({"height": height}, Simulate(FOUR, 2.0, subpixels=2), SilentContext())


def test_it_compiles_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    # As numba does in a read-only installation without a home: no place offers itself.
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(plane)

    @compiled()
    def next_number(x: int) -> int:
        return x + 1

    assert next_number(2) == 3


@pytest.mark.parametrize(
    ("rho", "words"), [(np.ones((3, 3)), "does not belong to heights"), (np.full((24, 24), np.nan), "has gaps")]
)
def test_a_material_factor_that_does_not_fit_is_refused(rho: np.ndarray, words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        simulate_step({"height": plane(0.1, 0.0), "rho": rho}, Simulate(FOUR), SilentContext())


@pytest.mark.parametrize("bias", [None, Bias(-500.0, 0.0)], ids=["straight", "curved"])
def test_a_threshold_above_all_energies_says_so(bias: Bias | None) -> None:
    deaf = dataclasses.replace(FOUR, beam=Beam(15.0, 2.0), bias=bias, response=Response(16.0))
    with pytest.raises(EclipsError, match="threshold"):
        simulate_step({"height": plane(0.1, 0.0)}, Simulate(deaf, draft=True), SilentContext())
