"""Synthetic specimens of known shape: heights in nm, [row, col], on pixels of a given size, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Specimen, StepResult

Heights = NDArray[np.float64]

#: Inclination of the faces of a Vickers indent: half of 180 less the 136 degrees between opposite faces (ISO 6507-2).
VICKERS_FACE_DEG = 22.0


def specimen_step(inputs: Mapping[str, NDArray[Any]], params: Specimen, context: Context) -> StepResult:
    """Make a surface; gives ``height`` [row, col] in nm."""
    make = KINDS.get(params.kind)
    if make is None:
        raise EclipsError(f"there is no surface '{params.kind}'", hint=f"Choose one of {', '.join(KINDS)}.")
    context.check()
    return StepResult({"height": make((params.rows, params.columns), params.pixel_size_nm, params.seed)})


def vickers(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give a Vickers indent over 60 % of the smaller edge, turned by 8 degrees, with a low pile-up beside its edges."""
    x, y = _axes(shape, pixel_size_nm)
    half = 0.3 * min(shape) * pixel_size_nm
    turn = np.deg2rad(8.0)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    beyond = np.maximum(np.abs(u), np.abs(v)) - half  # distance outward from the edge of the imprint
    depth = np.minimum(beyond, 0.0) * np.tan(np.deg2rad(VICKERS_FACE_DEG))
    pile = 0.012 * half * np.exp(-np.maximum(beyond, 0.0) / (0.12 * half)) * (beyond > 0)
    along = np.minimum(np.abs(u), np.abs(v)) / half
    pile *= np.clip(1.0 - along**2, 0.0, 1.0) * np.clip(beyond / (0.03 * half), 0.0, 1.0)
    return np.asarray(depth + pile + _polish(shape, pixel_size_nm, seed))


def steps(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give step bunches: terraces 20 to 60 pixels wide, faces of 35 degrees, steps of 4 to 12 pixels, at 20 degrees azimuth."""
    x, y = _axes(shape, pixel_size_nm)
    rng = np.random.default_rng(seed)
    across = x * np.cos(np.deg2rad(20.0)) + y * np.sin(np.deg2rad(20.0))
    waviness = (
        3.0
        * pixel_size_nm
        * np.sin((y * np.cos(np.deg2rad(20.0)) - x * np.sin(np.deg2rad(20.0))) / (90 * pixel_size_nm))
    )
    at, height = float(across.min()) + 20 * pixel_size_nm, np.zeros(shape)
    while at < float(across.max()):
        rise = rng.uniform(4.0, 12.0) * pixel_size_nm
        run = rise / np.tan(np.deg2rad(35.0))
        height += rise * np.clip((across + waviness - at) / run, 0.0, 1.0)
        at += run + rng.uniform(20.0, 60.0) * pixel_size_nm
    return np.asarray(height)


def particles(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give spherical caps lying on a flat, 8 to 24 pixels in radius, sunk so that the rim rises at 50 degrees at most."""
    x, y = _axes(shape, pixel_size_nm)
    rng = np.random.default_rng(seed)
    height = np.zeros(shape)
    for _ in range(max(6, round(shape[0] * shape[1] / 9000))):
        radius = rng.uniform(8.0, 24.0) * pixel_size_nm
        cx, cy = rng.uniform(x.min(), x.max()), rng.uniform(y.min(), y.max())
        height = np.maximum(height, _cap(x - cx, y - cy, radius, 50.0))
    return np.asarray(height + _polish(shape, pixel_size_nm, seed))


def sphere(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give one spherical cap over 70 % of the smaller edge, its rim rising at 50 degrees."""
    x, y = _axes(shape, pixel_size_nm)
    radius = 0.35 * min(shape) * pixel_size_nm / np.sin(np.deg2rad(50.0))
    return _cap(x, y, radius, 50.0)


def rough(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give a self-affine surface (Hurst exponent 0.8, cut off at 6 pixels) of root-mean-square slope 0.3."""
    rows, columns = 2 * shape[0], 2 * shape[1]  # a crop of a periodic surface is not periodic
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    frequency[0, 0] = np.inf
    amplitude = frequency**-1.8 * np.exp(-((6.0 * frequency) ** 2) / 2)
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((rows, columns)))
    height = np.fft.irfft2(noise * amplitude, s=(rows, columns))[: shape[0], : shape[1]]
    down, right = np.gradient(height)
    return np.asarray((height - height.mean()) * pixel_size_nm * 0.3 / np.sqrt((down**2 + right**2).mean()))


def spiral(shape: tuple[int, int], pixel_size_nm: float, seed: int = 0) -> Heights:
    """Give a growth spiral: one step of 6 pixels winds outward 48 pixels a turn, its face inclined by 40 degrees.

    The terrace climbs by one step in each turn about the middle, as about a screw dislocation.
    """
    x, y = _axes(shape, pixel_size_nm)
    pitch, rise = 48.0 * pixel_size_nm, 6.0 * pixel_size_nm
    around = np.arctan2(y, x) / (2 * np.pi)
    turns = np.hypot(x, y) / pitch - around
    face = rise / np.tan(np.deg2rad(40.0)) / pitch
    whole, part = np.floor(turns), turns - np.floor(turns)
    return np.asarray(-rise * (whole + np.clip(part / face, 0.0, 1.0) + around))


KINDS: dict[str, Callable[[tuple[int, int], float, int], Heights]] = {
    "vickers": vickers, "steps": steps, "particles": particles, "sphere": sphere, "rough": rough, "spiral": spiral,
}  # fmt: skip


def _axes(shape: tuple[int, int], pixel_size_nm: float) -> tuple[Heights, Heights]:
    """Give x (right) and y (up) in nm from the middle of the field."""
    rows, columns = shape
    x = (np.arange(columns) - (columns - 1) / 2) * pixel_size_nm
    y = ((rows - 1) / 2 - np.arange(rows)) * pixel_size_nm
    return np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)


def _cap(x: Heights, y: Heights, radius: float, rim_deg: float) -> Heights:
    """Give the part of a sphere above the circle where it rises at `rim_deg`."""
    rim = radius * np.cos(np.deg2rad(rim_deg))
    inside = np.maximum(radius**2 - x**2 - y**2, 0.0)
    return np.asarray(np.maximum(np.sqrt(inside) - rim, 0.0))


def _polish(shape: tuple[int, int], pixel_size_nm: float, seed: int) -> Heights:
    """Give the gentle roughness of a polished face: 2 % slope, no features below some 12 pixels."""
    return rough(shape, pixel_size_nm, seed + 1) * (0.02 / 0.3)
