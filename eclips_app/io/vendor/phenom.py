"""Phenom: an XML text ``<FeiImage>`` in TIFF tag 34683."""

from __future__ import annotations

from xml.etree import ElementTree

from eclips_app.core.units import NM_PER_UNIT
from eclips_app.io.vendor.tags import Found, Tags, find_text, number, parse_xml, pixel_nm, scaled
from eclips_app.model.items import Acquisition

NAME = "Phenom"
TAG = 34683


def read(tags: Tags) -> Found | None:
    """Read the XML, where each value states its unit."""
    text = tags.text(TAG)
    if "<FeiImage" not in text:
        return None
    root = parse_xml(text)
    bar = number(find_text(root, "databarHeight")) or 0.0
    detectors = root.find("acquisition/scan/detectors")
    quadrants = detectors.find("QBSD") if detectors is not None else None
    high_voltage = number(find_text(root, "acquisition/scan/highVoltage"))
    return Found(
        Acquisition(
            instrument=find_text(root, "instrument/type"),
            detector=find_text(root, "acquisition/scan/detector"),
            segment=_single_segment(quadrants),
            pixel_size_nm=_pixel_size_nm(root),
            energy_kev=None if high_voltage is None else abs(high_voltage),
            working_distance_mm=number(find_text(root, "workingDistance")),
            scan_rotation_deg=number(find_text(root, "acquisition/scan/rotation")),
            contrast=number(find_text(root, "appliedContrast")),
            brightness=number(find_text(root, "appliedBrightness")),
            gain=number(find_text(quadrants, "gain")) if quadrants is not None else None,
            offset=number(find_text(quadrants, "offset")) if quadrants is not None else None,
            dwell_us=scaled(find_text(root, "acquisition/scan/dwellTime"), 1e-3),
            date=find_text(root, "time"),
        ),
        image_shape=(tags.rows - int(bar), tags.columns) if 0 < bar < tags.rows else None,
    )


def _pixel_size_nm(root: ElementTree.Element) -> float | None:
    width = root.find("pixelWidth")
    return pixel_nm(width.text, NM_PER_UNIT.get(width.get("unit", ""), 0.0)) if width is not None else None


def _single_segment(quadrants: ElementTree.Element | None) -> str | None:
    """Name the segment if exactly one is added."""
    used = [name for name, sign in quadrants.items() if sign == "+"] if quadrants is not None else []
    return used[0] if len(used) == 1 else None
