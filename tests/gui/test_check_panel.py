"""The check panel in the real window: what it shows of a run, what a verdict does, and the cycle with its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from panel_samples import PIXEL_NM, detector, make_set
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.steps import ClosedLoop, Reconstruct, Simulate, StepResult, run_step
from eclips_app.engine.cycle import CAVEAT
from eclips_app.gui.flows import check
from eclips_app.gui.panels.check.presenter import prepare
from eclips_app.gui.panels.check.view import CheckPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.model.check import cycle_request, measured
from eclips_app.model.items import Measurement, Run, SegmentImage, SegmentSet
from eclips_app.model.runs import make_run, step_inputs

CROP = (4, 8, 100, 120)
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def segments() -> NDArray[Any]:
    """Images [4, 104, 128] of a hill; dirt on the first segment at rows 60 to 80, columns 70 to 100."""
    rows, columns = np.indices((104, 128))
    height = 30.0 * np.exp(-((rows - 40.0) ** 2 + (columns - 50.0) ** 2) / 300.0)
    params = Simulate(detector(), PIXEL_NM, dose=8000.0, grey_per_electron=1.5, azimuths=32, seed=1)
    images = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    images[0, 60:80, 70:100] = images[0, 60:80, 70:100] * 0.8
    return images


def image_set(segments: NDArray[Any], **more: Any) -> SegmentSet:
    images = tuple(
        SegmentImage(n, image, source=f"{n}.tif", sha256=n * 64)
        for n, image in zip("ENWS"[: len(segments)], segments, strict=True)
    )
    return make_set("scan", images=images, crop=CROP, **more)


def linear(segment_set: SegmentSet, **more: Any) -> Run:
    params = Reconstruct(detector(), PIXEL_NM, crop=CROP, shifts_px=segment_set.shifts_px, device="cpu", **more)
    result = run_step("reconstruct-linear", step_inputs(segment_set), params, SilentContext())
    return make_run(segment_set, "reconstruct-linear", params, result, 0.1, "Live")


def closed_loop(segment_set: SegmentSet, run: Run) -> Run:
    """A run as the closed loop leaves it, made of a linear one: regional chi-square, known-gain chi-square and flags."""
    from eclips_app.metrology.evidence import regional_chi2
    from eclips_app.model.check import maps_of

    chi2 = regional_chi2(maps_of(run.step, run.params, run.arrays)).astype(np.float32)
    flags = np.zeros(chi2.shape, np.uint8)
    arrays = {**run.arrays, "chi2": chi2, "chi2_known": np.maximum(chi2, 1.0), "flags": flags}
    params = ClosedLoop(detector(), PIXEL_NM, crop=CROP, device="cpu")
    made = make_run(segment_set, "reconstruct-closed-loop", params, StepResult(arrays, dict(run.info)), 0.1, "Standard")
    return replace(made, params=schema.dump(params))


Open = Callable[..., CheckPanel]


@pytest.fixture
def opened(window: MainWindow, held: Session, qtbot: QtBot) -> Open:
    """Put a set and a run into the project and show them in the panel."""

    def put(segment_set: SegmentSet, run: Run) -> CheckPanel:
        held.do(edits.set_detector(held.project, detector()))
        held.do(edits.add("Open", segment_set))
        held.do(edits.add("Reconstruct", run))
        held.project.select(run_id=run.id)
        held.actions.action("view.check").trigger()
        panel = window.panels["check"].panel()
        assert isinstance(panel, CheckPanel)
        qtbot.waitUntil(lambda: panel.is_settled and panel.shown is not None)
        return panel

    return put


def test_measured_less_residual_is_the_rendered_image_where_the_run_saw_it(segments: NDArray[Any]) -> None:
    segment_set = image_set(segments, shifts_px=((0.0, 0.0), (1.0, -2.0), (0.3, 0.0), (0.0, 0.0)))
    run = linear(segment_set)
    grey = measured(run, segment_set)
    assert grey.shape == run.arrays["residual"].shape
    top, left, bottom, right = CROP
    np.testing.assert_array_equal(grey[0], segments[0, top:bottom, left:right])
    inner = segments[1, top + 10 - 1 : bottom - 10 - 1, left + 10 + 2 : right - 10 + 2]
    np.testing.assert_allclose(grey[1, 10:-10, 10:-10], inner, rtol=1e-4)
    assert np.isnan(grey[1, 0]).all()  # moved in from beyond the crop
    shown = prepare(run, segment_set)
    source = shown.source("re-rendered", 0)
    assert source is not None
    rendered = source.read((slice(None), slice(None)))
    np.testing.assert_allclose(rendered + run.arrays["residual"][0], grey[0], rtol=1e-5)


def test_without_a_run_the_panel_offers_to_make_one(window: MainWindow, held: Session) -> None:
    held.show_panel("check")
    panel = window.panels["check"].panel()
    assert isinstance(panel, CheckPanel)
    assert panel.empty.isVisible()
    assert panel.empty.button.text() == "Reconstruct"


def test_a_linear_run_shows_its_rows_and_says_what_is_lacking(opened: Open, segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    assert len(panel.grid.views) == 12
    assert panel.grid.views[0].title == "E measured"
    assert panel.maps.fitted.isVisible()
    assert not panel.maps.known.isVisible()
    assert panel.unit.currentText() == "In noise"
    assert panel.scale.texts[-1].endswith("σ")
    texts = [panel.verdicts.item(row).text() for row in range(panel.verdicts.count())]
    assert texts[0].startswith("Explained by the model: 8")
    assert any("more than noise is left" in text for text in texts)
    assert "Standard or Metrology" in texts[-1]


def test_the_closed_loop_shows_both_maps(opened: Open, segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, closed_loop(segment_set, linear(segment_set)))
    assert panel.maps.fitted.isVisible()
    assert panel.maps.known.isVisible()
    assert panel.verdicts.count() == len(panel.verdicts.verdicts)
    assert "1: noise" in panel.maps.scale.texts


def test_a_verdict_brings_its_region_to_the_middle_of_all_views(
    opened: Open, segments: NDArray[Any], qtbot: QtBot
) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    row = next(i for i, verdict in enumerate(panel.verdicts.verdicts) if verdict.kind == "not explained")
    qtbot.mouseClick(
        panel.verdicts.viewport(), LEFT, pos=panel.verdicts.visualItemRect(panel.verdicts.item(row)).center()
    )
    for view in (panel.grid.views[0], panel.grid.views[8], panel.maps.fitted):
        middle = view.box.viewRect().center()
        assert middle.x() == pytest.approx(84.5, abs=4)
        assert middle.y() == pytest.approx(69.5, abs=4)
        assert view.box.viewRect().width() < 300
        frame = view._frame.path().boundingRect()
        assert frame.contains(QtCore.QRectF(72, 62, 24, 14))
    qtbot.keyClick(panel.verdicts, Qt.Key.Key_Home)  # the first verdict is of the whole field
    assert panel.grid.views[0].box.viewRect().width() > 112
    assert panel.grid.views[0]._frame.path().isEmpty()


def test_views_zoom_together(opened: Open, segments: NDArray[Any], qtbot: QtBot) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    first, last = panel.grid.views[0], panel.maps.fitted
    qtbot.waitUntil(lambda: first.box.viewRect().width() > 100)
    qtbot.keyClick(first, Qt.Key.Key_Plus)
    assert last.box.viewPixelSize()[0] == pytest.approx(first.box.viewPixelSize()[0], rel=0.02)
    qtbot.mouseClick(panel.zoom_fit, LEFT)
    assert first.box.viewRect().contains(QtCore.QRectF(8, 4, 111, 95))


def test_large_images_are_read_as_fine_as_they_are_seen(opened: Open, segments: NDArray[Any], qtbot: QtBot) -> None:
    segment_set = image_set(np.tile(segments, (1, 12, 12)))
    run = linear(segment_set)
    arrays = {name: np.tile(array, (1,) * (array.ndim - 2) + (12, 12)) for name, array in run.arrays.items()}
    large = replace(run, arrays=arrays, params={**run.params, "crop": [0, 0, 96 * 12, 112 * 12]})
    panel = opened(segment_set, large)
    view = panel.grid.views[2]
    qtbot.waitUntil(lambda: view.box.viewRect().width() > 1200)
    assert view.image.image.size < 400_000
    assert view._step > 1
    panel._range.show_part(QtCore.QRectF(300, 200, 40, 30))
    assert view._step == 1
    assert view.image.boundingRect().width() < 400
    col, row = 310.0, 205.0
    assert view.value_at(col, row) == pytest.approx(
        float(panel.shown.source("difference", 0, in_noise=True).read((slice(205, 206), slice(310, 311)))[0, 0])  # type: ignore[union-attr]
    )


def test_one_segment_and_grey_values_can_be_chosen(opened: Open, segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    panel.segments.setCurrentIndex(2)
    panel.segments.activated.emit(2)
    assert [view.isVisible() for view in panel.grid.views] == [False] * 3 + [True] * 3 + [False] * 6
    panel.unit.setCurrentIndex(1)
    panel.unit.activated.emit(1)
    assert panel.scale.texts[-1].endswith("grey")
    np.testing.assert_array_equal(panel.grid.views[5].image.image, panel.shown.residual[1])  # type: ignore[union-attr]
    low, high = panel.grid.views[5].image.levels
    assert low == -high
    assert tuple(panel.grid.views[3].image.levels) == tuple(panel.grid.views[4].image.levels)


def test_a_low_window_shows_the_verdicts_in_a_tab(
    opened: Open, window: MainWindow, segments: NDArray[Any], qtbot: QtBot
) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    assert panel.tabs.count() == 2
    window.resize(900, 600)
    qtbot.waitUntil(lambda: panel.tabs.count() == 3)
    assert panel.verdicts.isVisible()
    window.resize(1360, 860)
    qtbot.waitUntil(lambda: panel.tabs.count() == 2)
    assert panel.verdicts.isVisible()


def test_pointing_at_a_pixel_tells_its_values(opened: Open, segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    panel.grid.views[3].hovered.emit(40.0, 30.0, 1.0)
    assert panel.status.text().startswith("(40, 30) px   N: measured")
    assert "chi-square" in panel.status.text()
    panel.grid.views[3].hovered.emit(float("nan"), float("nan"), None)
    assert panel.status.text() == ""


def test_changed_images_leave_the_difference(opened: Open, segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    run = linear(segment_set)
    other = replace(segment_set, images=tuple(replace(image, sha256="0" * 64) for image in segment_set.images))
    panel = opened(other, run)
    texts = [panel.verdicts.item(row).text() for row in range(panel.verdicts.count())]
    assert any("Only the difference is shown" in text for text in texts)
    assert panel.unit.count() == 1
    assert panel.grid.views[0].image.image is None
    assert panel.grid.views[2].image.image is not None


def test_three_segments_say_that_nothing_is_tested(opened: Open, segments: NDArray[Any]) -> None:
    three = detector(quadrants=tuple(replace(s, azimuth_deg=120.0 * k) for k, s in enumerate(detector().quadrants[:3])))
    segment_set = image_set(segments[:3])
    params = Reconstruct(three, PIXEL_NM, crop=CROP, device="cpu")
    result = run_step("reconstruct-linear", step_inputs(segment_set), params, SilentContext())
    panel = opened(segment_set, make_run(segment_set, "reconstruct-linear", params, result, 0.1, "Live"))
    assert panel.maps.nothing.isVisible()
    assert not panel.maps.fitted.isVisible()
    assert "three segments" in panel.verdicts.item(0).text()
    assert len(panel.grid.views) == 9


def test_the_request_of_a_cycle_is_in_grey_values_and_knows_the_axis(segments: NDArray[Any]) -> None:
    segment_set = image_set(segments)
    params, inputs = cycle_request(linear(segment_set), segment_set, noise=True)
    assert params.method == "linear"
    assert params.axis_px == (51.5, 63.5)
    assert params.dose_grey == pytest.approx(1.5, rel=0.2)
    assert np.median(inputs["rho"]) == pytest.approx(12000.0, rel=0.1)
    exact, _ = cycle_request(closed_loop(segment_set, linear(segment_set)), segment_set)
    assert (exact.method, exact.dose_grey) == ("closed-loop", None)
    assert exact.grey_per_electron == pytest.approx(1.5, rel=0.2)


def test_the_cycle_runs_and_is_kept_as_a_result_that_can_be_undone(
    opened: Open, held: Session, segments: NDArray[Any], qtbot: QtBot, tmp_path: Path
) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    panel.tabs.setCurrentIndex(1)
    assert not panel.cycle.view.isVisible()
    qtbot.mouseClick(panel.cycle.start, LEFT)
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(jobs) == 1)
    assert jobs[0].step == "cycle"
    jobs[0].progress(0.4, "rendering", 3.0)
    assert "40 %" in panel.cycle.numbers.text()
    assert panel.cycle.start.text() == "Stop"
    found = run_step("cycle", jobs[0].inputs, jobs[0].params, SilentContext())
    jobs[0].done(found.arrays, **found.info)
    assert panel.cycle.view.isVisible()
    assert panel.cycle.caveat.text() == CAVEAT
    assert "rms" in panel.cycle.numbers.text()
    (row,) = held.project.of_kind(Measurement)
    assert row.run_id == held.project.selection.run_id
    assert row.values["Cycle rms"]["value"] == pytest.approx(found.info["rms_nm"])
    path = tmp_path / "cycle.html"
    check.flow_of(held).write_report(path)
    qtbot.waitUntil(path.exists)
    qtbot.waitUntil(lambda: "Report written" in held.messages.items[-1].text)
    assert "does not prove" in path.read_text(encoding="utf-8")
    held.history.undo()
    assert held.project.of_kind(Measurement) == ()


def test_stopping_a_cycle_keeps_nothing(opened: Open, held: Session, segments: NDArray[Any], qtbot: QtBot) -> None:
    segment_set = image_set(segments)
    panel = opened(segment_set, linear(segment_set))
    panel.tabs.setCurrentIndex(1)
    held.actions.action("check.cycle").trigger()
    jobs = held.jobs.jobs  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(jobs) == 1)
    qtbot.mouseClick(panel.cycle.start, LEFT)
    assert jobs[0].cancelled
    assert panel.cycle.start.text() == "Run cycle"
    assert held.project.of_kind(Measurement) == ()
    assert not held.actions.action("check.report").isEnabled()
