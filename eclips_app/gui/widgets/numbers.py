"""How the window writes numbers."""

from __future__ import annotations

import math

_MOST_DECIMALS = 6
_LARGEST = 1e7  #: beyond, and below the smallest decimal, powers of ten are written


def with_std(value: float, std: float | None) -> str:
    """Write a value with two digits of its standard deviation, and no digit that says nothing; without one, five digits."""
    if std is None or not 0 < std < math.inf:
        return f"{value:.5g}" if std is None else f"{value:.4g} ± {std:.2g}"
    decimals = max(1 - math.floor(math.log10(std)), 0)
    if decimals > _MOST_DECIMALS or abs(value) >= _LARGEST:
        return f"{value:.5g} ± {std:.2g}"
    return f"{value:.{decimals}f} ± {std:.{decimals}f}"
