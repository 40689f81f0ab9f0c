"""Words and numbers of a certificate, read from a detector file's calibration, in which anything may stand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_STRONG = 0.9  #: correlation that is told
_MOST_TOLD = 8
_WORDS = {
    "distance_mm": "Specimen distance", "inner_radius_mm": "Inner radius", "outer_radius_mm": "Outer radius",
    "center_x_mm": "Axis offset x", "center_y_mm": "Axis offset y", "tilt_x_deg": "Tilt about x", "tilt_y_deg": "Tilt about y",
    "azimuth_deg": "Azimuth of the set", "scan_curvature_per_m": "Curvature of the scan",
    "pixel_aspect": "Pixel height over width",
}  # fmt: skip


def correlations(found: dict[str, Any]) -> list[str]:
    """Say in words which parameters cannot be told apart well: correlations above 0.9, the strongest first."""
    names = [text_of(each) for each in list_of(found, "parameters")]
    try:
        matrix = np.array(found.get("covariance"), float).reshape(len(names), len(names))
    except (TypeError, ValueError):
        return []
    deviations = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    matrix = matrix / deviations / deviations[:, None]
    pairs = [(matrix[i, j], names[i], names[j]) for i in range(len(names)) for j in range(i)]
    strong = sorted((each for each in pairs if abs(each[0]) > _STRONG), key=lambda each: -abs(each[0]))
    told = [
        f"{word_of(a)} and {_small(word_of(b))} {'grow together' if r > 0 else 'go against each other'} (correlation "
        f"{abs(r):.2f}): their values are known worse apart than in common."
        for r, a, b in strong[:_MOST_TOLD]
    ]
    left = len(strong) - len(told)
    return told + [f"{left} more pairs are as strongly correlated."] * (left > 0)


def word_of(name: str) -> str:
    """Give the word for a parameter."""
    kind, _, of = name.partition(":")
    if of:
        return f"{kind.capitalize()} {of.replace('_', ' ') if kind == 'emission' else of}"
    return _WORDS.get(name, name)


def rounded(value: float | None, std: float | None) -> str:
    """Write a value to the second significant digit of its deviation; to five digits where there is none."""
    if value is None:
        return "–"
    if not std or not math.isfinite(std):
        return f"{value:.5g}"
    decimals = 1 - math.floor(math.log10(std))
    return f"{value:.{max(decimals, 0)}f}" if -6 < decimals < 9 else f"{value:.3g}"


def date_of(found: dict[str, Any]) -> str:
    """Give the date without its seconds."""
    date = text_of(found.get("date"))
    return date[:16].replace("T", " ") + (" UTC" if date.endswith(("+00:00", "Z")) else date[19:])


def count(value: float) -> str:
    """Write a large number with thin gaps."""
    return f"{value:,.0f}".replace(",", "\u202f")


def shortened(text: str, letters: int) -> str:
    """Cut a text to so many letters."""
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _small(word: str) -> str:
    return word[:1].lower() + word[1:]


def list_of(content: Any, key: str) -> list[Any]:
    """Give the list under a key; empty if there is none."""
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, list) else []


def numbers_of(values: Any) -> list[float]:
    """Give a list of numbers, with NaN for what is none."""
    known = [number_of(each) for each in values] if isinstance(values, list) else []
    return [math.nan if each is None else each for each in known]


def number_of(value: Any) -> float | None:
    """Give a finite number; None for anything else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


def text_of(value: Any) -> str:
    """Give anything as one line of text; nothing for None."""
    return "" if value is None else " ".join(str(value).split())
