"""What the panel says, worked out without widgets."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eclips_app.core.detector import Detector
from eclips_app.core.steps import STEPS
from eclips_app.core.units import format_length
from eclips_app.gui.flows.readiness import changed_since, slope_limit_deg
from eclips_app.model.items import Run
from eclips_app.model.project import Project

_WORDS = {
    "detector": "detector",
    "pixel_size_nm": "pixel size",
    "crop": "crop",
    "shifts_px": "registration",
    "clip_low": "low clip level",
    "clip_high": "high clip level",
    "balance": "segment gains",
    "scan_parallax": "scan parallax",
    "device": "device",
    "axis_px": "beam axis",
}
_DEVICES = {"cuda": "graphics card", "cuda:0": "graphics card", "cpu": "processor"}


@dataclass(frozen=True)
class Row:
    """A line of the runs table."""

    run_id: str
    name: str
    starred: bool
    role: str  #: "A", "B" or ""
    time: str
    residual: str
    difference: str
    stale: tuple[str, ...]


def method_text(detector: Detector | None) -> str:
    """Say what is computed, and up to which tilt it is exact for this detector."""
    method = "Linear photometric stereo, Lambertian emission."
    if detector is None:
        return method
    bias = detector.bias
    if bias is not None and (bias.specimen_v or bias.detector_v):
        return (
            f"{method} Electrons follow the field of the bias. Not exact for facets that turn away from the detector."
        )
    limit = slope_limit_deg(detector)
    return f"{method} Electrons fly straight. Exact for tilts below {limit:.0f}°; steeper facets turn away from this detector."


def rows(project: Project) -> list[Row]:
    """Give the runs of the selected set, newest last."""
    selection = project.selection
    made = []
    before: Run | None = None
    for run in project.runs_of(selection.set_id):
        role = "A" if run.id == selection.run_id else "B" if run.id == selection.compared_run_id else ""
        stale = tuple(changed_since(run, project))
        difference = ", ".join(differences(before, run)) if before else "first run"
        residual = residual_text(run)
        made.append(Row(run.id, run.name, run.starred, role, _clock(run.created), residual, difference, stale))
        before = run
    return made


def differences(before: Run, run: Run) -> list[str]:
    """Name the parameters in which a run differs from an earlier one, with the new value where it is short."""
    found = []
    for key in dict.fromkeys([*before.params, *run.params]):
        old, new = before.params.get(key), run.params.get(key)
        if old != new:
            word = _WORDS.get(key, key)
            found.append(f"{word}: {_short(new)}" if _short(new) else word)
    if before.input_sha256 != run.input_sha256:
        found.append("images")
    return found or ["nothing"]


def residual_text(run: Run) -> str:
    """Give the rms of measured minus modelled signal in grey values."""
    value = run.info.get("residual_rms_grey")
    return f"{value:.3g}" if _is_number(value) else "–"


def facts(run: Run) -> list[tuple[str, str]]:
    """Give what is worth knowing of a run, as (word, value)."""
    height = run.arrays.get("height")
    found = []
    if height is not None:
        low, high = height_range_nm(height)
        rows_, columns = height.shape
        found.append(("Height range", format_length(high - low)))
        found.append(
            ("Field", f"{format_length(columns * run.pixel_size_nm)} × {format_length(rows_ * run.pixel_size_nm)}")
        )
    found.append(("Pixel size", format_length(run.pixel_size_nm)))
    if _is_number(run.info.get("residual_rms_grey")):
        found.append(("Residual rms", f"{residual_text(run)} grey values"))
    if _is_number(chi2 := run.info.get("chi2_median")):
        found.append(("χ², median", f"{chi2:.3g}"))
    slope = run.info.get("slope_std")
    if isinstance(slope, float) and math.isfinite(slope):
        found.append(("Slope noise", f"{math.degrees(math.atan(slope)):.2g}°"))
    if height is not None and (masked := run.info.get("masked_px", 0)):
        found.append(("Without data", f"{100 * masked / height.size:.2g} % of the pixels"))
    found.append(("Time taken", f"{run.duration_s:.2g} s on {_DEVICES.get(str(run.info.get('device')), 'processor')}"))
    return found


def height_range_nm(height: np.ndarray) -> tuple[float, float]:
    """Give lowest and highest height from an even sample of a map."""
    step = max(1, int(math.sqrt(height.size / (1 << 18))))
    sample = height[::step, ::step]
    known = sample[np.isfinite(sample)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def provenance_text(run: Run) -> str:
    """Tell how a run was made, complete enough to do it again."""
    step = STEPS.get(run.step)
    head = [
        f"{run.name}, made {run.created}",
        f"Method: {run.step}, version {run.step_version}" + ("" if step else " (not known to this program)"),
        f"Time taken: {run.duration_s:.3g} s",
        "",
        "Images, in the order of the segments (SHA-256):",
    ]
    inputs = run.info.get("inputs") or [{"name": "image", "sha256": digest} for digest in run.input_sha256]
    for image in inputs:
        page = f", page {image['page'] + 1}" if image.get("page") else ""
        head.append(f"  {image['name']}{page}: {image.get('source') or 'no file'}")
        head.append(f"    {image.get('sha256') or 'no hash: not read from a file'}")
    other = {key: value for key, value in run.info.items() if key != "inputs"}
    parts = [*head, "", "Parameters:", _json(run.params), "", "What it reported:", _json(other)]
    return "\n".join(parts)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    return value if isinstance(value, str) else "off" if value is None else ""


def _clock(created: str) -> str:
    local = datetime.datetime.fromisoformat(created).astimezone()
    today = datetime.datetime.now().astimezone().date()
    return local.strftime("%H:%M" if local.date() == today else "%d %b")
