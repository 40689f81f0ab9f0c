"""The report of a cycle: one HTML file with everything in it, readable in twenty years by any browser."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.units import format_length
from eclips_app.io.atomic import whole_file
from eclips_app.io.export.picture import png_bytes
from eclips_app.metrology.verdicts import Verdict
from eclips_app.model.items import Run
from eclips_app.plugin_api.protocols import Surface
from eclips_app.version import VERSION

_MOST_PX = 1024  #: larger maps are thinned out for the pictures
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1f26; background: #fff; max-width: 62rem; margin: 2rem auto;
    padding: 0 1rem; }
h1 { font-weight: 300; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1.2rem .2rem 0; vertical-align: top; }
.caveat { border-left: 4px solid #a65b00; padding: .4rem 1rem; background: #fbf3e6; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; flex: 1 1 18rem; } img { width: 100%; }
figcaption, .faint { color: #5d6470; }
pre, .hash { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
"""


@dataclass(frozen=True, eq=False)
class CycleReport:
    """What the report of a run's cycle says.

    Attributes
    ----------
    run : Run
        With `height` and `mask`.
    set_name : str
        Of its images.
    height, difference : arrays [row, col]
        Of the step ``cycle``, in nm.
    facts : dict
        The step's `info`.
    params : dict
        The step's parameters as JSON.
    verdicts : tuple of Verdict
        Of the run itself.
    """

    run: Run
    set_name: str
    height: NDArray[np.floating]
    difference: NDArray[np.floating]
    facts: dict[str, Any]
    params: dict[str, Any]
    verdicts: tuple[Verdict, ...] = ()


def numbers(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Give the numbers of a cycle as (word, value)."""
    percent = facts["rms_percent"]
    return [
        ("Height difference, rms", format_length(facts["rms_nm"], 3)),
        ("Of the relief's standard deviation", "–" if percent is None else f"{percent:.3g} %"),
        ("Largest difference", format_length(facts["largest_nm"], 3)),
        ("Mean difference of the normals", f"{facts['normal_error_deg']:.3g}°"),
    ]


def write_cycle_report(path: Path, report: CycleReport) -> None:
    """Write a report; `EclipsError` if the file cannot be written."""
    with whole_file(path) as temporary:
        temporary.write_text(_page(report), encoding="utf-8")


def _page(report: CycleReport) -> str:
    run, facts = report.run, report.facts
    noise = report.params.get("dose_grey")
    told = f"with noise of {noise:.3g} grey values per electron" if noise else "without noise"
    title = f"Cycle consistency: {report.set_name}, {run.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class='faint'>ECLIPS {VERSION}. Run made {escape(run.created)} by {escape(run.step)}, version {run.step_version}. "
        f"Its heights were rendered {told}, and the images reconstructed with the run's parameters.</p>",
        _table(numbers(facts)),
        f"<p class='caveat'>{escape(str(facts['caveat']))}</p>",
        f"<div class='pictures'>{''.join(_pictures(report))}</div>",
        "<h2>What the run explains of its own images</h2>",
        _table([(each.title, each.text) for each in report.verdicts]),
        "<h2>Images (SHA-256)</h2>",
        _table([(image["name"], image.get("sha256") or "not read from a file") for image in _inputs(run)], "hash"),
        "<h2>Parameters of the cycle</h2>",
        f"<pre>{escape(json.dumps(report.params, indent=1, ensure_ascii=False))}</pre>",
    ]
    head = f"<meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _table(rows: list[tuple[str, str]], kind: str = "") -> str:
    cells = "".join(f"<tr><th>{escape(word)}</th><td class='{kind}'>{escape(value)}</td></tr>" for word, value in rows)
    return f"<table>{cells}</table>"


def _pictures(report: CycleReport) -> list[str]:
    run = report.run
    mask = run.arrays["mask"]
    return [
        _figure("Heights of the run", run.arrays["height"], mask, run.pixel_size_nm),
        _figure("Heights of the second reconstruction", report.height, mask, run.pixel_size_nm),
        _figure("Second minus first, plane removed", report.difference, mask, run.pixel_size_nm, signed=True),
    ]


def _figure(
    text: str, height: NDArray[np.floating], mask: NDArray[np.bool_], pixel_size_nm: float, *, signed: bool = False
) -> str:
    step = -(-max(height.shape) // _MOST_PX)
    shown = np.where(mask, height, np.nan)[::step, ::step]
    png = base64.b64encode(png_bytes(Surface(shown, pixel_size_nm * step, text), signed=signed)).decode()
    return f"<figure><img alt='{escape(text)}' src='data:image/png;base64,{png}'><figcaption>{escape(text)}</figcaption></figure>"


def _inputs(run: Run) -> list[dict[str, Any]]:
    return run.info.get("inputs") or [{"name": "image", "sha256": digest} for digest in run.input_sha256]
