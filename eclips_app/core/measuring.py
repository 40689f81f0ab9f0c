"""Measurements: what each kind measures, what it needs, and the parameters of the step "measure".

A measurement is a recipe (kind, marked stretches, options) applied to shapes on a height map; the same recipe gives the same
numbers in the window, on the command line and in a replayed project. What computes is named by text and imported late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import (
    AreaRoughness,
    Bearing,
    CriticalDimension,
    Edge,
    Features,
    HistogramStep,
    NoOptions,
    Pitch,
    ProfileRoughness,
    Spectrum,
    StandardStep,
    Volume,
)
from eclips_app.core.schema import choice, load, quantity
from eclips_app.core.shapes import Point, Shape

Stretch = tuple[float, float]  #: two distances along a profile from its start, in nm


@dataclass(frozen=True)
class Recipe:
    """What is measured, without where."""

    kind: str = ""  #: key of `KINDS`
    stretches_nm: tuple[Stretch, ...] = ()  #: marked along the (first) profile
    options: dict[str, Any] = field(
        default_factory=dict
    )  #: fields of the kind's `options`; what is left out is default


@dataclass(frozen=True)
class Placement:
    """Where a height map from elsewhere lies on the image; fields as in `model.items.HeightMap`."""

    pixel_size_nm: tuple[float, float] = quantity((1.0, 1.0), label="Pixel size of the map (x, y)", unit="nm", low=1e-6)
    center_px: Point = (0.0, 0.0)
    rotation_deg: float = 0.0
    z_offset_nm: float = 0.0
    stretch: tuple[float, float, float] = (1.0, 1.0, 0.0)
    drift_nm: tuple[tuple[float, float], ...] = ()
    z_slope: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, item: Any) -> Placement:
        """Take the fields of a height map item."""
        return cls(**{name: getattr(item, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Measure:
    """Measure a height map after a recipe.

    Inputs ``height`` [row, col] in nm; optional ``mask`` (True: may be used) and ``deviations``
    [n, row, col] (see `core.deviations`) with `deviation_parts`. Shapes are in pixels of the uncropped image.

    Gives ``info["values"]``: name -> value, std and unit, with ``budget`` where there are deviations (see `Measurement`);
    ``info["notes"]``: sentences; ``info["not_stated"]``; and arrays for plots, by the kind (see `KINDS`).
    """

    recipe: Recipe = field(default_factory=Recipe)
    shapes: tuple[Shape, ...] = ()  #: none: the whole map, for kinds that measure areas
    pixel_size_nm: tuple[float, float] = quantity(
        (1.0, 1.0), label="Pixel size of the image (x, y)", unit="nm", low=1e-6
    )
    origin_px: tuple[float, float] = (0.0, 0.0)  #: row, column of the uncropped image that is height[0, 0]
    placement: Placement | None = None  #: of a map from elsewhere; `origin_px` is not used then
    content: str = choice("height", "height", "grey", "normals", "other", label="Content")
    deviation_parts: tuple[tuple[str, str], ...] = ()  #: as in ``info["deviation_parts"]`` of a run
    pixel_size_percent: float = quantity(0.0, label="Standard deviation of the pixel size", unit="%", low=0, high=100)
    not_stated: tuple[str, ...] = ()  #: parts of the budget that are in no standard deviation
    step_px: float | None = quantity(None, label="Step along profiles", unit="px", low=1e-3, high=1e4)

    @classmethod
    def of_run(
        cls, recipe: Recipe, shapes: tuple[Shape, ...], info: Mapping[str, Any], params: Mapping[str, Any]
    ) -> Measure:
        """Give the parameters for a reconstruction with these facts and parameters (`model.items.Run`)."""
        size, crop = float(params["pixel_size_nm"]), params["crop"]
        percent = float((params.get("tolerances") or {}).get("pixel_size_percent") or 0.0)
        parts = tuple((str(part), str(name)) for part, name in info.get("deviation_parts", ()))
        return cls(
            recipe, shapes, (size, size), (float(crop[0]), float(crop[1])), None, "height",
            parts, percent, tuple(info.get("not_stated", ())),
        )  # fmt: skip

    @classmethod
    def of_map(cls, recipe: Recipe, shapes: tuple[Shape, ...], item: Any, image_pixel_size_nm: float) -> Measure:
        """Give the parameters for a placed height map (`model.items.HeightMap`) under shapes drawn on the image."""
        size = (image_pixel_size_nm, image_pixel_size_nm)
        return cls(recipe, shapes, size, placement=Placement.of(item))


@dataclass(frozen=True)
class Kind:
    """A kind of measurement.

    Attributes
    ----------
    data : str
        "profile": measured along each shape; "area": on the pixels inside each shape, or on the whole map.
    shapes, stretches : (int, int)
        Fewest and most of each.
    function : str
        "module:function" that gives a `metrology.reading.Reading` from lines or patches, stretches and options.
    """

    key: str
    title: str
    group: str
    data: str
    function: str
    shapes: tuple[int, int] = (1, 1)
    stretches: tuple[int, int] = (0, 0)
    stretch_words: str = ""  #: what the stretches are, in order
    options: type = NoOptions
    standard: str = ""
    help: str = ""
    plots: tuple[str, ...] = ()  #: names of the arrays for plots: pairs ``NAME/x``, ``NAME/y``, or a map ``NAME``


_M = "eclips_app.metrology."
_ALL = (
    Kind(
        "step", "Step height", "Steps and edges", "profile", _M + "measure_steps:step",
        stretches=(2, 2), stretch_words="the level before the step, the level after it",
        help="Two parallel lines are fitted to two stretches; the step is the second above the first.",
    ),
    Kind(
        "step-iso", "Step height of a groove or ridge", "Steps and edges", "profile", _M + "measure_steps:step_iso",
        stretches=(0, 3), options=StandardStep, standard="ISO 5436-1 type A1",
        stretch_words="none: the edges are found; one: the feature from edge to edge; three: before it, on it, behind it",
        help="Lines of one slope are fitted to the middle third of the feature and to both sides, a third of its width "
        "away from the edges. Positive: a ridge.",
    ),
    Kind(
        "step-histogram", "Step height by the histogram", "Steps and edges", "area", _M + "measure_volumes:histogram_step",
        shapes=(0, 1), options=HistogramStep, plots=("histogram",),
        help="The difference of the two levels of an area, each the mean around a peak of the heights' histogram.",
    ),
    Kind(
        "edge", "Edge position and width", "Steps and edges", "profile", _M + "measure_widths:edge", stretches=(0, 1),
        stretch_words="the edge with a level on both sides; none: the whole profile", options=Edge,
        help="An edge between two parallel levels is fitted: where it is at half its height, and its width from 10 to 90 %.",
    ),
    Kind(
        "slope", "Slope", "Angles", "profile", _M + "measure_steps:slope", stretches=(0, 1),
        stretch_words="the slope; none: the whole profile",
        help="Angle of the line of least squares; positive where the profile rises.",
    ),
    Kind(
        "dihedral", "Angle between two stretches", "Angles", "profile", _M + "measure_steps:dihedral", stretches=(2, 2),
        stretch_words="the one face, the other face",
        help="Angle inside the material between two fitted lines: below 180° at a ridge, above it in a groove.",
    ),
    Kind(
        "plane", "Tilt of a plane", "Angles", "area", _M + "measure_planes:plane", shapes=(0, 1),
        help="Plane of least squares: tilt from the horizontal and azimuth of its steepest rise (0° image right, 90° up).",
    ),
    Kind(
        "plane-angle", "Angle between two planes", "Angles", "area", _M + "measure_planes:plane_angle", shapes=(2, 2),
        help="Angle between the normals of the planes of least squares of two areas, and the second's level above the first.",
    ),
    Kind(
        "pitch", "Pitch", "Dimensions", "profile", _M + "measure_widths:pitch", stretches=(0, 1),
        stretch_words="the grating; none: the whole profile", options=Pitch, standard="after ISO 11952",
        help="Mean period along the profile: by the centres of gravity of the ridges, by Fourier, and by autocorrelation.",
    ),
    Kind(
        "pitch-area", "Pitch of an area", "Dimensions", "area", _M + "measure_gratings:pitch", shapes=(0, 1),
        help="Pitch and direction of a grating, and of a lattice's second grating, by Fourier.",
    ),
    Kind(
        "cd", "Critical dimensions", "Dimensions", "profile", _M + "measure_widths:critical_dimension", stretches=(0, 1),
        stretch_words="one line or trench with the surface on both sides; none: the whole profile", options=CriticalDimension,
        help="Width of a ridge or trench at half its height, at its top and bottom, and the angles of its sidewalls.",
    ),
    Kind(
        "volume", "Volume", "Volume and area", "area", _M + "measure_volumes:volume", shapes=(0, 1), options=Volume,
        help="Volume above and below the plane through the area's rim, a level, or the lowest point.",
    ),
    Kind(
        "area", "Area", "Volume and area", "area", _M + "measure_volumes:area", shapes=(0, 1),
        standard="ISO 25178-2:2021, D.3", help="Projected area, and the area of the surface itself.",
    ),
    Kind(
        "roughness-area", "Areal roughness", "Roughness", "area", _M + "measure_roughness:area", shapes=(0, 1),
        options=AreaRoughness, standard="ISO 25178-2:2021, ISO 16610", plots=("bearing",),
        help="Height, spatial, hybrid, functional and volume parameters of the scale-limited surface.",
    ),
    Kind(
        "features", "Hills and dales", "Roughness", "area", _M + "measure_roughness:features", shapes=(0, 1),
        options=Features, standard="ISO 25178-2:2021, 5", plots=("hills", "dales"),
        help="Peaks and pits that stand out by a part of Sz (watershed and Wolf pruning): heights, density, curvature.",
    ),
    Kind(
        "bearing", "Bearing curve", "Roughness", "area", _M + "measure_roughness:bearing", shapes=(0, 1), options=Bearing,
        standard="ISO 25178-2:2021, 4.5", plots=("bearing",),
        help="Part of the surface above a height, height of a part, and the core of the curve.",
    ),
    Kind(
        "roughness-profile", "Profile roughness", "Roughness", "profile", _M + "measure_roughness:profile",
        stretches=(0, 1), stretch_words="what is evaluated; none: the whole profile", options=ProfileRoughness,
        standard="ISO 21920-2:2021, ISO 16610", plots=("roughness", "waviness", "bearing"),
        help="P, R and W parameters of the profile.",
    ),
    Kind(
        "spectrum-profile", "Spectrum of a profile", "Spectrum", "profile", _M + "measure_spectra:profile",
        options=Spectrum, plots=("psd", "autocorrelation"),
        help="Power spectral density in nm³ over the wavenumber in rad/nm, and autocorrelation.",
    ),
    Kind(
        "spectrum-area", "Spectrum of an area", "Spectrum", "area", _M + "measure_spectra:area", shapes=(0, 1),
        options=Spectrum, plots=("psd", "log10 psd", "autocorrelation"),
        help="Power spectral density in nm⁴, averaged over directions, and autocorrelation.",
    ),
)  # fmt: skip
KINDS: dict[str, Kind] = {kind.key: kind for kind in _ALL}


def kind_of(recipe: Recipe) -> Kind:
    """Find the kind of a recipe.

    Raises
    ------
    EclipsError
        If there is none of this name.
    """
    if recipe.kind not in KINDS:
        raise EclipsError(f"'{recipe.kind}' is no measurement", hint=f"Known are: {', '.join(KINDS)}.")
    return KINDS[recipe.kind]


def options_of(recipe: Recipe) -> Any:
    """Give a recipe's options as the dataclass of its kind, defaults filled in and limits checked."""
    kind = kind_of(recipe)
    return load(kind.options, recipe.options, kind.key)


def check_recipe(recipe: Recipe, shapes: int) -> None:
    """Refuse a recipe that lacks shapes or stretches, or has too many.

    Raises
    ------
    EclipsError
        Saying what the kind needs.
    """
    kind = kind_of(recipe)
    options_of(recipe)
    what = "line" if kind.data == "profile" else "area"
    for number, (low, high), word in (
        (shapes, kind.shapes, what), (len(recipe.stretches_nm), kind.stretches, "stretch"),
    ):  # fmt: skip
        if not low <= number <= high:
            hint = f"Mark {kind.stretch_words}." if word == "stretch" and kind.stretch_words else ""
            raise EclipsError(f"{kind.title} needs {_count(low, high, word)}, not {number}", hint=hint)
    if kind.key == "step-iso" and len(recipe.stretches_nm) == 2:
        raise EclipsError(f"{kind.title} needs no, one or three stretches, not 2", hint=f"Mark {kind.stretch_words}.")


def _count(low: int, high: int, word: str) -> str:
    many = f"{word}es" if word.endswith("ch") else f"{word}s"
    if high == 0:
        return f"no {word}"
    if low == high:
        return f"{low} {word if low == 1 else many}"
    return f"{low} to {high} {many}"
