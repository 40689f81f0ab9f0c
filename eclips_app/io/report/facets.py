"""What a report says of facets: where they lie, their slopes and angles, and which planes of a crystal they may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from eclips_app.core.crystal import Crystal, hkl_text
from eclips_app.core.errors import EclipsError
from eclips_app.core.report import Report
from eclips_app.io.report import figures
from eclips_app.io.report.content import Block, Column, Pairs, Picture, Table, Text
from eclips_app.io.report.numbers import written
from eclips_app.io.report.subject import Subject
from eclips_app.metrology.facets.found import IMAGE_PLANE, MEAN_PLANE, Found
from eclips_app.metrology.facets.picture import facet_color, relief
from eclips_app.metrology.facets.report import angle_rows, facet_row, index_found
from eclips_app.model.facets import found_of
from eclips_app.model.items import CrystalItem, FacetSet, HeightMap, Run

_FACETS = (
    Column("Facet", 14), Column("Slope", 22, True), Column("u", 16, True), Column("Azimuth", 22, True),
    Column("u", 16, True), Column("Height", 26, True), Column("u", 20, True), Column("Area", 28, True),
    Column("Rms from plane", 28, True),
)  # fmt: skip
_ANGLES = (
    Column("Facets", 26), Column("Angle", 24, True), Column("u", 18, True), Column("U", 18, True),
    Column("External angle", 30, True), Column("", 60),
)  # fmt: skip
_CANDIDATES = (Column("Facet", 16), Column("May be", 160))
_LEAST_ANGLE_DEG = 1.0  #: planes that differ less are parallel terraces; their angle says nothing
_MOST_ANGLES = 60  #: of a table that somebody reads
_MOST_CANDIDATES, _LEAST_TOLD = 4, 0.001
_OPACITY = 0.45
_NUMBERED_PX = 14.0  #: a facet with a smaller side gets no number; of a map of `_NUMBERED_OF` columns
_NUMBERED_OF = 400.0


def blocks(subject: Subject, params: Report) -> Iterator[Block]:
    """Tell of the facets of the run, and of height maps."""
    crystal = next((item.crystal for item in subject.of_kind(CrystalItem)), None)
    for facet_set in subject.of_kind(FacetSet):
        source = next((item for item in subject.items if item.id == facet_set.source_id), None)
        is_told = isinstance(source, HeightMap) or source is subject.run
        if is_told and isinstance(source, (Run, HeightMap)) and len(found := found_of(facet_set)):
            yield from _one(source, facet_set, found, crystal, params)


def _one(
    source: Run | HeightMap, facet_set: FacetSet, found: Found, crystal: Crystal | None, params: Report
) -> Iterator[Block]:
    reference, factor = facet_set.reference, params.template.coverage_factor
    told_from = {IMAGE_PLANE: "the plane of the image", MEAN_PLANE: "the mean plane of the map"}
    yield Pairs((
        ("Facets of", source.name),
        ("Slopes and azimuths from", told_from.get(reference, f"facet {reference}")),
        ("Not stated", ", ".join(found.not_stated)),
    ))  # fmt: skip
    yield _picture(source, found, params)
    yield Table(_FACETS, tuple(_facet(facet_row(found, number, reference)) for number in found.numbers))
    yield Text("Azimuths: in which a facet falls, 0° image right, 90° image up. Heights: above the reference.", "note")
    angles = [row for row in angle_rows(found) if row["angle"]["value"] > _LEAST_ANGLE_DEG]
    if angles:
        yield Table(_ANGLES, tuple(_angle(row, factor) for row in angles[:_MOST_ANGLES]))
        if len(angles) > _MOST_ANGLES:
            yield Text(f"{_MOST_ANGLES} of {len(angles)} angles between facets.", "note")
    if crystal is not None:
        yield from _crystal(found, reference, crystal)


def _facet(row: Mapping[str, Any]) -> tuple[str, ...]:
    cells = [str(row["number"])]
    for name in ("slope", "fall_azimuth", "height_above_reference"):
        value, u, _, unit = written(row[name], 1.0) if name in row else ("–", "–", "", "")
        cells += [_with_unit(value, unit), _with_unit(u, unit)]
    area, rms = written(row["area"], 1.0), written(row["rms"], 1.0)
    return *cells, _with_unit(area[0], area[3]), _with_unit(rms[0], rms[3])


def _angle(row: Mapping[str, Any], factor: float) -> tuple[str, ...]:
    value, u, expanded, unit = written(row["angle"], factor)
    outer = written(row["external_angle"], factor)[0]
    one, other = row["facets"]
    return f"{one}, {other}", *(_with_unit(each, unit) for each in (value, u, expanded, outer)), ""


def _with_unit(text: str, unit: str) -> str:
    return text if text == "–" else f"{text}{unit}" if unit == "°" else f"{text} {unit}"


def _crystal(found: Found, reference: int, crystal: Crystal) -> Iterator[Block]:
    try:
        indexed = index_found(found, reference, crystal)
    except EclipsError as error:
        yield Text(f"{crystal.lattice.name}: {error}", "alert")
        return
    tops = ", ".join(f"{hkl_text(hkl)} {100 * chance:.3g} %" for hkl, chance in indexed.tops[:3])
    azimuth, u, _, unit = written(indexed.orientation.in_plane_deg.to_json(), 1.0)
    turned = f"{azimuth} ± {u}" if u != "–" else azimuth
    yield Pairs((
        ("Crystal", crystal.lattice.name), ("Plane of the reference", tops), ("In-plane azimuth", f"{turned}{unit}"),
    ))  # fmt: skip
    rows = []
    for number, candidates in indexed.candidates.items():
        likely = [each for each in candidates[:_MOST_CANDIDATES] if each.probability >= _LEAST_TOLD]
        words = [
            f"{'none of these' if each.hkl is None else hkl_text(each.hkl)} {100 * each.probability:.3g} %"
            for each in likely
        ]
        rows.append((str(number), ", ".join(words)))
    yield Table(_CANDIDATES, tuple(rows))
    yield Text(
        "Probabilities of the planes {hkl}, by slope and azimuth with their covariance and the prior of the panel Facets.",
        "note",
    )


def _picture(source: Run | HeightMap, found: Found, params: Report) -> Picture:
    height = source.arrays["height"] if isinstance(source, Run) else source.height
    x, y = (source.pixel_size_nm,) * 2 if isinstance(source, Run) else source.pixel_size_nm
    shown = figures.Map(relief(height, (x, y)), x, "", aspect=y / x)
    width = shown.width_mm(params.template.figure_width_mm)
    caption = f"Facets of {source.name} on the shaded relief, numbered as in the table"
    return Picture(caption, partial(_draw, shown=shown, found=found), width, shown.height_mm(width))


def _draw(axes: Any, shown: figures.Map, found: Found) -> None:
    step = shown.step
    rows, columns = shown.values.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    axes.imshow(shown.values[::step, ::step], cmap="gray", extent=extent, aspect=shown.aspect)
    table = np.zeros((len(found) + 1, 4))
    for number in found.numbers:
        table[number] = (*(each / 255 for each in facet_color(number)), _OPACITY)
    axes.imshow(table[found.labels[::step, ::step]], extent=extent, aspect=shown.aspect)
    axes.set_xticks([])
    axes.set_yticks([])
    least = (_NUMBERED_PX * columns / _NUMBERED_OF) ** 2
    for number in found.numbers:
        if found.facts[number]["pixels"] >= least:
            axes.annotate(
                str(number), found.facts[number]["spot_px"], fontsize=7, color="white", ha="center", va="center",
                bbox={"facecolor": "black", "alpha": 0.6, "pad": 1, "lw": 0},
            )  # fmt: skip
    figures.draw_scale_bar(axes, shown)
