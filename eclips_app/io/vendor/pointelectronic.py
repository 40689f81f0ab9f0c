"""point electronic (DISS): XMP in TIFF tag 700 with the gain and the offsets of the amplifier of each channel."""

from __future__ import annotations

from xml.etree import ElementTree

from eclips_app.io.vendor.tags import Found, Tags, number, parse_xml, pixel_nm
from eclips_app.model.items import Acquisition

NAME = "point electronic"
XMP = 700
_SPACE = "ns.pointelectronic.com"


def read(tags: Tags) -> Found | None:
    """Read the XMP; pixel sizes and the working distance there are in m, potentials in V.

    The amplifier gives ``output = contrast * (gain * current + input offset) + output offset``, so that `gain` is the
    product of both factors and `offset` what a channel reads without signal.
    """
    text = tags.text(XMP)
    if _SPACE not in text:
        return None
    text = text[text.index("<") : text.rindex(">") + 1]
    values = _values(parse_xml(text))
    contrast, gain = number(values.get("Contrast")), number(values.get("EffectiveAmpGain"))
    output, into = number(values.get("OutputOffset")), number(values.get("InputOffset"))
    inverse = (values.get("InverseEnabled") or "0").strip().lower() in ("1", "true")
    return Found(
        Acquisition(
            instrument="point electronic",
            detector=values.get("Detector"),
            segment=values.get("ChannelName") or values.get("Channel"),
            pixel_size_nm=pixel_nm(values.get("PixelSizeX"), 1e9),
            energy_kev=_energy_kev(values.get("HV")),
            working_distance_mm=_working_distance_mm(values.get("WD")),
            scan_rotation_deg=number(values.get("ScanRotAngle")),
            magnification=number(values.get("Mag")),
            contrast=contrast,
            gain=None if gain is None else gain * (1.0 if contrast is None else contrast),
            offset=None if output is None else output + (contrast or 0.0) * (into or 0.0),
        ),
        warnings=("was stored inverted (InverseEnabled), so bright means little signal",) if inverse else (),
    )


def _values(root: ElementTree.Element) -> dict[str, str]:
    """Collect the maker's elements and attributes by their local name; a nested ``rdf:value`` holds the number."""
    found: dict[str, str] = {}
    for element in root.iter():
        for name, value in element.items():
            if _SPACE in name:
                found.setdefault(name.rpartition("}")[2], value)
        if _SPACE in element.tag:
            nested = next((e.text for e in element.iter() if e.tag.endswith("}value") and e.text), None)
            if value := (nested or element.text or "").strip():
                found.setdefault(element.tag.rpartition("}")[2], value)
    return found


def _energy_kev(value: str | None) -> float | None:
    volts = number(value)
    return None if volts is None or abs(volts) < 50.0 else abs(volts) * 1e-3  # below 50 V it is not stated in V


def _working_distance_mm(value: str | None) -> float | None:
    metres = number(value)
    return metres * 1e3 if metres is not None and 0.0 < metres < 0.2 else None  # no column has 200 mm
