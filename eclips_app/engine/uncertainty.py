"""Standard deviation of a height map from white slope noise, in closed form.

In the cosine basis ``Cov(h) = Phi diag(N / lambda^2) Phi'`` with the noise power N of the increments' divergence and the
Laplacian's eigenvalues lambda. The variance of each pixel is a sum of products of a row and a column factor; it is smooth,
so it is evaluated on a few rows and columns, closer together at the borders, and interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.dct import eigenvalues, nothing, rings

_BAND = 256


def height_std(
    shape: tuple[int, int],
    slope_std: float = 1.0,
    check: Callable[[], None] = nothing,
    error_share: Sequence[float] = (),
) -> NDArray[np.float32]:
    """Give the standard deviation [row, col] of the height in pixels about its mean over the field.

    Parameters
    ----------
    shape : tuple
        Rows and columns.
    slope_std : float
        Standard deviation of the noise of each slope (dh/dx and dh/dy, equal, white, independent).
    check : callable
        Called several times a second; may raise to stop.
    error_share : sequence of float
        Variance of the error in each ring of spatial frequency (`rings`) in units of that of least squares, from an integrator
        that shrinks all but the mean plane; empty: least squares.
    """
    rows, columns = _samples(shape[0]), _samples(shape[1])
    row_basis, column_basis = _squared_basis(shape[0], rows), _squared_basis(shape[1], columns)
    row_lambda, column_lambda = eigenvalues(shape[0]), eigenvalues(shape[1])
    row_power, column_power = noise_power(shape[0]), noise_power(shape[1])
    variance = np.zeros((rows.size, columns.size))
    for a in range(0, shape[0], _BAND):
        check()
        band = slice(a, a + _BAND)
        total = row_lambda[band, None] + column_lambda
        if a == 0:
            total[0, 0] = np.inf
        spectrum = (row_power[band, None] + column_power) / total**2
        if error_share:
            spectrum *= np.asarray(error_share)[rings(shape, slice(a, min(a + _BAND, shape[0])))]
        # Products by einsum: its sums run in a fixed order, whatever the number of threads.
        variance += np.einsum("ri,ic->rc", row_basis[:, band], np.einsum("ij,cj->ic", spectrum, column_basis))
    if error_share:
        away = [each - 0.5 * (count - 1) for each, count in ((rows, shape[0]), (columns, shape[1]))]
        variance += (away[0][:, None] ** 2 + away[1] ** 2) / (shape[0] * shape[1])  # of the means of the slopes
    coarse = slope_std * np.sqrt(variance)
    along = np.stack([np.interp(np.arange(shape[1]), columns, line) for line in coarse])
    return _interpolate_rows(along, rows, shape[0]).astype(np.float32)


def _interpolate_rows(values: NDArray[np.float64], at: NDArray[np.intp], count: int) -> NDArray[np.float32]:
    out = np.empty((count, values.shape[1]), np.float32)
    upper = np.clip(np.searchsorted(at, np.arange(count), side="right"), 1, at.size - 1)
    part = (np.arange(count) - at[upper - 1]) / (at[upper] - at[upper - 1])
    for row, (u, f) in enumerate(zip(upper, part, strict=True)):
        out[row] = (1 - f) * values[u - 1] + f * values[u]
    return out


def _samples(count: int) -> NDArray[np.intp]:
    """Positions that grow apart by a quarter from both borders toward the middle."""
    near, step = [0], 1.0
    while near[-1] < count // 2:
        near.append(min(count // 2, near[-1] + int(step)))
        step *= 1.25
    found = np.array(near)
    return np.unique(np.concatenate([found, count - 1 - found]))


def _squared_basis(count: int, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """Squares of the orthonormal cosine basis functions [sample, mode]."""
    basis = 2.0 / count * np.cos(np.pi * np.outer(at + 0.5, np.arange(count)) / count) ** 2
    basis[:, 0] = 1.0 / count
    return basis


def noise_power(count: int) -> NDArray[np.float64]:
    """Power of the divergence of fourth-order increments for slope noise of variance one, per mode."""
    w = np.pi * np.arange(count) / count
    response = (26 * np.cos(w / 2) - 2 * np.cos(3 * w / 2)) / 24
    power: NDArray[np.float64] = (2 * np.sin(w / 2) * response) ** 2
    return power
