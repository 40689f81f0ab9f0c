"""Train a Finetune: a light network that corrects rendered images by what a microscope does otherwise than the physics.

It needs images of an object of known shape, such as a calibration sphere, and a height map of that shape on the same pixels. How
much it may change is limited; how much it does change, and chi-square with and without it on pixels held out, is told.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, warn
from eclips_app.cli.emission_choice import AS_CALIBRATED, add_emission, default_emission, emission_of
from eclips_app.cli.heights import read_heights
from eclips_app.cli.segment_images import Preparation, add_preparation, prepared, read_sets
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check
from eclips_app.core.steps import TrainFinetune, run_step
from eclips_app.model.runs import step_inputs

_DEFAULT = TrainFinetune()
_CUT_SHORT = 0.02  #: part of the corrections at the limit that is worth a warning


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="+", type=Path, help="segment images, or one file that holds all")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    parser.add_argument(
        "--height", type=Path, required=True, help="height map of the known surface, on the images' pixels"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="weights to write (.safetensors)")
    parser.add_argument(
        "--limit",
        type=float,
        default=_DEFAULT.limit,
        help="largest correction in parts of the signal; default %(default)s",
    )
    parser.add_argument("--updates", type=int, default=_DEFAULT.updates, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="default %(default)s")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto")
    parser.add_argument("--no-scan-parallax", action="store_true", help="the images hold no scan parallax")
    add_preparation(parser)
    add_emission(parser, AS_CALIBRATED)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Train; gives chi-square with and without, how much is corrected, and where the weights are."""
    output = check_output(args.output, [*args.images, args.detector, args.height])
    detector = read_detector(args.detector)
    sets = read_sets(args.images, detector, context)
    if len(sets) != 1:
        raise EclipsError(f"there are {len(sets)} frames", hint="Give the images of one.")
    images = prepared(sets[0], Preparation(args.pixel_size, args.crop, args.register), context)
    assert images.pixel_size_nm is not None  # settled by `prepared`
    height = read_heights(args.height, images.pixel_size_nm, context).arrays["height"]
    rows, columns = images.crop[0::2], images.crop[1::2]
    if any(images.crop) and height.shape == images.shape:
        height = height[rows[0] : rows[1], columns[0] : columns[1]]
    params = TrainFinetune(
        detector, images.pixel_size_nm, images.crop, images.shifts_px, images.clip_low, images.clip_high,
        scan_parallax=not args.no_scan_parallax, device=args.device, emission=emission_of(args, default_emission(detector)),
        seed=args.seed, output=str(output), limit=args.limit, updates=args.updates,
    )  # fmt: skip
    check(params, "finetune")
    info = run_step("train-finetune", {**step_inputs(images), "height": height}, params, context).info
    if info["chi2_with"] >= info["chi2_without"]:
        warn("the correction explains the pixels held out no better: do without it")
    if info["at_limit"] > _CUT_SHORT:
        warn(
            f"{100 * info['at_limit']:.0f} % of the corrections are at the limit: something else is wrong, or it is too small"
        )
    return info


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    return "\n".join(
        [
            f"chi-square per degree of freedom on pixels held out: {result['chi2_without']:.2f} without, "
            f"{result['chi2_with']:.2f} with Finetune",
            f"it changes the rendered signal by {100 * result['rms']:.1f} % (root mean square), at most "
            f"{100 * result['largest']:.1f} %; limit {100 * result['limit']:.0f} %",
            f"written: {result['output']}",
        ]
    )
