"""The pictures of a report: maps of the run, and the profiles along its lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.core.report import MAPS, Report
from eclips_app.core.units import format_length
from eclips_app.io.report import figures
from eclips_app.io.report.content import Block, Picture, Text
from eclips_app.io.report.subject import Subject
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.path import sample_map_shape, sample_shape
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import Profile
from eclips_app.model.items import HeightMap, ProfileLine, Run

_PROFILE_MM = 62.0


def map_of(run: Run, name: str) -> NDArray[Any]:
    """Give a map of a run with NaN where the height does not rest on data."""
    return figures.masked(run.arrays, name)


def maps(subject: Subject, params: Report) -> Iterator[Block]:
    """Give the maps that the template names, the lines drawn on the height."""
    run = subject.run
    if run is None:
        yield from (_map_alone(placed, subject, params) for placed in subject.of_kind(HeightMap))
        return
    for name in params.template.maps:
        values = map_of(run, name) if name in run.arrays else None
        if values is not None and np.isfinite(values).any():
            unit = figures.unit_of(name)
            lines = [_outline(line, run) for line in subject.lines] if name == "height" else []
            yield picture(values, run.pixel_size_nm, MAPS[name], unit, params, lines)


def picture(
    values: NDArray[Any],
    pixel_nm: float,
    caption: str,
    unit: str,
    params: Report,
    lines: Any = (),
    signed: bool = False,
    aspect: float = 1.0,
) -> Picture:
    """Give a map as a figure of the template's width, with its scale and colours inside."""
    shown = figures.Map(values, pixel_nm, unit, params.template.colormap, signed, lines, aspect)
    width = shown.width_mm(params.template.figure_width_mm)

    def draw(axes: Any) -> None:
        figures.draw_map(axes, shown)

    return Picture(caption, draw, width, shown.height_mm(width))


def _map_alone(placed: HeightMap, subject: Subject, params: Report) -> Picture:
    """Give a height map of a project without a reconstruction, with the shapes that are drawn."""
    size_x, size_y = placed.pixel_size_nm
    lines = []
    if subject.pixel_size_nm is not None:
        place = Placement.of(placed, subject.pixel_size_nm)
        for line in subject.lines:
            columns, rows = place.to_map(*np.array(_corners(line), float).T)
            lines.append((columns.tolist(), rows.tolist(), line.name))
    return picture(placed.height, size_x, placed.name, "nm", params, lines, aspect=size_y / size_x)


def _outline(line: ProfileLine, run: Run) -> tuple[list[float], list[float], str]:
    """Give the corners of a shape in pixels of the run's map."""
    (row, column), points = run.origin_px, _corners(line)
    return [x - column for x, _ in points], [y - row for _, y in points], line.name


def _corners(line: ProfileLine) -> list[tuple[float, float]]:
    """Give the points (col, row) of the image between which a shape is drawn."""
    points = list(line.shape.points_px)
    if line.kind == "circle":
        (x, y), radius = points[0], float(np.hypot(*np.subtract(points[1], points[0])))
        turn = np.linspace(0, 2 * np.pi, 73)
        points = list(zip(x + radius * np.cos(turn), y - radius * np.sin(turn), strict=True))
    elif line.kind == "rectangle":
        (x0, y0), (x1, y1) = points
        points = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    elif line.kind == "polygon":
        points.append(points[0])
    return points


def profiles(subject: Subject, params: Report) -> Iterator[Block]:
    """Give a diagram for each line that is shown: the reconstruction and the height maps along it."""
    factor = params.template.coverage_factor
    for line in subject.lines:
        curves, problem = _curves(subject, line)
        if problem:
            yield Text(f"{line.name}: {problem}", "alert")
        if curves:
            size = subject.pixel_size_nm or 1.0
            width = f", averaged over {format_length(line.width_px * size)}" if line.width_px > 1 else ""
            banded = any(profile.std_nm is not None for _, profile in curves)
            caption = f"{line.name}{width}." + (f" Bands: {factor:g} standard uncertainties." if banded else "")

            def draw(axes: Any, drawn: Any = curves) -> None:
                figures.draw_profiles(axes, drawn, factor)

            yield Picture(caption, draw, params.template.figure_width_mm, _PROFILE_MM, "diagram")


def _curves(subject: Subject, line: ProfileLine) -> tuple[list[tuple[str, Profile]], str]:
    found: list[tuple[str, Profile]] = []
    if line.kind == "polygon":  # an area, which no profile runs along
        return found, ""
    try:
        if subject.run is not None:
            found.append((subject.run.name, _along_run(subject.run, line)))
        if subject.pixel_size_nm is not None:
            found += [
                (placed.name, _along_map(placed, line, subject.pixel_size_nm)) for placed in subject.of_kind(HeightMap)
            ]
    except EclipsError as error:
        return found, str(error)
    return [(name, profile) for name, profile in found if np.isfinite(profile.height_nm).any()], ""


def _along_run(run: Run, line: ProfileLine) -> Profile:
    return sample_shape(
        run.arrays["height"], line.shape, pixel_size_nm=run.pixel_size_nm, origin_px=run.origin_px,
        mask=run.arrays.get("mask"), std=run.arrays.get("height_std"),
        deviations=Deviations.of_run(run.arrays, run.info, run.params),
    )  # fmt: skip


def _along_map(placed: HeightMap, line: ProfileLine, pixel_nm: float) -> Profile:
    return sample_map_shape(placed, line.shape, pixel_size_nm=pixel_nm)
