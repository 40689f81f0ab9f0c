"""Specimens to train on: the program's synthetic surfaces with random parameters, mixed, roughened, smoothed and binned.

All lengths are in pixels: neither slopes nor horizons know any other. A specimen is fixed by its seed and index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.errors import EclipsError
from eclips_app.engine.surfaces import KINDS
from eclips_app.engine.surfaces.grid import no_check

Float = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], dict[str, float]]

_STEEPEST_DEG = 75.0
_SOLID = ("steps", "particles", "pits", "grating", "spiral", "vickers", "sphere")  #: kinds of faces and caps
_LEAST_SLOPE, _MOST_SLOPE = 0.1, 0.9  #: root mean square to which maps of AFM are stretched


@dataclass(frozen=True)
class Recipe:
    """What specimens are drawn from.

    Attributes
    ----------
    size : int
        Pixels along each edge.
    seed : int
        Training and judging take different ones.
    maps : sequence of arrays
        Measured height maps in pixels, of which `map_share` of the specimens are pieces.
    largest_scale : float
        Features are up to so many times larger.
    noise_share : float
        Part of the synthetic specimens that has the noise of measured maps.
    """

    size: int = 96
    seed: int = 0
    maps: Sequence[Float] = ()
    map_share: float = 0.3
    largest_scale: float = 1.0
    noise_share: float = 0.3

    def words(self) -> str:
        """Say what the specimens are."""
        larger = f", features up to {self.largest_scale:g} times as large" if self.largest_scale > 1.0 else ""
        measured = f"; {100 * self.map_share:.0f} % pieces of {len(self.maps)} measured maps" if self.maps else ""
        return (
            f"{self.size} x {self.size} px: self-affine roughness, {', '.join(_SOLID)} with random sizes and faces up to "
            f"{_STEEPEST_DEG:.0f}°, a third of them two surfaces combined, half with added roughness, half smoothed, "
            f"{100 * self.noise_share:.0f} % with noise of pixels and lines, a quarter binned from twice the "
            f"pixels{larger}{measured}; seed {self.seed}"
        )


def specimen(recipe: Recipe, index: int) -> Float:
    """Give the heights of a specimen in pixels, [size, size]."""
    rng = np.random.default_rng((recipe.seed, index))
    if recipe.maps and rng.random() < recipe.map_share:
        height = _piece(recipe.maps[int(rng.integers(len(recipe.maps)))], recipe.size, rng)
    else:
        binned = 2 if rng.random() < 0.25 else 1
        height = _mixture(recipe, recipe.size * binned, rng)
        if binned == 2:  # a pixel of a measured map is a mean over its area
            height = height.reshape(recipe.size, 2, recipe.size, 2).mean(axis=(1, 3)) / 2.0
    return np.array(np.rot90(height, int(rng.integers(4))), dtype=np.float64)


def split_files(names: Sequence[str], held_out_share: float = 0.25, seed: int = 0) -> tuple[list[str], list[str]]:
    """Split files into those to train on and those to judge by; no file is in both.

    Raises
    ------
    EclipsError
        There are fewer than two.
    """
    if len(names) < 2:
        raise EclipsError("one height map cannot be split into training and judging", hint="Give two files or more.")
    ordered = [str(name) for name in np.random.default_rng(seed).permutation(sorted(names))]
    count = min(max(1, round(held_out_share * len(ordered))), len(ordered) - 1)
    return ordered[count:], ordered[:count]


def _mixture(recipe: Recipe, size: int, rng: np.random.Generator) -> Float:
    scale = recipe.largest_scale ** rng.random() if recipe.largest_scale > 1.0 else 1.0
    height = _one(size, scale, rng)
    if rng.random() < 0.33:
        other, way = _one(size, scale, rng), rng.integers(3)
        level = rng.normal(0.0, 3.0 * scale) + np.median(height) - np.median(other)
        combine = (np.maximum, np.minimum, np.add)[way]
        height = combine(height, other + (level if way < 2 else 0.0))
    if rng.random() < 0.5:  # roughness on everything, as measured surfaces have
        slope = 10.0 ** rng.uniform(-2.0, -0.7)
        height = height + _rough(size, scale, rng, slope)
    if rng.random() < 0.5:
        height = ndimage.gaussian_filter(height, 10.0 ** rng.uniform(-0.4, 0.4))
    if rng.random() < recipe.noise_share:
        height = height + _noise(size, rng)
    return np.asarray(height, dtype=np.float64)


def _noise(size: int, rng: np.random.Generator) -> Float:
    """Give noise as maps of AFM have it: independent from pixel to pixel, and from line to line."""
    pixels, lines = 10.0 ** rng.uniform(-2.0, -0.5, 2)
    found: Float = pixels * rng.standard_normal((size, size)) + lines * rng.standard_normal((size, 1))
    return found


def _one(size: int, scale: float, rng: np.random.Generator) -> Float:
    """Draw one surface; its unit of length is `scale` samples."""
    if rng.random() < 0.3:
        return _rough(size, scale, rng, rng.uniform(0.15, 1.0))
    kind = _SOLID[rng.integers(len(_SOLID))]
    wide = size + size // 2  # so that a random part of it is seen
    seed, edge = int(rng.integers(1 << 31)), round(wide / scale)
    made = KINDS[kind]((wide, wide), 1.0 / scale, seed, no_check, **_DRAWS[kind](rng, edge)) * scale
    row, col = rng.integers(wide - size + 1, size=2)
    return made[row : row + size, col : col + size]


def _rough(size: int, scale: float, rng: np.random.Generator, rms_slope: float) -> Float:
    given = {
        "rms_slope": rms_slope, "hurst": rng.uniform(0.3, 1.0), "cutoff_nm": rng.uniform(2.0, 10.0),
        "longest_nm": rng.uniform(16.0, 2.0 * max(size / scale, 16.0)),
    }  # fmt: skip
    return KINDS["rough"]((size, size), 1.0 / scale, int(rng.integers(1 << 31)), no_check, **given) * scale


def _angle(rng: np.random.Generator) -> float:
    return float(rng.uniform(10.0, _STEEPEST_DEG))


def _steps(rng: np.random.Generator, size: int) -> dict[str, float]:
    return {
        "step_height_nm": rng.uniform(1.0, 14.0), "terrace_nm": rng.uniform(4.0, 40.0), "slope_angle_deg": _angle(rng),
        "azimuth_deg": rng.uniform(0.0, 360.0), "spread": rng.uniform(0.0, 0.8),
    }  # fmt: skip


def _spots(rng: np.random.Generator, size: int) -> int:
    return int(rng.integers(2, 3 + size * size // 700))


def _particles(rng: np.random.Generator, size: int) -> dict[str, float]:
    return {
        "radius_nm": rng.uniform(3.0, 24.0), "spread": rng.uniform(0.0, 0.8), "count": _spots(rng, size),
        "slope_angle_deg": _angle(rng), "rms_slope": rng.uniform(0.0, 0.1),
    }  # fmt: skip


def _pits(rng: np.random.Generator, size: int) -> dict[str, float]:
    return {
        "width_nm": rng.uniform(6.0, 50.0), "depth_nm": rng.uniform(2.0, 16.0), "spread": rng.uniform(0.0, 0.8),
        "count": _spots(rng, size), "slope_angle_deg": _angle(rng), "azimuth_deg": rng.uniform(0.0, 90.0),
        "rms_slope": rng.uniform(0.0, 0.1),
    }  # fmt: skip


def _grating(rng: np.random.Generator, size: int) -> dict[str, float]:
    return {
        "step_height_nm": rng.uniform(2.0, 16.0), "pitch_nm": rng.uniform(10.0, 80.0), "line_share": rng.uniform(0.25, 0.75),
        "slope_angle_deg": _angle(rng), "azimuth_deg": rng.uniform(0.0, 360.0),
    }  # fmt: skip


def _spiral(rng: np.random.Generator, size: int) -> dict[str, float]:
    angle = _angle(rng)
    rise = rng.uniform(1.0, 12.0)
    run = rise / np.tan(np.deg2rad(angle))  # the face fits into the pitch
    return {"step_height_nm": rise, "pitch_nm": run + rng.uniform(5.0, 50.0), "slope_angle_deg": angle}


def _vickers(rng: np.random.Generator, size: int) -> dict[str, float]:
    return {
        "width_nm": rng.uniform(0.2, 0.8) * size, "slope_angle_deg": rng.uniform(10.0, 60.0),
        "azimuth_deg": rng.uniform(0.0, 90.0), "rms_slope": rng.uniform(0.0, 0.1),
    }  # fmt: skip


def _sphere(rng: np.random.Generator, size: int) -> dict[str, float]:
    angle = _angle(rng)
    return {"radius_nm": rng.uniform(0.1, 0.4) * size / np.sin(np.deg2rad(angle)), "slope_angle_deg": angle}


_DRAWS: dict[str, Draw] = {
    "steps": _steps, "particles": _particles, "pits": _pits, "grating": _grating, "spiral": _spiral, "vickers": _vickers,
    "sphere": _sphere,
}  # fmt: skip


def _piece(heights_px: Float, size: int, rng: np.random.Generator) -> Float:
    """Give a random piece of a measured map, at a random scale, turned and stretched to a random slope."""
    scale = rng.uniform(0.5, 1.0) if min(heights_px.shape) >= size else min(heights_px.shape) / size
    rows = max(8, round(size * scale))
    row, col = (int(rng.integers(n - rows + 1)) for n in heights_px.shape)
    part = heights_px[row : row + rows, col : col + rows]
    zoomed = ndimage.zoom(part, size / rows, order=3, mode="nearest", grid_mode=True)
    tilt = np.gradient(zoomed.mean(1)).mean() * np.arange(size)[:, None] + np.gradient(
        zoomed.mean(0)
    ).mean() * np.arange(size)
    zoomed = zoomed - tilt  # of the specimen in the microscope, not of the surface
    down, right = np.gradient(zoomed)
    slope = float(np.sqrt((down**2 + right**2).mean()))
    stretch = rng.uniform(_LEAST_SLOPE, _MOST_SLOPE) / slope if slope > 1e-9 else 1.0
    return np.asarray((zoomed - zoomed.mean()) * stretch)
