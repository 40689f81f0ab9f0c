"""Run benchmarks and print their tables.

accuracy: exact methods on reference cases (--shared or ECLIPS_SHARED) and on fresh ones, beside targets and bounds.
calibration: intervals of calibrated detectors, and facets measured with them.
coverage: how often stated intervals hold the truth.
emission: our electron scattering against published figures.
engine and solver: time and memory of the linear reconstruction and of the closed loop.
facets: slopes of facets on known bodies and on reconstructions.
forward: time and memory of the forward model, errors of its derivatives, reference cases rendered.
integrators: slopes to heights.
methods: learned and exact reconstruction side by side, at three doses.
metrology: measurements on known surfaces, beside independent libraries, and of reconstructed steps.
optics: field and flight of electrons.
raytrace: ray tracer against renderer.
real: what both methods leave of measured images.
registration: pairs of AFM maps found again.
startup: of commands and window.
surrogates: networks that stand in for the forward model, beside it.
The others: how quickly the window answers.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from eclips_app.cli import bench_gui
from eclips_app.cli.tables import Table, table_text
from eclips_app.core import paths
from eclips_app.core.context import Context

_OWN = (
    "accuracy",
    "calibration",
    "coverage",
    "emission",
    "engine",
    "facets",
    "forward",
    "methods",
    "integrators",
    "metrology",
    "optics",
    "raytrace",
    "real",
    "registration",
    "solver",
    "startup",
    "surrogates",
)


def names() -> list[str]:
    """Give the benchmarks of this installation."""
    return [*_OWN, *(bench_gui.NAMES if bench_gui.is_there() else ())]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", choices=[*names(), "all"], default="all", help="default: all")
    parser.add_argument(
        "--large", action="store_true", help="engine, forward, solver: also 8192 or 4096 pixels (minutes)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a small version, of benchmarks that have one",
    )
    parser.add_argument("--cases", type=int, help="calibration, coverage: random cases; default: 50, 200")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="accuracy, calibration, coverage, facets, methods, registration: of the random cases",
    )
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="NAME",
        help="accuracy, methods, real: only this case; may be repeated",
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="real: write pictures of heights and residuals")
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
    if name in bench_gui.NAMES:
        return bench_gui.tables(name)
    made = importlib.import_module(f"eclips_app.cli.bench_{name}")  # late: each needs its own part of the program
    given: dict[str, Callable[[], Iterable[Table]]] = {
        "accuracy": lambda: made.tables(args.shared, context, quick=args.quick, seed=args.seed, only=args.case),
        "calibration": lambda: made.tables(args.shared, context, args.cases or 50, seed=args.seed, quick=args.quick),
        "coverage": lambda: made.tables(
            context, args.cases or (4 if args.quick else 200), seed=args.seed, quick=args.quick
        ),
        "emission": lambda: made.tables(context, quick=args.quick),
        "engine": lambda: [made.table(large=args.large)],
        "facets": lambda: made.tables(args.shared, context, quick=args.quick, seed=args.seed),
        "forward": lambda: made.tables(args.shared, context, large=args.large),
        "methods": lambda: made.tables(args.shared, context, quick=args.quick, seed=args.seed, only=args.case),
        "integrators": lambda: made.tables(args.shared, context, quick=args.quick),
        "metrology": lambda: made.tables(args.shared, context, quick=args.quick),
        "optics": lambda: made.tables(context),
        "raytrace": lambda: [made.table(context)],
        "real": lambda: made.tables(args.shared, context, quick=args.quick, pictures=args.pictures, only=args.case),
        "registration": lambda: made.tables(args.shared, context, quick=args.quick, seed=args.seed),
        "solver": lambda: [made.table(context, large=args.large, quick=args.quick)],
        "startup": lambda: [made.table()],
        "surrogates": lambda: made.tables(args.shared, context, quick=args.quick),
    }
    return [table.to_json() for table in given[name]()]
