"""Find the plane facets of a reconstruction or height map, and which planes of a crystal they may be.

Slopes and azimuths are told from the reference facet (by default the largest, the terrace in most cases); azimuths run from image
right (0) to image up (90). A facet's planes {hkl} are ranked with probabilities; "none" is a plane that is not among those tried.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eclips_app.cli.common import pixel_size_nm, quantity_text, warn
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError

if TYPE_CHECKING:
    from eclips_app.core.crystal import Crystal, FindFacets
    from eclips_app.metrology.facets.found import Found

_ANGLES_SHOWN = 30
_CANDIDATES_SHOWN = 4
_LEAST_SHOWN = 0.001


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", type=Path, help="project file (.eclips) or height map")
    parser.add_argument(
        "--run",
        default="",
        help="of a project: name or id of a reconstruction or height map; default: the starred or last reconstruction",
    )
    parser.add_argument(
        "--pixel-size", type=pixel_size_nm, metavar="X[,Y]", help="of a height map whose file does not say it"
    )
    parser.add_argument("--unit", default="", help="of the heights of a file that does not say it: nm, µm, …")
    parser.add_argument("--crystal", help="Cu, Cu2O, or a JSON file with a crystal (see the manual)")
    parser.add_argument("--top", metavar="HKL", help="plane of the reference facet, such as 100; default: searched")
    parser.add_argument("--min-area", default="150", metavar="PX", help="smallest facet in pixels; default 150")
    parser.add_argument("--radius", default="2", metavar="PX", help="of the local planes in pixels; default 2")
    parser.add_argument(
        "--tolerance", type=float, default=5.0, metavar="DEG", help="between local planes of a facet; default 5"
    )
    parser.add_argument(
        "--reference", metavar="N", help="number of the reference facet, 'mean' (plane) or 'image'; default 1"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Find and index; gives quantities."""
    from eclips_app.core import schema
    from eclips_app.core.crystal import FindFacets, noise_hint
    from eclips_app.core.steps import run_step
    from eclips_app.metrology.facets import report
    from eclips_app.metrology.facets.found import Found

    crystal = _crystal(args)
    wanted = {
        "radius_px": _whole(args.radius), "tolerance_deg": args.tolerance, "least_area_px": _whole(args.min_area)
    }  # fmt: skip
    params = schema.load(FindFacets, wanted, "facets")
    params, inputs = _request(args, params, context)
    result = run_step("find-facets", inputs, params, context)
    if hint := noise_hint(result.info, params):
        warn(hint)
    found = Found.of(result.arrays, result.info, schema.dump(params))
    if not len(found):
        raise EclipsError(
            "no facet was found", where=str(args.source), hint="Try a smaller --min-area or a larger --tolerance."
        )
    reference = _reference(args.reference, found)
    told: dict[str, Any] = {
        "source": str(args.source),
        "reference": {-1: "image", 0: "mean"}.get(reference, reference),
        "facets": [report.facet_row(found, number, reference) for number in found.numbers],
        "angles": report.angle_rows(found),
        "not_stated": list(params.not_stated),
    }
    if crystal is not None:
        told["crystal"] = {
            "name": crystal.lattice.name,
            **report.crystal_rows(report.index_found(found, reference, crystal)),
        }
        told["steps"] = _steps(found, reference, crystal, told["crystal"]["top"])
    return told


def describe(result: dict[str, Any]) -> str:
    """Put the readings into words."""
    lines = [f"Reference: {_named(result['reference'])}"]
    lines += [_facet_line(row) for row in result["facets"]]
    shown = [row for row in result["angles"] if row["angle"]["value"] > 1.0][:_ANGLES_SHOWN]
    lines += ["", "Angles between normals"] if shown else []
    lines += [f"{row['facets'][0]}-{row['facets'][1]:<4} {quantity_text(row['angle'])}" for row in shown]
    if "crystal" in result:
        lines += ["", *_crystal_lines(result["crystal"])]
    for step in result.get("steps", ()):
        lines.append(f"step to {step['facet']}: {quantity_text(step['height'])}: {_layers(step['candidates'])}")
    if result["not_stated"]:
        lines.append(f"not stated: {', '.join(result['not_stated'])}")
    return "\n".join(lines)


def _request(args: argparse.Namespace, params: FindFacets, context: Context) -> tuple[FindFacets, dict[str, Any]]:
    from eclips_app.io.measure_sources import open_map
    from eclips_app.io.project_runs import open_run
    from eclips_app.model.facets import map_request, run_request

    source = open_map(args.source, args.run, context, pixel_size_nm=args.pixel_size, unit=args.unit)
    if source is not None:
        return map_request(params, source.arrays["height"], source.map_pixel_size_nm)
    opened = open_run(args.source, args.run, ("height", "mask", "deviations"), context)
    return run_request(params, opened.arrays, opened.entry["info"], opened.entry["params"])


def _crystal(args: argparse.Namespace) -> Crystal | None:
    import json

    from eclips_app.core import schema
    from eclips_app.core.crystal import PRESETS, Crystal, parse_hkl

    if args.crystal is None:
        if args.top is not None:
            raise EclipsError("--top needs a crystal", hint="Give --crystal Cu, for example.")
        return None
    if args.crystal in PRESETS:
        found = Crystal(PRESETS[args.crystal])
    else:
        path = Path(args.crystal)
        if not path.is_file():
            names = ", ".join(PRESETS)
            raise EclipsError(f"'{args.crystal}' is neither a known crystal nor a file", hint=f"Known are {names}.")
        try:
            found = schema.load(Crystal, json.loads(path.read_text(encoding="utf-8")), str(path))
        except ValueError as error:
            raise EclipsError("this is no JSON", where=str(path)) from error
    return replace(found, top=parse_hkl(args.top)) if args.top is not None else found


def _reference(text: str | None, found: Found) -> int:
    names = {None: found.usual_reference, "mean": 0, "image": -1}
    if text in names:
        return names[text]
    if text is None or not text.isdecimal() or not 1 <= int(text) <= len(found):
        raise EclipsError(f"there is no facet '{text}'", hint=f"Give a number from 1 to {len(found)}, mean or image.")
    return int(text)


def _steps(found: Found, reference: int, crystal: Crystal, tops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the layers of the steps from the reference to facets parallel to it."""
    from eclips_app.metrology.crystal import step_candidates

    planes = tuple((h, k, l) for h, k, l in (top["hkl"] for top in tops if top["probability"] > 0.01))  # noqa: E741
    rows = []
    for number in found.numbers:
        step = found.step(reference, number, reference) if reference > 0 and number != reference else None
        if step is None or not step.quantity.std:
            continue
        ranked = step_candidates(crystal.lattice, step.quantity, planes, crystal.none_prior)
        told = [{"hkl": each.hkl, "layers": each.layers, "height_nm": each.height_nm, "k_sigma": each.k_sigma,
                 "probability": each.probability} for each in ranked]  # fmt: skip
        rows.append({"facet": number, "height": step.quantity.to_json(), "candidates": told})
    return rows


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise EclipsError(f"'{text}' is no whole number", hint="Give a number of pixels.")
    return int(text)


def _named(reference: Any) -> str:
    return {"image": "plane of the image", "mean": "mean plane"}.get(reference, f"facet {reference}")


def _facet_line(row: Mapping[str, Any]) -> str:
    texts = [f"{row['number']:>3}", f"area {row['area']['value']:.4g} nm²", f"rms {quantity_text(row['rms'])}"]
    for name, word in (
        ("slope", "slope"), ("fall_azimuth", "falls to"), ("trace_azimuth", "trace"), ("height_above_reference", "height"),
    ):  # fmt: skip
        if name in row:
            texts.append(f"{word} {quantity_text(row[name])}")
    return "  ".join(texts)


def _crystal_lines(crystal: Mapping[str, Any]) -> list[str]:
    from eclips_app.core.crystal import hkl_text

    tops = ", ".join(f"{hkl_text(tuple(top['hkl']))} {100 * top['probability']:.3g} %" for top in crystal["top"][:3])
    azimuth = quantity_text(crystal["orientation"]["in_plane_azimuth"])
    lines = [f"{crystal['name']}: top plane {tops}; in-plane azimuth {azimuth}"]
    for number, candidates in crystal["candidates"].items():
        texts = [
            _candidate_text(each) for each in candidates[:_CANDIDATES_SHOWN] if each["probability"] >= _LEAST_SHOWN
        ]
        lines.append(f"{number:>3}  " + ", ".join(texts))
    return lines


def _candidate_text(candidate: Mapping[str, Any]) -> str:
    from eclips_app.core.crystal import hkl_text

    chance = f"{100 * candidate['probability']:.3g} %"
    if candidate["hkl"] is None:
        return f"none {chance}"
    return f"{hkl_text(tuple(candidate['hkl']))} {chance} ({candidate['k_sigma']:.1f} sigma)"


def _layers(candidates: list[dict[str, Any]]) -> str:
    from eclips_app.core.crystal import hkl_text

    texts = []
    for each in candidates:
        if each["probability"] >= 0.01:
            what = "none" if each["hkl"] is None else f"{each['layers']} layers of {hkl_text(each['hkl'])}"
            texts.append(f"{what} {100 * each['probability']:.2g} %")
    return ", ".join(texts[:_CANDIDATES_SHOWN]) or "no few numbers of layers are likely"
