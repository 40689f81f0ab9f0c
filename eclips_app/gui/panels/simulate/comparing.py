"""What the comparison of a network with the exact model says, worked out without widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows.live_comparison import Comparison

_FEW = 1 << 18  #: numbers are taken from about so many pixels, evenly spread
_LEAST_PERCENT = 0.1  #: the colours of the difference never mean less

ADVICE = (
    "A network that imitates Horizons, which on a processor is faster and has no error. Use one to learn how far such networks "
    "can be trusted, or for long series on a graphics card."
)


@dataclass(frozen=True, eq=False)
class Difference:
    """One segment of a network beside the exact model.

    Attributes
    ----------
    network, exact : array [row, col]
        Images without noise.
    percent : array [row, col]
        Network less exact, in percent of the exact mean of the segment.
    mean_percent, high_percent : float
        Mean of the absolute difference, and its 99th percentile.
    """

    network: NDArray[np.float32]
    exact: NDArray[np.float32]
    percent: NDArray[np.float32]
    mean_percent: float
    high_percent: float

    @property
    def limit_percent(self) -> float:
        """The difference at the ends of the colours."""
        return max(self.high_percent, _LEAST_PERCENT)


def difference(comparison: Comparison, segment: int) -> Difference:
    """Compare the images of a segment."""
    network, exact = comparison.network[segment], comparison.exact[segment]
    percent = (network - exact) * np.float32(100.0 / max(float(exact.mean()), 1e-12))
    step = max(1, int(math.sqrt(percent.size / _FEW)))
    few = np.abs(percent[::step, ::step])
    return Difference(network, exact, percent, float(few.mean()), float(np.percentile(few, 99)))


def facts(shown: Difference) -> str:
    """Say how far both differ."""
    return (
        f"Differs by {_percent(shown.mean_percent)} of the mean signal on average, {_percent(shown.high_percent)} at the 99th "
        "percentile"
    )


def legend(inks: tuple[str, str]) -> str:
    """Name the curves of the exact model and the network, in their colours, as rich text."""
    exact, network = inks
    return (
        f"<span style='color:{exact}'><b>──</b></span> exact&nbsp;&nbsp; "
        f"<span style='color:{network}'><b>╌╌</b></span> network"
    )


def outside_text(share: float | None) -> str:
    """Say how much of the surface is unlike what a network has learnt from; empty if nothing is."""
    if not share:
        return ""
    part = "Less than 0.1 %" if share < 1e-3 else f"{100 * share:.2g} %"
    return f"{part} of the surface is unlike all that the network has learnt from (hatched). Do not trust it there."


def _percent(value: float) -> str:
    return f"{value:.2g} %" if value >= 0.005 else "less than 0.01 %"
