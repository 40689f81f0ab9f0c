"""Whether a registration can be trusted: overlap, correlation, uniqueness, and a sentence that says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.grids import Grid
from eclips_app.metrology.registration.pose import Frames, Pose
from eclips_app.metrology.registration.refine import Fit
from eclips_app.metrology.registration.search import Candidate

_SURE_SCORE = 5.0  #: standard deviations; of some 1e5 independent places the best by chance comes to 4.5
_SURE_CORRELATION = 0.5
_LEAST_OVERLAP = 0.15
_ALIKE = 0.4  #: correlation from which several places speak of a lattice, and not of chance
_RIVAL = 0.8  #: a second place with this part of the score makes the first ambiguous


@dataclass(frozen=True)
class Quality:
    """What speaks for a registration."""

    found: bool  #: unique and far from chance
    overlap: float  #: part of the smaller map's area
    correlation: float  #: of heights without their slow parts
    score: float  #: correlation in standard deviations of none
    uniqueness: float | None  #: 1 less the score of the best other place over that of this one; None: not looked for
    converged: bool
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Give all fields as JSON values."""
        return asdict(self)


class Scorer:
    """Scores poses by the correlation of heights and slope magnitudes over the overlap."""

    def __init__(self, image: Grid, placed: Grid, cutoff_nm: float, frames: Frames) -> None:
        self._frames, self._map = frames, placed
        self._fields = [grids.clipped(grids.high_passed(f(image), cutoff_nm)) for f in (_same, grids.steepness)]
        self._patterns = [grids.clipped(grids.high_passed(f(placed), cutoff_nm)) for f in (_same, grids.steepness)]
        self._area = max(grids.correlation_area_px(a, b) for a, b in zip(self._fields, self._patterns, strict=True))
        self._smaller = min(image.known.sum(), placed.known.sum())

    def candidate(self, pose: Pose, method: str = "search") -> Candidate:
        """Score a pose."""
        x, y = (each[self._map.known] for each in self._map.places())
        at = self._fields[0].index(*pose.moved(x, y, self._frames))
        there = ndimage.map_coordinates(self._fields[0].known.astype(np.float32), at, order=1, mode="constant") > 0.99
        if there.sum() < 50:
            return Candidate(pose, 0.0, 0.0, 0.0, method)
        found = []
        for field, pattern in zip(self._fields, self._patterns, strict=True):
            values = ndimage.map_coordinates(field.heights, at[:, there], order=1)
            own = pattern.heights[self._map.known][there]
            found.append(_correlation(values, own))
        correlation, part = float(np.mean(found)), float(there.sum()) * pose.scale**2 / self._smaller
        freedom = max(there.sum() / self._area - 3.0, 0.0)
        score = math.atanh(min(max(correlation, -0.995), 0.995)) * math.sqrt(freedom)
        return Candidate(pose, correlation, min(part, 1.0), score, method)


def is_sure(candidate: Candidate) -> bool:
    """Say whether a pose fits far better than chance."""
    return (
        candidate.score > _SURE_SCORE
        and candidate.correlation > _SURE_CORRELATION
        and candidate.overlap > _LEAST_OVERLAP
    )


def judge(
    fit: Fit,
    maps: tuple[Grid, Grid],
    cutoff_nm: float,
    frames: Frames,
    first: Candidate | None,
    rivals: Sequence[Candidate],
) -> Quality:
    """Say whether a refined pose can be trusted.

    `first` is the pose as it was when it was chosen before its `rivals`: only with equal care are they comparable. None: it was
    set by hand.
    """
    own = Scorer(*maps, cutoff_nm, frames).candidate(fit.pose)
    uniqueness, alike = None, 1
    if first is not None:
        best = max(first.score, 1e-9)
        uniqueness = 1.0 - max((each.score for each in rivals), default=0.0) / best
        alike += sum(each.score > _RIVAL * best for each in rivals)
    sure = is_sure(own)
    unique = uniqueness is None or uniqueness > 1.0 - _RIVAL
    sentence = _sentence(own, sure, unique, alike, fit.converged)
    return Quality(
        sure and unique, own.overlap, own.correlation, own.score, uniqueness, fit.converged, sentence
    )  # fmt: skip


def _sentence(own: Candidate, sure: bool, unique: bool, alike: int, converged: bool) -> str:
    overlap = f"{100 * own.overlap:.0f} % overlap, correlation {own.correlation:.2f}"
    if not unique and (sure or (alike > 2 and own.correlation > _ALIKE)):
        return (
            f"Ambiguous: {alike} places fit nearly equally well ({overlap}), as on a grating or lattice. "
            "Choose one of them, or set landmarks."
        )
    if sure and not converged:
        return f"Found ({overlap}), but the refinement did not settle: look at the difference map."
    if sure:
        return f"Found: {overlap}."
    if own.overlap <= _LEAST_OVERLAP:
        return f"Not sure: the maps overlap too little ({overlap}). Set two or more landmarks."
    return (
        f"Not sure: the maps are not alike enough where they overlap ({overlap}). "
        "Check pixel sizes and channel, or set two or more landmarks."
    )


def _same(grid: Grid) -> Grid:
    return grid


def _correlation(a: Any, b: Any) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / power if power > 0 else 0.0
