"""Profiles as files: tables (CSV, XLSX) and drawings at true scale (SVG, DXF); the suffix says which."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.io.atomic import whole_file

if TYPE_CHECKING:
    from eclips_app.metrology.profile import Profile

SUFFIXES = (".csv", ".tsv", ".xlsx", ".svg", ".dxf")
HEADS = ("distance (nm)", "height (nm)", "spread (nm)", "std (nm)", "column (px)", "row (px)")


@dataclass(frozen=True, eq=False)
class CurveOfLine:
    """A profile and what it was sampled on; `role` is "A", "B", "map" or the like."""

    role: str
    source: str
    source_id: str
    profile: Profile

    @property
    def title(self) -> str:
        """Role and source in one."""
        return f"{self.role}: {self.source}"


@dataclass(frozen=True, eq=False)
class LineProfiles:
    """A line (or another shape, in pixels of the uncropped image) with its profiles."""

    name: str
    shape: Shape
    color: str
    curves: tuple[CurveOfLine, ...]


@dataclass(frozen=True)
class Scale:
    """Of a drawing: `unit` is "nm" or "mm", one of which is one drawing unit, and heights are drawn `z_exaggeration` times."""

    unit: str = "nm"
    z_exaggeration: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.unit not in ("nm", "mm"):
            raise EclipsError(f"'{self.unit}' is no unit of a drawing", hint="Give nm or mm.")
        if not (math.isfinite(self.z_exaggeration) and self.z_exaggeration > 0):
            raise EclipsError(f"heights cannot be drawn {self.z_exaggeration:g} times", hint="Give a number above 0.")

    @property
    def per_nm(self) -> float:
        """Drawing units in a nanometre."""
        return 1.0 if self.unit == "nm" else 1e-6

    @property
    def text(self) -> str:
        """What is written into the drawing."""
        heights = "heights to the same scale" if self.z_exaggeration == 1 else f"heights x {self.z_exaggeration:g}"
        return f"1 unit = 1 {self.unit}, {heights}"


def write_profiles(
    path: Path, lines: Sequence[LineProfiles], facts: Mapping[str, str], scale: Scale | None = None
) -> None:
    """Write profiles to a file, whole or not at all.

    Parameters
    ----------
    path : Path
        The suffix says how: `SUFFIXES`.
    lines : sequence of LineProfiles
    facts : mapping
        What a workbook says beside the numbers, such as where they come from.
    scale : Scale, optional
        Of drawings; 1 unit = 1 nm and heights to the same scale if not given.

    Raises
    ------
    EclipsError
        If there is nothing to write, the suffix is not known, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise EclipsError(
            f"profiles are not written as '{suffix}'", where=str(path), hint=f"Use {', '.join(SUFFIXES)}."
        )
    if not any(line.curves for line in lines):
        raise EclipsError("there is no profile to write", where=str(path), hint="Draw a line across heights.")
    with whole_file(path) as temporary:
        if suffix in (".csv", ".tsv"):
            temporary.write_text(table_text(lines, "," if suffix == ".csv" else "\t"), encoding="utf-8")
        elif suffix == ".xlsx":
            from eclips_app.io.profile_workbook import write_workbook  # late: only what is asked for is loaded

            write_workbook(temporary, lines, facts)
        elif suffix == ".svg":
            from eclips_app.io.profile_drawings import svg_text

            temporary.write_text(svg_text(lines, scale or Scale()), encoding="utf-8")
        else:
            from eclips_app.io.profile_drawings import write_dxf

            write_dxf(temporary, lines, scale or Scale())


def table_text(lines: Sequence[LineProfiles], separator: str = ",") -> str:
    """Give profiles as one table with a row for each point."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(["line", "curve", "source", "source id", *HEADS])
    for line in lines:
        for curve in line.curves:
            for row in rows_of(curve.profile):
                values = ("" if value is None else f"{value:.9g}" for value in row)
                writer.writerow([line.name, curve.role, curve.source, curve.source_id, *values])
    return out.getvalue()


def rows_of(profile: Profile) -> list[tuple[float | None, ...]]:
    """Give the numbers of each point as in `HEADS`; None where nothing was measured or is known."""
    std = profile.std_nm if profile.std_nm is not None else np.full(len(profile), np.nan)
    columns = (profile.distance_nm, profile.height_nm, profile.spread_nm, std, profile.x_px, profile.y_px)
    table = np.stack(columns, axis=1).tolist()
    return [tuple(value if math.isfinite(value) else None for value in row) for row in table]
