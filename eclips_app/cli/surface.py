"""Make a synthetic surface of known shape and write its heights, for example to simulate its images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, length_nm
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check, dump, rule_of
from eclips_app.core.specimen import SURFACE_TITLES, Specimen, surface_defaults, surface_parameters
from eclips_app.core.steps import Export, run_step
from eclips_app.core.units import format_length

#: The parameters of all kinds, in the order in which the kinds ask for them.
_PARAMETERS = list(dict.fromkeys(name for kind in SURFACE_TITLES for name in surface_parameters(kind)))


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    width = max(map(len, SURFACE_TITLES)) + 2
    lines = [
        f"  {kind:<{width}}{title}: {' '.join(map(_option, surface_parameters(kind)))}"
        for kind, title in SURFACE_TITLES.items()
    ]
    parser.epilog = "kinds and their parameters (each has a default that suits the size):\n" + "\n".join(lines)
    parser.add_argument("kind", choices=list(SURFACE_TITLES), metavar="KIND", help="one of those below")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write; .tif holds the heights in nm")
    parser.add_argument("--pixel-size", type=length_nm, required=True, help="such as 2nm")
    parser.add_argument(
        "--size",
        default="512",
        help="columns and rows in pixels or as lengths: 512, 640x480, 5um, 2umx1um; default 512",
    )
    for name in _PARAMETERS:
        rule = rule_of(Specimen, name)
        note = f" {rule.help}" if rule.help else ""
        parser.add_argument(
            _option(name), dest=name, type=_reader(name), default=None, metavar=_kind(name), help=f"{rule.label}.{note}"
        )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Make the surface and write it; gives all its parameters."""
    from eclips_app.io.export import writer_for

    writer_for(args.output)  # an unknown suffix is told before anything is made
    check_output(args.output, [])
    rows, columns = _size(args.size, args.pixel_size)
    given = {name: value for name in _PARAMETERS if (value := getattr(args, name)) is not None}
    for name in given:
        if name not in surface_parameters(args.kind):
            known = " ".join(map(_option, surface_parameters(args.kind)))
            raise EclipsError(f"the surface '{args.kind}' has no {_option(name)}", hint=f"It has {known}.")
    params = Specimen(args.kind, rows, columns, args.pixel_size, **given)
    check(params, "surface")
    arrays = run_step("specimen", {}, params, context).arrays
    export = Export(str(args.output), args.pixel_size, SURFACE_TITLES[args.kind], {"specimen": dump(params)})
    run_step("export", arrays, export, context)
    height = arrays["height"]
    return {
        "output": str(args.output), "kind": args.kind, "shape": [rows, columns], "pixel_size_nm": args.pixel_size,
        "parameters": {**surface_defaults(args.kind, rows, columns, args.pixel_size), "seed": params.seed, **given},
        "height_range_nm": float(height.max() - height.min()),
    }  # fmt: skip


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    rows, columns = result["shape"]
    values = ", ".join(_in_words(name, result["parameters"][name]) for name in surface_parameters(result["kind"]))
    return (
        f"{SURFACE_TITLES[result['kind']]}, {columns} x {rows}, pixels of {format_length(result['pixel_size_nm'])}, "
        f"heights over {format_length(result['height_range_nm'])}\n{values}\nwritten: {result['output']}"
    )


def _option(name: str) -> str:
    """Name a field as an option: without its unit, which the value carries."""
    return "--" + name.removesuffix("_nm").removesuffix("_deg").replace("_", "-")


def _in_words(name: str, value: float) -> str:
    rule = rule_of(Specimen, name)
    return f"{rule.label.lower()} " + (format_length(value) if rule.unit == "nm" else f"{value:g}{rule.unit}")


def _kind(name: str) -> str:
    return {"nm": "LENGTH", "°": "ANGLE"}.get(rule_of(Specimen, name).unit, "NUMBER")


def _reader(name: str) -> Callable[[str], float]:
    if name in ("seed", "count"):
        return int
    return {"nm": length_nm, "°": _angle_deg}.get(rule_of(Specimen, name).unit, float)


def _angle_deg(text: str) -> float:
    """Read ``35deg``, ``35°`` or ``35``; for `argparse`."""
    try:
        return float(text.removesuffix("deg").removesuffix("°"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not an angle, such as 35deg") from error


def _size(text: str, pixel_size_nm: float) -> tuple[int, int]:
    """Read ``columns[xrows]`` in pixels or lengths; gives rows and columns."""
    try:
        counts = [int(part) if part.isdigit() else round(length_nm(part) / pixel_size_nm) for part in text.split("x")]
    except argparse.ArgumentTypeError as error:
        raise EclipsError(f"'{text}' is no size", where="--size", hint="Write 512, 640x480, 5um or 2umx1um.") from error
    if len(counts) > 2:
        raise EclipsError(f"'{text}' has more than columns and rows", where="--size", hint="Write 640x480.")
    return counts[-1], counts[0]
