"""Render the segment images of a known surface, one page for each segment of the detector."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.common import check_output, length_nm
from eclips_app.cli.heights import read_heights
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check
from eclips_app.core.steps import Simulate, run_step


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("height", type=Path, help="height map; plain float TIFF is taken as nm")
    parser.add_argument("--pixel-size", type=length_nm, help="such as 2nm; default: what the height map says")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    parser.add_argument(
        "--model", choices=["bsesm"], default="bsesm", help="default: bsesm, exact visibility, Lambert emission"
    )
    parser.add_argument("--dose", type=float, help="mean electrons per pixel and segment on a flat; default: no noise")
    parser.add_argument("--grey-per-electron", type=float, default=1.0, help="with --dose; default 1")
    parser.add_argument("--seed", type=int, default=0, help="of the noise; default 0")
    parser.add_argument("-o", "--output", type=Path, required=True, help="TIFF to write")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Render; gives the path and the mean of each segment."""
    check_output(args.output, [args.height, args.detector])
    if args.output.suffix.lower() not in (".tif", ".tiff"):
        raise EclipsError("segment images are written as TIFF", where=str(args.output), hint="Give a name with .tif.")
    detector = read_detector(args.detector)
    surface = read_heights(args.height, args.pixel_size, context)
    size = surface.info["pixel_size_nm"][0]
    params = Simulate(detector, size, args.dose, args.grey_per_electron, seed=args.seed)
    check(params, "simulate")
    segments = run_step("simulate", {"height": surface.arrays["height"]}, params, context).arrays["segments"]
    from eclips_app.io.export.stack import write_segments

    names = [segment.name for segment in detector.quadrants]
    write_segments(args.output, segments, size, names)
    means = dict(zip(names, (float(np.mean(s)) for s in segments), strict=True))
    return {
        "output": str(args.output), "model": args.model, "pixel_size_nm": size, "shape": list(segments.shape),
        "dtype": str(segments.dtype), "mean": means,
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    means = ", ".join(f"{name} {value:.5g}" for name, value in result["mean"].items())
    return f"mean grey values: {means}\nwritten: {result['output']}"
