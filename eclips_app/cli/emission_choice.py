"""Options that choose an emission model."""

from __future__ import annotations

import argparse

from eclips_app.cli.common import numbers
from eclips_app.core.emission import COEFFICIENTS, Emission
from eclips_app.core.errors import EclipsError


def add_emission(parser: argparse._ActionsContainer, words: str) -> None:
    """Declare ``--emission``, ``--material`` and ``--coefficients``; `words` end the help of the first."""
    parser.add_argument("--emission", choices=["lambert", "tabulated", "parametric"], default="lambert", help=words)
    parser.add_argument(
        "--material",
        default="Cu",
        help="of the emission: a name of 'eclips emission --list', or a table file; default Cu",
    )
    parser.add_argument(
        "--coefficients", type=numbers, default=(),
        help=f"of parametric emission: {','.join(COEFFICIENTS)}; default: those that fit the material best",
    )  # fmt: skip


def emission_of(args: argparse.Namespace) -> Emission:
    """Give what was chosen.

    Raises
    ------
    EclipsError
        Coefficients that would have no effect.
    """
    if args.coefficients and args.emission != "parametric":
        raise EclipsError("--coefficients belong to parametric emission", hint="Add --emission parametric.")
    return Emission(args.emission, args.material, args.coefficients)
