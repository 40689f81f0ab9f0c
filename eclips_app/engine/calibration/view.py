"""The images of an observation as the finders look at them: prepared, cropped, with what the detector tells of slopes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import Observation
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.steps import Arrays, Reconstruct
from eclips_app.engine.geometry import geometry
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.prepare import Signals, check_segments, level_gains, resolve_crop

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
Images = NDArray[np.float32]  #: [k, row, col]
Area = tuple[int, int, int, int]  #: first row, first column, end row, end column

_PLATEAU = 1e-3  #: share of an image that holds its extreme value from which on that is a limit of the scale
_BAND = 128  #: rows read between two looks at whether to stop
_SPIKE = 4.0  #: times more often than the values next to it, on average


def reconstruct_params(observation: Observation, detector: Detector) -> Reconstruct:
    """Give the parameters with which `engine.prepare.Signals` prepares the images of an observation."""
    return Reconstruct(
        detector=detector,
        pixel_size_nm=observation.pixel_size_nm,
        crop=observation.crop,
        shifts_px=observation.shifts_px,
        clip_low=observation.clip_low,
        clip_high=observation.clip_high,
        axis_px=observation.axis_px,
    )


def with_clip_levels(observation: Observation, inputs: Arrays) -> Observation:
    """Fill in clip levels that are not stated where the images run into a limit of their scale."""
    segments = check_segments(inputs)
    crop = resolve_crop(observation.crop, segments.shape)
    part = segments[:, crop.first_row : crop.end_row, crop.first_column : crop.end_column]
    low, high = observation.clip_low, observation.clip_high
    if low is None:
        low = max((-level for each in part if (level := _plateau(-each.astype(float))) is not None), default=None)
    if high is None:
        high = min((level for each in part if (level := _plateau(each.astype(float))) is not None), default=None)
    return replace(observation, clip_low=low, clip_high=high)


def _plateau(image: Float) -> float | None:
    """Give the largest value of an image if so many pixels hold it that it must be a limit of the scale."""
    values, counts = np.unique(image[np.isfinite(image)], return_counts=True)
    if len(values) < 8 or counts[-1] < _PLATEAU * image.size or counts[-1] < _SPIKE * counts[-5:-1].mean():
        return None
    return float(values[-1])


@dataclass(frozen=True)
class View:
    """Prepared images [k, row, col] of the crop's size and what belongs to them.

    Attributes
    ----------
    signals : array [k, row, col]
        Grey value minus offset, over gain; clipped pixels hold what was read.
    seen, usable : arrays of bool [k, row, col]
        Pixels that the images cover and nobody excluded; those of them that are not clipped.
    origin : tuple
        First row and column of the crop.
    vectors : array [k, 3]
        Acceptance vectors of the segments.
    """

    signals: Images
    seen: Mask
    usable: Mask
    origin: tuple[int, int]
    vectors: Float
    pixel_size_nm: float
    source: Signals

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.signals.shape[1], self.signals.shape[2]

    @cached_property
    def all_seen(self) -> Mask:
        """Where all segments are seen, [row, col]."""
        return in_all(self.seen)

    @cached_property
    def all_usable(self) -> Mask:
        """Where all segments are usable, [row, col]."""
        return in_all(self.usable)

    def inside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Give (row, column) of the crop for (row, column) of the uncropped image."""
        return point[0] - self.origin[0], point[1] - self.origin[1]

    def outside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Give (row, column) of the uncropped image for (row, column) of the crop."""
        return point[0] + self.origin[0], point[1] + self.origin[1]

    def moved_in(self, area: Area) -> Area:
        """Give an area of the uncropped image as one of the crop."""
        row, column = self.origin
        return area[0] - row, area[1] - column, area[2] - row, area[3] - column

    def moved_out(self, area: Area) -> Area:
        """Give an area of the crop as one of the uncropped image."""
        row, column = self.origin
        return area[0] + row, area[1] + column, area[2] + row, area[3] + column

    def coarse(self, largest: int) -> tuple[Images, Mask, int]:
        """Give contrast-normalised means of blocks with at most `largest` rows and columns, where seen, and the block's edge.

        Every segment has its median at zero and its 5 to 95 % range at one. Row r of it is row ``(r + 0.5) edge - 0.5``.
        """
        edge = -(-max(self.shape) // largest)
        return *self.thinned(edge), edge

    def thinned(self, edge: int) -> tuple[Images, Mask]:
        """Give contrast-normalised means of blocks of `edge` px, and where they are seen."""
        seen: Mask = blocks(self.all_seen[None], edge)[0] > 0.99
        return normalised(blocks(self.signals, edge), seen), seen

    @cached_property
    def slopes(self) -> Images:
        """Slopes p, q [2, row, col] (right, up) with gains that make the image level; unbounded in the dark."""
        y = self.signals / level_gains(self.source, self.vectors[:, 2])[:, None, None].astype(np.float32)
        b = np.tensordot(np.linalg.pinv(self.vectors), y, axes=1)
        up = np.maximum(b[2], 0.05 * max(float(np.median(b[2])), 1e-30))
        return np.asarray(-b[:2] / up, np.float32)


def view(observation: Observation, inputs: Arrays, detector: Detector, context: Context) -> View:
    """Prepare the images of an observation; `EclipsError` where they do not fit the detector."""
    params = reconstruct_params(observation, detector)
    source = Signals(inputs, replace(params, clip_low=None, clip_high=None))
    signals, seen = _read(source, context)
    is_clipping = params.clip_low is not None or params.clip_high is not None
    usable = _read(Signals(inputs, params), context)[1] if is_clipping else seen
    shape = check_segments(inputs).shape
    with watched(context.check):
        vectors = geometry(params, source.crop, (shape[1], shape[2])).vectors
    origin = source.crop.first_row, source.crop.first_column
    return View(signals, seen, usable, origin, vectors, observation.pixel_size_nm, source)


def _read(source: Signals, context: Context) -> tuple[Images, Mask]:
    """Give all rows of signals and which may be used, [k, row, col], band by band."""
    shape = source.count, *source.shape
    signals, usable = np.empty(shape, np.float32), np.empty(shape, bool)
    for first in range(0, shape[1], _BAND):
        end = min(first + _BAND, shape[1])
        signals[:, first:end], usable[:, first:end] = source.rows(first, end)
        context.check()
    return signals, usable


def in_all(masks: Mask) -> Mask:
    """Give where all of several masks [k, row, col] hold."""
    found: Mask = np.logical_and.reduce(masks, axis=0)
    return found


def blocks(images: NDArray[Any], edge: int) -> Images:
    """Give the means of blocks of `edge` x `edge` pixels of images [k, row, col]; what is left at the end is dropped."""
    k, rows, columns = images.shape
    r, c = max(1, rows // edge), max(1, columns // edge)
    part = images[:, : r * edge, : c * edge].astype(np.float32)
    return np.asarray(part.reshape(k, r, edge, c, edge).mean(axis=(2, 4)), np.float32)


def normalised(signals: Images, seen: Mask) -> Images:
    """Give signals with the median at zero and the 5 to 95 % range at one, zero where not seen [row, col]."""
    out = np.zeros(signals.shape, np.float32)
    for each, image in zip(out, signals, strict=True):
        if not seen.any():
            continue
        low, middle, high = np.percentile(image[seen], [5, 50, 95])
        each[seen] = (image[seen] - middle) / max(float(high - low), 1e-9 * abs(float(middle)), 1e-30)
    return out
