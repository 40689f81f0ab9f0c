"""Figures for paper: maps with a scale bar and a colour bar, and profiles with their uncertainty. Sizes in mm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length, length_unit, nice_step

MM_PER_INCH = 25.4
COLOR_BAR_MM = 17.0  #: beside a map, with its labels
SUFFIXES = (".png", ".svg", ".pdf")
_MOST_HIGH = 1.2  #: of a map in a report, as a part of the widest
_MOST_PX = 2000  #: larger maps are thinned out


@dataclass(frozen=True, eq=False)
class Map:
    """A map to draw.

    Attributes
    ----------
    values : array [row, col]
        NaN is left white.
    pixel_size_nm : float
        Pixel size in nm, along a row.
    unit : str
        Of the values: "nm" is shown as whatever unit of length suits, others as they are.
    signed : bool
        Zero in the middle of two colours.
    lines : sequence of (columns, rows, label)
        Drawn over it, in pixels of the map.
    aspect : float
        Height of a pixel by its width.
    """

    values: NDArray[Any]
    pixel_size_nm: float
    unit: str = "nm"
    colormap: str = "viridis"
    signed: bool = False
    lines: Sequence[tuple[Sequence[float], Sequence[float], str]] = ()
    aspect: float = 1.0

    @property
    def step(self) -> int:
        """Distance of the rows and columns that are drawn."""
        return -(-int(max(self.values.shape)) // _MOST_PX)

    def width_mm(self, most_mm: float) -> float:
        """Give a width, `most_mm` at most, at which a high map leaves room on its sheet."""
        rows, columns = self.values.shape
        return min(most_mm, COLOR_BAR_MM + _MOST_HIGH * most_mm * float(columns) / (float(rows) * self.aspect))

    def height_mm(self, width_mm: float) -> float:
        """Give the height of the figure for a width that holds the colour bar too."""
        rows, columns = self.values.shape
        return (width_mm - COLOR_BAR_MM) * float(rows) * self.aspect / float(columns)


def masked(arrays: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """Give a map [row, col] with NaN where the height does not rest on data."""
    values = np.asarray(arrays[name], np.float32)
    return np.where(arrays["mask"], values, np.nan) if "mask" in arrays else values


def unit_of(name: str) -> str:
    """Give the unit of a map of `core.report.MAPS`."""
    return "nm" if name.startswith("height") else ""


def draw_map(axes: Any, shown: Map) -> None:
    """Draw a map into axes that have its proportions, with a colour bar to the right of them and a scale bar inside."""
    step = shown.step
    values = np.asarray(shown.values[::step, ::step], float)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [0.1, 99.9]) if known.size else (0.0, 1.0)
    if shown.signed:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    unit, scale = length_unit(max(abs(high), abs(low))) if shown.unit == "nm" else (shown.unit, 1.0)
    rows, columns = shown.values.shape
    image = axes.imshow(
        values / scale, cmap="coolwarm" if shown.signed else shown.colormap, vmin=low / scale,
        vmax=max(high, low + 1e-12) / scale, extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), interpolation="nearest",
        aspect=shown.aspect,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    _color_bar(axes, image, unit)
    draw_scale_bar(axes, shown)
    for x, y, label in shown.lines:
        axes.plot(x, y, color="white", linewidth=1.6)
        axes.plot(x, y, color="#b3400a", linewidth=0.8)
        axes.annotate(label, (x[0], y[0]), fontsize=7, color="white", bbox={"facecolor": "#b3400a", "pad": 1, "lw": 0})


def _color_bar(axes: Any, image: Any, unit: str) -> None:
    beside = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
    bar = axes.figure.colorbar(image, cax=beside)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_linewidth(0.5)
    if unit:
        bar.set_label(unit, fontsize=7, labelpad=0)


def draw_scale_bar(axes: Any, shown: Map) -> None:
    """Draw a scale bar into the lower left of a map."""
    from matplotlib.patches import Rectangle

    rows, columns = shown.values.shape
    high = min(rows, columns / shown.aspect)  # so that the plate of a narrow map is not as long as the map
    length = nice_step(0.3 * columns * shown.pixel_size_nm)
    width, left, top = length / shown.pixel_size_nm, 0.04 * columns, rows - 0.06 * high
    corner = (left - 0.02 * columns, rows - 0.14 * high)
    axes.add_patch(Rectangle(corner, width + 0.04 * columns, 0.12 * high, color="white", alpha=0.75, lw=0, zorder=4))
    axes.add_patch(Rectangle((left, top), width, 0.012 * high, color="#1c1f26", lw=0, zorder=5))
    axes.text(
        left + width / 2, top - 0.006 * high, format_length(length), ha="center", va="bottom", fontsize=7.5, zorder=5
    )


def draw_profiles(axes: Any, curves: Sequence[tuple[str, Any]], coverage_factor: float = 2.0) -> None:
    """Draw profiles (label, `metrology.profile.Profile`) with bands of `coverage_factor` standard deviations."""
    lengths = [float(p.distance_nm[-1]) for _, p in curves]
    reach = [float(np.nanmax(np.abs(p.height_nm))) for _, p in curves if np.isfinite(p.height_nm).any()]
    (x_unit, x_scale), (z_unit, z_scale) = length_unit(max(lengths, default=1.0)), length_unit(max(reach, default=1.0))
    for (label, profile), color in zip(curves, _colors(), strict=False):
        x, z = profile.distance_nm / x_scale, profile.height_nm / z_scale
        axes.plot(x, z, color=color, linewidth=1.1, label=label)
        if profile.std_nm is not None:
            half = coverage_factor * profile.std_nm / z_scale
            axes.fill_between(x, z - half, z + half, color=color, alpha=0.2, linewidth=0)
    axes.set_xlabel(f"Distance / {x_unit}", fontsize=8)
    axes.set_ylabel(f"Height / {z_unit}", fontsize=8)
    axes.grid(color="#e6e8ec", linewidth=0.5)
    axes.legend(fontsize=7.5, frameon=False)


def _colors() -> Sequence[str]:
    return ("#b3400a", "#0a7d76", "#3c5aa6", "#8a919c")


def write_figure(path: Path, draw: Callable[[Any], None], width_mm: float, height_mm: float, dpi: int) -> None:
    """Write one map as PNG, SVG or PDF of exactly `width_mm` x `height_mm`.

    Raises
    ------
    EclipsError
        If the suffix is none of these, or the file cannot be written.
    """
    from eclips_app.io.atomic import whole_file

    if path.suffix.lower() not in SUFFIXES:
        raise EclipsError(
            f"'{path.suffix}' is no kind of figure", where=str(path), hint=f"Give one of {', '.join(SUFFIXES)}."
        )
    kind = path.suffix.lower()[1:]
    about: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
    with whole_file(path) as temporary:
        figure_of(draw, width_mm, height_mm).savefig(temporary, format=kind, dpi=dpi, metadata=about)


def figure_of(draw: Callable[[Any], None], width_mm: float, height_mm: float, *, diagram: bool = False) -> Any:
    """Give a Matplotlib figure of this size: a map with room for its colour bar, or a diagram with room for its labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
    FigureCanvasAgg(figure)
    left, below, right = (15.0, 11.0, 3.0) if diagram else (0.5, 0.5, COLOR_BAR_MM - 0.5)
    box = left / width_mm, below / height_mm, 1 - (left + right) / width_mm, 1 - (below + 1.5) / height_mm
    draw(figure.add_axes(box if diagram else (box[0], 0.01, box[2], 0.98)))
    return figure
