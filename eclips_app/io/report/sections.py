"""The sections of a report, each from what the project holds; one that has nothing to say is left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from eclips_app.core.report import SECTIONS, Report
from eclips_app.core.schema import Rule, rule_of
from eclips_app.core.steps import STEPS
from eclips_app.core.units import format_length
from eclips_app.io.certificate import acquisition_rows
from eclips_app.io.report import calibration, compared, facets, measured, pictures
from eclips_app.io.report.content import Block, Content, Pairs, Section, Text
from eclips_app.io.report.subject import Subject
from eclips_app.metrology.honesty import judge
from eclips_app.model.check import maps_of
from eclips_app.model.items import HeightMap, Run
from eclips_app.version import VERSION

Build = Callable[[Subject, Report], Iterator[Block]]


def content_of(subject: Subject, params: Report) -> Content:
    """Build all sections that the template asks for."""
    found = ((key, list(_BUILDERS[key](subject, params))) for key in params.template.sections)
    sections = tuple(Section("" if key == "summary" else SECTIONS[key], blocks) for key, blocks in found if blocks)
    title = params.title or _title(subject)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    by = f"{params.author}, " if params.author else ""
    footer = f"{title}. Written by ECLIPS {VERSION}."
    return Content(title, f"{by}{now}, ECLIPS {VERSION}", footer, sections, params.template.dpi)


def _title(subject: Subject) -> str:
    names = [item.name for item in (subject.set, subject.run) if item is not None]
    names = names or [item.name for item in subject.of_kind(HeightMap)][:1]
    return ", ".join(names)


def _summary(subject: Subject, params: Report) -> Iterator[Block]:
    if params.note:
        yield Text(params.note)
    if subject.run is not None:
        yield Pairs(tuple(_run_facts(subject.run)))
        verdicts = judge(maps_of(subject.run.step, subject.run.params, subject.run.arrays)).verdicts
        yield from (Text(each.text, "alert" if each.tone in ("error", "warning") else "plain") for each in verdicts)
    elif subject.set is None:
        yield from (Pairs(tuple(_map_facts(placed))) for placed in subject.of_kind(HeightMap))


def _run_facts(run: Run) -> Iterator[tuple[str, str]]:
    height = pictures.map_of(run, "height")
    rows, columns = height.shape
    size = run.pixel_size_nm
    yield "Reconstruction", f"{run.name}, {run.created[:16].replace('T', ' ')} UTC"
    yield (
        "Field",
        f"{format_length(columns * size)} x {format_length(rows * size)}, {columns} x {rows} px of {format_length(size)}",
    )
    low, high = np.nanpercentile(height, [0.1, 99.9])
    yield "Range of heights", f"{format_length(float(high - low))} (0.1 to 99.9 %)"
    if "height_std" in run.arrays and np.isfinite(std := pictures.map_of(run, "height_std")).any():
        yield "Uncertainty of heights", f"{format_length(float(np.nanmedian(std)), 3)} (k = 1, median over the field)"
    yield "Not stated", ", ".join(run.info.get("not_stated", ()))


def _map_facts(placed: HeightMap) -> Iterator[tuple[str, str]]:
    (rows, columns), (size_x, size_y) = placed.height.shape, placed.pixel_size_nm
    yield "Height map", placed.name
    yield "Field", f"{format_length(columns * size_x)} x {format_length(rows * size_y)}, {columns} x {rows} px"
    if np.isfinite(placed.height).any():
        low, high = np.nanpercentile(placed.height, [0.1, 99.9])
        yield "Range of heights", f"{format_length(float(high - low))} (0.1 to 99.9 %)"


def _inputs(subject: Subject, _: Report) -> Iterator[Block]:
    if subject.set is not None:
        shape = " x ".join(map(str, subject.set.shape[::-1]))
        yield Pairs((("Set of images", f"{subject.set.name}, {shape} px"),))
        yield Pairs(tuple((image.name, _file(image.source, image.sha256)) for image in subject.set.images), mono=True)
        acquisition = subject.set.images[0].acquisition
        yield Pairs(tuple(acquisition_rows(dataclasses.asdict(acquisition))))
    for placed in subject.of_kind(HeightMap):
        rows, columns = placed.height.shape
        sizes = " x ".join(format_length(size) for size in placed.pixel_size_nm)
        levelled = (
            f", levelled: {', '.join(str(step.get('kind', '')) for step in placed.levelling)}"
            if placed.levelling
            else ""
        )
        yield Pairs((("Height map", f"{placed.name}, {columns} x {rows} px of {sizes}{levelled}"),))
        yield Pairs((("File", _file(placed.source, placed.sha256)),), mono=True)


def _file(source: str, digest: str) -> str:
    name = Path(source.replace("\\", "/")).name if source else "not read from a file"
    return f"{name}  sha256 {digest}" if digest else name


def _reconstruction(subject: Subject, _: Report) -> Iterator[Block]:
    run = subject.run
    if run is None:
        return
    yield Pairs((
        ("Method", f"{run.step}, version {run.step_version}"),
        ("Made by", str(run.info.get("software", f"ECLIPS {VERSION}"))),
        ("Time needed", f"{run.duration_s:.3g} s"),
        ("Device", str(run.info.get("device", run.params.get("device", "")))),
    ))  # fmt: skip
    yield Pairs(tuple(_parameters(run)))


def _parameters(run: Run) -> Iterator[tuple[str, str]]:
    """Give the parameters that are single values; all of them stand in the provenance."""
    kind = STEPS[run.step].params if run.step in STEPS else None
    for name, value in run.params.items():
        if value is None or isinstance(value, (dict, list)):
            continue
        known = kind is not None and name in kind.__dataclass_fields__  # type: ignore[attr-defined]
        rule = rule_of(kind, name) if known and kind is not None else Rule()
        words = (
            "yes"
            if value is True
            else "no"
            if value is False
            else f"{value:.6g}"
            if isinstance(value, float)
            else value
        )
        yield rule.label or name.replace("_", " ").capitalize(), f"{words} {rule.unit}".strip()


def _provenance(subject: Subject, params: Report) -> Iterator[Block]:
    if params.source:
        yield Pairs((("Project", Path(params.source).name),))
    if subject.run is not None:
        yield Text(
            "Everything that made the reconstruction; `eclips verify` replays it and compares bit for bit.", "note"
        )
        record = {"step": subject.run.step, "version": subject.run.step_version, "params": subject.run.params}
        yield Text(json.dumps(record, ensure_ascii=False), "code")


_BUILDERS: dict[str, Build] = {
    "summary": _summary,
    "inputs": _inputs,
    "calibration": calibration.blocks,
    "reconstruction": _reconstruction,
    "maps": pictures.maps,
    "profiles": pictures.profiles,
    "measurements": measured.measurements,
    "budgets": measured.budgets,
    "facets": facets.blocks,
    "comparison": compared.blocks,
    "provenance": _provenance,
}
