"""Height and hybrid parameters of scale-limited surfaces and profiles (ISO 25178-2:2021, 4.1 and 4.4; ISO 21920-2:2021)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity

Floats = NDArray[np.float64]

_ROUNDING = 1e-9


def heights(values: Floats, letter: str = "S") -> dict[str, Quantity]:
    """Give q, a, sk, ku, p, v and z of heights in nm [n], from their mean (ISO 25178-2, 4.1).

    `letter` begins the names: "S" for areas, "P", "R" or "W" for profiles.
    """
    z = values - values.mean()
    square = z * z
    q = math.sqrt(float(square.mean()))
    cube, fourth = float((square * z).mean()), float((square * square).mean())
    p, v = float(z.max()), -float(z.min())
    return {
        f"{letter}q": Quantity(q, "nm"),
        f"{letter}a": Quantity(float(np.abs(z).mean()), "nm"),
        f"{letter}sk": Quantity(cube / q**3 if q > 0 else math.nan, ""),
        f"{letter}ku": Quantity(fourth / q**4 if q > 0 else math.nan, ""),
        f"{letter}p": Quantity(p, "nm"),
        f"{letter}v": Quantity(v, "nm"),
        f"{letter}z": Quantity(p + v, "nm"),
    }


def check_rough(values: Floats, raw: Floats) -> None:
    """Refuse heights that only rounding tells from their form; `raw` are those before the form was taken out.

    Raises
    ------
    EclipsError
        If there is no roughness.
    """
    if not float(np.ptp(values)) > _ROUNDING * float(np.nanmax(np.abs(raw))):
        raise EclipsError("all heights lie on the form, so there is no roughness", hint="Choose another area.")


def hybrid(height: Floats, inside: NDArray[np.bool_], axes: Floats) -> dict[str, Quantity]:
    """Give the root mean square gradient Sdq and the developed interfacial area ratio Sdr of an area.

    Sdq takes the differences of neighbours along rows and along columns; Sdr the mean of both ways to cut each cell of four
    heights into triangles (ISO 25178-2:2021, D.3). `axes`: see `reading.Patch`.
    """
    dx, dy = float(np.hypot(*axes[:, 0])), float(np.hypot(*axes[:, 1]))
    along, down = np.diff(height, axis=1), np.diff(height, axis=0)
    both_along, both_down = inside[:, 1:] & inside[:, :-1], inside[1:] & inside[:-1]
    if not (both_along.any() and both_down.any()):
        return {"Sdq": Quantity(math.nan, ""), "Sdr": Quantity(math.nan, "%")}
    square = float((along[both_along] ** 2).mean()) / dx**2 + float((down[both_down] ** 2).mean()) / dy**2
    return {"Sdq": Quantity(math.sqrt(square), ""), "Sdr": Quantity(100 * developed(height, inside, axes), "%")}


def developed(height: Floats, inside: NDArray[np.bool_], axes: Floats) -> float:
    """Give by which part the surface is larger than its projection; NaN where no four neighbours are measured."""
    cells = inside[1:, 1:] & inside[1:, :-1] & inside[:-1, 1:] & inside[:-1, :-1]
    if not cells.any():
        return math.nan
    along, down = np.diff(height, axis=1), np.diff(height, axis=0)
    flat = abs(float(np.linalg.det(axes)))
    total = 0.0
    for rise_c in (along[1:], along[:-1]):
        for rise_r in (down[:, 1:], down[:, :-1]):
            c, r = rise_c[cells], rise_r[cells]
            # |(a, c) x (b, r)| of the pixel's axes a, b with their rises c, r
            tilted = (axes[0, 0] * r - axes[0, 1] * c) ** 2 + (axes[1, 0] * r - axes[1, 1] * c) ** 2
            total += float(np.sqrt(flat * flat + tilted).mean())
    return total / (4 * flat) - 1
