"""Which image belongs to which segment of the detector: what names, metadata and shading say, as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eclips_app.commands.edits import rings
from eclips_app.core.detector import Detector, presets
from eclips_app.model.items import SegmentImage, SegmentSet

_WORDS = {
    "metadata": "the metadata",
    "name": "the file names",
    "shading": "the shading",
    "order": "the order of the files",
}
MISPLACED_DEG = 40.0  #: a segment further than this from where it is said to be stands in another place
SURE = 0.7  #: shading below this confidence does not tell an order from one turned by half
TURNED_DEG = 12.0  #: azimuths that differ by more than this are worth correcting


@dataclass(frozen=True)
class Guess:
    """Azimuths in degrees by image (see `image_key`), with how sure they are (0 to 1) and what they rest on."""

    azimuths_deg: dict[str, float]
    confidence: float
    source: str  #: "metadata", "name", "shading" or "order"

    @property
    def text(self) -> str:
        """Where the guess is from, in words, with its confidence."""
        sure = "" if self.source == "order" else f", {100 * self.confidence:.0f} %"
        return f"{_WORDS.get(self.source, self.source)}{sure}"


@dataclass(frozen=True)
class OrderGuess:
    """What is known of the order of a set: the guess that was chosen first, then the others."""

    guesses: tuple[Guess, ...] = ()


def image_key(image: SegmentImage) -> str:
    """Give a text that tells an image from all others of its set."""
    return f"{image.sha256 or image.source}#{image.page}#{image.name}"


def order_guess(segment_set: SegmentSet, info: dict[str, Any]) -> OrderGuess:
    """Read the guesses from the facts that `read-segments` gives."""
    keys = [image_key(image) for image in segment_set.images]
    return OrderGuess(_guesses(keys, info.get("azimuths", [])))


def _guesses(keys: list[str], azimuths: list[dict[str, Any]]) -> tuple[Guess, ...]:
    if len(azimuths) != len(keys):
        return ()
    columns: dict[str, list[dict[str, Any]]] = {azimuths[0]["source"]: azimuths}
    for number, other in enumerate(azimuths[0].get("guesses", [])):
        columns.setdefault(other["source"], [about["guesses"][number] for about in azimuths])
    return tuple(
        Guess(
            {key: float(about["azimuth_deg"]) for key, about in zip(keys, column, strict=True)},
            min(float(about["confidence"]) for about in column),
            source,
        )
        for source, column in columns.items()
    )


def order_by_azimuth(images: Sequence[SegmentImage], guess: Guess, detector: Detector) -> tuple[int, ...] | None:
    """Give the order that puts each image to the segment nearest to where it is said to be.

    None if the detector has several rings, which azimuths alone do not tell apart, or other images than the guess.
    """
    found = [guess.azimuths_deg.get(image_key(image)) for image in images]
    ring = rings(detector)
    if len(ring) != 1 or len(images) != len(detector.quadrants) or None in found:
        return None
    azimuths = [a for a in found if a is not None]
    around = sorted(range(len(azimuths)), key=lambda i: azimuths[i] % 360.0)
    best: tuple[float, tuple[int, ...]] | None = None
    for turn in range(len(around)):  # both run around the circle, so that only the start is open
        order = [0] * len(around)
        for place, segment in enumerate(ring[0]):
            order[segment] = around[(place + turn) % len(around)]
        cost = sum(_apart(azimuths[i], detector.quadrants[k].azimuth_deg) ** 2 for k, i in enumerate(order))
        if best is None or cost < best[0] - 1e-9:
            best = cost, tuple(order)
    return best[1] if best else None


def order_by_name(images: Sequence[SegmentImage], detector: Detector) -> tuple[int, ...] | None:
    """Give the order in which each image has the name of its segment; None unless all names are found once."""
    wanted = [segment.name.casefold() for segment in detector.quadrants]
    for names in ([image.acquisition.segment or "" for image in images], [image.name for image in images]):
        folded = [name.casefold() for name in names]
        if sorted(folded) == sorted(wanted) and len(set(folded)) == len(folded):
            return tuple(folded.index(name) for name in wanted)
    return None


def first_order(segment_set: SegmentSet, known: OrderGuess, detector: Detector | None) -> tuple[int, ...] | None:
    """Give the order to begin with: by stated directions, then by the segments' names, then by shading.

    None to leave the files as they were given.
    """
    if detector is None or len(segment_set.images) != len(detector.quadrants):
        return None
    stated = next((guess for guess in known.guesses if guess.source in ("metadata", "name")), None)
    named = order_by_name(segment_set.images, detector)
    if stated is not None:
        return order_by_azimuth(segment_set.images, stated, detector) or named
    if named is not None:
        return named
    shading = next((guess for guess in known.guesses if guess.source == "shading"), None)
    if shading is None or only_turned(segment_set, shading, detector):
        return None
    return order_by_azimuth(segment_set.images, shading, detector)


def agrees(segment_set: SegmentSet, guess: Guess, detector: Detector, within_deg: float = MISPLACED_DEG) -> bool:
    """Whether each image stands where a guess says it is."""
    found = [guess.azimuths_deg.get(image_key(image)) for image in segment_set.images]
    pairs = zip(found, detector.quadrants, strict=False)
    known = len(found) == len(detector.quadrants) and None not in found
    return known and all(a is not None and _apart(a, segment.azimuth_deg) <= within_deg for a, segment in pairs)


def only_turned(segment_set: SegmentSet, guess: Guess, detector: Detector) -> bool:
    """Whether unsure shading fits the present order but for half a turn, by which hollows and hills change places."""
    half = {key: azimuth + 180.0 for key, azimuth in guess.azimuths_deg.items()}
    unsure = guess.source == "shading" and guess.confidence < SURE
    return unsure and agrees(segment_set, replace(guess, azimuths_deg=half), detector)


def contradicting(segment_set: SegmentSet, known: OrderGuess, detector: Detector) -> tuple[Guess, ...]:
    """Give the guesses that rest on the images themselves and do not agree with their present order."""
    told = (guess for guess in known.guesses if guess.source != "order")
    return tuple(
        guess
        for guess in told
        if not agrees(segment_set, guess, detector) and not only_turned(segment_set, guess, detector)
    )


def azimuths_text(segment_set: SegmentSet, guess: Guess, detector: Detector) -> str:
    """Say where a guess sees each segment."""
    pairs = zip(segment_set.images, detector.quadrants, strict=False)
    return ", ".join(f"{s.name} {guess.azimuths_deg.get(image_key(i), 0.0) % 360:.0f}°" for i, s in pairs)


def with_azimuths(segment_set: SegmentSet, guess: Guess, detector: Detector) -> Detector:
    """Give the detector with each segment turned to where a guess sees the image that it has, in whole degrees.

    In a single ring the segments keep equal distances: the guess says in which order they stand and how the ring is turned.
    """
    pairs = zip(segment_set.images, detector.quadrants, strict=True)
    seen = [guess.azimuths_deg.get(image_key(image), segment.azimuth_deg) for image, segment in pairs]
    if len(rings(detector)) == 1:
        seen = _evenly(seen)
    turned = (
        replace(segment, azimuth_deg=float(round(azimuth) % 360))
        for segment, azimuth in zip(detector.quadrants, seen, strict=True)
    )
    return replace(detector, quadrants=tuple(turned))


def _evenly(azimuths_deg: list[float]) -> list[float]:
    """Give the azimuths of a ring of equal segments that lie nearest to these."""
    step = 360.0 / len(azimuths_deg)
    around = sorted(range(len(azimuths_deg)), key=lambda i: azimuths_deg[i] % 360.0)
    turn = sum(azimuths_deg[i] % 360.0 - step * rank for rank, i in enumerate(around)) / len(around)
    return [turn + step * around.index(i) for i in range(len(azimuths_deg))]


def shading_of(known: OrderGuess) -> Guess | None:
    """Give what the shading says where nothing better is known: no stated directions in metadata or names."""
    if any(guess.source in ("metadata", "name") for guess in known.guesses):
        return None
    return next((guess for guess in known.guesses if guess.source == "shading"), None)


def turned_preset(segment_set: SegmentSet, known: OrderGuess, preset: Detector) -> Detector:
    """Give a preset with its segments where the shading sees them: azimuths in a preset are those of no instrument.

    It is left as it is where the shading fits it but for half a turn, which shading alone does not tell.
    """
    shading = shading_of(known)
    if shading is None or len(segment_set.images) != len(preset.quadrants):
        return preset
    if only_turned(segment_set, shading, preset):
        return preset
    return with_azimuths(segment_set, shading, preset)


def best_preset(segment_set: SegmentSet) -> Detector | None:
    """Give the preset with as many segments as there are images; the one whose names or maker fit, if several do."""
    found = [d for d in presets().values() if len(d.quadrants) == len(segment_set.images)]
    maker = " ".join(image.acquisition.instrument or "" for image in segment_set.images).casefold()

    def fit(detector: Detector) -> int:
        made_for = any(word in maker for word in detector.name.casefold().split() if len(word) > 3)
        return 2 * (order_by_name(segment_set.images, detector) is not None) + made_for

    return max(found, key=fit, default=None)


def _apart(one_deg: float, other_deg: float) -> float:
    return abs((one_deg - other_deg + 180.0) % 360.0 - 180.0)
