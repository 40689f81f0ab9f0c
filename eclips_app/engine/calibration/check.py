"""The step ``check-calibration``: evidence for or against a detector's calibration, from any images that it took.

Signals are averaged over blocks of pixels until noise no longer rules their slopes; blocks with edges are left out. ``info``:

- ``segments``, ``blocks`` (used ones), ``block_px``, ``steepest_deg`` (tilt that 98 % of them stay below);
- ``misfit``: {file, levelled, swapped: [{segments, percent}], noise_percent}: what the inversion leaves over beside what the
  emission model makes it leave, in % of the signal, with the gains of the file, with those that level the image, and with two
  images exchanged (best first); None with three segments;
- ``balance`` and ``flat``: {tilt_deg, azimuth_deg, left_percent}: how the shares of the segments, over the field and on its
  flattest area, differ from those of a level specimen: by a tilt and by what no tilt explains; ``flat`` has also `area` (first
  row, first column, end row, end column of the uncropped image) and `rough_deg`, and is None without such an area;
- ``sum``: {tilt_deg, ratio, std, scale, scale_std}: sum over the segments over its prediction against the tilt, and the factor by
  which slopes are read too steep if the sum is right (`at_limit`: or more); None on a flat field;
- ``bowl``: {predicted_per_m, left_per_m, std_per_m}: curvature of the field before and after correction of the scan parallax.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.optimize import minimize_scalar

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, CheckCalibration, StepResult
from eclips_app.engine.calibration.expected import Expected, Inversion
from eclips_app.engine.device import one_thread
from eclips_app.engine.linear import LinearReconstruction
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.prepare import level_gains

Float = NDArray[np.float64]

_FINE = 0.01  #: noise of a block's slopes that does no harm
_MOST_PX = 8
_EDGE = 0.15  #: scatter of the slope within a block, beyond its noise, that makes it an edge
_LEAST_BLOCKS = 50
_GENTLE = 0.35  #: slope up to which residuals tell of gains and order; beyond, emission is as strong
_BIN_DEG = 4.0
_LEAST_IN_BIN = 25
_MOST_IN_BIN = 2000
_SURE = 0.003  #: of the sum's ratio in a bin: what material and shadow do even on good specimens
_SCALES = 0.7, 1.7
_STEEP_ENOUGH_DEG = 12.0
_ALIKE = 25.0  #: neighbouring blocks that tell the same of the surface
_MM_PER_M = 1e3


@dataclass(frozen=True, eq=False)
class Blocks:
    """Signals averaged over blocks of pixels: those that are good.

    Attributes
    ----------
    signals : array [k, n]
        With the gains of the file.
    at : array [2, n]
        Row and column of the block.
    x, y : arrays [n]
        Beam position in mm.
    shape : (rows, columns)
        Of the grid of blocks.
    edge_px : int
        Of a block.
    noise : float
        Standard deviation of a signal in parts of it.
    """

    signals: Float
    at: NDArray[np.intp]
    x: Float
    y: Float
    shape: tuple[int, int]
    edge_px: int
    noise: float


def check_step(inputs: Arrays, params: CheckCalibration, context: Context) -> StepResult:
    """Gather the evidence; see the module for what it is.

    Raises
    ------
    EclipsError
        The images do not fit the detector, or too little of them is even and in all segments.
    """
    with one_thread(), watched(context.check):
        context.progress(0.0, "reading the signals")
        run = LinearReconstruction(inputs, replace(params, balance="file"), context)
        levelled = level_gains(run.signals, run.geometry.vectors[:, 2])
        run.slopes()
        blocks = _blocks(run)
        context.progress(0.5, "predicting the signals")
        inversion = Inversion.of(run.geometry.vectors)
        expected = Expected(params.detector, params.emission, inversion)
        context.progress(0.9, "comparing")
        read = _corrected(run, inversion, blocks)
        names = [segment.name for segment in params.detector.quadrants]
        info = {
            "segments": names,
            "blocks": blocks.signals.shape[1],
            "block_px": blocks.edge_px,
            "steepest_deg": float(np.rad2deg(np.arctan(np.nanquantile(np.hypot(*read), 0.98)))),
            "misfit": _misfits(blocks, inversion, expected, levelled, names),
            "balance": _balance(np.median(blocks.signals / blocks.signals.sum(axis=0), axis=1), expected),
            "flat": _flat(blocks, read, expected, (run.signals.crop.first_row, run.signals.crop.first_column)),
            "sum": _sum(blocks, read, expected),
            "bowl": _bowl(run, blocks, read),
        }
    context.progress(1.0, "done")
    return StepResult({}, info)


def _blocks(run: LinearReconstruction) -> Blocks:
    scale, slope_std = run.noise()
    edge = int(np.clip(np.ceil(slope_std / _FINE), 1, _MOST_PX))
    rows, columns = (n // edge for n in run.signals.shape)
    crop = slice(0, rows * edge), slice(0, columns * edge)

    def means(plane: NDArray[Any]) -> Float:
        return np.asarray(plane[crop].reshape(rows, edge, columns, edge).mean(axis=(1, 3), dtype=np.float64))

    signals, usable = run.signals.rows(0, run.signals.shape[0])
    averaged = np.stack([means(plane) for plane in signals])
    uneven = sum(means(plane**2) - means(plane) ** 2 for plane in run.b[:2]) - 2 * slope_std**2
    good = (means(usable.all(axis=0) & run.mask) > 0.999) & (uneven < 2 * _EDGE**2) & (averaged.min(axis=0) > 0)
    if np.count_nonzero(good) < _LEAST_BLOCKS:
        raise EclipsError(
            "too little of the images is even and seen by all segments", hint="Choose a larger or smoother area."
        )
    at = np.stack(np.nonzero(good))
    x, y = (means(np.broadcast_to(v, run.signals.shape)) for v in (run.geometry.x[None], run.geometry.y[:, None]))
    chosen = averaged[:, good]
    noise = scale * float(np.mean(chosen) ** -0.5) / edge
    return Blocks(chosen, at, x[good], y[good], (rows, columns), edge, noise)


def _corrected(run: LinearReconstruction, inversion: Inversion, blocks: Blocks) -> Float:
    """Give slopes [2, n] with the scan parallax corrected, if it is to be."""
    b = inversion.inverse @ blocks.signals
    if run.params.scan_parallax:
        b = b - (blocks.x * (run.geometry.mixing_x @ b) + blocks.y * (run.geometry.mixing_y @ b))
    return inversion.slopes(b)


def _misfits(
    blocks: Blocks, inversion: Inversion, expected: Expected, levelled: Float, names: list[str]
) -> dict[str, Any] | None:
    """Compare what is left over with the file's gains, with levelled ones, and with two images exchanged."""
    count = len(names)
    if count < 4:
        return None

    def percent(signals: Float) -> float:
        read = inversion.slopes(inversion.inverse @ signals)
        gentle = np.hypot(*read) < _GENTLE
        if np.count_nonzero(gentle) >= _LEAST_BLOCKS:
            signals, read = signals[:, gentle], read[:, gentle]
        off = inversion.residuals(signals) - np.nan_to_num(expected.residuals(read))
        return float(100 * 1.4826 * np.median(np.abs(off)))

    swapped = []
    for i, j in combinations(range(count), 2):
        order = list(range(count))
        order[i], order[j] = j, i
        swapped.append({"segments": [names[i], names[j]], "percent": percent(blocks.signals[order])})
    return {
        "file": percent(blocks.signals), "levelled": percent(blocks.signals / levelled[:, None]),
        "swapped": sorted(swapped, key=lambda each: each["percent"]), "noise_percent": 100 * blocks.noise,
    }  # fmt: skip


def _balance(shares: Float, expected: Expected) -> dict[str, Any]:
    """Split how shares [k] differ from those of a level specimen into a tilt and what no tilt explains."""
    off = shares - expected.shares
    slopes = np.linalg.pinv(expected.by_slope) @ off
    left = off - expected.by_slope @ slopes
    return {
        "tilt_deg": float(np.rad2deg(np.arctan(np.hypot(*slopes)))),
        "azimuth_deg": float(np.rad2deg(np.arctan2(-slopes[1], -slopes[0])) % 360),
        "left_percent": (100 * left / expected.shares).tolist()
    }  # fmt: skip


def _flat(blocks: Blocks, read: Float, expected: Expected, origin: tuple[int, int]) -> dict[str, Any] | None:
    """Judge the balance on the flattest window of a sixth of the field's edges."""
    window = tuple(max(3, n // 6) for n in blocks.shape)
    weight, total = np.zeros(blocks.shape), np.zeros((3, *blocks.shape))
    rows, columns = blocks.at
    known = np.isfinite(read).all(axis=0)
    weight[rows[known], columns[known]] = 1.0
    total[:, rows[known], columns[known]] = np.stack([*read, (read**2).sum(axis=0)])[:, known]
    count = uniform_filter(weight, window, mode="constant")
    p, q, squares = (uniform_filter(each, window, mode="constant") / np.maximum(count, 1e-9) for each in total)
    scatter = np.where(count > 0.8, squares - p**2 - q**2, np.inf)
    row, column = (int(i) for i in np.unravel_index(np.argmin(scatter), scatter.shape))
    if not np.isfinite(scatter[row, column]):
        return None
    first = row - window[0] // 2, column - window[1] // 2
    inside = np.all([(i >= a) & (i < a + w) for i, a, w in zip(blocks.at, first, window, strict=True)], axis=0)
    signals = blocks.signals[:, inside]
    area = [o + max(a, 0) * blocks.edge_px for o, a in zip(origin, first, strict=True)]
    area += [o + (a + w) * blocks.edge_px for o, a, w in zip(origin, first, window, strict=True)]
    rough = np.rad2deg(np.arctan(np.sqrt(max(float(scatter[row, column]), 0.0))))
    balance = _balance((signals.sum(axis=1) / signals.sum()), expected)
    return {**balance, "area": area, "rough_deg": float(rough)}


def _sum(blocks: Blocks, read: Float, expected: Expected) -> dict[str, Any] | None:
    """Compare the sum over the segments with its prediction at each tilt; None if too little is tilted."""
    slope = np.nan_to_num(np.hypot(*read), nan=np.inf)
    tilt = np.rad2deg(np.arctan(slope))
    total = blocks.signals.sum(axis=0)
    within = slope < 0.95 * expected.reach * _SCALES[0]  # predicted whatever the scale
    bins = []
    for number in range(int(90 / _BIN_DEG)):
        inside = np.flatnonzero((tilt >= number * _BIN_DEG) & (tilt < (number + 1) * _BIN_DEG) & within)
        if inside.size >= _LEAST_IN_BIN:
            bins.append(inside[:: -(-inside.size // _MOST_IN_BIN)])
    if len(bins) < 3 or float(np.median(tilt[bins[-1]])) < _STEEP_ENOUGH_DEG:
        return None

    def ratios(scale: float) -> tuple[Float, Float]:
        found = [total[inside] / expected.sums(read[:, inside] / scale) for inside in bins]
        middle = np.array([np.median(each) for each in found])
        spread = np.array([1.4826 * np.median(np.abs(each - m)) for each, m in zip(found, middle, strict=True)])
        std = np.hypot(1.25 * spread / middle / np.sqrt([inside.size for inside in bins]), _SURE)
        return middle / np.average(middle, weights=std**-2), std

    def chi2(scale: float) -> float:
        middle, std = ratios(scale)
        return float(np.sum(((middle - 1) / std) ** 2))

    scale = float(minimize_scalar(chi2, bounds=_SCALES, method="bounded", options={"xatol": 1e-3}).x)
    step = 0.02
    bend = (chi2(scale + step) - 2 * chi2(scale) + chi2(scale - step)) / step**2
    middle, std = ratios(1.0)
    return {
        "tilt_deg": [float(np.median(tilt[inside])) for inside in bins], "ratio": middle.tolist(), "std": std.tolist(),
        "scale": scale, "scale_std": float(np.sqrt(2 / bend)) if bend > 0 else 1.0,
        "at_limit": not _SCALES[0] + step < scale < _SCALES[1] - step,
    }  # fmt: skip


def _bowl(run: LinearReconstruction, blocks: Blocks, read: Float) -> dict[str, float]:
    """Fit slopes that grow linearly across the field, alike along both axes."""
    known = np.isfinite(read).all(axis=0)
    x, y = (v[known] - v[known].mean() for v in (blocks.x, blocks.y))
    p, q = (v[known] - np.median(v[known]) for v in read)
    spread = float((x**2).sum() + (y**2).sum())
    left = float((x * p + y * q).sum()) / spread
    scatter = float(np.mean((p - left * x) ** 2 + (q - left * y) ** 2)) / 2
    predicted = float(-(run.geometry.mixing_x[0, 2] + run.geometry.mixing_y[1, 2]) / 2)
    std = float(np.sqrt(scatter * _ALIKE / spread))
    return {
        "predicted_per_m": _MM_PER_M * predicted, "left_per_m": _MM_PER_M * left, "std_per_m": _MM_PER_M * std,
    }  # fmt: skip
