"""What a fit could and could not tell, in plain words."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import unit_of
from eclips_app.core.calibration_match import disagreements
from eclips_app.core.emission import EMISSION
from eclips_app.engine.calibration.fit import Fit
from eclips_app.engine.calibration.problem import Problem
from eclips_app.engine.calibration.shapes import FOUND_RADIUS, OUTLINE, SHADING

Float = NDArray[np.float64]

_SILENT = 0.9  #: of the earlier deviation that is left: the images say next to nothing
_TIED = 0.97  #: correlation
_HELD_BY = 6.0  #: times better known if a group were: the two go together
_GROUPS = {"gain": "gains", "offset": "offsets", "emission": "emission"}
_GROUP_WORDS = {"gains": "gains", "offsets": "black levels", "emission": "emission", "geometry": "geometry"}
_FAR = 3.0  #: deviations
_FEIGNED = 0.01  #: of a size: what the error of an emission model can feign
_POOR_MODEL = 0.03
_BEYOND = 0.5  #: part of a value beyond which a linear estimate of its change is none
_MOST = 4  #: pairs told one by one
_LABELS = {
    "distance_mm": "distance", "inner_radius_mm": "inner radius", "outer_radius_mm": "outer radius",
    "center_x_mm": "axis offset x", "center_y_mm": "axis offset y", "tilt_x_deg": "tilt about x", "tilt_y_deg": "tilt about y",
    "azimuth_deg": "azimuth of the set", "scan_curvature_per_m": "pivot of the scan", "pixel_aspect": "pixel aspect",
    "center_row_px": "row of the centre", "center_column_px": "column of the centre", "rotation_deg": "rotation",
    "radius_px": "radius", "face_deg": "tilt of the faces", "facet_deg": "certified tilt", "height_scale": "scale of the heights",
    FOUND_RADIUS: "radius",
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
    observed = [each.observation for each in problem.seen]
    told = (_lost, _tied, _contradicted, _at_odds, _misfit)
    sentences = [sentence for tell in told for sentence in tell(problem, found)]
    return [
        *_unstated(problem),
        *sentences,
        *disagreements([(o.name or o.kind, o.kind, o.acquisition) for o in observed]),
    ]


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
        what = "fix it, state how well it is known" if len(lost) == 1 else "fix them, state how well they are known"
        sentences.append(f"Nothing holds {_listed(lost)}: {what}, or add an observation.")
    if silent:
        sentences.append(f"These images say next to nothing of {_listed(silent)}: what was known before is kept.")
    return sentences


def _unstated(problem: Problem) -> list[str]:
    """Name spheres of which nobody has said how large they are, and whose outlines are taken as equators."""
    return [
        f"The radius of {each.observation.name} is not stated: its outline is taken as its equator, to {100 * OUTLINE:g} %, "
        "which leaves a tilt of 45 degrees uncertain by a degree; state the radius."
        for number, each in enumerate(problem.seen, 1)
        if each.observation.sphere
        and each.observation.sphere.radius_nm is None
        and f"{number}:radius_px" in problem.names
    ]


def _tied(problem: Problem, found: Fit) -> list[str]:
    """Name pairs that only together are known."""
    count = len(problem.free)
    std = np.sqrt(np.diag(found.covariance))[:count]
    held = np.isfinite(std) & (std > 0) & (std <= _SILENT * problem.known_std[:count])
    safe = np.where(held, std, 1.0)
    both = np.outer(held, held)
    correlation = np.where(
        both, np.abs(np.where(both, found.covariance[:count, :count], 0.0) / np.outer(safe, safe)), 0.0
    )
    np.fill_diagonal(correlation, 0.0)
    pairs = [
        (correlation[i, j], f"{label(problem.free[i])} and {label(problem.free[j])}")
        for i in range(count) for j in range(i)
        if correlation[i, j] > _TIED
        and not (problem.free[i] in EMISSION and problem.free[j] in EMISSION)  # the curve they make is what counts
    ]  # fmt: skip
    told = [text for _, text in sorted(pairs, reverse=True)[:_MOST]] + _tied_groups(problem, found, held)
    return [f"{text[0].upper()}{text[1:]} can hardly be told apart from these images alone." for text in told]


def _tied_groups(problem: Problem, found: Fit, held: NDArray[np.bool_]) -> list[str]:
    """Name groups of which one would be known far better if the other were."""
    kinds = [_GROUPS.get(name.split(":")[0], "geometry") for name in problem.free]
    groups = {kind: np.array([k == kind for k in kinds]) & held for kind in dict.fromkeys(kinds)}
    sentences = []
    for first, second in combinations([kind for kind, inside in groups.items() if inside.any()], 2):
        a, b = groups[first], groups[second]
        covariance = found.covariance[: len(kinds), : len(kinds)]
        own, across, other = (covariance[np.ix_(*each)] for each in ((a, a), (a, b), (b, b)))
        left = np.diag(own - across @ np.linalg.pinv(other, rcond=1e-9, hermitian=True) @ across.T)
        if np.median(np.maximum(left, 0.0) / np.diag(own)) < _HELD_BY**-2:
            sentences.append(f"{_GROUP_WORDS[first]} and {_GROUP_WORDS[second]}")
    return sentences


def _contradicted(problem: Problem, found: Fit) -> list[str]:
    """Name what was known beforehand and came out otherwise, or would have."""
    sentences = [
        f"The outline of {_of(problem, name).removeprefix('radius of ')} is not its equator: its shading asks for a radius of "
        f"{found.x[i]:.4g} px; state the radius."
        for i, name in enumerate(problem.names) if name.endswith(f":{FOUND_RADIUS}")
    ]  # fmt: skip
    for i, name in enumerate(problem.names):
        std, off = problem.known_std[i], found.x[i] - problem.known[i]
        if problem.certified[i] or not np.isfinite(std) or abs(off) < _FAR * std or name.endswith(FOUND_RADIUS):
            continue
        values = _valued(name, found.x[i]), f"{problem.known[i]:.4g} ± {_valued(name, std, 2)}"
        sentences.append(
            f"The {_of(problem, name)} comes out at {values[0]}, where {values[1]} was known: "
            "check what was stated, and the order and registration of the images."
        )
    for i in map(int, np.flatnonzero(problem.certified)):
        if problem.names[i].endswith(SHADING):
            continue
        asked, std = wanted_change(problem, found, i)
        feigned = _FEIGNED * problem.start[i] if any(name in EMISSION for name in problem.free) else 0.0
        if abs(asked) > _FAR * np.sqrt(std**2 + problem.known_std[i] ** 2 + feigned**2):
            sentences.append(
                f"The {_of(problem, problem.names[i])} is taken as {_valued(problem.names[i], problem.start[i])}, but the "
                f"shading asks for {_changed(asked / problem.start[i])}: check it, the pixel size, and the emission."
            )
    return sentences


def wanted_change(problem: Problem, found: Fit, place: int) -> tuple[float, float]:
    """Give by how much the images alone would change what is certified, and how well they know that."""
    jacobian = problem.jacobian(found.x)
    column = np.where(np.arange(len(jacobian)) < problem.values, jacobian[:, place], 0.0)
    basis = np.linalg.qr(jacobian[:, ~problem.certified])[0]
    own = float(column @ column) - float(((basis.T @ column) ** 2).sum())  # what the free ones cannot do instead
    if own <= 1e-9 * float(column @ column) or own <= 0:
        return 0.0, np.inf
    return -float(column @ problem.residuals(found.x)) / own, own**-0.5


def _at_odds(problem: Problem, found: Fit) -> list[str]:
    """Name the observation that the others disagree with most, and what it pulls."""
    if found.disagreement.factor <= 1.0:
        return []
    worst, change = found.disagreement.observation, found.disagreement.change
    std = np.sqrt(np.diag(found.covariance))
    pulls = np.where(np.isfinite(std) & (std > 0), np.abs(change) / np.where(std > 0, std, 1.0), 0.0)[
        : len(problem.free)
    ]
    seen = problem.seen[worst].observation
    which = ""
    if pulls.size:
        place = int(pulls.argmax())
        name, unit = problem.free[place], unit_of(problem.free[place])
        which = f": without it the {label(name)} would be {found.x[place] + change[place]:.4g} {unit}".rstrip()
        which += f" instead of {found.x[place]:.4g}"
    return [
        f"The observations contradict each other, {seen.name or seen.kind} most{which}. All deviations are "
        f"{found.disagreement.factor:.2g} times larger for that: check sizes, tilts, magnification and contrast settings."
    ]


def _misfit(problem: Problem, found: Fit) -> list[str]:
    """Say that the model misses the images, and which observation fits worst."""
    if problem.model_error <= _POOR_MODEL:
        return []
    text = (
        f"The model misses the images by {_percent(100 * problem.model_error)} of the signal beyond noise: look for "
        "observations that contradict each other, a wrong size, wrong black levels or another emission."
    )
    return [text]


def _valued(name: str, value: float, digits: int = 4) -> str:
    """Write a value of an unknown with its unit."""
    unit = "px" if name.endswith("_px") else unit_of(name.rpartition(":")[2] if name[0].isdigit() else name)
    return f"{value:.{digits}g}{'°' if unit == '°' else f' {unit}' if unit else ''}"


def _changed(part: float) -> str:
    """Write a change in percent; as no more than a direction where it is of the size of the value."""
    if abs(part) > _BEYOND:
        return "far more" if part > 0 else "far less"
    return f"{_percent(100 * abs(part))} {'more' if part > 0 else 'less'}"


def _percent(value: float) -> str:
    return f"{value:.2g} %" if value < 99.5 else f"{value:.0f} %"


def _of(problem: Problem, name: str) -> str:
    """Give a parameter or unknown in words, with its observation."""
    owner, _, own = name.rpartition(":")
    if owner.isdigit():
        observation = problem.seen[int(owner) - 1].observation
        return f"{label(own)} of {observation.name or observation.kind}"
    return label(name) if name in problem.free else f"{label(own)} of {owner}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
