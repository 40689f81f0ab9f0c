"""TESCAN: INI text after a thumbnail in TIFF tag 50431, or in the .hdr file beside the image."""

from __future__ import annotations

import re

from eclips_app.io.vendor.tags import Found, Tags, key_values, number, pixel_nm, scaled
from eclips_app.model.items import Acquisition

NAME = "TESCAN"
TAG = 50431
_SECTION = re.compile(rb"\[MAIN\]|AccFrames=|AccType=")


def read(tags: Tags) -> Found | None:
    """Read the text; lengths there are in m, potentials in V, times in s, angles in degrees."""
    raw = tags.tiff.get(TAG)
    text = ""
    if isinstance(raw, bytes) and (start := _SECTION.search(raw)):
        text = raw[start.start() :].decode("utf-8", errors="replace").replace("\x00", "\n")
    values = key_values(text)
    if "PixelSizeX" not in values:  # some files carry only part of the text and the rest beside them
        values = key_values(tags.sidecar) | values if "[MAIN]" in tags.sidecar else values
    if "PixelSizeX" not in values:
        return None
    strip = number(values.get("ImageStripSize")) or 0.0
    rows = tags.rows - int(strip)
    return Found(
        Acquisition(
            instrument=values.get("Device"),
            detector=values.get("Detector"),
            pixel_size_nm=pixel_nm(values.get("PixelSizeX"), 1e9),
            energy_kev=scaled(values.get("HV") or values.get("AcceleratorVoltage"), 1e-3),
            working_distance_mm=scaled(values.get("WD"), 1e3),
            scan_rotation_deg=number(values.get("ScanRotation")),
            magnification=number(values.get("Magnification")),
            gain=number(values.get("Detector0Gain")),
            offset=number(values.get("Detector0Offset")),
            dwell_us=scaled(values.get("DwellTime"), 1e6),
            date=f"{values.get('Date', '')} {values.get('Time', '')}".strip() or None,
        ),
        image_shape=(rows, tags.columns) if 0 < strip < tags.rows else None,
    )
