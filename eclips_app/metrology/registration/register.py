"""Finds where a map lies on an image: features, exhaustive search where they fail, dense refinement, a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.metrology.registration import features, grids, landmarks, quality, refine, search
from eclips_app.metrology.registration.covariance import Spread, spread_of
from eclips_app.metrology.registration.features import Limits, Matcher
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Floats, Frames, Model, Pose
from eclips_app.metrology.registration.quality import Quality
from eclips_app.metrology.registration.refine import Fit, Options, Problem
from eclips_app.metrology.registration.search import Candidate, Correlator

_SEARCH_PX = 100  #: longest edge of the maps that are searched exhaustively
_FEATURE_PX = 280  #: of those in which features are matched
_FINEST_PX = 1024  #: of those that are refined last
_CUTOFF = 0.08  #: what is longer than this part of the smaller field counts as background in the search
_STEP_DEG = 6.0
_STEP_SCALE = 1.13
_REPEATS_DEG = (60.0, 90.0, 120.0, 180.0, 240.0, 270.0, 300.0)  #: turns by which a lattice may look alike


@dataclass(frozen=True)
class Task:
    """What is asked for."""

    model: Model = "affine"
    limits: Limits = field(default_factory=Limits)
    knots: int = 8
    background: int = 3
    height_scale: bool = True
    landmarks: tuple[tuple[float, float, float, float], ...] = ()  #: map col, row, image col, row
    start: Pose | None = None  #: refine this one
    dense: bool = True  #: refine what landmarks say by the heights


@dataclass(frozen=True, eq=False)
class Registration:
    """What was found."""

    pose: Pose
    frames: Frames
    z_offset_nm: float
    z_slope: tuple[float, float]
    height_scale: float  #: of the image over the map, by least squares: noise of the map makes it smaller
    spread: Spread | None
    quality: Quality
    method: str  #: "features", "search", "landmarks", "placed"
    candidates: tuple[Candidate, ...]  #: other poses that fit nearly as well
    residual_rms_nm: float


def register_map(
    height: NDArray[np.floating],
    placed: NDArray[np.floating],
    frames: Frames,
    task: Task,
    context: Context,
    matcher: Matcher | None = None,
) -> Registration:
    """Find where a map lies on an image's height map.

    Parameters
    ----------
    height, placed : array [row, col]
        Heights of the image and of the map in nm, NaN where nothing was measured.
    frames : Frames
        Their pixel sizes.
    task : Task
        Model, limits and start.
    matcher : Matcher, optional
        Finds point pairs instead of SIFT.

    Raises
    ------
    EclipsError
        If the maps show no relief or do not overlap. A place that was found but is not sure is no error: see `quality`.
    """
    for values, name in ((height, "reconstruction"), (placed, "map")):
        _check_relief(values, name)
    context.progress(0.02, "Preparing")
    middle = _grids(height, placed, frames, _FEATURE_PX)
    cutoff = _CUTOFF * min(*middle[0].size_nm, *middle[1].size_nm)
    rivals: Sequence[Candidate] = ()
    if task.landmarks:
        start, method = landmarks.pose(task.landmarks, frames), "landmarks"
        best = _candidate(start, method)
    elif task.start is not None:
        best, method = _candidate(task.start, "placed"), "placed"
    else:
        best, rivals = _found(height, placed, middle, cutoff, frames, task, context, matcher)
        method = best.method
    fit, problem = _refined(height, placed, frames, task, best.pose, context)
    verdict = quality.judge(fit, middle, cutoff, frames, None if method in ("landmarks", "placed") else best, rivals)
    offset, slope, rms = _heights(problem, fit.pose, height, placed)
    spread = spread_of(problem, fit) if task.dense or not task.landmarks else None
    context.progress(1.0, "Registered")
    return Registration(
        fit.pose, frames, offset, slope, fit.height_scale, spread, verdict, method, tuple(rivals), rms
    )  # fmt: skip


def _check_relief(values: NDArray[np.floating], name: str) -> None:
    known = np.isfinite(values)
    if known.sum() < 100:
        raise EclipsError(f"the {name} holds {known.sum()} measured heights, too few to register")
    if not np.ptp(values[known]) > 0:
        raise EclipsError(f"the {name} is flat: there is nothing to register")


def _grids(
    height: NDArray[np.floating], placed: NDArray[np.floating], frames: Frames, longest_px: int, blur_px: float = 0.0
) -> tuple[Grid, Grid]:
    """Bring both maps to the coarser of their pixels, or to pixels that leave `longest_px` along the longest edge."""
    image_nm = frames.image_pixel_nm
    longest = max(
        *(n * image_nm for n in frames.image_shape),
        *(n * size for n, size in zip(frames.map_shape, reversed(frames.map_pixel_nm), strict=True)),
    )
    pixel = max(image_nm, *frames.map_pixel_nm, longest / longest_px)
    return (
        grids.levelled(grids.resampled(height, (image_nm, image_nm), pixel, blur_px)),
        grids.levelled(grids.resampled(placed, frames.map_pixel_nm, pixel, blur_px)),
    )


def _candidate(pose: Pose, method: str) -> Candidate:
    return Candidate(pose, math.nan, math.nan, math.nan, method)


def _found(
    height: NDArray[np.floating],
    placed: NDArray[np.floating],
    middle: tuple[Grid, Grid],
    cutoff_nm: float,
    frames: Frames,
    task: Task,
    context: Context,
    matcher: Matcher | None,
) -> tuple[Candidate, Sequence[Candidate]]:
    """Give the best pose and its rivals: from features, and from the search where these find nothing sure."""
    context.progress(0.05, "Matching features")
    pairs = features.match(*middle, cutoff_nm, matcher)
    poses = [pose for pose, _ in features.poses(pairs, task.limits, middle[0].pixel_nm)]
    verified = _verified(poses, "features", middle, cutoff_nm, frames, context)
    coarse = _grids(height, placed, frames, _SEARCH_PX)
    correlator = Correlator(*coarse, cutoff_nm)
    context.progress(0.2, "Comparing other places")
    if verified and quality.is_sure(verified[0]):
        turns = [0.0, *(turn for turn in _REPEATS_DEG if turn <= task.limits.rotation_deg)]
        pose = verified[0].pose
        others = search.search(correlator, [pose.rotation_deg + turn for turn in turns], [pose.scale], context, 6)
    else:
        others = search.search(correlator, *_lattice(task.limits), context, 8)
    verified += _verified([each.pose for each in others], "search", middle, cutoff_nm, frames, context)
    if not verified:
        raise EclipsError(
            "the map was not found on the reconstruction: no place fits better than chance",
            hint="Set two or more landmarks, or check the pixel sizes.",
        )
    ordered = search.distinct(verified, math.sqrt(correlator.area_px) * coarse[0].pixel_nm)
    return ordered[0], ordered[1:]


def _lattice(limits: Limits) -> tuple[list[float], list[float]]:
    """Give the rotations and scales that are searched."""
    count = min(math.ceil(limits.rotation_deg / _STEP_DEG), round(180 / _STEP_DEG))
    rotations = [k * _STEP_DEG for k in range(-count, count + 1)]
    if len(rotations) * _STEP_DEG > 360:
        rotations = rotations[:-1]  # -180 and 180 are the same
    steps = round(math.log(max(limits.scale, 1.0)) / math.log(_STEP_SCALE))
    return rotations, [_STEP_SCALE**k for k in range(-steps, steps + 1)]


def _verified(
    poses: Sequence[Pose],
    method: str,
    middle: tuple[Grid, Grid],
    cutoff_nm: float,
    frames: Frames,
    context: Context,
) -> list[Candidate]:
    """Refine poses on coarse maps and score how well they fit."""
    found = []
    image, own = (grids.high_passed(_halved(grid), cutoff_nm) for grid in middle)
    problem = Problem(image, own, frames, Options("similarity", background=1))
    judge = quality.Scorer(*middle, cutoff_nm, frames)
    for pose in poses:
        context.check()
        try:
            better = refine.refine(problem, pose, 0.1, context).pose
        except EclipsError:  # it slid off the image
            better = pose
        scored = [judge.candidate(each, method) for each in (better, pose)]
        best = max(scored, key=lambda each: each.score)
        if best.score > 0:
            found.append(best)
    return sorted(found, key=lambda each: -each.score)


def _halved(grid: Grid) -> Grid:
    if min(grid.heights.shape) < 120:
        return grid
    heights = np.where(grid.known, grid.heights, np.nan)
    return grids.resampled(heights, (grid.pixel_nm, grid.pixel_nm), 2 * grid.pixel_nm)


def _refined(
    height: NDArray[np.floating],
    placed: NDArray[np.floating],
    frames: Frames,
    task: Task,
    pose: Pose,
    context: Context,
) -> tuple[Fit, Problem]:
    """Refine from coarse to fine; the model grows with the resolution."""
    finest = _grids(height, placed, frames, _FINEST_PX)
    levels = refine.pixel_levels(finest[0].pixel_nm, (*finest[0].size_nm, *finest[1].size_nm))
    options = Options(task.model, task.knots, task.background, task.height_scale)
    fit, problem = None, None
    for number, pixel in enumerate(levels):
        context.progress(0.5 + 0.45 * number / len(levels), f"Refining at {pixel:.3g} nm")
        pair = (
            _levelled(height, (frames.image_pixel_nm,) * 2, pixel),
            _levelled(placed, frames.map_pixel_nm, pixel),
        )
        last = number == len(levels) - 1
        for model in _models(task.model, number, len(levels)):
            problem = Problem(*pair, frames, replace(options, model=model))
            if task.landmarks and not task.dense:
                return refine.refine(replace_steps(problem), pose, 0.01, context), problem
            fit = refine.refine(problem, pose, 0.003 if last and model == task.model else 0.05, context)
            pose = fit.pose
    if fit is None or problem is None:
        raise AssertionError("there is one level at least")
    return fit, problem


def replace_steps(problem: Problem) -> Problem:
    """Give the problem with no steps: its pose is evaluated and stays."""
    return Problem(problem.image, problem.map, problem.frames, replace(problem.options, steps=0))


def _levelled(values: NDArray[np.floating], pixel_nm: tuple[float, ...], to_nm: float) -> Grid:
    return grids.levelled(grids.resampled(values, (pixel_nm[0], pixel_nm[1]), to_nm, 0.5))


def _models(model: Model, level: int, levels: int) -> list[Model]:
    """Give the models that are fitted at a level: a simpler one first, where the start may be far off."""
    order: list[Model] = ["shift", "similarity", "affine", "drift"]
    known = order.index(model)
    if level == 0:
        return [order[min(known, 1)]] if levels > 1 else order[min(known, 1) : known + 1]
    if level == 1 and known > 1:
        return order[2 : known + 1]
    return [model]


def _heights(
    problem: Problem, pose: Pose, height: NDArray[np.floating], placed: NDArray[np.floating]
) -> tuple[float, tuple[float, float], float]:
    """Give offset and slopes (image right, up) that bring the map's raw heights onto the image's, and the rms left."""
    frames, pixel = problem.frames, problem.map.pixel_nm
    image = grids.resampled(height, (frames.image_pixel_nm,) * 2, pixel)
    own = grids.resampled(placed, frames.map_pixel_nm, pixel)
    raw = Problem(image, own, frames, replace(problem.options, model="shift", background=1))
    inside, heights = raw.evaluate(pose)
    x, y = (each[own.known][inside] for each in own.places())
    x, y = pose.moved(x, y, frames)
    x, y = x - pose.shift_nm[0], y - pose.shift_nm[1]
    difference = heights - raw.template(inside)
    c: Floats = grids.robust_plane(x, y, difference)
    left = difference - (c[0] + c[1] * x + c[2] * y)
    return float(c[0]), (float(c[1]), float(c[2])), float(np.sqrt(np.mean(left**2)))
