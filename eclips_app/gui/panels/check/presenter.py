"""What the panel shows of a run, worked out without widgets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import Part, Source
from eclips_app.metrology.evidence import regional_chi2
from eclips_app.metrology.honesty import Judgement, judge
from eclips_app.model.check import EXACT, Signal, maps_of, measured, signal_of
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.runs import has_values

Float = NDArray[np.floating]

KINDS = ("measured", "re-rendered", "difference")  #: of images of a segment
DIVERGING = "CET-D1A"  #: colours of what has a sign
OCTAVES = 3.0  #: chi-square is shown from an eighth to eight times what noise leaves
CHI2_MARKS = ((0.0, "⅛"), (1 / 3, "½"), (0.5, "1: noise"), (2 / 3, "2"), (1.0, "8"))
_LEAST_SIGMAS = 3.0
_LINEAR = (
    "Live explains each pixel by itself and knows no shadows. A run of Standard or Metrology explains all pixels by one surface, "
    "and adds shadows and the map “Brightness known”."
)


@dataclass(frozen=True, eq=False)
class Shown:
    """A run made ready to be shown; all maps are of the crop's size.

    Attributes
    ----------
    names : tuple of str
        Of the segments.
    measured : array [k, row, col] or None
        Grey values as the run saw them; None without the images.
    residual : array [k, row, col]
        Measured minus re-rendered.
    chi2, known : arrays [row, col] or None
        Regional chi-square as its logarithm to base 2.
    notes : tuple of str
        What is missing and why.
    """

    run: Run
    names: tuple[str, ...]
    measured: Float | None
    residual: Float
    signal: Signal | None
    levels: tuple[tuple[float, float], ...]
    reach_grey: float
    reach_noise: float
    chi2: Float | None
    known: Float | None
    judgement: Judgement
    notes: tuple[str, ...]

    @property
    def has_noise(self) -> bool:
        """Whether the difference can be shown in units of its noise."""
        return self.signal is not None and self.measured is not None

    def source(self, kind: str, k: int, *, in_noise: bool = False) -> Source | None:
        """Give the "measured", "re-rendered" or "difference" image of a segment; None without the images."""
        is_difference = kind == "difference"
        if self.measured is None and not is_difference:
            return None
        reach = self.reach_noise if in_noise else self.reach_grey
        levels = (-reach, reach) if is_difference else self.levels[k]
        return self._source(partial(self._read, kind, k, in_noise), levels, DIVERGING if is_difference else None)

    def chi2_source(self, *, known: bool) -> Source | None:
        """Give one of the maps of chi-square, if the run has it."""
        field = self.known if known else self.chi2
        return None if field is None else self._source(field.__getitem__, (-OCTAVES, OCTAVES), DIVERGING)

    def signed_source(self, field: Float, reach: float) -> Source:
        """Give another map [row, col] of the run's size, with zero in the middle of the colours."""
        return self._source(field.__getitem__, (-reach, reach), DIVERGING)

    def _source(self, read: Callable[[Part], Float], levels: tuple[float, float], colormap: str | None) -> Source:
        rows, columns = self.run.arrays["height"].shape
        return Source(read, (rows, columns), levels, self.run.pixel_size_nm, self.run.origin_px, colormap)

    def _read(self, kind: str, k: int, in_noise: bool, part: Part) -> Float:
        residual = self.residual[k][part]
        if self.measured is None or (kind == "difference" and not in_noise):
            return np.asarray(residual)
        grey = self.measured[k][part]
        if kind == "measured":
            return np.asarray(grey)
        if kind == "difference" and self.signal is not None:
            return _in_noise(residual, grey - residual, self.signal, k)
        return np.asarray(grey - residual)


def prepare(run: Run, segment_set: SegmentSet | None) -> Shown:
    """Read and judge a run; some seconds for large images, so not in the window's thread."""
    notes = [] if run.step in EXACT else [_LINEAR]
    grey: Float | None = None
    if segment_set is None:
        notes.insert(0, "The images are gone: only the difference is shown.")
    else:
        try:
            grey = measured(run, segment_set)
        except EclipsError as error:
            notes.insert(0, f"Only the difference is shown: {error.what}.")
    maps = maps_of(run.step, run.params, run.arrays)
    residual = run.arrays.get("residual")
    if residual is None:
        residual = np.empty((0, *maps.height.shape), np.float32)
    signal = signal_of(run)
    chi2 = _log(regional_chi2(maps)) if has_values(run, "chi2") else None
    known = _log(maps.chi2_known) if maps.chi2_known is not None and has_values(run, "chi2_known") else None
    levels: tuple[tuple[float, float], ...] = ()
    reach = _LEAST_SIGMAS
    if grey is not None:
        levels = tuple(percentile_levels(plane) for plane in grey)
    if grey is not None and signal is not None:
        thin = [(g[::3, ::3], r[::3, ::3]) for g, r in zip(grey, residual, strict=True)]
        reach = max(reach, _reach([_in_noise(r, g - r, signal, k) for k, (g, r) in enumerate(thin)]))
    return Shown(
        run, maps.names, grey, residual, signal, levels, _reach(list(residual)), reach, chi2, known, judge(maps),
        tuple(notes),
    )  # fmt: skip


def scale_marks(reach: float, *, in_noise: bool) -> list[tuple[float, str]]:
    """Give the words along the scale of differences from -reach to reach."""
    unit = "σ" if in_noise else "grey"
    return [(0.0, f"−{reach:.3g}"), (0.5, "0"), (1.0, f"+{reach:.3g} {unit}")]


def reading(shown: Shown, row: int, column: int, *, segment: int | None) -> str:
    """Tell the values of a pixel of the map."""
    rows, columns = shown.residual.shape[1:]
    if not (0 <= row < rows and 0 <= column < columns):
        return ""
    top, left = shown.run.origin_px
    parts = [f"({column + left}, {row + top}) px"]
    if segment is not None:
        off = float(shown.residual[segment, row, column])
        if shown.measured is not None:
            grey = float(shown.measured[segment, row, column])
            parts.append(f"{shown.names[segment]}: measured {grey:.5g}, re-rendered {grey - off:.5g}")
        parts.append(f"difference {off:+.3g} grey")
    for name, field in (("chi-square", shown.chi2), ("with brightness known", shown.known)):
        if field is not None and math.isfinite(value := float(field[row, column])):
            parts.append(f"{name} {2**value:.2g}")
    return "   ".join(parts)


def _in_noise(residual: Float, rendered: Float, signal: Signal, k: int) -> Float:
    return np.asarray(residual / np.maximum(signal.noise_grey(k, rendered), 1e-9), dtype=np.float32)


def _log(chi2: Float) -> Float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log2(chi2), dtype=np.float32)


def _reach(planes: list[Any]) -> float:
    """Give the size of differences that 99 % of all pixels keep to, with two digits."""
    levels = [percentile_levels(np.abs(plane), 0.0, 99.0)[1] for plane in planes]
    return float(f"{max(levels, default=1.0):.2g}")
