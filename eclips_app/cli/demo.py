"""Make a built-in example: a known surface, its noisy images, and their reconstruction.

With -o it is saved as a project, without it the window opens with it. No file is needed, and the same name gives the same
images every time.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output
from eclips_app.core.context import Context
from eclips_app.core.steps import Example, SaveProject, run_step
from eclips_app.model.examples import EXAMPLES


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", nargs="?", choices=list(EXAMPLES), default=next(iter(EXAMPLES)), help="default: %(default)s"
    )
    parser.add_argument("--list", action="store_true", help="list the examples")
    parser.add_argument("-o", "--output", type=Path, help="project file to write (.eclips)")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Make the example, or list them."""
    if args.list:
        return {"examples": {name: {"title": e.title, "description": e.description} for name, e in EXAMPLES.items()}}
    output = args.output if args.output.suffix else args.output.with_suffix(".eclips")
    check_output(output, [])
    result = run_step("example", {}, Example(args.name), context)
    run_step("save-project", result.arrays, SaveProject(str(output), result.info["state"]), context)
    return {"output": str(output), "example": args.name}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    if "examples" in result:
        return "\n".join(f"{n:<12}{e['title']}. {e['description']}" for n, e in result["examples"].items())
    return f"written: {result['output']}"
