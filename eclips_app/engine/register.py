"""Registration of segments that were scanned one after another.

Segments see the same edges from different sides: contrast reverses between them, and an edge may be strong in one and weak in
another. So images are compared by the magnitude of their gradient, sharp edges alone. Every pair of segments is correlated;
the shifts are the robust least-squares solution of all pairs, and what is left of a pair tells how far they can be trusted.
Where faces are smooth and steep (spheres), segments see different rims, and shifts are good to a pixel only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.fft
import scipy.interpolate
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Register, StepResult
from eclips_app.engine.prepare import check_segments, resolve_crop

Float = NDArray[np.float64]
Map = NDArray[np.float32]  #: features of an image, [row, col]

_SMOOTH_PX = 1.5  #: of the images before the gradient
_NEARBY_PX = 24.0  #: neighbourhood whose mean gradient counts as one
_BROAD_PX = 4.0  #: features broader than this are shading
_REFINE = 3  #: times the pair is moved onto each other and looked at again
_BAND_ROWS = 64
_BAND_REACH_PX = 6.0
_WEAKEST = 0.05  #: correlation below which a pair says nothing
_ROBUST = 10  #: rounds of reweighting
_CLOSE_PX = 0.5  #: contradiction beyond which a pair loses weight
_ONE_WAY = 0.05  #: ratio of gradient powers across and along the edges below which they all run one way


@dataclass(frozen=True)
class Pair:
    """Shift that moves the second image onto the first, and the correlation of the two after that."""

    shift: Float  #: rows, columns
    quality: float  #: 0 to 1


def features(image: NDArray[Any], exclude: NDArray[np.bool_] | None = None) -> Map:
    """Give what images of all segments share: the magnitude of the gradient over its mean nearby, without its broad parts.

    Division by the mean nearby keeps one bright edge from ruling; the broad parts are shading, which differs between
    segments. Excluded pixels [row, col] and their surroundings are zero.
    """
    grey = image.astype(np.float32)
    if exclude is not None and exclude.any():
        grey = np.where(exclude, np.float32(np.median(grey[~exclude])), grey)
    smooth = scipy.ndimage.gaussian_filter(grey, _SMOOTH_PX, mode="nearest")
    down, right = np.gradient(smooth)
    edge = np.hypot(down, right)
    mean = scipy.ndimage.gaussian_filter(edge, _NEARBY_PX, mode="nearest")
    found = edge / np.maximum(mean, 1e-6 + 0.2 * mean.mean())
    found -= scipy.ndimage.gaussian_filter(found, _BROAD_PX, mode="nearest")
    if exclude is not None and exclude.any():
        found[scipy.ndimage.binary_dilation(exclude, iterations=round(2 * _BROAD_PX))] = 0.0
    return np.asarray(found, np.float32)


def pair_shift(first: Map, second: Map, reach_px: float) -> Pair:
    """Find the shift (rows, columns), at most `reach_px` in each, that moves `second` onto `first`; both are `features`.

    The correlation is that of the part where the two overlap, so the image's frame does not pull the shift toward zero.
    """
    limits = [min(int(reach_px), max(1, size // 2)) for size in first.shape]
    start = _correlation_peak(first, second, limits)
    shift = start.astype(float)
    for _ in range(_REFINE):
        seen = _overlap(first.shape, shift)
        step = _subpixel_step(first[seen], _moved(second, shift)[seen])
        shift = np.clip(shift + step, start - 1.5, start + 1.5)
        if np.abs(step).max() < 1e-3:
            break
    seen = _overlap(first.shape, shift)
    return Pair(shift, max(0.0, _correlation(first[seen], _moved(second, shift)[seen])))


def _moved(features_of: Map, shift: Float) -> Map:
    return np.asarray(scipy.ndimage.shift(features_of, shift, order=3, mode="constant", cval=0.0))


def _correlation_peak(first: Map, second: Map, limits: list[int]) -> NDArray[np.intp]:
    """Whole-pixel shift of the largest normalised correlation over the overlap."""
    sizes = zip(first.shape, limits, strict=True)
    shape = [scipy.fft.next_fast_len(size + limit + 1, real=True) for size, limit in sizes]
    rows, columns = (np.arange(-limit, limit + 1) for limit in limits)

    def transform(plane: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.rfft2(plane, shape))

    def correlate(spectrum: NDArray[Any]) -> Float:
        return np.asarray(scipy.fft.irfft2(spectrum, shape)[np.ix_(rows, columns)])

    product = transform(first) * np.conj(transform(second))
    unit = transform(np.ones(first.shape, np.float32))
    of_first = correlate(transform(first**2) * np.conj(unit))
    of_second = correlate(unit * np.conj(transform(second**2)))
    whole = float((first**2).sum() * (second**2).sum())
    ncc = correlate(product) / np.sqrt(np.maximum(of_first * of_second, 1e-4 * whole + 1e-30))
    at = np.unravel_index(int(np.argmax(ncc)), ncc.shape)
    return np.array([at[0] - limits[0], at[1] - limits[1]])


def _subpixel_step(first: Map, moved: Map) -> Float:
    """Sub-pixel step from the correlation at zero shift and one pixel around it, by a parabola in rows and in columns."""
    inner = first[1:-1, 1:-1]
    rows, columns = moved.shape

    def score(down: int, right: int) -> float:
        return _correlation(inner, moved[1 - down : rows - 1 - down, 1 - right : columns - 1 - right])

    middle = score(0, 0)
    return np.array([_parabola(score(-1, 0), middle, score(1, 0)), _parabola(score(0, -1), middle, score(0, 1))])


def _parabola(before: float, middle: float, after: float) -> float:
    bend = before - 2 * middle + after
    return float(np.clip(0.5 * (before - after) / bend, -1.0, 1.0)) if bend < 0 else 0.0


def _correlation(a: Map, b: Map) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt(np.sum(a * a, dtype=np.float64) * np.sum(b * b, dtype=np.float64)))
    return float(np.sum(a * b, dtype=np.float64)) / power if power > 0 else 0.0


def _overlap(shape: tuple[int, ...], shift: Float) -> tuple[slice, slice]:
    """Part of the first image that a shifted second one covers, without the rows that its spline's border touches."""
    found = []
    for size, s in zip(shape, shift, strict=True):
        low, high = max(0, int(np.ceil(s))), min(size, size + int(np.floor(s)))
        found.append(slice(low + 2, high - 2) if high - low > 12 else slice(low, high))
    return found[0], found[1]


def combine(pairs: dict[tuple[int, int], Pair], count: int, reference: int) -> tuple[Float, Float, float]:
    """Give shifts [k, 2] onto the reference, quality [k] (0 to 1) and the closure error in pixels.

    A pair (i, j) says ``s_j - s_i = shift``; its weight is the square of its correlation. The quality of a segment is the best
    correlation with any other segment, lowered by what is left of that pair after the fit. The closure is the weighted
    root mean square of what is left.
    """
    rows, right, weights = [], [], []
    for (i, j), pair in pairs.items():
        row = np.zeros(count)
        row[j], row[i] = 1.0, -1.0
        rows.append(row)
        right.append(pair.shift)
        weights.append(max(pair.quality, _WEAKEST))
    design, target, weight = np.array(rows), np.array(right), np.array(weights)
    free = [k for k in range(count) if k != reference]
    shifts, trust = np.zeros((count, 2)), weight
    for _ in range(_ROBUST):  # a pair that locked onto something else must not spoil the others
        shifts[free] = np.linalg.lstsq(design[:, free] * trust[:, None], target * trust[:, None], rcond=None)[0]
        left = np.hypot(*(target - design @ shifts).T)
        trust = weight / (1.0 + (left / _CLOSE_PX) ** 2)
    quality = np.zeros(count)
    for ((i, j), pair), rest in zip(pairs.items(), left, strict=True):
        score = pair.quality / (1.0 + rest**2)
        quality[[i, j]] = np.maximum(quality[[i, j]], score)
    return shifts, np.clip(quality, 0.0, 1.0), float(np.sqrt(np.average(left**2, weights=trust**2)))


def drift(maps: list[Map], shifts: Float, reference: int, context: Context) -> Float:
    """Give what is left of the shift in each row, [k, row, 2]: measured in bands of rows, then a smoothing spline."""
    rows = maps[0].shape[0]
    edges = np.arange(0, max(1, rows - _BAND_ROWS + 1), _BAND_ROWS // 2)
    middles = edges + (min(_BAND_ROWS, rows) - 1) / 2
    found = np.zeros((len(maps), rows, 2))
    for k, image in enumerate(maps):
        if k == reference:
            continue
        moved = _moved(image, shifts[k])
        rest = []
        for first in edges:
            band = slice(first, first + _BAND_ROWS)
            rest.append(pair_shift(maps[reference][band], moved[band], _BAND_REACH_PX))
            context.check()
        for axis in range(2):
            values = np.array([pair.shift[axis] for pair in rest])
            weights = np.array([max(pair.quality, _WEAKEST) for pair in rest]) ** 4
            found[k, :, axis] = _smooth(middles, values, weights, rows)
    return found


def _smooth(at: Float, values: Float, weights: Float, rows: int) -> Float:
    """Smooth curve through band values, level beyond the first and last band; outliers are drawn to the median first."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) + 0.2
    values = np.clip(values, middle - 3 * spread, middle + 3 * spread)
    where = np.clip(np.arange(rows), at[0], at[-1])
    if at.size < 5:
        return np.asarray(np.interp(where, at, values))
    return np.asarray(scipy.interpolate.make_smoothing_spline(at, values, w=weights)(where))


def isotropy(maps: list[Map]) -> float:
    """Give how evenly edges run in all directions, from 0 (all one way, so that the shift along them is open) to 1."""
    ratios = []
    for image in maps:
        gradients = np.stack(np.gradient(scipy.ndimage.gaussian_filter(image, 2 * _SMOOTH_PX))).reshape(2, -1)
        low, high = np.linalg.eigvalsh(np.einsum("in,jn->ij", gradients, gradients))
        ratios.append(max(0.0, float(low)) / float(high) if high > 0 else 0.0)
    return float(np.median(ratios))


def register_step(inputs: Arrays, params: Register, context: Context) -> StepResult:
    """Find the shift of each segment; see `core.steps.Register` for inputs and results.

    ``info["closure_px"]`` is the root mean square by which the pairs of segments contradict each other; ``info["warnings"]``
    says what the shifts cannot be trusted for.

    Raises
    ------
    EclipsError
        If there is no such reference segment or the images are too small.
    """
    segments = check_segments(inputs)
    count = segments.shape[0]
    if params.reference >= count:
        raise EclipsError(f"there is no segment {params.reference + 1} of {count}", hint="Choose another reference.")
    crop = resolve_crop(params.crop, segments.shape)
    if min(crop.shape) < 32:
        raise EclipsError(
            f"{crop.shape[0]} x {crop.shape[1]} pixels are too few to register", hint="Choose a larger part."
        )
    window = (slice(crop.first_row, crop.end_row), slice(crop.first_column, crop.end_column))
    exclude = inputs["exclude"][window].astype(bool) if "exclude" in inputs else None
    maps = []
    for k, image in enumerate(segments):
        maps.append(features(image[window], exclude))
        context.progress(0.3 * (k + 1) / count, "finding edges")
    pairs: dict[tuple[int, int], Pair] = {}
    wanted = list(combinations(range(count), 2))
    for number, (i, j) in enumerate(wanted):
        pairs[i, j] = pair_shift(maps[i], maps[j], params.max_shift_px)
        context.progress(0.3 + 0.5 * (number + 1) / len(wanted), "comparing segments")
    shifts, quality, closure = combine(pairs, count, params.reference)
    arrays = {}
    if params.drift:
        context.progress(0.8, "following the drift")
        arrays["drift_px"] = drift(maps, shifts, params.reference, context).astype(np.float32)
    context.progress(1.0, "done")
    warnings = []
    ratio = isotropy(maps)
    if ratio < _ONE_WAY:
        quality *= ratio / _ONE_WAY
        warnings.append("All edges run in one direction; the shift along them cannot be found.")
    info: dict[str, Any] = {
        "shifts_px": [[float(s) for s in shift] for shift in shifts],
        "quality": [float(q) for q in quality],
        "closure_px": closure,
        "reference": params.reference,
        "warnings": warnings,
    }
    return StepResult(arrays, info)
