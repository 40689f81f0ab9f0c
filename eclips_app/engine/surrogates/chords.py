"""Chords: the steepest straight lines from each pixel to the surface near it, in each azimuth, from slopes alone.

A chord needs the difference of two heights, and slopes have none. Heights are split as ``h = (h - G * h) + G * h``, G a
Gaussian: the first part follows from the slopes about the pixel by a fixed filter, the second is smooth, so that the sum of
its slopes ``G * grad h`` along the ray is exact enough. Nothing is integrated over the field, and no path is preferred.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

_SIGMA = 6  #: standard deviation of the Gaussian in px
_GAUSSIAN_REACH = 3 * _SIGMA
#: Heights of neighbouring pixels are known to each other only by detours: central differences skip one.
_FILTER_REACH = 24
#: Weight of curvature against slope: where central differences see nothing, heights are taken as smooth.
_ROUGHNESS = 1e-3
_SAMPLES = 256  #: of the spectrum that the filter is made from
_RANGES = ((1, 2, 3, 4), (5, 6, 8, 10, 12), (14, 16, 20, 24, 28, 32))  #: pixels along the longer axis, near to far

RANGES = len(_RANGES)
CHORDS_PX = _RANGES[-1][-1]  #: longest chord, along the longer axis
REACH_PX = CHORDS_PX + 1 + _FILTER_REACH  #: how far what a pixel gets depends on its surroundings


class Chords(nn.Module):
    """Slopes (right, up) [n, 2, row, col] in, slopes of chords [n, range, azimuth, row, col] out.

    Beyond the border all is level. `directions` [2, a] are cosine (right) and sine (up) of the azimuths.
    """

    filter: Tensor
    gaussian: Tensor

    def __init__(self, directions: NDArray[np.float64]) -> None:
        super().__init__()
        self._directions = [(float(right), float(up)) for right, up in directions.T]
        self.register_buffer("filter", _filter(), persistent=False)
        self.register_buffer("gaussian", _gaussian(), persistent=False)

    def forward(self, slopes: Tensor) -> Tensor:
        """Give the steepest chords of each range of distances; differentiable."""
        return self.with_relief(slopes)[1]

    def with_relief(self, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Give the heights above their surroundings [n, 1, row, col] in pixels, and the chords."""
        edge, around = CHORDS_PX + 1, F.pad(slopes, (REACH_PX,) * 4)
        relief = F.conv2d(around, self.filter.to(around))[:, 0]
        smooth = self._smooth(around)
        found = []
        for direction in self._directions:
            if torch.is_grad_enabled() and slopes.requires_grad:  # what lies on the rays would fill the memory
                found.append(checkpoint(_steepest, relief, smooth, direction, edge, use_reentrant=False))
            else:
                found.append(_steepest(relief, smooth, direction, edge))
        return relief[:, None, edge:-edge, edge:-edge], torch.stack(found, 2)

    def _smooth(self, slopes: Tensor) -> Tensor:
        """Blur slopes [n, 2, row, col], less as many pixels along the border as the filter of the relief takes."""
        n, two = slopes.shape[:2]
        line, less = self.gaussian.to(slopes), _FILTER_REACH - _GAUSSIAN_REACH
        flat = slopes.flatten(0, 1)[:, None, less:-less, less:-less]
        flat = F.conv2d(F.conv2d(flat, line[None, None, None]), line[None, None, :, None])
        return flat.view(n, two, *flat.shape[-2:])


def _steepest(relief: Tensor, smooth: Tensor, direction: tuple[float, float], edge: int) -> Tensor:
    """Give the steepest chord in one azimuth for each range of distances [n, range, row, col]."""
    right, up = direction
    stretch = 1.0 / max(abs(right), abs(up))  # length of a step to the next row or column
    along = smooth[:, 0] * right + smooth[:, 1] * up
    here, rise = _at(relief, 0.0, 0.0, edge), torch.zeros(())
    last = _at(along, 0.0, 0.0, edge)
    found = []
    distances = iter(pairwise((0, *(step for part in _RANGES for step in part))))
    for part in _RANGES:
        steepest = None
        for before, step in (next(distances) for _ in part):
            down, over = -up * stretch * step, right * stretch * step
            now = _at(along, down, over, edge)
            rise = rise + (last + now) * (0.5 * stretch * (step - before))
            chord = (_at(relief, down, over, edge) - here + rise) / (stretch * step)
            steepest = chord if steepest is None else torch.maximum(steepest, chord)
            last = now
        assert steepest is not None
        found.append(steepest)
    return torch.stack(found, 1)


def _at(values: Tensor, down: float, over: float, edge: int) -> Tensor:
    """Give values [n, row, col] at each pixel's place plus an offset with one whole coordinate, as the renderer does."""
    down, over = (round(x) if abs(x - round(x)) < 1e-6 else x for x in (down, over))
    row, col = math.floor(down), math.floor(over)
    part = max(down - row, over - col)
    rows, columns = (n - 2 * edge for n in values.shape[1:])
    first = values[:, edge + row : edge + row + rows, edge + col : edge + col + columns]
    if part == 0.0:
        return first
    row, col = (row + 1, col) if down > row else (row, col + 1)
    second = values[:, edge + row : edge + row + rows, edge + col : edge + col + columns]
    return torch.lerp(first, second, part)


def _filter() -> Tensor:
    """Give the filter [1, 2, n, n] that makes ``h - G * h`` of central differences (right, up), by least squares.

    Where sin(k) vanishes they see nothing; there the least curved surface is taken (Tikhonov).
    """
    k = 2 * np.pi * np.fft.fftfreq(_SAMPLES)
    over, down = np.meshgrid(k, k)
    right, up = 1j * np.sin(over), -1j * np.sin(down)
    curvature = (2 - 2 * np.cos(over)) ** 2 + (2 - 2 * np.cos(down)) ** 2
    strength = np.abs(right) ** 2 + np.abs(up) ** 2 + _ROUGHNESS * curvature
    strength[0, 0] = 1.0
    local = (1.0 - np.exp(-0.5 * _SIGMA**2 * (over**2 + down**2))) / strength
    size, r = 2 * _FILTER_REACH + 1, _FILTER_REACH
    made = [np.roll(np.fft.ifft2(local * np.conj(d)).real, (r, r), (0, 1))[:size, :size] for d in (right, up)]
    return torch.from_numpy(np.stack(made)[None, :, ::-1, ::-1].copy()).float()  # Torch correlates


def _gaussian() -> Tensor:
    x = torch.arange(-_GAUSSIAN_REACH, _GAUSSIAN_REACH + 1, dtype=torch.float64)
    line = torch.exp(-0.5 * (x / _SIGMA) ** 2)
    return (line / line.sum()).float()
