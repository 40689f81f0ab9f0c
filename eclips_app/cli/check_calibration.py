"""Tell whether a detector's calibration can be right for a set of images, without any object of known shape.

The exit status is 1 if it cannot be. That nothing contradicts it proves no calibration: calibrate on known faces.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.emission_choice import AS_CALIBRATED, add_emission, default_emission, emission_of
from eclips_app.cli.segment_images import Preparation, add_preparation, prepared, read_sets
from eclips_app.core.calibration_match import differences
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.steps import run_step
from eclips_app.model.acquisition import acquisition_of
from eclips_app.model.calibration import check_params
from eclips_app.model.runs import step_inputs


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="+", type=Path, help="segment images, or one file that holds all")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    add_preparation(parser)
    add_emission(parser, AS_CALIBRATED)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Judge the first frame; gives the findings and the evidence."""
    from eclips_app.metrology.calibration_check import judge

    detector = read_detector(args.detector)
    emission = emission_of(args, default_emission(detector))
    how = Preparation(args.pixel_size, args.crop, args.register)
    segments = prepared(read_sets(args.images, detector, context)[0], how, context)
    params = check_params(segments, detector, emission)
    evidence = run_step("check-calibration", step_inputs(segments), params, context).info
    opinion = judge(evidence, differences(detector.calibration or {}, acquisition_of(segments)))
    findings = [{"check": f.check, "title": f.title, "tone": f.tone, "text": f.text} for f in opinion.findings]
    return {
        "set": segments.name, "tone": opinion.tone, "text": opinion.text, "findings": findings, "evidence": evidence,
        "exit_status": int(opinion.tone == "error"),
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the opinion into words, what is wrong first."""
    order = ("error", "warning", "good", "info")
    findings = sorted(result["findings"], key=lambda each: order.index(each["tone"]))
    return "\n".join([result["text"], *(f"- {each['title']}: {each['text']}" for each in findings)])
