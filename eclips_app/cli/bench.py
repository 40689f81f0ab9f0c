"""Run benchmarks and print their tables.

accuracy: height errors of cases rendered here, and of the reference cases where their folder is (--shared or ECLIPS_SHARED).
emission: our electron scattering against published figures. engine: time and memory of the reconstruction. forward: the same
of the forward model, errors of its derivatives, reference cases rendered. optics: field and flight of electrons. raytrace:
ray tracer against renderer. startup: of commands and window. The others: how quickly the window answers.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from eclips_app.cli import bench_gui
from eclips_app.cli.tables import table_text
from eclips_app.core import paths
from eclips_app.core.context import Context

_OWN = ("accuracy", "emission", "engine", "forward", "optics", "raytrace", "startup")


def names() -> list[str]:
    """Give the benchmarks of this installation."""
    return [*_OWN, *(bench_gui.NAMES if bench_gui.is_there() else ())]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", choices=[*names(), "all"], default="all", help="default: all")
    parser.add_argument("--large", action="store_true", help="engine, forward: also 8192 and 4096 pixels (minutes)")
    parser.add_argument("--quick", action="store_true", help="emission: fewer electrons")
    shared = Path(os.environ.get("ECLIPS_SHARED", paths.root().parent / "shared"))
    parser.add_argument("--shared", type=Path, default=shared, help="folder with the reference cases")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Run the benchmarks; gives their tables."""
    chosen = names() if args.name == "all" else [args.name]
    found: list[dict[str, Any]] = []
    for number, name in enumerate(chosen):
        context.progress(number / len(chosen), f"Benchmark {name}")
        found += _tables(name, args, context)
    context.progress(1.0, "Done")
    return {"tables": found}


def describe(result: dict[str, Any]) -> str:
    """Put the tables into text."""
    return "\n\n".join(table_text(table) for table in result["tables"])


def _tables(name: str, args: argparse.Namespace, context: Context) -> list[dict[str, Any]]:
    if name == "accuracy":
        from eclips_app.cli import bench_accuracy

        return [bench_accuracy.table(args.shared).to_json()]
    if name == "emission":
        from eclips_app.cli import bench_emission

        return [table.to_json() for table in bench_emission.tables(context, quick=args.quick)]
    if name == "engine":
        from eclips_app.cli import bench_engine

        return [bench_engine.table(large=args.large).to_json()]
    if name == "forward":
        from eclips_app.cli import bench_forward

        return [table.to_json() for table in bench_forward.tables(args.shared, context, large=args.large)]
    if name == "optics":
        from eclips_app.cli import bench_optics

        return [table.to_json() for table in bench_optics.tables(context)]
    if name == "raytrace":
        from eclips_app.cli import bench_raytrace

        return [bench_raytrace.table(context).to_json()]
    if name == "startup":
        from eclips_app.cli import bench_startup

        return [bench_startup.table().to_json()]
    return bench_gui.tables(name)
