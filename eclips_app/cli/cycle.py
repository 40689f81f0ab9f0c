"""Cycle consistency: render the images of a reconstruction, reconstruct them again, and compare the heights.

A small difference does not prove the model: a wrong one that can be inverted passes as well. See `eclips check`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, quantity
from eclips_app.core import schema
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.model.items import Run, SegmentSet


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips)")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")
    parser.add_argument("--noise", action="store_true", help="give the rendered images the noise of the measured ones")
    parser.add_argument("--output", "-o", type=Path, help="report to write (.html)")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Cycle a run; gives the differences."""
    from eclips_app.model.check import cycle_request

    if args.output is not None:
        check_output(args.output, [args.project])
    made, segment_set = _find(args.project, args.run, context)
    params, inputs = cycle_request(made, segment_set, noise=args.noise)
    found = run_step("cycle", inputs, params, context)
    if args.output is not None:
        from eclips_app.io.cycle_report import CycleReport, write_cycle_report
        from eclips_app.metrology.honesty import judge
        from eclips_app.model.check import maps_of

        verdicts = judge(maps_of(made.step, made.params, made.arrays)).verdicts
        second, difference = found.arrays["height"], found.arrays["difference"]
        report = CycleReport(made, segment_set.name, second, difference, found.info, schema.dump(params), verdicts)
        write_cycle_report(args.output, report)
    info = found.info
    return {
        "project": str(args.project), "run": made.name, "noise": args.noise,
        "rms": quantity(info["rms_nm"], "nm"), "rms_percent": info["rms_percent"],
        "largest": quantity(info["largest_nm"], "nm"), "normal_error": quantity(info["normal_error_deg"], "deg"),
        "caveat": info["caveat"], "report": str(args.output) if args.output is not None else None,
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the differences into words."""
    from eclips_app.io.cycle_report import numbers

    facts = {
        "rms_nm": result["rms"]["value"], "rms_percent": result["rms_percent"],
        "largest_nm": result["largest"]["value"], "normal_error_deg": result["normal_error"]["value"],
    }  # fmt: skip
    lines = [f"{word:<36}{value}" for word, value in numbers(facts)] + [result["caveat"]]
    return "\n".join([*lines, f"written: {result['report']}"] if result["report"] else lines)


def _find(project: Path, wanted: str, context: Context) -> tuple[Run, SegmentSet]:
    """Read a run with its images."""
    from eclips_app.io.project_runs import open_items

    made, snapshot = open_items(project, wanted, context)
    segment_set = next((item for item in snapshot.items if item.id == made.set_id), None)
    if not isinstance(segment_set, SegmentSet):
        raise EclipsError("the images of the run are not there any more", where=made.name, hint="Open them again.")
    return made, segment_set
