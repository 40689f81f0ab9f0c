"""Profiles as drawings at true scale: SVG for figures, DXF for drawing programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length, nice_step
from eclips_app.io.profile_files import CurveOfLine, LineProfiles, Scale

_WIDTH_MM = 160.0  #: of the curves in an SVG; a figure over a text column
_STROKE_MM, _TEXT_MM, _ROOM_MM = 0.35, 3.2, 14.0
_DASHES_MM = {"A": "", "B": "2 1", "map": "0.5 0.8"}


def svg_text(lines: Sequence[LineProfiles], scale: Scale) -> str:
    """Give an SVG drawing of all profiles from a common start.

    Its user units are `scale.unit`, the same along both axes; width and height are in mm, so that it prints 160 mm wide. A
    bar and a line of text say its scale.
    """
    left, right, low, high = _extent(lines)
    per_nm, stretch = scale.per_nm, scale.z_exaggeration
    width, height = (right - left) * per_nm, max((high - low) * stretch, (right - left) * 0.02) * per_nm
    mm = width / _WIDTH_MM  # user units in a millimetre of paper
    room = _ROOM_MM * mm
    page = width + room, height + 2 * room
    top = high * stretch * per_nm
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{page[0] / mm:.6g}mm" height="{page[1] / mm:.6g}mm" '
        f'viewBox="{left * per_nm - room / 2:.9g} {-top - room / 2:.9g} {page[0]:.9g} {page[1]:.9g}">',
        "<title>Height profiles</title>",
        f"<desc>{escape(scale.text)}; printed {1e6 * per_nm / mm:.4g} times as large</desc>",
    ]
    for line, curve in _curves(lines):
        points = " ".join(_path_data(run, per_nm, stretch) for run in _runs(curve))
        dash = " ".join(f"{float(part) * mm:.6g}" for part in _DASHES_MM.get(curve.role, "").split())
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(
            f'<path d="{points}" fill="none" stroke={quoteattr(line.color)} stroke-width="{_STROKE_MM * mm:.6g}"'
            f"{dashed}><title>{escape(f'{line.name}, {curve.title}')}</title></path>"
        )
    bottom = -low * stretch * per_nm + room
    parts += [*_svg_bar(left, bottom, right - left, per_nm, mm, scale), "</svg>", ""]
    return "\n".join(parts)


def write_dxf(path: Path, lines: Sequence[LineProfiles], scale: Scale) -> None:
    """Write a DXF drawing (R2010): each profile is a polyline on a layer of its own, distance along x and height along y.

    The drawing's unit is set in its header and said in a text below the curves.
    """
    from ezdxf import filemanagement, units  # late: only for writing

    drawing = filemanagement.new("R2010", units=units.MM if scale.unit == "mm" else 12)  # 12: nanometres
    space, per_nm = drawing.modelspace(), scale.per_nm
    names: list[str] = []
    for line, curve in _curves(lines):
        names.append(_layer_name(f"{line.name} {curve.role}", names))
        layer = drawing.layers.add(names[-1])
        layer.rgb = _rgb(line.color)
        for run in _runs(curve):
            space.add_lwpolyline(run * (per_nm, per_nm * scale.z_exaggeration), dxfattribs={"layer": names[-1]})
    left, right, low, _ = _extent(lines)
    size = (right - left) * per_nm / 60
    note = drawing.layers.add(_layer_name("Scale", names)).dxf.name
    text = space.add_text(scale.text, height=size, dxfattribs={"layer": note})
    text.set_placement((left * per_nm, low * scale.z_exaggeration * per_nm - 3 * size))
    drawing.saveas(path)


def _curves(lines: Sequence[LineProfiles]) -> Iterator[tuple[LineProfiles, CurveOfLine]]:
    for line in lines:
        for curve in line.curves:
            yield line, curve


def _extent(lines: Sequence[LineProfiles]) -> tuple[float, float, float, float]:
    """Give first and last distance, lowest and highest height of all measured points in nm."""
    runs = [run for _, curve in _curves(lines) for run in _runs(curve)]
    if not runs:
        raise EclipsError("no point of the profiles has a height", hint="Move the lines onto the measured area.")
    points = np.concatenate(runs)
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    return float(left), max(float(right), float(left) + 1e-9), float(low), float(high)


def _runs(curve: CurveOfLine) -> list[NDArray[np.float64]]:
    """Give the measured stretches [point, 2] of a profile: distance, height in nm; holes part them."""
    profile = curve.profile
    points = np.stack([profile.distance_nm, profile.height_nm], axis=1)
    known = np.isfinite(profile.height_nm)
    ends = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [points[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > 1]


def _path_data(run: NDArray[np.float64], per_nm: float, stretch: float) -> str:
    return "M" + " L".join(f"{x * per_nm:.9g} {-z * stretch * per_nm:.9g}" for x, z in run.tolist())


def _svg_bar(left: float, bottom: float, length: float, per_nm: float, mm: float, scale: Scale) -> list[str]:
    """Draw a bar of a round length and the words for it and the heights."""
    bar = nice_step(length / 4)
    x, y, size = left * per_nm, bottom - 4 * mm, _TEXT_MM * mm
    heights = "" if scale.z_exaggeration == 1 else f", heights × {scale.z_exaggeration:g}"
    words = escape(f"{format_length(bar)}{heights}")
    return [
        f'<path d="M{x:.9g} {y:.9g} L{x + bar * per_nm:.9g} {y:.9g}" stroke="#000000" stroke-width="{mm:.6g}"/>',
        f'<text x="{x:.9g}" y="{y + 1.4 * size:.9g}" font-family="sans-serif" font-size="{size:.6g}">{words}</text>',
    ]


def _layer_name(name: str, taken: Sequence[str]) -> str:
    """Give a name that a layer may have and no other one has."""
    plain = "".join("_" if each in '<>/\\":;?*=|,`' or not each.isprintable() else each for each in name)[:200]
    numbers = range(2, len(taken) + 3)
    free = (each for each in (plain, *(f"{plain} ({i})" for i in numbers)))
    return next(each for each in free if each not in taken)


def _rgb(color: str) -> tuple[int, int, int]:
    """Give red, green and blue of "#rrggbb"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
