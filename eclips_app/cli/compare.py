"""Compare a project's reconstruction with a height map of an AFM or profilometer.

The map is placed on the reconstruction automatically, or from landmarks: a CSV file with one pair of points a line, in pixels:
map column, map row, image column, image row. Then heights, profiles, angles and lateral resolution are compared. With a tip the
reconstruction is compared as the tip would show it, too.
"""

from __future__ import annotations

import argparse
import csv
import math
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.cli.common import check_output, length_nm, quantity, quantity_text, warn
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import MODELS, RegisterMap, TipModel
from eclips_app.core.steps import Export, ReadHeightMap, SaveProject, StepResult, run_step
from eclips_app.core.units import parse_length_nm
from eclips_app.model.items import HeightMap, new_id
from eclips_app.model.snapshot import state_of

_UNITS = ("pm", "nm", "µm", "um", "mm", "m")

_LINE = 100  #: letters of a line
_NO_SHEAR = 1e-9  #: what rounding leaves of it where none was fitted


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips)")
    parser.add_argument("map", type=Path, metavar="AFM_FILE", help="height map to compare with")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")
    parser.add_argument("--channel", default="", help="height channel of the map; default: the first")
    parser.add_argument(
        "--unit", default="", choices=_UNITS, help="of the map's heights, where its file does not say it"
    )
    parser.add_argument("--pixel-size", type=length_nm, metavar="L", help="of the map, where its file does not say it")
    parser.add_argument("--model", choices=list(MODELS), default="affine", help="how the map may lie; default: affine")
    parser.add_argument("--landmarks", type=Path, metavar="FILE.csv", help="start from pairs of points")
    parser.add_argument(
        "--tip", default="", metavar="TIP", help="radius=10nm,angle=20deg (without angle: a parabola), blind, or a file"
    )
    parser.add_argument(
        "--line", action="append", default=[], metavar="X,Y:X,Y",
        help="compare profiles along a line, in pixels of the image; may be repeated; default: through the middle",
    )  # fmt: skip
    parser.add_argument("--difference", type=Path, metavar="OUT.tif", help="write reconstruction minus map, in nm")
    parser.add_argument(
        "--save", type=Path, metavar="NEW.eclips", help="write the project with map and comparison in it"
    )
    parser.add_argument("--matcher", default="", help="plugin that matches points instead of the built-in one")
    parser.add_argument("--matcher-folder", type=Path, help="folder with the model that the matcher loads")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Register and compare; gives quantities, sentences and the profiles."""
    from eclips_app.io.project_runs import open_items
    from eclips_app.model import comparing, placing

    for output in (args.difference, args.save):
        if output is not None:
            check_output(output, [args.project, args.map])
    tip = _tip_model(args.tip)
    run, snapshot = open_items(args.project, args.run, context)
    placed = _read_map(args, context)
    landmarks = _landmarks(args.landmarks) if args.landmarks else ()
    choices = RegisterMap(
        model=args.model, matcher=args.matcher, matcher_folder=str(args.matcher_folder or ""), tip=tip
    )
    params, inputs = placing.registration_request(run, placed, choices, landmarks)
    measured = _measured_tip(Path(args.tip), context) if tip.kind == "measured" else None
    if measured is not None:
        inputs["tip"], params = measured[0], replace(params, tip_pixel_size_nm=measured[1])
    registered = run_step("register-map", inputs, params, context)
    _refuse_unplaced(registered.info, args)
    placed = replace(placed, **placing.registration_of(params, registered.info).fields)
    request, inputs = comparing.comparison_request(run, placed, tip)
    lines = tuple(_line(text, run.pixel_size_nm) for text in args.line)
    request = replace(request, lines=lines or _default_lines(placed, run.arrays["height"].shape, run.origin_px))
    if measured is not None:
        inputs["tip"], request = measured[0], replace(request, tip_pixel_size_nm=measured[1])
    compared = run_step("compare-map", inputs, request, context)
    if args.difference is not None:
        _write_difference(args, compared, run.pixel_size_nm, context)
    result = {"project": str(args.project), "run": run.name, "map": placed.name, **_result(registered, compared)}
    if args.save is None:
        return result
    made = comparing.comparison_of(run, placed, request, compared)
    state, arrays = state_of([*snapshot.items, placed, made], snapshot.selection, snapshot.view)
    run_step("save-project", arrays, SaveProject(str(args.save), state), context)
    return result | {"saved": str(args.save)}


def _read_map(args: argparse.Namespace, context: Context) -> HeightMap:
    """Read the height map as an item that is not placed yet."""
    unit = "µm" if args.unit == "um" else args.unit
    size = (args.pixel_size,) * 2 if args.pixel_size else None
    own = run_step("read-height-map", {}, ReadHeightMap(str(args.map), args.channel, unit, size), context)
    x, y = own.info["pixel_size_nm"]
    facts = str(own.info["name"]), own.arrays["height"], (float(x), float(y)), str(args.map), str(own.info["sha256"])
    return HeightMap(new_id(), *facts)


def describe(result: dict[str, Any]) -> str:
    """Put the quantities into words."""
    registration, agreement = result["registration"], result["agreement"]
    lines = [f"{'registration':<34}{registration['quality']['sentence']}"]
    placed = ("center_x", "center_y", "rotation", "stretch_x", "stretch_y", "shear", "position_std")
    fitted = [name for name in placed if name != "shear" or abs(registration[name]["value"]) > _NO_SHEAR]
    lines += [f"{name.replace('_', ' '):<34}{quantity_text(registration[name])}" for name in fitted]
    words = {
        "bias": "bias (reconstruction minus map)", "std": "standard deviation", "rms": "rms difference",
        "lower": "lower limit of agreement (95 %)", "upper": "upper limit of agreement (95 %)",
        "height_scale": "scale of heights", "chi2": "chi-square of stated deviations",
    }  # fmt: skip
    lines += [f"{text:<34}{quantity_text(agreement[name])}" for name, text in words.items() if agreement[name]]
    if resolution := agreement["resolution"]:
        lines.append(f"{'blur of the map to match (FWHM)':<34}{quantity_text(resolution['blur'])}")
    if tip := result.get("tip_agreement"):
        lines.append(f"{'with tip: standard deviation':<34}{quantity_text(tip['std'])}")
        lines.append(f"{'with tip: rms difference':<34}{quantity_text(tip['rms'])}")
    for i, profile in enumerate(result["profiles"]):
        ends = " to ".join(",".join(f"{value:.4g}" for value in profile[end]) for end in ("from_px", "to_px"))
        lines.append(f"{'line ' + ends:<34}rms {quantity_text(profile['rms'])}")
        lines.append(f"  {profile['sentence']}")
        lines += [f"  with tip: {result['tip_profiles'][i]['sentence']}"] if "tip_profiles" in result else []
    verdict = [textwrap.fill(sentence, _LINE, subsequent_indent="  ") for sentence in result["verdict"]]
    saved = [f"saved: {result['saved']}"] if "saved" in result else []
    return "\n".join([*(line.rstrip() for line in lines), "", *verdict, *saved])


def _result(placed: StepResult, compared: StepResult) -> dict[str, Any]:
    registration = dict(placed.info)
    numbers = {each["name"]: each for each in registration["parameters"]}
    place = registration["placement"]
    values = {
        "center_x": (place["center_px"][0], "px", "center_x_px"), "center_y": (place["center_px"][1], "px", "center_y_px"),
        "rotation": (place["rotation_deg"], "deg", "rotation_deg"), "stretch_x": (place["stretch"][0], "", "stretch_x"),
        "stretch_y": (place["stretch"][1], "", "stretch_y"), "shear": (place["stretch"][2], "", "shear"),
    }  # fmt: skip
    for name, (value, unit, key) in values.items():
        registration[name] = quantity(value, unit, numbers[key]["std"] if key in numbers else None)
    registration["position_std"] = quantity(
        registration["position_std_nm"] if registration["position_std_nm"] is not None else math.nan, "nm"
    )
    return {"registration": registration, **compared.info}


def _refuse_unplaced(info: dict[str, Any], args: argparse.Namespace) -> None:
    """Stop where the map was not found; with landmarks the user vouches for its place."""
    quality = info["quality"]
    if quality["found"]:
        return
    if not args.landmarks:
        raise EclipsError(quality["sentence"], where=str(args.map), hint="Give --landmarks FILE.csv.")
    warn(quality["sentence"])


def _tip_model(text: str) -> TipModel:
    if not text:
        return TipModel()
    if text == "blind":
        return TipModel("blind")
    if "=" not in text:
        return TipModel("measured")
    given = dict(part.partition("=")[::2] for part in text.split(","))
    if not set(given) <= {"radius", "angle"} or "radius" not in given:
        raise EclipsError(f"'{text}' is no tip", hint="Write radius=10nm,angle=20deg, blind, or the name of a file.")
    radius = parse_length_nm(given["radius"])
    if "angle" not in given:
        return TipModel("parabola", radius)
    try:
        angle = float(given["angle"].removesuffix("deg").removesuffix("°"))
    except ValueError as error:
        raise EclipsError(f"'{given['angle']}' is no angle", hint="Write angle=20deg.") from error
    return TipModel("cone", radius, angle)


def _measured_tip(path: Path, context: Context) -> tuple[NDArray[Any], tuple[float, float]]:
    """Read the height map of a tip and its pixel size (x, y) in nm."""
    read = run_step("read-height-map", {}, ReadHeightMap(str(path)), context)
    x, y = read.info["pixel_size_nm"]
    return read.arrays["height"], (float(x), float(y))


def _landmarks(path: Path) -> tuple[tuple[float, float, float, float], ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row and not row[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise EclipsError("the landmarks cannot be read", where=str(path)) from error
    found = []
    for number, row in enumerate(rows, 1):
        try:
            a, b, c, d = (float(cell) for cell in row)
        except ValueError as error:
            if number == 1:  # headings
                continue
            hint = "Write map column, map row, image column, image row."
            raise EclipsError(f"line {number} is not four numbers", where=str(path), hint=hint) from error
        found.append((a, b, c, d))
    return tuple(found)


def _line(text: str, pixel_size_nm: float) -> tuple[float, float, float, float]:
    from eclips_app.cli.shape_texts import parse_point

    start, colon, end = text.partition(":")
    if not colon:
        raise EclipsError(f"'{text}' is no line", hint="Write column,row:column,row, for example 10,20:300,40.")
    both = (pixel_size_nm, pixel_size_nm)
    return (*parse_point(start, both), *parse_point(end, both))


def _default_lines(
    placed: HeightMap, shape: tuple[int, ...], origin: tuple[int, int]
) -> tuple[tuple[float, float, float, float], ...]:
    """Give a line along the row and one along the column of the map's middle, kept inside the reconstruction."""
    top, left, bottom, right = origin[0], origin[1], origin[0] + shape[0] - 1, origin[1] + shape[1] - 1
    column = min(max(placed.center_px[0], left + 0.1 * shape[1]), right - 0.1 * shape[1])
    row = min(max(placed.center_px[1], top + 0.1 * shape[0]), bottom - 0.1 * shape[0])
    return (float(left), row, float(right), row), (column, float(top), column, float(bottom))


def _write_difference(args: argparse.Namespace, compared: StepResult, pixel_nm: float, context: Context) -> None:
    params = Export(
        str(args.difference), pixel_nm, "reconstruction minus map", keep_paths=(str(args.project), str(args.map))
    )
    run_step("export", {"height": compared.arrays["difference"]}, params, context)
