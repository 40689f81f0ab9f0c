"""What several commands share: kinds of arguments, checks of output files, and strict JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity, format_length, parse_length_nm


def json_text(value: Any) -> str:
    """Give strict JSON: what is not a finite number becomes null."""
    from eclips_app.model.snapshot import plain

    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def warn(text: str) -> None:
    """Write a warning to standard error, in one line."""
    sys.stderr.write(f"eclips: warning: {' '.join(text.split())}\n")


def length_nm(text: str) -> float:
    """Read a positive length with its unit; for `argparse`."""
    try:
        value = parse_length_nm(text)
    except EclipsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if value <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not above zero")
    return value


def four_whole_numbers(text: str) -> tuple[int, int, int, int]:
    """Read ``a,b,c,d``; for `argparse`."""
    try:
        a, b, c, d = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not four whole numbers a,b,c,d") from error
    return a, b, c, d


def numbers(text: str) -> tuple[float, ...]:
    """Read ``2,5,10``; for `argparse`."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers such as 2,5,10") from error


def lengths_nm(text: str) -> tuple[float, float]:
    """Read two lengths ``x,y`` with their units, which may be negative; for `argparse`."""
    try:
        x, y = (parse_length_nm(part) for part in text.split(","))
    except (EclipsError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"'{text}' is not two lengths such as 0.2mm,-0.1mm") from error
    return x, y


def pixel_size_nm(text: str) -> tuple[float, float]:
    """Read the pixel size ``2nm`` or ``2nm,3nm`` (x, y) with its units; for `argparse`."""
    return lengths_nm(text) if "," in text else (length_nm(text),) * 2


def check_output(path: Path, inputs: Iterable[Path]) -> Path:
    """Make sure that a file can be written before the work begins.

    Raises
    ------
    EclipsError
        If it is one of the inputs, or its folder is missing or write-protected.
    """
    from eclips_app.io.atomic import check_target

    target = check_target(path)
    for source in inputs:
        if source.exists() and (source.resolve() == target or (target.exists() and source.samefile(target))):
            raise EclipsError("this is an input and is not overwritten", where=str(path), hint="Give another -o.")
    return path


def quantity_text(quantity: Mapping[str, Any]) -> str:
    """Write a quantity as every command prints it: value, standard deviation and unit."""
    value, std, unit = quantity["value"], quantity["std"], quantity["unit"]
    if value is None:
        return "–"
    if unit == "nm" and std is None:
        return format_length(value)
    unit = "°" if unit == "deg" else f" {unit}"
    return f"{value:.4g}{unit}" if std is None else f"({value:.4g} ± {std:.2g}){unit}"


def quantity(value: float, unit: str, std: float | None = None) -> dict[str, object]:
    """Give a quantity as every command prints it."""
    return Quantity(float(value), unit, None if std is None else float(std)).to_json()
