"""Tell what a reconstruction explains of its images, and where it is not to be trusted, region by region.

The exit status is 1 if part of the field is not explained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.core.context import Context


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips)")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Judge a run; gives the verdicts."""
    from eclips_app.io.project_runs import open_run
    from eclips_app.metrology.honesty import judge
    from eclips_app.model.check import MAP_NAMES, maps_of

    found = open_run(args.project, args.run, MAP_NAMES, context)
    judgement = judge(maps_of(found.entry["step"], found.entry["params"], found.arrays))
    verdicts = [
        {"kind": v.kind, "tone": v.tone, "text": v.text, "area": v.area, "bbox": v.bbox, "chi2": v.chi2}
        for v in judgement.verdicts
    ]
    return {
        "project": str(args.project), "run": found.name, "explained": judgement.explained, "threshold": judgement.threshold,
        "verdicts": verdicts, "exit_status": int(any(v.tone == "error" for v in judgement.verdicts)),
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the verdicts into words."""
    return "\n".join(each["text"] for each in result["verdicts"])
