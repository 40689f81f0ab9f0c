"""What the panel shows of facets, worked out without widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.crystal import hkl_text
from eclips_app.core.units import Quantity
from eclips_app.metrology.crystal_index import Candidate, Indexed
from eclips_app.metrology.facets.found import Found
from eclips_app.metrology.facets.picture import facet_color, relief
from eclips_app.metrology.facets.report import is_parallel
from eclips_app.model.items import FacetSet, HeightMap, Run

Floats = NDArray[np.floating]

_MOST_PX = 1 << 20  #: of a picture that is drawn at once
_STRENGTH, _CHOSEN_STRENGTH = 105, 190  #: opacity of facets' colours, of 255
_AREA_UNITS = ((1e12, "mm²"), (1e6, "µm²"), (1.0, "nm²"))
_MOST_DIGITS = 3  #: after the point


@dataclass(frozen=True, eq=False)
class Picture:
    """The relief of a source as grey values [row, col], and the facets' labels on it.

    Large ones are thinned out: their rows and columns are `step_px` pixels apart.
    """

    relief: NDArray[np.float32]
    labels: NDArray[np.integer] | None
    step_px: int
    origin_px: tuple[int, int]
    pixel_size_nm: float


def picture(source: Run | HeightMap, facet_set: FacetSet | None) -> Picture:
    """Shade the heights of a source; a good part of a second for large maps, so not in the window's thread."""
    height = source.arrays["height"] if isinstance(source, Run) else source.height
    x, y = (source.pixel_size_nm,) * 2 if isinstance(source, Run) else source.pixel_size_nm
    shade = relief(height, (x, y))
    origin = source.origin_px if isinstance(source, Run) else (0, 0)
    step = max(1, math.ceil(math.sqrt(shade.size / _MOST_PX)))
    labels = facet_set.arrays["labels"][::step, ::step] if facet_set is not None else None
    return Picture(shade[::step, ::step], labels, step, origin, float(x))


def overlay(labels: NDArray[np.integer], count: int, chosen: tuple[int, ...]) -> NDArray[np.uint8]:
    """Give the facets' colours [row, col, 4] with opacity."""
    table = np.zeros((count + 1, 4), np.uint8)
    for number in range(1, count + 1):
        table[number] = (*facet_color(number), _CHOSEN_STRENGTH if number in chosen else _STRENGTH)
    return np.asarray(table[labels])


def quantity_words(quantity: Quantity) -> str:
    """Write a quantity with its deviation, both to the digits that the deviation leaves."""
    unit = "°" if quantity.unit == "deg" else f" {quantity.unit}"
    if not math.isfinite(quantity.value):
        return "–"
    if not quantity.std or not math.isfinite(quantity.std):
        return f"{quantity.value:.4g}{unit}"
    if quantity.std < 5e-4:
        return f"{quantity.value:.3f}{unit}"
    digits = min(max(0, 1 - math.floor(math.log10(quantity.std))), _MOST_DIGITS)
    return f"{quantity.value:.{digits}f} ± {quantity.std:.{digits}f}{unit}"


def area_words(area_nm2: float) -> str:
    """Write an area in the unit that suits it."""
    scale, unit = next(((s, u) for s, u in _AREA_UNITS if area_nm2 >= 0.01 * s), _AREA_UNITS[-1])
    return f"{area_nm2 / scale:.4g} {unit}"


@dataclass(frozen=True)
class FacetRow:
    """A line of the table of facets."""

    number: int
    slope: str
    azimuth: str
    plane: str
    area: str
    rms: str
    is_reference: bool


def facet_rows(found: Found, reference: int, indexed: Indexed | None) -> list[FacetRow]:
    """Give the table's lines."""
    rows = []
    for number in found.numbers:
        is_reference = number == reference
        slope = "reference" if is_reference else quantity_words(found.tilt(number, reference).quantity)
        azimuth = "–"
        if not is_parallel(found, number, reference):
            azimuth = quantity_words(found.fall_azimuth(number, reference).quantity)
        candidates = indexed.candidates.get(number, ()) if indexed is not None else ()
        if is_reference and indexed is not None:
            plane = f"{hkl_text(indexed.tops[0][0])} top"
        else:
            plane = candidate_words(candidates[0]) if candidates else ""
        rms = f"{float(found.facts[number]['rms_nm']):.3g} nm"
        rows.append(
            FacetRow(number, slope, azimuth, plane, area_words(found.area_nm2(number).value), rms, is_reference)
        )
    return rows


def candidate_words(candidate: Candidate) -> str:
    """Write the likeliest plane with its probability."""
    name = "none" if candidate.hkl is None else hkl_text(candidate.hkl)
    return f"{name} {100 * candidate.probability:.0f} %"


def orientation_words(indexed: Indexed) -> str:
    """Say how the crystal lies, and how sure that is."""
    tops = ", ".join(f"{hkl_text(hkl)} {100 * chance:.0f} %" for hkl, chance in indexed.tops[:3] if chance >= 0.005)
    told = indexed.orientation
    if told.in_plane_deg.std is None:
        azimuth = "in-plane azimuth not told by these facets"
    else:
        turns = f" (alike every {360 / told.turns:.0f}°)" if told.turns > 1 else ""
        azimuth = f"in-plane azimuth {quantity_words(told.in_plane_deg)}{turns}"
    fit = f"χ² {told.chi2:.3g} of {told.dof}" if told.assigned else "no facet fits a plane"
    return f"Top {tops}; {azimuth}; {fit}."


def angle_words(found: Found, one: int, other: int) -> str:
    """Write the angle between two facets, inside and outside."""
    angle = found.angle(one, other).quantity
    outer = Quantity(180.0 - angle.value, "deg", angle.std)
    return f"Facets {one} and {other}: normals {quantity_words(angle)} apart, external angle {quantity_words(outer)}"


def poles_in_image(indexed: Indexed, found: Found, reference: int, most_squares: int = 3) -> list[tuple[str, Floats]]:
    """Give the poles of low indices, with their names, in the frame of the image."""
    frame = _frame(found, reference)
    poles = indexed.poles
    turn = indexed.orientation.rotation @ poles.base.T
    low = [
        (hkl, normal)
        for hkl, normal in zip(poles.members, poles.normals, strict=True)
        if (hkl**2).sum() <= most_squares
    ]
    return [(hkl_text((int(h[0]), int(h[1]), int(h[2])), "  ").strip(), (turn @ n) @ frame) for h, n in low]


def _frame(found: Found, reference: int) -> Floats:
    """Give the axes of the reference plane as rows, in the frame of the image."""
    z: Any = np.array([0.0, 0.0, 1.0]) if reference < 0 else found.normals[reference]
    x = np.array([1.0, 0.0, 0.0]) - z[0] * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
