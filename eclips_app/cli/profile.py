"""Measure the height along a line, polyline, circle or rectangle of a reconstruction or height map.

Points are column,row in pixels of the uncropped image, counted from the centre of its top-left pixel; with units
(1.2um,300nm) they are lengths to the right and down from there.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eclips_app.cli.common import pixel_size_nm, quantity, quantity_text
from eclips_app.cli.shape_texts import HELP, in_pixels, parse_point, parse_shape
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.version import VERSION

if TYPE_CHECKING:
    from eclips_app.io.profile_files import CurveOfLine


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips) or height map")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--from", dest="start", metavar="X,Y", help="start of the line")
    where.add_argument("--shape", metavar="SHAPE", help=f"instead of a line: {HELP}")
    parser.set_defaults(wrong=parser.error)
    parser.add_argument("--to", dest="end", metavar="X,Y", help="end of the line")
    parser.add_argument("--width", metavar="W", help="average over this width, in pixels or with a unit; default 1")
    parser.add_argument(
        "--step", metavar="S", help="distance of the points, in pixels or with a unit; default: a pixel"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="also write the profile: .csv, .tsv, .xlsx, or a drawing at true scale .svg, .dxf",
    )
    parser.add_argument("--unit", choices=("nm", "mm"), default="nm", help="of a drawing: one unit is this; default nm")
    parser.add_argument(
        "--z-exaggeration", type=float, default=1.0, metavar="F", help="of a drawing: heights times this; default 1"
    )
    parser.add_argument(
        "--run",
        default="",
        help="name or id of a reconstruction or height map; default: the starred or last reconstruction",
    )
    parser.add_argument(
        "--pixel-size", type=pixel_size_nm, metavar="X[,Y]", help="of a height file that does not say it"
    )
    parser.add_argument("--heights-unit", default="", metavar="U", help="of the heights of a file that does not say it")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Measure; gives quantities and the profile itself."""
    if bool(args.start) != bool(args.end):
        args.wrong("--from and --to belong together")
    from eclips_app.io.measure_sources import open_map
    from eclips_app.io.profile_files import CurveOfLine
    from eclips_app.io.project_runs import open_run
    from eclips_app.metrology import cursors, path
    from eclips_app.metrology.deviations import Deviations

    source = open_map(args.project, args.run, context, pixel_size_nm=args.pixel_size, unit=args.heights_unit)
    if source is None:
        found = open_run(args.project, args.run, ("height", "height_std", "mask", "deviations"), context)
        deviations = Deviations.of_run(found.arrays, found.entry["info"], found.entry["params"])
        size, name, titled = found.pixel_size_nm, found.name, f"{found.set_name}, {found.name}"
        item_id, hint = str(found.entry["id"]), f"The map covers columns and rows {found.area_text}."
        shape = _shape(args, size)
        line = path.sample_shape(
            found.arrays["height"], shape, pixel_size_nm=size, step_px=in_pixels(args.step, size) if args.step else None,
            origin_px=found.origin_px, mask=found.arrays.get("mask"), std=found.arrays.get("height_std"),
            deviations=deviations,
        )  # fmt: skip
    else:
        deviations, size, name, titled = None, source.pixel_size_nm[0], source.name, source.name
        item_id, hint = "", "Draw it across the height map."
        shape = _shape(args, size)
        placed = source.placed
        line = path.sample_map_shape(
            placed, shape, pixel_size_nm=size, step_px=in_pixels(args.step, size) if args.step else None
        )
    known = np.flatnonzero(np.isfinite(line.height_nm))
    if len(known) < 3:
        raise EclipsError("fewer than three points of the line have a height", where=str(args.project), hint=hint)
    ends, length = (line.distance_nm[known[0]], line.distance_nm[known[-1]]), path.length_px(shape) * size
    reading, slope = cursors.between(line, *ends), cursors.fit_slope(line, ends)
    if args.output is not None:
        _write(args, CurveOfLine("A", titled, item_id, line), shape)
    return {
        "project": str(args.project),
        "run": name,
        "shape": shape.kind,
        "from_px": list(shape.points_px[0]),
        "to_px": list(shape.points_px[-1]),
        "width_px": shape.width_px,
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
        **({} if args.output is None else {"output": str(args.output)}),
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
    if result.get("output"):
        lines.append(f"{'written to':<30}{result['output']}")
    return "\n".join(lines)


def _write(args: argparse.Namespace, curve: CurveOfLine, shape: Shape) -> None:
    from eclips_app.io.profile_files import LineProfiles, Scale, write_profiles

    if args.output.resolve() == args.project.resolve():
        raise EclipsError("the profile would replace the project", where=str(args.output), hint="Choose another file.")
    facts = {"Program": f"ECLIPS {VERSION}", "Project": str(args.project)}
    scale = Scale(args.unit, args.z_exaggeration)
    write_profiles(args.output, [LineProfiles("Profile", shape, "#e6550d", (curve,))], facts, scale)


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


def _shape(args: argparse.Namespace, size: float) -> Shape:
    """Give the shape of the arguments: a line from start to end, or the one that is written."""
    both = (size, size)
    if args.shape:
        shape = parse_shape(args.shape, both)
    else:
        shape = Shape("line", (parse_point(args.start, both), parse_point(args.end, both)))
    return replace(shape, width_px=in_pixels(args.width, size)) if args.width else shape
