"""What the panel says, worked out without widgets."""

from __future__ import annotations

import datetime
import json
import math
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.core import schema
from eclips_app.core.detector import Detector
from eclips_app.core.levelling import recipe_text
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import STEPS, Learned, Reconstruct
from eclips_app.core.units import format_length
from eclips_app.gui.flows.methods import (
    INTEGRATORS,
    LEAST_SQUARES,
    LIVE,
    RENDERERS,
    Method,
    emission_text,
    method_of_run,
)
from eclips_app.gui.flows.readiness import changed_since, slope_limit_deg
from eclips_app.model.items import Run
from eclips_app.model.levelling import LEVELLING, is_levelled
from eclips_app.model.project import Project
from eclips_app.model.runs import outer_steps, rounds

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
    "tolerances": "uncertainties",
    "coarse_to_fine": "coarse to fine",
    "draws": "random draws",
    "network": "U-Net",
    "rounds": "rounds",
    "renderer_weights": "weights of the forward model",
    "finetune": "Finetune",
    "finetune_weights": "weights of Finetune",
}
_EXACT_ONLY = {f.name for f in fields(Learned)} - {f.name for f in fields(Reconstruct)}  #: no choice in a linear run
_TOLD = {"quality", "emission"}  #: in words of their own
_GIVEN = {"start": "Started from", "rho": "Brightness from", "materials": "Materials from"}
_LEAST_POINTS = 2  #: of a curve
_UNKNOWNS = 3  #: of a pixel: two slopes and the brightness
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


def method_text(detector: Detector | None, method: Method = LIVE) -> str:
    """Say what is computed, and for which tilts and electrons it holds with this detector."""
    if method.is_exact:
        text = "Exact forward model: shadows, facets that turn away, and the probe's size."
    elif method.is_learned:
        text = "Normals by a network, judged by the exact forward model; what it has not learnt from, it gets wrong."
    else:
        is_known = bool(detector and (detector.calibration or {}).get("emission"))
        text = f"Linear photometric stereo, {'emission as calibrated' if is_known else 'Lambertian emission'}."
    if detector is None:
        return text
    bias = detector.bias
    is_biased = bias is not None and bool(bias.specimen_v or bias.detector_v)
    flight = "Electrons follow the field of the bias." if is_biased else "Electrons fly straight."
    if method.has_emission:
        probe = "" if detector.beam else " The detector gives no beam: the probe counts as a point."
        return f"{text} {flight}{probe}"
    if is_biased:
        return f"{text} {flight} Not exact for facets that turn away from the detector."
    limit = slope_limit_deg(detector)
    return f"{text} {flight} Exact for tilts below {limit:.0f}°; steeper facets turn away from this detector."


def beam_text(detector: Detector | None) -> str:
    """Say which beam energy the emission of a material is computed for."""
    if detector is None or detector.beam is None:
        return "The detector gives no beam energy."
    return f"For the detector's beam energy of {detector.beam.energy_kev:g} keV."


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
    found = _method_differences(before, run)
    told = _TOLD if before.step == run.step else _EXACT_ONLY
    for key in (key for key in dict.fromkeys([*before.params, *run.params]) if key not in told):
        old, new = (each.params.get(key, _default(key)) for each in (before, run))
        if old != new:
            word = _word(key)
            found.append(f"{word}: {_short(new)}" if _short(new) else word)
    if is_levelled(run):
        found.append(f"levelled: {recipe_text(run.info[LEVELLING])}")
    if before.info.get("given") != run.info.get("given"):
        found.append("start or brightness")
    if before.input_sha256 != run.input_sha256:
        found.append("images")
    return found or ["nothing"]


def _default(key: str) -> Any:
    """Give what holds where a run does not tell a parameter: it is None, or newer than the run."""
    field = Learned.__dataclass_fields__.get(key)
    return None if field is None or field.default is MISSING else schema.dump(field.default)


def _word(key: str) -> str:
    """Name a parameter: in words of its own, else by the label that the forms give it."""
    label = rule_of(Learned, key).label if key in Learned.__dataclass_fields__ else ""
    return _WORDS.get(key) or label.lower() or key


def _method_differences(before: Run, run: Run) -> list[str]:
    old, new = method_of_run(before), method_of_run(run)
    found = [] if old == new else [f"method: {new.name}"]
    emissions = [emission_text(each.params.get("emission", {})) for each in (before, run)]
    return found if emissions[0] == emissions[1] else [*found, f"emission: {emissions[1]}"]


def residual_text(run: Run) -> str:
    """Give the rms of measured minus modelled signal in grey values."""
    value = run.info.get("residual_rms_grey")
    return f"{value:.3g}" if _is_number(value) else "–"


def facts(run: Run) -> list[tuple[str, str]]:
    """Give what is worth knowing of a run, as (word, value)."""
    height = run.arrays.get("height")
    method = method_of_run(run)
    found = [("Method", method.name)]
    if method.has_emission:
        found.append(("Emission", emission_text(run.params.get("emission", {}))))
    if method.is_learned:
        found += _learned_facts(run)
    if height is not None:
        low, high = height_range_nm(height)
        rows_, columns = height.shape
        found.append(("Height range", format_length(high - low)))
        found.append(
            ("Field", f"{format_length(columns * run.pixel_size_nm)} × {format_length(rows_ * run.pixel_size_nm)}")
        )
    found.append(("Pixel size", format_length(run.pixel_size_nm)))
    if not method.is_exact and (integrator := run.params.get("integrator", LEAST_SQUARES)) != LEAST_SQUARES:
        found.append(("Integrator", INTEGRATORS.get(integrator, integrator)))
    if _is_number(run.info.get("residual_rms_grey")):
        found.append(("Residual rms", f"{residual_text(run)} grey values"))
    found += _exact_facts(run) if method.has_emission else _linear_facts(run)
    if height is not None and (masked := run.info.get("masked_px", 0)):
        found.append(("Without data", f"{100 * masked / height.size:.2g} % of the pixels"))
    if is_levelled(run):
        found.append(("Levelled", f"{recipe_text(run.info[LEVELLING])}; from {run.info['levelled_from']['name']}"))
    found.append(("Time taken", f"{run.duration_s:.2g} s on {_DEVICES.get(str(run.info.get('device')), 'processor')}"))
    return found


def _learned_facts(run: Run) -> list[tuple[str, str]]:
    """Give which networks a run was made with."""
    network = run.params.get("network")
    found = [("U-Net", Path(network).name if network else "of the program")]
    if run.params.get("rounds"):
        weights = run.params.get("renderer_weights")
        renderer = RENDERERS.get(run.params.get("renderer", ""), "")
        found.append(("Rendered by", f"{renderer}, {Path(weights).name}" if weights else renderer))
        found.append(("Finetune", _finetune_text(run)))
    error, mask = run.arrays.get("normal_error"), run.arrays.get("mask")
    if error is not None and (known := _sample(error, mask)).size:
        found.append(("Normals may err by", f"{float(np.median(known)):.2g}°, median, as the network says"))
    return found


def _finetune_text(run: Run) -> str:
    """Say whether rendered images were corrected, by how much, and what that is worth."""
    scores = run.info.get("finetuned")
    if not run.params.get("finetune") or not scores:
        return "off"
    return (
        f"changes signals by {100 * scores['rms']:.2g} % rms, {100 * scores['largest']:.2g} % at most; "
        f"χ² {scores['chi2_without']:.3g} without, {scores['chi2_with']:.3g} with it"
    )


def _linear_facts(run: Run) -> list[tuple[str, str]]:
    found = []
    if _is_number(chi2 := run.info.get("chi2_median")):
        found.append(("χ², median", f"{chi2:.3g}"))
    slope = run.info.get("slope_std")
    if isinstance(slope, float) and math.isfinite(slope):
        found.append(("Slope noise", f"{math.degrees(math.atan(slope)):.2g}°"))
    return found


def _exact_facts(run: Run) -> list[tuple[str, str]]:
    """Give the facts of a fit."""
    found = [(_GIVEN.get(name, name), str(source)) for name, source in run.info.get("given", {}).items()]
    if _is_number(chi2 := run.info.get("chi2")):
        tests = len(run.input_sha256) > _UNKNOWNS or run.params.get("brightness") != "pixel"
        found.append(("χ²", f"{chi2:.3g}" if tests else f"{chi2:.3g}: three segments test nothing"))
    if steps := outer_steps(run.info):
        found.append(("Steps", str(steps)))
    elif taken := rounds(run.info):
        found.append(("Rounds", str(taken)))
    if stopping := run.info.get("stopping"):
        found.append(("Ended", str(stopping)))
    if _is_number(smoothing := run.info.get("smoothing")) and smoothing:
        found.append(("Smoothing", f"{smoothing:.3g}"))
    std, mask = run.arrays.get("height_std"), run.arrays.get("mask")
    if std is not None and (known := _sample(std, mask)).size:
        word = "Height noise, median" if not run.info.get("deviation_parts") else "Height std, median"
        found.append((word, format_length(float(np.median(known)), 2)))
    if (missing := run.info.get("not_stated")) and not run.info.get("stopped"):
        found.append(("Not stated", ", ".join(missing)))
    return found


def chi2_curve(run: Run) -> tuple[np.ndarray, list[float]] | None:
    """Give chi-square [n, 2] over the outer steps of a fit, and the cost at the same steps; None where it is not told."""
    chi2 = run.info.get("chi2_steps")
    if not chi2 or len(chi2) < _LEAST_POINTS:
        return None
    at = np.arange(len(chi2))
    at[-1] = max(at[-1], outer_steps(run.info))  # where gains are fitted, the heights settle in steps that are not told
    return np.column_stack([at, chi2]), list(run.info.get("cost", ()))


def height_range_nm(height: np.ndarray) -> tuple[float, float]:
    """Give lowest and highest height from an even sample of a map."""
    known = _sample(height)
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _sample(field: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Give known values, evenly from a map; only where a mask is True if there is one."""
    step = max(1, int(math.sqrt(field.size / (1 << 18))))
    sample = field[::step, ::step]
    known = np.isfinite(sample) if mask is None else np.isfinite(sample) & mask[::step, ::step]
    return np.asarray(sample[known])


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
