from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows import uncertainty
from eclips_app.gui.panels.surface3d import view as panel_module
from eclips_app.gui.panels.surface3d.textures import textures_of
from eclips_app.gui.panels.surface3d.view import Surface3DPanel, write_png
from eclips_app.gui.qt import QtGui
from eclips_app.gui.session import Session
from eclips_app.model.items import ProfileLine, Run, SegmentImage, SegmentSet
from eclips_app.scene3d import probe

_ROW, _COL = np.mgrid[0:40, 0:60]


def _set() -> SegmentSet:
    images = tuple(SegmentImage(name, (1000 * k + 7 * _ROW + _COL).astype(np.uint16)) for k, name in enumerate("ENWS"))
    return SegmentSet("set", "Grain", images, 2.0)


def _run(run_id: str, factor: float = 1.0) -> Run:
    height = (factor * 10 * np.sin(_COL[5:35, 10:60] / 8)).astype(np.float32)
    arrays = {
        "height": height, "height_std": np.full(height.shape, 0.4), "rho": np.ones(height.shape),
        "residual": np.zeros((4, *height.shape)), "mask": np.ones(height.shape, bool),
    }  # fmt: skip
    shifts = ((0.0, 0.0), (2.0, -1.0), (0.2, 0.4), (0.0, 0.0))
    params = {"pixel_size_nm": 2.0, "crop": (5, 10, 35, 60), "shifts_px": shifts}
    return Run(run_id, f"Run {run_id}", "set", "reconstruct-linear", 1, params, arrays, {}, (), "2026-01-01", 1.0)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> Iterator[Surface3DPanel]:
    made = Surface3DPanel(session)
    qtbot.addWidget(made)
    made.resize(700, 500)
    made.show()
    qtbot.waitUntil(lambda: made.view is not None, timeout=20_000)
    yield made
    assert made.view is not None
    made.view.release()


def _settle(qtbot: QtBot, panel: Surface3DPanel) -> None:
    qtbot.waitUntil(lambda: panel.view is not None and panel.view.field is not None and panel.view.is_settled)


def test_without_a_reconstruction_the_panel_says_what_will_be_here(panel: Surface3DPanel) -> None:
    assert panel.message.isVisible()
    assert "once it is reconstructed" in panel.message.text()
    assert not panel.colors.isEnabled()


def test_a_reconstruction_appears_and_goes_with_undo(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    assert panel.view is not None
    assert panel.view.isVisible()
    assert panel.view.field is not None
    assert panel.view.field.shape == (30, 50)
    assert panel.heights.edit.value == panel.view.scene.exaggeration
    session.history.undo()
    assert panel.message.isVisible()
    session.history.redo()
    _settle(qtbot, panel)
    assert panel.view.isVisible()


def test_every_image_of_the_run_can_lie_on_the_surface(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    texts = [panel.colors.texture.itemText(i) for i in range(panel.colors.texture.count())]
    assert texts == [
        "Height", "Segment E", "Segment N", "Segment W", "Segment S", "Material", "Height uncertainty",
        "Residual E", "Residual N", "Residual W", "Residual S",
    ]  # fmt: skip
    panel.colors.choose("residual/2")
    assert panel.view is not None
    assert panel.view.color_scale.colormap == "diverging"
    assert panel.view.color_scale.low == -panel.view.color_scale.high
    panel.colors.choose("segment/1")
    assert (panel.view.color_scale.colormap, panel.view.color_scale.unit) == ("gray", "grey")
    panel.colors.auto.setChecked(False)
    panel.colors.high.setText("1234")
    panel.colors.high.editingFinished.emit()
    assert panel.view.color_scale.high == 1234.0


def test_a_segment_lies_where_the_height_map_was_cut_and_moved_by_its_shift(session: Session) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    run = session.project.run
    assert run is not None
    textures = {texture.key: texture for texture in textures_of(run, session.project)}
    np.testing.assert_array_equal(textures["segment/0"].read(), 7 * _ROW[5:35, 10:60] + _COL[5:35, 10:60])
    # Moved 2 rows down and 1 column left: pixel (r, c) shows what was at (r - 2, c + 1).
    moved = textures["segment/1"].read()
    np.testing.assert_array_equal(moved[:, :-1], 1000 + 7 * (_ROW[5:35, 10:59] - 2) + _COL[5:35, 10:59] + 1)
    small = replace(_set(), images=tuple(replace(i, data=i.data[:20, :20]) for i in _set().images))
    session.do(edits.add("Replace", small))
    assert not any(t.key.startswith("segment") for t in textures_of(run, session.project))


def test_a_and_b_are_switched_without_turning_the_view(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a"), _run("b", 2.0)))
    session.project.select(run_id="a")
    assert panel.switch.isHidden()
    session.project.select(compared_run_id="b")
    assert panel.switch.isVisible()
    _settle(qtbot, panel)
    assert panel.view is not None
    panel.view.look("front")
    camera = panel.view.camera
    panel.switch.group.button(1).click()
    qtbot.waitUntil(lambda: panel.view.field.high_nm == pytest.approx(20.0, abs=0.1))  # type: ignore[union-attr]
    assert panel.view.camera == camera
    session.project.select(compared_run_id="")
    qtbot.waitUntil(lambda: panel.view.field.high_nm == pytest.approx(10.0, abs=0.1))  # type: ignore[union-attr]


def test_profile_lines_lie_on_the_surface(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    line = ProfileLine("l", "Line 1", (12.0, 20.0), (50.0, 20.0), color="#ff0000")
    session.do(edits.add("Reconstruct", _set(), _run("a"), line))
    _settle(qtbot, panel)
    assert panel.view is not None
    (draped,) = panel.view.scene.lines
    np.testing.assert_allclose(draped.points_px[[0, -1]], [[2, 15], [40, 15]])  # the crop begins at col 10, row 5
    assert draped.color == (1.0, 0.0, 0.0)
    session.do(edits.change("Circle", line, kind="circle", end_px=(20.0, 20.0)))
    (round_one,) = panel.view.scene.lines
    np.testing.assert_allclose(np.hypot(*(round_one.points_px - (2, 15)).T), 8.0, atol=0.01)
    panel.lines.setChecked(False)
    assert panel.view.scene.lines == ()
    panel.lines.setChecked(True)
    session.do(edits.change("Hide Line 1", line, visible=False))
    assert panel.view.scene.lines == ()


def test_the_point_is_told_with_units_and_its_pixel_of_the_image(
    qtbot: QtBot, session: Session, panel: Surface3DPanel
) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    assert panel.view is not None
    panel.view.hovered.emit(10.0, 4.0, 12.345)
    assert panel.status.text() == "x 20 nm   y 50 nm   z 12.35 nm   (pixel 20.0, 9.0)"
    panel.view.hovered.emit(np.nan, np.nan, np.nan)
    assert panel.status.text() == ""


def test_tools_act_on_the_view(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    assert panel.view is not None
    panel.heights.true.click()
    assert panel.view.scene.exaggeration == 1.0
    panel.heights.edit.setText("200")
    panel.heights.edit.editingFinished.emit()
    assert panel.view.scene.exaggeration == 1.0  # out of range: marked, not taken
    panel.heights.auto.click()
    assert panel.view.scene.exaggeration == panel.heights.edit.value == panel.view.scene.auto_exaggeration()
    panel.light.sliders["azimuth_deg"].setValue(300)
    assert panel.view.scene.lighting.azimuth_deg == -60.0
    panel.perspective.setChecked(True)
    assert panel.view.camera.projection == "perspective"
    panel.views.menu().actions()[0].trigger()
    assert panel.view.camera.elevation_deg == 90.0
    panel.copy_picture()
    assert not QtGui.QGuiApplication.clipboard().image().isNull()


def test_a_picture_is_written_whole_or_refused_in_words(
    qtbot: QtBot, session: Session, panel: Surface3DPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    monkeypatch.setattr(session, "ask_save_file", lambda *_: tmp_path / "view")
    panel.save_picture()
    written = QtGui.QImage(str(tmp_path / "view.png"))
    assert panel.view is not None
    assert written.width() == 2 * panel.view.width()
    with pytest.raises(EclipsError, match="not written"):
        write_png(written, tmp_path / "nowhere" / "view.png")


def test_a_computer_that_cannot_draw_gets_the_reason(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel_module.probe, "drawing", lambda: probe.Drawing(False, "no OpenGL driver", {}))
    panel = Surface3DPanel(session)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: "no OpenGL driver" in panel.message.text())
    assert panel.view is None


def test_doubtful_areas_are_hatched_on_the_surface(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    run = _run("a")
    flags = np.zeros(run.arrays["height"].shape, np.uint8)
    flags[5:20, 10:30] = 4
    session.do(edits.add("Reconstruct", _set(), replace(run, arrays={**run.arrays, "flags": flags})))
    _settle(qtbot, panel)
    assert panel.view is not None
    assert panel.flags.isVisible()
    hatched = panel.view.scene.surface._colors._values
    panel.flags.box.click()
    _settle(qtbot, panel)
    plain = panel.view.scene.surface._colors._values
    differs = (hatched != plain).any(axis=2)
    assert differs[flags > 0].any()
    assert not differs[flags == 0].any()


def test_a_marked_point_is_asked_about(qtbot: QtBot, session: Session, panel: Surface3DPanel) -> None:
    session.do(edits.add("Reconstruct", _set(), _run("a")))
    _settle(qtbot, panel)
    assert panel.view is not None
    panel.view.picked.emit(20.2, 9.8, 3.0)
    assert uncertainty.flow_of(session).pixel == (30, 15)  # the crop begins at column 10, row 5
