"""Train a network and write its weights and model card.

vft: Vision Field Transformer, horizons from slopes; no detector enters. The specimens are synthetic, with exact answers, and
pieces of measured height maps (--afm), which are split by file into those to train on and those to judge by.
dsm: distilled simulator, the images of one --detector from slopes; five --minutes do.
unet: normals from images, for the method learned; random specimens before random detectors. With --pair every second sample is
of the user's own: images of a project with the height map registered to them (eclips compare … --save).
pinn: heights from noisy slopes, for the integrator of that name; specimens as for vft.
Ctrl+C ends the training and writes the best weights so far; --resume goes on, also after a kill.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output
from eclips_app.cli.emission_choice import AS_CALIBRATED, add_emission, default_emission, emission_of
from eclips_app.cli.heights import read_heights
from eclips_app.cli.tables import table_text
from eclips_app.cli.train_pairs import read_pairs
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector, read_detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check, rule_of
from eclips_app.core.steps import run_step
from eclips_app.core.training import Train

_DEFAULT = Train()


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("network", choices=rule_of(Train, "network").choices, help="what to train")
    parser.add_argument("-o", "--output", type=Path, help="weights to write (.safetensors); default: its name, here")
    parser.add_argument(
        "--minutes", type=float, help="end after this time; the learning rate then falls with the clock"
    )
    parser.add_argument("--steps", type=int, default=_DEFAULT.steps, help="updates at most; default %(default)s")
    parser.add_argument("--batch", type=int, default=_DEFAULT.batch, help="specimens in a step; default %(default)s")
    parser.add_argument(
        "--size", type=int, default=_DEFAULT.size_px, help="edge of a specimen in pixels; default %(default)s"
    )
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="default %(default)s")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint beside the output")
    parser.add_argument("--afm", type=Path, action="append", default=[], metavar="FILE", help="measured map; repeat")
    parser.add_argument(
        "--pair", type=Path, action="append", default=[], metavar="PROJECT",
        help="unet: also images of this project with the height map registered to them; repeat",
    )  # fmt: skip
    parser.add_argument("--initial", type=Path, metavar="FILE", help="unet: weights to begin with")
    parser.add_argument("--detector", type=Path, help="dsm: detector file (JSON)")
    parser.add_argument(
        "--teacher", choices=["bsesm", "mc"], default="bsesm",
        help="dsm: whose images it learns, the exact model's (default) or those of single electrons",
    )  # fmt: skip
    parser.add_argument(
        "--rays", type=int, default=_DEFAULT.rays, help="with mc: electrons from each sample; default %(default)s"
    )
    add_emission(parser, AS_CALIBRATED)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Train; gives the history and where the weights are."""
    given = [
        *args.afm,
        *args.pair,
        *([args.initial] if args.initial else []),
        *([args.detector] if args.detector else []),
    ]
    output = check_output(args.output or Path(f"{args.network}.safetensors"), given)
    if args.network != "unet" and (args.pair or args.initial):
        raise EclipsError("--pair and --initial belong to the unet", hint="Leave them out, or train a unet.")
    pairs, images = read_pairs(args.pair, context)
    maps = [read_heights(path, None, context) for path in args.afm]
    params = Train(
        args.network, str(output), args.steps, args.minutes, args.batch, args.size, args.seed, args.resume,
        tuple(read.info["pixel_size_nm"][0] for read in maps), args.device, *_detector_choices(args), args.teacher,
        args.rays, str(args.initial or ""), pairs,
    )  # fmt: skip
    check(params, "train")
    inputs = {f"map/{number}": read.arrays["height"] for number, read in enumerate(maps)}
    inputs |= images
    info = run_step("train", inputs, params, context).info
    context.progress(1.0, "Done")
    return info


def _detector_choices(args: argparse.Namespace) -> tuple[Detector | None, Emission]:
    """Give detector and emission of a dsm; the others have none."""
    if args.network != "dsm":
        if args.detector is not None:
            raise EclipsError(f"no detector enters a {args.network}", hint="Leave --detector out, or train a dsm.")
        return None, Emission()
    if args.detector is None:
        raise EclipsError("a DSM is distilled for one detector", hint="Give --detector.")
    detector = read_detector(args.detector)
    return detector, emission_of(args, default_emission(detector))


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    rows = result["history"]
    shown = rows[:: max(1, len(rows) // 12)]
    shown = shown if shown[-1] is rows[-1] else [*shown, rows[-1]]
    title = "Errors on held-out specimens"
    if "bsesm" in rows[-1]:
        title += " (rms in parts of a flat, noise taken out; bsesm: of the exact model)"
    stopped = " (stopped)" if result["stopped"] else ""
    return "\n".join(
        [
            table_text({"title": title, "rows": shown, "notes": []}),
            f"{result['parameters']} parameters, {result['steps']} steps in {result['seconds']:.0f} s{stopped}; "
            f"{result['optimiser']}; {result['precision']}",
            f"written: {result['output']}, with a model card (.md) beside it",
        ]
    )
