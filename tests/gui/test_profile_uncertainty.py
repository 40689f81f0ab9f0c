"""The profile panel on runs that state their uncertainty: bands, readings, budget, and the exact noise on demand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from panel_samples import COLUMNS, PIXEL_NM, ROWS, held_session, make_set
from uncertain_samples import STEP_NM, fill_with_standard_run, standard_run

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.steps import FunctionalStd
from eclips_app.gui.flows import measure
from eclips_app.gui.panels.profile.view import ProfilePanel
from eclips_app.gui.qt import Qt
from eclips_app.gui.session import Session
from eclips_app.model.items import Measurement

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def held(qapp: object, tmp_path: Path) -> Session:
    made = held_session(tmp_path)
    measure.register(made)
    fill_with_standard_run(made)
    return made


@pytest.fixture
def panel(held: Session, qtbot) -> ProfilePanel:
    made = ProfilePanel(held)
    qtbot.addWidget(made)
    made.resize(1100, 800)
    with qtbot.waitExposed(made):
        made.show()
    made.image.pane.fit()
    made.tabs.setCurrentWidget(made.plot.budget)
    return made


def is_whole(panel: ProfilePanel) -> bool:
    readings = panel.plot.readings_now
    return bool(readings) and not any(each.sampled.waits for each in readings)


def draw(panel: ProfilePanel, held: Session, qtbot) -> None:
    measure.flow_of(held).new_line((10.0, 30.0), (70.0, 30.0))
    assert panel.plot.readings_now[0].values["Fitted angle"].std is None  # nothing stands in while the line moves
    qtbot.waitUntil(lambda: is_whole(panel))


def bands(panel: ProfilePanel) -> dict[str, np.ndarray]:
    shown = panel.plot.plot._shown
    return {curve.key.partition("/")[2]: curve.band_nm for curve in shown if curve.band_nm is not None}


def test_band_and_readings_come_when_the_line_rests(panel: ProfilePanel, held: Session, qtbot) -> None:
    draw(panel, held, qtbot)
    profile = panel.plot.readings_now[0].sampled.profile
    assert profile.std_nm is not None
    assert profile.std_nm[-1] == pytest.approx(math.hypot(STEP_NM, 0.04 * 70), rel=1e-2)
    assert np.array_equal(bands(panel)["A"], profile.std_nm)
    panel.plot.band.setCurrentIndex(1)
    panel.plot.band.activated.emit(1)
    assert np.array_equal(bands(panel)["A"], 1.96 * profile.std_nm)
    panel.plot.band.setCurrentIndex(2)
    panel.plot.band.activated.emit(2)
    assert np.array_equal(bands(panel)["A"], profile.spread_nm, equal_nan=True)
    quarter = 0.04 * 30  # between the cursors, at a quarter and three quarters of 120 nm, the ramp rises by 30 nm
    difference = panel.plot.readings_now[0].values["Height difference"]
    assert difference.std == pytest.approx(math.hypot(STEP_NM, quarter), rel=1e-2)
    assert "±" in panel.plot.summary.text()


def test_both_runs_have_bands_and_a_linear_one_keeps_the_spread(panel: ProfilePanel, held: Session, qtbot) -> None:
    held.do(edits.add("Reconstruct", standard_run(make_set("scan"), "second", 0.6)))
    held.project.select(run_id="exact", compared_run_id="second")
    draw(panel, held, qtbot)
    assert bands(panel).keys() == {"A", "B"}
    held.project.select(run_id="live", compared_run_id="second")
    qtbot.waitUntil(lambda: is_whole(panel))
    first = panel.plot.readings_now[0]
    assert first.sampled.profile.deviations_nm is None
    assert bands(panel)["A"] is first.sampled.profile.spread_nm
    assert "no budget" in panel.plot.budget.missing.text()


def test_budget_names_the_parts_and_what_is_not_stated(panel: ProfilePanel, held: Session, qtbot) -> None:
    draw(panel, held, qtbot)
    tab = panel.plot.budget
    noise, distance = STEP_NM**2, (0.04 * 30) ** 2
    percent = round(100 * distance / (noise + distance))
    assert f"geometry {percent} %" in tab.shares.accessibleDescription()
    assert tab.missing.text() == "Not stated: gains, pixel size"
    tab.choice.setCurrentText("Step height")
    assert tab.value.text().count("±") == 1
    panel.plot.plot.cursors[0].setValue(10.0)  # both cursors in the left half, where no noise is
    panel.plot.plot.cursors[1].setValue(30.0)
    tab.choice.setCurrentText("Height difference")
    assert tab.shares.accessibleDescription() == "geometry 100 %"


def test_exact_noise_is_asked_of_the_engine_and_stands_beside_the_drawn(
    panel: ProfilePanel, held: Session, qtbot
) -> None:
    draw(panel, held, qtbot)
    tab, jobs = panel.plot.budget, held.jobs.jobs  # type: ignore[attr-defined]
    tab.choice.setCurrentText("Fitted angle")
    assert tab.exact.isEnabled()
    qtbot.mouseClick(tab.exact, LEFT)
    job = jobs[-1]
    run = held.project.run
    assert run is not None
    assert job.step == "functional-std"
    assert job.params == schema.load(FunctionalStd, run.params)
    assert len(job.inputs["segments"]) == 4
    assert job.inputs["rho"] is run.arrays["given_rho"]  # what the fit was given beside the images
    weights = job.inputs["weights"]
    assert weights.shape == (1, ROWS, COLUMNS)
    # The weights are the reading: a height more by a slope of 0.001 reads 0.001 / (1 + 0.5²) radians more.
    more = 0.001 * PIXEL_NM * np.arange(COLUMNS)
    assert np.sum(weights[0] * more) == pytest.approx(math.degrees(0.001 / 1.25), rel=1e-3)
    assert not tab.exact.isEnabled()  # one at a time
    job.done({}, std_nm=[0.25])
    assert "± 0.25° exact" in tab.compared.text()
    panel.plot.plot.cursors[0].setValue(20.0)
    assert not tab.compared.isVisible()  # another reading


def test_exact_noise_needs_the_run_as_it_was_made(panel: ProfilePanel, held: Session, qtbot) -> None:
    draw(panel, held, qtbot)
    exact = panel.plot.budget.exact
    scan = held.project.segment_set
    assert scan is not None
    exclude = np.zeros((ROWS, COLUMNS), bool)
    exclude[3, 3] = True
    held.do(edits.change("Exclude", scan, exclude=exclude))
    assert not exact.isEnabled()
    assert "excluded areas were changed" in exact.toolTip()
    held.history.undo()
    assert exact.isEnabled()
    held.do(edits.change("Crop", scan, crop=(0, 0, 30, 40)))
    assert "crop" in exact.toolTip()
    held.history.undo()
    held.project.select(run_id="live")
    assert "Standard and Metrology" in exact.toolTip()


def test_results_hold_the_standard_deviations(panel: ProfilePanel, held: Session, qtbot) -> None:
    draw(panel, held, qtbot)
    measure.flow_of(held).add_result()
    (row,) = held.project.of_kind(Measurement)
    assert row.values["Height difference"]["std"] == pytest.approx(math.hypot(STEP_NM, 0.04 * 30), rel=1e-2)
    assert row.values["Step height"]["std"] > 0
