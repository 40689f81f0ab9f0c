from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch

from eclips_app.engine.dct import dct2, dct_by_fft, idct2, idct_by_fft
from eclips_app.engine.integrators.least_squares import integrate
from eclips_app.engine.uncertainty import height_std

ROWS, COLUMNS = 96, 130


def hills() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height in pixels and its exact slopes; y runs against the rows."""
    row, x = np.mgrid[:ROWS, :COLUMNS].astype(float)
    height = 5 * np.sin(x / 19) * np.cos(row / 15) + 0.01 * x - 0.02 * row
    p = 5 / 19 * np.cos(x / 19) * np.cos(row / 15) + 0.01
    q = 5 / 15 * np.sin(x / 19) * np.sin(row / 15) + 0.02
    return height - height.mean(), p, q


def solve(p: np.ndarray, q: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    good = None if mask is None else torch.from_numpy(mask)
    return integrate(torch.from_numpy(p), torch.from_numpy(q), good)[0].numpy()


@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (33, 50)])
def test_transforms_equal_scipy(shape: tuple[int, int]) -> None:
    field = torch.from_numpy(np.random.default_rng(1).standard_normal(shape))
    expected = scipy.fft.dctn(field.numpy(), norm="ortho")
    np.testing.assert_allclose(dct_by_fft(dct_by_fft(field).T).T.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(idct_by_fft(dct_by_fft(field)).numpy(), field.numpy(), atol=1e-12)
    np.testing.assert_allclose(dct2(field.clone()).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(idct2(dct2(field.clone())).numpy(), field.numpy(), atol=1e-12)


def test_plane_is_exact_and_y_points_up() -> None:
    p, q = np.full((ROWS, COLUMNS), 0.25), np.full((ROWS, COLUMNS), -0.5)
    height = solve(p, q)
    np.testing.assert_allclose(np.diff(height, axis=1), 0.25, atol=1e-10)
    np.testing.assert_allclose(np.diff(height, axis=0), 0.5, atol=1e-10)
    assert abs(height.mean()) < 1e-10


def test_smooth_surface_to_fourth_order() -> None:
    height, p, q = hills()
    interior = np.abs(solve(p, q) - height)[4:-4, 4:-4]
    assert interior.max() < 2e-3  # 2e-4 of the relief; the border falls back to second order


def test_single_precision_is_enough() -> None:
    _, p, q = hills()
    np.testing.assert_allclose(solve(p.astype(np.float32), q.astype(np.float32)), solve(p, q), atol=2e-5)


def test_masked_integration_equals_dense_least_squares() -> None:
    rng = np.random.default_rng(3)
    rows, columns = 9, 11
    mask = rng.random((rows, columns)) > 0.15
    p, q = rng.standard_normal((2, rows, columns))
    number = np.arange(rows * columns).reshape(rows, columns)
    equations, right = [], []
    for a, value in ((number, p), (number.T, -q.T)):
        good = mask.ravel()[a]
        for i in range(a.shape[0]):
            for j in range(a.shape[1] - 1):
                if not (good[i, j] and good[i, j + 1]):
                    continue
                step = 0.5 * (value[i, j] + value[i, j + 1])
                if 0 < j < a.shape[1] - 2 and good[i, j - 1] and good[i, j + 2]:
                    step = (13 * (value[i, j] + value[i, j + 1]) - value[i, j - 1] - value[i, j + 2]) / 24
                row = np.zeros(rows * columns)
                row[a[i, j]], row[a[i, j + 1]] = -1, 1
                equations.append(row)
                right.append(step)
    dense = np.linalg.lstsq(np.array(equations), np.array(right), rcond=None)[0].reshape(rows, columns)
    ours = solve(np.where(mask, p, 0), np.where(mask, q, 0), mask)
    for ours_part, dense_part, joined in ((ours, dense, mask), (ours.T, dense.T, mask.T)):
        both = joined[:, 1:] & joined[:, :-1]
        np.testing.assert_allclose(np.diff(ours_part, axis=1)[both], np.diff(dense_part, axis=1)[both], atol=1e-3)


def test_hole_does_not_disturb_the_rest() -> None:
    height, p, q = hills()
    mask = np.ones((ROWS, COLUMNS), bool)
    mask[30:60, 40:80] = False
    ours = solve(np.where(mask, p, 0), np.where(mask, q, 0), mask)
    error = (ours - height)[mask]
    assert np.std(error) < 3e-3
    assert ours[~mask].min() > ours[29:61, 39:81].min() - 1e-9  # the membrane has no extremes of its own
    assert ours[~mask].max() < ours[29:61, 39:81].max() + 1e-9


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(5)
    p, q = (torch.from_numpy(rng.standard_normal((700, 611)).astype(np.float32)) for _ in range(2))
    mask = torch.from_numpy(rng.random((700, 611)) > 0.03)
    threads = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        plain, masked = integrate(p, q)[0], integrate(p * mask, q * mask, mask)[0]
        found.append((plain.numpy().tobytes(), masked.numpy().tobytes()))
    torch.set_num_threads(threads)
    assert found[0] == found[1]


def test_height_std_equals_the_scatter_of_integrated_noise() -> None:
    rng = np.random.default_rng(0)
    draws = np.stack([solve(*rng.standard_normal((2, 48, 64))) for _ in range(300)])
    ratio = draws.std(axis=0) / height_std((48, 64))
    assert abs(ratio.mean() - 1) < 0.03
    assert abs(ratio[0].mean() - 1) < 0.08  # on the border, too


def test_height_std_of_a_large_field_has_its_known_size() -> None:
    # About one pixel times the slope noise in the middle of 1024 x 1024, growing with the logarithm of the size.
    assert height_std((1024, 1024))[512, 512] == pytest.approx(1.01, abs=0.01)
