from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from eclips_app.gui.qt import Qt, QtCore, QtGui
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.render_overlays import ColorScale, color_ticks
from eclips_app.scene3d import colormaps, probe
from eclips_app.scene3d.camera import Camera
from eclips_app.scene3d.pick import bilinear

if TYPE_CHECKING:
    from eclips_app.gui.widgets.render_view import RenderView


@pytest.fixture(scope="module", autouse=True)
def drawing(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = probe.drawing(tmp_path_factory.mktemp("probe") / "drawing.json")
    assert found.works, found.description
    probe.use(found)


@pytest.fixture
def height() -> NDArray[np.float32]:
    row, col = np.mgrid[0:90, 0:120]
    return (30 * np.sin(col / 15.0) + 0.3 * row).astype(np.float32)


@pytest.fixture
def view(qtbot: QtBot, height: NDArray[np.float32]) -> Iterator[RenderView]:
    from eclips_app.gui.widgets.render_view import RenderView

    made = RenderView()
    qtbot.addWidget(made)
    palette = QtGui.QPalette()
    palette.setColor(QtGui.QPalette.ColorRole.Base, QtGui.QColor(255, 255, 255))
    made.setPalette(palette)
    made.resize(400, 300)
    made.show()
    made.set_colors(height, ColorScale("Height", "viridis", -30.0, 60.0, "nm"))
    made.set_height(height, 2.0)
    qtbot.waitUntil(lambda: made.field is not None and made.is_settled)
    yield made
    made.release()


def _pixels(view: RenderView) -> NDArray[np.uint8]:
    image = view.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    flat = np.frombuffer(bytes(image.constBits()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return flat[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def _drag(qtbot: QtBot, view: RenderView, button: Qt.MouseButton, by: tuple[int, int], shift: bool = False) -> None:
    start = QtCore.QPoint(180, 150)
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    qtbot.mousePress(view, button, modifier, start)
    end = QtCore.QPointF(start + QtCore.QPoint(*by))
    move = QtGui.QMouseEvent(
        QtCore.QEvent.Type.MouseMove,
        end,
        view.mapToGlobal(end),
        Qt.MouseButton.NoButton,
        button,
        modifier,
    )
    view.mouseMoveEvent(move)
    qtbot.mouseRelease(view, button, modifier, end.toPoint())


def test_a_grab_shows_the_surface_in_its_colours(view: RenderView) -> None:
    rgb = _pixels(view)
    assert rgb[3, 3].tolist() == [255, 255, 255]
    middle = rgb[60:240, 60:260]
    assert (middle != 255).any(axis=-1).mean() > 0.3
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 200
    assert middle[..., 1].max() > 150  # the light end of viridis
    assert (middle[..., 2] > middle[..., 1] + 10).any()  # its dark end


def test_dragging_turns_moves_and_zooms(qtbot: QtBot, view: RenderView) -> None:
    first: Camera = view.camera
    with qtbot.waitSignal(view.camera_changed):
        _drag(qtbot, view, Qt.MouseButton.LeftButton, (50, 20))
    turned: Camera = view.camera
    assert turned.azimuth_deg == pytest.approx(first.azimuth_deg - 20)
    assert turned.elevation_deg == pytest.approx(first.elevation_deg + 8)
    before = view.scene.project(60, 45, 0.0)
    _drag(qtbot, view, Qt.MouseButton.MiddleButton, (30, -12))
    after = view.scene.project(60, 45, 0.0)
    assert np.subtract(after, before) == pytest.approx([30, -12])
    _drag(qtbot, view, Qt.MouseButton.LeftButton, (-30, 12), shift=True)
    assert view.scene.project(60, 45, 0.0) == pytest.approx(before)
    _drag(qtbot, view, Qt.MouseButton.RightButton, (0, 100))
    assert view.camera.view_height_nm == pytest.approx(np.e * turned.view_height_nm)


def test_a_turned_view_is_drawn_anew_and_comes_to_rest(qtbot: QtBot, view: RenderView) -> None:
    before = _pixels(view)
    _drag(qtbot, view, Qt.MouseButton.LeftButton, (80, 0))
    assert not view.is_settled
    qtbot.waitUntil(lambda: view.is_settled)
    assert (_pixels(view) != before).any(axis=-1).mean() > 0.1
    assert view.stride == 1


def test_the_wheel_zooms_about_the_mouse(view: RenderView) -> None:
    at = QtCore.QPointF(230, 140)
    before = view.scene.pick(230, 140)
    event = QtGui.QWheelEvent(
        at, at, QtCore.QPoint(), QtCore.QPoint(0, 240), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    height_nm = view.camera.view_height_nm
    view.wheelEvent(event)
    after = view.scene.pick(230, 140)
    assert (after.col, after.row) == (pytest.approx(before.col, abs=1e-6), pytest.approx(before.row, abs=1e-6))
    assert view.camera.view_height_nm == pytest.approx(0.85**2 * height_nm)


def test_keys_do_what_the_mouse_does(qtbot: QtBot, view: RenderView) -> None:
    first: Camera = view.camera
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert view.camera.azimuth_deg == pytest.approx(first.azimuth_deg - 5)
    assert view.camera.elevation_deg == pytest.approx(first.elevation_deg + 5)
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.camera.view_height_nm < first.view_height_nm
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.camera.center_nm != first.center_nm
    qtbot.keyClick(view, Qt.Key.Key_1)
    assert view.camera.elevation_deg == 90.0
    qtbot.keyClick(view, Qt.Key.Key_R)
    assert view.camera == first


def test_a_double_click_picks_the_data_whatever_the_exaggeration(
    qtbot: QtBot, view: RenderView, height: NDArray[np.float32]
) -> None:
    picked = []
    view.picked.connect(lambda *point: picked.append(point))
    for factor in (1.0, 20.0):
        view.set_exaggeration(factor)
        qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QtCore.QPoint(150, 150))
        col, row, z_nm = picked[-1]
        assert z_nm == pytest.approx(float(bilinear(height, np.array(col), np.array(row))), abs=1e-3)
    assert picked[0] != picked[1]
    marked = _pixels(view)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert (_pixels(view) != marked).any()  # the mark was drawn and is gone
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QtCore.QPoint(4, 4))
    assert len(picked) == 2


def test_the_focus_is_visible(qtbot: QtBot, view: RenderView) -> None:
    view.window().activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    with_focus = _pixels(view)
    view.clearFocus()
    assert (with_focus[1, :] != _pixels(view)[1, :]).any(axis=-1).mean() > 0.9


def test_a_picture_is_finer_than_the_screen_and_changes_nothing(view: RenderView) -> None:
    before = _pixels(view)
    image = view.picture(3.0)
    assert (image.width(), image.height()) == (1200, 900)
    np.testing.assert_array_equal(_pixels(view), before)


def test_another_map_keeps_the_camera_if_asked(qtbot: QtBot, view: RenderView, height: NDArray[np.float32]) -> None:
    view.set_camera(Camera(azimuth_deg=10.0, view_height_nm=77.0))
    view.set_height(height[:50], 2.0, keep_camera=True)
    qtbot.waitUntil(lambda: view.field.shape == (50, 120))
    assert view.camera.view_height_nm == 77.0
    view.set_height(None)
    assert _pixels(view)[150, 150].tolist() == [255, 255, 255]


def test_only_the_last_of_several_maps_is_shown(qtbot: QtBot, view: RenderView, height: NDArray[np.float32]) -> None:
    for rows in (20, 30, 40):
        view.set_height(height[:rows], 2.0)
    shapes = []
    view.camera_changed.connect(lambda: shapes.append(view.field.shape))
    qtbot.waitUntil(lambda: view.is_settled)
    assert shapes == [(40, 120)]


def test_ticks_stand_at_nice_steps_in_a_unit_that_suits() -> None:
    title, ticks = color_ticks(ColorScale("Height", "viridis", -130.0, 2600.0, "nm"))
    assert title == "Height / µm"
    assert ticks == [(0.0, "0.0"), (500.0, "0.5"), (1000.0, "1.0"), (1500.0, "1.5"), (2000.0, "2.0"), (2500.0, "2.5")]
    title, ticks = color_ticks(ColorScale("Residual E", "diverging", -0.3, 0.3, "grey"))
    assert title == "Residual E / grey"
    assert [text for _, text in ticks] == ["-0.2", "-0.1", "0.0", "0.1", "0.2"] or ticks[0][0] == pytest.approx(-0.3)
    assert color_ticks(ColorScale("x", "gray", 1.0, 1.0))[1] == []


def test_every_colour_map_has_its_place_in_the_list() -> None:
    assert colormaps.NAMES[0] == "viridis"
    assert all(len(colormaps.table(name)) == 256 for name in colormaps.NAMES)


def test_errors_of_background_work_reach_the_window(qtbot: QtBot) -> None:
    background = Background()
    results: list[object] = []
    with qtbot.captureExceptions() as caught:
        background.run(lambda: 1 / 0, results.append)
        background.run(lambda: 5, results.append)
        qtbot.waitUntil(lambda: not background.is_busy)
    assert results == [5]
    assert [kind for kind, _, _ in caught] == [ZeroDivisionError]
    background.run(lambda: 6, results.append)
    background.stop()
    qtbot.wait(20)
    assert results == [5]
