"""A neural network in the Simulate panel: beside the exact model, with their difference, and where it is out of its range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from instant_engine import Engine, settle
from pytestqt.qtbot import QtBot

from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen
from eclips_app.gui.flows import simulate, simulation
from eclips_app.gui.panels.simulate.view import SimulatePanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.jobs.job import Failed

LEFT = Qt.MouseButton.LeftButton
SIZE = 120


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def held(qapp: object, tmp_path: Path, engine: Engine) -> Session:
    made = Session(Settings(tmp_path / "settings.ini"), engine)  # type: ignore[arg-type]
    made.theme.apply()
    simulate.register(made)
    return made


@pytest.fixture
def panel(held: Session, engine: Engine, qtbot: QtBot) -> SimulatePanel:
    flow = simulate.flow_of(held)
    flow.setup = simulation.Setup(specimen=Specimen("vickers", SIZE, SIZE, 10.0, 1))
    for live in (flow.live, flow.reach):
        live.findChild(QtCore.QTimer).setInterval(10)
    made = SimulatePanel(held)
    qtbot.addWidget(made)
    made.resize(1100, 700)
    with qtbot.waitExposed(made):
        made.show()
    settle(made, engine, qtbot)
    return made


def choose(panel: SimulatePanel, model: str) -> None:
    panel.model.model.show_data(model)
    panel.model.model.activated.emit(panel.model.model.currentIndex())


@pytest.fixture
def compared(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> SimulatePanel:
    choose(panel, "dsm")
    settle(panel, engine, qtbot)
    qtbot.mouseClick(panel.compare, LEFT)
    settle(panel, engine, qtbot)
    return panel


def test_a_network_has_advice_and_its_range_is_told(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    assert not panel.compare.isVisible()
    assert not panel.model.advice.isVisible()
    choose(panel, "vft")
    settle(panel, engine, qtbot)
    assert panel.compare.isVisible()
    assert "which on a processor is faster and has no error" in panel.model.advice.text()
    assert panel.model.advice.isVisible()
    assert panel.outside.text().startswith("10 % of the surface is unlike all")
    assert panel.outside.isVisible()
    choose(panel, "bsesm")
    settle(panel, engine, qtbot)
    assert not panel.outside.isVisible()
    assert not panel.compare.isVisible()


def test_images_differences_and_profiles_are_shown(compared: SimulatePanel) -> None:
    view = compared.comparison
    assert compared.pages.currentWidget() is view
    assert compared.compare.text() == "Back to images"
    shown = view.shown
    assert shown is not None
    assert shown.mean_percent == pytest.approx(1.5, rel=0.01)
    assert shown.high_percent == pytest.approx(3.0, rel=0.01)
    assert view.facts.text().startswith("Differs by 1.5 % of the mean signal on average, 3 % at the 99th percentile")
    assert view.scale.texts == ("−3 %", "0", "+3 %")
    assert [pane.title for pane in view.panes] == ["Network", "Exact", "Difference"]
    assert view.panes[2].value_at(SIZE - 1, 5) == pytest.approx(3.0, rel=0.01)
    x, percent = view.plots.difference.getData()
    assert len(x) == SIZE
    assert x[-1] == 10.0 * (SIZE - 1)
    assert percent[0] == 0.0
    assert percent[-1] == pytest.approx(3.0, rel=0.01)
    exact, network = (curve.getData()[1] for curve in (view.plots.exact, view.plots.network))
    np.testing.assert_allclose(exact[:60], network[:60])
    assert network[-1] > exact[-1]


def test_both_models_are_asked_for_the_same_images_without_noise(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    choose(panel, "dsm")
    settle(panel, engine, qtbot)
    panel.flow.compare(True)
    qtbot.waitUntil(lambda: len(engine.jobs) == 2)
    asked = [job.params for job in engine.jobs]
    assert [params.model for params in asked] == ["dsm", "bsesm"]
    assert [params.dose for params in asked] == [None, None]
    assert not any(params.draft for params in asked)
    assert asked[0].detector == asked[1].detector
    first = engine.jobs[0]
    panel.flow.choose(dose=None)  # another picture is wanted
    assert first.cancelled
    settle(panel, engine, qtbot)
    comparison = panel.flow.comparison.comparison
    assert comparison is not None
    assert comparison.wish.setup.dose is None


def test_a_click_chooses_the_line_of_the_profile(compared: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    view = compared.comparison
    pane = view.panes[1]
    place = pane.mapFromScene(pane.box.mapViewToScene(QtCore.QPointF(40.0, 90.0)))
    qtbot.mouseClick(pane.viewport(), LEFT, pos=place)
    assert compared.flow.pixel is not None
    row, column = compared.flow.pixel
    assert abs(row - 90) <= 3
    assert view.panes[0].line.value() == row
    view.along.setCurrentIndex(1)
    view.along.activated.emit(1)
    assert view.panes[2].line.value() == column
    assert view.panes[2].line.angle == 90
    assert abs(view.plots.difference.getData()[1]).max() == 0.0  # the left half is right
    before = view.plots.exact.getData()[1][0]
    view.segment.setCurrentIndex(2)
    view.segment.activated.emit(2)
    assert view.plots.exact.getData()[1][0] == before + 2
    settle(compared, engine, qtbot)


def test_a_network_of_another_detector_is_told_and_the_panel_goes_on(
    panel: SimulatePanel, engine: Engine, qtbot: QtBot
) -> None:
    choose(panel, "dsm")
    job = next(job for job in engine.jobs if job.step == "simulate" and not job.cancelled)
    engine.jobs.remove(job)
    job.hear(Failed(job, EclipsError("this DSM was distilled for another detector")))  # type: ignore[arg-type]
    assert panel.problem.text() == "This DSM was distilled for another detector"
    choose(panel, "bsesm")
    settle(panel, engine, qtbot)
    assert not panel.problem.isVisible()


def test_weights_from_a_file_belong_to_their_network(
    panel: SimulatePanel, held: Session, engine: Engine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(panel, "dsm")
    settle(panel, engine, qtbot)
    monkeypatch.setattr(held, "ask_open_files", lambda *_: [Path("/some/mine.safetensors")])
    combo = panel.model.weights
    combo.show_data("open")
    combo.activated.emit(combo.currentIndex())
    assert panel.flow.setup.weights == str(Path("/some/mine.safetensors"))
    assert combo.currentText() == "mine.safetensors"
    settle(panel, engine, qtbot)
    frame = panel.flow.live.frame
    assert frame is not None
    assert frame.params.weights == panel.flow.setup.weights
    choose(panel, "vft")
    assert panel.flow.setup.weights == ""
    settle(panel, engine, qtbot)
