"""Options of the methods beside the linear one: for the fields of their parameters, and the maps that they can be given."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.emission_choice import AS_CALIBRATED, add_emission, default_emission, emission_of
from eclips_app.cli.heights import read_factors
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check, rule_of
from eclips_app.core.steps import ClosedLoop, Learned
from eclips_app.core.tolerance import Tolerances
from eclips_app.model.items import SegmentSet
from eclips_app.model.runs import FIT_FIELDS, LEARNED_FIELDS, Given, check_size

_WITH = "with --method closed-loop"
_CHOICES = ("quality", "brightness", "starter")
_NUMBERS = tuple(name for name in FIT_FIELDS if name not in (*_CHOICES, "emission", "tolerances", "coarse_to_fine"))
_OPTIONS = {"read_noise_grey": "--read-noise", "tile_px": "--tile"}
_TOLERANCES = tuple(field.name for field in fields(Tolerances))
#: Files with maps: the brightness that each is for, and what it holds.
_MAPS = {
    "materials": ("material", "image of material labels (whole numbers), with --brightness material"),
    "rho": ("known", "map of brightness factors, with --brightness known"),
}


def add_fit(parser: argparse.ArgumentParser) -> None:
    """Declare the options; all are None where they are not given."""
    group = parser.add_argument_group("options of --method closed-loop")
    for name in _CHOICES:
        rule = rule_of(ClosedLoop, name)
        group.add_argument(_option(name), choices=rule.choices, help=f"{rule.help} default: {_default(name)}")
    add_emission(group, f"{_WITH}; {AS_CALIBRATED}")
    for name, (_, text) in _MAPS.items():
        group.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    group.add_argument("--start", type=Path, metavar="PROJECT", help="start from the heights of this project's run")
    hints = typing.get_type_hints(ClosedLoop)
    for name in _NUMBERS:
        kind = int if hints[name] in (int, int | None) else float
        group.add_argument(_option(name), dest=name, type=kind, metavar="N", help=_help(name))
    group.add_argument(
        _option("coarse_to_fine"), action=argparse.BooleanOptionalAction, default=None,
        help=f"solve images of half the size first, or not; default: {'yes' if _default('coarse_to_fine') else 'no'}",
    )  # fmt: skip
    group.add_argument(
        "--tolerance", type=_tolerance, action="append", metavar="NAME=VALUE",
        help="standard deviation that the heights' own rest on, such as distance_mm=0.05; may be given several times; "
        f"default: what the detector file states. Names: {', '.join(_TOLERANCES)}",
    )  # fmt: skip
    learned = parser.add_argument_group(
        "options of --method learned, which also takes emission, noise, azimuths and subpixels"
    )
    learned.add_argument("--network", metavar="FILE", help="weights of the U-Net; default: the program's own")
    learned.add_argument("--rounds", type=int, metavar="N", help=_help("rounds", Learned))
    renderer = rule_of(Learned, "renderer")
    learned.add_argument(
        "--renderer", choices=renderer.choices, help=f"{renderer.label}. {renderer.help} default: bsesm"
    )
    learned.add_argument(
        "--renderer-weights", metavar="FILE", help="network of --renderer vft or dsm; default: the program's own"
    )
    learned.add_argument(
        "--finetune",
        action="store_true",
        default=None,
        help="let a small network correct the rendered images, within limits",
    )
    learned.add_argument(
        "--finetune-weights", metavar="FILE", help="of 'eclips finetune'; default: trained in between on these images"
    )


def fit_of(args: argparse.Namespace, detector: Detector) -> ClosedLoop:
    """Give the parameters that were chosen; emission that was not is as the detector is calibrated.

    Raises
    ------
    EclipsError
        Values out of range, or options that would have no effect.
    """
    if args.method == "linear":
        told = ["--emission"] if emission_of(args, Emission()) != Emission() else []
        names = (*_CHOICES, *_NUMBERS, "coarse_to_fine", "tolerance", *_MAPS, "start")
        _refuse(_given_of(args, names) + told, "closed-loop")
    if args.method != "learned":
        _refuse(_given_of(args, LEARNED_FIELDS), "learned")
    for name, (brightness, _) in _MAPS.items():
        if (getattr(args, name) is None) == (args.brightness == brightness):
            raise EclipsError(
                f"--{name} and --brightness {brightness} belong together", hint="Give both, or neither of them."
            )
    kind = Learned if args.method == "learned" else ClosedLoop
    names = (*_CHOICES, *_NUMBERS, "coarse_to_fine", *(LEARNED_FIELDS if kind is Learned else ()))
    chosen = {name: value for name in names if (value := getattr(args, name)) is not None}
    emission = emission_of(args, default_emission(detector))
    fit = kind(emission=emission, tolerances=Tolerances(**dict(args.tolerance or ())), **chosen)
    check(fit)
    return fit


def given_files(args: argparse.Namespace) -> list[Path]:
    """Give the files beside images and detector that a fit reads."""
    return [path for path in (args.materials, args.rho, args.start) if path is not None]


def given_by_files(args: argparse.Namespace, segment_set: SegmentSet, context: Context) -> dict[str, Given]:
    """Read the maps that a fit of `segment_set` is given; each has the size of the images, or of the crop.

    Raises
    ------
    EclipsError
        A file cannot be read, is of another size, or holds labels that are no whole numbers.
    """
    given = {}
    if args.materials is not None:
        given["materials"] = _given(_labels(args.materials), args.materials, segment_set)
    if args.rho is not None:
        given["rho"] = _given(read_factors(args.rho, context), args.rho, segment_set)
    if args.start is not None:
        from eclips_app.io.project_runs import open_run  # late: reads HDF5

        run = open_run(args.start, "", ("height",), context)
        height = check_size(run.arrays["height"], segment_set, f"{args.start.name}, {run.name}")
        given["start"] = Given(height, f"{run.name} (run {run.entry['id']} of {args.start})")
    return given


def _given(array: NDArray[np.generic], path: Path, segment_set: SegmentSet) -> Given:
    if array.shape == segment_set.shape and any(segment_set.crop):
        first_row, first_column, end_row, end_column = segment_set.crop
        array = array[first_row:end_row, first_column:end_column].copy()
    return Given(check_size(array, segment_set, path.name), str(path))


def _labels(path: Path) -> NDArray[np.int32]:
    """Read an image of whole numbers."""
    from eclips_app.io.readers import read_file  # late: reads many kinds of files

    image = read_file(path).images[0]
    if image.dtype.kind == "f" and (image != np.round(image)).any():
        raise EclipsError("labels are whole numbers", where=path.name, hint="Give an image with one for each material.")
    return image.astype(np.int32)


def _given_of(args: argparse.Namespace, names: Sequence[str]) -> list[str]:
    return [_option(name) for name in names if getattr(args, name) is not None]


def _refuse(used: Sequence[str], method: str) -> None:
    """Refuse what only another method knows."""
    if used:
        verb = "belongs" if len(used) == 1 else "belong"
        raise EclipsError(f"{', '.join(used)} {verb} to the method {method}", hint=f"Add --method {method}.")


def _tolerance(text: str) -> tuple[str, float]:
    """Read ``distance_mm=0.05``; for `argparse`."""
    name, _, value = text.partition("=")
    try:
        if name in _TOLERANCES:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"'{text}' is no NAME=VALUE with one of the names {', '.join(_TOLERANCES)}")


def _option(name: str) -> str:
    return _OPTIONS.get(name) or "--" + name.replace("_", "-")


def _default(name: str) -> object:
    return ClosedLoop.__dataclass_fields__[name].default


def _help(name: str, kind: type[ClosedLoop] = ClosedLoop) -> str:
    rule = rule_of(kind, name)
    unit = f" ({rule.unit})" if rule.unit else ""
    default = kind.__dataclass_fields__[name].default
    note = rule.help.replace("None:", "default:")
    return " ".join(filter(None, (f"{rule.label}{unit}.", note, "" if default is None else f"default: {default:g}")))
