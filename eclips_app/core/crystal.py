"""Crystals: the lattice, how facets are looked for and indexed, and surface energies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import choice, quantity

Hkl = tuple[int, int, int]

_NOISY = 0.4  #: part of the tolerance that noise may turn local planes by


@dataclass(frozen=True)
class Lattice:
    """A crystal lattice by its conventional cell.

    Its point group is taken as the lattice's own (the holohedry). That is right for copper, silver, gold, silicon and Cu2O
    (m-3m); for crystals of lower symmetry, planes that are told apart by their atoms alone count as equivalent.
    """

    name: str = "own"
    a_nm: float = quantity(0.3615, label="a", unit="nm", low=0.05, high=10)
    b_nm: float = quantity(0.3615, label="b", unit="nm", low=0.05, high=10)
    c_nm: float = quantity(0.3615, label="c", unit="nm", low=0.05, high=10)
    alpha_deg: float = quantity(90.0, label="α", unit="°", low=20, high=160, help="Angle between b and c.")
    beta_deg: float = quantity(90.0, label="β", unit="°", low=20, high=160, help="Angle between a and c.")
    gamma_deg: float = quantity(90.0, label="γ", unit="°", low=20, high=160, help="Angle between a and b.")
    layers: str = choice(
        "P", "P", "I", "F", label="Layers", help="Where equal atoms are: at the corners alone (P), also in the body's (I) or the "
        "faces' (F) middles. Heights of steps follow from it; angles do not."
    )  # fmt: skip

    @classmethod
    def cubic(cls, name: str, a_nm: float, layers: str = "P") -> Lattice:
        """Give a cubic lattice."""
        return cls(name, a_nm, a_nm, a_nm, layers=layers)

    @classmethod
    def tetragonal(cls, name: str, a_nm: float, c_nm: float) -> Lattice:
        """Give a tetragonal lattice."""
        return cls(name, a_nm, a_nm, c_nm)

    @classmethod
    def orthorhombic(cls, name: str, a_nm: float, b_nm: float, c_nm: float) -> Lattice:
        """Give an orthorhombic lattice."""
        return cls(name, a_nm, b_nm, c_nm)

    @classmethod
    def hexagonal(cls, name: str, a_nm: float, c_nm: float) -> Lattice:
        """Give a hexagonal lattice, with 120° between a and b."""
        return cls(name, a_nm, a_nm, c_nm, 90.0, 90.0, 120.0)

    @property
    def system(self) -> str:
        """The crystal system that the cell's lengths and angles have."""
        a, b, c = self.a_nm, self.b_nm, self.c_nm
        angles = (self.alpha_deg, self.beta_deg, self.gamma_deg)
        right = [math.isclose(angle, 90.0, abs_tol=1e-6) for angle in angles]
        if all(right):
            equal = len({round(length, 9) for length in (a, b, c)})
            return {1: "cubic", 2: "tetragonal", 3: "orthorhombic"}[equal]
        if right[0] and right[1] and math.isclose(angles[2], 120.0, abs_tol=1e-6) and math.isclose(a, b, rel_tol=1e-9):
            return "hexagonal"
        return "monoclinic" if sum(right) == 2 else "triclinic"


#: Lattices by name. Sources of the lengths: Straumanis & Yu, Acta Cryst. A25 (1969) 676 (Cu, 0.3615 nm at 25 °C);
#: Kirfel & Eichhorn, Acta Cryst. A46 (1990) 271 (Cu2O, 0.4270 nm).
#: The layers of Cu2O are those of its copper, which lies face-centred.
PRESETS: dict[str, Lattice] = {
    "Cu": Lattice.cubic("Cu", 0.3615, "F"),
    "Cu2O": Lattice.cubic("Cu2O", 0.4270, "F"),
}


@dataclass(frozen=True)
class SurfaceEnergy:
    """Energy of the surfaces {hkl}; only ratios count."""

    hkl: Hkl
    energy: float = quantity(1.0, label="Energy", unit="J/m²", low=1e-6, high=1e3)


@dataclass(frozen=True)
class Crystal:
    """What is known of a crystal, and what is believed of its facets before they are measured.

    The in-plane azimuth is that of [001] as seen from above, or of [100] where the top plane is (001)'s like.
    """

    lattice: Lattice = PRESETS["Cu"]
    top: Hkl | None = None  #: {hkl} of the reference plane; None: searched
    in_plane_deg: float | None = quantity(
        None, label="In-plane azimuth", unit="°", low=-360, high=360,
        help="Azimuth of the crystal's in-plane direction on the image; empty: found from the facets.",
    )  # fmt: skip
    in_plane_std_deg: float = quantity(1.0, label="known to", unit="°", low=0.01, high=90)
    largest_index: int = quantity(3, label="Largest index", low=1, high=6, help="Of the planes {hkl} that are tried.")
    prior_power: float = quantity(
        1.0, label="Prior exponent", low=0, high=6,
        help="The prior of {hkl} falls as its interplanar distance to twice this power; 0: all alike.",
    )  # fmt: skip
    none_prior: float = quantity(
        0.1,
        label="Prior of none",
        low=0.001,
        high=0.9,
        help="That a facet is none of these planes; any direction is as likely.",
    )
    orientation_std_deg: float = quantity(
        0.1, label="Orientation", unit="°", low=0, high=10,
        help="Beside the facets' own deviations: how far the crystal and its reference plane may be off.",
    )  # fmt: skip
    energies: tuple[SurfaceEnergy, ...] = (
        SurfaceEnergy((1, 0, 0)), SurfaceEnergy((1, 1, 0)), SurfaceEnergy((1, 1, 1)),
    )  # fmt: skip


@dataclass(frozen=True)
class FindFacets:
    """Find the plane facets of a height map.

    Inputs ``height`` [row, col] in nm (NaN: not measured), optional ``mask`` [row, col] (False: not used) and ``deviations``
    [n, row, col] (see `core.deviations`) with the names in `parts`.

    Gives what `metrology.facets.found.Found` is made of: ``labels`` [row, col] (0: none, i: facet i), ``planes`` [facet, 3]
    (height in nm at the centre, slopes p and q), ``effects`` [map, facet, 3] of the deviations on them, ``scatter``
    [facet, 3, 3], ``histogram`` [y, x] of the orientations, and ``info["facets"]``: area, rms, centre. Facet 0 is the mean
    plane of the map. ``info["normal_std_deg"]`` is how far noise turns the local planes.
    """

    pixel_size_nm: tuple[float, float] = quantity((1.0, 1.0), label="Pixel size (x, y)", unit="nm", low=1e-3, high=1e7)
    radius_px: int = quantity(
        2,
        label="Radius of local planes",
        unit="px",
        low=1,
        high=32,
        help="Planes are fitted to squares of twice this and one pixels.",
    )
    tolerance_deg: float = quantity(
        5.0,
        label="Tolerance",
        unit="°",
        low=0.1,
        high=45,
        help="Local planes of one facet differ from its mean by at most this.",
    )
    least_area_px: int = quantity(150, label="Smallest area", unit="px", low=9, high=10_000_000)
    parts: tuple[tuple[str, str], ...] = ()  #: part of the budget and name of each map of deviations
    not_stated: tuple[str, ...] = ()  #: parts of the budget about which nothing is stated
    length_deviations: tuple[float, ...] = ()  #: relative change of lengths that goes with each map; empty: none


@dataclass(frozen=True)
class Wulff:
    """The shape of least surface energy (Wulff construction).

    Gives ``vertices`` [v, 3] (largest distance from the centre: 1), ``corners`` (indices of the faces' corners, one face
    after another), ``counts`` [f] (how many each face has), ``normals`` [f, 3] and ``hkl`` [f, 3], and as ``info`` the
    area fractions and the angles between neighbouring faces.
    """

    lattice: Lattice = PRESETS["Cu"]
    energies: tuple[SurfaceEnergy, ...] = (SurfaceEnergy((1, 0, 0)), SurfaceEnergy((1, 1, 0)), SurfaceEnergy((1, 1, 1)))


def noise_hint(info: Mapping[str, Any], params: FindFacets) -> str:
    """Say that the local planes are too small for the noise of the map, where they are; `info` is the step's."""
    std = float(info["normal_std_deg"])
    if std <= _NOISY * params.tolerance_deg:
        return ""
    return (
        f"Noise turns the local planes by {std:.1f}°, much of the tolerance of {params.tolerance_deg:g}°: "
        "facets may fall apart. Choose a larger radius or tolerance."
    )


def parse_hkl(text: str) -> Hkl:
    """Read Miller indices: "331", "(3 3 1)", "{1,-1,0}", "1 0 -1 1" (hexagonal, h k i l).

    Raises
    ------
    EclipsError
        If these are no three whole numbers, or all are zero.
    """
    bare = text.strip().strip("(){}[]<>").replace(",", " ").replace("−", "-")
    words = bare.split() if " " in bare.strip() else _digits(bare)
    try:
        numbers = [int(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) == 4 and numbers[0] + numbers[1] + numbers[2] == 0:
        del numbers[2]
    if len(numbers) != 3 or not any(numbers) or max(map(abs, numbers)) > 99:
        raise EclipsError(f"'{text}' is no plane", hint="Write three whole numbers, for example 331 or 1 -1 0.")
    common = math.gcd(*numbers)
    return numbers[0] // common, numbers[1] // common, numbers[2] // common


def hkl_text(hkl: Hkl, brackets: str = "{}") -> str:
    """Write Miller indices as the field does: {331}, (1 -1 0)."""
    close = " " if any(index < 0 or index > 9 for index in hkl) else ""
    return brackets[:1] + close.join(str(index) for index in hkl).replace("-", "−") + brackets[1:]


def _digits(text: str) -> list[str]:
    """Split "1-10" into its signed digits."""
    found: list[str] = []
    sign = ""
    for letter in text:
        if letter == "-":
            sign = "-"
        else:
            found.append(sign + letter)
            sign = ""
    return found
