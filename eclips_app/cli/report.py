"""Write a report of a project as PDF or HTML, or one of its maps as a figure true to size.

A template says which parts there are and how figures look: full, short, measurements, or a JSON file with fields of
these (eclips report --template full --show-template prints one to start from).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from eclips_app.cli.common import check_output, length_nm
from eclips_app.core import schema
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.report import MAPS, TEMPLATES, DrawFigure, Report, ReportTemplate
from eclips_app.core.steps import run_step


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, nargs="?", help="project file (.eclips)")
    parser.add_argument("--output", "-o", type=Path, help="report (.pdf, .html) or figure (.png, .svg, .pdf) to write")
    parser.add_argument("--run", default="", help="name or id of the reconstruction; default: the starred or last one")
    parser.add_argument("--template", default="full", help=f"{', '.join(TEMPLATES)} or a JSON file; default: full")
    parser.add_argument("--show-template", action="store_true", help="print the template and end")
    parser.add_argument("--title", default="", help="default: the names of images and reconstruction")
    parser.add_argument("--author", default="", help="stands below the title")
    parser.add_argument("--note", default="", help="stands in the summary")
    parser.add_argument("--figure", choices=list(MAPS), help="write this map alone as a figure")
    parser.add_argument("--width", type=length_nm, metavar="W", help="of figures, such as 85mm")
    parser.add_argument("--dpi", type=int, help="resolution of pictures")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Write it; gives its path, or the template that was asked for."""
    template = _template(args)
    if args.show_template:
        return {"template": schema.dump(template)}
    if args.project is None or args.output is None:
        raise EclipsError("a report needs a project and a file to write", hint="Give OUT.eclips and -o REPORT.pdf.")
    check_output(args.output, [args.project])
    return _figure(args, template, context) if args.figure else _report(args, template, context)


def _report(args: argparse.Namespace, template: ReportTemplate, context: Context) -> dict[str, Any]:
    from eclips_app.io.project_file import read_project
    from eclips_app.io.project_runs import open_run
    from eclips_app.io.report import check_kind

    check_kind(args.output)
    run_id = open_run(args.project, args.run, (), context).entry["id"] if args.run else ""
    state, arrays = read_project(args.project, context)
    params = Report(
        str(args.output),
        state,
        template,
        args.title,
        args.author,
        args.note,
        run_id,
        str(args.project),
        (str(args.project),),
    )
    run_step("report", arrays, params, context)
    return {"output": str(args.output), "bytes": args.output.stat().st_size}


def _figure(args: argparse.Namespace, template: ReportTemplate, context: Context) -> dict[str, Any]:
    from eclips_app.io.project_runs import open_run

    found = open_run(args.project, args.run, (args.figure, "mask"), context)
    params = DrawFigure(
        str(args.output), args.figure, found.name, found.pixel_size_nm, template.figure_width_mm, template.dpi,
        template.colormap, (str(args.project),),
    )  # fmt: skip
    run_step("figure", found.arrays, params, context)
    return {"output": str(args.output), "bytes": args.output.stat().st_size}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    if "template" in result:
        return json.dumps(result["template"], indent=2)
    return f"written: {result['output']}"


def _template(args: argparse.Namespace) -> ReportTemplate:
    content = schema.dump(TEMPLATES[args.template]) if args.template in TEMPLATES else _read(Path(args.template))
    if args.width is not None:
        content["figure_width_mm"] = args.width * 1e-6
    if args.dpi is not None:
        content["dpi"] = args.dpi
    return schema.load(ReportTemplate, content, args.template)


def _read(path: Path) -> dict[str, Any]:
    hint = f"Give {', '.join(TEMPLATES)} or a JSON file."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EclipsError(f"the template cannot be read ({error.strerror})", where=str(path), hint=hint) from error
    except ValueError as error:
        raise EclipsError(f"the template is no JSON ({error})", where=str(path), hint=hint) from error
    if not isinstance(content, dict):
        raise EclipsError("the template is no JSON object", where=str(path), hint=hint)
    return content
