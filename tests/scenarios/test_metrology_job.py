"""From segment images and an AFM file to a report, in the window and on the command line, with equal numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driver import PIXEL_NM, Program, open_scan
from test_main_job import eclips

from eclips_app.core.context import SilentContext
from eclips_app.core.report import Report
from eclips_app.core.steps import Export, Specimen, run_step
from eclips_app.gui.flows import measure, report, results
from eclips_app.gui.qt import Qt
from eclips_app.io.report.numbers import written
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import interpolate
from eclips_app.model.items import Comparison, HeightMap, Measurement

MAP_PIXEL_NM, TURN_DEG = 6.0, 7.0


@pytest.fixture(scope="session")
def afm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an AFM measured of the middle of the scanned surface: turned, finer noise, a tilt, pixels of its own."""
    height = run_step("specimen", {}, Specimen("rough", 256, 320, PIXEL_NM, 1), SilentContext()).arrays["height"]
    place = Placement((150, 180), (MAP_PIXEL_NM, MAP_PIXEL_NM), PIXEL_NM, (165.0, 130.0), TURN_DEG)
    columns, rows = np.meshgrid(np.arange(180.0), np.arange(150.0))
    seen = interpolate(height, *place.to_image(columns, rows))
    seen += np.random.default_rng(1).normal(0.0, 0.2, seen.shape) + 0.05 * columns - 0.02 * rows
    path = tmp_path_factory.mktemp("afm") / "afm.gwy"
    run_step("export", {"height": seen.astype(np.float32)}, Export(str(path), MAP_PIXEL_NM, "AFM"), SilentContext())
    return path


def test_from_images_and_an_afm_file_to_a_report(
    start: Callable[[], Program], scan: Path, afm: Path, tmp_path: Path
) -> None:
    program, path = start(), tmp_path / "job.eclips"
    open_scan(program, scan)
    program.reconstruct()
    program.drop(afm)
    row = compare_and_measure(program)
    program.save_as(path)
    assert program.said("error") == []
    (placed,) = program.project.of_kind(HeightMap)
    (compared,) = program.project.of_kind(Comparison)
    check_comparison(compared, placed, eclips("compare", path, afm, "--save", tmp_path / "by-command.eclips"))
    check_row(program, row, path)
    check_reports(program, path, row, compared)
    eclips("report", tmp_path / "by-command.eclips", "-o", tmp_path / "by-command.pdf")
    assert (tmp_path / "by-command.pdf").read_bytes().startswith(b"%PDF-")


def compare_and_measure(program: Program) -> Measurement:
    """Register and compare by the panel's buttons, draw a line by mouse, mark two stretches, and measure a step."""
    panel = program.panel("compare")
    panel.register.start.click()
    program.wait_idle(60.0)
    panel.verdict.start.click()
    program.wait(lambda: bool(program.project.of_kind(Comparison)), 60.0)
    profile = program.panel("profile")
    program.press(Qt.Key.Key_L)
    program.drag(profile.image.pane, (60, 60), (120, 100), (260, 200))
    flow = measure.flow_of(program.session)
    length = flow.length_nm(program.project.line)
    flow.set_stretches(program.project.line, ((0.1 * length, 0.4 * length), (0.6 * length, 0.9 * length)))
    table = results.flow_of(program.session)
    table.add("step")
    program.wait(lambda: bool(table.rows()) and not table.waits(table.rows()[-1].id))
    row: Measurement = table.rows()[-1]
    assert row.problem == ""
    return row


def check_comparison(compared: Comparison, placed: HeightMap, told: dict) -> None:  # type: ignore[type-arg]
    """The map lies where it was measured, and both ways of comparing give the same figures."""
    assert placed.rotation_deg == pytest.approx(TURN_DEG, abs=0.3)
    assert math.dist(placed.center_px, (165.0, 130.0)) < 0.5
    assert told["registration"]["rotation"]["value"] == pytest.approx(placed.rotation_deg, rel=1e-9)
    for theirs, ours in (("rms", "Rms difference"), ("bias", "Bias"), ("upper", "Upper limit of agreement")):
        mine = compared.info["values"][ours]
        assert told["agreement"][theirs]["unit"] == mine["unit"]
        assert told["agreement"][theirs]["value"] == pytest.approx(mine["value"], rel=1e-9, abs=1e-12)


def check_row(program: Program, row: Measurement, path: Path) -> None:
    """The command line measures the same on the same line."""
    line = program.project.line
    ends = ":".join(f"{col!r},{row_!r}" for col, row_ in (line.start_px, line.end_px))
    stretches = [f"{low!r}nm:{high!r}nm" for low, high in line.stretches_nm]
    words = [word for text in stretches for word in ("--stretch", text)]
    told = eclips("measure", path, "--kind", "step", "--on", f"line:{ends}:width={line.width_px}", *words)
    theirs = told["measurements"][0]["values"]
    assert theirs.keys() == row.values.keys()
    for name, quantity in row.values.items():
        assert theirs[name]["unit"] == quantity["unit"]
        for part in ("value", "std"):
            assert theirs[name][part] == (quantity[part] and pytest.approx(quantity[part], rel=1e-9)), name


def check_reports(program: Program, path: Path, row: Measurement, compared: Comparison) -> None:
    """The window's report and the command line's say the same figures."""
    mine, theirs, pdf = (path.with_name(name) for name in ("window.html", "command.html", "report.pdf"))
    report.flow_of(program.session).write_report(mine, Report())
    report.flow_of(program.session).write_report(pdf, Report())
    program.wait_idle(60.0)
    eclips("report", path, "-o", theirs)
    figures = [*row.values.values(), compared.info["values"]["Rms difference"]]
    for text in (mine.read_text(), theirs.read_text()):
        for quantity in figures:
            assert f">{written(quantity, 2.0)[0]}<" in text
    assert pdf.read_bytes().startswith(b"%PDF-")
