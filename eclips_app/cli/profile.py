"""Measure the height along a straight line of a project's reconstruction.

Points are column,row in pixels of the uncropped image, counted from the centre of its top-left pixel; with units
(1.2um,300nm) they are lengths to the right and down from there.
"""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.common import quantity, quantity_text
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import parse_length_nm

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*\Z")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips)")
    parser.add_argument("--from", dest="start", required=True, metavar="X,Y", help="start of the line")
    parser.add_argument("--to", dest="end", required=True, metavar="X,Y", help="end of the line")
    parser.add_argument(
        "--width", default="1", metavar="W", help="average over this width, in pixels or with a unit; default 1"
    )
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Measure; gives quantities and the profile itself."""
    from eclips_app.io.project_runs import open_run
    from eclips_app.metrology import cursors, profile
    from eclips_app.metrology.deviations import Deviations

    found = open_run(args.project, args.run, ("height", "height_std", "mask", "deviations"), context)
    deviations = Deviations.of_run(found.arrays, found.entry["info"], found.entry["params"])
    size = found.pixel_size_nm
    start, end = point_px(args.start, size), point_px(args.end, size)
    width = _in_pixels(args.width, size)
    line = profile.sample(
        found.arrays["height"], start, end, pixel_size_nm=size, width_px=width, origin_px=found.origin_px,
        mask=found.arrays.get("mask"), std=found.arrays.get("height_std"), deviations=deviations,
    )  # fmt: skip
    known = np.flatnonzero(np.isfinite(line.height_nm))
    if len(known) < 3:
        hint = f"The map covers columns and rows {found.area_text}."
        raise EclipsError("fewer than three points of the line have a height", where=str(args.project), hint=hint)
    ends, length = (line.distance_nm[known[0]], line.distance_nm[known[-1]]), math.dist(start, end) * size
    reading, slope = cursors.between(line, *ends), cursors.fit_slope(line, ends)
    return {
        "project": str(args.project),
        "run": found.name,
        "from_px": list(start),
        "to_px": list(end),
        "width_px": width,
        "length": quantity(length, "nm", deviations.std_of_length(length) if deviations is not None else None),
        "height_difference": {**reading.dz_nm.to_json(), **_budget(line, reading.dz_from)},
        "slope_angle": {**slope.angle_deg.to_json(), **_budget(line, slope.angle_from)},
        **_fit(slope, line),
        "height_range": quantity(float(np.ptp(line.height_nm[known])), "nm"),
        "points": len(known),
        "distance_nm": line.distance_nm,
        "height_nm": line.height_nm,
        "std_nm": line.std_nm,
        **({} if deviations is None else {"not_stated": list(deviations.not_stated)}),
    }


def describe(result: dict[str, Any]) -> str:
    """Put the quantities into words, each with the budget of its variance in one line."""
    from eclips_app.metrology.deviations import Share

    words = {
        "length": "length", "height_difference": "height difference of the ends", "slope_angle": "slope of the fitted line",
        "rms_deviation": "rms deviation from it", "mean_deviation": "mean deviation from it", "height_range": "height range",
    }  # fmt: skip
    lines = []
    for name, text in words.items():
        lines.append(f"{text:<30}{quantity_text(result[name])}")
        if budget := result[name].get("budget"):
            shares = ", ".join(Share(**share).text for share in budget if share["percent"] >= 0.5)
            lines.append(f"{'':<30}{shares}")
    if result.get("not_stated"):
        lines.append(f"{'not stated':<30}{', '.join(result['not_stated'])}")
    return "\n".join(lines)


def _budget(line: Any, influence: Any) -> dict[str, Any]:
    """Give the shares of a reading's variance; nothing where the run has no deviations."""
    if line.covariance is None:
        return {}
    return {"budget": line.covariance.budget(influence.effects).to_json()}


def _fit(slope: Any, line: Any) -> dict[str, Any]:
    """Give the rms and mean absolute deviation from the fitted line (plain, unfiltered)."""
    rest = (
        line.height_nm
        - slope.level_nm
        - math.tan(math.radians(slope.angle_deg.value)) * (line.distance_nm - slope.middle_nm)
    )
    return {
        "rms_deviation": slope.rms_nm.to_json(),
        "mean_deviation": quantity(float(np.nanmean(np.abs(rest))), "nm"),
    }


def point_px(text: str, pixel_size_nm: float) -> tuple[float, float]:
    """Read ``10,20`` or ``1.2um,300nm`` as a point (col, row) in pixels; raises `EclipsError` if it is none."""
    parts = text.split(",")
    if len(parts) != 2:
        raise EclipsError(f"'{text}' is no point", hint="Write column,row, for example 10,20 or 1.2um,300nm.")
    return _in_pixels(parts[0], pixel_size_nm), _in_pixels(parts[1], pixel_size_nm)


def _in_pixels(text: str, pixel_size_nm: float) -> float:
    return float(text) if _NUMBER.match(text) else parse_length_nm(text) / pixel_size_nm
