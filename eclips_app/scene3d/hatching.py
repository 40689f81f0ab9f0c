"""Hatching of doubtful areas: stripes over a picture, of one colour and direction for each flag of `core.deviations`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.deviations import CLIPPED, NO_DATA, OCCLUDED, OUT_OF_MODEL

PERIOD_PX = 9  #: from stripe to stripe along a row


@dataclass(frozen=True)
class Stripes:
    """How the areas of a flag are hatched."""

    name: str
    color: tuple[int, int, int]
    rising: bool  #: like a slash
    half: bool  #: moved by half a period, so that both areas show where two flags of one direction meet


STRIPES: dict[int, Stripes] = {
    NO_DATA: Stripes("no data", (255, 255, 255), True, False),
    CLIPPED: Stripes("clipped", (110, 200, 255), False, False),
    OCCLUDED: Stripes("occluded", (255, 120, 220), True, True),
    OUT_OF_MODEL: Stripes("out of model", (255, 84, 48), False, True),
}


def flag_names(value: int) -> list[str]:
    """Give the short names of the flags of a pixel."""
    return [stripes.name for bit, stripes in STRIPES.items() if value & bit]


def hatch(flags: NDArray[np.uint8], period: int = PERIOD_PX) -> NDArray[np.uint8]:
    """Give stripes as [row, col, 4] red, green, blue, alpha; transparent between them and where no flag is set.

    Stripes have a dark edge, so that they show on any colour.
    """
    row, col = np.arange(flags.shape[0])[:, None], np.arange(flags.shape[1])[None]
    width = max(1, period // 4)
    picture = np.zeros((*flags.shape, 4), np.uint8)
    for bit, stripes in STRIPES.items():
        set_here = (flags & bit) > 0
        if not set_here.any():
            continue
        phase = (row + (col if stripes.rising else -col) + (period // 2 if stripes.half else 0)) % period
        picture[set_here & (phase == width)] = (0, 0, 0, 170)
        picture[set_here & (phase < width)] = (*stripes.color, 235)
    return picture


def lay_over(rgb: NDArray[np.uint8], flags: NDArray[np.uint8], period: int = PERIOD_PX) -> NDArray[np.uint8]:
    """Give a picture [row, col, 3] with the areas of its `flags` [row, col] hatched."""
    stripes = hatch(flags, period)
    part = stripes[..., 3:].astype(np.float32) / 255
    result: NDArray[np.uint8] = (rgb + part * (stripes[..., :3].astype(np.float32) - rgb)).astype(np.uint8)
    return result
