"""What the generators share: coordinates, chosen values, and sizes that scatter."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import surface_defaults

Heights = NDArray[np.float64]
Shape = tuple[int, int]
Check = Callable[[], None]

_BAND_VALUES = 1 << 18


def no_check() -> None:
    """Never stop."""


def values(kind: str, shape: Shape, pixel_size_nm: float, given: dict[str, float]) -> dict[str, float]:
    """Give all parameters of a kind: those given, and the defaults.

    Raises
    ------
    EclipsError
        If one is given that the kind does not have.
    """
    known = surface_defaults(kind, *shape, pixel_size_nm)
    for name in given:
        if name not in known:
            raise EclipsError(
                f"the surface '{kind}' has no parameter '{name}'", hint=f"Its parameters are {', '.join(known)}."
            )
    return known | given


def axes(shape: Shape, pixel_size_nm: float) -> tuple[Heights, Heights]:
    """Give x (right) and y (up) in nm from the middle of the field."""
    rows, columns = shape
    x = (np.arange(columns) - (columns - 1) / 2) * pixel_size_nm
    y = ((rows - 1) / 2 - np.arange(rows)) * pixel_size_nm
    return np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)


def by_rows(shape: Shape, pixel_size_nm: float, check: Check, make: Callable[[Heights, Heights], Heights]) -> Heights:
    """Make a surface whose heights depend on x and y alone, in bands of rows with a check after each."""
    x, y = axes(shape, pixel_size_nm)
    height = np.empty(shape)
    for rows in bands(shape[0], shape[1]):
        height[rows] = make(x[rows], y[rows])
        check()
    return height


def bands(count: int, length: int) -> Iterator[slice]:
    """Give slices of `count` lines of `length` values that are worked on between two checks."""
    width = max(1, _BAND_VALUES // length)
    return (slice(first, min(first + width, count)) for first in range(0, count, width))


def turned(x: Heights, y: Heights, azimuth_deg: float) -> tuple[Heights, Heights]:
    """Give the coordinates along an azimuth and across it (90 degrees further)."""
    cosine, sine = np.cos(np.deg2rad(azimuth_deg)), np.sin(np.deg2rad(azimuth_deg))
    return x * cosine + y * sine, y * cosine - x * sine


def slope_of(angle_deg: float) -> float:
    """Give the slope of a face inclined by an angle."""
    return float(np.tan(np.deg2rad(angle_deg)))


def scattered(rng: np.random.Generator, mean_nm: float, spread: float, pixel_size_nm: float) -> float:
    """Draw a length in nm, evenly within plus and minus `spread` times the mean."""
    mean = mean_nm / pixel_size_nm
    return float(rng.uniform((1 - spread) * mean, (1 + spread) * mean)) * pixel_size_nm
