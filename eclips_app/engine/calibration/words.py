"""What a fit could and could not tell, in plain words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import unit_of
from eclips_app.core.emission import EMISSION
from eclips_app.engine.calibration.fit import Fit
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.shapes import SHADING

Float = NDArray[np.float64]

_SILENT = 0.97  #: of the earlier deviation that is left: the images say nothing
_TIED = 0.97  #: correlation
_FAR = 3.0  #: deviations
_POOR_MODEL = 0.03
_MOST = 4  #: pairs told one by one
_LABELS = {
    "distance_mm": "distance", "inner_radius_mm": "inner radius", "outer_radius_mm": "outer radius",
    "center_x_mm": "axis offset x", "center_y_mm": "axis offset y", "tilt_x_deg": "tilt about x", "tilt_y_deg": "tilt about y",
    "azimuth_deg": "azimuth of the set", "scan_curvature_per_m": "pivot of the scan", "pixel_aspect": "pixel aspect",
    "radius_px": "radius", "face_deg": "tilt of the faces", "facet_deg": "certified tilt", "height_scale": "scale of the heights",
    "found_radius_px": "radius",
}  # fmt: skip


def label(name: str) -> str:
    """Give a parameter in words, such as "gain of B"."""
    if name in EMISSION:
        return "emission " + name.split(":")[1].replace("_", " ")
    if name.startswith(("gain:", "offset:")):
        kind, _, segment = name.partition(":")
        return f"{'gain' if kind == 'gain' else 'black level'} of {segment}"
    return _LABELS.get(name, name.replace("_", " "))


def warnings_of(problem: Problem, found: Fit) -> list[str]:
    """Give sentences on what the observations cannot tell, and what contradicts."""
    return [*_lost(problem, found), *_tied(problem, found), *_contradicted(problem, found), *_misfit(problem, found)]


def _lost(problem: Problem, found: Fit) -> list[str]:
    """Name parameters of which the images say nothing."""
    std, count = np.sqrt(np.diag(found.covariance)), len(problem.free)
    lost = [label(n) for n, s in zip(problem.free, std, strict=False) if not np.isfinite(s)]
    silent = [
        label(name)
        for name, s, before in zip(problem.free, std[:count], problem.known_std[:count], strict=True)
        if np.isfinite(before) and s > _SILENT * before
    ]
    sentences = []
    if lost:
        sentences.append(f"Nothing holds {_listed(lost)}: fix it, state how well it is known, or add an observation.")
    if silent:
        sentences.append(f"These images say nothing of {_listed(silent)}: what was known before is kept.")
    return sentences


def _tied(problem: Problem, found: Fit) -> list[str]:
    """Name pairs that only together are known."""
    count = len(problem.free)
    std = np.sqrt(np.diag(found.covariance))[:count]
    held = np.isfinite(std) & (std > 0) & (std <= _SILENT * problem.known_std[:count])
    safe = np.where(held, std, 1.0)
    correlation = np.abs(found.covariance[:count, :count] / np.outer(safe, safe)) * np.outer(held, held)
    np.fill_diagonal(correlation, 0.0)
    pairs = [
        (correlation[i, j], f"{label(problem.free[i])} and {label(problem.free[j])}")
        for i in range(count) for j in range(i)
        if correlation[i, j] > _TIED
        and not (problem.free[i] in EMISSION and problem.free[j] in EMISSION)  # the curve they make is what counts
    ]  # fmt: skip
    told = [text for _, text in sorted(pairs, reverse=True)[:_MOST]]
    return [f"{text[0].upper()}{text[1:]} can hardly be told apart from these images alone." for text in told]


def _contradicted(problem: Problem, found: Fit) -> list[str]:
    """Name what was known beforehand and came out otherwise, or would have."""
    sentences = []
    for i, name in enumerate(problem.names):
        std, off = problem.known_std[i], found.x[i] - problem.known[i]
        if problem.certified[i] or not np.isfinite(std) or abs(off) < _FAR * std or name.endswith("brightness"):
            continue
        unit = unit_of(name)
        values = f"{found.x[i]:.4g} {unit}".strip(), f"{problem.known[i]:.4g} ± {std:.2g} {unit}".strip()
        sentences.append(
            f"The {_of(problem, name)} comes out at {values[0]}, where {values[1]} was known: "
            "check what was stated, and the order and registration of the images."
        )
    for i in map(int, np.flatnonzero(problem.certified)):
        if problem.names[i].endswith(SHADING):
            continue
        asked, std = wanted_change(problem, found, i)
        if abs(asked) > _FAR * np.hypot(std, problem.known_std[i]):
            part = 100 * asked / problem.start[i]
            sentences.append(
                f"The {_of(problem, problem.names[i])} is taken as {problem.start[i]:.4g}, but the shading asks for "
                f"{part:+.2g} %: check it, the pixel size, and the emission."
            )
    return sentences


def wanted_change(problem: Problem, found: Fit, place: int) -> tuple[float, float]:
    """Give by how much the images alone would change what is certified, and how well they know that."""
    jacobian = problem.jacobian(found.x)
    images = len(jacobian) - found.x.size - 1
    column = np.where(np.arange(len(jacobian)) < images, jacobian[:, place], 0.0)
    basis = np.linalg.qr(jacobian[:, ~problem.certified])[0]
    own = float(column @ column) - float(((basis.T @ column) ** 2).sum())  # what the free ones cannot do instead
    if own <= 1e-9 * float(column @ column) or own <= 0:
        return 0.0, np.inf
    return -float(column @ problem.residuals(found.x)) / own, own**-0.5


def _misfit(problem: Problem, found: Fit) -> list[str]:
    """Say that the model misses the images, and which observation fits worst."""
    if problem.model_error <= _POOR_MODEL:
        return []
    text = (
        f"The model misses the images by {100 * problem.model_error:.2g} % of the signal beyond noise; every deviation holds "
        "that: observations that contradict each other, a wrong size, black levels or emission are the usual reasons."
    )
    return [text]


def _of(problem: Problem, name: str) -> str:
    """Give a parameter or unknown in words, with its observation."""
    owner, _, own = name.rpartition(":")
    if owner.isdigit():
        observation = problem.seen[int(owner) - 1].observation
        return f"{label(own)} of {observation.name or observation.kind}"
    return label(name) if name in problem.free else f"{label(own)} of {owner}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
