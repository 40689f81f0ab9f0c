"""What a report says of comparisons with other height maps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from eclips_app.core.report import Report
from eclips_app.core.units import format_length, length_unit
from eclips_app.io.report import pictures
from eclips_app.io.report.content import Block, Column, Pairs, Picture, Table, Text
from eclips_app.io.report.numbers import written
from eclips_app.io.report.subject import Subject
from eclips_app.model import comparing
from eclips_app.model.items import Comparison, HeightMap

_COLUMNS = (
    Column("Quantity", 60), Column("Value", 24, True), Column("u", 20, True), Column("U", 20, True), Column("Unit", 12),
    Column("", 42),
)  # fmt: skip
_DIAGRAM_MM = 58.0


def blocks(subject: Subject, params: Report) -> Iterator[Block]:
    """Tell of the last comparison of the run with each map."""
    run_id = subject.run.id if subject.run is not None else ""
    last = {each.map_id: each for each in subject.of_kind(Comparison) if each.run_id == run_id}
    for compared in last.values():
        yield from _one(subject, compared, params)


def _one(subject: Subject, compared: Comparison, params: Report) -> Iterator[Block]:
    yield Pairs(tuple(_facts(subject, compared)))
    for said in comparing.sentences(compared):
        yield Text(said.text, "alert" if said.tone in ("warning", "error") else "plain")
    yield Table(_COLUMNS, tuple(_rows(compared, params.template.coverage_factor)))
    pixel_nm = float(compared.params["pixel_size_nm"])
    what = "reconstruction dilated by the tip" if "tip_difference" in compared.arrays else "reconstruction"
    caption = f"{compared.name}: {what} minus height map"
    seen = compared.arrays.get("tip_difference", compared.arrays["difference"])
    yield pictures.picture(seen, pixel_nm, caption, "nm", params, signed=True)
    width = params.template.figure_width_mm
    if compared.info.get("histogram"):
        caption = "Histogram of the difference, with the bias (solid) and the limits of agreement (dashed)."
        yield Picture(caption, partial(_draw_histogram, compared=compared), width, _DIAGRAM_MM, "diagram")
    if compared.info.get("by_slope"):
        factor = params.template.coverage_factor
        caption = f"Bias against the slope of the surface. Bars: {factor:g} standard uncertainties."
        draw = partial(_draw_by_slope, compared=compared, factor=factor)
        yield Picture(caption, draw, width, _DIAGRAM_MM, "diagram")


def _facts(subject: Subject, compared: Comparison) -> Iterator[tuple[str, str]]:
    placed = next((m for m in subject.of_kind(HeightMap) if m.id == compared.map_id), None)
    yield "Compared", f"{compared.name}, {compared.created[:16].replace('T', ' ')} UTC"
    if placed is not None:
        sentence, _ = comparing.placement_sentence(placed)
        yield "Registration", sentence
        yield from comparing.placement_words(placed)
    tip = compared.info.get("tip") or {}
    yield "Tip", str(tip.get("tip") or "not taken into account")
    if subject.run is not None and placed is not None and not comparing.is_current(compared, subject.run, placed):
        yield "Note", "The map was placed or levelled anew after this comparison."


def _rows(compared: Comparison, factor: float) -> Iterator[tuple[str, ...]]:
    has_tip = bool(compared.info.get("before"))
    for name, before, value in comparing.value_rows(compared):
        if before is not None:
            yield name, *written(before, factor), "as it is"
        yield name, *written(value, factor), "dilated by the tip" if has_tip else ""


def _draw_histogram(axes: Any, compared: Comparison) -> None:
    counted, values = compared.info["histogram"], compared.info["values"]
    edges = np.asarray(counted["edges_nm"], float)
    unit, scale = length_unit(float(np.abs(edges).max()))
    axes.stairs(counted["counts"], edges / scale, fill=True, color="#3c5aa6", alpha=0.55)
    for name, style in (("Bias", "-"), ("Lower limit of agreement", "--"), ("Upper limit of agreement", "--")):
        place = values[name]["value"]
        axes.axvline(place / scale, color="#b3400a", linewidth=1.0, linestyle=style)
        axes.annotate(
            format_length(place, 3), (place / scale, 0.97), xycoords=("data", "axes fraction"), fontsize=7, color="#b3400a",
            xytext=(2, 0), textcoords="offset points", va="top",
        )  # fmt: skip
    axes.set_xlabel(f"Reconstruction minus height map / {unit}", fontsize=8)
    axes.set_ylabel("Pixels", fontsize=8)


def _draw_by_slope(axes: Any, compared: Comparison, factor: float) -> None:
    by_slope = compared.info["by_slope"]
    known = [row for row in zip(by_slope["slope_deg"], by_slope["bias_nm"], by_slope["std_nm"], strict=True)
             if None not in row]  # fmt: skip
    slope, bias, std = (np.array([row[i] for row in known], float) for i in range(3))
    unit, scale = length_unit(float(np.abs(bias).max(initial=0.0)))
    axes.axhline(0.0, color="#8a919c", linewidth=0.8)
    axes.errorbar(
        slope, bias / scale, factor * std / scale, color="#3c5aa6", marker="o", markersize=3, linewidth=0.9, capsize=2
    )
    axes.set_xlabel("Slope / °", fontsize=8)
    axes.set_ylabel(f"Bias / {unit}", fontsize=8)
    axes.grid(color="#e6e8ec", linewidth=0.5)
