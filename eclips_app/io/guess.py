"""Guessing which segment of the detector each image is from: metadata, file name and shading, weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.io.labels import directions_deg
from eclips_app.io.shading import ShadingGuess, guess_from_shading

#: Confidence in a direction that is written down, alone and if the shading agrees or contradicts.
_STATED = {"metadata": 0.85, "name": 0.75}
_AGREED, _CONTRADICTED = 0.97, 0.35
#: Confidence in the order of the files where nothing else is known: evenly spaced, counter-clockwise from the right.
_ORDER_ALONE = 0.05
#: Shading below this confidence is not shown as a guess, and below the other does not contradict anyone.
_LEAST_ORDER, _SURE_ORDER = 0.2, 0.6
_SURE_SIGN = 0.7
#: Segments this far from where they should be are in another place.
_MISPLACED_DEG = 40.0


@dataclass(frozen=True)
class AzimuthGuess:
    """Where a segment stands: azimuth in degrees (0 right, 90 up), confidence 0 to 1 and where both come from.

    `source` is ``metadata``, ``name``, ``shading``, or ``order`` where nothing but the order of the files is known.
    """

    azimuth_deg: float
    confidence: float
    source: str


@dataclass(frozen=True)
class Guesses:
    """The chosen guess for each segment, all guesses by source, and what contradicts what."""

    chosen: tuple[AzimuthGuess, ...]
    by_source: dict[str, tuple[AzimuthGuess, ...]]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Give one object for each segment, with every source's guess under ``guesses``."""
        others = [[asdict(guesses[k]) for guesses in self.by_source.values()] for k in range(len(self.chosen))]
        return [asdict(guess) | {"guesses": others[k]} for k, guess in enumerate(self.chosen)]


def guess_azimuths(
    images: Sequence[NDArray[Any]], metadata_labels: Sequence[str], name_labels: Sequence[str]
) -> Guesses:
    """Guess the azimuth of each segment.

    Parameters
    ----------
    images : sequence of array [row, col]
        One image for each segment, without data bar; three or more.
    metadata_labels, name_labels : sequence of str
        What the metadata and the file names call each segment; empty texts where they say nothing.
    """
    shading = guess_from_shading(images)
    by_source: dict[str, tuple[AzimuthGuess, ...]] = {}
    for source, labels in (("metadata", metadata_labels), ("name", name_labels)):
        if (stated := directions_deg(labels)) is not None:
            by_source[source] = tuple(AzimuthGuess(a, _STATED[source], source) for a in stated)
    warnings: tuple[str, ...] = ()
    chosen = by_source.get("metadata") or by_source.get("name")
    if shading is not None and shading.order >= _LEAST_ORDER:
        confidence = shading.order * shading.sign
        by_source["shading"] = tuple(AzimuthGuess(a, confidence, "shading") for a in shading.azimuths_deg)
        if chosen is not None:
            chosen, warnings = _weigh(chosen, shading)
        else:
            chosen = by_source["shading"]
    if chosen is None:
        step = 360.0 / len(images)
        chosen = tuple(AzimuthGuess(k * step, _ORDER_ALONE, "order") for k in range(len(images)))
    return Guesses(chosen, by_source, warnings)


def _weigh(stated: tuple[AzimuthGuess, ...], shading: ShadingGuess) -> tuple[tuple[AzimuthGuess, ...], tuple[str, ...]]:
    """Compare stated directions with the shading, which knows the order better than the sign."""
    apart = np.array(shading.azimuths_deg) - [guess.azimuth_deg for guess in stated]
    straight, turned = _worst_deg(apart), _worst_deg(apart + 180.0)
    if min(straight, turned) > _MISPLACED_DEG and shading.order >= _SURE_ORDER:
        seen = ", ".join(f"{a % 360.0:.0f}°" for a in shading.azimuths_deg)
        warning = f"the shading of the images says another order of segments than the names: {seen} (all may be turned by 180°)"
        return _with_confidence(stated, _CONTRADICTED), (warning,)
    if turned < straight and shading.sign >= _SURE_SIGN and shading.order >= _SURE_ORDER:
        warning = "the shading suggests that all segments are turned by 180°, since hollows would be bright"
        return _with_confidence(stated, stated[0].confidence * 0.8), (warning,)
    agreed = min(straight, turned) <= _MISPLACED_DEG
    return (_with_confidence(stated, _AGREED) if agreed else stated), ()


def _worst_deg(difference: NDArray[np.float64]) -> float:
    return float(np.abs((difference + 180.0) % 360.0 - 180.0).max())


def _with_confidence(guesses: tuple[AzimuthGuess, ...], confidence: float) -> tuple[AzimuthGuess, ...]:
    return tuple(AzimuthGuess(g.azimuth_deg, confidence, g.source) for g in guesses)
