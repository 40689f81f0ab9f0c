"""Whether a detector's calibration can be right for a set of images: evidence (step ``check-calibration``) in words.

What images can tell without an object of known shape is little but real: whether the segments agree with each other, whether
their sum falls with the tilt as it should, and whether conditions are those of the calibration. An exchange of opposite
segments, which turns hills into hollows, is not among it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHECKS = {
    "conditions": "Conditions", "order": "Order of the segments", "gains": "Gains", "balance": "Segment balance",
    "flat": "Flat area", "sum": "Sum over the segments", "bowl": "Scan parallax",
}  # fmt: skip
_MISFIT_WARNING, _MISFIT_ERROR = 0.8, 2.5  #: % of the signal beyond noise
_SHARE_PERCENT = 2.0  #: of a segment's share, that no tilt explains
#: Part by which slopes are read wrong; shadows and edges alone make some 0.03.
_SCALE_WARNING, _SCALE_ERROR = 0.04, 0.10
_SURE, _CERTAIN = 3.0, 5.0  #: standard deviations
_TILT_DEG = 5.0  #: of an area that should be level
_ROUGH_DEG = 2.5  #: scatter of the tilt on an area that may be called flat
_LEFT_BOWL = 0.3  #: of the predicted one


@dataclass(frozen=True)
class Finding:
    """What one check says.

    Attributes
    ----------
    check : str
        A key of `CHECKS`.
    tone : str
        "good", "info" (cannot be told), "warning" or "error" (the calibration cannot be right).
    text : str
        One sentence: what is there, and what to do.
    """

    check: str
    tone: str
    text: str

    @property
    def title(self) -> str:
        """The check in words."""
        return CHECKS[self.check]


@dataclass(frozen=True)
class Opinion:
    """All findings, and what they come to."""

    tone: str
    text: str
    findings: tuple[Finding, ...]


def judge(evidence: Mapping[str, Any], differences: Sequence[str] = ()) -> Opinion:
    """Put evidence into words.

    Parameters
    ----------
    evidence : mapping
        ``info`` of the step ``check-calibration``.
    differences : sequence of str
        Between the conditions of images and calibration (`core.calibration_match.differences`).
    """
    findings = [Finding("conditions", "warning", text) for text in differences]
    findings += _agreement(evidence["misfit"])
    findings += _balance(evidence["balance"], evidence["segments"])
    findings += _flat(evidence["flat"], evidence["segments"])
    findings += _sum(evidence["sum"])
    findings += _bowl(evidence["bowl"])
    return Opinion(*_overall(findings), tuple(findings))


def _overall(findings: Sequence[Finding]) -> tuple[str, str]:
    wrong = {tone: [f.title.lower() for f in findings if f.tone == tone] for tone in ("error", "warning", "good")}
    if wrong["error"]:
        return "error", f"The calibration cannot be right for these images: {_listed(wrong['error'])}."
    if wrong["warning"]:
        return "warning", f"The calibration may be off for these images: {_listed(wrong['warning'])}."
    if any(f.tone == "good" and f.check == "sum" for f in findings):
        return "good", "Nothing in these images contradicts the calibration."
    return "info", "Nothing contradicts the calibration, but these images cannot test the scale of its slopes."


def _agreement(misfit: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether more than three segments agree with each other, or would with other gains or in another order."""
    if misfit is None:
        yield Finding("gains", "info", "Three segments leave nothing over that could test gains or order.")
        return
    left, levelled = (_beyond(misfit[key], misfit["noise_percent"]) for key in ("file", "levelled"))
    others = [(each["segments"], _beyond(each["percent"], misfit["noise_percent"])) for each in misfit["swapped"]]
    if left < _MISFIT_WARNING:
        yield Finding(
            "gains", "good", f"The segments agree with each other within {max(left, 0.1):.1g} % of the signal."
        )
        return
    told = f"The segments contradict each other by {left:.2g} % of the signal beyond noise"
    pairs = [f"{a} and {b}" for (a, b), rest in others if rest < left / 4]
    tone = "error" if left > _MISFIT_ERROR else "warning"
    if pairs:
        either = ", or with gains that level the image" if levelled < left / 2 else ""
        words = f"{told}; they would not if {' or '.join(pairs)} were exchanged{either}: check the order of the images."
        yield Finding("order", tone, words)
    elif levelled < left / 2:
        words = f"{told}, but only by {levelled:.2g} % with gains that level the image: gains or offsets of the file do not hold."
        yield Finding("gains", tone, words)
    else:
        words = f"{told}, whatever their gains: check order and registration of the images, offsets, and the axis."
        yield Finding("gains", tone, words)


def _balance(balance: Mapping[str, Any], names: Sequence[str]) -> Iterator[Finding]:
    """Whether the shares of the segments over the field are those of a level specimen."""
    worst, name = _worst(balance, names)
    if abs(worst) > _SHARE_PERCENT:
        words = f"Half of the field gives {name} a share {worst:+.2g} % off what any tilt explains: gains or offsets do not hold."
        yield Finding("balance", "warning", words)
    elif balance["tilt_deg"] > _TILT_DEG:
        words = (
            f"The field as a whole reads as tilted by {balance['tilt_deg']:.2g}° towards {balance['azimuth_deg']:.0f}°: the "
            "specimen is, or gains, offsets or the detector's axis are off."
        )
        yield Finding("balance", "warning", words)
    else:
        yield Finding("balance", "good", f"The field as a whole reads as level within {balance['tilt_deg']:.2g}°.")


def _flat(flat: Mapping[str, Any] | None, names: Sequence[str]) -> Iterator[Finding]:
    """Whether the flattest area reads as flat and level."""
    if flat is None or flat["rough_deg"] > _ROUGH_DEG:
        yield Finding("flat", "info", "No area is flat enough to compare the segments on it.")
        return
    row, column, end_row, end_column = flat["area"]
    place = f"rows {row}–{end_row}, columns {column}–{end_column}"
    worst, name = _worst(flat, names)
    if abs(worst) > _SHARE_PERCENT:
        words = f"On the flattest area ({place}) {name} is {worst:+.2g} % off any tilt: gains or offsets do not hold."
        yield Finding("flat", "warning", words)
    elif flat["tilt_deg"] > _TILT_DEG:
        words = (
            f"The flattest area ({place}) reads as tilted by {flat['tilt_deg']:.2g}° towards {flat['azimuth_deg']:.0f}°: if it "
            "should be level, gains, offsets or the detector's axis are off."
        )
        yield Finding("flat", "warning", words)
    else:
        yield Finding("flat", "good", f"The flattest area ({place}) reads as level within {flat['tilt_deg']:.2g}°.")


def _sum(found: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether the sum of the signals follows the tilt as the emission model says."""
    if found is None or found["scale_std"] > _SCALE_ERROR:
        yield Finding("sum", "info", "Too little is evenly tilted to test distance, radii and emission.")
        return
    off, std = found["scale"] - 1, found["scale_std"]
    steepest = found["tilt_deg"][-1]
    if abs(off) > _SCALE_WARNING and abs(off) > _SURE * std:
        way = "steep" if off > 0 else "flat"
        least = "at least " if found["at_limit"] else ""
        words = (
            f"The sum of the signals, up to {steepest:.0f}° of tilt, falls as if slopes were read {least}{100 * abs(off):.2g} % "
            f"too {way} (± {100 * std:.1g} %): distance, radii, offsets or emission model, unless the material follows the slope."
        )
        certain = abs(off) > _SCALE_ERROR and abs(off) > _CERTAIN * std
        yield Finding("sum", "error" if certain else "warning", words)
        return
    words = f"The sum of the signals follows the tilt as it should, up to {steepest:.0f}° (slopes within {200 * std:.1g} %)."
    yield Finding("sum", "good", words)


def _bowl(found: Mapping[str, float]) -> Iterator[Finding]:
    """Whether the field is flat after correction of the scan parallax; a specimen may be bowed itself, so that it is no error."""
    predicted, left, std = (found[key] for key in ("predicted_per_m", "left_per_m", "std_per_m"))
    if _SURE * std > _LEFT_BOWL * abs(predicted) or predicted == 0:
        yield Finding("bowl", "info", "The field is too small or too rough to see the scan parallax.")
    elif abs(left) > _LEFT_BOWL * abs(predicted) and abs(left) > _CERTAIN * std:
        words = (
            f"A bowl of {1e3 / abs(left):.2g} mm radius is left, where the scan parallax is one of {1e3 / abs(predicted):.2g} "
            "mm: distance, radii, offsets or the scan's pivot are off, unless the specimen is bowed."
        )
        yield Finding("bowl", "warning", words)
    else:
        yield Finding("bowl", "good", "The field is flat after correction of the scan parallax.")


def _worst(balance: Mapping[str, Any], names: Sequence[str]) -> tuple[float, str]:
    return max(zip(balance["left_percent"], names, strict=True), key=lambda each: abs(each[0]))


def _beyond(percent: float, noise: float) -> float:
    """Take the noise out of what is left over."""
    return math.sqrt(max(percent**2 - noise**2, 0.0))


def _listed(words: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))
