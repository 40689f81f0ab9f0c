"""The detector file, `eclips-detector/1`: the geometry of a segmented backscattered-electron detector."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import choice, quantity

SCHEMA = "eclips-detector/1"


@dataclass(frozen=True)
class Segment:
    """One electrically separate part of the detector."""

    name: str
    azimuth_deg: float = quantity(
        label="Azimuth", unit="°", low=-360, high=360, help="Middle of the segment; 0 is image right, 90 is image up."
    )
    span_deg: float = quantity(label="Span", unit="°", low=1, high=360, help="Angle that the segment covers.")
    gain: float = quantity(label="Gain", low=1e-6, high=1e6, help="Relative signal per detected electron.")
    offset: float = quantity(label="Offset", unit="grey", low=-1e9, high=1e9, help="Grey value without signal.")
    inner_radius_mm: float | None = quantity(
        None, label="Inner radius", unit="mm", low=0, high=200, help="Only for detectors of several rings."
    )
    outer_radius_mm: float | None = quantity(
        None, label="Outer radius", unit="mm", low=0.01, high=200, help="Only for detectors of several rings."
    )


@dataclass(frozen=True)
class Beam:
    """The primary beam."""

    energy_kev: float = quantity(label="Beam energy", unit="keV", low=0.05, high=300)
    probe_fwhm_nm: float = quantity(label="Probe diameter (FWHM)", unit="nm", low=0, high=10000)


@dataclass(frozen=True)
class Bias:
    """Potentials of specimen and detector against ground."""

    specimen_v: float = quantity(0.0, label="Specimen bias", unit="V", low=-50000, high=50000)
    detector_v: float = quantity(0.0, label="Detector bias", unit="V", low=-50000, high=50000)


@dataclass(frozen=True)
class PolePiece:
    """The electrode above the specimen."""

    distance_mm: float = quantity(label="Pole piece distance", unit="mm", low=0.1, high=200)
    bore_radius_mm: float = quantity(label="Bore radius", unit="mm", low=0, high=50)
    outer_radius_mm: float = quantity(label="Pole piece radius", unit="mm", low=0.1, high=500)
    potential_v: float = quantity(0.0, label="Pole piece potential", unit="V", low=-50000, high=50000)


@dataclass(frozen=True)
class Response:
    """How the detector weighs an electron by its energy."""

    threshold_kev: float = quantity(0.0, label="Detection threshold", unit="keV", low=0, high=300)


@dataclass(frozen=True)
class Detector:
    """A segmented detector above the specimen; lengths in mm, angles in degrees, frame of the specimen."""

    schema: str = choice(SCHEMA, SCHEMA)
    name: str = "Detector"
    distance_mm: float = quantity(
        8.0, label="Specimen distance", unit="mm", low=0.1, high=200, help="Specimen to detector face, along the axis."
    )
    inner_radius_mm: float = quantity(2.0, label="Inner radius", unit="mm", low=0, high=200)
    outer_radius_mm: float = quantity(9.0, label="Outer radius", unit="mm", low=0.01, high=200)
    center_mm: tuple[float, float] = quantity(
        (0.0, 0.0), label="Axis offset", unit="mm", low=-100, high=100, help="Detector axis from the beam axis (x, y)."
    )
    tilt_deg: tuple[float, float] = quantity(
        (0.0, 0.0), label="Tilt", unit="°", low=-60, high=60, help="Detector plane turned about x, then about y."
    )
    quadrants: tuple[Segment, ...] = ()
    beam: Beam | None = None
    bias: Bias | None = None
    pole_piece: PolePiece | None = None
    response: Response | None = None
    calibration: dict[str, Any] | None = None

    @property
    def is_typical(self) -> bool:
        """Whether these are the typical dimensions of a kind of detector, which nobody has measured on this instrument."""
        return self.calibration is not None and self.calibration.get("method") == "none"

    def radii_mm(self, segment: Segment) -> tuple[float, float]:
        """Inner and outer radius of a segment in mm: its own, or the detector's."""
        inner = self.inner_radius_mm if segment.inner_radius_mm is None else segment.inner_radius_mm
        outer = self.outer_radius_mm if segment.outer_radius_mm is None else segment.outer_radius_mm
        return inner, outer

    def take_off_angles_deg(self, segment: Segment) -> tuple[float, float]:
        """Lowest and highest take-off angle (elevation) in degrees seen from the beam axis, detector level and centred."""
        inner, outer = self.radii_mm(segment)
        low, high = (math.degrees(math.atan2(self.distance_mm, r)) for r in (outer, inner))
        return low, high

    def to_json(self) -> dict[str, Any]:
        """Give the content of the detector file."""
        content: dict[str, Any] = schema.dump(self)
        return content


def detector_from_json(data: Any, where: str = "detector") -> Detector:
    """Build a detector from the content of a detector file.

    Raises
    ------
    EclipsError
        Names the key and its range.
    """
    required = [f.name for f in dataclasses.fields(Detector) if f.default is not None]
    for key in required:
        if isinstance(data, dict) and key not in data:
            raise EclipsError(f"the key '{key}' is missing", where=where, hint="Add it.")
    detector = schema.load(Detector, data, where)
    validate(detector, where)
    return detector


def validate(detector: Detector, where: str = "detector") -> None:
    """Check what concerns several keys at once; raises `EclipsError`."""
    if len(detector.quadrants) < 3:
        raise EclipsError(
            f"{len(detector.quadrants)} segments in 'quadrants'",
            where=where,
            hint="Slopes need three or more segments.",
        )
    names = [s.name for s in detector.quadrants]
    if len(set(names)) < len(names):
        raise EclipsError("two segments in 'quadrants' have the same name", where=where, hint="Give each its own name.")
    for segment in detector.quadrants:
        inner, outer = detector.radii_mm(segment)
        if outer <= inner:
            raise EclipsError(
                f"outer_radius_mm {outer:g} is not above inner_radius_mm {inner:g} (segment {segment.name})",
                where=where,
                hint="Give an outer radius above the inner one, up to 200 mm.",
            )


def read_detector(path: str | Path) -> Detector:
    """Read a detector file.

    Raises
    ------
    EclipsError
        If the file cannot be read, is no JSON, or breaks the schema.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EclipsError(f"the detector file cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise EclipsError(f"the detector file is no valid JSON ({error})", where=str(path)) from error
    return detector_from_json(data, path.name)


def presets() -> dict[str, Detector]:
    """Give the detectors that come with the program, by name; their dimensions are typical, not measured."""
    from eclips_app.core.paths import resource  # late: only needed by forms and demos

    found = (read_detector(path) for path in sorted(resource("detectors").glob("*.json")))
    return {detector.name: detector for detector in found}
