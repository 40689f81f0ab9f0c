"""Calibrate a detector with images of objects whose shape is known, all in one fit.

For example a sphere for the emission, a Vickers imprint for the angles and dark frames for the black level:

  eclips calibrate --sphere ball.tif --radius 5um --vickers imprint.tif --dark dark.tif --start det.json -o new.json

The certificate of a file that was calibrated before: eclips calibrate --certificate-of det.json -o certificate.pdf
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eclips_app.cli.calibration_choices import add_parameters, parameters_of
from eclips_app.cli.calibration_observations import Observed, add_observations, files_of, observe, sources_of
from eclips_app.cli.common import check_output, warn
from eclips_app.cli.emission_choice import add_emission, emission_of
from eclips_app.cli.tables import Table, table_text
from eclips_app.core.calibration import FREE, Calibrate, calibrated_detector
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector, read_detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import check
from eclips_app.core.steps import run_step
from eclips_app.model.snapshot import plain

#: What `Calibrate` gives that is passed on.
_FACTS = (
    "parameters", "free", "correlation", "covariance", "observations", "chi2", "degrees_of_freedom", "model_error_percent",
    "curve", "warnings",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_observations(parser)
    add_parameters(parser)
    add_emission(parser, "default: as the start was calibrated, else parametric, about Lambert's law")
    parser.add_argument("--grey-per-electron", type=float, metavar="N", help="default: found from the images' noise")
    parser.add_argument("--name", default="Calibration", help="of the calibration, for the record")
    parser.add_argument("--start", type=Path, metavar="DET.json", help="detector file to start from")
    parser.add_argument("-o", "--output", type=Path, required=True, help="detector file to write (JSON)")
    parser.add_argument("--certificate", type=Path, metavar="OUT.pdf", help="also write a certificate (PDF)")
    parser.add_argument(
        "--certificate-of", type=Path, metavar="DET.json", help="calibrate nothing: write this file's certificate to -o"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Calibrate and write; gives parameters, observations and warnings."""
    if args.certificate_of is not None:
        check_output(args.output, [args.certificate_of])
        return {"certificate": _certified(args.output, read_detector(args.certificate_of))}
    if args.start is None:
        raise EclipsError("there is no detector to start from", hint="Give its file with --start.")
    sources = sources_of(args)
    outputs = [args.output, *([args.certificate] if args.certificate else [])]
    for path in outputs:
        check_output(path, [*files_of(sources), args.start])
    if len(outputs) == 2 and args.output.resolve() == args.certificate.resolve():
        raise EclipsError("detector and certificate have one name", where=str(args.output), hint="Give two.")
    start = read_detector(args.start)
    default = calibrated_emission(start) or Emission("parametric")
    emission = emission_of(args, default)
    parameters = parameters_of(start, frozenset(each.kind for each in sources), args.changes or ())
    observed = [observe(source, args, start, context) for source in sources]
    observations = tuple(each.observation for each in observed)
    params = Calibrate(start, observations, parameters, emission, args.name, args.grey_per_electron)
    check(params, "calibrate")
    info = plain(run_step("calibrate", _inputs(observed), params, context).info)
    detector = calibrated_detector(info, datetime.now(UTC).isoformat(timespec="seconds"))
    return _written(detector, info, args)


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    if "parameters" not in result:
        return f"written: {result['certificate']}"
    rows = tuple(_row(each) for each in result["parameters"] if each["mode"] == FREE)
    table = Table("Fitted parameters", ("name", "start", "value", "std", "unit", "note"), rows)
    lines = [table_text(table.to_json()) if rows else "no parameter was free"]
    lines += [each["text"] for each in result["observations"]]
    each = result["chi2"] / max(result["degrees_of_freedom"], 1e-9)
    errs = result["model_error_percent"]
    told = f"; the model errs by {errs:.2g} % of the signal" if errs else ""
    lines.append(f"chi-square {each:.3g} for each degree of freedom with noise alone{told}")
    files = [result["detector"], *([result["certificate"]] if result["certificate"] else [])]
    return "\n".join([*lines, *(f"written: {path}" for path in files)])


def _row(parameter: dict[str, Any]) -> tuple[Any, ...]:
    notes = ["at its limit"] if parameter.get("at_limit") else []
    notes += ["nothing holds it"] if parameter["std"] is None else []
    name, start, value, std, unit = (parameter[key] for key in ("name", "start", "value", "std", "unit"))
    return name, _text(start), _text(value), "–" if std is None else f"{std:.2g}", unit, ", ".join(notes)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _inputs(observed: Sequence[Observed]) -> dict[str, Any]:
    return {f"{name}/{n}": array for n, each in enumerate(observed) for name, array in each.arrays.items()}


def _written(detector: Detector, info: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    from eclips_app.io.detector_file import write_detector

    for warning in info.get("warnings", ()):
        warn(warning)
    write_detector(args.output, detector)
    certificate = _certified(args.certificate, detector) if args.certificate else None
    facts = {name: info[name] for name in _FACTS if name in info}
    return {"detector": str(args.output), "certificate": certificate, "name": args.name, **facts}


def _certified(path: Path, detector: Detector) -> str:
    from eclips_app.io.certificate import write_certificate  # late: draws figures

    write_certificate(path, detector)
    return str(path)
