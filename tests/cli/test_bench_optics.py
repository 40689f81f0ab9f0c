from __future__ import annotations

import os

import numpy as np
import pytest

from eclips_app.cli import bench_optics


def test_attraction_widens_what_the_detector_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_optics, "_BIASES_V", (0.0, -1500.0))
    straight, biased = bench_optics._bias().rows
    np.testing.assert_allclose(straight[1:3], np.rad2deg(np.arctan([2 / 8, 9 / 8])), atol=1e-6)
    assert straight[1] < biased[1] < biased[2]
    assert straight[2] + 2 < biased[2]
    assert straight[3] < biased[3] < 1
    assert straight[5] == pytest.approx(-3.125, abs=0.01)


def test_cache_of_the_user_is_left_alone() -> None:
    before = os.environ.get("ECLIPS_CACHE")
    with bench_optics._empty_cache():
        assert os.environ["ECLIPS_CACHE"] != before
    assert os.environ.get("ECLIPS_CACHE") == before
