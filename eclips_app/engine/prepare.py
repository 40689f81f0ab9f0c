"""Segment images made ready for a reconstruction: cropped, moved onto each other, offset and gain removed, bad pixels marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Reconstruct

_SPLINE_REACH = 12  #: rows beyond which the prefilter of a cubic spline has decayed to 1e-6
_SAMPLE = 1 << 20  #: pixels that are enough for a median


@dataclass(frozen=True)
class Crop:
    """Part of the image as read: first row, first column, end row, end column."""

    first_row: int
    first_column: int
    end_row: int
    end_column: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.end_row - self.first_row, self.end_column - self.first_column


def resolve_crop(crop: tuple[int, int, int, int], shape: tuple[int, ...]) -> Crop:
    """Give the crop as written, or the whole image for zeros; `EclipsError` where it leaves the image."""
    rows, columns = shape[-2:]
    if not any(crop):
        return Crop(0, 0, rows, columns)
    found = Crop(*crop)
    inside = 0 <= found.first_row < found.end_row <= rows and 0 <= found.first_column < found.end_column <= columns
    if not inside:
        raise EclipsError(
            f"the crop {tuple(crop)} does not fit into an image of {rows} rows and {columns} columns",
            hint="Give first row, first column, end row, end column within the image.",
        )
    return found


def check_segments(arrays: Arrays, count: int | None = None) -> NDArray[Any]:
    """Give the input ``segments`` [k, row, col] after checking its kind and, if given, how many there are."""
    if "segments" not in arrays:
        raise EclipsError("no segment images were given", hint="Give them as 'segments' [k, row, col].")
    segments = arrays["segments"]
    if segments.ndim != 3 or segments.dtype.kind not in "uif":
        raise EclipsError(
            f"the segments are an array of {segments.ndim} dimensions and type {segments.dtype}",
            hint="Give numbers in an array [k, row, col].",
        )
    if count is not None and segments.shape[0] != count:
        raise EclipsError(
            f"there are {segments.shape[0]} images for a detector of {count} segments",
            hint="Choose the detector that took the images, or the images of its segments.",
        )
    return segments


class Signals:
    """Rows of the prepared signals on demand, so that large images never exist twice.

    Parameters
    ----------
    arrays : mapping
        ``segments`` [k, row, col] as read, optional ``exclude`` [row, col] and ``drift_px`` [k, row, 2] (rows, columns to
        move each row of the cropped image by, on top of the shift).
    params : Reconstruct
        Crop, shifts, clip levels and the detector with its gains and offsets.
    """

    def __init__(self, arrays: Arrays, params: Reconstruct) -> None:
        detector = params.detector
        segments = check_segments(arrays, len(detector.quadrants))
        self.crop = resolve_crop(params.crop, segments.shape)
        self.shape = self.crop.shape
        if min(self.shape) < 4:
            raise EclipsError(
                f"the image has only {self.shape[0]} rows and {self.shape[1]} columns", hint="Choose a larger part."
            )
        window = self.crop
        self._raw = segments[:, window.first_row : window.end_row, window.first_column : window.end_column]
        self._exclude = self._cropped_exclude(arrays.get("exclude"), segments.shape[1:])
        self.offsets = np.array([s.offset for s in detector.quadrants])
        self.gains = np.array([s.gain for s in detector.quadrants])
        self._clip = params.clip_low, params.clip_high
        self._shifts = self._check_shifts(params.shifts_px)
        self._drift = self._check_drift(arrays.get("drift_px"))

    @property
    def count(self) -> int:
        """Number of segments."""
        return int(self._raw.shape[0])

    def rows(self, first: int, end: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give signals (grey value minus offset, over gain) and which of them may be used, both [k, row, col]."""
        signals = np.empty((self.count, end - first, self.shape[1]), np.float32)
        usable = np.empty(signals.shape, bool)
        for k in range(self.count):
            grey, usable[k] = self._moved(k, first, end)
            np.subtract(grey, np.float32(self.offsets[k]), out=signals[k])
            signals[k] *= np.float32(1.0 / self.gains[k])
        if self._exclude is not None:
            usable &= ~self._exclude[first:end]
        signals[~usable] = 0.0
        return signals, usable

    def sample(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Give some million pixels spread evenly over the image, for medians: [k, row, col]."""
        step = max(1, round((self.shape[0] * self.shape[1] / _SAMPLE) ** 0.5))
        parts = (
            [self.rows(a, a + 1) for a in range(0, self.shape[0], step)] if step > 1 else [self.rows(0, self.shape[0])]
        )
        return tuple(np.concatenate([p[i][:, :, ::step] for p in parts], axis=1) for i in (0, 1))  # type: ignore[return-value]

    def clipped(self) -> list[int]:
        """Count the pixels of each segment at or beyond the clip levels."""
        return [int(np.count_nonzero(self._clips(image))) for image in self._raw]

    def _clips(self, grey: NDArray[Any]) -> NDArray[np.bool_]:
        low, high = self._clip
        bad = ~np.isfinite(grey) if grey.dtype.kind == "f" else np.zeros(grey.shape, bool)
        if low is not None:
            bad |= grey <= low
        if high is not None:
            bad |= grey >= high
        return bad

    def _moved(self, k: int, first: int, end: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Rows of a segment moved by its shift and drift with a cubic spline, and where they rest on good pixels."""
        drift = None if self._drift is None else self._drift[k, first:end]
        shift = self._shifts[k]
        if not shift.any() and (drift is None or not drift.any()):
            grey = self._raw[k, first:end]
            bad = self._clips(grey)
            return np.where(bad, 0, grey).astype(np.float32, copy=False), ~bad
        rows = np.arange(first, end) - shift[0] - (0.0 if drift is None else drift[:, 0])
        start = int(np.clip(np.floor(rows.min()) - _SPLINE_REACH, 0, self.shape[0] - 1))
        stop = int(np.clip(np.ceil(rows.max()) + _SPLINE_REACH + 1, start + 1, self.shape[0]))
        band = self._raw[k, start:stop]
        bad = self._clips(band)
        columns = np.arange(self.shape[1]) - shift[1] - (0.0 if drift is None else drift[:, 1:])
        at = np.broadcast_arrays(rows[:, None] - start, columns)
        clean = np.where(bad, 0, band).astype(np.float32)
        grey = scipy.ndimage.map_coordinates(clean, at, output=np.float32, order=3, mode="nearest")
        good = (at[0] + start >= 0) & (at[0] + start <= self.shape[0] - 1) & (at[1] >= 0) & (at[1] <= self.shape[1] - 1)
        if bad.any():
            good &= scipy.ndimage.map_coordinates(bad.astype(np.float32), at, order=1, mode="nearest") == 0
        return grey, good

    def _cropped_exclude(self, exclude: NDArray[np.generic] | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        if exclude is None:
            return None
        if exclude.shape != shape:
            raise EclipsError(
                f"the mask of excluded pixels is {exclude.shape}, the images are {shape}", hint="Draw it anew."
            )
        window = self.crop
        return exclude[window.first_row : window.end_row, window.first_column : window.end_column].astype(bool)

    def _check_shifts(self, shifts: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
        if not shifts:
            return np.zeros((self.count, 2))
        if len(shifts) != self.count:
            raise EclipsError(
                f"there are {len(shifts)} shifts for {self.count} segments", hint="Register the segments again."
            )
        return np.asarray(shifts, float)

    def _check_drift(self, drift: NDArray[np.generic] | None) -> NDArray[np.float64] | None:
        if drift is None:
            return None
        if drift.shape != (self.count, self.shape[0], 2):
            raise EclipsError(
                f"the drift is {drift.shape}, expected {(self.count, self.shape[0], 2)}",
                hint="Register the segments again.",
            )
        return np.asarray(drift, float)


def level_gains(signals: Signals, flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give relative gains [k] (mean 1) with which the median of the image reads as level.

    `flat` [k] is what each segment catches from a level specimen (z components of the acceptance vectors). The gains are those
    for which the median over the image of each segment's share in the sum of all equals its share on a level specimen.
    """
    grey, usable = signals.sample()
    good = usable.all(axis=0)
    values = grey[:, good].astype(float)
    if values.shape[1] == 0:
        raise EclipsError("no pixel is usable in all segments", hint="Loosen the clip levels or the excluded areas.")
    target = flat / flat.sum()
    gains = np.ones(len(flat))
    for _ in range(50):
        scaled = values / gains[:, None]
        total = scaled.sum(axis=0)
        lit = total > 0
        if not lit.any():
            raise EclipsError("the images hold no signal above the detector's offsets", hint="Check the offsets.")
        change = np.median(scaled[:, lit] / total[lit], axis=1) / target
        if not (np.isfinite(change).all() and (change > 0).all()):
            raise EclipsError("a segment has no signal above its offset", hint="Check the offsets.")
        gains *= change
        gains /= gains.mean()
        if np.abs(change / change.mean() - 1).max() < 1e-6:
            break
    return gains
