"""Options of `eclips calibrate` that choose which parameters are free, and how well they were known before."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclips_app.core.calibration import FIXED, FREE, Parameter, default_parameters, parameter_names
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION
from eclips_app.core.errors import EclipsError
from eclips_app.core.tolerance import GEOMETRY, SCAN, gain_names, offset_names

_PRIOR = re.compile(r"(?P<name>[^=]+)=(?P<value>.+?)(?:\+-|±)(?P<std>.+)\Z")


@dataclass(frozen=True)
class Change:
    """What the user wants of a parameter or group: its mode, and value and deviation where given."""

    name: str
    mode: str
    value: float | None = None
    std: float | None = None


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Declare ``--free``, ``--fix`` and ``--prior``."""
    group = parser.add_argument_group(
        "parameters",
        "Names: geometry, gains, offsets, emission, scan for all of a kind, or one such as distance_mm, gain:E, "
        "emission:yield_2. By default gains are free; geometry within what the detector file states; offsets with dark "
        "frames; emission with a sphere. Later options go before earlier ones.",
    )
    group.add_argument(
        "--free", dest="changes", action="append", type=_free, metavar="NAME[=STD]",
        help="fit it; with the standard deviation to which it was known before (inf: not at all)",
    )  # fmt: skip
    group.add_argument(
        "--fix", dest="changes", action="append", type=_fix, metavar="NAME[=VALUE]", help="do not fit it"
    )
    group.add_argument(
        "--prior", dest="changes", action="append", type=_prior, metavar="NAME=VALUE+-STD",
        help="fit it, known before to be VALUE within STD",
    )  # fmt: skip


def parameters_of(detector: Detector, kinds: frozenset[str], changes: Sequence[Change]) -> tuple[Parameter, ...]:
    """Give all parameters: the defaults for the kinds of observations, and the changes one after another.

    Raises
    ------
    EclipsError
        A name is not known, or nothing is free.
    """
    chosen = {each.name: each for each in default_parameters(detector, kinds)}
    for change in changes:
        for name in _names(change.name, detector):
            chosen[name] = _changed(chosen[name], change)
    if all(each.mode == FIXED for each in chosen.values()):
        raise EclipsError("no parameter is free", hint="Free one, for example --free gains.")
    return tuple(chosen.values())


def _changed(parameter: Parameter, change: Change) -> Parameter:
    value = parameter.value if change.value is None else change.value
    std = parameter.std if change.std is None else None if math.isinf(change.std) else change.std
    return replace(parameter, mode=change.mode, value=value, std=std)


def _names(name: str, detector: Detector) -> tuple[str, ...]:
    groups = {
        "geometry": GEOMETRY, "gains": gain_names(detector), "offsets": offset_names(detector), "emission": EMISSION,
        "scan": SCAN,
    }  # fmt: skip
    known = parameter_names(detector)
    if name not in groups and name not in known:
        raise EclipsError(f"there is no parameter '{name}'", hint=f"Known ones: {', '.join((*groups, *known))}.")
    return groups.get(name, (name,))


def _free(text: str) -> Change:
    name, _, std = text.partition("=")
    return Change(name, FREE, std=_number(text, std, positive=True) if std else None)


def _fix(text: str) -> Change:
    name, _, value = text.partition("=")
    return Change(name, FIXED, _number(text, value) if value else None)


def _prior(text: str) -> Change:
    match = _PRIOR.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no NAME=VALUE+-STD such as distance_mm=8+-0.2")
    return Change(match["name"], FREE, _number(text, match["value"]), _number(text, match["std"], positive=True))


def _number(whole: str, text: str, *, positive: bool = False) -> float:
    """Read a number; infinite only where a standard deviation may be."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value) or (value <= 0 if positive else math.isinf(value)):
        kind = "a number above zero" if positive else "a number"
        raise argparse.ArgumentTypeError(f"'{text}' in '{whole}' is not {kind}")
    return value
