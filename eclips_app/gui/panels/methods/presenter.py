"""What the panel shows of some runs, worked out without widgets and beside the window's thread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length
from eclips_app.gui.panels.check.presenter import CHI2_MARKS, DIVERGING, OCTAVES
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import Source
from eclips_app.metrology.evidence import regional_chi2
from eclips_app.metrology.level import level_plane
from eclips_app.model.check import EXACT, maps_of
from eclips_app.model.items import Comparison, Run
from eclips_app.model.runs import has_values

Float = NDArray[np.floating]

HEIGHT, RESIDUAL, CHI2, DIFFERENCE = "height", "residual", "chi2", "difference"
KINDS = (("Height", HEIGHT), ("Residual", RESIDUAL), ("χ²", CHI2), ("Difference", DIFFERENCE))
TIPS = {
    HEIGHT: "Heights, each with its plane taken out, in common colours",
    RESIDUAL: "Measured minus modelled signal in grey values: root of the sum of squares over the segments",
    CHI2: "Chi-square over a few pixels: 1 is what noise leaves",
    DIFFERENCE: "Heights minus those of the reference, plane taken out",
}
_WHOLE_PX = 1 << 16  #: larger maps are read as far as the small views show them
_UNITS = {HEIGHT: "nm", RESIDUAL: "grey", CHI2: "", DIFFERENCE: "nm"}
_RMS = "Rms difference"  #: of a comparison with a height map


@dataclass(frozen=True, eq=False)
class Picture:
    """A map [row, col] of a run, or in words why there is none; and the run's figures.

    Attributes
    ----------
    range_nm : float
        Highest minus lowest height, plane taken out.
    chi2 : float or None
        Per degree of freedom; of Live, which does not know the exact model, the mean of its own.
    off_nm : float or None
        Rms difference to the reference, plane taken out; None for the reference itself, and where both show not the same field.
    """

    run: Run
    field: Float | None
    note: str
    range_nm: float
    chi2: float | None
    off_nm: float | None


@dataclass(frozen=True, eq=False)
class Pictures:
    """Maps of one kind of some runs, with the colours that they share."""

    kind: str
    reference_id: str
    pictures: tuple[Picture, ...]
    levels: tuple[float, float]
    colormap: str
    marks: tuple[tuple[float, str], ...]

    def source(self, picture: Picture) -> Source | None:
        """Give a picture to be read in parts."""
        if picture.field is None:
            return None
        run, (rows, columns) = picture.run, picture.field.shape
        return Source(
            picture.field.__getitem__,
            (rows, columns),
            self.levels,
            run.pixel_size_nm,
            run.origin_px,
            self.colormap,
            _WHOLE_PX,
        )

    def reading(self, column: int, row: int) -> str:
        """Tell the values of all maps at a pixel of the uncropped image."""
        told = []
        for picture in self.pictures:
            top, left = picture.run.origin_px
            field = picture.field
            if field is None or not (0 <= row - top < field.shape[0] and 0 <= column - left < field.shape[1]):
                continue
            value = float(field[row - top, column - left])
            if math.isfinite(value):
                told.append(f"{picture.run.name} {value_text(self.kind, value)}")
        return f"({column}, {row}) px   {'   '.join(told)}" if told else ""


def value_text(kind: str, value: float) -> str:
    """Write a value of a map."""
    if _UNITS[kind] == "nm":
        return format_length(value, 4)
    return f"{2.0**value:.3g}" if kind == CHI2 else f"{value:.3g} grey"


def prepare(kind: str, runs: Sequence[Run], reference_id: str) -> Pictures:
    """Read the maps of some runs and work out their figures; for large maps not in the window's thread."""
    levelled = {run.id: _levelled(run.arrays["height"], run) for run in runs}
    reference = next((run for run in runs if run.id == reference_id), None)
    pictures = []
    for run in runs:
        height = levelled[run.id]
        off = _off(run, reference, levelled) if reference is not None and run is not reference else None
        field, note = _field(kind, run, height, off, is_reference=run is reference)
        off_nm = None if off is None else float(np.sqrt(np.nanmean(off.astype(np.float64) ** 2)))
        pictures.append(Picture(run, field, note, float(np.nanmax(height) - np.nanmin(height)), _chi2(run), off_nm))
    fields = [picture.field for picture in pictures if picture.field is not None]
    levels, colormap, marks = _colours(kind, fields)
    return Pictures(kind, reference_id, tuple(pictures), levels, colormap, marks)


def columns(picture: Picture, comparison: Comparison | None) -> tuple[str, ...]:
    """Write the figures of a run: chi-square, residual, time, range of heights, difference to the reference and to a map."""
    run = picture.run
    own = "" if run.step in EXACT else " (linear)"
    chi2 = "–" if picture.chi2 is None else f"{picture.chi2:.3g}{own}"
    residual = run.info.get("residual_rms_grey")
    off = "–" if picture.off_nm is None else format_length(picture.off_nm, 3)
    rms = comparison.info.get("values", {}).get(_RMS) if comparison is not None else None
    against = format_length(float(rms["value"]), 3) if rms is not None else "–"
    time = f"{run.duration_s:.2g} s" if run.duration_s < 100 else f"{run.duration_s:.0f} s"
    return (
        chi2, f"{residual:.3g}" if isinstance(residual, float) else "–", time, format_length(picture.range_nm, 3), off, against
    )  # fmt: skip


def comparison_of(run: Run, comparisons: Sequence[Comparison]) -> Comparison | None:
    """Give the last comparison of a run with a height map from elsewhere."""
    return next((each for each in reversed(comparisons) if each.run_id == run.id), None)


def _levelled(height: Float, run: Run) -> NDArray[np.float32]:
    """Take out the plane; heights that define none keep theirs, about their mean."""
    mask = run.arrays.get("mask")
    try:
        found = level_plane(height, mask=None if mask is None else np.asarray(mask, bool)).height
    except EclipsError:
        found = height - np.nanmean(height)
    return np.asarray(found, np.float32)


def _off(run: Run, reference: Run, levelled: dict[str, NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """Give the heights of a run minus those of the reference; None where they show different fields."""
    if (run.origin_px, levelled[run.id].shape) != (reference.origin_px, levelled[reference.id].shape):
        return None
    return _levelled(levelled[run.id] - levelled[reference.id], run)


def _field(
    kind: str, run: Run, height: Float, off: NDArray[np.float32] | None, *, is_reference: bool
) -> tuple[Float | None, str]:
    """Give the map of a kind; else None and why there is none."""
    if kind == HEIGHT:
        return height, ""
    if kind == DIFFERENCE:
        return off, "is the reference" if is_reference else "shows another part of the image" if off is None else ""
    if kind == CHI2:
        if not has_values(run, "chi2"):
            return None, "has no χ²: three segments test nothing"
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log2(regional_chi2(maps_of(run.step, run.params, run.arrays))).astype(np.float32), ""
    residual = run.arrays.get("residual")
    if residual is None:
        return None, "keeps no residuals"
    known = np.isfinite(residual).any(axis=0)
    total = np.sqrt(np.nansum(residual.astype(np.float32) ** 2, axis=0))
    return np.where(known, total, np.float32(np.nan)), ""


def _chi2(run: Run) -> float | None:
    """Give chi-square per degree of freedom; None where nothing tests the model."""
    if not has_values(run, "chi2"):
        return None
    told: Any = run.info.get("chi2")
    return float(told) if isinstance(told, float) else float(np.nanmean(run.arrays["chi2"].astype(np.float64)))


def _colours(kind: str, fields: Sequence[Float]) -> tuple[tuple[float, float], str, tuple[tuple[float, str], ...]]:
    """Give levels, colour map and marks that all fields share."""
    if kind == CHI2:
        return (-OCTAVES, OCTAVES), DIVERGING, CHI2_MARKS
    found = [percentile_levels(field) for field in fields]
    low, high = min((a for a, _ in found), default=0.0), max((b for _, b in found), default=1.0)
    if kind == DIFFERENCE:
        reach = max(-low, high, 1e-9)
        words = (f"−{format_length(reach, 2)}", "0", f"+{format_length(reach, 2)}")
        return (-reach, reach), DIVERGING, tuple(zip((0.0, 0.5, 1.0), words, strict=True))
    if kind == RESIDUAL:
        return (0.0, high), "inferno", ((0.0, "0"), (1.0, f"{high:.3g} grey"))
    return (low, high), "viridis", ((0.0, format_length(low, 3)), (1.0, format_length(high, 3)))
