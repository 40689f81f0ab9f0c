"""Reports: what was measured, from what, and how well, as PDF or HTML; and single figures true to size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.report import MAPS, DrawFigure, Report
from eclips_app.core.steps import Arrays, StepResult

#: Suffixes of reports, with the words for a file dialog.
KINDS = {".pdf": "PDF", ".html": "Web page"}


def check_kind(path: Path) -> None:
    """Raise `EclipsError` if a report cannot have this suffix."""
    if path.suffix.lower() not in KINDS:
        raise EclipsError(
            f"'{path.suffix}' is no kind of report", where=str(path), hint=f"Give one of {', '.join(KINDS)}."
        )


def report_step(inputs: Arrays, params: Report, context: Context) -> StepResult:
    """Write a report of a project; the step ``report``.

    Raises
    ------
    EclipsError
        If there is nothing to report, the suffix is not known, or the file cannot be written or must not be.
    """
    from eclips_app.io.report.html import write_html
    from eclips_app.io.report.pdf import write_pdf
    from eclips_app.io.report.sections import content_of
    from eclips_app.io.report.subject import subject_of

    path = Path(params.path)
    check_kind(path)
    _keep(path, params.keep_paths)
    context.progress(0.1, "Gathering")
    content = content_of(subject_of(inputs, params), params)
    context.progress(0.5, f"Writing {path.name}")
    (write_pdf if path.suffix.lower() == ".pdf" else write_html)(path, content)
    context.progress(1.0, f"Written {path.name}")
    return StepResult({}, {"path": str(path)})


def figure_step(inputs: Arrays, params: DrawFigure, context: Context) -> StepResult:
    """Write one map as a figure; the step ``figure``.

    Raises
    ------
    EclipsError
        If the map is not there, the suffix is not known, or the file cannot be written or must not be.
    """
    from eclips_app.io import sheets
    from eclips_app.io.report import figures

    path = Path(params.path)
    _keep(path, params.keep_paths)
    if params.name not in inputs:
        raise EclipsError(f"there is no map '{MAPS.get(params.name, params.name)}'", hint="Choose another one.")
    shown = figures.Map(
        figures.masked(inputs, params.name), params.pixel_size_nm, figures.unit_of(params.name), params.colormap
    )
    context.progress(0.2, f"Writing {path.name}")

    def draw(axes: Any) -> None:
        figures.draw_map(axes, shown)

    with sheets.drawn():
        figures.write_figure(path, draw, params.width_mm, shown.height_mm(params.width_mm), params.dpi)
    return StepResult({}, {"path": str(path)})


def _keep(path: Path, keep_paths: tuple[str, ...]) -> None:
    for kept in keep_paths:
        if path.exists() and Path(kept).exists() and path.samefile(kept):
            raise EclipsError("this is an input and is not overwritten", where=str(path), hint="Give another name.")
