"""The built-in examples: what they show and how they are made. They are rendered when opened; no file is shipped."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.detector import Beam, Detector, Segment


@dataclass(frozen=True)
class ExampleInfo:
    """A synthetic specimen in a virtual microscope."""

    title: str
    description: str
    specimen: str  #: kind of surface, as in `core.steps.Specimen`
    pixel_size_nm: float
    rows: int
    columns: int
    detector: Detector
    dose: float  #: mean electrons per pixel and segment on a flat
    grey_per_electron: float
    working_distance_mm: float
    seed: int


def _annular(
    name: str, distance_mm: float, inner_mm: float, outer_mm: float, names: str, energy_kev: float
) -> Detector:
    """Give a ring of equal segments named by the letters of `names`, the first at image right."""
    step = 360.0 / len(names)
    segments = tuple(Segment(letter, i * step, step - 4.0, 1.0, 0.0) for i, letter in enumerate(names))
    beam = Beam(energy_kev, 2.0)
    return Detector(
        name=name,
        distance_mm=distance_mm,
        inner_radius_mm=inner_mm,
        outer_radius_mm=outer_mm,
        quadrants=segments,
        beam=beam,
    )


_FOUR = _annular("Example, four quadrants", 8.0, 2.0, 9.0, "ENWS", 15.0)
_THREE = _annular("Example, three segments", 5.0, 1.5, 5.5, "ABC", 7.0)

EXAMPLES: dict[str, ExampleInfo] = {
    "vickers": ExampleInfo(
        "Vickers indent", "Four faces inclined by 22.0°, 5 µm wide: read their tilt with a profile", "vickers", 10.0, 512, 512,
        _FOUR, 4000.0, 6.0, 8.5, 1,
    ),
    "steps": ExampleInfo(
        "Step bunches", "Terraces and steps of known height: measure one with two cursors", "steps", 2.0, 512, 512,
        _FOUR, 8000.0, 3.0, 8.5, 2,
    ),
    "particles": ExampleInfo(
        "Particles, three segments", "Round particles, steep at the rim: see where the linear method stops", "particles",
        4.0, 384, 512, _THREE, 4000.0, 6.0, 5.5, 3,
    ),
}  # fmt: skip
