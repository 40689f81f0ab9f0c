"""Thermo Fisher and FEI: INI sections in TIFF tag 34682 (Helios, Quanta, Nova, Scios) or 34680 (older)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eclips_app.io.vendor.tags import Found, Tags, number, pixel_nm, scaled
from eclips_app.model.items import Acquisition

NAME = "FEI"
HELIOS, SFEG = 34682, 34680
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S")
_DEGREES_PER_RADIAN = 57.29577951308232


def read(tags: Tags) -> Found | None:
    """Read the INI sections; lengths there are in m, potentials in V, times in s, angles in rad."""
    ini = next((v for code in (HELIOS, SFEG) if isinstance(v := tags.tiff.get(code), Mapping) and v), None)
    if ini is None:
        return None
    beam = _section(ini, str(_section(ini, "Beam").get("Beam") or "EBeam"))
    scan = _section(ini, str(_section(ini, "Beam").get("Scan") or "EScan")) or _section(ini, "Scan")
    detectors = _section(ini, "Detectors")
    name = str(detectors.get("Name") or "")
    detector = _section(ini, name)
    user, image = _section(ini, "User"), _section(ini, "Image")
    return Found(
        Acquisition(
            instrument=str(_section(ini, "System").get("SystemType") or "") or None,
            detector=name or None,
            segment=_segment(detectors.get("Mode"), detector.get("Setting"), str(detector.get("Signal") or "")),
            pixel_size_nm=pixel_nm(scan.get("PixelWidth"), 1e9),
            energy_kev=scaled(beam.get("HV"), 1e-3),
            working_distance_mm=scaled(beam.get("WD"), 1e3),
            scan_rotation_deg=scaled(beam.get("ScanRotation"), _DEGREES_PER_RADIAN),
            contrast=number(detector.get("Contrast")),
            brightness=number(detector.get("Brightness")),
            dwell_us=scaled(scan.get("Dwell"), 1e6),
            date=_date(f"{user.get('Date', '')} {user.get('Time', '')}".strip()),
        ),
        image_shape=_image_shape(image, tags),
        warnings=_warnings(image, scan),
    )


def _date(text: str) -> str | None:
    """Turn a date as these instruments write it, with the month first, into ISO 8601; others stay as they are."""
    for pattern in _DATES:
        try:
            return datetime.strptime(text, pattern).isoformat()
        except ValueError:
            continue
    return text or None


def _section(ini: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = ini.get(name)
    return section if isinstance(section, Mapping) else {}


def _segment(mode: Any, setting: Any, signal: str) -> str | None:
    """Give the letter of a single segment of a backscattered-electron detector; mixtures (``A+B``, ``Custom``) are none."""
    named = (str(value).strip() for value in (mode, setting))
    return next((name for name in named if len(name) == 1 and name.isalpha()), None) if signal in ("", "BSE") else None


def _image_shape(image: Mapping[str, Any], tags: Tags) -> tuple[int, int] | None:
    rows, columns = number(image.get("ResolutionY")), number(image.get("ResolutionX"))
    if rows is None or columns is None or not (0 < rows <= tags.rows and columns == tags.columns):
        return None
    return int(rows), int(columns)


def _warnings(image: Mapping[str, Any], scan: Mapping[str, Any]) -> tuple[str, ...]:
    warnings = []
    gamma = number(image.get("DigitalGamma"))
    if gamma is not None and abs(gamma - 1.0) > 1e-3:
        warnings.append(f"was stored with gamma {gamma:g}, so its grey values are not proportional to the signal")
    width, height = number(scan.get("PixelWidth")), number(scan.get("PixelHeight"))
    if width and height and abs(width / height - 1.0) > 1e-3:
        warnings.append(f"has pixels that are not square ({width * 1e9:.5g} by {height * 1e9:.5g} nm)")
    return tuple(warnings)
