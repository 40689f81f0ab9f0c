"""Height maps on square pixels of one size, levelled, without holes: what all parts of a registration work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_TUKEY = 4.685  #: 95 % efficient for normal errors
_MAD = 1.4826  #: from the median of absolute values to a normal standard deviation


@dataclass(frozen=True, eq=False)
class Grid:
    """Heights in nm on square pixels; the frame's origin is the array's middle, x right and y up, in nm."""

    heights: Floats  #: [row, col]; finite everywhere, smoothly continued where not `known`
    known: Bools
    pixel_nm: float

    @property
    def size_nm(self) -> tuple[float, float]:
        """Width and height of the field."""
        rows, columns = self.heights.shape
        return columns * self.pixel_nm, rows * self.pixel_nm

    def places(self) -> tuple[Floats, Floats]:
        """Give x and y of all pixels, [row, col] each, in nm."""
        rows, columns = self.heights.shape
        x = (np.arange(columns) - (columns - 1) / 2) * self.pixel_nm
        y = ((rows - 1) / 2 - np.arange(rows)) * self.pixel_nm
        return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))

    def index(self, x: Floats, y: Floats) -> Floats:
        """Give the (row, column) of points in nm, stacked as `scipy.ndimage.map_coordinates` takes them."""
        rows, columns = self.heights.shape
        return np.stack([(rows - 1) / 2 - y / self.pixel_nm, (columns - 1) / 2 + x / self.pixel_nm])


def resampled(height: NDArray[np.floating], pixel_nm: tuple[float, float], to_nm: float, blur_px: float = 0.0) -> Grid:
    """Bring a map [row, col] with NaN at holes to square pixels of `to_nm`.

    It is blurred to the bandwidth of the new pixels first: by a Gaussian of half their size, less what the old pixels average
    already, and by `blur_px` new pixels on top.
    """
    known = np.isfinite(height)
    sigma = [
        float(np.sqrt(max((to_nm / size) ** 2 - 1.0, 0.0) * 0.25 + (blur_px * to_nm / size) ** 2))
        for size in reversed(pixel_nm)
    ]
    middle = float(np.median(height[known]))
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode="nearest")
    values = ndimage.gaussian_filter(np.where(known, height - middle, 0.0), sigma, mode="nearest")
    smooth = filled(values / np.maximum(weight, 1e-6), weight > 1e-3) + middle
    shape = [max(int(n * size / to_nm + 1e-6), 2) for n, size in zip(height.shape, reversed(pixel_nm), strict=True)]
    at = np.meshgrid(
        *((np.arange(new) - (new - 1) / 2) * to_nm / size + (n - 1) / 2
          for new, n, size in zip(shape, height.shape, reversed(pixel_nm), strict=True)),
        indexing="ij",
    )  # fmt: skip
    heights = ndimage.map_coordinates(smooth, at, order=3, mode="nearest")
    there = ndimage.map_coordinates(known.astype(np.float64), at, order=1, mode="nearest") > 0.99
    return Grid(heights, there, to_nm)


def filled(values: Floats, known: Bools) -> Floats:
    """Continue an array into its holes by the nearest known value."""
    if known.all():
        return values
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    continued: Floats = values[tuple(nearest)]
    return continued


def robust_plane(x: Floats, y: Floats, z: Floats, iterations: int = 8) -> Floats:
    """Fit ``z = c0 + c1 x + c2 y`` with Tukey's weights [Huber & Ronchetti, Robust Statistics (2009), 4.8]; gives c [3]."""
    size = max(float(np.abs(x).max()), float(np.abs(y).max()), 1e-300)
    design = np.stack([np.ones_like(x), x / size, y / size], axis=1)
    weight: Floats = np.ones_like(z)
    coefficients: Floats = np.zeros(3)
    for _ in range(iterations):
        weighted = design * weight[:, None]
        coefficients = np.asarray(np.linalg.lstsq(weighted.T @ design, weighted.T @ z, rcond=None)[0], np.float64)
        residual = z - design @ coefficients
        weight = tukey_weights(residual, robust_sigma(residual))
    return coefficients / [1.0, size, size]


def robust_sigma(residual: Floats) -> float:
    """Give the standard deviation that the median of absolute residuals tells of normal ones."""
    return _MAD * float(np.median(np.abs(residual)))


def tukey_weights(residual: Floats, sigma: float) -> Floats:
    """Give Tukey's weights of residuals for a standard deviation."""
    if sigma <= 0:
        return np.ones_like(residual)
    inside: Floats = np.clip(1.0 - (residual / (_TUKEY * sigma)) ** 2, 0.0, None)
    return inside * inside


def tukey_cost(residual: Floats, sigma: float) -> float:
    """Give the mean of Tukey's loss: the square of small residuals, the same for all beyond 4.685 standard deviations."""
    if sigma <= 0:
        return float(np.mean(residual**2))
    inside = np.clip(1.0 - (residual / (_TUKEY * sigma)) ** 2, 0.0, None)
    return float(np.mean(1.0 - inside**3)) * (_TUKEY * sigma) ** 2 / 3.0


def levelled(grid: Grid) -> Grid:
    """Take out the plane of a robust fit."""
    x, y = grid.places()
    every = max(1, int(np.sqrt(grid.known.sum() / 20_000)))
    some = np.zeros_like(grid.known)
    some[::every, ::every] = True
    some &= grid.known
    c = robust_plane(x[some], y[some], grid.heights[some])
    return Grid(grid.heights - (c[0] + c[1] * x + c[2] * y), grid.known, grid.pixel_nm)


def high_passed(grid: Grid, cutoff_nm: float) -> Grid:
    """Take out what is smoother than a Gaussian of standard deviation `cutoff_nm`; holes have height 0."""
    sigma = cutoff_nm / grid.pixel_nm
    weight = grid.known.astype(np.float64)
    low = ndimage.gaussian_filter(grid.heights * weight, sigma, mode="constant", truncate=3.0)
    low /= np.maximum(ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3.0), 1e-3)
    return Grid(np.where(grid.known, grid.heights - low, 0.0), grid.known, grid.pixel_nm)


def steepness(grid: Grid) -> Grid:
    """Give the magnitude of the slope, less its median; 0 at holes and where a neighbour is missing."""
    down, right = np.gradient(grid.heights, grid.pixel_nm)
    known = ndimage.binary_erosion(grid.known, np.ones((3, 3), bool), border_value=1)
    steep = np.hypot(down, right)
    middle = float(np.median(steep[known])) if known.any() else 0.0
    return Grid(np.where(known, steep - middle, 0.0), known, grid.pixel_nm)


def clipped(grid: Grid) -> Grid:
    """Bring the heights to the range of +-1, where 1 is the 99th percentile of their magnitude; rare spikes are cut."""
    there = np.abs(grid.heights[grid.known])
    top = float(np.percentile(there, 99)) if there.size else 0.0
    return Grid(np.clip(grid.heights / (top or 1.0), -1.0, 1.0), grid.known, grid.pixel_nm)


def correlation_area_px(first: Grid, second: Grid) -> float:
    """Give how many pixels of two fields count as one when they are correlated.

    The sum over all lags of the product of both autocorrelations [Bartlett, J. R. Stat. Soc. 98 (1935) 536; for fields
    Clifford, Richardson & Hemon, Biometrics 45 (1989) 123], each up to the lag where it first falls below 0.05.
    """
    radius = min(*first.heights.shape, *second.heights.shape) // 2
    product = np.prod([autocorrelation(grid, radius) for grid in (first, second)], axis=0)
    return max(float(product.sum()), 1.0)


def autocorrelation(grid: Grid, radius: int) -> Floats:
    """Give the autocorrelation [2 radius + 1, 2 radius + 1] of a field without its mean; 0 beyond its first fall."""
    from scipy import fft

    there = grid.known.astype(np.float64)
    mean = float((grid.heights * there).sum() / max(there.sum(), 1))
    values = (grid.heights - mean) * there
    shape = [fft.next_fast_len(n + radius + 1, real=True) for n in values.shape]
    product = fft.irfft2(np.abs(fft.rfft2(values, shape)) ** 2, shape)
    pairs = fft.irfft2(np.abs(fft.rfft2(there, shape)) ** 2, shape)
    found = product / np.maximum(pairs, 1.0)
    found = np.roll(found, (radius, radius), (0, 1))[: 2 * radius + 1, : 2 * radius + 1]
    found /= max(found[radius, radius], 1e-300)
    labels, _ = ndimage.label(found > 0.05)
    return np.where(labels == labels[radius, radius], found, 0.0)


def correlation_length(residual: Floats) -> float:
    """Give the lag in pixels at which the correlation of differences [row, col] with NaN falls below 0.2, at least 1."""
    values = residual - np.nanmean(residual)
    variance = float(np.nanmean(values**2))
    if not variance > 0:
        return 1.0
    longest = min(values.shape) // 3
    for lag in range(1, longest):
        along = np.nanmean(values[:, lag:] * values[:, :-lag]), np.nanmean(values[lag:] * values[:-lag])
        if max(along) < 0.2 * variance:
            return float(lag)
    return float(max(longest, 1))
