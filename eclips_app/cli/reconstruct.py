"""Reconstruct height maps from segment images and save them as a project.

The files are given in the order of the detector file's quadrants; one file may hold all of them. Several frames give one
height map each.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.common import check_output, warn
from eclips_app.cli.fit_options import add_fit, fit_of, given_by_files, given_files
from eclips_app.cli.segment_images import Preparation, add_preparation, prepared, read_sets
from eclips_app.core.calibration_match import differences
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector, read_detector
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import STEPS, ClosedLoop, Reconstruct, SaveProject, run_step
from eclips_app.core.units import format_length
from eclips_app.model.acquisition import acquisition_of
from eclips_app.model.items import DetectorItem, Item, Run, SegmentSet, new_id
from eclips_app.model.runs import Options, make_run, outer_steps, parameters, step_inputs

_PREFIX = "reconstruct-"
#: What a fit reports beside what every run does.
_FIT_FACTS = ("chi2", "chi2_steps", "stopping", "not_stated")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    methods = [name.removeprefix(_PREFIX) for name in STEPS if name.startswith(_PREFIX)]
    parser.add_argument("images", nargs="+", type=Path, help="segment images, or one file that holds all")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="project file to write (.eclips)")
    parser.add_argument("--method", choices=methods, default="linear", help="default: linear")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add_preparation(parser)
    parser.add_argument("--drift", action="store_true", help="with --register: also undo the drift within each scan")
    parser.add_argument(
        "--balance",
        choices=["auto", "file", "level"],
        default="auto",
        help="gains of the detector file, or those that make the image level; auto: level for a typical preset, else file",
    )
    parser.add_argument("--no-scan-parallax", action="store_true", help="leave the scan parallax in the height")
    integrator = rule_of(Reconstruct, "integrator")
    parser.add_argument(
        "--integrator", choices=integrator.choices, default=Reconstruct().integrator, help=integrator.help
    )
    add_fit(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Do it; gives what was written and the range of each height map."""
    output = args.output if args.output.suffix else args.output.with_suffix(".eclips")
    check_output(output, [*args.images, args.detector, *given_files(args)])
    detector = read_detector(args.detector)
    fit = fit_of(args, detector)
    how = Preparation(args.pixel_size, args.crop, args.register, args.drift)
    sets = [prepared(each, how, context) for each in read_sets(args.images, detector, context)]
    for difference in differences(detector.calibration or {}, acquisition_of(sets[0])):
        warn(difference)
    runs = [_reconstruct(each, detector, fit, args, context) for each in sets]
    from eclips_app.model.snapshot import state_of  # late: only now needed

    items: list[Item] = [DetectorItem(new_id(), detector, str(args.detector)), *sets, *runs]
    state, arrays = state_of(items)
    run_step("save-project", arrays, SaveProject(str(output), state), context)
    return {"output": str(output), "runs": [_summary(r, s) for r, s in zip(runs, sets, strict=True)]}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    lines = []
    for each in result["runs"]:
        rows, columns = each["shape"]
        size, span = format_length(each["pixel_size_nm"]), format_length(each["height_range"]["value"])
        lines.append(
            f"{each['set']}: {columns} x {rows} pixels of {size}, heights over {span}, device {each['device']}"
        )
        lines += [each["stopping"]] if "stopping" in each else []
        if missing := each.get("not_stated"):
            lines.append(f"not in the standard deviation, because nothing is stated of it: {', '.join(missing)}")
    return "\n".join([*lines, f"written: {result['output']}"])


def _reconstruct(
    segment_set: SegmentSet, detector: Detector, fit: ClosedLoop, args: argparse.Namespace, context: Context
) -> Run:
    assert segment_set.pixel_size_nm is not None  # settled by _prepare
    options = Options(
        args.balance, not args.no_scan_parallax, args.device, args.method, fit, integrator=args.integrator
    )
    params = parameters(segment_set, detector, options)
    given = given_by_files(args, segment_set, context)
    inputs = {**step_inputs(segment_set), **{name: each.array for name, each in given.items()}}
    start = time.perf_counter()
    result = run_step(options.step, inputs, params, context)
    for warning in result.info.get("warnings", ()):
        warn(f"{segment_set.name}: {warning}")
    name = args.method.replace("-", " ").capitalize()
    return make_run(segment_set, options.step, params, result, time.perf_counter() - start, name, given)


def _summary(made: Run, segment_set: SegmentSet) -> dict[str, Any]:
    height = made.arrays["height"][made.arrays["mask"]]
    std = made.arrays["height_std"][made.arrays["mask"]]
    span = float(np.ptp(height)) if height.size else math.nan
    return {
        "set": segment_set.name,
        "run": made.id,
        "method": made.step,
        "device": made.info.get("device", made.params["device"]),
        "pixel_size_nm": made.pixel_size_nm,
        "shape": list(made.arrays["height"].shape),
        "crop": list(made.params["crop"]),
        "shifts_px": [list(shift) for shift in segment_set.shifts_px],
        "height_range": {"value": span, "std": None, "unit": "nm"},
        "height_std_median": {"value": float(np.median(std)) if std.size else math.nan, "std": None, "unit": "nm"},
        "covered": float(made.arrays["mask"].mean()),
        "duration_s": made.duration_s,
        "warnings": list(made.info.get("warnings", ())),
        **({"steps": outer_steps(made.info)} if "inner_steps" in made.info else {}),
        **{name: made.info[name] for name in _FIT_FACTS if name in made.info},
    }
