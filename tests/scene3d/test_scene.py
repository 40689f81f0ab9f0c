from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.scene3d import arrays, colormaps
from eclips_app.scene3d.arrays import HeightField
from eclips_app.scene3d.camera import PRESETS, Camera, camera_from_json
from eclips_app.scene3d.lighting import Lighting
from eclips_app.scene3d.pick import bilinear
from eclips_app.scene3d.scene import DrapedLine, Scene
from eclips_app.scene3d.snapshot import picture, png_bytes, save_png

_BLUE = [0, 0, 255]


@pytest.fixture
def hill() -> NDArray[np.float32]:
    """A hill of 40 nm on a slope, 60 rows by 80 columns."""
    row, col = np.mgrid[0:60, 0:80]
    return (40 * np.exp(-((col - 50) ** 2 + (row - 20) ** 2) / 200.0) + 0.2 * col + 7.0).astype(np.float32)


@pytest.fixture
def scene(hill: NDArray[np.float32]) -> Iterator[Scene]:
    """A scene of 320 x 240 pixels with the hill on it, 2 nm a pixel, on blue."""
    made = Scene(320, 240)
    made.set_background((0.0, 0.0, 1.0))
    show(made, arrays.height_field(hill, 2.0))
    made.fit()
    yield made
    made.close()


def show(scene: Scene, field: HeightField, stride: int = 1) -> None:
    """Put a height map into a scene."""
    scene.set_field(field)
    scene.surface.add_mesh(arrays.mesh(field, stride))
    scene.surface.show(stride)
    scene.surface.set_slopes(arrays.slopes(field))


def _rgb(scene: Scene) -> NDArray[np.uint8]:
    return scene.render()[..., :3].copy()


def _covered(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (rgb != _BLUE).any(axis=-1)


def test_the_surface_is_drawn_in_the_middle_of_the_background(scene: Scene) -> None:
    rgb = _rgb(scene)
    assert rgb.shape == (240, 320, 3)
    assert rgb[0, 0].tolist() == _BLUE
    covered = _covered(rgb)
    assert 0.2 < covered.mean() < 0.8
    assert len(np.unique(rgb[covered], axis=0)) > 50  # shaded, not one grey


def test_from_above_the_map_lies_as_the_image_does(scene: Scene, hill: NDArray[np.float32]) -> None:
    rgb = colormaps.colorize(hill, "gray", float(hill.min()), float(hill.max()))
    scene.surface.set_colors(rgb)
    scene.set_lighting(Lighting(shading=0.0))
    scene.look("top")
    scene.fit()
    drawn = _rgb(scene)
    peak = np.argwhere(drawn[..., 0] * _covered(drawn) == drawn[_covered(drawn)][:, 0].max()).mean(axis=0)
    x, y = scene.project(50, 20, float(hill[20, 50]))
    assert (peak[1], peak[0]) == (pytest.approx(x, abs=4), pytest.approx(y, abs=4))
    assert x > 160  # right of the middle, and above it
    assert y < 120
    rows, columns = np.nonzero(_covered(drawn))
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(79 / 59, rel=0.03)


def test_level_ground_from_above_has_the_colours_of_the_map_in_any_light(scene: Scene) -> None:
    show(scene, arrays.height_field(np.zeros((20, 20)), 1.0))
    color = np.array([120, 60, 200], np.uint8)
    scene.surface.set_colors(np.broadcast_to(color, (20, 20, 3)))
    scene.look("top")
    scene.fit()
    for lighting in (Lighting(), Lighting(-60.0, 20.0, 1.0, 1.0), Lighting(shading=0.0)):
        scene.set_lighting(lighting)
        assert np.abs(_rgb(scene)[120, 160].astype(int) - color).max() <= 2


def test_the_raking_light_comes_from_its_azimuth(scene: Scene) -> None:
    col = np.tile(np.arange(40), (40, 1))
    show(scene, arrays.height_field(10 - np.abs(col - 19.5), 1.0))  # a roof whose ridge runs up the image
    scene.look("top")
    scene.fit()
    for azimuth, west_is_brighter in ((180.0, True), (0.0, False)):
        scene.set_lighting(Lighting(azimuth, 40.0, 1.0, 1.0))
        rgb = _rgb(scene)
        assert (rgb[120, 120, 0] > rgb[120, 200, 0]) is np.bool_(west_is_brighter)


def test_exaggeration_draws_like_larger_heights(scene: Scene, hill: NDArray[np.float32]) -> None:
    scene.set_exaggeration(3.0)
    scene.fit()
    exaggerated = _rgb(scene)
    show(scene, arrays.height_field(3.0 * hill, 2.0))
    scene.set_exaggeration(1.0)
    scene.fit()
    difference = np.abs(exaggerated.astype(int) - _rgb(scene)).max(axis=-1)
    assert np.mean(difference > 3) < 0.005  # silhouettes may differ by a pixel


def test_a_coarse_mesh_looks_like_the_full_one(scene: Scene, hill: NDArray[np.float32]) -> None:
    full = _rgb(scene)
    field = arrays.height_field(hill, 2.0)
    scene.surface.add_mesh(arrays.mesh(field, 4))
    scene.surface.show(4)
    assert np.mean(np.abs(full.astype(int) - _rgb(scene)).max(axis=-1) > 25) < 0.02


@pytest.mark.parametrize("stride", [1, 8])
def test_holes_let_the_background_through(scene: Scene, hill: NDArray[np.float32], stride: int) -> None:
    hill[30:50, 10:30] = np.nan
    show(scene, arrays.height_field(hill, 2.0), stride)
    scene.look("top")
    scene.fit()
    covered = _covered(_rgb(scene))
    x, y = (round(v) for v in scene.project(20, 40, 11.0))
    assert not covered[y - 15 : y + 15, x - 15 : x + 15].any()
    wanted = np.isfinite(hill).mean()
    rows, columns = np.nonzero(covered)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert covered.sum() / box == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("projection", ["parallel", "perspective"])
@pytest.mark.parametrize("exaggeration", [0.5, 1.0, 8.0])
def test_picking_finds_what_is_drawn_whatever_the_exaggeration(
    scene: Scene, hill: NDArray[np.float32], projection: str, exaggeration: float
) -> None:
    scene.camera = replace(scene.camera, projection=projection)
    scene.set_exaggeration(exaggeration)
    scene.fit()
    scene.render()
    hit = scene.pick(161.3, 118.7)
    assert hit is not None
    assert hit.z_nm == pytest.approx(float(bilinear(hill, np.array(hit.col), np.array(hit.row))), abs=1e-3)
    assert scene.project(hit.col, hit.row, hit.z_nm) == (pytest.approx(161.3, abs=0.01), pytest.approx(118.7, abs=0.01))
    assert scene.pick(2.0, 2.0) is None


@pytest.mark.parametrize("projection", ["parallel", "perspective"])
def test_our_projection_is_that_of_the_picture(scene: Scene, projection: str) -> None:
    height = np.zeros((61, 81))
    colors = np.zeros((61, 81, 3), np.uint8)
    colors[10:13, 60:63] = 255
    show(scene, arrays.height_field(height, 2.0))
    scene.surface.set_colors(colors)
    scene.set_lighting(Lighting(shading=0.0))
    scene.camera = Camera(projection, azimuth_deg=-100.0, elevation_deg=50.0)
    scene.fit()
    rows, columns = np.nonzero(_rgb(scene)[..., 0] > 128)
    x, y = scene.project(61, 11, 0.0)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == (pytest.approx(x, abs=1.0), pytest.approx(y, abs=1.0))


def test_zooming_keeps_the_point_under_the_mouse(scene: Scene) -> None:
    before = scene.pick(200.0, 130.0)
    scene.zoom_at(0.4, 200.0, 130.0)
    after = scene.pick(200.0, 130.0)
    assert before is not None
    assert after is not None
    assert (after.col, after.row) == (pytest.approx(before.col, abs=1e-6), pytest.approx(before.row, abs=1e-6))


@pytest.mark.parametrize("projection", ["parallel", "perspective"])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_show_all_of_the_surface(scene: Scene, preset: str, projection: str) -> None:
    scene.camera = replace(scene.camera, projection=projection)
    scene.look(preset)
    scene.fit(right_px=60.0, bottom_px=30.0)
    rows, columns = np.nonzero(_covered(_rgb(scene)))
    assert columns.min() > 0
    assert columns.max() < 320 - 55
    assert rows.min() > 0
    assert rows.max() < 240 - 25
    assert np.ptp(columns) > 180 or np.ptp(rows) > 140


def test_lines_lie_on_the_surface_and_break_at_holes(scene: Scene, hill: NDArray[np.float32]) -> None:
    hill[20:40, 30:50] = np.nan
    show(scene, arrays.height_field(hill, 2.0))
    scene.set_lines([DrapedLine(np.stack([np.linspace(5, 75, 300), np.full(300, 30.0)], axis=1), (1.0, 0.0, 0.0))])
    scene.look("top")
    scene.fit()
    rgb = _rgb(scene)
    red = (rgb[..., 0] > 180) & (rgb[..., 1] < 60) & (rgb[..., 2] < 60)
    assert red.sum() > 100
    for col, there in ((15, True), (40, False), (60, True)):
        x, y = (round(v) for v in scene.project(col, 30, float(np.nanmean(hill))))
        assert red[y - 2 : y + 3, x].any() == there


def test_new_heights_move_the_mesh_in_place(scene: Scene, hill: NDArray[np.float32]) -> None:
    before = _rgb(scene)
    field = arrays.height_field(hill[::-1].copy(), 2.0)
    scene.field = field
    scene.surface.update_heights(field)
    scene.surface.set_slopes(arrays.slopes(field))
    moved = _rgb(scene)
    show(scene, field)
    np.testing.assert_array_equal(moved, _rgb(scene))
    assert (moved != before).any()


def test_auto_exaggeration_is_a_nice_step_that_shows_the_relief(scene: Scene, hill: NDArray[np.float32]) -> None:
    show(scene, arrays.height_field(0.01 * hill, 2.0))
    factor = scene.auto_exaggeration()
    assert factor in (50.0, 100.0)
    show(scene, arrays.height_field(np.zeros((5, 5)), 2.0))
    assert scene.auto_exaggeration() == 1.0


def test_the_camera_survives_a_file() -> None:
    camera = Camera("perspective", 12.5, -30.0, (1.0, 2.0, 3.0), 450.0).orbited(20.0, 5.0)
    assert camera_from_json(json.loads(json.dumps(camera.to_json()))) == camera
    with pytest.raises(EclipsError, match="elevation_deg"):
        camera_from_json({"elevation_deg": 100})


def test_the_camera_turns_without_roll_and_stops_overhead() -> None:
    camera = Camera().orbited(0.0, 500.0)
    assert camera.elevation_deg == 90.0
    right, up, eye = camera.orbited(-30.0, -40.0).axes()
    assert right[2] == pytest.approx(0.0, abs=1e-12)
    assert up[2] > 0
    np.testing.assert_allclose(np.cross(right, up), eye, atol=1e-12)


def test_errors_of_vtk_become_exceptions(scene: Scene) -> None:
    scene.surface.actor.GetShaderProperty().AddFragmentShaderReplacement(
        "//VTK::Light::Impl", True, "no shader;", False
    )
    with pytest.raises(EclipsError, match="3D view cannot be drawn"):
        scene.render()


def test_a_picture_needs_no_window(hill: NDArray[np.float32], tmp_path: Path) -> None:
    rgb = picture(hill, 2.0, (200, 150), background=(0.0, 0.0, 1.0))
    assert rgb.shape == (150, 200, 3)
    assert rgb[0, 0].tolist() == _BLUE
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 500
    save_png(tmp_path / "hill.png", rgb)
    assert (tmp_path / "hill.png").read_bytes() == png_bytes(rgb)
    assert [p.name for p in tmp_path.iterdir()] == ["hill.png"]
    from PIL import Image

    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "hill.png")), rgb)


def test_a_picture_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="cannot be written"):
        save_png(tmp_path / "none" / "x.png", np.zeros((4, 4, 3), np.uint8))
