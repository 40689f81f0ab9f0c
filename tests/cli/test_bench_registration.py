"""The benchmark of registrations: its pairs are what they say, and it tells when the real maps are absent."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from eclips_app.cli import bench_registration as bench
from eclips_app.cli import bench_registration_coverage as coverage
from eclips_app.core.context import SilentContext
from eclips_app.metrology.registration.pose import Pose


@pytest.fixture(scope="module")
def height():
    return 5 * ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(160, 160)), 4.0)


def test_without_the_maps_there_is_a_note(tmp_path):
    (table,) = bench.tables(tmp_path, SilentContext(), quick=True, seed=1)
    assert "are not in" in table.notes[0]


def test_pairs_are_within_the_bounds_and_the_same_for_a_seed(height):
    pair = bench.make_pair("a", height, 2.0, np.random.default_rng(4))
    again = bench.make_pair("a", height, 2.0, np.random.default_rng(4))
    np.testing.assert_array_equal(pair.placed, again.placed)
    assert abs(pair.truth.rotation_deg) <= 20
    assert 1 / 1.2 <= pair.truth.scale <= 1.2
    assert np.abs(pair.truth.shift_nm).max() <= 0.3 * 160 * 2.0
    assert np.abs(pair.truth.drift_nm).max() > 0
    truth = SimpleNamespace(pose=pair.truth)
    assert bench.position_error_px(pair, truth) == pytest.approx(0, abs=1e-9)
    off = SimpleNamespace(pose=replace(pair.truth, shift_nm=pair.truth.shift_nm + np.array([3.0, 4.0])))
    assert bench.position_error_px(pair, off) == pytest.approx(2.5)


def test_a_scan_sees_the_surface_where_its_pose_says(height):
    pair = bench.make_pair("a", height, 2.0, np.random.default_rng(4))
    frames = replace(pair.frames, map_shape=(40, 40), map_pixel_nm=(2.0, 2.0), image_shape=(160, 160))
    seen = bench.scanned(height, 2.0, (0, 0), Pose.similar(20.0, -10.0, 0.0), frames)
    expected = height[65:105, 70:110]  # 10 pixels right and 5 down of the middle
    assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.999


def test_the_coverage_table_counts_draws(tmp_path, height):
    folder = tmp_path / "cases" / "steps46"
    folder.mkdir(parents=True)
    np.savez(folder / "truth.npz", height=6 * height)
    table = coverage.table(tmp_path, 1, 0)
    assert [row[1] for row in table.rows] == ["affine", "affine", "drift"]
    assert all(0 < row[6] < 5 for row in table.rows)
