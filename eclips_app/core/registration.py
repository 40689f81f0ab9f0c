"""Parameters of the steps that place a height map on a reconstruction and compare the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eclips_app.core.schema import choice, quantity

#: Models by which a map may lie on an image, and what each lets it do.
MODELS = {
    "shift": "move",
    "similarity": "move, turn, and scale",
    "affine": "move, turn, stretch and shear",
    "drift": "all that, and drift from line to line",
}


@dataclass(frozen=True)
class TipModel:
    """The tip that a map was measured with."""

    kind: str = choice(
        "none", "none", "cone", "parabola", "blind", "measured", label="Tip",
        help="none: the surfaces are compared as they are. cone: a sphere on a cone. blind: estimated from the map. measured: "
        "from a height map of the tip.",
    )  # fmt: skip
    radius_nm: float = quantity(10.0, label="Radius", unit="nm", low=0, high=1e6)
    half_angle_deg: float = quantity(20.0, label="Half angle", unit="deg", low=1, high=89)
    half_width_px: int = quantity(10, label="Half width of a blind estimate", unit="px", low=2, high=40)
    threshold_nm: float | None = quantity(
        None, label="Noise for a blind estimate", unit="nm", low=0, high=1e6, help="None: estimated from the map."
    )


@dataclass(frozen=True)
class RegisterMap:
    """Find where a height map lies on a reconstruction.

    Inputs ``height`` [row, col] in nm of the reconstruction, optional ``mask`` of the same shape (True: may be used), and
    ``map`` [row, col] in nm, NaN where nothing was measured; for a measured tip ``tip`` [row, col] in nm.

    A tip makes all that stands up wider on the map, which alone looks like another scale: with a `tip` the place is refined
    against the reconstruction as that tip shows it.

    Gives as ``info``: ``placement`` (the fields of `model.items.HeightMap` that place it), ``parameters`` (name, value and std
    of each number that was fitted) with ``covariance`` of the same order, ``position_std_nm``, ``height_scale``,
    ``residual_rms_nm``, ``quality`` (`metrology.registration.quality.Quality`), ``method`` and ``candidates`` (other placements
    that were looked at, best first, with their ``correlation``).
    """

    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    origin_px: tuple[int, int] = (0, 0)  #: row and column of the height's first pixel in the uncropped image
    map_pixel_size_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of the map (x, y)", unit="nm", low=1e-3, high=1e7
    )
    model: str = choice("affine", *MODELS, label="Model", help="; ".join(f"{k}: {v}" for k, v in MODELS.items()))
    start: str = choice(
        "automatic", "automatic", "landmarks", "placed", label="Start",
        help="automatic: found from the heights. landmarks: from pairs of points. placed: from where the map lies now.",
    )  # fmt: skip
    landmarks: tuple[tuple[float, float, float, float], ...] = ()  #: map column, map row, image column, image row
    refine: bool = True  #: refine what the landmarks say by the heights
    placed: dict[str, Any] = field(default_factory=dict)  #: for `start` "placed": fields of `model.items.HeightMap`
    max_rotation_deg: float = quantity(180.0, label="Largest turn", unit="deg", low=0, high=180)
    max_scale: float = quantity(1.3, label="Largest scale", low=1, high=3, help="The smallest is its inverse.")
    knots: int = quantity(8, label="Knots of the drift", low=4, high=64)
    background: int = quantity(
        3, label="Order of the background", low=1, high=8, help="Of polynomials that take up bows; 1: a plane."
    )
    height_scale: bool = True  #: let the heights of the map be scaled while it is placed
    matcher: str = ""  #: name of a plugin that finds point pairs; empty: the built-in one
    matcher_folder: str = ""  #: folder with the model that the plugin loads
    tip: TipModel = field(default_factory=TipModel)
    tip_pixel_size_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of a measured tip (x, y)", unit="nm", low=1e-3, high=1e7
    )


@dataclass(frozen=True)
class CompareMap:
    """Compare a placed height map with a reconstruction.

    Inputs ``height`` [row, col] in nm, optional ``mask``, ``height_std`` and ``deviations`` of the reconstruction, ``map``
    [row, col] in nm, and for a measured tip ``tip`` [row, col] in nm.

    Gives ``difference`` [row, col] (reconstruction minus map, nm, NaN off the overlap), ``map`` (the map on the pixels of the
    reconstruction), with a tip ``dilated`` (the reconstruction as the tip would show it), ``tip_difference`` and ``certain``
    (True where the tip touched in one point); info: ``agreement`` and, with a tip, ``tip_agreement``
    (`metrology.agreement.Agreement`), ``tip`` in words, ``profiles``, one per line, with a tip
    ``tip_profiles`` of the dilated reconstruction, and ``verdict`` (sentences; with a tip on what is seen with it).
    """

    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    origin_px: tuple[int, int] = (0, 0)  #: row and column of the height's first pixel in the uncropped image
    map_pixel_size_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of the map (x, y)", unit="nm", low=1e-3, high=1e7
    )
    placed: dict[str, Any] = field(default_factory=dict)  #: fields of `model.items.HeightMap` that place the map
    position_std_nm: float = quantity(0.0, label="Standard deviation of the place", unit="nm", low=0, high=1e9)
    tip: TipModel = field(default_factory=TipModel)
    tip_pixel_size_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of a measured tip (x, y)", unit="nm", low=1e-3, high=1e7
    )
    lines: tuple[tuple[float, float, float, float], ...] = ()  #: start column, row, end column, row in the image
    deviation_parts: tuple[tuple[str, str], ...] = ()  #: of ``deviations`` (see `core.deviations`)
