"""Why a pixel is uncertain, in the real window: a click on the image, hatched areas, and their legend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from panel_samples import held_session
from uncertain_samples import STEP_NM, fill_with_standard_run

from eclips_app.gui.app import make_window
from eclips_app.gui.flows import uncertainty
from eclips_app.gui.panels.profile.layers import layers
from eclips_app.gui.panels.profile.view import ProfilePanel
from eclips_app.gui.panels.surface3d.textures import textures_of
from eclips_app.gui.panels.uncertainty.view import UncertaintyPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.shell.main_window import MainWindow


@pytest.fixture
def window(qapp: object, qtbot, tmp_path: Path) -> Iterator[MainWindow]:
    session = held_session(tmp_path)
    made = make_window(session)
    made.resize(1200, 800)
    fill_with_standard_run(session)
    with qtbot.waitExposed(made):
        made.show()
    session.show_panel("profile")
    session.show_panel("uncertainty")
    yield made
    session.history.mark_saved(session.history.mark())
    made.close()
    made.deleteLater()


def panels(window: MainWindow) -> tuple[ProfilePanel, UncertaintyPanel]:
    profile, report = window.panels["profile"].panel(), window.panels["uncertainty"].panel()
    assert isinstance(profile, ProfilePanel)
    assert isinstance(report, UncertaintyPanel)
    return profile, report


def click(profile: ProfilePanel, column: float, row: float, qtbot) -> None:
    pane = profile.image.pane
    pane.fit()
    place = QtCore.QPointF(*pane.screen_point((column, row))).toPoint()
    qtbot.mouseClick(pane.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_a_click_on_the_image_tells_why_the_pixel_is_uncertain(window: MainWindow, qtbot) -> None:
    profile, report = panels(window)
    assert report.hint.isVisible()
    assert not report.advice.isVisible()
    click(profile, 60, 10, qtbot)
    assert uncertainty.flow_of(window.session).pixel == (60, 10)
    assert report.pixel.text() == "Pixel 60, 10 of Standard"
    assert report.height_text.text().startswith("Height 60.0 ± 3.8 nm")
    noise, distance = STEP_NM**2, (0.04 * 60) ** 2
    percent = round(100 * noise / (noise + distance))
    assert report.shares.texts == [f"Noise {percent} %", f"Geometry {100 - percent} %"]
    assert report.missing.text() == "Not stated: gains, pixel size"
    assert report.tilt.text() == "Tilt of the surface 26.6°"
    assert "averaging over a width" in report.advice.text()
    assert not report.flags.isVisible()
    assert (60, 10) in [point for point, _ in profile.image.pane._marks]
    click(profile, 10, 10, qtbot)
    assert report.flags.text().startswith("Occluded")
    assert "turned or tilted" in report.advice.text()
    assert "is noise" in report.chi2.text()


def test_the_report_follows_the_run_and_a_second_click_lets_go(window: MainWindow, qtbot) -> None:
    profile, report = panels(window)
    click(profile, 60, 10, qtbot)
    assert "geometry" in profile.image.status.text()
    window.session.project.select(run_id="live")
    assert report.shares.texts == []
    assert not report.source.isVisible()
    assert "Standard or Metrology" in report.advice.text()
    click(profile, 60, 10, qtbot)
    assert report.hint.isVisible()
    assert profile.image.pane._marks == []


def test_doubtful_areas_are_hatched_and_named(window: MainWindow, qtbot) -> None:
    profile, _ = panels(window)
    legend, pane = profile.image.flags, profile.image.pane
    assert legend.isVisible()
    named = [
        entry.text().rpartition(">")[2].replace("&nbsp;", " ").strip()
        for entry in legend.entries.values()
        if entry.isVisible()
    ]
    assert named == ["no data", "occluded", "out of model"]
    legend.resize(150, 100)
    assert legend.heightForWidth(150) > legend.heightForWidth(600)
    pane.fit()
    hatched = pane.viewport().grab().toImage()
    qtbot.mouseClick(legend.box, Qt.MouseButton.LeftButton, pos=QtCore.QPoint(8, legend.box.height() // 2))
    plain = pane.viewport().grab().toImage()
    pixel = {
        name: QtCore.QRect(*(round(v) for v in pane.screen_point(start)), 60, 40)
        for name, start in (("flagged", (2, 2)), ("sound", (40, 25)))
    }
    assert hatched.copy(pixel["flagged"]) != plain.copy(pixel["flagged"])
    assert hatched.copy(pixel["sound"]) == plain.copy(pixel["sound"])
    window.session.project.select(run_id="live")
    assert not legend.isVisible()


def test_chi_square_and_flags_are_layers_and_chi_square_a_texture(window: MainWindow) -> None:
    project = window.session.project
    found = {layer.key: layer for layer in layers(project, "viridis")}
    assert {"height_std", "chi2", "chi2_known", "flags"} <= found.keys()
    assert found["flags"].value_text(9.0) == "no data, out of model"
    assert found["flags"].value_text(0.0) == "not doubtful"
    run = project.run
    assert run is not None
    textures = {texture.key: texture for texture in textures_of(run, project)}
    assert np.array_equal(textures["chi2_known"].read(), run.arrays["chi2_known"])
    assert "flags" not in textures  # the surface is hatched; shades of grey would say nothing
