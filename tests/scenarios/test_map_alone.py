"""A height map without any images: dropped, levelled, drawn on, measured, looked at, reported, exported, and back again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from driver import Program

from eclips_app.cli.main import main
from eclips_app.core.report import Report
from eclips_app.gui.flows import levelling, measure, report
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.model.items import HeightMap, Measurement

STEP_NM, SIZE_NM = 12.0, (2.0, 4.0)
ROWS, COLUMNS = 40, 64


@pytest.fixture
def afm(tmp_path: Path) -> Path:
    """A tilted step with pixels twice as high as wide, in nm."""
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    height = STEP_NM * (column >= COLUMNS // 2) + 0.05 * SIZE_NM[0] * column - 0.02 * SIZE_NM[1] * row
    path = tmp_path / "step.txt"
    head = f"# Width: {COLUMNS * SIZE_NM[0]} nm\n# Height: {ROWS * SIZE_NM[1]} nm\n# Value units: nm\n"
    path.write_text(head + "\n".join(" ".join(f"{value:.6f}" for value in line) for line in height))
    return path


def test_a_map_alone_is_a_project_of_its_own(
    program: Program, afm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program.drop(afm)
    (placed,) = program.project.of_kind(HeightMap)
    panel, session = program.panel("profile"), program.session
    pane = panel.image.pane
    assert placed.pixel_size_nm == SIZE_NM
    assert panel.image.layer.currentText() == "Height, step.txt"
    assert pane.value_at(3, 2 * 2) == pytest.approx(placed.height[2, 3], abs=0.05)  # rows are twice as far apart

    program.press_on(pane, Qt.Key.Key_L)
    program.drag(pane, (2.0, 39.5), (30.0, 39.5), (61.0, 39.5))
    line, flow = program.project.line, measure.flow_of(session)
    length = flow.length_nm(line)
    assert length == pytest.approx(2.0 * 59.0, abs=3.0)
    flow.set_stretches(line, ((2.0, 50.0), (66.0, length - 2.0)))
    session.actions.action("results.step").trigger()
    program.wait(lambda: any(row.values for row in program.project.of_kind(Measurement)))
    (measured,) = program.project.of_kind(Measurement)
    assert measured.values["height"]["value"] == pytest.approx(STEP_NM, abs=1e-3)

    level = levelling.flow_of(session)
    level.apply()
    program.wait(lambda: program.project.of_kind(HeightMap)[0].raw is not None)
    session.history.undo()
    program.wait_idle()

    for suffix in ("html", "pdf"):
        report.flow_of(session).write_report(tmp_path / f"r.{suffix}", Report())
        program.wait_idle(60.0)
    assert "Step height" in (tmp_path / "r.html").read_text()
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out.gwy"), ""))
    session.actions.action("file.export").trigger()
    program.wait_idle()
    assert (tmp_path / "out.gwy").stat().st_size > ROWS * COLUMNS

    saved = tmp_path / "alone.eclips"
    program.save_as(saved)
    line = program.project.line
    (x0, y0), (x1, y1) = line.start_px, line.end_px
    shape = f"line:{x0!r},{y0!r}:{x1!r},{y1!r}"
    stretches = [f"{a}nm:{b}nm" for a, b in line.stretches_nm]
    told = ["measure", str(saved), "--run", placed.name, "--kind", "step", "--on", shape, "--json"]
    assert main([*told, "--stretch", stretches[0], "--stretch", stretches[1]], _no_window) == 0
    values = json.loads(capsys.readouterr().out)
    assert _find(values, "height")["value"] == measured.values["height"]["value"]
    assert program.said() == []


def test_a_map_alone_is_seen_in_3d(program: Program, afm: Path) -> None:
    program.drop(afm)
    panel = program.panel("surface3d")
    program.wait(lambda: panel.view is not None and panel.view.field is not None)
    assert panel.view.field.shape == (ROWS, COLUMNS)
    assert panel.colors.isEnabled()
    program.session.history.undo()
    assert panel.message.isVisible()


def test_two_maps_alone_share_the_frame_of_the_first(program: Program, afm: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(afm.read_text())
    program.drop(afm, other)
    first, second = program.project.of_kind(HeightMap)
    assert first.center_px == second.center_px == ((COLUMNS - 1) / 2, (2 * ROWS - 1) / 2)
    panel = program.panel("profile")
    program.project.select(map_id=first.id)
    assert not panel.map_form.place.isEnabled()  # shapes are drawn on it
    program.project.select(map_id=second.id)
    assert panel.map_form.place.isEnabled()
    measure.flow_of(program.session).place_map("Place height map", "", rotation_deg=30.0)
    assert np.isnan(panel.image.pane.value_at(*[round(p) for p in _corner(panel)]))


def _corner(panel: object) -> tuple[float, float]:
    bounds = panel.image.pane.bounds  # type: ignore[attr-defined]
    return bounds.left, bounds.top


def _find(told: object, name: str) -> dict[str, float]:
    """Give the quantity of a name somewhere in a JSON answer."""
    if isinstance(told, dict):
        if isinstance(told.get(name), dict) and "value" in told[name]:
            return dict(told[name])
        told = list(told.values())
    for each in told if isinstance(told, list) else []:
        if found := _find(each, name):
            return found
    return {}


def _no_window(*_: object) -> int:
    raise AssertionError("a window was opened")
