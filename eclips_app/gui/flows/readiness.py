"""What a reconstruction still needs, told in one line each, and the parameters that it would get."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eclips_app.core import schema
from eclips_app.core.calibration_match import differences
from eclips_app.core.detector import Detector
from eclips_app.core.units import format_length
from eclips_app.gui.flows.new_sets import WEAK_MATCH
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.project import Project
from eclips_app.model.runs import drift_hash, exclude_hash, inputs_record


@dataclass(frozen=True)
class Check:
    """One line of the checklist; `state` is "good", "warning" or "error", `panel` the panel that mends it."""

    key: str
    state: str
    text: str
    panel: str
    link: str


def checklist(project: Project, segment_set: SegmentSet | None) -> tuple[Check, ...]:
    """Give the state of everything that a reconstruction of a set rests on."""
    detector = project.detector
    checks = [_images(segment_set, detector), _detector(project)]
    if segment_set is not None:
        checks.insert(1, _pixel_size(segment_set))
        if detector is not None and len(segment_set.images) == len(detector.quadrants):
            checks.append(_order(segment_set, detector))
        checks.append(_registration(segment_set))
        if detector is not None and (found := differing(detector, segment_set)):
            checks.append(Check("calibration", "warning", " ".join(found), "calibration", "Calibrate"))
    return tuple(checks)


def is_ready(project: Project, segment_set: SegmentSet | None) -> bool:
    """Whether nothing stands against a reconstruction."""
    return all(check.state != "error" for check in checklist(project, segment_set))


def differing(detector: Detector, segment_set: SegmentSet) -> list[str]:
    """Say in what a set's images differ from those that a detector was calibrated with."""
    found: dict[str, None] = {}
    for image in segment_set.images:
        found |= dict.fromkeys(differences(detector.calibration or {}, asdict(image.acquisition)))
    return list(found)


def slope_limit_deg(detector: Detector) -> float:
    """Give the steepest tilt in degrees below which no facet turns away from any part of the detector.

    It is 90° minus the highest polar angle at which the beam's footprint sees the detector's rim, offset and tilt included.
    """
    tx, ty = (math.radians(angle) for angle in detector.tilt_deg)
    highest = 0.0
    for segment in detector.quadrants:
        _, outer = detector.radii_mm(segment)
        half = segment.span_deg / 2
        f = np.radians(np.linspace(segment.azimuth_deg - half, segment.azimuth_deg + half, 91))
        x, y = outer * np.cos(f), outer * np.sin(f)
        # Turned about x, then about y.
        y, z = y * math.cos(tx), y * math.sin(tx)
        x, z = x * math.cos(ty) + z * math.sin(ty), z * math.cos(ty) - x * math.sin(ty)
        lateral = np.hypot(x + detector.center_mm[0], y + detector.center_mm[1])
        highest = max(highest, float(np.degrees(np.arctan2(lateral, z + detector.distance_mm)).max()))
    return 90.0 - highest


def changed_since(run: Run, project: Project) -> list[str]:
    """Name what of the set or the detector is no longer as it was when a run was made."""
    segment_set, detector = project.get(SegmentSet, run.set_id), project.detector
    if segment_set is None or detector is None:
        return ["images"] if segment_set is None else ["detector"]
    changed = []
    if "inputs" in run.info and run.info["inputs"] != inputs_record(segment_set):
        changed.append("images")
    if run.params.get("detector") != schema.dump(detector):
        changed.append("detector")
    words = {"pixel_size_nm": "pixel size", "crop": "crop", "shifts_px": "registration", "clip_low": "clip levels"}
    words["clip_high"] = words["clip_low"]
    now = {name: schema.dump(getattr(segment_set, name)) for name in words}
    for name, word in words.items():
        if _plain(run.params.get(name)) != _plain(now[name]) and word not in changed:
            changed.append(word)
    if run.info.get("exclude_sha256", "") != exclude_hash(segment_set):
        changed.append("excluded areas")
    if run.info.get("drift_sha256", "") != drift_hash(segment_set) and "registration" not in changed:
        changed.append("registration")
    return changed


def _plain(value: Any) -> Any:
    return schema.dump(value) or None  # an empty list and a key that was left out mean the same


def _images(segment_set: SegmentSet | None, detector: Detector | None) -> Check:
    if segment_set is None:
        return Check("images", "error", "No images yet", "images", "Open images")
    count, needed = len(segment_set.images), len(detector.quadrants) if detector else 0
    rows, columns = segment_set.shape
    if detector and count != needed:
        text = f"{count} images, but the detector has {needed} segments"
        return Check("images", "error", text, "images", "Show images")
    return Check("images", "good", f"{count} images, {columns} × {rows} px", "images", "Show images")


def _pixel_size(segment_set: SegmentSet) -> Check:
    size = segment_set.pixel_size_nm
    if size is None:
        return Check("pixel size", "error", "Pixel size not known", "images", "Enter pixel size")
    source = f", {segment_set.pixel_size_source}" if segment_set.pixel_size_source else ""
    return Check("pixel size", "good", f"Pixel size {format_length(size)}{source}", "images", "Change")


def _detector(project: Project) -> Check:
    item = project.detector_item
    if item is None:
        return Check("detector", "error", "No detector chosen", "detector", "Choose a detector")
    detector = item.detector
    if detector.is_typical:
        text = f"Detector “{detector.name}”: typical dimensions, not measured"
        return Check("detector", "warning", text, "detector", "Enter dimensions")
    if detector.calibration and detector.calibration.get("method") != "none":
        return Check("detector", "good", f"Detector “{detector.name}”, calibrated", "detector", "Show detector")
    return Check("detector", "good", f"Detector “{detector.name}”", "detector", "Show detector")


def _order(segment_set: SegmentSet, detector: Detector) -> Check:
    pairs = list(zip(segment_set.images, detector.quadrants, strict=True))
    if all(
        segment.name.casefold() in (image.acquisition.segment or image.name).casefold().split()
        for image, segment in pairs
    ):
        text = "Order agrees with the files: " + ", ".join(segment.name for _, segment in pairs)
        return Check("order", "good", text, "images", "Show order")
    text = "Order as set: " + ", ".join(f"{image.name} → {segment.name}" for image, segment in pairs[:8])
    return Check("order", "warning", f"{text}; no name confirms it", "images", "Check order")


def _registration(segment_set: SegmentSet) -> Check:
    shifts = segment_set.shifts_px
    if not shifts:
        text = "Not registered: fine if all segments were scanned at once"
        return Check("registration", "warning", text, "images", "Register")
    largest = max(math.hypot(*shift) for shift in shifts)
    quality = min(segment_set.registration_quality, default=1.0)
    text = f"Registered, largest shift {largest:.2g} px"
    if quality < WEAK_MATCH:
        return Check("registration", "warning", f"{text}; one match is weak", "images", "Check shifts")
    return Check("registration", "good", text, "images", "Show shifts")
