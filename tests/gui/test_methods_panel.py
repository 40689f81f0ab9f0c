"""The Methods panel in the real window: choosing, what is not run again, the queue, the figures and the maps side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from panel_samples import COLUMNS, PIXEL_NM, ROWS, Submitted, detector, fill, make_run, ramp
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.steps import ClosedLoop
from eclips_app.gui.flows import compare_methods
from eclips_app.gui.flows.methods import METHODS
from eclips_app.gui.panels.methods.presenter import CHI2, DIFFERENCE, HEIGHT, RESIDUAL, prepare
from eclips_app.gui.panels.methods.view import MethodsPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.gui.widgets.linked_views import LinkedView
from eclips_app.model.items import Comparison, Run

LEFT = Qt.MouseButton.LeftButton
NAMES = [method.name for method in METHODS]


@pytest.fixture
def panel(window: MainWindow, held: Session, qtbot: QtBot) -> MethodsPanel:
    """The panel with one set that has been reconstructed with Live."""
    fill(held, runs=0)
    segment_set = held.project.segment_set
    assert segment_set is not None
    run = replace(make_run(segment_set, "first", bumps(1.0), {"residual_rms_grey": 12.5}), name="Live")
    held.do(edits.add("Reconstruct", run))
    held.actions.action("view.methods").trigger()
    made = window.panels["methods"].panel()
    assert isinstance(made, MethodsPanel)
    settle(made, qtbot)
    return made


def bumps(height_nm: float) -> np.ndarray:
    """A hill on a slope, in nm."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    hill = height_nm * np.exp(-((columns - 40.0) ** 2 + (rows - 30.0) ** 2) / 60.0)
    return (hill + ramp(0.5)).astype(np.float32)


def settle(panel: MethodsPanel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: panel.is_settled and panel.isVisible())


def tick(panel: MethodsPanel, name: str) -> None:
    """Click the box before a method."""
    item = panel.table.item(NAMES.index(name), 0)
    assert item is not None
    done = item.checkState() == Qt.CheckState.Checked
    item.setCheckState(Qt.CheckState.Unchecked if done else Qt.CheckState.Checked)


def text(panel: MethodsPanel, name: str, head: str) -> str:
    heads = [panel.table.horizontalHeaderItem(column).text() for column in range(panel.table.columnCount())]  # type: ignore[union-attr]
    item = panel.table.item(NAMES.index(name), heads.index(head))
    assert item is not None
    return item.text()


def jobs(session: Session) -> list[Submitted]:
    found: list[Submitted] = session.jobs.jobs  # type: ignore[attr-defined]
    return found


def answer(job: Submitted, height: np.ndarray, chi2: float = 1.25, **info: Any) -> None:
    shape = height.shape
    residual = np.zeros((4, *shape), np.float32)
    residual[0], residual[1] = 3.0, -4.0
    arrays = {"height": height, "mask": np.ones(shape, bool), "residual": residual}
    job.done(
        {**arrays, "chi2": np.full(shape, chi2, np.float32), "rho": np.ones(shape, np.float32)},
        chi2=chi2, residual_rms_grey=2.5, chi2_steps=[2.0, chi2], inner_steps=[1], **info,
    )  # fmt: skip


def test_chosen_methods_run_one_after_another_and_what_is_there_is_not_run_again(
    panel: MethodsPanel, held: Session, qtbot: QtBot
) -> None:
    assert text(panel, "Live", "Run") == "Live, made before"
    assert text(panel, "Standard", "Run") == "not run yet"
    assert "Not run again, as made before: Live." in panel.note.text()
    tick(panel, "U-Net")
    qtbot.mouseClick(panel.button, LEFT)
    assert any(message.text == "Made before and not run again: Live." for message in held.messages.items)
    (job,) = jobs(held)
    assert job.step == "reconstruct-closed-loop"
    assert text(panel, "Standard", "Run") == "runs now"
    assert text(panel, "U-Net", "Run") == "waits"
    assert not panel.button.isVisible()
    job.progress(0.5, "outer step 2", 3.0)
    assert panel.bar.value() == 500
    assert "(1 of 2), Standard: outer step 2, 3 s left" in panel.note.text()
    answer(job, bumps(3.0))
    assert jobs(held)[-1].step == "reconstruct-learned"
    answer(jobs(held)[-1], bumps(2.0), 1.5)
    assert panel.button.isVisible()
    settle(panel, qtbot)
    assert [text(panel, name, "Run") for name in ("Standard", "U-Net")] == ["Standard, new", "U-Net, new"]
    assert [text(panel, name, "χ²") for name in ("Live", "Standard", "U-Net")] == ["–", "1.25", "1.5"]
    assert text(panel, "Live", "Residual") == "12.5"
    assert text(panel, "Standard", "Time") == "2 s"
    assert len(jobs(held)) == 2
    assert not panel.button.isEnabled()
    assert panel.note.text().startswith("All chosen methods have been run on these images.")
    held.history.undo()
    settle(panel, qtbot)
    assert text(panel, "U-Net", "Run") == "not run yet"
    held.history.redo()
    assert [run.name for run in held.project.of_kind(Run)] == ["Live", "Standard", "U-Net"]


def test_stop_keeps_what_is_finished_and_forgets_what_waits(panel: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    for name in ("Metrology", "U-Net"):
        tick(panel, name)
    qtbot.mouseClick(panel.button, LEFT)
    answer(jobs(held)[0], bumps(3.0))
    assert text(panel, "Metrology", "Run") == "runs now"
    qtbot.mouseClick(panel.stop, LEFT)
    assert len(jobs(held)) == 2
    settle(panel, qtbot)
    assert text(panel, "Standard", "Run") == "Standard, new"
    assert [text(panel, name, "Run") for name in ("Metrology", "U-Net")] == ["not run yet"] * 2
    assert panel.button.isEnabled()


def test_a_stopped_fit_is_shown_and_run_again(panel: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    segment_set = held.project.segment_set
    assert segment_set is not None
    params = schema.dump(ClosedLoop(detector=detector(), pixel_size_nm=PIXEL_NM))
    stopped = make_run(segment_set, "stopped", bumps(2.0), {"stopped": True})
    stopped = replace(stopped, name="Standard (stopped)", step="reconstruct-closed-loop", params=params)
    held.do(edits.add("Reconstruct", stopped))
    settle(panel, qtbot)
    assert text(panel, "Standard", "Run") == "Standard (stopped), stopped"
    qtbot.mouseClick(panel.button, LEFT)
    answer(jobs(held)[0], bumps(3.0))
    settle(panel, qtbot)
    assert text(panel, "Standard", "Run") == "Standard, new"


def test_a_run_of_other_inputs_does_not_count(panel: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    held.do(edits.set_detector(held.project, detector(distance_mm=9.0)))
    settle(panel, qtbot)
    assert text(panel, "Live", "Run") == "not run yet"
    qtbot.mouseClick(panel.button, LEFT)
    assert [job.step for job in jobs(held)] == ["reconstruct-linear"]


def test_what_stands_against_a_comparison_is_said(panel: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    tick(panel, "Live")
    assert not panel.button.isEnabled()
    assert panel.note.text() == "Choose two methods or more."
    assert not held.actions.action("methods.run").isEnabled()
    tick(panel, "Live")
    assert panel.button.isEnabled()
    segment_set = held.project.segment_set
    assert segment_set is not None
    held.do(edits.change("Forget", segment_set, pixel_size_nm=None))
    assert not panel.button.isEnabled()
    assert "pixel size" in panel.note.text().lower()


def test_a_method_that_fails_leaves_the_others_to_run(panel: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    from eclips_app.core.errors import EclipsError
    from eclips_app.jobs.job import Failed

    tick(panel, "U-Net")
    qtbot.mouseClick(panel.button, LEFT)
    job = jobs(held)[0]
    job.hear(Failed(job, EclipsError("no such file", where="unet.safetensors"), ""))
    assert jobs(held)[-1].step == "reconstruct-learned"
    assert text(panel, "Standard", "Run") == "not run yet"


@pytest.fixture
def compared(panel: MethodsPanel, held: Session, qtbot: QtBot) -> MethodsPanel:
    """Live, with a hill of 1 nm, and Standard, with one of 3 nm, compared."""
    qtbot.mouseClick(panel.button, LEFT)
    answer(jobs(held)[0], bumps(3.0))
    settle(panel, qtbot)
    return panel


def show(panel: MethodsPanel, kind: str, qtbot: QtBot) -> list[LinkedView]:
    panel.pictures.kind.show_data(kind)
    panel.pictures.kind.activated.emit(panel.pictures.kind.currentIndex())
    qtbot.waitUntil(lambda: panel.is_settled and panel.pictures.shown is not None and panel.pictures.shown.kind == kind)
    return panel.pictures.views


def test_heights_are_levelled_and_share_their_colours(compared: MethodsPanel, qtbot: QtBot) -> None:
    live, standard = show(compared, HEIGHT, qtbot)
    assert (live.title, standard.title) == ("Live", "Standard")
    assert live.image.levels is not None
    np.testing.assert_array_equal(live.image.levels, standard.image.levels)
    edge = live.value_at(5, 5)
    assert edge is not None
    assert abs(edge) < 0.5  # the slope of 80 nm is gone
    assert text(compared, "Live", "Height range").endswith("nm")


def test_the_difference_is_to_the_reference(compared: MethodsPanel, qtbot: QtBot) -> None:
    live, standard = show(compared, DIFFERENCE, qtbot)
    assert compared.pictures.reference.currentText() == "Live"
    assert live.title == "Live is the reference"
    at_top, beside = standard.value_at(40, 30), standard.value_at(5, 5)
    assert at_top is not None
    assert beside is not None
    assert at_top - beside == pytest.approx(2.0, abs=0.05)
    assert text(compared, "Live", "To reference") == "–"
    assert compared.pictures.shown is not None
    off = compared.pictures.shown.pictures[1].off_nm
    assert off is not None
    assert 0.1 < off < 0.6
    compared.pictures.reference.setCurrentIndex(1)
    compared.pictures.reference.activated.emit(1)
    qtbot.waitUntil(lambda: text(compared, "Standard", "To reference") == "–")
    assert text(compared, "Live", "To reference").endswith("m")


def test_residual_and_chi_square_are_shown_where_a_run_has_them(compared: MethodsPanel, qtbot: QtBot) -> None:
    live, standard = show(compared, RESIDUAL, qtbot)
    assert live.title == "Live keeps no residuals"
    assert standard.value_at(3, 3) == pytest.approx(5.0)  # root of 3² + 4²
    live, standard = show(compared, CHI2, qtbot)
    assert "χ²" in live.title
    assert standard.value_at(3, 3) == pytest.approx(np.log2(1.25))
    assert "1: noise" in compared.pictures.scale.texts


def test_views_move_together_and_read_all_values(compared: MethodsPanel, qtbot: QtBot) -> None:
    live, standard = show(compared, HEIGHT, qtbot)
    live.box.setRange(QtCore.QRectF(30, 20, 20, 20), padding=0)
    live.navigated.emit()
    assert standard.box.viewRect().center() == live.box.viewRect().center()
    live.hovered.emit(40.0, 30.0, 1.0)
    told = compared.pictures.status.text()
    assert told.startswith("(40, 30) px   Live ")
    assert "Standard " in told
    live.hovered.emit(float("nan"), float("nan"), None)
    assert compared.pictures.status.text() == ""
    qtbot.mouseClick(compared.pictures.zoom_fit, LEFT)
    assert live.box.viewRect().width() > COLUMNS


def test_a_row_shows_its_run_in_the_other_panels(compared: MethodsPanel, held: Session, qtbot: QtBot) -> None:
    compared.table.selectRow(0)
    assert held.project.run is not None
    assert held.project.run.name == "Live"
    compared.table.selectRow(1)
    assert held.project.run.name == "Standard"


def test_the_map_that_a_run_was_compared_with_has_a_column_of_its_own(
    compared: MethodsPanel, held: Session, qtbot: QtBot
) -> None:
    column = compared.table.columnCount() - 1
    assert compared.table.isColumnHidden(column)
    values = {"Rms difference": {"value": 4.5, "std": 0.1, "unit": "nm"}}
    held.do(edits.add("Compare", Comparison("c", "c", "first", "map", "2026-01-02", {}, {"values": values}, {})))
    settle(compared, qtbot)
    assert not compared.table.isColumnHidden(column)
    assert [text(compared, name, "To map") for name in ("Live", "Standard")] == ["4.5 nm", "–"]


def test_a_low_panel_has_tabs(compared: MethodsPanel, window: MainWindow, qtbot: QtBot) -> None:
    window.resize(900, 600)
    qtbot.waitUntil(lambda: compared.tabs.count() == 2)
    assert compared.pages.currentWidget() is compared.tabs
    assert [compared.tabs.tabText(i) for i in range(compared.tabs.count())] == ["Figures", "Maps"]
    compared.tabs.setCurrentIndex(1)
    assert compared.pictures.isVisible()
    window.resize(900, 900)
    qtbot.waitUntil(lambda: compared.tabs.count() == 0)
    assert compared.pages.currentWidget() is compared.both
    assert compared.table.isVisible()
    assert compared.pictures.isVisible()


def test_without_images_the_panel_offers_to_open_some(window: MainWindow, held: Session) -> None:
    held.show_panel("methods")
    made = window.panels["methods"].panel()
    assert isinstance(made, MethodsPanel)
    assert made.pages.currentWidget() is made.empty
    assert compare_methods.flow_of(held).hindrance() == "Choose images first."


def test_runs_of_different_parts_have_no_difference(panel: MethodsPanel, held: Session) -> None:
    segment_set = held.project.segment_set
    assert segment_set is not None
    whole, part = (make_run(segment_set, name, height) for name, height in (("a", bumps(1.0)), ("b", bumps(1.0)[5:])))
    found = prepare(DIFFERENCE, [whole, part], "a")
    assert [picture.note for picture in found.pictures] == ["is the reference", "shows another part of the image"]
    assert found.pictures[1].off_nm is None
