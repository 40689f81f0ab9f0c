"""Measure height maps: steps, angles, widths, pitch, volumes, roughness, spectra (--list tells them all).

An input is a project (.eclips) or a height file (AFM and others). Shapes are in pixels of the uncropped image, or with units;
stretches are distances along the profile. Several measurements come from a recipe file: a JSON list of objects with "kind" and
optional "name", "on" (list of shapes), "stretches" (list of texts such as "10nm:200nm"), "options" (object) and "run".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, pixel_size_nm, quantity_text
from eclips_app.cli.shape_texts import HELP, parse_shape, parse_stretch
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS, Kind, Recipe, check_recipe, kind_of
from eclips_app.core.schema import load, rule_of


@dataclass(frozen=True)
class Entry:
    """A measurement of a recipe file, in texts."""

    kind: str
    name: str = ""
    on: tuple[str, ...] = ()
    stretches: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    run: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inputs", nargs="*", type=Path, metavar="INPUT", help="projects (.eclips) or height files")
    parser.add_argument("--list", action="store_true", help="tell the kinds of measurements with their options")
    parser.add_argument("--kind", choices=list(KINDS), metavar="KIND", help="what is measured; see --list")
    parser.add_argument("--on", action="append", default=[], metavar="SHAPE", help=f"where: {HELP}; may be repeated")
    parser.add_argument(
        "--stretch", action="append", default=[], metavar="FROM:TO",
        help="a stretch of the profile, such as 10nm:200nm; may be repeated",
    )  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="an option of the kind")
    parser.add_argument("--recipe", type=Path, metavar="FILE.json", help="measurements from a file, instead of --kind")
    parser.add_argument(
        "--run", default="", help="name or id of the reconstruction or height map; of a file with several: the channel"
    )
    parser.add_argument("--pixel-size", type=pixel_size_nm, metavar="X[,Y]", help="of height files that do not say it")
    parser.add_argument("--unit", default="", help="of the heights, for height files that do not say it")
    parser.add_argument("-o", "--output", type=Path, help="table to write (.csv or .xlsx)")
    parser.add_argument("--curves", type=Path, metavar="FOLDER", help="write curves (spectra, bearing …) there, as CSV")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Measure; gives the values of each input."""
    if args.list:
        return {"kinds": [_kind_json(kind) for kind in KINDS.values()]}
    entries = _entries(args)
    if not args.inputs:
        raise EclipsError("there is no input", hint="Give a project or a height file.")
    if args.output:
        if args.output.suffix.lower() not in (".csv", ".xlsx"):
            raise EclipsError("a table is written as .csv or .xlsx", where=str(args.output))
        check_output(args.output, args.inputs)
    found = [each for path in args.inputs for each in _measured(path, entries, args, context)]
    result: dict[str, Any] = {"measurements": found}
    if args.output:
        from eclips_app.io.export_measures import write_table

        write_table(args.output, found)
        result["written"] = str(args.output)
    if any(each["problem"] for each in found):
        result["exit_status"] = 1
    return result


def describe(result: dict[str, Any]) -> str:
    """Put kinds or values into words."""
    if "kinds" in result:
        return "\n\n".join(_kind_text(kind) for kind in result["kinds"])
    blocks = [_text(each) for each in result["measurements"]]
    return "\n\n".join([*blocks, *([f"written: {result['written']}"] if "written" in result else [])])


def _entries(args: argparse.Namespace) -> list[Entry]:
    """Give the measurements that are asked for."""
    if bool(args.recipe) == bool(args.kind):
        raise EclipsError("give either --kind or --recipe", hint="eclips measure --list tells the kinds.")
    if args.kind:
        options = _options(KINDS[args.kind], args.set)
        entries = [Entry(args.kind, "", tuple(args.on), tuple(args.stretch), options, args.run)]
    else:
        entries = _read_recipe(args.recipe)
    return [each for entry in entries for each in _split(entry)]


def _split(entry: Entry) -> list[Entry]:
    """Give an entry for each shape, where the kind measures one at a time."""
    kind = kind_of(Recipe(entry.kind))
    if kind.shapes[1] > 1 or len(entry.on) < 2:
        return [entry]
    return [dataclasses.replace(entry, on=(shape,)) for shape in entry.on]


def _read_recipe(path: Path) -> list[Entry]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EclipsError(f"the recipe cannot be read ({error})", where=str(path)) from error
    if not isinstance(data, list) or not data:
        raise EclipsError("a recipe is a list of measurements", where=str(path), hint='Write [{"kind": …}, …].')
    return [load(Entry, each, f"{path.name}[{number}]") for number, each in enumerate(data)]


def _options(kind: Kind, given: Iterable[str]) -> dict[str, Any]:
    """Read ``option=value`` texts by the types of the kind's options; lengths may have units."""
    from eclips_app.core.units import parse_length_nm

    fields = [each.name for each in dataclasses.fields(kind.options)]
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or name not in fields:
            known = ", ".join(fields) or "it has none"
            raise EclipsError(f"'{text}' is no option of {kind.key}", hint=f"Write option=value; options: {known}.")
        if rule_of(kind.options, name).choices:
            found[name] = value
        elif value.lower() in ("none", "auto"):
            found[name] = None
        else:
            try:
                found[name] = float(value)
            except ValueError:
                found[name] = parse_length_nm(value)
    return found


def _measured(path: Path, entries: list[Entry], args: argparse.Namespace, context: Context) -> list[dict[str, Any]]:
    """Measure everything on one input; where it is one of several measurements, a failure is told in its row."""
    from eclips_app.io.measure_sources import MeasureSource, open_source

    alone = len(entries) * len(args.inputs) == 1
    opened: dict[str, MeasureSource] = {}
    found = []
    for number, entry in enumerate(entries):
        name = entry.name or kind_of(Recipe(entry.kind)).title
        row: dict[str, Any] = {
            "input": str(path), "source": "", "name": name, "kind": entry.kind, "on": list(entry.on),
            "values": {}, "notes": [], "not_stated": [], "problem": "",
        }  # fmt: skip
        try:
            wanted = entry.run or args.run
            if wanted not in opened:
                opened[wanted] = open_source(path, wanted, context, pixel_size_nm=args.pixel_size, unit=args.unit)
            row |= _one(opened[wanted], entry, args.curves, f"{path.stem}-{number + 1}-{entry.kind}", context)
        except EclipsError as error:
            if alone:
                raise
            row["problem"] = str(error)
        found.append(row)
    return found


def _one(source: Any, entry: Entry, curves: Path | None, name: str, context: Context) -> dict[str, Any]:
    shapes = tuple(parse_shape(text, source.pixel_size_nm) for text in entry.on)
    stretches = tuple(parse_stretch(text) for text in entry.stretches)
    recipe = Recipe(entry.kind, stretches, entry.options)
    check_recipe(recipe, len(shapes))
    result = source.measure(recipe, shapes, context)
    found = {"source": source.name, **result.info}
    if curves:
        from eclips_app.io.export_measures import write_curves

        found["curves"] = [str(path) for path in write_curves(curves, name, result.arrays)]
    return found


def _text(measured: Mapping[str, Any]) -> str:
    from eclips_app.metrology.deviations import Share

    head = f"{measured['name']}: {measured['source'] or measured['input']}"
    lines = [head + (f", {'; '.join(measured['on'])}" if measured["on"] else "")]
    if measured["problem"]:
        return "\n".join([*lines, f"  {measured['problem']}"])
    for name, value in measured["values"].items():
        lines.append(f"  {name:<26}{quantity_text(value)}".rstrip())
        shares = ", ".join(Share(**share).text for share in value.get("budget", ()) if share["percent"] >= 0.5)
        lines += [f"  {'':<26}{shares}"] if shares else []
    lines += [f"  {note}" for note in measured["notes"]]
    if measured["not_stated"] and any("budget" in value for value in measured["values"].values()):
        lines.append(f"  not stated: {', '.join(measured['not_stated'])}")
    return "\n".join(lines)


def _kind_json(kind: Kind) -> dict[str, Any]:
    options = {}
    for each in dataclasses.fields(kind.options):
        rule = rule_of(kind.options, each.name)
        options[each.name] = {"default": each.default, "range": rule.range_text, "label": rule.label, "help": rule.help}
    told = {
        name: getattr(kind, name) for name in ("key", "title", "group", "data", "standard", "help", "stretch_words")
    }
    return {**told, "shapes": list(kind.shapes), "stretches": list(kind.stretches), "options": options}


def _kind_text(kind: Mapping[str, Any]) -> str:
    standard = f" ({kind['standard']})" if kind["standard"] else ""
    lines = [f"{kind['key']}: {kind['title']}{standard}", f"  {kind['help']}"]
    if kind["stretch_words"]:
        lines.append(f"  stretches: {kind['stretch_words']}")
    lines += [
        f"  --set {name}={option['default']}: {option['label']}, {option['range']}"
        for name, option in kind["options"].items()
    ]
    return "\n".join(lines)
