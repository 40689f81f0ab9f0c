"""Residuals of an observation as images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.engine.calibration.patches import Patches, raw_signals
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.shapes import shape_of

Float = NDArray[np.float64]

_MOST_PX = 40_000


@dataclass(frozen=True)
class Picture:
    """Measured minus modelled in percent of the modelled signal [k, row, col], NaN where not used; `step` pixels to one."""

    residual: NDArray[np.float32]
    step: int


def picture(problem: Problem, number: int, x: Float, inputs: dict[str, NDArray[Any]]) -> Picture:
    """Compare an observation with the model, pixel by pixel of a thinned image."""
    seen = problem.seen[number]
    signals = raw_signals(seen.observation, inputs, problem.detector)
    rows, columns = signals.shape
    grey, usable = signals.rows(0, rows)
    used = usable.all(axis=0) & (seen.labels >= 0)
    step = max(1, int(np.ceil((np.count_nonzero(used) / _MOST_PX) ** 0.5)))
    shape = rows // step, columns // step
    share = _blocks(used.astype(float), step)
    inside = share > 0.5
    means = np.stack([_blocks(np.where(used, each, 0.0), step) for each in grey]) / np.maximum(share, 1e-9)
    at = np.nonzero(inside)
    count, origin = at[0].size, seen.observation.crop[:2]
    middles = [np.asarray(first + (each + 0.5) * step - 0.5, float) for first, each in zip(origin, at, strict=True)]
    areas = seen.labels[: shape[0] * step : step, : shape[1] * step : step][inside].clip(0).astype(np.int64)
    blocks = Patches(
        means[:, inside].T,
        np.ones((count, len(grey))),
        areas,
        middles[0],
        middles[1],
        np.arange(count),
        np.ones(count),
        count,
    )
    own = None
    if seen.shape is not None:
        own = shape_of(seen.observation, blocks, inputs.get("heights"), cap=seen.is_cap)
    modelled = problem.rendered(number, replace(seen, patches=blocks, shape=own), x)
    signal = np.maximum(modelled - problem.state(x).offsets, 1e-9) if own is not None else np.maximum(modelled, 1.0)
    residual = np.full((len(grey), *shape), np.nan, np.float32)
    residual[:, inside] = (100.0 * (blocks.grey - modelled) / signal).T
    return Picture(residual, step)


def _blocks(image: NDArray[np.floating], step: int) -> Float:
    """Average blocks of `step` pixels; what is over at the end is left out."""
    rows, columns = (size // step for size in image.shape)
    return np.asarray(
        image[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3)), np.float64
    )
