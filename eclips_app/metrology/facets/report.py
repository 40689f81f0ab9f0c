"""The readings of found facets as JSON values: the same for the command line and the window."""

from __future__ import annotations

from typing import Any

from eclips_app.core.crystal import Crystal
from eclips_app.core.units import Quantity
from eclips_app.metrology.crystal_index import Indexed, index
from eclips_app.metrology.facets.found import Found


def facet_row(found: Found, number: int, reference: int) -> dict[str, Any]:
    """Give a facet's readings as {"value", "std", "unit"}; azimuths are left out where it lies in the reference plane."""
    facts = found.facts[number]
    row: dict[str, Any] = {
        "number": number,
        "area": found.area_nm2(number).to_json(),
        "rms": Quantity(facts["rms_nm"], "nm").to_json(),
        "centre_px": facts["centre_px"],
        "pixels": facts["pixels"],
    }
    if number == reference:
        return row
    row["slope"] = found.tilt(number, reference).to_json()
    step = found.step(reference, number, reference) if reference > 0 else None
    if step is not None:
        row["height_above_reference"] = step.to_json()
    if not is_parallel(found, number, reference):
        row["fall_azimuth"] = found.fall_azimuth(number, reference).to_json()
        row["trace_azimuth"] = found.trace_azimuth(number, reference).to_json()
    return row


def is_parallel(found: Found, number: int, reference: int) -> bool:
    """Whether a facet's tilt is within two standard deviations, so that its azimuth means nothing."""
    tilt = found.tilt(number, reference).quantity
    return number == reference or tilt.value <= 2 * (tilt.std or 0.0) or tilt.value < 1e-6


def angle_rows(found: Found) -> list[dict[str, Any]]:
    """Give the angles between the normals of all pairs of facets."""
    rows = []
    for one in found.numbers:
        for other in range(one + 1, len(found) + 1):
            reading = found.angle(one, other)
            outer = Quantity(180.0 - reading.quantity.value, "deg", reading.quantity.std)
            rows.append({"facets": [one, other], "angle": reading.to_json(), "external_angle": outer.to_json()})
    return rows


def index_found(found: Found, reference: int, crystal: Crystal) -> Indexed:
    """Rank the planes that the facets may be, with the reference as the crystal's top plane."""
    return index({n: found.direction(n, reference) for n in found.numbers if n != reference}, crystal)


def crystal_rows(indexed: Indexed) -> dict[str, Any]:
    """Give top planes, orientation and candidates."""
    told = indexed.orientation
    return {
        "top": [{"hkl": list(hkl), "probability": chance} for hkl, chance in indexed.tops],
        "orientation": {
            "in_plane_azimuth": told.in_plane_deg.to_json(), "alike_turns": told.turns, "miscut": told.miscut_deg.to_json(),
            "rotation": told.rotation, "chi2": told.chi2, "dof": told.dof,
            "assigned": {str(number): list(hkl) for number, hkl in told.assigned.items()},
        },
        "candidates": {
            str(number): [each.to_json() for each in candidates] for number, candidates in indexed.candidates.items()
        },
    }  # fmt: skip
