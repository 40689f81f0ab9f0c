"""Render the segment images of a known surface, one page for each segment of the detector."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.common import check_output, length_nm, lengths_nm
from eclips_app.cli.emission_choice import AS_CALIBRATED, add_emission, default_emission, emission_of
from eclips_app.cli.heights import read_factors, read_heights
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check
from eclips_app.core.steps import Simulate, run_step

_NM_PER_MM = 1e6


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("height", type=Path, help="height map; plain float TIFF is taken as nm")
    parser.add_argument("--pixel-size", type=length_nm, help="such as 2nm; default: what the height map says")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    parser.add_argument(
        "--model", choices=["bsesm", "mc", "vft", "dsm"], default="bsesm",
        help="bsesm: exact visibility by horizons, the default; mc: follows single electrons, the slow reference; vft, dsm: "
        "neural networks that imitate bsesm, for any detector and for one; on a processor they are slower, and they err",
    )  # fmt: skip
    parser.add_argument(
        "--weights", type=Path, help="network of vft or dsm (.safetensors); default: that of the program"
    )
    add_emission(parser, AS_CALIBRATED)
    parser.add_argument("--delocalised", action="store_true", help="blur by where the material's electrons leave")
    parser.add_argument("--rho", type=Path, help="material factor: a map of the same size as the heights")
    parser.add_argument("--subpixels", type=int, default=1, help="height samples along each edge of a pixel; default 1")
    parser.add_argument("--azimuths", type=int, default=64, help="directions in which the horizon is found; default 64")
    parser.add_argument(
        "--rays", type=int, default=400, help="electrons followed from each sample, with mc; default 400"
    )
    parser.add_argument(
        "--scan-parallax", action="store_true", help="the beam leaves the detector's axis over the field"
    )
    parser.add_argument(
        "--field-center", type=lengths_nm, metavar="X,Y",
        help="middle of the field from the beam's axis, such as 0.2mm,-0.1mm, with --scan-parallax; default: on the axis",
    )  # fmt: skip
    parser.add_argument(
        "--pivot",
        type=length_nm,
        help="height of the scan's pivot above the specimen, such as 8mm, with --scan-parallax",
    )
    parser.add_argument("--dose", type=float, help="mean electrons per pixel and segment on a flat; default: no noise")
    parser.add_argument("--grey-per-electron", type=float, default=1.0, help="with --dose; default 1")
    parser.add_argument("--read-noise", type=float, default=0.0, help="standard deviation in electrons, with --dose")
    parser.add_argument("--seed", type=int, default=0, help="of the noise; default 0")
    parser.add_argument("-o", "--output", type=Path, required=True, help="TIFF to write")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Render; gives the path and the mean of each segment."""
    check_output(args.output, [args.height, args.detector, *([args.rho] if args.rho else [])])
    if args.output.suffix.lower() not in (".tif", ".tiff"):
        raise EclipsError("segment images are written as TIFF", where=str(args.output), hint="Give a name with .tif.")
    _check_together(args)
    detector = read_detector(args.detector)
    surface = read_heights(args.height, args.pixel_size, context)
    size = surface.info["pixel_size_nm"][0] * args.subpixels
    x_nm, y_nm = args.field_center or (0.0, 0.0)
    params = Simulate(
        detector, size, args.dose, args.grey_per_electron, args.read_noise, args.azimuths, args.subpixels, args.seed,
        args.model, emission_of(args, default_emission(detector)), args.delocalised, args.rays,
        args.scan_parallax, (x_nm / _NM_PER_MM, y_nm / _NM_PER_MM), args.pivot / _NM_PER_MM if args.pivot else None,
        weights=str(args.weights) if args.weights else "",
    )  # fmt: skip
    check(params, "simulate")
    inputs = {"height": surface.arrays["height"]}
    if args.rho is not None:
        inputs["rho"] = read_factors(args.rho, context)
    result = run_step("simulate", inputs, params, context)
    segments = result.arrays["segments"]
    from eclips_app.io.export.stack import write_segments

    names = [segment.name for segment in detector.quadrants]
    write_segments(args.output, segments, size, names)
    means = dict(zip(names, (float(np.mean(s)) for s in segments), strict=True))
    told = {name: value for name, value in result.info.items() if name == "outside_share"}
    return {
        "output": str(args.output), "model": args.model, "emission": params.emission.model, "pixel_size_nm": size,
        "shape": list(segments.shape), "dtype": str(segments.dtype), "mean": means, **told,
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    means = ", ".join(f"{name} {value:.5g}" for name, value in result["mean"].items())
    outside = result.get("outside_share", 0.0)
    warning = f"\nwarning: {100 * outside:.2g} % of the surface is unlike all that the network has learnt from"
    return f"mean grey values: {means}\nwritten: {result['output']}{warning if outside else ''}"


def _check_together(args: argparse.Namespace) -> None:
    """Refuse what would have no effect."""
    if (args.pivot or args.field_center) and not args.scan_parallax:
        raise EclipsError("--pivot and --field-center belong to the scan parallax", hint="Add --scan-parallax.")
    if args.weights and args.model not in ("vft", "dsm"):
        raise EclipsError("--weights belong to a network", hint="Add --model vft or --model dsm.")
    if args.read_noise and args.dose is None:
        raise EclipsError("--read-noise counts electrons, which only a dose makes", hint="Add --dose.")
