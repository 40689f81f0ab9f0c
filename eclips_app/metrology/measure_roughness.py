"""Surface texture of areas (ISO 25178-2) and profiles (ISO 21920-2) as measurements: form, filters, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import AreaRoughness, Bearing, Features, ProfileRoughness
from eclips_app.core.units import Quantity
from eclips_app.metrology import roughness, roughness_bearing, roughness_profile
from eclips_app.metrology.filters import low_pass
from eclips_app.metrology.forms import without_form
from eclips_app.metrology.reading import Floats, Line, Patch, Reading, Stretch

_SECTIONS = 5
_LEAST_POINTS = 20


@dataclass(frozen=True, eq=False)
class Surface:
    """A scale-limited surface: heights [row, col] in nm from their mean, where they are known, and how it was made."""

    height: Floats
    inside: NDArray[np.bool_]
    notes: tuple[str, ...]


def scale_limited(patch: Patch, options: AreaRoughness) -> Surface:
    """Take the form out of an area and filter it: S-filter, F-operation, L-filter (ISO 25178-2:2021, 3.1)."""
    height, inside, size = patch.height, patch.inside, patch.size_nm[::-1]  # steps from row to row come first
    notes = []
    short, long = options.s_filter_nm or 0.0, options.l_filter_nm or 0.0
    if short:
        height = low_pass(options.filter, height, inside, short, size)
    height = without_form(height, inside, options.form, options.degree)
    if long:
        height = height - low_pass(options.filter, height, inside, long, size)
    kind = "S-L surface" if long else "S-F surface"
    notes.append(
        f"{kind}: {_form(options.form, options.degree)}, S-filter {_nesting(short, 'none, the pixel is the limit')}, "
        f"L-filter {_nesting(long, 'none')}{_named(options.filter) if short or long else ''}."
    )
    values = np.where(inside, height, 0.0)
    mean = float(values.sum() / np.count_nonzero(inside))
    return Surface(values - mean, inside, tuple(notes))


def area(patches: Sequence[Patch], stretches: Sequence[Stretch], options: AreaRoughness) -> Reading:
    """Give height, spatial, hybrid, functional and volume parameters of an area (ISO 25178-2:2021)."""
    from eclips_app.metrology.roughness_spatial import spatial

    patch = patches[0]
    surface = scale_limited(patch, options)
    heights = surface.height[surface.inside]
    curve = _curve(heights, patch.height)
    spacing, undefined = spatial(surface.height, surface.inside, patch.axes, options.acf_level)
    values = {
        **roughness.heights(heights),
        **spacing,
        **roughness.hybrid(surface.height, surface.inside, patch.axes),
        **roughness_bearing.core(curve),
        "Sxp": Quantity(curve.height_at(0.025) - curve.height_at(0.5), "nm"),
        **roughness_bearing.volumes(curve, options.p_percent / 100, options.q_percent / 100),
    }
    notes = (*surface.notes, *([undefined] if undefined else []))
    return Reading(values, notes, dict(roughness_bearing.plots(curve)))


def features(patches: Sequence[Patch], stretches: Sequence[Stretch], options: Features) -> Reading:
    """Give the feature parameters of an area (ISO 25178-2:2021, 5)."""
    from eclips_app.metrology.roughness_features import features as found

    patch = patches[0]
    surface = scale_limited(patch, options)
    _curve(surface.height[surface.inside], patch.height)
    values, up, down = found(surface.height, surface.inside, patch.axes, options.pruning_percent / 100)
    pruned = f"Wolf pruning at {options.pruning_percent:g} % of Sz; hills and dales that touch the border do not count."
    few = [
        f"Fewer than the standard's five: {len(each.rows) or 'no'} significant {word} lie inside the area."
        for each, word in ((up, "hills"), (down, "dales"))
        if len(each.rows) < 5
    ]
    return Reading(values, (*surface.notes, pruned, *few), {"hills": up.labels, "dales": down.labels})


def bearing(patches: Sequence[Patch], stretches: Sequence[Stretch], options: Bearing) -> Reading:
    """Give material ratio and height of the bearing curve of an area, and its core."""
    patch = patches[0]
    height = without_form(patch.height, patch.inside, options.form)
    curve = _curve(height[patch.inside], patch.height)
    c = options.c_nm or 0.0
    values = {
        f"Smr({c:g} nm)": Quantity(100 * curve.ratio_at(c), "%"),
        f"Smc({options.mr_percent:g} %)": Quantity(curve.height_at(options.mr_percent / 100), "nm"),
        **roughness_bearing.core(curve),
    }
    note = f"Heights are from the mean, after: {_form(options.form, 2)}."
    return Reading(values, (note,), dict(roughness_bearing.plots(curve)))


def profile(lines: Sequence[Line], stretches: Sequence[Stretch], options: ProfileRoughness) -> Reading:
    """Give P, R and W parameters of a profile or of a stretch of it (ISO 21920-2:2021)."""
    line = lines[0].part(stretches[0]) if stretches else lines[0]
    x, z = line.distance_nm, line.height_nm
    used, step = np.isfinite(z), line.step_nm
    if np.count_nonzero(used) < _LEAST_POINTS:
        raise EclipsError(f"fewer than {_LEAST_POINTS} points are measured", hint="Draw a longer profile.")
    length = float(x[-1] - x[0]) + step
    short = options.lambda_s_nm or 0.0
    cutoff = length / _SECTIONS if options.lambda_c_nm is None else options.lambda_c_nm
    z = without_form(z, used, options.form, options.degree)
    if short:
        z = np.where(used, low_pass(options.filter, z, used, short, (step,)), np.nan)
    values = {f"P{name}": value for name, value in _named_heights(z[used], "P").items()}
    wave = low_pass(options.filter, z, used, cutoff, (step,)) if cutoff else np.zeros(len(z))
    rough = z - wave - (float(np.mean((z - wave)[used])) if cutoff else 0.0)
    curve = _curve(rough[used], line.height_nm)
    values |= _roughness(rough, used, step, length, cutoff, options)
    if cutoff:
        values |= {f"W{name}": value for name, value in _named_heights(wave[used], "W").items()}
    note = (
        f"{_form(options.form, options.degree)}, λs {_nesting(short, 'none, the step is the limit')}, "
        f"λc {_nesting(cutoff, 'none')}{_named(options.filter) if cutoff or short else ''}, evaluation length {length:.4g} nm."
    )
    arrays = {"roughness/x": x, "roughness/y": rough, "waviness/x": x, "waviness/y": wave}
    return Reading(values, (note[0].upper() + note[1:],), arrays | dict(roughness_bearing.plots(curve)))


def _roughness(
    z: Floats, used: NDArray[np.bool_], step: float, length: float, cutoff: float, options: ProfileRoughness
) -> dict[str, Quantity]:
    """Give the R parameters, of sections as long as the cutoff where the length holds two or more."""
    number = max(1, round(length / cutoff)) if cutoff else _SECTIONS
    heights = roughness.heights(z[used], "R")
    sections = roughness_profile.sections(z, number)
    least = roughness_profile.height_discrimination(sections["Rz"].value)
    curve = roughness_bearing.Bearing.of(z[used])
    values = {name: heights[name] for name in ("Rq", "Ra", "Rsk", "Rku")} | sections
    values |= roughness_profile.elements(z, step, least) | roughness_profile.slope(z, step)
    values |= roughness_bearing.core(curve, "R")
    if options.c_nm is not None:
        top = float(curve.height[0])
        values[f"Rmr({options.c_nm:g} nm)"] = Quantity(100 * curve.ratio_at(top - options.c_nm), "%")
    return values


def _named_heights(z: Floats, letter: str) -> dict[str, Quantity]:
    found = roughness.heights(z, letter)
    return {"q": found[f"{letter}q"], "a": found[f"{letter}a"], "t": found[f"{letter}z"]}


def _curve(heights: Floats, raw: Floats) -> roughness_bearing.Bearing:
    roughness.check_rough(heights, raw)
    return roughness_bearing.Bearing.of(heights)


def _form(form: str, degree: int) -> str:
    words = {"none": "mean taken out", "plane": "plane taken out"}
    return words.get(form, f"polynomial of degree {degree} taken out")


def _nesting(length: float, none: str) -> str:
    return f"{length:.4g} nm" if length else none


def _named(kind: str) -> str:
    return {"gaussian": ", Gaussian", "robust": ", robust Gaussian", "spline": ", spline"}[kind]
