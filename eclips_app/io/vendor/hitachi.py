"""Hitachi: lines of key=value in the .txt file beside the image or in its comment (TIFF tag 40092, UTF-16)."""

from __future__ import annotations

from eclips_app.io.vendor.tags import Found, Tags, key_values, number, pixel_nm, scaled
from eclips_app.model.items import Acquisition

NAME = "Hitachi"
XP_COMMENT = 40092


def read(tags: Tags) -> Found | None:
    """Read the lines; the pixel size is in nm, the working distance in µm, the voltage in V."""
    raw = tags.tiff.get(XP_COMMENT)
    comment = bytes(raw).decode("utf-16-le", errors="replace") if isinstance(raw, (bytes, tuple, list)) else ""
    beside = key_values(tags.sidecar) if "[SemImageFile]" in tags.sidecar else {}
    values = key_values(comment) | beside
    if "PixelSize" not in values:
        return None
    return Found(
        Acquisition(
            instrument=" ".join(("Hitachi", values.get("InstructName", ""))).strip(),
            detector=values.get("SignalName"),
            segment=values.get("SubSignalName"),
            pixel_size_nm=_pixel_size_nm(values, tags.columns),
            energy_kev=scaled(values.get("AcceleratingVoltage"), 1e-3),
            working_distance_mm=scaled(values.get("WorkingDistance"), 1e-3),
            scan_rotation_deg=number(values.get("RasterRotation")),
            magnification=number(values.get("Magnification")),
            date=f"{values.get('Date', '')} {values.get('Time', '')}".strip() or None,
        )
    )


def _pixel_size_nm(values: dict[str, str], columns: int) -> float | None:
    """Give the pixel size unless the image was stored at another width than the one it is stated for."""
    width = number(values.get("DataSize"))
    return pixel_nm(values.get("PixelSize")) if width is None or int(width) == columns else None
