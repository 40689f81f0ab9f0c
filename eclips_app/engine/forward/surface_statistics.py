"""Statistics of a surface on which its shadows depend: structure function, mean square slope and relief."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates

from eclips_app.core.errors import EclipsError

Float = NDArray[np.float64]

_AZIMUTHS = 16
_EDGE_PX = 1024  #: statistics are taken from the middle of larger maps
_SAMPLES = 4  #: distances per pixel


@dataclass(frozen=True)
class SurfaceStatistics:
    """Statistics of the second order, along azimuths.

    Attributes
    ----------
    lag_nm : array [s]
        Distances, evenly spaced from 0.
    structure_nm2 : array [f, s]
        Structure function ``<(h(x + s) - h(x))^2>`` after removing the mean plane, in evenly spaced azimuths; beyond the last
        distance it is taken as constant.
    mean_slope : array [f]
        Slope of the mean plane along each azimuth.
    mean_square_slope : array [f]
        Mean square of the slope along each azimuth, without the mean plane.
    rms_height_nm : float
        Standard deviation of the heights without the mean plane.
    relief_nm : float
        Highest less lowest height.
    """

    lag_nm: Float
    structure_nm2: Float
    mean_slope: Float
    mean_square_slope: Float
    rms_height_nm: float
    relief_nm: float

    @property
    def rms_slope(self) -> float:
        """Root mean square of the gradient without the mean plane."""
        return float(np.sqrt(2.0 * self.mean_square_slope.mean()))

    @property
    def correlation_length_nm(self) -> float:
        """Distance at which the autocorrelation falls to 1/e; the largest distance known if it does not."""
        if self.rms_height_nm <= 0.0:
            return 0.0
        autocorrelation = 1.0 - self.structure_nm2.mean(axis=0) / (2.0 * self.rms_height_nm**2)
        below = np.flatnonzero(autocorrelation <= np.exp(-1.0))
        return float(self.lag_nm[below[0] if below.size else -1])


def surface_statistics(
    height: NDArray[Any], pixel_size_nm: float, check: Callable[[], None] = lambda: None
) -> SurfaceStatistics:
    """Measure the statistics of a height map (nm), for distances up to a half of its smaller edge.

    `check` is called now and then and may raise to stop.
    """
    if height.ndim != 2 or min(height.shape) < 16:
        raise EclipsError(
            f"a height map of shape {height.shape} has no statistics", hint="Give 16 x 16 pixels or more."
        )
    if not np.isfinite(height).all():
        raise EclipsError("the height map has gaps", hint="Fill them first.")
    relief = float(np.ptp(height))
    middle = _middle(np.asarray(height, dtype=np.float64) / pixel_size_nm)
    level, (right, up) = _levelled(middle)
    reach = min(middle.shape) // 2
    structure = _structure_map(level, reach, check)
    azimuth = np.arange(_AZIMUTHS) * (2 * np.pi / _AZIMUTHS)
    cosine, sine = np.cos(azimuth), np.sin(azimuth)
    along_x, along_y = structure[reach, reach + 1], structure[reach + 1, reach]
    both = (structure[reach - 1, reach + 1] - structure[reach + 1, reach + 1]) / 4  # rows go down, y up
    lags = np.arange((reach - 1) * _SAMPLES) / _SAMPLES
    check()
    places = reach - lags * sine[:, None], reach + lags * cosine[:, None]
    profiles = np.maximum(map_coordinates(structure, places, order=3, mode="nearest"), 0.0)
    profiles[:, 0] = 0.0
    return SurfaceStatistics(
        lags * pixel_size_nm,
        profiles * pixel_size_nm**2,
        right * cosine + up * sine,
        along_x * cosine**2 + along_y * sine**2 + 2 * both * cosine * sine,
        float(level.std()) * pixel_size_nm,
        relief,
    )


def gaussian_statistics(rms_height_nm: float, correlation_length_nm: float, relief_nm: float) -> SurfaceStatistics:
    """Give the statistics of an isotropic surface with the autocorrelation ``exp(-(s / correlation length)^2)``."""
    lag = np.linspace(0.0, 5.0, 201) * correlation_length_nm
    structure = 2 * rms_height_nm**2 * -np.expm1(-((lag / correlation_length_nm) ** 2))
    square = 2 * (rms_height_nm / correlation_length_nm) ** 2
    return SurfaceStatistics(lag, structure[None], np.zeros(1), np.full(1, square), rms_height_nm, relief_nm)


def _middle(height: Float) -> Float:
    rows, columns = (max(0, (size - _EDGE_PX) // 2) for size in height.shape)
    return height[rows : height.shape[0] - rows, columns : height.shape[1] - columns]


def _levelled(height: Float) -> tuple[Float, tuple[float, float]]:
    """Remove the mean plane; gives also its slopes to the right and upward."""
    rows, columns = height.shape
    down, right = np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2
    along_down = float(down @ height.mean(axis=1) / (down @ down))
    along_right = float(height.mean(axis=0) @ right / (right @ right))
    return height - height.mean() - along_down * down[:, None] - along_right * right, (along_right, -along_down)


def _structure_map(height: Float, reach: int, check: Callable[[], None]) -> Float:
    """Mean of ``(h(x + d) - h(x))^2`` over all pairs in the field, for d up to `reach` rows and columns each way."""
    shape = [fft.next_fast_len(size + reach, real=True) for size in height.shape]
    waves = fft.rfft2(height, s=shape)
    check()
    power = fft.irfft2(waves.real**2 + waves.imag**2, s=shape)
    check()
    lags = np.arange(-reach, reach + 1)
    rows, columns = height.shape
    pairs = (rows - np.abs(lags))[:, None] * (columns - np.abs(lags))
    # Sums of squares over the points that have a partner at +d and at -d: corners of the cumulated sum.
    total = np.zeros((rows + 1, columns + 1))
    np.cumsum(np.cumsum(height**2, axis=0), axis=1, out=total[1:, 1:])
    top, bottom = np.maximum(-lags, 0)[:, None], np.minimum(rows - lags, rows)[:, None]
    left, right = np.maximum(-lags, 0), np.minimum(columns - lags, columns)
    squares = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
    sums = squares + squares[::-1, ::-1] - 2 * power[np.ix_(lags, lags)]
    return np.asarray(np.maximum(sums / pairs, 0.0))
