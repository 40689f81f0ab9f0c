from __future__ import annotations

import numpy as np

from eclips_app.cli.bench_cases import between_pixels
from eclips_app.engine.forward.measure import derivative_errors, speed


def test_between_pixels_facets_are_found_again() -> None:
    # Terraces with faces of 45 degrees, whose edges lie anywhere between the pixels.
    place = (np.arange(64) + 0.5) / 2
    fine = sum(np.clip(place - edge, 0.0, 2.7) for edge in (4.3, 11.1, 19.8, 27.4))
    height = np.broadcast_to(fine, (48, 64)) + 0.2 * place[None, :48].T
    means = height.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    found = between_pixels(means)
    np.testing.assert_allclose(found.reshape(24, 2, 32, 2).mean(axis=(1, 3)), means, atol=1e-3)
    assert np.abs(found - height).max() < 0.02


def test_what_the_benchmark_measures_is_there() -> None:
    assert speed("steps", 64, 8)["adjoint_cpu_s"] >= 0
    for errors in derivative_errors(size=24, places=20).values():
        assert errors["largest"] < 1e-6
        assert errors["left_out"] < 0.3
