"""What a comparison of a reconstruction with a height map from elsewhere is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclips_app.core.schema import choice, quantity

Point = tuple[float, float]


@dataclass(frozen=True)
class TipModel:
    """The tip that made a height map; radius and half angle count for the kind "given" only."""

    kind: str = choice("none", "none", "given", "blind", label="Tip")
    radius_nm: float = quantity(10.0, label="Tip radius", unit="nm", low=0, high=1e5)
    half_angle_deg: float = quantity(
        20.0, label="Half angle", unit="°", low=1, high=85, help="Of the cone, from its axis."
    )


@dataclass(frozen=True)
class CompareMaps:
    """Compare a reconstruction with a placed height map.

    Inputs ``height`` [row, col] of the reconstruction in nm and ``map`` [row, col] in nm; optional ``mask`` (True where the
    height rests on data), ``height_std`` (nm) and ``deviations`` [n, row, col] of the reconstruction's size.

    Gives, on the pixels of the reconstruction, ``difference`` [row, col], reconstruction minus map in nm; with a tip also
    ``dilated``, the reconstruction as the tip shows it, and ``certainty``, True where the map shows the surface itself. ``info``:
    `values` (name -> value, std, unit), with a tip `before` (the same without it), `sentences` (tone, text), `histogram`
    (edges_nm, counts), `by_slope` (slope_deg, bias_nm, std_nm, counts), `tip` (radius_nm, name).
    """

    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    origin_px: tuple[int, int] = (0, 0)  #: row, column of the reconstruction's first pixel in the uncropped image
    map_pixel_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of the map (x, y)", unit="nm", low=1e-3, high=1e7
    )
    center_px: Point = (0.0, 0.0)  #: this and the next fields are those of `model.items.HeightMap`
    rotation_deg: float = 0.0
    stretch: tuple[float, float, float] = (1.0, 1.0, 0.0)
    drift_nm: tuple[Point, ...] = ()
    z_offset_nm: float = 0.0
    z_slope: Point = (0.0, 0.0)
    tip: TipModel = field(default_factory=TipModel)
    line_px: tuple[Point, ...] = ()  #: two ends (col, row) of a line along which angles are compared
    line_width_px: float = quantity(1.0, label="Width of the line", unit="px", low=0, high=1e4)
    stretch_nm: tuple[float, float] | None = None  #: part of the line, from its start; None: all of it
