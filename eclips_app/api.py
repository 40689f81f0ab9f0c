"""ECLIPS from Python: every command as a function, with the same numbers, and height maps as arrays.

::

    from eclips_app import api

    api.reconstruct("E.tif", "N.tif", "W.tif", "S.tif", detector="det.json", pixel_size="2nm", output="out.eclips")
    step = api.measure("out.eclips", kind="step", on=["line:10,20:300,40:width=5"], stretch=["0nm:80nm", "120nm:200nm"])
    step["measurements"][0]["values"]["height"]   # {"value": …, "std": …, "unit": "nm", "budget": […]}
    heights = api.heights("out.eclips")                # .arrays["height"] in nm, .measure(recipe, shapes)
    api.report("out.eclips", output="report.pdf", template="short")

A command's files come first; its options are keywords with the names of the command line (``--pixel-size`` is ``pixel_size``,
``--from`` is ``from_``). An option that may be repeated takes a list; a switch takes True. The result is what ``--json`` prints,
with profiles and the like as arrays. What the command line tells in one line is raised as `EclipsError`.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Iterator
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from eclips_app.cli.main import COMMANDS
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.io.measure_sources import MeasureSource, open_source

Command = Callable[..., dict[str, Any]]


def run(command: str, *files: str | PathLike[str], context: Context | None = None, **options: Any) -> dict[str, Any]:
    """Run a command of the command line in this process.

    Parameters
    ----------
    command : str
        One of `eclips_app.cli.main.COMMANDS`.
    files : paths
        What the command takes without an option.
    context : Context, optional
        Hears progress, and may ask to stop.
    options
        Options of the command.

    Raises
    ------
    EclipsError
        If the command or an option is not known, or what the command itself finds wrong.
    """
    if command not in COMMANDS:
        raise EclipsError(f"there is no command '{command}'", hint=f"There are: {', '.join(COMMANDS)}.")
    module = importlib.import_module(f"eclips_app.cli.{command.replace('-', '_')}")
    parser = _Parser(prog=command, add_help=False)
    module.configure(parser)
    words = [word for name, value in options.items() for word in _words(parser, name, value)]
    result: dict[str, Any] = module.run(
        parser.parse_args([*words, "--", *map(_text, files)]), context or SilentContext()
    )
    return result


def heights(
    path: str | PathLike[str], name: str = "", *, pixel_size_nm: tuple[float, float] | None = None, unit: str = ""
) -> MeasureSource:
    """Open a height map: of a project the reconstruction or placed map called `name`, of any other file its channel.

    Parameters
    ----------
    path : path
        A project (.eclips), or a file of an AFM or another instrument.
    name : str
        Empty: the reconstruction that the project presents, or the file's first height channel.
    pixel_size_nm : (x, y), optional
        For a file that does not say it.
    unit : str
        Of the heights, for a file that does not say it.

    Returns
    -------
    MeasureSource
        ``arrays["height"]`` [row, col] in nm, NaN where nothing was measured; ``measure(recipe, shapes, context)``.

    Raises
    ------
    EclipsError
        If the file cannot be read or does not hold what is wanted.
    """
    return open_source(Path(path), name, SilentContext(), pixel_size_nm=pixel_size_nm, unit=unit)


class _Parser(argparse.ArgumentParser):
    """Raises what the command line would print as wrong usage."""

    def error(self, message: str) -> Any:
        raise EclipsError(message, where=self.prog)


def _words(parser: argparse.ArgumentParser, name: str, value: Any) -> Iterator[str]:
    """Write an option as the command line has it; nothing for False and None."""
    option = f"--{name.rstrip('_').replace('_', '-')}"
    action = next((each for each in parser._actions if option in each.option_strings), None)
    if action is None:
        known = ", ".join(
            sorted(text for each in parser._actions for text in each.option_strings if text.startswith("--"))
        )
        raise EclipsError(f"'{name}' is no option", where=parser.prog, hint=f"There are: {known}.")
    if value is None or value is False:
        return
    if action.nargs == 0:
        yield option
    elif not isinstance(value, (list, tuple)):
        yield f"{option}={_text(value)}"
    elif isinstance(action, argparse._AppendAction) and action.nargs is None:
        yield from (f"{option}={_text(each)}" for each in value)
    elif action.nargs is None:  # several numbers in one text
        yield f"{option}={','.join(map(_text, value))}"
    else:
        yield from (option, *map(_text, value))


def _text(value: Any) -> str:
    return str(fspath(value)) if isinstance(value, PathLike) else str(value)


def __getattr__(name: str) -> Command:
    """Give a command as a function: ``api.check_calibration`` is ``eclips check-calibration``."""
    command = name.replace("_", "-")
    if command in COMMANDS:
        return partial(run, command)
    raise AttributeError(f"module 'eclips_app.api' has no attribute '{name}'")


def __dir__() -> list[str]:
    """List the commands too."""
    return sorted([*globals(), *(name.replace("-", "_") for name in COMMANDS)])
