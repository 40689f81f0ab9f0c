"""The material ratio (Abbott-Firestone) curve and what is read from it (ISO 25178-2:2021, 4.5; ISO 21920-2:2021).

Material ratios are parts from 0 (above the highest point) to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.units import Quantity

Floats = NDArray[np.float64]

_POINTS = 10_000  #: intervals of the curve; 40 % is a whole number of them
_WINDOW = _POINTS * 2 // 5


@dataclass(frozen=True, eq=False)
class Bearing:
    """The curve: heights in nm [_POINTS + 1], falling, at equally spaced material ratios."""

    ratio: Floats
    height: Floats

    @classmethod
    def of(cls, values: Floats) -> Bearing:
        """Give the curve of heights [n], from their mean."""
        ratio = np.linspace(0.0, 1.0, _POINTS + 1)
        return cls(ratio, np.quantile(values - values.mean(), 1 - ratio))

    def height_at(self, ratio: float) -> float:
        """Smc: the height above which lies this part of the surface."""
        return float(np.interp(ratio, self.ratio, self.height))

    def ratio_at(self, height: float) -> float:
        """Smr: the part of the surface above a height."""
        if height >= self.height[0]:
            return 0.0
        if height < self.height[-1]:
            return 1.0
        return float(np.interp(-height, -self.height, self.ratio))

    def material_above(self, ratio: float) -> float:
        """Vm: volume of material above Smc(ratio) per area, in nm³/nm²."""
        return self._between(0.0, ratio) - ratio * self.height_at(ratio)

    def void_below(self, ratio: float) -> float:
        """Vv: volume of the void below Smc(ratio) per area, in nm³/nm²."""
        return (1 - ratio) * self.height_at(ratio) - self._between(ratio, 1.0)

    def _between(self, low: float, high: float) -> float:
        inside = (self.ratio > low) & (self.ratio < high)
        x = np.concatenate([[low], self.ratio[inside], [high]])
        return float(np.trapezoid(np.interp(x, self.ratio, self.height), x))


def core(curve: Bearing, letter: str = "S") -> dict[str, Quantity]:
    """Give the core height k, the reduced peak and dale heights pk and vk, and the material ratios mr1 and mr2.

    The line of least squares through the 40 % of the curve where its secant is least steep, the first of equals, cuts
    ratios 0 and 100 %: the core lies between. The areas above and below it, as triangles over mr1 and 100 % - mr2, have
    the heights pk and vk (ISO 25178-2:2021, 4.5 and annex B).
    """
    z = curve.height
    drop = z[:-_WINDOW] - z[_WINDOW:]
    start = int(np.flatnonzero(drop <= drop.min() * (1 + 1e-12))[0])
    part = slice(start, start + _WINDOW + 1)
    middle = curve.ratio[part].mean()
    off = curve.ratio[part] - middle
    slope = float(off @ z[part] / (off @ off))
    upper = float(z[part].mean()) - slope * middle
    lower = upper + slope
    mr1, mr2 = curve.ratio_at(upper), curve.ratio_at(lower)
    peaks = curve.material_above(mr1) - mr1 * (upper - curve.height_at(mr1))
    dales = curve.void_below(mr2) - (1 - mr2) * (curve.height_at(mr2) - lower)
    return {
        f"{letter}k": Quantity(upper - lower, "nm"),
        f"{letter}pk": Quantity(2 * peaks / mr1 if mr1 > 0 else 0.0, "nm"),
        f"{letter}vk": Quantity(2 * dales / (1 - mr2) if mr2 < 1 else 0.0, "nm"),
        f"{letter}mr1": Quantity(100 * mr1, "%"),
        f"{letter}mr2": Quantity(100 * mr2, "%"),
    }


def volumes(curve: Bearing, p: float, q: float) -> dict[str, Quantity]:
    """Give Vmp, Vmc, Vvc and Vvv for the material ratios p and q (ISO 25178-2:2021, 4.5; parts of 1)."""
    peaks, dales = curve.material_above(p), curve.void_below(q)
    return {
        "Vmp": Quantity(peaks, "nm³/nm²"),
        "Vmc": Quantity(curve.material_above(q) - peaks, "nm³/nm²"),
        "Vvc": Quantity(curve.void_below(p) - dales, "nm³/nm²"),
        "Vvv": Quantity(dales, "nm³/nm²"),
    }


def plots(curve: Bearing) -> dict[str, Floats]:
    """Give the curve for a plot, in %: at most some thousand points."""
    thin = slice(None, None, max(1, _POINTS // 1000))
    return {"bearing/x": 100 * curve.ratio[thin], "bearing/y": curve.height[thin]}
