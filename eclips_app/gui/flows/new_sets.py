"""What is done with newly read sets before they enter the project: order, times, beam energy; and words about shifts."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from eclips_app.core.detector import Beam, Detector
from eclips_app.model.items import SegmentSet

WEAK_MATCH = 0.2  #: images that correlate less than this after their registration are not reliably registered


def in_order(segment_set: SegmentSet, order: tuple[int, ...] | None) -> SegmentSet:
    """Give a set with its images in this order; as it is for None."""
    return segment_set if order is None else replace(segment_set, images=tuple(segment_set.images[i] for i in order))


def from_several_files(segment_set: SegmentSet) -> bool:
    """Whether each segment has a file of its own, so that they may have been scanned one after another."""
    return len({image.source for image in segment_set.images}) == len(segment_set.images)


def with_times(sets: Sequence[SegmentSet]) -> tuple[SegmentSet, ...]:
    """Give the frames of a series their times in s: from the dates in the files, else counted."""
    if len(sets) == 1:
        return tuple(sets)
    times = times_s(sets) or [float(k) for k in range(len(sets))]
    return tuple(replace(frame, time_s=time) for frame, time in zip(sets, times, strict=True))


def times_s(sets: Sequence[SegmentSet]) -> list[float] | None:
    """Give the seconds since the first frame by the dates in the files; None unless they rise from frame to frame."""
    try:
        dates = [datetime.datetime.fromisoformat(frame.images[0].acquisition.date or "") for frame in sets]
        seconds = [(date - dates[0]).total_seconds() for date in dates]
    except (ValueError, TypeError):  # no date, or times with and without a zone
        return None
    return seconds if all(b > a for a, b in itertools.pairwise(seconds)) else None


def with_energy(detector: Detector, segment_set: SegmentSet) -> Detector:
    """Give a detector the beam energy that the images tell."""
    energy = next((i.acquisition.energy_kev for i in segment_set.images if i.acquisition.energy_kev), None)
    if energy is None:
        return detector
    return replace(detector, beam=Beam(energy, detector.beam.probe_fwhm_nm if detector.beam else 0.0))


def shift_text(segment_set: SegmentSet) -> str:
    """Say how far each segment of a registered set was moved."""
    parts = [
        f"{image.name} {columns:+.1f}, {-rows:+.1f}"
        for image, (rows, columns) in zip(segment_set.images, segment_set.shifts_px, strict=True)
        if math.hypot(rows, columns) > 0.05
    ]
    moved = "; ".join(parts) or "no segment had to be moved"
    drift = ""
    if segment_set.drift_px is not None:
        drift = f" Drift within the scan: up to {abs(segment_set.drift_px).max():.1f} px."
    return f"{segment_set.name} registered (px right, up): {moved}.{drift}"
