"""Targets of the scattering calculation: elements from a table of published data, compounds from their formula."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache

from eclips_app.core import paths
from eclips_app.core.errors import EclipsError

_TOKEN = re.compile(r"([A-Z][a-z]?)|(\d+\.?\d*|\.\d+)|(\()|(\))")

#: Densities of common compounds [g/cm³] (CRC Handbook of Chemistry and Physics).
_COMPOUND_DENSITIES = {
    "Cu2O": 6.0, "CuO": 6.31, "SiO2": 2.2, "Al2O3": 3.97, "TiO2": 4.23, "FeO": 6.0, "Fe2O3": 5.25, "Fe3O4": 5.17,
    "NiO": 6.72, "ZnO": 5.6, "WC": 15.6, "TiN": 5.21, "GaAs": 5.3176, "Si3N4": 3.17, "SiC": 3.16, "PbS": 7.6, "AgCl": 5.56,
    "WO3": 7.2, "MgO": 3.6,
}  # fmt: skip


@dataclass(frozen=True)
class Element:
    """An atom and its solid.

    Attributes
    ----------
    z, symbol : atomic number and symbol.
    atomic_weight : float
        g/mol.
    density_g_cm3 : float or None
        None for gases.
    mean_excitation_kev : float
        Mean excitation energy for stopping.
    amplitudes, decays_per_bohr : tuple
        Screening: ``r V = -z sum amplitude exp(-decay r)``.
    """

    z: int
    symbol: str
    atomic_weight: float
    density_g_cm3: float | None
    mean_excitation_kev: float
    amplitudes: tuple[float, ...]
    decays_per_bohr: tuple[float, ...]


@dataclass(frozen=True)
class Material:
    """A target: `atoms` are (symbol, number in the formula) in the order of first mention."""

    formula: str
    atoms: tuple[tuple[str, float], ...]
    density_g_cm3: float

    @property
    def atoms_per_nm3(self) -> dict[str, float]:
        """Number density of each kind of atom."""
        mole = sum(count * element(symbol).atomic_weight for symbol, count in self.atoms)
        formulas = self.density_g_cm3 * 6.02214076e23 / mole * 1e-21
        return {symbol: count * formulas for symbol, count in self.atoms}


@cache
def elements() -> dict[str, Element]:
    """Give the elements 1 to 92 by symbol, from ``resources/emission/elements.csv``."""
    text = paths.resource("emission/elements.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["symbol"]: _element(row) for row in rows}


def _element(row: dict[str, str]) -> Element:
    z, a1, a2 = int(row["z"]), float(row["a1"]), float(row["a2"])
    decays = [row[f"alpha{i}_per_bohr"] for i in (1, 2, 3)]
    amplitudes = (a1, a2, 1.0 - a1 - a2) if decays[2] else (a1, a2)
    return Element(
        z, row["symbol"], z / float(row["z_over_a"]), float(row["density_g_cm3"]) if row["density_g_cm3"] else None,
        float(row["mean_excitation_ev"]) * 1e-3, amplitudes, tuple(float(decay) for decay in decays if decay),
    )  # fmt: skip


def element(symbol: str) -> Element:
    """Give an element by its symbol.

    Raises
    ------
    EclipsError
        If there is none.
    """
    found = elements().get(symbol)
    if found is None:
        raise EclipsError(
            f"there is no element '{symbol}'", hint="Elements from H to U can be used, such as Cu or Cu2O."
        )
    return found


def parse_formula(formula: str) -> tuple[tuple[str, float], ...]:
    """Read a chemical formula such as ``Cu2O``, ``Ca5(PO4)3F`` or ``Ti0.9Al0.1N``.

    Returns
    -------
    tuple of (symbol, number)
        In the order of first mention.

    Raises
    ------
    EclipsError
        If it is no formula, or an element or number in it does not exist.
    """
    groups: list[dict[str, float]] = [{}]
    last: dict[str, float] = {}
    at = 0
    for token in _TOKEN.finditer(formula):
        if token.start() != at:
            break
        symbol, number, opened, _ = token.groups()
        if number is None:
            _add(groups[-1], last, 1.0)
            last = {}
        if symbol:
            last = {element(symbol).symbol: 1.0}
        elif number:
            if not last or float(number) <= 0:
                raise _no_formula(formula)
            _add(groups[-1], last, float(number))
            last = {}
        elif opened:
            groups.append({})
        elif len(groups) == 1 or not groups[-1]:
            raise _no_formula(formula)
        else:
            last = groups.pop()
        at = token.end()
    _add(groups[-1], last, 1.0)
    if at != len(formula) or len(groups) != 1 or not groups[0]:
        raise _no_formula(formula)
    return tuple(groups[0].items())


def _add(group: dict[str, float], atoms: dict[str, float], times: float) -> None:
    for symbol, count in atoms.items():
        group[symbol] = group.get(symbol, 0.0) + times * count


def _no_formula(formula: str) -> EclipsError:
    return EclipsError(f"'{formula}' is not a chemical formula", hint="Write it as Cu, Cu2O or Ca5(PO4)3F.")


def material(formula: str, density_g_cm3: float | None = None) -> Material:
    """Make a target from its formula; the density of elements and of common compounds is known.

    Raises
    ------
    EclipsError
        If the formula is wrong, or the density is needed or not positive.
    """
    atoms = parse_formula(formula)
    if density_g_cm3 is None:
        density_g_cm3 = _COMPOUND_DENSITIES.get(formula)
    if density_g_cm3 is None and len(atoms) == 1:
        density_g_cm3 = element(atoms[0][0]).density_g_cm3
    if density_g_cm3 is None:
        raise EclipsError(f"the density of {formula} is not known", hint="Give it in g/cm³ (--density).")
    if not 0.001 <= density_g_cm3 <= 50.0:
        raise EclipsError(f"a density of {density_g_cm3:g} g/cm³ cannot be", hint="Give a value from 0.001 to 50.")
    return Material(formula, atoms, density_g_cm3)
