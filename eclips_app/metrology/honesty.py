"""What a reconstruction explains of its images and what not, region by region, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclips_app.metrology import verdicts
from eclips_app.metrology.evidence import Maps, evidence
from eclips_app.metrology.verdicts import Verdict

_OVERFITTED = 0.6  #: median below which the stated noise cannot be right


@dataclass(frozen=True)
class Judgement:
    """All verdicts, the good news first.

    Attributes
    ----------
    verdicts : tuple of Verdict
    explained : float or None
        Part of the field that the model explains; None where nothing tests it.
    threshold : float
        Chi-square above which it is no noise.
    """

    verdicts: tuple[Verdict, ...]
    explained: float | None
    threshold: float


def judge(maps: Maps) -> Judgement:
    """Say what the maps of a run tell of it.

    Gives at most some dozen verdicts: those of the field as a whole, then regions from large to small; the rest is summed up.
    """
    seen = evidence(maps)
    tested = np.isfinite(seen.chi2)
    found = verdicts.missing(seen)
    if not tested.any():
        known = seen.known is not None and bool(np.isfinite(seen.known).any())
        return Judgement((verdicts.untestable(known), *verdicts.geometry(seen), *found), None, seen.threshold)
    explained = float(np.count_nonzero(tested & (seen.chi2 <= seen.threshold)) / tested.size)
    median = float(np.median(seen.chi2[tested]))
    ordered = [verdicts.explained(explained, median)]
    if median < _OVERFITTED:
        ordered.append(verdicts.overfitted(median))
    ordered += verdicts.geometry(seen)
    ordered += verdicts.not_explained(seen)
    ordered += found
    ordered += verdicts.material(seen)
    return Judgement(tuple(ordered), explained, seen.threshold)
