"""Perceptually uniform colour maps that readers with colour-blindness can tell apart too.

`viridis` (Smith and van der Walt, 2015) and `cividis` (Nuñez, Anderton and Renslow, PLoS ONE 13 (2018) e0199239) are in the
public domain (CC0); every fifth entry of their 256 is kept and the others are interpolated, at most 1 % off. `diverging`
was made for this program: blue and orange arms of equal lightness in Oklab that meet in a light grey.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

#: Colours at equal distances as rrggbb, from the lowest value to the highest.
_POINTS = {
    "viridis": "44015446085c471063481769481d6f482475472a7a46307e453781433d844142873f48893d4e8a3a538b38598c355e8d33638d"
    "31688e2e6d8e2c718e2a768e297b8e27808e25848e23898e218e8d20928c1f978b1e9c891fa18821a58524aa8328ae802eb37c"
    "35b7793dbc7446c06f50c46a5ac86465cb5e70cf577cd25089d54895d840a2da37b0dd2fbddf26cae11fd8e219e5e419f1e51d"
    "fde725",
    "cividis": "00224e002656002a5f002d68003070083370163770203a6f273e6e2e416d34456c3a486c3f4c6c444f6c49536c4e566c535a6d"
    "575d6d5c616e60646f656870696b716d6f727272747676767a7a787e7d788381798885788d8878928c789690779b9476a09875"
    "a59c74aaa073afa471b5a86fbaac6dbfb06bc4b468c9b965cfbd62d4c15fdac65bdfca57e5cf52ead34cf0d846f6dd3ffce236"
    "fee838",
    "gray": "000000ffffff",
    "diverging": "0b4c92255fa63c73b85588c8709cd68cb1e2aac6eacadaf0eeeeeeedd3c5e4b9a1d9a080cb8761bb7044a95a27964401823000",
}

NAMES = tuple(_POINTS)


@cache
def table(name: str) -> NDArray[np.uint8]:
    """Give a colour map as [256, 3] red, green, blue from 0 to 255; read-only.

    Raises
    ------
    EclipsError
        If there is no map of this name.
    """
    if name not in _POINTS:
        raise EclipsError(f"there is no colour map '{name}'", hint=f"Choose one of {', '.join(NAMES)}.")
    points = np.frombuffer(bytes.fromhex(_POINTS[name]), np.uint8).reshape(-1, 3)
    at = np.linspace(0, len(points) - 1, 256)
    colors = np.stack([np.interp(at, np.arange(len(points)), channel) for channel in points.T], axis=-1)
    result = np.round(colors).astype(np.uint8)
    result.flags.writeable = False
    return result


def colorize(values: NDArray[np.generic], name: str, low: float, high: float) -> NDArray[np.uint8]:
    """Colour an array: `low` and below get the first colour, `high` and above the last, NaN the first.

    Gives uint8 of the shape of `values` with red, green, blue as a last axis.
    """
    span = high - low
    scale = 255.0 / span if span > 0 else 0.0
    scaled = np.nan_to_num((values.astype(np.float32) - np.float32(low)) * np.float32(scale), nan=0.0)
    result: NDArray[np.uint8] = table(name)[np.clip(scaled + 0.5, 0, 255).astype(np.uint8)]
    return result


def auto_range(
    values: NDArray[np.generic], valid: NDArray[np.bool_] | None = None, *, symmetric: bool = False
) -> tuple[float, float]:
    """Give the limits that hold all but 0.2 % of the finite, valid values [row, col]; with `symmetric`, equally far from 0.

    Large images are sampled every few pixels, which is enough for a percentile. (0, 1) if nothing is finite.
    """
    step = max(1, int(np.sqrt(values.size / 60_000)))
    sample = values[::step, ::step]
    known = np.isfinite(sample)
    if valid is not None:
        known &= valid[::step, ::step]
    finite = sample[known]
    if finite.size == 0:
        return 0.0, 1.0
    if symmetric:
        reach = float(np.percentile(np.abs(finite.astype(np.float64)), 99.8)) or 1.0
        return -reach, reach
    low, high = (float(v) for v in np.percentile(finite.astype(np.float64), (0.1, 99.9)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)
