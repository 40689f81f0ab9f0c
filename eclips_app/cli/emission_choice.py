"""Options that choose an emission model."""

from __future__ import annotations

import argparse
from dataclasses import replace

from eclips_app.cli.common import numbers
from eclips_app.core.detector import Detector
from eclips_app.core.emission import COEFFICIENTS, Emission, calibrated_emission
from eclips_app.core.errors import EclipsError

#: What the help of ``--emission`` says of its default where `default_emission` gives it.
AS_CALIBRATED = "default: as calibrated in the detector file, else lambert"


def add_emission(parser: argparse._ActionsContainer, words: str) -> None:
    """Declare ``--emission``, ``--material`` and ``--coefficients``; `words` end the help of the first."""
    parser.add_argument("--emission", choices=["lambert", "tabulated", "parametric"], help=words)
    parser.add_argument(
        "--material", help="of the emission: a name of 'eclips emission --list', or a table file; default Cu"
    )
    parser.add_argument(
        "--coefficients", type=numbers, default=(),
        help=f"of parametric emission: {','.join(COEFFICIENTS)}; default: those that fit the material best",
    )  # fmt: skip


def emission_of(args: argparse.Namespace, default: Emission) -> Emission:
    """Give what was chosen, or `default` where nothing was; a material alone changes only that of the default.

    Raises
    ------
    EclipsError
        Coefficients that would have no effect.
    """
    if args.coefficients and args.emission != "parametric":
        raise EclipsError("--coefficients belong to parametric emission", hint="Add --emission parametric.")
    if args.emission is None:
        return replace(default, material=args.material or default.material)
    return Emission(args.emission, args.material or default.material, args.coefficients)


def default_emission(detector: Detector) -> Emission:
    """Give the emission that a detector was calibrated with, else Lambert's."""
    return calibrated_emission(detector) or Emission()
