"""Parameters of the synthetic specimens: which kinds there are, which parameters each uses, and what they are unless given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from eclips_app.core.schema import choice, quantity

#: Inclination of the faces of a Vickers indent: half of 180 less the 136 degrees between opposite faces (ISO 6507-2).
VICKERS_FACE_DEG = 22.0
#: Inclination of the (111) faces that alkaline etching leaves on (100) silicon: atan(sqrt(2)).
SILICON_FACE_DEG = 54.74


@dataclass(frozen=True)
class Specimen:
    """Make a synthetic surface. Gives ``height`` [row, col] in nm, float64.

    `surface_parameters` tells which of the optional fields a kind uses; the others do nothing. A field that is None has the
    value of `surface_defaults`: angles and slopes typical of the kind, lengths that suit the number of pixels.
    """

    kind: str = choice(
        "vickers", "vickers", "steps", "particles", "sphere", "rough", "spiral", "grating", "pits", label="Surface"
    )
    rows: int = quantity(512, label="Rows", unit="px", low=16, high=16384)
    columns: int = quantity(512, label="Columns", unit="px", low=16, high=16384)
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    seed: int = quantity(0, label="Seed", low=0, high=2**31)
    slope_angle_deg: float | None = quantity(
        None, label="Slope of the faces", unit="°", low=0.1, high=89, help="Of a cap: the slope at its rim."
    )
    azimuth_deg: float | None = quantity(
        None, label="Azimuth", unit="°", low=-360, high=360, help="Direction across the faces; 0 is image right, 90 up."
    )
    width_nm: float | None = quantity(None, label="Width", unit="nm", low=1e-3, high=1e9, help="From edge to edge.")
    depth_nm: float | None = quantity(
        None, label="Depth", unit="nm", low=1e-4, high=1e9, help="Deeper pits have a flat bottom."
    )
    step_height_nm: float | None = quantity(None, label="Step height", unit="nm", low=1e-4, high=1e9)
    terrace_nm: float | None = quantity(None, label="Terrace width", unit="nm", low=1e-3, high=1e9)
    pitch_nm: float | None = quantity(None, label="Pitch", unit="nm", low=1e-3, high=1e9)
    line_share: float | None = quantity(
        None,
        label="Line share",
        low=0.02,
        high=0.98,
        help="Width of a line at half its height, as a part of the pitch.",
    )
    radius_nm: float | None = quantity(None, label="Radius", unit="nm", low=1e-3, high=1e9, help="Of the sphere.")
    count: int | None = quantity(None, label="Number", low=1, high=100000)
    spread: float | None = quantity(
        None,
        label="Spread of sizes",
        low=0,
        high=0.95,
        help="0: all equal; 0.5: half to one and a half times the mean.",
    )
    hurst: float | None = quantity(
        None, label="Hurst exponent", low=0.05, high=1, help="Near 1: smooth hills; near 0: jagged."
    )
    rms_slope: float | None = quantity(None, label="Roughness (rms slope)", low=0, high=5)
    cutoff_nm: float | None = quantity(
        None, label="Cut-off length", unit="nm", low=1e-3, high=1e9, help="Features much finer than this are absent."
    )
    longest_nm: float | None = quantity(
        None,
        label="Longest wavelength",
        unit="nm",
        low=1e-3,
        high=1e9,
        help="Longer waves grow no higher than this one.",
    )


@dataclass(frozen=True)
class Field:
    """Size of a height map: pixels and nm per pixel."""

    rows: int
    columns: int
    pixel_size_nm: float

    def of_edge_nm(self, part: float) -> float:
        """Give a part of the smaller edge."""
        return part * min(self.rows, self.columns) * self.pixel_size_nm


Default = float | Callable[[Field], float]


def _pixels(count: float) -> Callable[[Field], float]:
    return lambda field: count * field.pixel_size_nm


def _edges(part: float) -> Callable[[Field], float]:
    return lambda field: field.of_edge_nm(part)


def _count(area_px: float, least: int) -> Callable[[Field], float]:
    """Give one for each so many pixels."""
    return lambda field: max(least, round(field.rows * field.columns / area_px))


def _double_edge(field: Field) -> float:
    """Give the longest wavelength that the generator's grid holds."""
    return 2 * max(field.rows, field.columns) * field.pixel_size_nm


_KINDS: dict[str, dict[str, Default]] = {
    "vickers": {
        "width_nm": _edges(0.6), "slope_angle_deg": VICKERS_FACE_DEG, "azimuth_deg": 8.0, "rms_slope": 0.02,
    },
    "steps": {
        "step_height_nm": _pixels(8), "terrace_nm": _pixels(40), "slope_angle_deg": 35.0, "azimuth_deg": 20.0, "spread": 0.5,
    },
    "particles": {
        "radius_nm": _pixels(16), "spread": 0.5, "count": _count(9000, 6), "slope_angle_deg": 50.0, "rms_slope": 0.02,
    },
    "sphere": {
        "radius_nm": lambda field: field.of_edge_nm(0.35) / math.sin(math.radians(50.0)), "slope_angle_deg": 50.0,
    },
    "rough": {
        "rms_slope": 0.3, "hurst": 0.8, "cutoff_nm": _pixels(6), "longest_nm": _double_edge,
    },
    "spiral": {
        "step_height_nm": _pixels(6), "pitch_nm": _pixels(48), "slope_angle_deg": 40.0,
    },
    "grating": {
        "step_height_nm": _pixels(12), "pitch_nm": _pixels(64), "line_share": 0.5, "slope_angle_deg": SILICON_FACE_DEG,
        "azimuth_deg": 0.0,
    },
    "pits": {
        "width_nm": _pixels(40), "depth_nm": _pixels(12), "spread": 0.5, "count": _count(9000, 6), "slope_angle_deg": 45.0,
        "azimuth_deg": 30.0, "rms_slope": 0.02,
    },
}  # fmt: skip
_SEEDED = ("vickers", "steps", "particles", "rough", "pits")

#: What each kind is, for lists that a user chooses from.
SURFACE_TITLES: dict[str, str] = {
    "vickers": "Vickers indent",
    "steps": "Terraces and steps",
    "particles": "Particles",
    "sphere": "Sphere",
    "rough": "Self-affine roughness",
    "spiral": "Growth spiral",
    "grating": "Grating",
    "pits": "Etch pits",
}


def surface_parameters(kind: str) -> list[str]:
    """Give the names of the fields of `Specimen` that shape this kind, in the order in which a form shows them."""
    return [*_KINDS[kind], *(["seed"] if kind in _SEEDED else [])]


def surface_defaults(kind: str, rows: int, columns: int, pixel_size_nm: float) -> dict[str, float]:
    """Give the values that the optional parameters of a kind have unless given, by the names of the fields of `Specimen`."""
    field = Field(rows, columns, pixel_size_nm)
    return {name: value(field) if callable(value) else value for name, value in _KINDS[kind].items()}
