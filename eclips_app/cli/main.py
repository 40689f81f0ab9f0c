"""The command line: finds the command, reads its arguments, runs it, and prints what it gives."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from eclips_app.core.context import Context, TerminalContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.version import VERSION

OpenWindow = Callable[[Sequence[Path], str], int]

#: Commands and what they do. Each is a module of this package with `configure(parser)`, `run(args, context)`, which gives
#: JSON values, and `describe(result)`, which puts them into words. Only the one that is run is imported.
COMMANDS = {
    "reconstruct": "height map from segment images",
    "calibrate": "a detector, with images of objects of known shape",
    "check-calibration": "whether a detector's calibration can be right for a set of images",
    "simulate": "segment images of a known surface",
    "surface": "a synthetic surface to simulate",
    "train": "a network that stands in for the exact forward model",
    "finetune": "a correction of rendered images for a microscope, with images of a known surface",
    "emission": "how a material backscatters electrons, by Monte Carlo",
    "vision-field": "how far away a surface can still cast a shadow",
    "profile": "heights along a line, polyline, circle or rectangle",
    "measure": "steps, angles, widths, pitch, volumes, roughness and spectra of height maps",
    "level": "a height map by planes, polynomials, lines, terraces; scars taken out",
    "facets": "plane facets: slopes, angles, and which planes of a crystal they may be",
    "compare": "a reconstruction with an AFM's height map: registration, differences, angles",
    "check": "what a reconstruction explains of its images, and where not",
    "cycle": "cycle consistency: render a reconstruction and reconstruct it again",
    "report": "PDF or HTML report of a project, and figures true to size",
    "export": "height map to TIFF, CSV, STL, PLY, VTP, GWY, PNG, …",
    "info": "what is in project files, images, height maps and detector files",
    "verify": "replay reconstructions and compare them bit for bit",
    "demo": "a built-in example",
    "bench": "the benchmark tables",
}


def main(argv: Sequence[str], open_window: OpenWindow) -> int:
    """Run one command; gives the exit status: 0, 1 (a failure told in one line) or 2 (usage)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that lacks a letter must not end the program
    try:
        return _dispatch(list(argv), open_window)
    except SystemExit as stop:  # argparse: --help gives 0, wrong usage 2
        return stop.code if isinstance(stop.code, int) else 2
    except EclipsError as error:
        return _fail(" ".join(str(error).split()))
    except (KeyboardInterrupt, Cancelled):
        return _fail("stopped, nothing was written")
    except MemoryError:
        return _fail("there is not enough memory; choose a smaller area (--crop)")
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(argv: list[str], open_window: OpenWindow) -> int:
    first = argv[0] if argv else ""
    if first in COMMANDS:
        return _run_command(first, argv[1:], open_window)
    parser = _top_parser()
    if first.startswith("-"):
        parser.parse_args(argv)
    missing = [name for name in argv if not Path(name).exists()]
    if missing:
        parser.error(f"'{missing[0]}' is neither a command nor a file; commands: {', '.join(COMMANDS)}")
    return open_window([Path(name) for name in argv], "")


def _top_parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<19}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="eclips",
        usage="eclips [FILE ...] | eclips COMMAND ... | eclips COMMAND --help",
        description="Metrological 3D surfaces from one scan of a segmented backscattered-electron detector. "
        "Without a command the window opens, with the files if any are given.",
        epilog=f"commands:\n{commands}\n\nexit status: 0; 1: a failure, told in one line; 2: wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ECLIPS {VERSION}")
    return parser


def _run_command(name: str, argv: list[str], open_window: OpenWindow) -> int:
    module = importlib.import_module(f"eclips_app.cli.{name.replace('-', '_')}")
    args = _command_parser(name, module).parse_args(argv)
    if name == "demo" and not args.list and not args.output:
        return open_window([], args.name)
    context: Context = TerminalContext()
    result = module.run(args, context)
    _print(result, module, as_json=args.json)
    return int(result.get("exit_status", 0))


def _command_parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"eclips {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _print(result: dict[str, object], module: ModuleType, *, as_json: bool) -> None:
    from eclips_app.cli.common import json_text

    text = json_text(result) if as_json else module.describe(result)
    if text:
        print(text)
    with contextlib.suppress(ValueError):  # a closed standard output
        sys.stdout.flush()


def _fail(text: str) -> int:
    clear = "\r\033[K" if sys.stderr.isatty() else ""  # the unfinished progress line
    sys.stderr.write(f"{clear}eclips: {text}\n")
    return 1
