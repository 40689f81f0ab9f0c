"""Level a height map: a file of an instrument, or the reconstruction of a project. Steps are taken in the order given.

Points and rectangles are column,row in pixels of the map, counted from the centre of its top-left pixel. The levelled heights are
written to a new file, whose suffix says how; the input is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.common import check_output, length_nm, numbers
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.levelling import Level, LevelStep
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import Export, ReadHeightMap, StepResult, run_step

_ESTIMATES = ("median", "mean", "difference", "polynomial")


class _Step(argparse.Action):
    """Adds a step to the recipe; `const` is its kind."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:  # fmt: skip
        try:
            given = None if values == self.const else values  # argparse gives that where the value is left out
            step = LevelStep(str(self.const), **_options(str(self.const), given))
        except (EclipsError, TypeError) as error:
            raise argparse.ArgumentError(self, str(error)) from error
        namespace.steps = [*(namespace.steps or []), step]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("input", type=Path, help="height map, or project file (.eclips)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write: .tif, .gwy, .sdf, .x3p, …")
    parser.set_defaults(steps=[])
    steps = parser.add_argument_group("steps")

    def step(name: str, kind: str, text: str, **options: Any) -> None:
        steps.add_argument(name, dest="steps", action=_Step, const=kind, help=text, **options)

    step("--plane", "plane", "plane of least squares", nargs=0)
    step("--three-points", "three-points", "plane through three points", nargs=3, metavar="X,Y", type=numbers)
    step("--facet", "facet", "make the prevalent facets horizontal", nargs=0)
    step(
        "--polynomial", "polynomial", "degrees along x and y, and at most their sum", metavar="X,Y[,SUM]", type=numbers
    )
    step(
        "--rows", "rows", f"line by line: {', '.join(_ESTIMATES)}, or the degree of a polynomial for each line",
        metavar="WHAT", nargs="?",
    )  # fmt: skip
    step("--step-aware", "steps", "terraces level, steps kept, lines aligned", nargs=0)
    step(
        "--scars", "scars", "replace strokes: width and length in pixels, threshold in spreads; default 4,16,4",
        metavar="W,L,T", nargs="?", type=numbers,
    )  # fmt: skip
    what = parser.add_argument_group("what counts, in every step but scars and three points")
    for name in ("--exclude", "--include"):
        what.add_argument(name, action="append", type=numbers, metavar="X,Y,X,Y", help="rectangle; may be repeated")
    what.add_argument(
        "--heights", type=numbers, metavar="LOW,HIGH", help="range of heights in percentiles, such as 0,90"
    )
    parser.add_argument("--vertical", action="store_true", help="the fast scan runs along the columns")
    source = parser.add_argument_group("what the file does not say")
    source.add_argument("--channel", default="", help="height channel; default: the first")
    source.add_argument("--unit", default="", choices=["pm", "Å", "nm", "µm", "um", "mm", "m"], help="of the heights")
    source.add_argument("--pixel-size", type=length_nm, help="with unit, such as 2nm")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Level and write; gives what each step took out."""
    from eclips_app.core import schema
    from eclips_app.io.export import writer_for
    from eclips_app.model.levelling import level_inputs

    if not args.steps:
        raise EclipsError("no step is given", hint="Give one or more, such as --plane or --rows median.")
    writer_for(args.output)  # an unknown suffix is told before anything is read
    check_output(args.output, [args.input])
    arrays, (size_x, size_y), title, made = _read(args, context)
    params = Level(_steps(args), (size_x, size_y), _areas(args))
    schema.check(params, "levelling")
    result = run_step("level", level_inputs(arrays), params, context)
    made = {**made, "levelling": [*made.get("levelling", ()), schema.dump(params)]}
    export = Export(
        str(args.output), size_x, title, made, keep_paths=(str(args.input),),
        pixel_size_y_nm=None if size_x == size_y else size_y,
    )  # fmt: skip
    written = {name: array for name, array in {**arrays, **result.arrays}.items() if name != "deviations"}
    run_step("export", written, export, context)
    return _told(args, params, result, arrays["height"])


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    lines = [f"{step['step']}: {step['took']}" for step in result["steps"]]
    (low, high), (first, last) = result["range_before_nm"], result["range_nm"]
    spread = f"rms {result['rms_before_nm']:.4g} nm before, {result['rms_nm']:.4g} nm after"
    return "\n".join(
        [*lines, f"heights {low:.5g} to {high:.5g} nm before, {first:.5g} to {last:.5g} nm after; {spread}",
         f"written: {result['output']}"]
    )  # fmt: skip


def _told(args: argparse.Namespace, params: Level, result: StepResult, before: Any) -> dict[str, Any]:
    after = result.arrays["height"]
    steps = zip(params.steps, result.info["steps"], strict=True)
    return {
        "input": str(args.input), "output": str(args.output),
        "steps": [{"step": step.text, "took": took} for step, took in steps],
        "range_before_nm": [float(np.nanmin(before)), float(np.nanmax(before))], "range_nm": result.info["range_nm"],
        "rms_before_nm": float(np.nanstd(before)), "rms_nm": float(np.nanstd(after)),
    }  # fmt: skip


def _read(
    args: argparse.Namespace, context: Context
) -> tuple[dict[str, Any], tuple[float, float], str, dict[str, Any]]:
    """Give arrays, pixel size, title and provenance of the input."""
    if args.input.suffix.lower() == ".eclips":
        from eclips_app.io.project_runs import open_run

        found = open_run(args.input, args.run, ("height", "height_std", "normals", "mask", "deviations"), context)
        made = {**found.provenance, "levelling": list(found.entry["info"].get("levelling", ()))}
        return found.arrays, (found.pixel_size_nm, found.pixel_size_nm), found.name, made
    size = (args.pixel_size, args.pixel_size) if args.pixel_size else None
    unit = args.unit.replace("um", "µm")
    result = run_step("read-height-map", {}, ReadHeightMap(str(args.input), args.channel, unit, size), context)
    size_x, size_y = result.info["pixel_size_nm"]
    made = {name: result.info[name] for name in ("source", "sha256", "channel")}
    return result.arrays, (size_x, size_y), result.info["name"], made


def _steps(args: argparse.Namespace) -> tuple[LevelStep, ...]:
    """Give the steps with what holds for all of them."""
    from dataclasses import replace

    same: dict[str, Any] = {"direction": "vertical" if args.vertical else "horizontal"}
    if args.exclude and args.include:
        raise EclipsError("--exclude and --include are given together", hint="Give one of them.")
    if args.exclude or args.include:
        same["area"] = "exclude" if args.exclude else "include"
    if args.heights:
        _count(args.heights, 2, "--heights")
        same["low_percent"], same["high_percent"] = args.heights
    return tuple(replace(step, **same) for step in args.steps)


def _areas(args: argparse.Namespace) -> tuple[Shape, ...]:
    shapes = []
    for values in (args.exclude or []) + (args.include or []):
        _count(values, 4, "--exclude and --include")
        shapes.append(Shape("rectangle", ((values[0], values[1]), (values[2], values[3]))))
    return tuple(shapes)


def _options(kind: str, values: Any) -> dict[str, Any]:
    """Give the fields of a step from what stands behind its option."""
    if kind == "three-points":
        for point in values:
            _count(point, 2, "--three-points")
        return {"points_px": tuple(tuple(point) for point in values)}
    if kind == "polynomial":
        if len(values) not in (2, 3) or any(value != int(value) for value in values):
            raise EclipsError("--polynomial needs two or three whole numbers", hint="Write, for example, 2,2.")
        names = ("degree_x", "degree_y", "total_degree")
        return dict(zip(names, (int(value) for value in values), strict=False))
    if kind == "rows" and values is not None:
        if values in _ESTIMATES:
            return {"estimate": values}
        if values.isdigit():
            return {"estimate": "polynomial", "row_degree": int(values)}
        raise EclipsError(
            f"'{values}' is no way to level lines", hint=f"Give one of {', '.join(_ESTIMATES)}, or a degree."
        )
    if kind == "scars" and values is not None:
        _count(values, 3, "--scars")
        return {"scar_width_px": int(values[0]), "scar_length_px": int(values[1]), "scar_threshold": values[2]}
    return {}


def _count(values: Sequence[float], number: int, what: str) -> None:
    if len(values) != number:
        raise EclipsError(f"{what}: {len(values)} numbers stand where {number} are needed")
