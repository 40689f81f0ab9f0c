"""Images too large to be solved at once: overlapping tiles, each about a solution of the whole with coarse pixels.

Gains and offsets, and what the heights are uncertain by, come from the coarse solution. A tile knows the heights but for what
lies outside; so it is its height differences that are taken (`mosaic`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from eclips_app.core.context import Context
from eclips_app.core.steps import automatic
from eclips_app.engine.forward import cells
from eclips_app.engine.refine.deviations import Deviations
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.levels import Level, plan, refined
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.mosaic import Mosaic, Tile, tiles
from eclips_app.engine.refine.result import Course
from eclips_app.engine.refine.solver import GaussNewton, Progress
from eclips_app.engine.refine.spread import Spread, extrapolate, on_pixels, settle_channels, spread_of
from eclips_app.engine.refine.window import Window, window_of
from eclips_app.engine.uncertainty import height_std

Float = NDArray[np.float32]

_WHOLE_PX = 1 << 21  #: pixels that are solved at once unless tiles are asked for
_TILE_PX = 1024
_COARSE_PX = 1024  #: longest edge of the coarse image
_MEMORY = 1 << 28  #: bytes of the maps of random draws
_LEAST_DRAWS = 4
_COARSE_SHARE, _TILES_SHARE = 0.1, 0.7  #: of the progress


def is_tiled(measured: Measured) -> bool:
    """Whether the image is solved in tiles."""
    rows, columns = measured.shape
    asked = measured.params.tile_px
    return rows * columns > _WHOLE_PX if asked is None else max(rows, columns) > asked


def solve_tiled(measured: Measured, context: Context) -> tuple[Window, Spread, Course]:
    """Solve the coarse image and all tiles, and put them together; `context` may raise to stop."""
    coarse = _Coarse(measured, context)
    mosaic = Mosaic.empty(measured.signals.count, measured.shape)
    cut = tiles(measured.shape, measured.params.tile_px or _TILE_PX)
    courses = []
    for number, tile in enumerate(cut):
        done = _COARSE_SHARE + _TILES_SHARE * number / len(cut)
        context.progress(done, f"tile {number + 1} of {len(cut)}")
        courses.append(_add_tile(measured, tile, mosaic, context))
    found, moved = mosaic.together()
    context.progress(_COARSE_SHARE + _TILES_SHARE, "uncertainty")
    spread = coarse.spread(found.left, context)
    spread = replace(
        spread, deviations=spread.deviations.with_map("model", "samples", moved / measured.params.pixel_size_nm)
    )
    return found, spread, _course(courses, automatic(measured.params).least_fall)


class _Coarse:
    """The whole image with pixels so coarse that it is solved at once."""

    def __init__(self, measured: Measured, context: Context) -> None:
        self.measured, self.times = measured, 1
        field, height = measured.whole(), _tensor(measured, measured.heights())
        while max(field.shape) > _COARSE_PX:
            field, height, self.times = field.binned(), avg_pool2d(height[None], 2)[0], 2 * self.times
        self.field = replace(field, params=replace(field.params, subpixels=1, smoothing=None))
        self.solver = _solved(self.field, height, measured, context)
        settle_channels(self.field, self.solver, context, lambda step, part: context.check())

    def spread(self, left: Float, context: Context) -> Spread:
        """Give the deviations in pixels of the image; `left` as for `spread_of`, on them.

        Noise that is finer than a coarse pixel is missing in the maps of the draws; by how much that lowers the standard
        deviation of white slope noise, integrated, is made up for.
        """
        shape = self.field.shape
        count = max(_LEAST_DRAWS, min(automatic(self.field.params).draws, _MEMORY // (2 * left.size)))
        binned = torch.from_numpy(left)[None]
        binned = avg_pool2d(binned, self.times)[0, : shape[0], : shape[1]]
        found = spread_of(self.field, self.solver, binned.numpy(), self.measured.stated, count, context)
        finer_noise = float(height_std(left.shape).mean() / height_std(shape).mean())
        maps = [
            self.times * _stretched(one, left.shape) * (finer_noise if part == "noise" else 1.0)
            for one, (part, _) in zip(found.deviations.maps, found.deviations.parts, strict=True)
        ]
        dark = _stretched(found.shadowed, left.shape) > 0.5
        return replace(
            found, deviations=Deviations(np.stack(maps).astype(np.float16), found.deviations.parts), shadowed=dark
        )


def _add_tile(measured: Measured, tile: Tile, mosaic: Mosaic, context: Context) -> tuple[Progress, float, float]:
    """Solve a tile; gives its progress, chi-square and smoothing. The solver itself is let go: it holds the tile's memory."""
    rows, columns = tile.spot
    field = measured.field(rows.start, rows.stop, columns.start, columns.stop)
    solver = _solved(field, _tensor(measured, measured.heights()[tile.spot]), measured, context)
    moved = extrapolate(field, solver, on_pixels(field, solver), context.check)
    pixels = cells.heights(moved).cpu().numpy() * np.float32(measured.params.pixel_size_nm)
    mosaic.add(tile, window_of(solver), pixels)
    return solver.progress, solver.chi2, solver.prior.weight


def _solved(field: Field, height: Tensor, measured: Measured, context: Context) -> GaussNewton:
    levels = plan(field.params, field.shape, warm="start" in measured.inputs)

    def check(level: Level, step: int, part: float, solver: GaussNewton | None) -> None:
        context.check()

    return refined(field, cells.corners_of(height), levels, measured.channels, check)


def _tensor(measured: Measured, height: Float) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(height)).to(measured.device)


def _stretched(pixels: NDArray[np.generic], shape: tuple[int, ...]) -> Float:
    """Interpolate a coarse map on the pixels of the image."""
    coarse = torch.from_numpy(np.asarray(pixels, np.float32))[None, None]
    return np.asarray(interpolate(coarse, shape, mode="bilinear", align_corners=False)[0, 0].numpy())


def _course(courses: list[tuple[Progress, float, float]], least_fall: float) -> Course:
    """Tell how all tiles went together."""
    inner = [step for progress, _, _ in courses for step in progress.inner]
    settled = sum(progress.settled for progress, _, _ in courses)
    chi2 = float(np.mean([each for _, each, _ in courses]))
    smoothing = float(np.median([each for _, _, each in courses]))
    text = f"In {settled} of {len(courses)} tiles the last step lowered the cost by less than {100 * least_fall:.2g} %."
    return Course(smoothing, [], inner, chi2, [chi2], text, len(courses))
