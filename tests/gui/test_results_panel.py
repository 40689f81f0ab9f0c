"""The results: rows that follow their shapes and sources, undo and redo with them, and are saved and written."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from measuring_engine import MeasuringJobs, settle
from panel_samples import COLUMNS, PIXEL_NM, ROWS, make_run, make_set, ramp

from eclips_app.commands import edits
from eclips_app.core.measuring import KINDS
from eclips_app.gui.flows import measure, results
from eclips_app.gui.flows.results import ResultsFlow
from eclips_app.gui.panels.results.view import ResultsPanel
from eclips_app.gui.qt import QtGui
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.model.items import HeightMap, Measurement, ProfileLine
from eclips_app.model.snapshot import from_state, to_state


def stairs() -> np.ndarray:
    """Steps of 20 nm at columns 30 and 60."""
    columns = np.arange(COLUMNS)
    height = 20.0 * (columns >= 30) + 20.0 * (columns >= 60)
    return np.broadcast_to(height, (ROWS, COLUMNS)).astype(np.float32)


@pytest.fixture
def engine() -> MeasuringJobs:
    return MeasuringJobs()


@pytest.fixture
def session(qapp: object, tmp_path: Path, engine: MeasuringJobs) -> Session:
    made = Session(Settings(tmp_path / "s.ini"), engine)  # type: ignore[arg-type]
    made.theme.apply()
    segment_set = make_set("scan")
    made.do(edits.add("Open", segment_set))
    made.do(edits.add("Reconstruct", make_run(segment_set, "stairs", stairs())))
    made.do(edits.add("Reconstruct", make_run(segment_set, "ramp", ramp(0.5))))
    made.project.select(run_id="stairs")
    return made


@pytest.fixture
def panel(session: Session, qtbot) -> ResultsPanel:
    made = ResultsPanel(session)
    qtbot.addWidget(made)
    made.resize(1000, 260)
    made.show()
    return made


@pytest.fixture
def flow(session: Session) -> ResultsFlow:
    return results.flow_of(session)


@pytest.fixture
def line(session: Session, panel: ResultsPanel) -> str:
    """A line over the first step, with a stretch on each level."""
    shapes = measure.flow_of(session)
    line_id = shapes.new_line((10.0, 30.0), (50.0, 30.0))
    made = session.project.line
    assert made is not None
    shapes.set_stretches(made, ((0.0, 30.0), (45.0, 80.0)))
    return line_id


def row_of(flow: ResultsFlow) -> Measurement:
    (row,) = flow.rows()
    return row


def value(row: Measurement, name: str) -> float:
    return float(row.values[name]["value"])


def choose(panel: ResultsPanel, key: str) -> None:
    """Choose a kind from the menu, if it can be chosen."""
    panel.menu.aboutToShow.emit()
    assert panel.kinds[key].isEnabled(), panel.kinds[key].toolTip()
    panel.kinds[key].trigger()


def test_a_row_is_added_measured_moved_undone_and_redone(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "step")
    assert flow.waits(row_of(flow).id)
    settle(flow, engine, qtbot)
    name = next(iter(row_of(flow).values))
    assert value(row_of(flow), name) == pytest.approx(20.0, abs=1e-6)
    assert row_of(flow).values[name]["unit"] == "nm"
    steps = session.history.position

    measure.flow_of(session).reshape(line, ((10.0, 30.0), (70.0, 30.0)))
    made = session.project.get(ProfileLine, line)
    assert made is not None
    measure.flow_of(session).set_stretches(made, ((0.0, 30.0), (105.0, 120.0)))
    assert flow.waits(row_of(flow).id)
    assert value(row_of(flow), name) == pytest.approx(20.0, abs=1e-6)  # the old one, until the new one is there
    settle(flow, engine, qtbot)
    assert value(row_of(flow), name) == pytest.approx(40.0, abs=1e-6)
    assert session.history.position == steps + 2  # what follows from an edit is no step of its own

    session.history.undo()
    session.history.undo()
    settle(flow, engine, qtbot)
    assert value(row_of(flow), name) == pytest.approx(20.0, abs=1e-6)
    session.history.redo()
    session.history.redo()
    assert value(row_of(flow), name) == pytest.approx(40.0, abs=1e-6)
    session.history.go_to(steps - 1)
    assert flow.rows() == ()


def test_a_row_follows_its_stretch_when_the_mouse_lets_go(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "step")
    settle(flow, engine, qtbot)
    session.history.end_merge()
    steps, shapes = session.history.position, measure.flow_of(session)
    for end in (29.0, 28.0):
        made = session.project.get(ProfileLine, line)
        assert made is not None
        shapes.drag_stretches(made, ((0.0, end), (45.0, 80.0)))
        assert row_of(flow).recipe["stretches_nm"][0] == [0.0, 30.0]
    shapes.end_stretch_drag()
    assert row_of(flow).recipe["stretches_nm"] == [[0.0, 28.0], [45.0, 80.0]]
    assert session.history.position == steps + 1
    settle(flow, engine, qtbot)
    session.history.undo()
    assert row_of(flow).recipe["stretches_nm"][0] == [0.0, 30.0]
    settle(flow, engine, qtbot)


def test_only_rows_concerned_are_measured_again(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "slope")
    other = measure.flow_of(session).new_line((10.0, 40.0), (50.0, 40.0))
    choose(panel, "slope")
    settle(flow, engine, qtbot)
    measure.flow_of(session).reshape(other, ((12.0, 40.0), (50.0, 40.0)))
    waiting = [row.line_id for row in flow.rows() if flow.waits(row.id)]
    assert waiting == [other]
    session.do(edits.change("Hide", session.project.get(ProfileLine, line), visible=False))  # type: ignore[type-var]
    assert [row.line_id for row in flow.rows() if flow.waits(row.id)] == [other]


def test_what_cannot_be_measured_says_why(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    panel.menu.aboutToShow.emit()
    assert panel.kinds["step"].isEnabled()
    measure.flow_of(session).new_line((10.0, 50.0), (50.0, 50.0))
    panel.menu.aboutToShow.emit()
    assert not panel.kinds["step"].isEnabled()
    assert "2 stretches" in panel.kinds["step"].toolTip()
    session.project.select(line_id=line)
    choose(panel, "step")
    settle(flow, engine, qtbot)
    measure.flow_of(session).reshape(line, ((300.0, 30.0), (340.0, 30.0)))
    settle(flow, engine, qtbot)
    assert row_of(flow).values == {}
    assert "height" in row_of(flow).problem
    assert not [message for message in session.messages.items if message.kind == "error"]
    assert panel.details.state.text().startswith("Fewer than three")
    measure.flow_of(session).delete_line()
    settle(flow, engine, qtbot)
    assert "not in the project" in row_of(flow).problem


def test_areas_and_the_whole_map(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    session.project.select(run_id="ramp")
    choose(panel, "plane")
    assert row_of(flow).line_id == ""  # a line is no area: the whole map
    settle(flow, engine, qtbot)
    tilt = next(q for q in row_of(flow).values.values() if q["unit"] in ("deg", "°"))
    assert tilt["value"] == pytest.approx(math.degrees(math.atan(0.5)), abs=1e-6)
    shapes = measure.flow_of(session)
    first = shapes.new_shape("rectangle", ((5.0, 5.0), (25.0, 25.0)))
    second = shapes.new_shape("polygon", ((40.0, 10.0), (70.0, 10.0), (55.0, 40.0)))
    choose(panel, "plane-angle")
    settle(flow, engine, qtbot)
    row = flow.rows()[-1]
    assert (row.line_id, *row.more_line_ids) == (first, second)
    assert row.values


def test_options_shape_source_and_stretches_are_changed_in_the_form(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "edge")
    settle(flow, engine, qtbot)
    details = panel.details
    combo = details.options.choices["model"]
    combo.setCurrentText("logistic")
    combo.textActivated.emit("logistic")
    assert row_of(flow).recipe["options"] == {"model": "logistic"}
    numbers = details.options.numbers
    assert numbers is not None
    numbers.committed.emit("low_percent", 20.0)
    assert row_of(flow).recipe["options"]["low_percent"] == 20.0
    details.stretches.setText("7")
    details.stretches.setModified(True)
    details.stretches.editingFinished.emit()
    assert "no stretch 7" in session.messages.items[-1].text
    details.stretches.setText("2")
    details.stretches.setModified(True)
    details.stretches.editingFinished.emit()
    assert row_of(flow).recipe["stretches_nm"] == [[45.0, 80.0]]
    details.source.setCurrentIndex(details.source.findData("ramp"))
    details.source.activated.emit(details.source.currentIndex())
    assert (row_of(flow).run_id, row_of(flow).source) == ("ramp", "scan, ramp")


def test_a_placed_map_is_followed(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, qtbot
) -> None:
    placed = HeightMap("afm", "AFM", stairs(), (PIXEL_NM, PIXEL_NM), center_px=((COLUMNS - 1) / 2, (ROWS - 1) / 2))
    session.do(edits.add("Load", placed))
    session.project.select(map_id="afm")
    shapes = measure.flow_of(session)
    shapes.new_line((10.0, 30.0), (50.0, 30.0))
    assert session.project.line is not None
    shapes.set_stretches(session.project.line, ((0.0, 30.0), (45.0, 80.0)))
    choose(panel, "step")
    flow.set_source(row_of(flow), placed)
    settle(flow, engine, qtbot)
    name = next(iter(row_of(flow).values))
    assert value(row_of(flow), name) == pytest.approx(20.0, abs=1e-6)
    shapes.place_map("Place", "", center_px=(placed.center_px[0] - 30.0, placed.center_px[1]))
    settle(flow, engine, qtbot)
    assert value(row_of(flow), name) == pytest.approx(20.0, abs=1e-6)
    shapes.place_map("Place", "", center_px=(placed.center_px[0] - 20.0, placed.center_px[1]))
    settle(flow, engine, qtbot)
    assert row_of(flow).seen


def test_rename_duplicate_sort_and_delete(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "slope")
    settle(flow, engine, qtbot)
    panel.table.selectRow(0)
    panel.duplicate()
    assert len({row.name for row in flow.rows()}) == 2
    panel.table.item(0, 0).setText("B")
    qtbot.waitUntil(lambda: flow.rows()[0].name == "B")
    panel.table.item(1, 0).setText("A")
    qtbot.waitUntil(lambda: flow.rows()[1].name == "A")
    panel.table.sortItems(0)
    assert [panel.table.item(i, 0).text() for i in range(2)] == ["A", "B"]
    panel.table.selectRow(0)
    panel.delete()
    assert [row.name for row in flow.rows()] == ["B"]
    session.history.undo()
    assert len(flow.rows()) == 2


def test_rows_are_saved_and_hold_when_they_come_back(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, qtbot
) -> None:
    choose(panel, "step")
    settle(flow, engine, qtbot)
    saved = row_of(flow)
    state, arrays = to_state(session.project)
    back = from_state(state, arrays)
    session.replace_project(back.items, back.selection)
    row = row_of(flow)
    assert (row.recipe, row.values, row.notes) == (saved.recipe, saved.values, saved.notes)
    assert not flow.waits(row.id)
    assert session.project.line is not None
    assert session.project.line.stretches_nm == ((0.0, 30.0), (45.0, 80.0))
    measure.flow_of(session).reshape(line, ((10.0, 30.0), (49.0, 30.0)))
    assert flow.waits(row.id)


def test_table_is_written_and_copied(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str, tmp_path: Path, qtbot
) -> None:
    choose(panel, "step")
    settle(flow, engine, qtbot)
    flow.write(tmp_path / "r.xlsx")
    flow.write(tmp_path / "r.csv")
    qtbot.waitUntil(lambda: (tmp_path / "r.csv").exists())
    with (tmp_path / "r.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    name = next(iter(row_of(flow).values))
    assert float(row[f"{name} (nm)"]) == pytest.approx(20.0, abs=1e-6)
    assert (row["measurement"], row["shape"]) == (KINDS["step"].title, "Line 1")
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    heads = [cell.value for cell in book["Results"][1]]
    cells = [cell.value for cell in book["Results"][2]]
    assert cells[heads.index(f"{name} (nm)")] == pytest.approx(20.0, abs=1e-6)
    assert '"kind": "step"' in str(book["How measured"]["B2"].value)
    flow.copy()
    assert QtGui.QGuiApplication.clipboard().text().splitlines()[1].startswith("Step height\tStep height\t")
    flow.write(tmp_path / "r.pdf")
    qtbot.waitUntil(lambda: "not written as" in session.messages.items[-1].text)


def test_cursor_readings_stay_as_they_were(
    panel: ResultsPanel, session: Session, flow: ResultsFlow, engine: MeasuringJobs, line: str
) -> None:
    measure.flow_of(session).add_result()
    row = row_of(flow)
    measure.flow_of(session).reshape(line, ((11.0, 30.0), (50.0, 30.0)))
    assert row_of(flow) is row
    assert "Distance" in panel.table.item(0, 1).text()
    assert panel.table.item(0, 0).font().italic()
    panel.table.selectRow(0)
    assert "does not follow" in panel.details.state.text()


def test_curves_of_a_row_are_drawn_written_and_measured_again_when_they_are_not_there(
    session: Session, engine: MeasuringJobs, panel: ResultsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot
) -> None:
    flow, view = results.flow_of(session), panel.details.curves
    flow.add("bearing")
    settle(flow, engine, qtbot)
    (row,) = flow.rows()
    panel.table.choose(row.id)
    assert view.isVisibleTo(panel)
    assert view.choice.currentText() == "Bearing"
    (curve,) = view.plot.listDataItems()
    assert len(curve.xData) > 10
    monkeypatch.setattr(session, "ask_save_file", lambda *_: tmp_path / "mine.csv")
    view.export.click()
    qtbot.waitUntil(lambda: (tmp_path / "mine-bearing.csv").is_file())
    flow._curves.clear()  # as in a project that has just been opened
    panel.details.show_row(row)
    assert not view.isVisibleTo(panel)
    assert engine.answer() == 1
    assert view.isVisibleTo(panel)
    flow.add("step-histogram")
    settle(flow, engine, qtbot)
    assert "Histogram" in [view.choice.itemText(i) for i in range(view.choice.count())]
