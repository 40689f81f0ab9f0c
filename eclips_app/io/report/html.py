"""Reports as HTML: one file with everything in it, readable in twenty years by any browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from eclips_app.core import paths
from eclips_app.io.atomic import whole_file
from eclips_app.io.report.content import Content, Picture


def write_html(path: Path, content: Content) -> None:
    """Write a report, whole or not at all; `EclipsError` if the file cannot be written."""
    text = page(content)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def page(content: Content) -> str:
    """Give the page of a report; its pictures are inside."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from eclips_app.io import sheets

    environment = Environment(
        loader=FileSystemLoader(paths.resource("report")), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip

    def png(picture: Picture) -> str:
        return base64.b64encode(png_bytes(picture, content.dpi)).decode()

    with sheets.drawn():
        made: str = environment.get_template("report.html").render(
            report=content, kind_of=lambda block: type(block).__name__, png=png
        )
    return made


def png_bytes(picture: Picture, dpi: int) -> bytes:
    """Give a picture as PNG of its size at `dpi`."""
    from eclips_app.io.report.figures import figure_of

    out = io.BytesIO()
    drawn = figure_of(picture.draw, picture.width_mm, picture.height_mm, diagram=picture.kind == "diagram")
    drawn.savefig(out, format="png", dpi=dpi)
    return out.getvalue()
