"""Compute how a material backscatters electrons, by our own Monte Carlo, or list the tables that come with the program.

The table is given to the forward model as the material: eclips simulate --emission tabulated --material FILE.npz.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, numbers
from eclips_app.core.context import Context
from eclips_app.core.emission import materials
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check
from eclips_app.core.steps import EmissionTableParams, run_step

_DEFAULT = EmissionTableParams()


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("material", nargs="?", help="chemical formula, such as Cu, Cu2O or Ca5(PO4)3F")
    parser.add_argument("--list", action="store_true", help="list the tables that come with the program")
    parser.add_argument("--density", type=float, help="in g/cm³; known for elements and common compounds")
    parser.add_argument(
        "--energies",
        type=numbers,
        default=_DEFAULT.energies_kev,
        help="beam energies in keV; default 2,3,5,7,10,15,20,30",
    )
    parser.add_argument(
        "--tilts",
        type=numbers,
        default=_DEFAULT.tilts_deg,
        help="in degrees, from 0; default 0,10,20,30,40,50,60,70,80",
    )
    parser.add_argument(
        "--histories", type=int, default=_DEFAULT.histories, help="electrons per energy and tilt; default %(default)s"
    )
    parser.add_argument("--seed", type=int, default=_DEFAULT.seed, help="default %(default)s")
    parser.add_argument("-o", "--output", type=Path, help="table to write (.npz)")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Compute and write a table, or list the ones there are."""
    from eclips_app.engine.emission import tables

    if args.list:
        return {"tables": [_summary(tables.read_table(name)) for name in materials()]}
    if not args.material or not args.output:
        raise EclipsError("a material and an output file are needed", hint="Write: eclips emission Cu -o Cu.npz.")
    output = args.output if args.output.suffix else args.output.with_suffix(".npz")
    if output.suffix != ".npz":
        raise EclipsError("emission tables are written as .npz", where=str(output), hint="Give a name with .npz.")
    check_output(output, [])
    params = EmissionTableParams(args.material, args.density, args.energies, args.tilts, args.histories, args.seed)
    check(params, "emission")
    result = run_step("emission-table", {}, params, context)
    context.progress(1.0, "Done")
    table = tables.from_arrays(result.arrays, result.info["meta"])
    table.write(output)
    return {"output": str(output), "seconds": table.meta["seconds"], **_summary(table)}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    if "tables" in result:
        return "\n".join(_line(each) for each in result["tables"])
    return f"{_line(result)}\ncomputed in {result['seconds']:.0f} s\nwritten: {result['output']}"


def _summary(table: Any) -> dict[str, Any]:
    middle = float(table.energies_kev[len(table.energies_kev) // 2])
    return {
        "material": table.name, "density_g_cm3": table.meta.get("density_g_cm3"), "energies_kev": list(table.energies_kev),
        "tilts_deg": list(table.tilts_deg), "histories": table.meta.get("histories"), "at_kev": middle,
        "yield": float(table.at(middle).yield_[0]), "median_exit_radius_nm": table.exit_radius_nm(middle),
    }  # fmt: skip


def _line(each: dict[str, Any]) -> str:
    energies = f"{each['energies_kev'][0]:g} to {each['energies_kev'][-1]:g} keV"
    return (
        f"{each['material']:<6}{energies}; at {each['at_kev']:g} keV: yield {each['yield']:.3f}, "
        f"median exit radius {each['median_exit_radius_nm']:.3g} nm"
    )
