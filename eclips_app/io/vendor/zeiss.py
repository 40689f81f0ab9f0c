"""Carl Zeiss: SmartSEM values in TIFF tag 34118, Orion XML in tag 65000, Fibics (Atlas, NPVE) XML in tag 51023."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from eclips_app.io.vendor.tags import Found, Tags, find_text, number, parse_xml, pixel_nm, scaled
from eclips_app.model.items import Acquisition

NAME = "Zeiss"
SMARTSEM, ORION, FIBICS = 34118, 65000, 51023
#: SmartSEM states its pixel size for an image of this width, whatever the width of the stored one.
NOMINAL_WIDTH_PX = 1024
_SEGMENT_STATES_OFF = ("off", "none", "false", "0", "")


def read(tags: Tags) -> Found | None:
    """Read whichever of the three kinds of metadata is there."""
    smartsem = tags.tiff.get(SMARTSEM)
    if isinstance(smartsem, Mapping) and len(smartsem) > 1:
        return Found(_smartsem(smartsem, tags.columns))
    if tags.text(ORION).startswith("<ImageTags"):
        return Found(_orion(parse_xml(tags.text(ORION))))
    if "<Fibics" in tags.text(FIBICS):
        text = tags.text(FIBICS)
        return Found(_fibics(parse_xml(text[text.index("<Fibics") :])))
    return None


def _smartsem(values: Mapping[str, Any], columns: int) -> Acquisition:
    # The unnamed first entry holds numbers in SI units: [3] pixel size, [4] magnification, [6] EHT, [9] working distance.
    numbers = values.get("")
    numbers = numbers if isinstance(numbers, (tuple, list)) and len(numbers) > 9 else (None,) * 10
    date, time = _value(values, "ap_date"), _value(values, "ap_time")
    return Acquisition(
        instrument=" ".join(str(v) for v in ("Zeiss", _value(values, "sv_serial_number")) if v),
        detector=_text(_value(values, "dp_detector_channel") or _value(values, "dp_detector_type")),
        segment=_single_segment(values),
        pixel_size_nm=pixel_nm(numbers[3], 1e9 * NOMINAL_WIDTH_PX / columns),
        energy_kev=scaled(numbers[6], 1e-3),
        working_distance_mm=scaled(numbers[9], 1e3),
        scan_rotation_deg=_scan_rotation(values),
        magnification=number(numbers[4]),
        contrast=number(_value(values, "ap_contrast")),
        brightness=number(_value(values, "ap_brightness")),
        dwell_us=_dwell_us(values),
        date=" ".join(str(v) for v in (date, time) if v) or None,
    )


def _value(values: Mapping[str, Any], key: str) -> Any:
    """Give the value of an entry ``(label, value[, unit])``."""
    entry = values.get(key)
    return entry[1] if isinstance(entry, (tuple, list)) and len(entry) > 1 else None


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _single_segment(values: Mapping[str, Any]) -> str | None:
    """Name the segment if exactly one of the detector's segments is on."""
    states = {f"Q{i}": str(_value(values, f"dp_4qbsd_q{i}") or "").strip().lower() for i in range(1, 6)}
    used = [name for name, state in states.items() if state not in _SEGMENT_STATES_OFF]
    return used[0] if len(used) == 1 else None


def _scan_rotation(values: Mapping[str, Any]) -> float | None:
    state = _value(values, "dp_scan_rot")
    if state is None:
        return None
    return number(_value(values, "ap_scanrotation")) if state is True or str(state).lower() == "on" else 0.0


def _dwell_us(values: Mapping[str, Any]) -> float | None:
    entry = values.get("dp_dwell_time")
    factor = {"ns": 1e-3, "µs": 1.0, "us": 1.0, "ms": 1e3}
    return (
        scaled(entry[1], factor[entry[2]])
        if isinstance(entry, tuple) and len(entry) > 2 and entry[2] in factor
        else None
    )


def _orion(root: ElementTree.Element) -> Acquisition:
    def value(name: str) -> str | None:
        return find_text(root, f"{name}/Value")

    return Acquisition(
        instrument="Zeiss Orion",
        detector=value("DetectorName"),
        pixel_size_nm=pixel_nm(value("ScalingX"), 1e9) if find_text(root, "ScalingX/Units") == "m" else None,
        energy_kev=scaled(value("AccelerationVoltage"), 1e-3),
        working_distance_mm=number(value("WorkingDistance")),
        scan_rotation_deg=number(value("ScanRotate")),
        dwell_us=number(value("DwellTime")),
    )


def _fibics(root: ElementTree.Element) -> Acquisition:
    width, field_um = number(find_text(root, "Image/Width")), number(find_text(root, "Scan/FOV_X"))
    energy = next((e.text for e in root.iterfind("BeamInfo/item") if e.get("name") == "AccV"), None)
    return Acquisition(
        instrument=find_text(root, "Image/Beam"),
        detector=find_text(root, "Image/Detector"),
        pixel_size_nm=pixel_nm(field_um, 1e3 / width) if width else None,
        energy_kev=scaled(energy, 1e-3),
        scan_rotation_deg=number(find_text(root, "Scan/ScanRot")),
        contrast=number(find_text(root, "Image/Contrast")),
        brightness=number(find_text(root, "Image/Brightness")),
        dwell_us=scaled(find_text(root, "Scan/Dwell"), 1e-3),
        date=find_text(root, "Application/Date"),
    )
