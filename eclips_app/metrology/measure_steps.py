"""Step heights, slopes and angles from profiles, by fits of straight lines to stretches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import NoOptions, StandardStep
from eclips_app.core.units import Quantity
from eclips_app.metrology.edges import feature
from eclips_app.metrology.linear_fit import fit
from eclips_app.metrology.reading import Line, Reading, Stretch


def step(lines: Sequence[Line], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the height of the second stretch above the first, by two parallel lines (the plain fit, of no standard)."""
    (xa, za), (xb, zb) = (lines[0].within(each) for each in stretches)
    x = np.concatenate([xa, xb])
    second = np.arange(len(x)) >= len(xa)
    design = np.stack([np.ones_like(x), second.astype(float), x - x.mean()], axis=1)
    found, covariance, rms, _ = fit(design, [za, zb])
    return Reading(
        {
            "height": Quantity(float(found[1]), "nm", math.sqrt(covariance[1, 1])),
            "slope": _angle(found[2], covariance[2, 2]),
            "rms residual": Quantity(rms, "nm"),
        }
    )


def step_iso(lines: Sequence[Line], stretches: Sequence[Stretch], options: StandardStep) -> Reading:
    """Give the step height of a groove or ridge after ISO 5436-1:2000, type A1.

    ``Z = a X + b + h d`` is fitted to A and B beside the feature, where d = -1, and to C on it, where d = 1; the step is
    ``2 h``. The middle third of the width W is C; A and B reach from W/3 to W beyond the edges.
    """
    line = lines[0]
    notes: tuple[str, ...] = ()
    if len(stretches) == 3:
        before, on, behind = stretches
    else:
        edges = stretches[0] if stretches else feature(line)
        before, on, behind, short = _parts(line, edges, options.margin)
        notes = tuple(each for each in (_found(edges) if not stretches else "", short) if each)
    runs = [line.within(before), line.within(on), line.within(behind)]
    x = np.concatenate([each[0] for each in runs])
    delta = np.concatenate([np.full(len(each[0]), sign) for each, sign in zip(runs, (-1.0, 1.0, -1.0), strict=True)])
    design = np.stack([np.ones_like(x), delta, x - x.mean()], axis=1)
    found, covariance, rms, _ = fit(design, [each[1] for each in runs])
    return Reading(
        {
            "height": Quantity(2 * float(found[1]), "nm", 2 * math.sqrt(covariance[1, 1])),
            "slope": _angle(found[2], covariance[2, 2]),
            "rms residual": Quantity(rms, "nm"),
        },
        notes,
    )


def slope(lines: Sequence[Line], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the angle of the line of least squares through a stretch, or through the whole profile."""
    line = lines[0]
    x, z = line.within(stretches[0] if stretches else _all(line))
    found, covariance, rms, _ = fit(np.stack([np.ones_like(x), x - x.mean()], axis=1), [z])
    return Reading({"angle": _angle(found[1], covariance[1, 1]), "rms residual": Quantity(rms, "nm")})


def dihedral(lines: Sequence[Line], stretches: Sequence[Stretch], options: NoOptions) -> Reading:
    """Give the angle inside the material between the lines through two stretches: 180° - (first angle - second angle)."""
    fits, apex = [], []
    for stretch in sorted(stretches, key=sum):
        x, z = lines[0].within(stretch)
        found, covariance, rms, _ = fit(np.stack([np.ones_like(x), x - x.mean()], axis=1), [z])
        fits.append((_angle(found[1], covariance[1, 1]), rms))
        apex.append((float(found[0] - found[1] * x.mean()), float(found[1])))
    (first, rms_1), (second, rms_2) = fits
    values = {
        "angle": Quantity(180.0 - first.value + second.value, "deg", math.hypot(first.std or 0.0, second.std or 0.0)),
        "first slope": first,
        "second slope": second,
        "rms residual": Quantity(math.hypot(rms_1, rms_2) / math.sqrt(2), "nm"),
    }
    (a1, b1), (a2, b2) = apex
    if abs(b1 - b2) > 1e-9:  # parallel lines meet nowhere
        at = (a2 - a1) / (b1 - b2)
        values |= {"apex position": Quantity(at, "nm"), "apex height": Quantity(a1 + b1 * at, "nm")}
    return Reading(values)


def _angle(slope: float, variance: float) -> Quantity:
    std = math.degrees(math.sqrt(variance) / (1 + slope * slope))
    return Quantity(math.degrees(math.atan(slope)), "deg", std)


def _all(line: Line) -> Stretch:
    return float(line.distance_nm[0]), float(line.distance_nm[-1])


def _parts(line: Line, edges: Stretch, margin: float) -> tuple[Stretch, Stretch, Stretch, str]:
    """Give the stretches A, C and B of a feature, and a sentence where the profile is too short for them."""
    low, high = min(edges), max(edges)
    width, (start, end) = high - low, _all(line)
    before = max(low - width, start), low - margin * width
    behind = high + margin * width, min(high + width, end)
    for part, word in ((before, "before"), (behind, "behind")):
        if part[1] - part[0] < 0.1 * width:
            raise EclipsError(
                f"the profile has too little of the level {word} the feature",
                hint=f"Draw it at least {width:.4g} nm beyond both edges, or mark the three stretches.",
            )
    short = before[0] > low - width or behind[1] < high + width
    text = "The profile ends nearer to the feature than its width, so the levels beside it are shorter than ISO 5436-1 asks."
    return before, (low + margin * width, high - margin * width), behind, text if short else ""


def _found(edges: Stretch) -> str:
    return f"The feature was found from {edges[0]:.5g} to {edges[1]:.5g} nm, at half its height."
