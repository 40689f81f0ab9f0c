"""Write the height map of a project to a file for other programs; the suffix says how.

Lengths are in nm with the origin at the bottom-left pixel, x to the right and y up. What does not rest on data is left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output
from eclips_app.core.context import Context
from eclips_app.core.steps import Export, run_step


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    from eclips_app.io.export import formats  # late: looks for plugins

    known = "\n".join(f"  {suffix:<8}{text}" for suffix, text in formats().items())
    parser.epilog = f"formats:\n{known}"
    parser.add_argument("project", type=Path, help="project file (.eclips)")
    parser.add_argument("--to", "-o", dest="output", type=Path, required=True, help="file to write")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")
    parser.add_argument(
        "--picture", choices=["colour", "grey16"], default="colour", help="kind of PNG; default: colour"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Write the file; gives its path."""
    from eclips_app.io.export import writer_for
    from eclips_app.io.project_runs import open_run

    writer_for(args.output)  # an unknown suffix is told before anything is read
    check_output(args.output, [args.project])
    found = open_run(args.project, args.run, ("height", "height_std", "normals", "mask"), context)
    title = f"{found.set_name}, {found.name}" if found.set_name else found.name
    params = Export(
        str(args.output), found.pixel_size_nm, title, found.provenance, args.picture, keep_paths=(str(args.project),)
    )
    run_step("export", found.arrays, params, context)
    return {"output": str(args.output), "run": found.name, "bytes": args.output.stat().st_size}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    return f"written: {result['output']}"
